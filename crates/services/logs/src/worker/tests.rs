//! Subscription filters: what functions get, once, whatever happens in between.

use std::io::Read;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tradewind_events::Undeliverable;

use super::Pumped;
use crate::testing::{DAY_MS, World, function};

/// What was delivered since the last call: the function's ARN and the unpacked data.
fn taken(world: &World) -> Vec<(String, Value)> {
    let taken = std::mem::take(&mut *world.functions.taken.lock().unwrap());
    let unpack = |(arn, message): (tradewind_model::Arn, tradewind_events::Message)| {
        assert_eq!(message.sender, "logs.amazonaws.com");
        let payload: Value = serde_json::from_slice(&message.body).unwrap();
        let packed = STANDARD
            .decode(payload["awslogs"]["data"].as_str().unwrap())
            .unwrap();
        let mut text = String::new();
        GzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
        (arn.to_string(), serde_json::from_str(&text).unwrap())
    };
    taken.into_iter().map(unpack).collect()
}

fn texts(world: &World) -> Vec<String> {
    let mut texts = Vec::new();
    for (_, data) in taken(world) {
        let events = data["logEvents"].as_array().unwrap();
        texts.extend(
            events
                .iter()
                .map(|event| event["message"].as_str().unwrap().to_owned()),
        );
    }
    texts
}

async fn subscribe(world: &World, group: &str, name: &str, pattern: &str) {
    let filter = json!({
        "logGroupName": group, "filterName": name, "filterPattern": pattern,
        "destinationArn": function("f"),
    });
    world.ok("PutSubscriptionFilter", filter).await;
}

#[tokio::test]
async fn a_function_gets_what_matches_from_now_on() {
    let world = World::new().await;
    world.group("/g").await;
    world
        .ok(
            "CreateLogStream",
            json!({"logGroupName": "/g", "logStreamName": "t"}),
        )
        .await;
    world.put("/g", "s", &[(-9, "ERROR before")]).await;
    subscribe(&world, "/g", "errors", "ERROR").await;
    world
        .put("/g", "s", &[(-8, "ERROR a"), (-7, "fine"), (-6, "ERROR b")])
        .await;
    world.put("/g", "t", &[(-5, "ERROR c")]).await;
    assert_eq!(world.pump().await, Pumped::Done);
    let taken = taken(&world);
    assert_eq!(taken.len(), 2, "one payload a stream");
    let (arn, data) = &taken[0];
    assert_eq!(*arn, function("f"));
    let id = &data["logEvents"][0]["id"];
    assert_eq!(id.as_str().unwrap().len(), 56);
    let expected = json!({
        "messageType": "DATA_MESSAGE", "owner": "000000000000", "logGroup": "/g", "logStream": "s",
        "subscriptionFilters": ["errors"],
        "logEvents": [
            {"id": id, "timestamp": crate::testing::NOW - 8, "message": "ERROR a"},
            {"id": data["logEvents"][1]["id"], "timestamp": crate::testing::NOW - 6, "message": "ERROR b"},
        ],
    });
    assert_eq!(*data, expected);
    assert_eq!(taken[1].1["logStream"], "t");
    assert_eq!(world.pump().await, Pumped::Done);
    assert_eq!(texts(&world), Vec::<String>::new(), "nothing is delivered twice");
}

#[tokio::test]
async fn a_restart_neither_loses_nor_repeats() {
    let mut world = World::new().await;
    world.group("/g").await;
    subscribe(&world, "/g", "all", "").await;
    world.put("/g", "s", &[(-3, "one")]).await;
    world.pump().await;
    assert_eq!(texts(&world), ["one"]);
    world.put("/g", "s", &[(-2, "two")]).await;
    world.restart().await;
    world.pump().await;
    assert_eq!(texts(&world), ["two"]);
    subscribe(&world, "/g", "all", "").await;
    world.restart().await;
    world.pump().await;
    assert_eq!(
        texts(&world),
        Vec::<String>::new(),
        "a filter that is put again goes on"
    );
}

#[tokio::test]
async fn a_filter_that_is_changed_sees_nothing_older() {
    let mut world = World::new().await;
    world.group("/g").await;
    subscribe(&world, "/g", "some", "ERROR").await;
    world.put("/g", "s", &[(-3, "old")]).await;
    assert_eq!(world.pump().await, Pumped::Done);
    subscribe(&world, "/g", "some", "").await;
    world.restart().await;
    world.put("/g", "s", &[(-2, "new")]).await;
    assert_eq!(world.pump().await, Pumped::Done);
    assert_eq!(texts(&world), ["new"]);
}

#[tokio::test]
async fn what_does_not_match_is_read_once() {
    let mut world = World::new().await;
    world.group("/g").await;
    subscribe(&world, "/g", "some", "ERROR").await;
    let key = world.service.cursors().keys().next().unwrap().clone();
    let start = world.service.cursors()[&key];
    let long = "x".repeat(200_000);
    for _ in 0..6 {
        world.put("/g", "s", &[(-3, &long)]).await;
    }
    assert_eq!(world.pump().await, Pumped::Done);
    let end = world.service.cursors()[&key];
    world.restart().await;
    let stored = world.service.cursors()[&key];
    assert!(start < stored && stored <= end, "{start:?} {stored:?} {end:?}");
}

#[tokio::test]
async fn what_a_destination_does_not_take_waits_for_a_day() {
    let world = World::new().await;
    world.group("/g").await;
    subscribe(&world, "/g", "all", "").await;
    world.put("/g", "s", &[(-3, "one")]).await;
    let refuse = |refusal: Option<Undeliverable>| *world.functions.refusal.lock().unwrap() = refusal;
    let target = function("f");
    refuse(Some(Undeliverable::Full {
        target: target.clone(),
    }));
    assert_eq!(world.pump().await, Pumped::Waits);
    refuse(None);
    assert_eq!(world.pump().await, Pumped::Done);
    assert_eq!(texts(&world), ["one"]);
    world.put("/g", "s", &[(-2, "two")]).await;
    refuse(Some(Undeliverable::NotFound { target }));
    assert_eq!(world.pump().await, Pumped::Waits);
    world.clock.advance_millis(DAY_MS + 1);
    assert_eq!(world.pump().await, Pumped::Done);
    refuse(None);
    world.pump().await;
    assert_eq!(texts(&world), Vec::<String>::new());
}

#[tokio::test]
async fn much_is_split_so_that_a_function_takes_it() {
    let world = World::new().await;
    world.group("/g").await;
    subscribe(&world, "/g", "all", "").await;
    // hexadecimal digits of random bytes hardly compress to less than half
    let noise = |seed: u64| {
        let mut state = seed;
        let digits = (0..60_000).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from_digit((state >> 33) as u32 % 36, 36).unwrap()
        });
        digits.collect::<String>()
    };
    let noises: Vec<String> = (0..10).map(noise).collect();
    let events: Vec<(i64, &str)> = (-10..0).zip(noises.iter().map(String::as_str)).collect();
    world.put("/g", "s", &events).await;
    world.pump().await;
    let sizes: Vec<usize> = {
        let taken = world.functions.taken.lock().unwrap();
        taken.iter().map(|(_, message)| message.body.len()).collect()
    };
    assert!(
        sizes.len() > 1 && sizes.iter().all(|size| *size < 256 * 1024),
        "{sizes:?}"
    );
    assert_eq!(texts(&world), noises);
}

#[tokio::test]
async fn no_function_is_fed_with_its_own_log() {
    let world = World::new().await;
    for name in ["f", "g", "h"] {
        world.says(name, "hello").await;
    }
    let filter = |group: &str, to: &str| {
        json!({
            "logGroupName": format!("/aws/lambda/{group}"), "filterName": "x", "filterPattern": "",
            "destinationArn": function(to),
        })
    };
    let (code, text) = world.refused("PutSubscriptionFilter", filter("f", "f")).await;
    assert_eq!(code, "InvalidParameterException");
    assert!(text.contains("/aws/lambda/f → /aws/lambda/f"), "{text}");
    world.ok("PutSubscriptionFilter", filter("f", "g")).await;
    world.ok("PutSubscriptionFilter", filter("g", "h")).await;
    let (_, text) = world.refused("PutSubscriptionFilter", filter("h", "f")).await;
    let way = "/aws/lambda/h → /aws/lambda/f → /aws/lambda/g → /aws/lambda/h";
    assert!(text.contains(way), "{text}");
}

#[tokio::test]
async fn a_group_has_two_filters_at_most_and_functions_only() {
    let mut world = World::new().await;
    world.group("/g").await;
    subscribe(&world, "/g", "a", "ERROR").await;
    subscribe(&world, "/g", "b", "").await;
    let filter = |more: Value| {
        let mut filter = json!({
            "logGroupName": "/g", "filterName": "a", "filterPattern": "", "destinationArn": function("f"),
        });
        filter
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        filter
    };
    for (more, expected) in [
        (json!({"filterName": "c"}), "LimitExceededException"),
        (json!({"filterName": "a:b"}), "InvalidParameterException"),
        (json!({"filterPattern": "{"}), "InvalidParameterException"),
        (
            json!({"destinationArn": "arn:aws:kinesis:us-east-1:000000000000:stream/x"}),
            "InvalidParameterException",
        ),
        (
            json!({"destinationArn": function("absent")}),
            "InvalidParameterException",
        ),
        (
            json!({"destinationArn": "arn:aws:lambda:us-east-1:111111111111:function:f"}),
            "InvalidParameterException",
        ),
        (
            json!({"roleArn": "arn:aws:iam::000000000000:role/r"}),
            "InvalidParameterException",
        ),
        (json!({"distribution": "Never"}), "InvalidParameterException"),
        (json!({"logGroupName": "/absent"}), "ResourceNotFoundException"),
    ] {
        let (code, text) = world.refused("PutSubscriptionFilter", filter(more)).await;
        assert_eq!(code, expected, "{text}");
    }
    world.restart().await;
    let group = json!({"logGroupName": "/g"});
    let described = world.ok("DescribeSubscriptionFilters", group.clone()).await;
    let expected = json!({
        "filterName": "a", "logGroupName": "/g", "filterPattern": "ERROR", "destinationArn": function("f"),
        "distribution": "ByLogStream", "creationTime": crate::testing::NOW,
    });
    assert_eq!(described["subscriptionFilters"][0], expected);
    let a = json!({"logGroupName": "/g", "filterName": "a"});
    world.ok("DeleteSubscriptionFilter", a.clone()).await;
    assert_eq!(
        world.refused("DeleteSubscriptionFilter", a).await.1,
        "The specified subscription filter does not exist."
    );
    world.restart().await;
    world.put("/g", "s", &[(-1, "ERROR")]).await;
    world.pump().await;
    assert_eq!(texts(&world), ["ERROR"], "only b is left");
    world.ok("DeleteLogGroup", group).await;
    world.group("/g").await;
    world.put("/g", "s", &[(-1, "ERROR")]).await;
    world.pump().await;
    assert_eq!(texts(&world), Vec::<String>::new());
}
