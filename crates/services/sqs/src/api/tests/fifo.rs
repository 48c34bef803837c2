//! FIFO queues: order, groups, deduplication, repeated receives.

use serde_json::{Value, json};

use crate::testing::World;

const URL: &str = "http://localhost:4566/000000000000/q.fifo";

async fn world(attributes: Value) -> World {
    let world = World::new().await;
    let mut all = json!({"FifoQueue": "true"});
    all.as_object_mut()
        .unwrap()
        .extend(attributes.as_object().unwrap().clone());
    world.queue("q.fifo", all).await;
    world
}

fn message(body: &str, group: &str, deduplication_id: Option<&str>) -> Value {
    let mut message = json!({"QueueUrl": URL, "MessageBody": body, "MessageGroupId": group});
    if let Some(id) = deduplication_id {
        message["MessageDeduplicationId"] = json!(id);
    }
    message
}

async fn bodies(world: &World) -> Vec<String> {
    world
        .receive(URL)
        .await
        .into_iter()
        .map(|(body, _)| body)
        .collect()
}

#[tokio::test]
async fn a_group_is_received_in_order_and_blocked_by_what_is_in_flight() {
    let world = world(json!({})).await;
    for (body, group) in [("a1", "a"), ("a2", "a"), ("b1", "b")] {
        let sent = world.ok("SendMessage", message(body, group, Some(body))).await;
        assert_eq!(sent["SequenceNumber"].as_str().unwrap().len(), 20);
    }
    let one = json!({"QueueUrl": URL, "AttributeNames": ["All"]});
    let first = world.ok("ReceiveMessage", one).await["Messages"][0].clone();
    assert_eq!(first["Body"], "a1");
    assert_eq!(first["Attributes"]["MessageGroupId"], "a");
    assert_eq!(first["Attributes"]["MessageDeduplicationId"], "a1");
    assert!(first["Attributes"]["SequenceNumber"].is_string());
    assert_eq!(bodies(&world).await, ["b1"], "a is blocked");
    world
        .ok(
            "DeleteMessage",
            json!({"QueueUrl": URL, "ReceiptHandle": first["ReceiptHandle"]}),
        )
        .await;
    assert_eq!(bodies(&world).await, ["a2"]);
}

#[tokio::test]
async fn duplicates_are_taken_once_in_five_minutes() {
    let world = world(json!({})).await;
    let first = world.ok("SendMessage", message("one", "g", Some("d"))).await;
    let again = world.ok("SendMessage", message("two", "h", Some("d"))).await;
    assert_eq!(again["MessageId"], first["MessageId"]);
    assert_eq!(again["SequenceNumber"], first["SequenceNumber"]);
    assert_eq!(bodies(&world).await, ["one"]);
    world.pass(301);
    let later = world.ok("SendMessage", message("three", "i", Some("d"))).await;
    assert_ne!(later["MessageId"], first["MessageId"]);
}

#[tokio::test]
async fn content_and_group_can_be_what_is_deduplicated() {
    let world = world(
        json!({"ContentBasedDeduplication": "true", "DeduplicationScope": "messageGroup",
                             "FifoThroughputLimit": "perMessageGroupId"}),
    )
    .await;
    for group in ["g", "g", "h"] {
        world.ok("SendMessage", message("same", group, None)).await;
    }
    assert_eq!(bodies(&world).await, ["same", "same"], "once in each group");
}

#[tokio::test]
async fn what_a_fifo_queue_needs_is_asked_for() {
    let world = world(json!({})).await;
    let no_group = json!({"QueueUrl": URL, "MessageBody": "x", "MessageDeduplicationId": "d"});
    for (parameters, code, part) in [
        (no_group, "MissingRequiredParameterException", "MessageGroupId"),
        (
            message("x", "g", None),
            "InvalidParameterValueException",
            "ContentBasedDeduplication enabled",
        ),
        (
            message("x", "g", Some("a b")),
            "InvalidParameterValueException",
            "Value a b for parameter MessageDeduplicationId",
        ),
        (
            message("x", "", Some("d")),
            "InvalidParameterValueException",
            "Value  for parameter MessageGroupId",
        ),
    ] {
        let (found, text) = world.refused("SendMessage", parameters).await;
        assert_eq!(found, code, "{text}");
        assert!(text.contains(part), "{text}");
    }
    let mut delayed = message("x", "g", Some("d"));
    delayed["DelaySeconds"] = json!(2);
    let (_, text) = world.refused("SendMessage", delayed.clone()).await;
    assert_eq!(
        text,
        "Value 2 for parameter DelaySeconds is invalid. Reason: The request include parameter that is not valid \
         for this queue type."
    );
    delayed["DelaySeconds"] = json!(0);
    world.ok("SendMessage", delayed).await;
    let batch =
        json!({"QueueUrl": URL, "Entries": [{"Id": "a", "MessageBody": "x", "MessageDeduplicationId": "e"}]});
    assert_eq!(
        world.refused("SendMessageBatch", batch).await.0,
        "InvalidParameterValueException"
    );
}

#[tokio::test]
async fn an_expired_handle_deletes_nothing() {
    let world = world(json!({})).await;
    world.ok("SendMessage", message("x", "g", Some("d"))).await;
    let handle = world.receive(URL).await.remove(0).1;
    world.pass(31);
    let (code, text) = world
        .refused("DeleteMessage", json!({"QueueUrl": URL, "ReceiptHandle": handle}))
        .await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(
        text.ends_with("Reason: The receipt handle has expired."),
        "{text}"
    );
    assert_eq!(bodies(&world).await, ["x"]);
}

#[tokio::test]
async fn a_repeated_attempt_gets_the_same_messages() {
    let world = world(json!({})).await;
    for body in ["a", "b"] {
        world.ok("SendMessage", message(body, "g", Some(body))).await;
    }
    let attempt = json!({"QueueUrl": URL, "ReceiveRequestAttemptId": "1", "MaxNumberOfMessages": 2});
    let first = world.ok("ReceiveMessage", attempt.clone()).await;
    world.pass(20);
    let again = world.ok("ReceiveMessage", attempt.clone()).await;
    assert_eq!(
        again["Messages"][0]["MessageId"],
        first["Messages"][0]["MessageId"]
    );
    assert_eq!(again["Messages"].as_array().unwrap().len(), 2);
    world.pass(20);
    assert_eq!(bodies(&world).await, [""; 0], "the visibility timeout began anew");
    let handle = &again["Messages"][0]["ReceiptHandle"];
    world
        .ok("DeleteMessage", json!({"QueueUrl": URL, "ReceiptHandle": handle}))
        .await;
    let (_, text) = world.refused("ReceiveMessage", attempt).await;
    assert!(text.contains("is not valid anymore"), "{text}");
}
