use serde_json::json;

use super::*;
use crate::testing::{DEAD, QUEUE, START, World, schedule, time};

#[tokio::test]
async fn a_single_time_fires_once_and_stays() {
    let world = World::new().await;
    world.create("at(2026-11-20T12:00:00)", json!({})).await;
    world.at("2026-11-20T11:59:59Z");
    assert!(world.fire().await.is_empty());
    world.at("2026-11-20T12:00:00Z");
    let got = world.fire().await;
    assert_eq!(got.len(), 1);
    assert_eq!((got[0].target.as_str(), got[0].body.as_str()), (QUEUE, "paid"));
    assert_eq!(got[0].more["sender"], "scheduler.amazonaws.com");
    assert_eq!(
        got[0].more["source"],
        "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s"
    );
    world.at("2027-11-20T12:00:00Z");
    assert!(world.fire().await.is_empty());
    assert_eq!(
        world.ok("GET", "/schedules/s", Value::Null).await["State"],
        "ENABLED"
    );
    assert_eq!(world.timers().await, 0);
}

#[tokio::test]
async fn one_that_goes_after_completion_goes() {
    let world = World::new().await;
    let more = json!({"ActionAfterCompletion": "DELETE"});
    world.create("at(2026-11-20T12:00:00)", more).await;
    world.at("2026-11-20T12:00:00Z");
    assert_eq!(world.fire().await.len(), 1);
    let (code, text) = world.refused("GET", "/schedules/s", Value::Null).await;
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("ResourceNotFoundException", "Schedule s does not exist.")
    );
    // a recurring one goes with its last time before the end
    let end = time("2026-11-20T12:03:30Z").as_millis() / 1000;
    let more = json!({"ActionAfterCompletion": "DELETE", "EndDate": end});
    world.create("rate(2 minutes)", more).await;
    assert_eq!(
        world.run_until("2026-11-20T13:00:00Z", 10_000).await,
        ["2026-11-20T12:00:10Z", "2026-11-20T12:02:00Z"]
    );
    world.refused("GET", "/schedules/s", Value::Null).await;
}

#[tokio::test]
async fn a_rate_begins_at_once_or_at_its_start() {
    let world = World::new().await;
    world.create("rate(1 hour)", json!({})).await;
    let times = world.run_until("2026-11-20T12:30:00Z", 30_000).await;
    assert_eq!(
        times,
        [
            "2026-11-20T10:01:00Z",
            "2026-11-20T11:00:30Z",
            "2026-11-20T12:00:30Z"
        ]
    );
    let start = time("2026-11-20T13:15:00Z").as_millis() / 1000;
    let settings = schedule("rate(1 hour)", json!({"StartDate": start}));
    world.ok("PUT", "/schedules/s", settings).await;
    let times = world.run_until("2026-11-20T14:30:00Z", 30_000).await;
    assert_eq!(times, ["2026-11-20T13:15:00Z", "2026-11-20T14:15:00Z"]);
}

#[tokio::test]
async fn clocks_are_those_of_the_zone() {
    for (zone, expected) in [
        // both nights of the change, seen from both sides of the Atlantic
        (
            "Europe/Berlin",
            [
                "2026-10-24T00:30:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ],
        ),
        (
            "America/New_York",
            [
                "2026-10-24T06:30:00Z",
                "2026-10-25T06:30:00Z",
                "2026-10-26T06:30:00Z",
            ],
        ),
    ] {
        let world = World::new().await;
        world.at("2026-10-23T12:00:00Z");
        world
            .create("cron(30 2 * * ? *)", json!({"ScheduleExpressionTimezone": zone}))
            .await;
        assert_eq!(
            world.run_until("2026-10-26T12:00:00Z", 30 * 60_000).await,
            expected,
            "{zone}"
        );
    }
    for (zone, from, until, expected) in [
        (
            "Europe/Berlin",
            "2027-03-27T12:00:00Z",
            "2027-03-29T12:00:00Z",
            "2027-03-29T00:30:00Z",
        ),
        (
            "America/New_York",
            "2027-03-13T12:00:00Z",
            "2027-03-15T12:00:00Z",
            "2027-03-15T06:30:00Z",
        ),
    ] {
        let world = World::new().await;
        world.at(from);
        world
            .create("cron(30 2 * * ? *)", json!({"ScheduleExpressionTimezone": zone}))
            .await;
        assert_eq!(world.run_until(until, 30 * 60_000).await, [expected], "{zone}");
    }
}

#[tokio::test]
async fn a_node_that_was_down_catches_up_once() {
    let mut world = World::new().await;
    world
        .create(
            "cron(0 * * * ? *)",
            json!({"Target": {"Input": "<aws.scheduler.scheduled-time>"}}),
        )
        .await;
    world.at("2026-11-20T14:20:00Z");
    world.restart().await;
    let got = world.fire().await;
    let bodies: Vec<&str> = got.iter().map(|got| got.body.as_str()).collect();
    assert_eq!(
        bodies,
        ["2026-11-20T14:00:00Z"],
        "the latest of those that were missed"
    );
    assert_eq!(
        world.run_until("2026-11-20T15:30:00Z", 60_000).await,
        ["2026-11-20T15:00:00Z"]
    );
}

#[tokio::test]
async fn what_is_older_than_its_age_is_a_dead_letter() {
    let mut world = World::new().await;
    let target = json!({
        "RetryPolicy": {"MaximumEventAgeInSeconds": 600, "MaximumRetryAttempts": 3},
        "DeadLetterConfig": {"Arn": DEAD},
    });
    world
        .create("at(2026-11-20T12:00:00)", json!({"Target": target}))
        .await;
    world.at("2026-11-20T12:10:01Z");
    world.restart().await;
    let got = world.fire().await;
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].target, DEAD);
    let attributes = &got[0].more["attributes"];
    assert_eq!(
        attributes["EXHAUSTED_RETRY_CONDITION"],
        "MaximumEventAgeInSeconds"
    );
    assert_eq!(attributes["SCHEDULED_TIME"], "2026-11-20T12:00:00Z");
    assert_eq!(attributes["TARGET_ARN"], QUEUE);
    let url = "https://sqs.us-east-1.amazonaws.com/000000000000/orders";
    let body: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!(body, json!({"MessageBody": "paid", "QueueUrl": url}));
}

#[tokio::test]
async fn a_clock_that_is_moved_neither_drops_nor_doubles() {
    let world = World::new().await;
    world.create("cron(0 * * * ? *)", json!({})).await;
    world.at("2026-11-20T11:00:00Z");
    assert_eq!(world.fire().await.len(), 1);
    world.at("2026-11-20T10:59:00Z");
    assert_eq!(world.run_until("2026-11-20T11:59:00Z", 60_000).await.len(), 0);
    assert_eq!(
        world.run_until("2026-11-20T12:30:00Z", 60_000).await,
        ["2026-11-20T12:00:00Z"]
    );
    world.at("2026-11-20T16:30:00Z");
    assert_eq!(world.fire().await.len(), 1);
    assert_eq!(
        world.run_until("2026-11-20T17:00:00Z", 60_000).await,
        ["2026-11-20T17:00:00Z"]
    );
}

#[tokio::test]
async fn a_window_holds_one_moment_for_each_time() {
    let world = World::new().await;
    let window = json!({"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}});
    world.create("cron(0 * * * ? *)", window).await;
    let times = world.run_until("2026-11-20T20:59:00Z", 10_000).await;
    assert_eq!(times.len(), 10);
    let offsets: std::collections::BTreeSet<i64> = times
        .iter()
        .map(|at| time(at).as_millis() % 3_600_000 / 1000)
        .collect();
    assert!(
        offsets.len() > 5 && offsets.iter().all(|seconds| *seconds <= 15 * 60 + 10),
        "{offsets:?}"
    );
    // windows that overlap lose nothing
    let end = time("2026-11-20T23:59:00Z").as_millis() / 1000;
    let window = json!({
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 30}, "EndDate": end,
    });
    world
        .ok("PUT", "/schedules/s", schedule("cron(0/5 * * * ? *)", window))
        .await;
    assert_eq!(world.run_until("2026-11-21T01:00:00Z", 10_000).await.len(), 36);
}

#[tokio::test]
async fn a_full_target_is_tried_again_until_it_is_not() {
    let world = World::new().await;
    let input = "<aws.scheduler.attempt-number> <aws.scheduler.execution-id>";
    let more = json!({"Target": {"Input": input}, "ActionAfterCompletion": "DELETE"});
    world.create("at(2026-11-20T12:00:00)", more).await;
    world.targets.full.lock().unwrap().push("orders");
    world.at("2026-11-20T12:00:00Z");
    assert!(world.fire().await.is_empty());
    assert_eq!(world.timers().await, 1);
    assert!(world.run_until("2026-11-20T12:00:05Z", 1000).await.is_empty());
    world.targets.full.lock().unwrap().clear();
    world.ok("GET", "/schedules/s", Value::Null).await;
    let before = world.clock.now();
    world.clock.advance_millis(MAX_BACKOFF_MS);
    let got = world.fire().await;
    let (attempt, execution) = got[0].body.split_once(' ').unwrap();
    assert!(
        attempt.parse::<u32>().unwrap() > 2,
        "{attempt} attempts in {before:?}"
    );
    assert_eq!(execution.len(), 16);
    assert_eq!(world.timers().await, 0);
    world.refused("GET", "/schedules/s", Value::Null).await;
}

#[tokio::test]
async fn what_waits_for_another_attempt_outlasts_a_change() {
    let world = World::new().await;
    let more = json!({"ActionAfterCompletion": "DELETE"});
    world.create("at(2026-11-20T12:00:00)", more).await;
    world.targets.full.lock().unwrap().push("orders");
    world.at("2026-11-20T12:00:00Z");
    assert!(world.fire().await.is_empty());
    let other = json!({"Target": {"Arn": "arn:aws:sqs:us-east-1:000000000000:others"}, "ActionAfterCompletion": "DELETE"});
    world
        .ok("PUT", "/schedules/s", schedule("at(2026-11-20T13:00:00)", other))
        .await;
    let times = world.run_until("2026-11-20T13:30:00Z", 60_000).await;
    assert_eq!(times, ["2026-11-20T12:01:00Z", "2026-11-20T13:00:00Z"]);
    world.refused("GET", "/schedules/s", Value::Null).await;
}

#[tokio::test]
async fn a_schedule_goes_only_when_none_of_its_times_waits() {
    let mut world = World::new().await;
    let more = |end: &str| {
        let end = time(end).as_millis() / 1000;
        json!({"ActionAfterCompletion": "DELETE", "EndDate": end})
    };
    world
        .create("rate(2 minutes)", more("2026-11-20T10:03:30Z"))
        .await;
    world.targets.full.lock().unwrap().push("orders");
    assert!(world.fire().await.is_empty());
    // it waits for a minute by now
    assert!(world.run_until("2026-11-20T10:02:29Z", 1000).await.is_empty());
    assert_eq!(world.timers().await, 2);
    world.restart().await;
    world.targets.full.lock().unwrap().clear();
    world.at("2026-11-20T10:02:30Z");
    assert_eq!(world.fire().await.len(), 1, "the last time");
    assert_eq!(world.timers().await, 2, "the first one waits still");
    world.ok("GET", "/schedules/s", Value::Null).await;
    let times = world.run_until("2026-11-20T10:10:00Z", 1000).await;
    assert_eq!(times.len(), 1, "{times:?}");
    world.refused("GET", "/schedules/s", Value::Null).await;
    assert_eq!(world.timers().await, 0);
}

#[tokio::test]
async fn attempts_end_with_a_dead_letter() {
    let world = World::new().await;
    let target = json!({
        "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 2},
        "DeadLetterConfig": {"Arn": DEAD},
    });
    world
        .create("at(2026-11-20T12:00:00)", json!({"Target": target}))
        .await;
    world.targets.full.lock().unwrap().push("orders");
    world.at("2026-11-20T12:00:00Z");
    let mut letters = world.fire().await;
    assert!(letters.is_empty());
    for _ in 0..20 {
        world.clock.advance_millis(1000);
        letters.extend(world.fire().await);
    }
    assert_eq!(letters.len(), 1);
    let attributes = &letters[0].more["attributes"];
    assert_eq!(attributes["EXHAUSTED_RETRY_CONDITION"], "MaximumRetryAttempts");
    assert_eq!(attributes["RETRY_ATTEMPTS"], "2");
    assert_eq!(attributes["ERROR_CODE"], "ThrottlingException");
}

#[tokio::test]
async fn a_missing_target_is_a_dead_letter_at_once() {
    let world = World::new().await;
    let missing = "arn:aws:lambda:us-east-1:000000000000:function:missing";
    let target = json!({"Arn": missing, "Input": "{}", "DeadLetterConfig": {"Arn": DEAD}});
    world
        .create("at(2026-11-20T12:00:00)", json!({"Target": target}))
        .await;
    world.at("2026-11-20T12:00:00Z");
    let got = world.fire().await;
    assert_eq!(got[0].target, DEAD);
    assert_eq!(
        got[0].more["attributes"]["ERROR_CODE"],
        "ResourceNotFoundException"
    );
    assert_eq!(got[0].more["attributes"].get("EXHAUSTED_RETRY_CONDITION"), None);
}

#[tokio::test]
async fn targets_get_what_they_understand() {
    let world = World::new().await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/default";
    let topic = "arn:aws:sns:us-east-1:000000000000:news";
    let url = "http://localhost:4566/000000000000/orders";
    let targets = [
        json!({"Arn": function, "Input": null}),
        json!({"Arn": bus, "Input": "{\"n\":1}", "EventBridgeParameters": {"DetailType": "Tick", "Source": "shop"}}),
        json!({"Arn": topic, "Input": "news"}),
        json!({"Arn": "arn:aws:sqs:us-east-1:000000000000:o.fifo", "SqsParameters": {"MessageGroupId": "g"}}),
        json!({"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage",
               "Input": json!({"QueueUrl": url, "MessageBody": "<aws.scheduler.scheduled-time>"}).to_string()}),
        json!({"Arn": "arn:aws:scheduler:::aws-sdk:sns:publish",
               "Input": json!({"TopicArn": topic, "Message": "m", "Subject": "s"}).to_string()}),
        json!({"Arn": "arn:aws:scheduler:::aws-sdk:lambda:invoke",
               "Input": json!({"FunctionName": function, "InvocationType": "Event", "Payload": "[1]"}).to_string()}),
    ];
    for (number, target) in targets.iter().enumerate() {
        let mut settings = schedule("at(2026-11-20T12:00:00)", json!({"Target": target}));
        if target["Input"].is_null() && target.get("Input").is_some() {
            settings["Target"].as_object_mut().unwrap().remove("Input");
        }
        world.ok("POST", &format!("/schedules/s{number}"), settings).await;
    }
    world.at("2026-11-20T12:00:00Z");
    let mut got = world.fire().await;
    got.sort_by_key(|got| got.more["source"].as_str().unwrap().to_owned());
    assert_eq!(got.len(), 7);
    let event: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!(got[0].target, function);
    assert_eq!(event["detail-type"], "Scheduled Event");
    assert_eq!(event["time"], "2026-11-20T12:00:00Z");
    assert_eq!(event["detail"], "{}");
    let event: Value = serde_json::from_str(&got[1].body).unwrap();
    assert_eq!(got[1].target, bus);
    assert_eq!(
        (&event["detail-type"], &event["source"]),
        (&json!("Tick"), &json!("shop"))
    );
    assert_eq!(event["detail"], json!({"n": 1}));
    assert_eq!(
        event["resources"],
        json!(["arn:aws:scheduler:us-east-1:000000000000:schedule/default/s1"])
    );
    assert_eq!(got[2].body, "news");
    assert_eq!(got[3].more["group"], "g");
    assert_eq!(
        (got[4].target.as_str(), got[4].body.as_str()),
        (QUEUE, "2026-11-20T12:00:00Z")
    );
    assert_eq!(
        (got[5].body.as_str(), &got[5].more["subject"]),
        ("m", &json!("s"))
    );
    assert_eq!((got[6].target.as_str(), got[6].body.as_str()), (function, "[1]"));
}

#[tokio::test]
async fn a_change_of_the_target_keeps_the_rhythm() {
    let world = World::new().await;
    world.create("rate(1 hour)", json!({})).await;
    assert_eq!(world.fire().await.len(), 1);
    world.at("2026-11-20T10:30:00Z");
    let settings = schedule("rate(1 hour)", json!({"Target": {"Input": "changed"}}));
    world.ok("PUT", "/schedules/s", settings).await;
    assert!(world.fire().await.is_empty());
    world.at("2026-11-20T11:00:30Z");
    assert_eq!(world.fire().await[0].body, "changed");
}

#[tokio::test]
async fn disabled_and_deleted_ones_are_silent() {
    let world = World::new().await;
    world.create("rate(1 minute)", json!({"State": "DISABLED"})).await;
    assert!(world.run_until("2026-11-20T10:05:00Z", 30_000).await.is_empty());
    world
        .ok("PUT", "/schedules/s", schedule("rate(1 minute)", json!({})))
        .await;
    assert_eq!(world.fire().await.len(), 1);
    world.ok("DELETE", "/schedules/s", Value::Null).await;
    assert!(world.run_until("2026-11-20T10:15:00Z", 30_000).await.is_empty());
    assert_eq!(world.timers().await, 0);
}

#[tokio::test]
async fn one_that_is_created_a_little_late_still_fires() {
    let world = World::new().await;
    world.create("at(2026-11-20T10:00:00)", json!({})).await;
    assert_eq!(world.fire().await.len(), 1, "half a minute late, at {START}");
    world
        .ok(
            "PUT",
            "/schedules/s",
            schedule("at(2026-11-20T10:00:00)", json!({})),
        )
        .await;
    assert!(world.fire().await.is_empty(), "a change does not repeat it");
    world
        .ok(
            "POST",
            "/schedules/old",
            schedule("at(2026-11-20T09:00:00)", json!({})),
        )
        .await;
    assert!(world.fire().await.is_empty());
}

#[tokio::test]
async fn a_thousand_at_one_minute_come_once_each() {
    let world = World::new().await;
    for number in 0..1000 {
        let settings = schedule(
            "at(2026-11-20T12:00:00)",
            json!({"Target": {"Input": number.to_string()}}),
        );
        world.ok("POST", &format!("/schedules/s{number}"), settings).await;
    }
    world.at("2026-11-20T12:00:00Z");
    let got = world.fire().await;
    let bodies: std::collections::BTreeSet<&str> = got.iter().map(|got| got.body.as_str()).collect();
    assert_eq!((got.len(), bodies.len()), (1000, 1000));
    assert!(world.fire().await.is_empty());
}

/// Moves the clock by each of the steps, in minutes, restarting the node now and then.
async fn hours_of(steps: Vec<(i64, bool)>) {
    const MINUTE_MS: i64 = 60_000;
    let mut world = World::new().await;
    let input = json!({"Target": {"Input": "<aws.scheduler.scheduled-time>"}});
    world.create("cron(0 * * * ? *)", input).await;
    let (mut furthest, mut last) = (world.clock.now(), time("2026-11-20T10:00:00Z"));
    for (minutes, restarts) in steps {
        world.clock.advance_millis(minutes * MINUTE_MS);
        if restarts {
            world.restart().await;
        }
        let got = world.fire().await;
        furthest = furthest.max(world.clock.now());
        let newest = Timestamp::from_millis(furthest.as_millis() / (60 * MINUTE_MS) * 60 * MINUTE_MS);
        let hours: Vec<Timestamp> = got.iter().map(|got| time(&got.body)).collect();
        // nothing is doubled, and nothing that the clock has reached is owed
        let expected = if newest > last { vec![newest] } else { Vec::new() };
        assert_eq!(hours, expected);
        last = newest;
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 24, ..Default::default() })]

    #[test]
    fn whatever_the_clock_does_each_hour_happens_once(
        steps in proptest::collection::vec((-180..240_i64, proptest::bool::weighted(0.2)), 1..40)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(hours_of(steps));
    }
}

#[tokio::test]
async fn invocations_are_counted() {
    let world = World::new().await;
    let meter = tradewind_observe::usage::Meter::default();
    world.service.router().count_in(meter.clone());
    world.create("rate(1 minute)", json!({})).await;
    let fired = world.run_until("2026-11-20T10:05:00Z", 60_000).await.len();
    assert!(fired > 0);
    let counted: Vec<_> = meter
        .take()
        .into_iter()
        .map(|c| (c.item.as_str(), c.quantity))
        .collect();
    let fired = u64::try_from(fired).unwrap();
    assert!(counted.contains(&("scheduler.invocations", fired)), "{counted:?}");
}
