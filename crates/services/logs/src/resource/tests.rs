//! Groups, streams and filters of stacks.

use serde_json::{Value, json};
use tradewind_model::Timestamp;
use tradewind_model::resource::{Properties, ResourceContext, ResourceError, ResourceHandler};
use tradewind_observe::{LogEvent, LogKind};

use super::filter::SubscriptionFilterType;
use super::group::LogGroupType;
use super::stream::LogStreamType;
use crate::testing::{DAY_MS, NOW, World, function};

const NAME: &str = "/aws/lambda/shop-dev-cart";

fn properties(value: Value) -> Properties {
    value.as_object().unwrap().clone()
}

fn context() -> ResourceContext {
    ResourceContext::for_tests("Group")
}

async fn log_ten_days_ago(world: &World) {
    let event = LogEvent {
        group: NAME.into(),
        stream: "s".into(),
        timestamp: Timestamp::from_millis(NOW - 10 * DAY_MS),
        request_id: None,
        kind: LogKind::Line,
        message: "old".into(),
    };
    world.logs.append(vec![event]).await;
}

#[tokio::test]
async fn retention_is_enforced_from_create_over_update_to_restart() {
    let mut world = World::new().await;
    let groups = LogGroupType::new(world.service.clone());
    log_ten_days_ago(&world).await;
    let named = properties(json!({"LogGroupName": NAME, "RetentionInDays": 14}));
    let made = groups.create(&context(), &named).await.unwrap();
    assert_eq!(made.physical_id, NAME);
    assert_eq!(
        made.attributes["Arn"],
        "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/shop-dev-cart:*"
    );
    assert_eq!(world.logs.groups().await, [NAME], "ten days are within fourteen");
    let shorter = properties(json!({"LogGroupName": NAME, "RetentionInDays": "7"}));
    groups.update(&context(), &made, &shorter).await.unwrap();
    assert_eq!(world.logs.groups().await, Vec::<String>::new());

    world.logs.set_retention(NAME, None).await;
    log_ten_days_ago(&world).await;
    assert_eq!(world.logs.groups().await, [NAME]);
    world.restart().await;
    assert_eq!(
        world.logs.groups().await,
        Vec::<String>::new(),
        "the service sets it again"
    );
}

#[tokio::test]
async fn deleting_the_group_deletes_its_events_and_can_be_repeated() {
    let world = World::new().await;
    let groups = LogGroupType::new(world.service.clone());
    let named = properties(json!({"LogGroupName": NAME}));
    let made = groups.create(&context(), &named).await.unwrap();
    log_ten_days_ago(&world).await;
    for _ in 0..2 {
        groups.delete(&context(), &made).await.unwrap();
    }
    assert_eq!(world.logs.groups().await, Vec::<String>::new());
}

#[tokio::test]
async fn the_group_of_another_is_neither_taken_nor_deleted() {
    let world = World::new().await;
    let groups = LogGroupType::new(world.service.clone());
    let named = properties(json!({"LogGroupName": NAME}));
    let made = groups.create(&context(), &named).await.unwrap();
    log_ten_days_ago(&world).await;
    let other = ResourceContext::for_tests("Other");
    let error = groups.create(&other, &named).await.unwrap_err();
    assert!(matches!(error, ResourceError::AlreadyExists { .. }), "{error}");
    groups.delete(&other, &made).await.unwrap();
    assert_eq!(world.logs.groups().await, [NAME]);
    world.ok("CreateLogGroup", json!({"logGroupName": "/api"})).await;
    let api = properties(json!({"LogGroupName": "/api"}));
    let error = groups.create(&context(), &api).await.unwrap_err();
    assert!(matches!(error, ResourceError::AlreadyExists { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_a_retention_is_found_before_anything_is_made() {
    let world = World::new().await;
    let groups = LogGroupType::new(world.service.clone());
    let problems = groups.check(&properties(json!({"RetentionInDays": 2})));
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[tokio::test]
async fn streams_and_filters_belong_to_their_stack() {
    let world = World::new().await;
    world.group("/g").await;
    let streams = LogStreamType::new(world.service.clone());
    let named = properties(json!({"LogGroupName": "/g", "LogStreamName": "mine"}));
    for _ in 0..2 {
        let made = streams.create(&context(), &named).await.unwrap();
        assert_eq!(made.physical_id, "/g:mine");
        assert_eq!(made.reference.as_deref(), Some("mine"));
    }
    assert_eq!(streams.replaced_by(), ["LogGroupName", "LogStreamName"]);
    let taken = properties(json!({"LogGroupName": "/g", "LogStreamName": "s"}));
    let error = streams.create(&context(), &taken).await.unwrap_err();
    assert!(matches!(error, ResourceError::AlreadyExists { .. }), "{error}");
    world.put("/g", "mine", &[(-1, "x")]).await;

    let filters = SubscriptionFilterType::new(world.service.clone());
    let wanted = properties(json!({
        "LogGroupName": "/g", "FilterName": "errors", "FilterPattern": "ERROR",
        "DestinationArn": function("f"),
    }));
    assert_eq!(filters.check(&wanted), []);
    let made = filters.create(&context(), &wanted).await.unwrap();
    assert_eq!(made.reference.as_deref(), Some("errors"));
    let mut changed = wanted.clone();
    changed.insert("FilterPattern".into(), json!("WARN"));
    let updated = filters.update(&context(), &made, &changed).await.unwrap();
    assert_eq!(updated.physical_id, made.physical_id);
    let described = world
        .ok("DescribeSubscriptionFilters", json!({"logGroupName": "/g"}))
        .await;
    assert_eq!(described["subscriptionFilters"][0]["filterPattern"], "WARN");
    let other = ResourceContext::for_tests("Other");
    let error = filters.create(&other, &wanted).await.unwrap_err();
    assert!(matches!(error, ResourceError::AlreadyExists { .. }), "{error}");
    filters.delete(&other, &made).await.unwrap();
    let count = async || {
        let described = world
            .ok("DescribeSubscriptionFilters", json!({"logGroupName": "/g"}))
            .await;
        described["subscriptionFilters"].as_array().unwrap().len()
    };
    assert_eq!(count().await, 1, "another's deletion leaves it");
    for _ in 0..2 {
        filters.delete(&context(), &made).await.unwrap();
    }
    assert_eq!(count().await, 0);
    let bad = properties(json!({
        "LogGroupName": "/g", "FilterPattern": "{", "DestinationArn": function("f"), "RoleArn": "x",
    }));
    assert_eq!(filters.check(&bad).len(), 2);
}
