//! FIFO topics: order and deduplication.

use crate::testing::World;

async fn publish(world: &World, topic: &str, message: &str, id: &str) -> (String, String) {
    let params = [
        ("TopicArn", topic),
        ("Message", message),
        ("MessageGroupId", "g"),
        ("MessageDeduplicationId", id),
    ];
    let answer = world.ok("Publish", &params).await;
    (
        answer.element("MessageId").unwrap(),
        answer.element("SequenceNumber").unwrap(),
    )
}

async fn world() -> (World, String) {
    let world = World::new().await;
    let topic = world.topic("orders.fifo").await;
    world
        .subscribe(&topic, "q.fifo", &[("RawMessageDelivery", "true")])
        .await;
    (world, topic)
}

#[tokio::test]
async fn a_deduplication_id_is_taken_for_five_minutes() {
    let (mut world, topic) = world().await;
    let first = publish(&world, &topic, "one", "d").await;
    assert_eq!(publish(&world, &topic, "two", "d").await, first);
    world.restart().await;
    assert_eq!(
        publish(&world, &topic, "three", "d").await,
        first,
        "also after a restart"
    );
    world.clock.advance_millis(5 * 60 * 1000);
    let later = publish(&world, &topic, "four", "d").await;
    assert!(later.1 > first.1, "{later:?} {first:?}");
    let delivered = world.delivered();
    let bodies: Vec<_> = delivered
        .iter()
        .map(|(_, message)| message.body.clone())
        .collect();
    assert_eq!(bodies, ["one", "four"]);
    let (_, message) = &delivered[0];
    assert_eq!(message.group.as_deref(), Some("g"));
    assert_eq!(message.deduplication_id.as_deref(), Some("d"));
}

#[tokio::test]
async fn numbers_go_up_in_the_order_of_publishing() {
    let (world, topic) = world().await;
    let mut numbers = Vec::new();
    for id in ["a", "b", "c"] {
        numbers.push(publish(&world, &topic, "m", id).await.1);
    }
    assert!(
        numbers.is_sorted() && numbers.iter().all(|number| number.len() == 20),
        "{numbers:?}"
    );
    assert_ne!(numbers[0], numbers[1]);
}

#[tokio::test]
async fn envelopes_have_the_number_and_no_signature() {
    let (world, topic) = world().await;
    world.subscribe(&topic, "wrapped.fifo", &[]).await;
    let (_, number) = publish(&world, &topic, "one", "d").await;
    let bodies = world.bodies();
    let envelope: serde_json::Value = serde_json::from_str(&bodies[1].1).unwrap();
    assert_eq!(envelope["SequenceNumber"], number);
    assert_eq!(envelope.get("Signature"), None);
}

#[tokio::test]
async fn a_batch_knows_its_own_duplicates() {
    let (world, topic) = world().await;
    let mut params = vec![("TopicArn".to_owned(), topic.clone())];
    for (number, id) in [(1, "a"), (2, "a"), (3, "b")] {
        for (name, value) in [
            ("Id", number.to_string()),
            ("Message", id.to_owned()),
            ("MessageGroupId", "g".to_owned()),
            ("MessageDeduplicationId", id.to_owned()),
        ] {
            params.push((
                format!("PublishBatchRequestEntries.member.{number}.{name}"),
                value,
            ));
        }
    }
    let params: Vec<_> = params
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let answer = world.ok("PublishBatch", &params).await;
    assert_eq!(answer.text.matches("<SequenceNumber>").count(), 3);
    let bodies: Vec<_> = world.bodies().into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, ["a", "b"]);
}
