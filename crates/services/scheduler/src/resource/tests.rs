//! The resource types, as the template engine calls them.

use std::sync::Arc;

use serde_json::{Value, json};
use tradewind_model::resource::{Properties, ResourceContext, ResourceError, ResourceType};

use crate::testing::{World, schedule};

fn properties(value: Value) -> Properties {
    value.as_object().unwrap().clone()
}

fn resource_type(world: &World, name: &str) -> Arc<dyn ResourceType> {
    let mut types = world.service.resource_types().into_iter();
    types.find(|found| found.type_name() == name).unwrap()
}

#[tokio::test]
async fn a_schedule_is_made_changed_and_removed() {
    let world = World::new().await;
    let groups = resource_type(&world, "AWS::Scheduler::ScheduleGroup");
    let context = ResourceContext::for_tests("Reports");
    let tags = properties(json!({"Tags": [{"Key": "a", "Value": "b"}]}));
    let group = groups.create(&context, &tags).await.unwrap();
    assert_eq!(group.physical_id, "shop-dev-Reports-0123456789AB");
    assert_eq!(
        groups.create(&context, &tags).await.unwrap(),
        group,
        "as after a crash"
    );

    let schedules = resource_type(&world, "AWS::Scheduler::Schedule");
    let context = ResourceContext::for_tests("Nightly");
    let more = json!({
        "GroupName": group.physical_id, "StartDate": "2026-11-01T00:00:00Z",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": "5"},
        "Target": {"RetryPolicy": {"MaximumRetryAttempts": "3"}},
    });
    let given = properties(schedule("rate(1 hour)", more));
    assert_eq!(schedules.check(&given), []);
    let made = schedules.create(&context, &given).await.unwrap();
    let name = "shop-dev-Nightly-0123456789AB";
    let arn = format!(
        "arn:aws:scheduler:us-east-1:000000000000:schedule/{}/{name}",
        group.physical_id
    );
    assert_eq!(
        (made.reference.as_deref(), &made.attributes["Arn"]),
        (Some(name), &json!(arn))
    );
    assert_eq!(
        schedules.create(&context, &given).await.unwrap(),
        made,
        "as after a crash"
    );
    let path = format!("/schedules/{name}?groupName={}", group.physical_id);
    let shown = world.ok("GET", &path, Value::Null).await;
    assert_eq!(shown["FlexibleTimeWindow"]["MaximumWindowInMinutes"], 5);
    assert_eq!(shown["Target"]["RetryPolicy"]["MaximumRetryAttempts"], 3);
    assert_eq!(shown["StartDate"], 1_793_491_200.0);

    let more = json!({"GroupName": group.physical_id, "State": "DISABLED"});
    let given = properties(schedule("rate(1 hour)", more));
    assert_eq!(schedules.update(&context, &made, &given).await.unwrap(), made);
    assert_eq!(world.ok("GET", &path, Value::Null).await["State"], "DISABLED");
    for _ in 0..2 {
        schedules.delete(&context, &made).await.unwrap();
    }
    world.refused("GET", &path, Value::Null).await;
    let context = ResourceContext::for_tests("Reports");
    for _ in 0..2 {
        groups.delete(&context, &group).await.unwrap();
    }
}

#[tokio::test]
async fn those_of_others_are_neither_taken_nor_deleted() {
    let world = World::new().await;
    world.create("rate(1 hour)", json!({})).await;
    let schedules = resource_type(&world, "AWS::Scheduler::Schedule");
    let context = ResourceContext::for_tests("Nightly");
    let given = properties(schedule("rate(1 hour)", json!({"Name": "s"})));
    let error = schedules.create(&context, &given).await.unwrap_err();
    assert!(
        matches!(error, ResourceError::AlreadyExists { kind: "schedule", .. }),
        "{error}"
    );
    let state = tradewind_model::resource::ResourceState {
        physical_id: "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s".into(),
        ..Default::default()
    };
    schedules.delete(&context, &state).await.unwrap();
    world.ok("GET", "/schedules/s", Value::Null).await;
}

#[tokio::test]
async fn what_is_not_honoured_is_found_before_anything_changes() {
    let world = World::new().await;
    let schedules = resource_type(&world, "AWS::Scheduler::Schedule");
    let more = json!({"KmsKeyArn": "k", "Target": {"EcsParameters": {}}, "Colour": "red"});
    let problems = schedules.check(&properties(schedule("rate(2 hour)", more)));
    let text = format!("{problems:?}");
    for name in ["KmsKeyArn", "EcsParameters", "Colour", "rate(2 hour)"] {
        assert!(text.contains(name), "{name}: {text}");
    }
    let invalid = properties(schedule("rate(1 hours)", json!({})));
    let error = schedules
        .create(&ResourceContext::for_tests("Nightly"), &invalid)
        .await
        .unwrap_err();
    assert!(matches!(error, ResourceError::Invalid { .. }), "{error}");
}
