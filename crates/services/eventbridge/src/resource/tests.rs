//! The resource types, as the template engine calls them.

use std::sync::Arc;

use serde_json::{Value, json};
use tradewind_model::resource::{Properties, ResourceContext, ResourceError, ResourceType};

use crate::testing::{World, queue};

fn properties(value: Value) -> Properties {
    value.as_object().unwrap().clone()
}

fn resource_type(world: &World, name: &str) -> Arc<dyn ResourceType> {
    let mut types = world.service.resource_types().into_iter();
    types.find(|found| found.type_name() == name).unwrap()
}

#[tokio::test]
async fn a_bus_and_a_rule_are_made_changed_and_removed() {
    let world = World::new().await;
    let (buses, rules) = (
        resource_type(&world, "AWS::Events::EventBus"),
        resource_type(&world, "AWS::Events::Rule"),
    );
    let (bus_context, context) = (
        ResourceContext::for_tests("Bus"),
        ResourceContext::for_tests("Paid"),
    );
    let bus = buses
        .create(
            &bus_context,
            &properties(json!({"Name": "orders", "Tags": [{"Key": "a", "Value": "b"}]})),
        )
        .await
        .unwrap();
    assert_eq!(bus.physical_id, "orders");
    assert_eq!(
        bus.attributes["Arn"],
        "arn:aws:events:us-east-1:000000000000:event-bus/orders"
    );
    let given = properties(json!({
        "EventBusName": "orders", "EventPattern": {"source": ["shop"]},
        "Targets": [{"Id": "q", "Arn": queue("one"), "RetryPolicy": {"MaximumRetryAttempts": "4"}}],
    }));
    let rule = rules.create(&context, &given).await.unwrap();
    assert_eq!(rule.physical_id, "orders|shop-dev-Paid-0123456789AB");
    assert_eq!(
        rule.attributes["Arn"],
        "arn:aws:events:us-east-1:000000000000:rule/orders/shop-dev-Paid-0123456789AB"
    );
    assert_eq!(
        rules.create(&context, &given).await.unwrap(),
        rule,
        "as after a crash"
    );
    world.put("orders", json!({})).await;
    assert_eq!(world.queues.take().len(), 1);
    let changed = properties(json!({
        "EventBusName": "orders", "EventPattern": {"source": ["shop"]}, "Targets": [{"Id": "x", "Arn": queue("two")}],
    }));
    assert_eq!(rules.update(&context, &rule, &changed).await.unwrap(), rule);
    world.put("orders", json!({})).await;
    assert_eq!(world.queues.bodies()[0].0, "two", "the old target is gone");
    let other = ResourceContext::for_tests("Other");
    rules.delete(&other, &rule).await.unwrap();
    for _ in 0..2 {
        rules.delete(&context, &rule).await.unwrap();
    }
    assert_eq!(
        world.ok("ListRules", json!({"EventBusName": "orders"})).await["Rules"],
        json!([])
    );
    for _ in 0..2 {
        buses.delete(&bus_context, &bus).await.unwrap();
    }
    assert_eq!(
        world
            .refused("DescribeEventBus", json!({"Name": "orders"}))
            .await
            .0,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn what_others_made_is_left_alone() {
    let world = World::new().await;
    world.ok("CreateEventBus", json!({"Name": "orders"})).await;
    world
        .ok(
            "PutRule",
            json!({"Name": "r", "EventPattern": "{\"source\":[\"s\"]}"}),
        )
        .await;
    let context = ResourceContext::for_tests("X");
    let cases = [
        ("AWS::Events::EventBus", json!({"Name": "orders"})),
        ("AWS::Events::EventBus", json!({"Name": "default"})),
        (
            "AWS::Events::Rule",
            json!({"Name": "r", "ScheduleExpression": "rate(1 day)"}),
        ),
    ];
    for (name, given) in cases {
        let made = resource_type(&world, name)
            .create(&context, &properties(given))
            .await;
        assert!(
            matches!(made, Err(ResourceError::AlreadyExists { .. })),
            "{name}: {made:?}"
        );
    }
}

#[tokio::test]
async fn a_policy_is_a_statement_of_its_bus() {
    let world = World::new().await;
    let policies = resource_type(&world, "AWS::Events::EventBusPolicy");
    let context = ResourceContext::for_tests("Policy");
    let statement =
        json!({"Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Resource": "*"});
    let made = policies
        .create(
            &context,
            &properties(json!({"StatementId": "all", "Statement": statement})),
        )
        .await
        .unwrap();
    let policy = world.ok("DescribeEventBus", json!({})).await["Policy"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(policy.contains(r#""Sid":"all""#), "{policy}");
    policies.delete(&context, &made).await.unwrap();
    assert_eq!(world.ok("DescribeEventBus", json!({})).await.get("Policy"), None);
}

#[tokio::test]
async fn problems_are_found_before_anything_is_made() {
    let world = World::new().await;
    let rules = resource_type(&world, "AWS::Events::Rule");
    let target = json!({"Id": "1", "Arn": {"Fn::GetAtt": ["Q", "Arn"]}, "EcsParameters": {}, "Imput": "x"});
    let problems = rules.check(&properties(json!({"Targets": [target], "Patern": {}})));
    let messages: Vec<String> = problems.into_iter().map(|problem| problem.message).collect();
    assert_eq!(
        messages,
        [
            "unknown property `Patern`",
            "property `EcsParameters` of a target is not supported by this node: it has no targets of that kind",
            "property `Imput` of a target is not supported by this node: it does not know it",
        ]
    );
    let buses = resource_type(&world, "AWS::Events::EventBus");
    assert_eq!(
        buses.check(&properties(json!({"KmsKeyIdentifier": "k"}))).len(),
        2
    );
}

#[tokio::test]
async fn a_connection_and_its_destination_keep_their_arns() {
    let world = World::new().await;
    let connections = resource_type(&world, "AWS::Events::Connection");
    let destinations = resource_type(&world, "AWS::Events::ApiDestination");
    let (of_connection, of_destination) = (ResourceContext::for_tests("C"), ResourceContext::for_tests("D"));
    let auth = |value: &str| {
        let key = json!({"ApiKeyAuthParameters": {"ApiKeyName": "k", "ApiKeyValue": value}});
        properties(json!({"AuthorizationType": "API_KEY", "AuthParameters": key}))
    };
    let connection = connections.create(&of_connection, &auth("one")).await.unwrap();
    let changed = connections
        .update(&of_connection, &connection, &auth("two"))
        .await
        .unwrap();
    assert_eq!(changed, connection);
    let given = properties(json!({
        "ConnectionArn": connection.attributes["Arn"], "HttpMethod": "POST", "InvocationEndpoint": "https://a.example",
        "InvocationRateLimitPerSecond": "5",
    }));
    let destination = destinations.create(&of_destination, &given).await.unwrap();
    assert_eq!(
        destinations.create(&of_destination, &given).await.unwrap(),
        destination,
        "as after a crash"
    );
    let described = world
        .ok("DescribeApiDestination", json!({"Name": destination.physical_id}))
        .await;
    assert_eq!(described["InvocationRateLimitPerSecond"], 5);
    for _ in 0..2 {
        destinations.delete(&of_destination, &destination).await.unwrap();
        connections.delete(&of_connection, &connection).await.unwrap();
    }
    assert_eq!(
        world.ok("ListConnections", json!({})).await["Connections"],
        json!([])
    );
}
