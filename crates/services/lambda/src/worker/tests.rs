//! The worker with a real engine, in the time of a manual clock.

use serde_json::{Value, json};
use tradewind_events::Message;

use super::*;
use crate::testing::{Mailbox, START, World};

const EVENT: &[(&str, &str)] = &[("x-amz-invocation-type", "Event")];

async fn accept(world: &World, name: &str) {
    let answer = world.invoke(name, EVENT, b"{\"order\":1}").await;
    assert_eq!((answer.status, answer.bytes.len()), (202, 0));
}

/// Runs what is due now, to its end.
async fn run_due(service: &LambdaService) {
    let mut running = JoinSet::new();
    assert!(service.start_due(&mut running).await);
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

async fn rows(world: &World) -> i64 {
    let counted = world
        .config
        .database
        .read("SELECT COUNT(*) FROM lambda_async_invocations", vec![])
        .await;
    counted.unwrap()[0].integer(0).unwrap()
}

#[tokio::test]
async fn an_event_runs_once() {
    let world = World::new().await;
    world
        .create(
            "f",
            "exports.handler = async (event) => { if (event.order !== 1) throw new Error('no'); };",
        )
        .await;
    accept(&world, "f").await;
    assert_eq!(rows(&world).await, 1);
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn the_events_of_a_function_keep_to_its_reserved_concurrency() {
    let world = World::new().await;
    world.create("f", "exports.handler = async () => {};").await;
    let reserve = serde_json::json!({"ReservedConcurrentExecutions": 1});
    let path = "/2017-10-31/functions/f/concurrency";
    assert_eq!(world.call("PUT", path, &reserve).await.status, 200);
    for _ in 0..6 {
        accept(&world, "f").await;
    }
    // the clock stands still: an event that was throttled would wait for ever
    for left in (0..6).rev() {
        run_due(&world.service).await;
        assert_eq!(rows(&world).await, left);
    }
}

#[tokio::test]
async fn a_failing_function_runs_three_times() {
    let world = World::new().await;
    world
        .create(
            "f",
            "exports.handler = async () => { throw new Error('always'); };",
        )
        .await;
    accept(&world, "f").await;
    run_due(&world.service).await;
    assert_eq!(world.service.queue().next_due(), Some(START.plus_millis(60_000)));
    world.clock.advance_millis(60_000);
    run_due(&world.service).await;
    assert_eq!(world.service.queue().next_due(), Some(START.plus_millis(180_000)));
    world.clock.advance_millis(120_000);
    run_due(&world.service).await;
    assert_eq!((world.service.queue().next_due(), rows(&world).await), (None, 0));
}

#[tokio::test]
async fn an_accepted_event_survives_a_restart() {
    let mut world = World::new().await;
    world.create("f", "exports.handler = async () => {};").await;
    accept(&world, "f").await;
    world.service = world.reopened().await;
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn what_runs_when_the_worker_stops_is_finished() {
    let world = World::new().await;
    world.create("f", "exports.handler = async () => {};").await;
    accept(&world, "f").await;
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    world.service.run(cancelled).await;
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn events_of_deleted_functions_are_gone() {
    let world = World::new().await;
    world.create("f", "exports.handler = async () => {};").await;
    accept(&world, "f").await;
    world
        .call("DELETE", "/2015-03-31/functions/f", &Value::Null)
        .await;
    assert_eq!((rows(&world).await, world.service.queue().next_due()), (0, None));
}

#[tokio::test]
async fn a_function_that_is_switched_off_drops_its_events() {
    let world = World::new().await;
    let kind = world.resource_type("AWS::Lambda::Function");
    let mut given = crate::testing::function_properties("exports.handler = async () => {};");
    given.insert("ReservedConcurrentExecutions".into(), json!(0));
    let made = kind
        .create(&crate::testing::context("Off"), &given)
        .await
        .unwrap();
    accept(&world, &made.physical_id).await;
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0);
}

const TOLD: &str = "arn:aws:lambda:us-east-1:000000000000:function:told";

/// `f` with `source` and an event configuration, and `told`, its destination.
async fn configured(source: &str, config: Value) -> World {
    let world = World::new().await;
    world.create("f", source).await;
    world.create("told", "exports.handler = async () => {};").await;
    let path = "/2019-09-25/functions/f/event-invoke-config";
    let put = world.call("PUT", path, &config).await;
    assert_eq!(put.status, 200, "{put:?}");
    world
}

/// The event that waits for `told`.
async fn record(world: &World) -> Value {
    let sql = "SELECT payload FROM lambda_async_invocations WHERE name = 'told'";
    let rows = world.config.database.read(sql, vec![]).await.unwrap();
    serde_json::from_slice(rows[0].blob(0).unwrap()).unwrap()
}

#[tokio::test]
async fn fewer_retries_are_honoured_and_the_destination_hears_of_the_failure() {
    let config =
        json!({"MaximumRetryAttempts": 1, "DestinationConfig": {"OnFailure": {"Destination": TOLD}}});
    let world = configured(
        "exports.handler = async () => { throw new Error('no'); };",
        config,
    )
    .await;
    accept(&world, "f").await;
    run_due(&world.service).await;
    world.clock.advance_millis(60_000);
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 1, "the event is gone, its record is there");
    let told = record(&world).await;
    let id = told["requestContext"]["requestId"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(
        (&told["version"], &told["timestamp"]),
        (&json!("1.0"), &json!("2023-11-14T22:14:20.000Z"))
    );
    let context = json!({
        "requestId": id, "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
        "condition": "RetriesExhausted", "approximateInvokeCount": 2,
    });
    assert_eq!(told["requestContext"], context);
    assert_eq!(told["requestPayload"], json!({"order": 1}));
    let response = json!({"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"});
    assert_eq!(told["responseContext"], response);
    assert_eq!(told["responsePayload"]["errorMessage"], "no");
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0, "the destination ran");
}

#[tokio::test]
async fn the_destination_hears_of_a_success_by_alias() {
    let world = World::new().await;
    world
        .create("f", "exports.handler = async (event) => ({got: event.order});")
        .await;
    world.create("told", "exports.handler = async () => {};").await;
    world
        .call("POST", "/2015-03-31/functions/f/versions", &Value::Null)
        .await;
    let alias = json!({"Name": "live", "FunctionVersion": "1"});
    world
        .call("POST", "/2015-03-31/functions/f/aliases", &alias)
        .await;
    let config = json!({"DestinationConfig": {"OnSuccess": {"Destination": TOLD}}});
    let path = "/2019-09-25/functions/f/event-invoke-config?Qualifier=live";
    world.call("PUT", path, &config).await;
    accept(&world, "f").await;
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0, "the function itself tells nobody");
    accept(&world, "f:live").await;
    run_due(&world.service).await;
    let told = record(&world).await;
    assert_eq!(told["requestContext"]["condition"], "Success");
    assert_eq!(told["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(
        told["requestContext"]["functionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:f:live"
    );
    assert_eq!(
        told["responseContext"],
        json!({"statusCode": 200, "executedVersion": "1"})
    );
    assert_eq!(told["responsePayload"], json!({"got": 1}));
}

#[tokio::test]
async fn an_event_that_waited_too_long_is_not_run() {
    let config =
        json!({"MaximumEventAgeInSeconds": 60, "DestinationConfig": {"OnFailure": {"Destination": TOLD}}});
    let world = configured("exports.handler = async () => {};", config).await;
    accept(&world, "f").await;
    world.clock.advance_millis(60_001);
    run_due(&world.service).await;
    let told = record(&world).await;
    assert_eq!(told["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(told["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!(told.get("responseContext"), None);
}

#[tokio::test]
async fn a_destination_that_is_gone_stands_in_nobodys_way() {
    let config = json!({"DestinationConfig": {"OnSuccess": {"Destination": TOLD}}});
    let world = configured("exports.handler = async () => {};", config).await;
    accept(&world, "f").await;
    world
        .call("DELETE", "/2015-03-31/functions/told", &Value::Null)
        .await;
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0);
}

/// `f` with an event configuration, run once; what was sent.
async fn told(source: &str, kind: &str, destination: &str) -> (String, Message) {
    let world = World::new().await;
    let mailbox = Mailbox::connect(&world.config.router);
    world.create("f", source).await;
    let config =
        json!({"MaximumRetryAttempts": 0, "DestinationConfig": {kind: {"Destination": destination}}});
    let path = "/2019-09-25/functions/f/event-invoke-config";
    let put = world.call("PUT", path, &config).await;
    assert_eq!(put.status, 200, "{put:?}");
    accept(&world, "f").await;
    run_due(&world.service).await;
    assert_eq!((mailbox.len(), rows(&world).await), (1, 0));
    mailbox.last()
}

#[tokio::test]
async fn queues_and_topics_hear_the_record() {
    for (kind, source, condition) in [
        ("OnSuccess", "exports.handler = async () => 7;", "Success"),
        (
            "OnFailure",
            "exports.handler = async () => { throw new Error('no'); };",
            "RetriesExhausted",
        ),
    ] {
        for target in [
            "arn:aws:sqs:us-east-1:000000000000:q",
            "arn:aws:sns:us-east-1:000000000000:t",
        ] {
            let (to, message) = told(source, kind, target).await;
            let record: Value = serde_json::from_slice(&message.body).unwrap();
            assert_eq!(
                (to.as_str(), record["requestContext"]["condition"].as_str()),
                (target, Some(condition))
            );
            assert_eq!(record["requestPayload"], json!({"order": 1}));
        }
    }
}

#[tokio::test]
async fn a_bus_gets_the_record_as_the_detail_of_an_event() {
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/default";
    let (to, message) = told("exports.handler = async () => 7;", "OnSuccess", bus).await;
    let mut event: Value = serde_json::from_slice(&message.body).unwrap();
    let detail = event["detail"].take();
    assert_eq!((detail["responsePayload"].as_i64(), to.as_str()), (Some(7), bus));
    event["id"].take();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
    let envelope = json!({
        "version": "0", "id": null, "detail-type": "Lambda Function Invocation Result - Success",
        "source": "lambda", "account": "000000000000", "time": "2023-11-14T22:13:20Z", "region": "us-east-1",
        "resources": [function, bus], "detail": null,
    });
    assert_eq!(event, envelope);
}

#[tokio::test]
async fn destinations_that_cannot_be_sent_to_are_refused() {
    let world = World::new().await;
    Mailbox::connect(&world.config.router);
    world.create("f", "exports.handler = async () => {};").await;
    for destination in [
        "arn:aws:sqs:us-east-1:000000000000:gone",
        "arn:aws:sqs:us-east-1:000000000000:ordered.fifo",
        "arn:aws:events:us-east-1:000000000000:event-bus/gone",
        "arn:aws:lambda:us-east-1:000000000000:function:gone",
    ] {
        let config = json!({"DestinationConfig": {"OnSuccess": {"Destination": destination}}});
        let path = "/2019-09-25/functions/f/event-invoke-config";
        let (status, code, text) = world.call("PUT", path, &config).await.error();
        assert_eq!((status, code.as_str()), (400, "InvalidParameterValueException"));
        assert_eq!(text, format!("The destination ARN {destination} is invalid."));
    }
}
