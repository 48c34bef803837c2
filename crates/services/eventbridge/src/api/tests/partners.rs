//! Partner event sources.

use serde_json::{Value, json};

use super::to;
use crate::testing::World;

const PARTNER: &str = "111122223333";
const NAME: &str = "aws.partner/payments.example/shop/paid";
const DAY: i64 = 86_400_000;

async fn offered(world: &World) {
    let source = json!({"Name": NAME, "Account": "000000000000"});
    let made = world.ok_as(PARTNER, "CreatePartnerEventSource", source).await;
    let arn = format!("arn:aws:events:us-east-1::event-source/{NAME}");
    assert_eq!(made["EventSourceArn"], arn);
}

async fn taken(world: &World) {
    world
        .ok("CreateEventBus", json!({"Name": NAME, "EventSourceName": NAME}))
        .await;
    world
        .rule(
            NAME,
            "all",
            json!({"source": [{"prefix": "aws.partner/"}]}),
            to("paid"),
        )
        .await;
}

async fn sent(world: &World) -> usize {
    let entry = json!({"Source": NAME, "DetailType": "paid", "Detail": "{\"order\": 7}"});
    let answer = world
        .ok_as(PARTNER, "PutPartnerEvents", json!({"Entries": [entry]}))
        .await;
    assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
    let got = world.queues.bodies();
    for (_, event) in &got {
        assert_eq!(
            (&event["source"], &event["account"]),
            (&json!(NAME), &json!("000000000000"))
        );
    }
    got.len()
}

async fn state(world: &World) -> Value {
    world.ok("DescribeEventSource", json!({"Name": NAME})).await["State"].take()
}

#[tokio::test]
async fn a_partners_events_reach_the_bus_of_the_account_that_takes_them() {
    let mut world = World::new().await;
    offered(&world).await;
    assert_eq!(state(&world).await, "PENDING");
    assert_eq!(sent(&world).await, 0, "there is no bus yet");
    taken(&world).await;
    assert_eq!(state(&world).await, "ACTIVE");
    world.restart().await;
    assert_eq!(sent(&world).await, 1);
    world.ok("DeactivateEventSource", json!({"Name": NAME})).await;
    assert_eq!((state(&world).await, sent(&world).await), (json!("PENDING"), 0));
    world.ok("ActivateEventSource", json!({"Name": NAME})).await;
    assert_eq!((state(&world).await, sent(&world).await), (json!("ACTIVE"), 1));
    let twice = world.refused("ActivateEventSource", json!({"Name": NAME})).await;
    assert_eq!(twice.0, "InvalidStateException");
    let source = json!({"Name": NAME, "Account": "000000000000"});
    world.ok_as(PARTNER, "DeletePartnerEventSource", source).await;
    assert_eq!(state(&world).await, "DELETED");
    let gone = world.ok_as(
        PARTNER,
        "PutPartnerEvents",
        json!({"Entries": [{"Source": NAME}]}),
    );
    assert_eq!(gone.await["Entries"][0]["ErrorCode"], "NotAuthorizedForSource");
}

#[tokio::test]
async fn both_sides_see_the_source() {
    let world = World::new().await;
    offered(&world).await;
    let list = world
        .ok("ListEventSources", json!({"NamePrefix": "aws.partner/pay"}))
        .await;
    let expected = json!([{
        "Arn": format!("arn:aws:events:us-east-1::event-source/{NAME}"), "CreatedBy": "payments.example",
        "CreationTime": 1_700_000_000.0, "ExpirationTime": 1_701_209_600.0, "Name": NAME, "State": "PENDING",
    }]);
    assert_eq!(list["EventSources"], expected);
    let prefix = json!({"NamePrefix": "aws.partner/payments.example/"});
    let offers = world.ok_as(PARTNER, "ListPartnerEventSources", prefix).await;
    assert_eq!(offers["PartnerEventSources"][0]["Name"], NAME);
    let accounts = world
        .ok_as(
            PARTNER,
            "ListPartnerEventSourceAccounts",
            json!({"EventSourceName": NAME}),
        )
        .await;
    assert_eq!(
        accounts["PartnerEventSourceAccounts"][0]["Account"],
        "000000000000"
    );
    let foreign = world
        .ok("PutPartnerEvents", json!({"Entries": [{"Source": NAME}]}))
        .await;
    assert_eq!(foreign["Entries"][0]["ErrorCode"], "NotAuthorizedForSource");
}

#[tokio::test]
async fn a_source_that_waits_for_two_weeks_is_gone() {
    let world = World::new().await;
    offered(&world).await;
    world.clock.advance_millis(14 * DAY - 1);
    taken(&world).await;
    world.clock.advance_millis(30 * DAY);
    assert_eq!(sent(&world).await, 1, "with a bus it stays");
    let rule = json!({"Rule": "all", "EventBusName": NAME, "Ids": ["1"]});
    world.ok("RemoveTargets", rule).await;
    world
        .ok("DeleteRule", json!({"Name": "all", "EventBusName": NAME}))
        .await;
    world.ok("DeleteEventBus", json!({"Name": NAME})).await;
    assert_eq!(state(&world).await, "PENDING");
    world.clock.advance_millis(14 * DAY);
    let gone = world.refused("DescribeEventSource", json!({"Name": NAME})).await;
    assert_eq!(gone.0, "ResourceNotFoundException");
    offered(&world).await;
}

#[tokio::test]
async fn what_nobody_offers_or_is_misspelt_is_refused() {
    let world = World::new().await;
    let bus = json!({"Name": NAME, "EventSourceName": NAME});
    assert_eq!(
        world.refused("CreateEventBus", bus).await.0,
        "ResourceNotFoundException"
    );
    let other = json!({"Name": "other", "EventSourceName": NAME});
    assert_eq!(
        world.refused("CreateEventBus", other).await.0,
        "ValidationException"
    );
    for wrong in [
        "aws.partner/one",
        "shop/a/b",
        "aws.partner/a//b",
        "aws.partner/a/b c",
    ] {
        let source = json!({"Name": wrong, "Account": "000000000000"});
        let refused = world.refused("CreatePartnerEventSource", source).await;
        assert_eq!(refused.0, "ValidationException", "{wrong}");
    }
    offered(&world).await;
    let again = json!({"Name": NAME, "Account": "000000000000"});
    let again = world.refused("CreatePartnerEventSource", again).await;
    assert_eq!(again.0, "ResourceAlreadyExistsException");
}
