//! Subscriptions: their making, confirmation and end.

use std::time::Duration;

use serde_json::Value;
use tradewind_store::queue::QueueId;

use crate::testing::{World, queue_arn};

const HOOK: (&str, &str) = ("http", "http://127.0.0.1:9/hook");

/// What the endpoint of the subscription is owed: the bodies of its posts.
async fn owed(world: &World, subscription: &str) -> Vec<Value> {
    let lane = QueueId::new(&format!("delivery:sns:{subscription}"));
    let got = world
        .queues
        .receive(&lane, 10, Duration::ZERO, Duration::ZERO)
        .await
        .unwrap();
    let body = |payload: &[u8]| {
        let post: Value = serde_json::from_slice(payload).unwrap();
        serde_json::from_str(post["body"].as_str().unwrap()).unwrap()
    };
    got.iter().map(|message| body(&message.body)).collect()
}

#[tokio::test]
async fn a_queue_is_subscribed_once() {
    let mut world = World::new().await;
    let topic = world.topic("orders").await;
    let first = world.subscribe(&topic, "q", &[]).await;
    assert_eq!(world.subscribe(&topic, "q", &[]).await, first);
    let endpoint = queue_arn("q");
    let differently = [
        ("TopicArn", &*topic),
        ("Protocol", "sqs"),
        ("Endpoint", &endpoint),
        ("Attributes.entry.1.key", "RawMessageDelivery"),
        ("Attributes.entry.1.value", "true"),
    ];
    let (code, text) = world.refused("Subscribe", &differently).await;
    assert_eq!(code, "InvalidParameter");
    assert!(
        text.contains("already exists with different attributes"),
        "{text}"
    );
    world.restart().await;
    for (action, params) in [
        ("ListSubscriptions", vec![]),
        ("ListSubscriptionsByTopic", vec![("TopicArn", &*topic)]),
    ] {
        let list = world.ok(action, &params).await;
        assert_eq!(
            list.element("SubscriptionArn"),
            Some(first.clone()),
            "{}",
            list.text
        );
        assert_eq!(list.element("Endpoint"), Some(endpoint.clone()));
    }
}

#[tokio::test]
async fn kinds_of_topics_and_endpoints_have_to_fit() {
    let world = World::new().await;
    let (standard, fifo) = (world.topic("t").await, world.topic("t.fifo").await);
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    for (topic, protocol, endpoint) in [
        (&standard, "sqs", &*queue_arn("q.fifo")),
        (&fifo, "lambda", function),
        (&fifo, "http", HOOK.1),
        (&fifo, "email", "a@example.com"),
        (&standard, "sms", "+15550100"),
    ] {
        let params = [
            ("TopicArn", &**topic),
            ("Protocol", protocol),
            ("Endpoint", endpoint),
        ];
        assert_eq!(
            world.refused("Subscribe", &params).await.0,
            "InvalidParameter",
            "{protocol}"
        );
    }
    world.subscribe(&fifo, "q.fifo", &[]).await;
    world.subscribe(&fifo, "q", &[]).await;
}

#[tokio::test]
async fn an_endpoint_is_asked_and_gets_nothing_before_it_agrees() {
    let mut world = World::new().await;
    let topic = world.topic("orders").await;
    let params = [("TopicArn", &*topic), ("Protocol", HOOK.0), ("Endpoint", HOOK.1)];
    let answer = world.ok("Subscribe", &params).await;
    assert_eq!(answer.element("SubscriptionArn").unwrap(), "pending confirmation");
    let subscription = world.subscribe_to(&topic, HOOK, &[]).await;
    world
        .ok("Publish", &[("TopicArn", &topic), ("Message", "too early")])
        .await;
    world.restart().await;
    let asked = owed(&world, &subscription).await;
    assert_eq!(asked.len(), 2, "asked again at the second Subscribe: {asked:?}");
    assert!(
        asked
            .iter()
            .all(|body| body["Type"] == "SubscriptionConfirmation")
    );
    let wrong = [("TopicArn", &*topic), ("Token", "wrong")];
    assert_eq!(
        world.refused("ConfirmSubscription", &wrong).await.1,
        "Invalid parameter: Token"
    );
    let token = asked[1]["Token"].as_str().unwrap();
    assert!(asked[1]["SubscribeURL"].as_str().unwrap().contains(token));
    let confirm = [("TopicArn", &*topic), ("Token", token)];
    let confirmed = world.call_as(None, "ConfirmSubscription", &confirm).await;
    assert_eq!(confirmed.element("SubscriptionArn").unwrap(), subscription);
    world
        .ok("Publish", &[("TopicArn", &topic), ("Message", "paid")])
        .await;
    let bodies = owed(&world, &subscription).await;
    assert!(bodies.iter().any(|body| body["Message"] == "paid"), "{bodies:?}");
    assert_eq!(bodies.len(), 3);
}

#[tokio::test]
async fn a_token_is_good_for_two_days() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    let subscription = world.subscribe_to(&topic, HOOK, &[]).await;
    let asked = owed(&world, &subscription).await;
    let token = asked[0]["Token"].as_str().unwrap().to_owned();
    world.clock.advance_millis(2 * 86_400_000);
    let confirm = [("TopicArn", &*topic), ("Token", &*token)];
    assert_eq!(
        world.refused("ConfirmSubscription", &confirm).await.1,
        "Invalid parameter: Token"
    );
    world.service.forget().await.unwrap();
    let list = world.ok("ListSubscriptions", &[]).await;
    assert_eq!(list.element("member"), None);
}

#[tokio::test]
async fn an_authenticated_confirmation_is_ended_by_signed_requests_only() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    let subscription = world.subscribe_to(&topic, HOOK, &[]).await;
    let asked = owed(&world, &subscription).await;
    let token = asked[0]["Token"].as_str().unwrap();
    let confirm = [
        ("TopicArn", &*topic),
        ("Token", token),
        ("AuthenticateOnUnsubscribe", "true"),
    ];
    world.ok("ConfirmSubscription", &confirm).await;
    let end = [("SubscriptionArn", &*subscription)];
    assert_eq!(world.call_as(None, "Unsubscribe", &end).await.status, 400);
    world.ok("Unsubscribe", &end).await;
    world.ok("Unsubscribe", &end).await;
    let (code, _) = world.refused("GetSubscriptionAttributes", &end).await;
    assert_eq!(code, "NotFound");
    let lanes = world.queues.list("delivery:", None, 10).await.unwrap();
    assert!(lanes.is_empty(), "{lanes:?}");
}

#[tokio::test]
async fn attributes_are_set_and_shown() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    let subscription = world
        .subscribe(&topic, "q", &[("RawMessageDelivery", "true")])
        .await;
    let set = [
        ("SubscriptionArn", &*subscription),
        ("AttributeName", "FilterPolicy"),
        ("AttributeValue", r#"{"shop": ["north"]}"#),
    ];
    world.ok("SetSubscriptionAttributes", &set).await;
    let shown = world
        .ok("GetSubscriptionAttributes", &[("SubscriptionArn", &subscription)])
        .await
        .text;
    for (name, value) in [
        ("RawMessageDelivery", "true"),
        ("PendingConfirmation", "false"),
        ("FilterPolicy", "{&quot;shop&quot;: [&quot;north&quot;]}"),
    ] {
        let entry = format!("<key>{name}</key><value>{value}</value>");
        assert!(shown.contains(&entry), "{entry} {shown}");
    }
    for (name, value) in [("FilterPolicy", "{"), ("ReplayPolicy", "{}"), ("Colour", "red")] {
        let set = [
            ("SubscriptionArn", &*subscription),
            ("AttributeName", name),
            ("AttributeValue", value),
        ];
        assert_eq!(
            world.refused("SetSubscriptionAttributes", &set).await.0,
            "InvalidParameter",
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_deleted_topic_takes_its_subscriptions_with_it() {
    let mut world = World::new().await;
    let topic = world.topic("orders").await;
    world.subscribe(&topic, "q", &[]).await;
    world.subscribe_to(&topic, HOOK, &[]).await;
    world.ok("DeleteTopic", &[("TopicArn", &topic)]).await;
    world.restart().await;
    assert_eq!(world.ok("ListSubscriptions", &[]).await.element("member"), None);
    assert!(world.queues.list("delivery:", None, 10).await.unwrap().is_empty());
}
