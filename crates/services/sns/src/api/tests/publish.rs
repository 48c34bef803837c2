//! Publishing to queues and functions.

use serde_json::{Value, json};
use tradewind_events::{AttributeValue, Message, Router, Routing};
use tradewind_observe::usage::Meter;
use tradewind_store::Batch;

use crate::testing::{World, queue_arn};

const FUNCTION: (&str, &str) = ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f");

fn attribute(number: usize, name: &str, data_type: &str, value: &str) -> Vec<(String, String)> {
    let at = |end: &str| format!("MessageAttributes.entry.{number}.{end}");
    vec![
        (at("Name"), name.into()),
        (at("Value.DataType"), data_type.into()),
        (at("Value.StringValue"), value.into()),
    ]
}

async fn publish(world: &World, topic: &str, message: &str, more: &[(String, String)]) {
    let mut params = vec![("TopicArn", topic), ("Message", message)];
    params.extend(more.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    world.ok("Publish", &params).await;
}

#[tokio::test]
async fn queues_get_an_envelope_or_the_raw_message() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    let wrapped = world.subscribe(&topic, "wrapped", &[]).await;
    world
        .subscribe(&topic, "raw", &[("RawMessageDelivery", "true")])
        .await;
    let mut more = attribute(1, "shop", "String", "north");
    more.push(("Subject".into(), "Order 5".into()));
    publish(&world, &topic, "paid", &more).await;
    let delivered = world.delivered();
    let of = |name: &str| &delivered.iter().find(|(target, _)| target == name).unwrap().1;
    let raw = of("raw");
    assert_eq!(raw.body, "paid");
    assert_eq!(raw.attributes[0].value, AttributeValue::Text("north".into()));
    assert_eq!((&*raw.sender, &*raw.source), ("sns.amazonaws.com", &*topic));
    assert!(!raw.trace.root().is_empty());
    let envelope: Value = serde_json::from_slice(&of("wrapped").body).unwrap();
    assert!(of("wrapped").attributes.is_empty());
    for (name, value) in [
        ("Type", "Notification"),
        ("TopicArn", &topic),
        ("Subject", "Order 5"),
        ("Message", "paid"),
        ("Timestamp", "2023-11-14T22:13:20.000Z"),
        ("SignatureVersion", "1"),
    ] {
        assert_eq!(envelope[name], value, "{name}");
    }
    assert_eq!(
        envelope["MessageAttributes"]["shop"],
        json!({"Type": "String", "Value": "north"})
    );
    assert!(envelope["UnsubscribeURL"].as_str().unwrap().contains(&wrapped));
    let url = envelope["SigningCertURL"].as_str().unwrap();
    let path = url.strip_prefix("http://127.0.0.1:4566").unwrap();
    assert!(
        world
            .service
            .certificate(path)
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    assert_eq!(world.service.certificate("/_tradewind/sns/other.pem"), None);
}

#[tokio::test]
async fn a_function_gets_the_event_of_sns() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    let subscription = world.subscribe_to(&topic, FUNCTION, &[]).await;
    publish(&world, &topic, "paid", &attribute(1, "cents", "Number", "995")).await;
    let (_, body) = world.bodies().remove(0);
    let mut event: Value = serde_json::from_str(&body).unwrap();
    let sns = &mut event["Records"][0]["Sns"];
    for name in ["MessageId", "Signature", "SigningCertUrl", "UnsubscribeUrl"] {
        assert!(sns[name].as_str().is_some_and(|text| !text.is_empty()), "{name}");
        sns[name] = "…".into();
    }
    let expected = json!({"Records": [{
        "EventSource": "aws:sns", "EventVersion": "1.0", "EventSubscriptionArn": subscription,
        "Sns": {
            "Type": "Notification", "MessageId": "…", "TopicArn": topic, "Subject": null, "Message": "paid",
            "Timestamp": "2023-11-14T22:13:20.000Z", "SignatureVersion": "1", "Signature": "…",
            "SigningCertUrl": "…", "UnsubscribeUrl": "…",
            "MessageAttributes": {"cents": {"Type": "Number", "Value": "995"}},
        },
    }]});
    assert_eq!(event, expected);
}

#[tokio::test]
async fn filters_choose_by_attributes_or_body() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    let raw = ("RawMessageDelivery", "true");
    world.subscribe(&topic, "all", &[raw]).await;
    world
        .subscribe(
            &topic,
            "north",
            &[raw, ("FilterPolicy", r#"{"shop": ["north"]}"#)],
        )
        .await;
    let body = [
        raw,
        ("FilterPolicyScope", "MessageBody"),
        ("FilterPolicy", r#"{"cents": [{"numeric": [">", 500]}]}"#),
    ];
    world.subscribe(&topic, "dear", &body).await;
    publish(
        &world,
        &topic,
        r#"{"cents": 995}"#,
        &attribute(1, "shop", "String", "south"),
    )
    .await;
    let targets = |world: &World| {
        world
            .bodies()
            .into_iter()
            .map(|(target, _)| target)
            .collect::<Vec<_>>()
    };
    assert_eq!(targets(&world), ["all", "dear"]);
    publish(
        &world,
        &topic,
        "no json",
        &attribute(1, "shop", "String", "north"),
    )
    .await;
    assert_eq!(targets(&world), ["all", "north"]);
}

#[tokio::test]
async fn what_a_target_does_not_take_becomes_a_dead_letter() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    let redrive = json!({"deadLetterTargetArn": queue_arn("dead")}).to_string();
    world
        .subscribe(&topic, "missing", &[("RedrivePolicy", &redrive)])
        .await;
    world.subscribe(&topic, "missing-too", &[]).await;
    world
        .subscribe(&topic, "there", &[("RawMessageDelivery", "true")])
        .await;
    publish(&world, &topic, "paid", &[]).await;
    let delivered = world.delivered();
    let targets: Vec<_> = delivered.iter().map(|(target, _)| target.as_str()).collect();
    assert_eq!(delivered.len(), 2, "{targets:?}");
    let dead = &delivered.iter().find(|(target, _)| target == "dead").unwrap().1;
    let envelope: Value = serde_json::from_slice(&dead.body).unwrap();
    assert_eq!(envelope["Message"], "paid");
    let reason = dead
        .attributes
        .iter()
        .find(|attribute| attribute.name == "ErrorMessage")
        .unwrap();
    let AttributeValue::Text(reason) = &reason.value else {
        panic!("text")
    };
    assert!(reason.contains("does not exist"), "{reason}");
}

#[tokio::test]
async fn a_batch_says_what_became_of_each() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    world
        .subscribe(&topic, "q", &[("RawMessageDelivery", "true")])
        .await;
    let at = |number: usize, name: &str| format!("PublishBatchRequestEntries.member.{number}.{name}");
    let entry = |number: usize, id: &str, message: &str| {
        [
            (at(number, "Id"), id.to_owned()),
            (at(number, "Message"), message.to_owned()),
        ]
    };
    let batch = |entries: Vec<[(String, String); 2]>| entries.into_iter().flatten().collect::<Vec<_>>();
    let call = |entries: Vec<(String, String)>| {
        let (world, topic) = (&world, &topic);
        async move {
            let mut params = vec![("TopicArn", topic.as_str())];
            params.extend(
                entries
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            );
            world.call("PublishBatch", &params).await
        }
    };
    let answer = call(batch(vec![
        entry(1, "a", "one"),
        entry(2, "b", ""),
        entry(3, "c", "three"),
    ]))
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.text.matches("<MessageId>").count(), 2);
    assert!(
        answer.text.contains("<Id>b</Id><Code>InvalidParameter</Code>"),
        "{}",
        answer.text
    );
    let bodies: Vec<_> = world.bodies().into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, ["one", "three"]);
    let long = "x".repeat(140_000);
    for (entries, code) in [
        (batch(vec![]), "EmptyBatchRequest"),
        (
            batch(vec![entry(1, "a", "m"), entry(2, "a", "m")]),
            "BatchEntryIdsNotDistinct",
        ),
        (batch(vec![entry(1, "a b", "m")]), "InvalidBatchEntryId"),
        (
            batch(vec![entry(1, "a", &long), entry(2, "b", &long)]),
            "BatchRequestTooLong",
        ),
        (
            batch((1..=11).map(|n| entry(n, &n.to_string(), "m")).collect()),
            "TooManyEntriesInBatchRequest",
        ),
    ] {
        assert_eq!(call(entries).await.element("Code").unwrap(), code);
    }
}

#[tokio::test]
async fn other_targets_are_refused_by_name() {
    let world = World::new().await;
    for (name, value) in [
        ("PhoneNumber", "+15550100"),
        (
            "TargetArn",
            "arn:aws:sns:us-east-1:000000000000:endpoint/GCM/app/1",
        ),
    ] {
        let (_, text) = world.refused("Publish", &[(name, value), ("Message", "m")]).await;
        assert!(text.contains(name) && text.contains("not supported"), "{text}");
    }
    let (_, text) = world.refused("Publish", &[("Message", "m")]).await;
    assert!(text.contains("TopicArn or TargetArn"), "{text}");
}

#[tokio::test]
async fn other_services_publish_within_their_batch() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    world
        .subscribe(&topic, "q", &[("RawMessageDelivery", "true")])
        .await;
    let router = Router::new();
    router.connect("sns", std::sync::Arc::new(world.service.clone()));
    let message = |body: &'static str| Message {
        body: body.into(),
        ..Message::default()
    };
    let arn = topic.parse().unwrap();
    let failing = Batch::new().require("DELETE FROM sns_topics WHERE arn = ''", vec![], 1);
    for (batch, body) in [(failing, "never"), (Batch::new(), "paid")] {
        let mut routing = Routing::new(batch);
        router.deliver(&mut routing, &arn, message(body)).unwrap();
        let written = world.service.database().write(routing.into_batch()).await;
        assert_eq!(written.is_ok(), body == "paid");
    }
    assert_eq!(world.bodies(), [("q".to_owned(), "paid".to_owned())]);
    let missing = "arn:aws:sns:us-east-1:000000000000:none".parse().unwrap();
    assert!(router.find(&arn).is_ok() && router.find(&missing).is_err());
    let mut routing = Routing::new(Batch::new());
    assert!(
        router.deliver(&mut routing, &arn, message("")).is_err(),
        "an empty message"
    );
}

#[tokio::test]
async fn publishes_are_counted_by_topic_and_by_64_kib() {
    let world = World::new().await;
    let meter = Meter::default();
    world.service.router().count_in(meter.clone());
    let topic = world.topic("orders").await;
    world.subscribe(&topic, "q", &[]).await;
    publish(&world, &topic, &"x".repeat(65 * 1024), &[]).await;
    publish(&world, &topic, "small", &[]).await;
    let counted = meter.take().into_iter();
    let counted: Vec<_> = counted
        .map(|c| (c.item.as_str(), c.resource, c.quantity))
        .collect();
    // the envelope of the large one makes its message no longer by a unit
    let expected = [
        ("sqs.requests", queue_arn("q").into(), 3),
        ("sns.publishes", topic.into(), 3),
    ];
    assert_eq!(counted, expected);
}
