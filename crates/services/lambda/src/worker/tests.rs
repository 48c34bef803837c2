//! The worker with a real engine, in the time of a manual clock.

use serde_json::{Value, json};

use super::*;
use crate::testing::{START, World};

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
