//! Move tasks: dead letters go back to where they came from.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::testing::World;

const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

/// A dead-letter queue with `count` messages of the queue `work`; the URLs of both.
async fn world(count: usize) -> (World, String, String) {
    let world = World::new().await;
    let dead = world.queue("dead", json!({})).await;
    let policy = format!("{{\"deadLetterTargetArn\":\"{DEAD}\",\"maxReceiveCount\":1}}");
    let work = world
        .queue("work", json!({"RedrivePolicy": policy, "VisibilityTimeout": "0"}))
        .await;
    for n in 0..count {
        world
            .ok(
                "SendMessage",
                json!({"QueueUrl": work, "MessageBody": n.to_string()}),
            )
            .await;
    }
    while !world.receive(&work).await.is_empty() {}
    (world, work, dead)
}

/// The newest task, when `until` holds of it; the store's background work runs meanwhile.
async fn task(world: &World, until: impl Fn(&Value) -> bool) -> Value {
    let stop = CancellationToken::new();
    let watch = async {
        loop {
            let tasks = world.ok("ListMessageMoveTasks", json!({"SourceArn": DEAD})).await;
            if until(&tasks["Results"][0]) {
                return tasks["Results"][0].clone();
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = world.service.queues().run(stop) => panic!("nobody stopped it"),
        task = watch => task,
    }
}

#[tokio::test]
async fn dead_letters_go_back_to_where_they_came_from() {
    let (world, work, dead) = world(3).await;
    let handle = world.ok("StartMessageMoveTask", json!({"SourceArn": DEAD})).await["TaskHandle"].clone();
    let done = task(&world, |task| task["Status"] == "COMPLETED").await;
    let expected = json!({
        "Status": "COMPLETED",
        "SourceArn": DEAD,
        "ApproximateNumberOfMessagesMoved": 3,
        "ApproximateNumberOfMessagesToMove": 3,
        "StartedTimestamp": 1_700_000_000_000_i64,
    });
    assert_eq!(done, expected);
    assert_eq!(world.receive(&dead).await, []);
    assert_eq!(world.receive(&work).await.len(), 3);
    let (code, _) = world
        .refused("CancelMessageMoveTask", json!({"TaskHandle": handle}))
        .await;
    assert_eq!(code, "UnsupportedOperation");
}

#[tokio::test]
async fn a_slow_move_is_listed_and_cancelled() {
    let (world, _, _) = world(5).await;
    let other = world.queue("other", json!({})).await;
    let to = "arn:aws:sqs:us-east-1:000000000000:other";
    let start = json!({"SourceArn": DEAD, "DestinationArn": to, "MaxNumberOfMessagesPerSecond": 2});
    let handle = world.ok("StartMessageMoveTask", start.clone()).await["TaskHandle"].clone();
    let running = task(&world, |task| task["ApproximateNumberOfMessagesMoved"] == 2).await;
    assert_eq!(running["Status"], "RUNNING");
    assert_eq!(running["TaskHandle"], handle);
    assert_eq!(running["DestinationArn"], to);
    assert_eq!(running["MaxNumberOfMessagesPerSecond"], 2);
    let (_, text) = world.refused("StartMessageMoveTask", start).await;
    assert!(text.starts_with("There is already a task running."), "{text}");
    let cancelled = world
        .ok("CancelMessageMoveTask", json!({"TaskHandle": handle}))
        .await;
    assert_eq!(cancelled, json!({"ApproximateNumberOfMessagesMoved": 2}));
    let ended = task(&world, |task| task["Status"] == "CANCELLED").await;
    assert_eq!(ended.get("TaskHandle"), None);
    assert_eq!(world.receive(&other).await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_moved_is_refused() {
    let (world, _, _) = world(0).await;
    world.queue("plain", json!({})).await;
    let nobody = "arn:aws:sqs:us-east-1:000000000000:nobody";
    for (parameters, code, part) in [
        (json!({}), "MissingRequiredParameterException", "SourceArn"),
        (
            json!({"SourceArn": "x"}),
            "InvalidParameterValueException",
            "this format to specify the SourceArn",
        ),
        (
            json!({"SourceArn": nobody}),
            "ResourceNotFoundException",
            "SourceArn parameter doesn't exist",
        ),
        (
            json!({"SourceArn": DEAD, "DestinationArn": nobody}),
            "ResourceNotFoundException",
            "DestinationArn parameter",
        ),
        (
            json!({"SourceArn": "arn:aws:sqs:us-east-1:000000000000:plain"}),
            "InvalidParameterValueException",
            "must be configured as a Dead Letter Queue",
        ),
        (
            json!({"SourceArn": DEAD, "MaxNumberOfMessagesPerSecond": 501}),
            "InvalidParameterValueException",
            "501",
        ),
    ] {
        let (found, text) = world.refused("StartMessageMoveTask", parameters).await;
        assert_eq!(found, code, "{text}");
        assert!(text.contains(part), "{text}");
    }
    let (code, text) = world
        .refused("CancelMessageMoveTask", json!({"TaskHandle": "x"}))
        .await;
    assert_eq!(
        (code.as_str(), text.as_str()),
        (
            "InvalidParameterValueException",
            "Value for parameter TaskHandle is invalid."
        )
    );
}
