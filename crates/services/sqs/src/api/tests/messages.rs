//! Messages of standard queues: sent, received, deleted, changed, dead.

use http::Request;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tradewind_observe::usage::Meter;
use tradewind_wire::Body;

use crate::testing::World;

const URL: &str = "http://localhost:4566/000000000000/q";

async fn world() -> World {
    let world = World::new().await;
    world.queue("q", json!({})).await;
    world
}

async fn send(world: &World, parameters: Value) -> Value {
    let mut all = json!({"QueueUrl": URL});
    all.as_object_mut()
        .unwrap()
        .extend(parameters.as_object().unwrap().clone());
    world.ok("SendMessage", all).await
}

#[tokio::test]
async fn a_message_goes_through_its_life() {
    let world = world().await;
    let sent = send(&world, json!({"MessageBody": "msg"})).await;
    assert_eq!(sent["MD5OfMessageBody"], "6e2baaf3b97dbeef01c0043275f9a0e7");
    assert_eq!(sent.get("SequenceNumber"), None);
    let received = world
        .ok(
            "ReceiveMessage",
            json!({"QueueUrl": URL, "AttributeNames": ["All"]}),
        )
        .await;
    let message = &received["Messages"][0];
    assert_eq!(message["MessageId"], sent["MessageId"]);
    assert_eq!(message["Body"], "msg");
    assert_eq!(message["MD5OfBody"], sent["MD5OfMessageBody"]);
    let expected = json!({
        "ApproximateFirstReceiveTimestamp": "1700000000000",
        "ApproximateReceiveCount": "1",
        "SenderId": "AKIDEXAMPLE",
        "SentTimestamp": "1700000000000",
    });
    assert_eq!(message["Attributes"], expected);
    assert_eq!(world.receive(URL).await, [], "it is in flight");
    world
        .ok(
            "DeleteMessage",
            json!({"QueueUrl": URL, "ReceiptHandle": message["ReceiptHandle"]}),
        )
        .await;
    world
        .ok(
            "DeleteMessage",
            json!({"QueueUrl": URL, "ReceiptHandle": message["ReceiptHandle"]}),
        )
        .await;
    world.pass(31);
    assert_eq!(world.receive(URL).await, []);
    assert_eq!(
        world.ok("ReceiveMessage", json!({"QueueUrl": URL})).await,
        json!({})
    );
}

#[tokio::test]
async fn messages_are_there_after_a_restart() {
    let mut world = world().await;
    send(&world, json!({"MessageBody": "kept"})).await;
    world.restart().await;
    assert_eq!(world.receive(URL).await[0].0, "kept");
}

#[tokio::test]
async fn attributes_are_chosen_and_digested() {
    let world = world().await;
    let text = |value: &str| json!({"DataType": "String", "StringValue": value});
    let attributes = json!({"Hello": text("There"), "General": text("Kenobi"), "Help.Me": text("Me"),
        "bin": {"DataType": "Binary.png", "BinaryValue": "AAEC"}});
    let sent = send(
        &world,
        json!({"MessageBody": "msg", "MessageAttributes": attributes}),
    )
    .await;
    assert!(sent["MD5OfMessageAttributes"].is_string());
    for (names, found, digest) in [
        (json!([]), json!(null), json!(null)),
        (json!(["Nobody"]), json!(null), json!(null)),
        (
            json!(["Hello"]),
            json!(["Hello"]),
            json!("a311262e065454b75da111d535b8dacd"),
        ),
        (
            json!(["Hel.*"]),
            json!(["Hello", "Help.Me"]),
            json!("83fee93c1bcd8b9a5a923ffacdc636c7"),
        ),
        (
            json!(["All"]),
            json!(["General", "Hello", "Help.Me", "bin"]),
            sent["MD5OfMessageAttributes"].clone(),
        ),
    ] {
        let receive = json!({"QueueUrl": URL, "MessageAttributeNames": names, "VisibilityTimeout": 0});
        let message = world.ok("ReceiveMessage", receive).await["Messages"][0].clone();
        let given = message["MessageAttributes"]
            .as_object()
            .map(|all| all.keys().cloned().collect::<Vec<_>>());
        assert_eq!(json!(given), found, "{names}");
        assert_eq!(message["MD5OfMessageAttributes"], digest, "{names}");
    }
}

#[tokio::test]
async fn the_trace_header_is_a_system_attribute() {
    let world = world().await;
    let system = json!({"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988"}});
    let sent = send(
        &world,
        json!({"MessageBody": "x", "MessageSystemAttributes": system}),
    )
    .await;
    assert!(sent["MD5OfMessageSystemAttributes"].is_string());
    let receive = json!({"QueueUrl": URL, "MessageSystemAttributeNames": ["AWSTraceHeader"]});
    let received = world.ok("ReceiveMessage", receive).await;
    assert_eq!(
        received["Messages"][0]["Attributes"],
        json!({"AWSTraceHeader": "Root=1-5759e988"})
    );
    let unknown = json!({"QueueUrl": URL, "MessageSystemAttributeNames": ["Nonsense"]});
    assert_eq!(
        world.refused("ReceiveMessage", unknown).await.0,
        "InvalidAttributeName"
    );
}

#[tokio::test]
async fn visibility_is_changed_and_ends() {
    let world = world().await;
    send(&world, json!({"MessageBody": "x"})).await;
    let first = world.receive(URL).await.remove(0).1;
    let change = |handle: &str, seconds: i64| json!({"QueueUrl": URL, "ReceiptHandle": handle, "VisibilityTimeout": seconds});
    world.ok("ChangeMessageVisibility", change(&first, 100)).await;
    world.pass(99);
    assert_eq!(world.receive(URL).await, []);
    world.pass(1);
    let second = world.receive(URL).await.remove(0).1;
    let (code, text) = world.refused("ChangeMessageVisibility", change(&first, 5)).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(
        text.ends_with("Message does not exist or is not available for visibility timeout change."),
        "{text}"
    );
    world.ok("ChangeMessageVisibility", change(&second, 0)).await;
    let third = world.receive(URL).await.remove(0).1;
    for (seconds, part) in [(43_201, "between 0 and 43200"), (-1, "between 0 and 43200")] {
        assert!(
            world
                .refused("ChangeMessageVisibility", change(&third, seconds))
                .await
                .1
                .contains(part)
        );
    }
    world.pass(10);
    let (_, text) = world
        .refused("ChangeMessageVisibility", change(&third, 43_195))
        .await;
    assert!(text.contains("beyond the limit [43200 seconds]"), "{text}");
    let (code, _) = world
        .refused("ChangeMessageVisibility", change("garbage", 5))
        .await;
    assert_eq!(code, "ReceiptHandleIsInvalid");
}

#[tokio::test]
async fn delays_are_the_messages_or_the_queues() {
    let world = World::new().await;
    world.queue("q", json!({"DelaySeconds": "60"})).await;
    send(&world, json!({"MessageBody": "queue's"})).await;
    send(&world, json!({"MessageBody": "own", "DelaySeconds": 5})).await;
    send(&world, json!({"MessageBody": "none", "DelaySeconds": 0})).await;
    let bodies =
        |received: Vec<(String, String)>| received.into_iter().map(|(body, _)| body).collect::<Vec<_>>();
    assert_eq!(bodies(world.receive(URL).await), ["none"]);
    let names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesDelayed",
        "ApproximateNumberOfMessagesNotVisible",
    ];
    let counts = world
        .ok(
            "GetQueueAttributes",
            json!({"QueueUrl": URL, "AttributeNames": names}),
        )
        .await;
    assert_eq!(
        names.map(|name| counts["Attributes"][name].clone()),
        ["0", "2", "1"]
    );
    world.pass(5);
    assert_eq!(bodies(world.receive(URL).await), ["own"]);
    world.pass(55);
    assert_eq!(world.receive(URL).await.len(), 3);
    let late = json!({"QueueUrl": URL, "MessageBody": "x", "DelaySeconds": 901});
    assert!(
        world
            .refused("SendMessage", late)
            .await
            .1
            .contains("Value 901 for parameter DelaySeconds")
    );
}

#[tokio::test]
async fn wrong_messages_are_refused() {
    let world = World::new().await;
    world.queue("q", json!({"MaximumMessageSize": "1024"})).await;
    let body = |text: &str| json!({"QueueUrl": URL, "MessageBody": text});
    for (parameters, code, part) in [
        (
            json!({"QueueUrl": URL}),
            "MissingRequiredParameterException",
            "MessageBody",
        ),
        (body(""), "MissingRequiredParameterException", "MessageBody"),
        (body("\u{0}"), "InvalidMessageContents", "#x0"),
        (
            body(&"a".repeat(1025)),
            "InvalidParameterValueException",
            "Message must be shorter than 1024 bytes.",
        ),
        (
            body(&"ä".repeat(513)),
            "InvalidParameterValueException",
            "Message must be shorter than 1024 bytes.",
        ),
        (
            json!({"QueueUrl": URL, "MessageBody": "x", "MessageDeduplicationId": "d"}),
            "InvalidParameterValueException",
            "not valid for this queue type",
        ),
        (
            json!({"QueueUrl": URL, "MessageBody": "x", "MessageGroupId": "a b"}),
            "InvalidParameterValueException",
            "Value a b for parameter MessageGroupId is invalid.",
        ),
    ] {
        let (found, text) = world.refused("SendMessage", parameters).await;
        assert_eq!(found, code, "{text}");
        assert!(text.contains(part), "{text}");
    }
    world.ok("SendMessage", body(&"a".repeat(1024))).await;
    for (name, value, part) in [
        ("MaxNumberOfMessages", 0, "Must be between 1 and 10, if provided."),
        (
            "MaxNumberOfMessages",
            11,
            "Must be between 1 and 10, if provided.",
        ),
        ("WaitTimeSeconds", 21, "Must be >= 0 and <= 20, if provided."),
        ("WaitTimeSeconds", -1, "Must be >= 0 and <= 20, if provided."),
        ("VisibilityTimeout", 43_201, "between 0 and 43200"),
    ] {
        let (code, text) = world
            .refused("ReceiveMessage", json!({"QueueUrl": URL, name: value}))
            .await;
        assert_eq!(code, "InvalidParameterValueException");
        assert!(
            text.starts_with(&format!("Value {value} for parameter {name} is invalid."))
                && text.contains(part),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_message_of_a_mebibyte_goes_through() {
    let world = world().await;
    let body = "ä".repeat(512 * 1024);
    send(&world, json!({"MessageBody": body})).await;
    assert_eq!(world.receive(URL).await[0].0, body);
}

#[tokio::test]
async fn batches_fail_entry_by_entry_or_as_a_whole() {
    let world = World::new().await;
    world.queue("q", json!({"MaximumMessageSize": "1024"})).await;
    let batch = |entries: Value| json!({"QueueUrl": URL, "Entries": entries});
    let entries = json!([
        {"Id": "good", "MessageBody": "a"},
        {"Id": "long", "MessageBody": "x".repeat(1025)},
        {"Id": "bad", "MessageBody": "\u{1}"},
        {"Id": "late", "MessageBody": "b", "DelaySeconds": 1000},
        {"Id": "also", "MessageBody": "c"},
    ]);
    let answer = world.ok("SendMessageBatch", batch(entries)).await;
    let ids = |list: &Value| {
        list.as_array()
            .unwrap()
            .iter()
            .map(|e| e["Id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&answer["Successful"]), ["good", "also"]);
    assert_eq!(ids(&answer["Failed"]), ["long", "bad", "late"]);
    assert_eq!(answer["Failed"][0]["Code"], "InvalidParameterValue");
    assert_eq!(answer["Failed"][1]["Code"], "InvalidMessageContents");
    assert_eq!(answer["Failed"][1]["SenderFault"], true);
    let received = world.receive(URL).await;
    assert_eq!(received.len(), 2);
    let many: Value = (0..11)
        .map(|n| json!({"Id": n.to_string(), "MessageBody": "x"}))
        .collect();
    let large: Value = (0..10)
        .map(|n| json!({"Id": n.to_string(), "MessageBody": "x".repeat(104_858)}))
        .collect();
    for (entries, code) in [
        (json!([]), "EmptyBatchRequest"),
        (many, "TooManyEntriesInBatchRequest"),
        (large, "BatchRequestTooLong"),
        (json!([{"Id": "a b", "MessageBody": "x"}]), "InvalidBatchEntryId"),
        (json!([{"MessageBody": "x"}]), "InvalidBatchEntryId"),
        (
            json!([{"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"}]),
            "BatchEntryIdsNotDistinct",
        ),
    ] {
        assert_eq!(world.refused("SendMessageBatch", batch(entries)).await.0, code);
    }
    let handles = json!([
        {"Id": "a", "ReceiptHandle": received[0].1},
        {"Id": "b", "ReceiptHandle": "garbage"},
    ]);
    for action in ["ChangeMessageVisibilityBatch", "DeleteMessageBatch"] {
        let answer = world.ok(action, batch(handles.clone())).await;
        assert_eq!(ids(&answer["Successful"]), ["a"], "{action}");
        assert_eq!(answer["Failed"][0]["Code"], "ReceiptHandleIsInvalid", "{action}");
    }
    world.pass(31);
    let left = world.receive(URL).await;
    assert_eq!(left.len(), 1);
    let all = batch(json!([{"Id": "a", "ReceiptHandle": left[0].1}]));
    let answer = world.ok("DeleteMessageBatch", all).await;
    assert_eq!(answer, json!({"Successful": [{"Id": "a"}]}), "nothing failed");
}

#[tokio::test]
async fn what_was_received_too_often_is_dead() {
    let world = World::new().await;
    let dlq = world.queue("dlq", json!({})).await;
    let policy = "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:dlq\",\"maxReceiveCount\":2}";
    world.queue("q", json!({"RedrivePolicy": policy})).await;
    let sent = send(&world, json!({"MessageBody": "poison"})).await;
    for _ in 0..2 {
        assert_eq!(world.receive(URL).await.len(), 1);
        world.pass(31);
    }
    assert_eq!(world.receive(URL).await, []);
    let dead = json!({"QueueUrl": dlq, "AttributeNames": ["All"]});
    let dead = world.ok("ReceiveMessage", dead).await["Messages"][0].clone();
    assert_eq!(dead["MessageId"], sent["MessageId"]);
    assert_eq!(
        dead["Attributes"]["DeadLetterQueueSourceArn"],
        "arn:aws:sqs:us-east-1:000000000000:q"
    );
    assert_eq!(dead["Attributes"]["SentTimestamp"], "1700000000000");
}

#[tokio::test]
async fn a_receive_waits_for_a_message() {
    let world = world().await;
    let receive = world.call("ReceiveMessage", json!({"QueueUrl": URL, "WaitTimeSeconds": 20}));
    let send = async {
        tokio::task::yield_now().await;
        send(&world, json!({"MessageBody": "late"})).await;
    };
    let (received, ()) = tokio::join!(receive, send);
    assert_eq!(received.json()["Messages"][0]["Body"], "late");
}

#[tokio::test]
async fn who_hung_up_takes_no_message() {
    let world = world().await;
    let gone = CancellationToken::new();
    let request = Request::post("/")
        .header("x-amz-target", "AmazonSQS.ReceiveMessage")
        .body(Body::full(
            json!({"QueueUrl": URL, "WaitTimeSeconds": 20}).to_string(),
        ))
        .unwrap();
    let leave = async {
        tokio::task::yield_now().await;
        gone.cancel();
        send(&world, json!({"MessageBody": "x"})).await;
    };
    let (answer, ()) = tokio::join!(world.send(request, gone.clone()), leave);
    assert_eq!(answer.json(), json!({}));
    assert_eq!(world.receive(URL).await.len(), 1);
}

#[tokio::test]
async fn requests_are_counted_by_queue_and_by_64_kib() {
    let world = World::new().await;
    let meter = Meter::default();
    world.service.count_in(meter.clone());
    let url = world.queue("orders", json!({})).await;
    let large = "x".repeat(65 * 1024);
    world
        .ok("SendMessage", json!({"QueueUrl": url, "MessageBody": large}))
        .await;
    world.ok("ReceiveMessage", json!({"QueueUrl": url})).await;
    world.ok("ReceiveMessage", json!({"QueueUrl": url})).await;
    world.ok("ListQueues", json!({})).await;
    let fifo = world.queue("orders.fifo", json!({"FifoQueue": "true"})).await;
    world.ok("GetQueueAttributes", json!({"QueueUrl": fifo})).await;
    let nowhere = url.replace("orders", "made-up");
    world
        .refused("ReceiveMessage", json!({"QueueUrl": nowhere}))
        .await;
    let brief = world.queue("brief", json!({})).await;
    world.ok("DeleteQueue", json!({"QueueUrl": brief})).await;
    let mut counted: Vec<_> = meter
        .take()
        .into_iter()
        .map(|c| (c.item.as_str(), c.resource, c.quantity))
        .collect();
    counted.sort();
    // a send and a receive of 65 KiB are two each, the empty receive one
    let arn = "arn:aws:sqs:us-east-1:000000000000:orders";
    let fifo_arn = "arn:aws:sqs:us-east-1:000000000000:orders.fifo";
    let expected = [
        ("sqs.fifo.requests", fifo_arn.into(), 1),
        // creations and a list name no queue, a receive names one that there is not
        ("sqs.requests", "".into(), 5),
        ("sqs.requests", arn.replace("orders", "brief").into(), 1),
        ("sqs.requests", arn.into(), 5),
    ];
    assert_eq!(counted, expected);
}
