//! Rules and targets as they are given and answered.

use serde_json::{Value, json};

use super::topic;
use crate::testing::{World, queue};

#[tokio::test]
async fn rules_and_targets_are_answered_as_they_were_given() {
    let mut world = World::new().await;
    let pattern = r#"{"source": ["shop"]}"#;
    let rule = json!({"Name": "r", "EventPattern": pattern, "Description": "d", "State": "DISABLED", "RoleArn": "arn:aws:iam::000000000000:role/x"});
    world.ok("PutRule", rule).await;
    let targets = json!([
        {"Id": "a", "Arn": queue("one"), "Input": "{\"fixed\": true}", "RetryPolicy": {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60}},
        {"Id": "b", "Arn": queue("two.fifo"), "SqsParameters": {"MessageGroupId": "g"}, "DeadLetterConfig": {"Arn": queue("dead")}},
    ]);
    world
        .ok("PutTargets", json!({"Rule": "r", "Targets": targets}))
        .await;
    world.restart().await;
    assert_eq!(
        world.ok("ListTargetsByRule", json!({"Rule": "r"})).await["Targets"],
        targets
    );
    let described = world.ok("DescribeRule", json!({"Name": "r"})).await;
    let expected = json!({
        "Name": "r", "Arn": "arn:aws:events:us-east-1:000000000000:rule/r", "EventPattern": pattern,
        "State": "DISABLED", "Description": "d", "RoleArn": "arn:aws:iam::000000000000:role/x",
        "EventBusName": "default", "CreatedBy": "000000000000",
    });
    assert_eq!(described, expected);
    let names = world
        .ok("ListRuleNamesByTarget", json!({"TargetArn": queue("one")}))
        .await;
    assert_eq!(names["RuleNames"], json!(["r"]));
    world
        .ok("PutRule", json!({"Name": "r", "EventPattern": pattern}))
        .await;
    assert_eq!(
        world
            .ok("DescribeRule", json!({"Name": "r"}))
            .await
            .get("Description"),
        None
    );
    assert_eq!(
        world.ok("ListTargetsByRule", json!({"Rule": "r"})).await["Targets"],
        targets,
        "they stay"
    );
    world.put("default", json!({})).await;
    let got = world.queues.take();
    assert_eq!(&got[0].1.body[..], br#"{"fixed": true}"#);
    assert_eq!(got[1].1.group.as_deref(), Some("g"));
}

#[tokio::test]
async fn what_a_rule_or_target_must_not_say_is_refused_by_name() {
    let world = World::new().await;
    let rules = [
        (
            json!({"Name": "r"}),
            "Parameter(s) EventPattern or ScheduleExpression must be specified.",
        ),
        (
            json!({"Name": "r", "EventPattern": "{"}),
            "Event pattern is not valid.",
        ),
        (
            json!({"Name": "r", "EventPattern": "{\"source\": \"shop\"}"}),
            "Event pattern is not valid.",
        ),
        (
            json!({"Name": "r", "EventPattern": "{\"source\":[\"s\"]}", "State": "ON"}),
            "enum value set",
        ),
        (
            json!({"Name": "r", "EventPattern": "{\"source\":[\"s\"]}", "EventBusName": "nowhere"}),
            "Event bus nowhere does not exist.",
        ),
        (
            json!({"Name": "r", "EventBusName": "b", "ScheduleExpression": "rate(1 minute)"}),
            "only on the default event bus",
        ),
    ];
    for (rule, expected) in rules {
        let (_, text) = world.refused("PutRule", rule).await;
        assert!(text.contains(expected), "{text}");
    }
    world
        .ok(
            "PutRule",
            json!({"Name": "r", "EventPattern": "{\"source\":[\"s\"]}"}),
        )
        .await;
    let targets = [
        (
            json!({"Id": "1", "Arn": "nothing"}),
            "Provided Arn is not in correct format.",
        ),
        (
            json!({"Id": "1", "Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/s"}),
            "not supported by this node",
        ),
        (
            json!({"Id": "1", "Arn": queue("q"), "EcsParameters": {}}),
            "Parameter EcsParameters of target 1",
        ),
        (
            json!({"Id": "1", "Arn": queue("q"), "Input": "{"}),
            "JSON syntax error in input for target 1.",
        ),
        (
            json!({"Id": "1", "Arn": queue("q"), "Input": "{}", "InputPath": "$"}),
            "Only one of",
        ),
        (
            json!({"Id": "1", "Arn": queue("q"), "RetryPolicy": {"MaximumRetryAttempts": 186}}),
            "less than or equal to 185",
        ),
        (
            json!({"Id": "1", "Arn": queue("q"), "RetryPolicy": {"MaximumEventAgeInSeconds": 59}}),
            "greater than or equal to 60",
        ),
        (
            json!({"Id": "1", "Arn": queue("q.fifo")}),
            "SqsParameters must be specified",
        ),
        (
            json!({"Id": "1", "Arn": queue("q"), "DeadLetterConfig": {"Arn": "arn:aws:sns:us-east-1:000000000000:t"}}),
            "standard SQS queue",
        ),
        (
            json!({"Id": "1", "Arn": topic("nobody", "t")}),
            "there is no Kafka cluster `nobody`; start the node with --kafka nobody=HOST:PORT",
        ),
        (
            json!({"Id": "1", "Arn": "arn:aws:kafka:us-east-1:000000000000:cluster/shop/u"}),
            "is not arn:aws:kafka:REGION:ACCOUNT:topic/CLUSTER/UUID/TOPIC",
        ),
        (
            json!({"Id": "1", "Arn": topic("shop", "t"), "KinesisParameters": {"PartitionKeyPath": "detail.id"}}),
            "JSON path is not valid",
        ),
        (
            json!({"Id": "1", "Arn": queue("q"), "KinesisParameters": {"PartitionKeyPath": "$.id"}}),
            "only topics of Kafka take a key",
        ),
    ];
    for (target, expected) in targets {
        let (_, text) = world
            .refused("PutTargets", json!({"Rule": "r", "Targets": [target]}))
            .await;
        assert!(text.contains(expected), "{text}");
    }
    let many: Vec<Value> = (0..6)
        .map(|n| json!({"Id": n.to_string(), "Arn": queue("q")}))
        .collect();
    assert_eq!(
        world
            .refused("PutTargets", json!({"Rule": "r", "Targets": many}))
            .await
            .0,
        "LimitExceededException"
    );
    assert_eq!(
        world.ok("ListTargetsByRule", json!({"Rule": "r"})).await["Targets"],
        json!([])
    );
    assert_eq!(
        world.refused("CreateEndpoint", json!({})).await.0,
        "NotImplemented"
    );
    assert_eq!(
        world.refused("PutEvent", json!({})).await.0,
        "UnknownOperationException"
    );
}
