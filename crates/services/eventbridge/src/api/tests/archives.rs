//! Archives and replays.

use serde_json::{Value, json};

use super::to;
use crate::testing::World;

/// A bus with an archive of two rules' events, three days of them.
async fn archived(world: &World) -> String {
    world.ok("CreateEventBus", json!({"Name": "orders"})).await;
    let source = "arn:aws:events:us-east-1:000000000000:event-bus/orders";
    let pattern = json!({"detail": {"keep": [true]}}).to_string();
    let made =
        json!({"ArchiveName": "a", "EventSourceArn": source, "EventPattern": pattern, "RetentionDays": 30});
    let made = world.ok("CreateArchive", made).await;
    for name in ["one", "two"] {
        world
            .rule("orders", name, json!({"source": ["shop"]}), to(name))
            .await;
    }
    for day in 0..3 {
        world.put("orders", json!({"day": day, "keep": true})).await;
        world.put("orders", json!({"day": day, "keep": false})).await;
        world.clock.advance_millis(86_400_000);
    }
    world.queues.take();
    made["ArchiveArn"].as_str().unwrap().to_owned()
}

fn replay(name: &str, archive: &str, filter: Value) -> Value {
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/orders";
    json!({
        "ReplayName": name, "EventSourceArn": archive, "EventStartTime": 1_700_000_000.0,
        "EventEndTime": 1_700_172_800.0, "Destination": {"Arn": bus, "FilterArns": filter},
    })
}

#[tokio::test]
async fn archived_events_of_a_window_are_replayed_once() {
    let mut world = World::new().await;
    let archive = archived(&world).await;
    let described = world.ok("DescribeArchive", json!({"ArchiveName": "a"})).await;
    assert_eq!(
        (&described["EventCount"], &described["RetentionDays"]),
        (&json!(3), &json!(30))
    );
    assert_eq!(
        world.ok("StartReplay", replay("r", &archive, json!([]))).await["State"],
        "STARTING"
    );
    assert!(world.service.replay_pages().await.unwrap());
    world.restart().await;
    while world.service.replay_pages().await.unwrap() {}
    let got = world.queues.bodies();
    let days: Vec<(&str, &Value, &Value)> = got
        .iter()
        .map(|(name, event)| (name.as_str(), &event["detail"]["day"], &event["replay-name"]))
        .collect();
    let (zero, one, name) = (json!(0), json!(1), json!("r"));
    assert_eq!(
        days,
        [
            ("one", &zero, &name),
            ("one", &one, &name),
            ("two", &zero, &name),
            ("two", &one, &name)
        ]
    );
    let described = world.ok("DescribeReplay", json!({"ReplayName": "r"})).await;
    assert_eq!(described["State"], "COMPLETED");
    assert_eq!(described["EventLastReplayedTime"], json!(1_700_086_400.0));
    assert_eq!(
        world.ok("DescribeArchive", json!({"ArchiveName": "a"})).await["EventCount"],
        3,
        "not again"
    );
}

#[tokio::test]
async fn a_replay_goes_to_the_rules_it_names_and_can_be_cancelled() {
    let world = World::new().await;
    let archive = archived(&world).await;
    let rule = "arn:aws:events:us-east-1:000000000000:rule/orders/two";
    world
        .ok("StartReplay", replay("r", &archive, json!([rule])))
        .await;
    while world.service.replay_pages().await.unwrap() {}
    let names: Vec<String> = world.queues.take().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["two", "two"]);
    world.ok("StartReplay", replay("c", &archive, json!([]))).await;
    assert_eq!(
        world.ok("CancelReplay", json!({"ReplayName": "c"})).await["State"],
        "CANCELLING"
    );
    while world.service.replay_pages().await.unwrap() {}
    assert!(world.queues.take().is_empty());
    assert_eq!(
        world.ok("ListReplays", json!({"State": "CANCELLED"})).await["Replays"][0]["ReplayName"],
        "c"
    );
    assert_eq!(
        world.refused("CancelReplay", json!({"ReplayName": "c"})).await.0,
        "IllegalStatusException"
    );
    let mut wrong = replay("w", &archive, json!([]));
    wrong["Destination"]["Arn"] = json!("arn:aws:events:us-east-1:000000000000:event-bus/default");
    let (_, text) = world.refused("StartReplay", wrong).await;
    assert!(
        text.ends_with("Cross event bus replay is not permitted."),
        "{text}"
    );
}

#[tokio::test]
async fn archives_forget_what_is_past_its_retention_and_end_with_their_events() {
    let world = World::new().await;
    archived(&world).await;
    world
        .ok("UpdateArchive", json!({"ArchiveName": "a", "RetentionDays": 2}))
        .await;
    world.clock.advance_millis(1);
    world.service.tidy().await.unwrap();
    assert_eq!(
        world.ok("DescribeArchive", json!({"ArchiveName": "a"})).await["EventCount"],
        1
    );
    world.ok("DeleteArchive", json!({"ArchiveName": "a"})).await;
    world.service.tidy().await.unwrap();
    let rows = world
        .database
        .read("SELECT COUNT(*) FROM eventbridge_archived_events", Vec::new())
        .await
        .unwrap();
    assert_eq!(rows[0].integer(0).unwrap(), 0);
    assert_eq!(
        world
            .refused("DescribeArchive", json!({"ArchiveName": "a"}))
            .await
            .0,
        "ResourceNotFoundException"
    );
}
