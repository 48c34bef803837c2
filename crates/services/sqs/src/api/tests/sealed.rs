//! Queues with `SqsManagedSseEnabled`: what is stored shows nothing, and clients notice nothing.

use serde_json::{Value, json};

use crate::testing::World;

const WORD: &str = "confidential";

/// Everything the store has of messages, as text.
async fn stored(world: &World) -> String {
    let rows = world
        .database
        .read("SELECT attributes, body FROM queue_messages", Vec::new())
        .await
        .unwrap();
    let texts = rows.iter().map(|row| {
        let blob = |column| String::from_utf8_lossy(row.blob(column).unwrap()).into_owned();
        blob(0) + &blob(1)
    });
    texts.collect()
}

fn message(url: &str) -> Value {
    json!({
        "QueueUrl": url, "MessageBody": WORD,
        "MessageAttributes": {"kind": {"DataType": "String", "StringValue": WORD}},
    })
}

async fn receive(world: &World, url: &str) -> Value {
    let all = json!({"QueueUrl": url, "MessageAttributeNames": ["All"], "VisibilityTimeout": 0});
    world.ok("ReceiveMessage", all).await["Messages"][0].clone()
}

#[tokio::test]
async fn what_is_sent_is_stored_sealed_and_received_as_it_was() {
    let mut world = World::new().await;
    let url = world.queue("open", json!({})).await;
    world.ok("SendMessage", message(&url)).await;
    assert!(stored(&world).await.contains(WORD), "or this test sees nothing");
    world.ok("PurgeQueue", json!({"QueueUrl": url})).await;
    world.service.queues().scrub().await.unwrap();
    let url = world
        .queue("closed", json!({"SqsManagedSseEnabled": "true"}))
        .await;
    let sent = world.ok("SendMessage", message(&url)).await;
    assert!(!stored(&world).await.contains(WORD));
    let off = json!({"QueueUrl": url, "Attributes": {"SqsManagedSseEnabled": "false"}});
    for change in [None, Some(off)] {
        if let Some(change) = change {
            world.ok("SetQueueAttributes", change).await;
        }
        world.restart().await;
        let got = receive(&world, &url).await;
        assert_eq!(got["Body"], WORD);
        assert_eq!(got["MessageAttributes"]["kind"]["StringValue"], WORD);
        assert_eq!(got["MD5OfBody"], sent["MD5OfMessageBody"]);
        assert_eq!(got["MD5OfMessageAttributes"], sent["MD5OfMessageAttributes"]);
    }
}

#[tokio::test]
async fn a_queue_that_was_encrypted_before_a_restart_still_is() {
    let mut world = World::new().await;
    let url = world
        .queue("closed", json!({"SqsManagedSseEnabled": "true"}))
        .await;
    world.restart().await;
    world.ok("SendMessage", message(&url)).await;
    assert!(!stored(&world).await.contains(WORD));
}

#[tokio::test]
async fn what_is_sealed_is_deduplicated_by_its_content() {
    let world = World::new().await;
    let attributes =
        json!({"FifoQueue": "true", "ContentBasedDeduplication": "true", "SqsManagedSseEnabled": "true"});
    let url = world.queue("closed.fifo", attributes).await;
    let mut message = message(&url);
    message["MessageGroupId"] = "g".into();
    let first = world.ok("SendMessage", message.clone()).await;
    let off = json!({"QueueUrl": url, "Attributes": {"SqsManagedSseEnabled": "false"}});
    let second = world.ok("SendMessage", message.clone()).await;
    assert_eq!(first["SequenceNumber"], second["SequenceNumber"]);
    // the same id as that of a message that is not sealed
    world.ok("SetQueueAttributes", off).await;
    let third = world.ok("SendMessage", message).await;
    assert_eq!(first["SequenceNumber"], third["SequenceNumber"]);
}
