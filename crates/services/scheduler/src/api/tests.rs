//! The API, as clients call it.

use serde_json::{Value, json};

use crate::testing::{DEAD, QUEUE, ROLE, World, schedule};

const DAILY: &str = "cron(0 2 * * ? *)";

#[tokio::test]
async fn what_was_given_is_shown_with_its_defaults() {
    let world = World::new().await;
    let answer = world.ok("POST", "/schedules/s", schedule(DAILY, json!({}))).await;
    let arn = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/s";
    assert_eq!(answer, json!({"ScheduleArn": arn}));
    let shown = world.ok("GET", "/schedules/s", Value::Null).await;
    let expected = json!({
        "Arn": arn, "Name": "s", "GroupName": "default",
        "ScheduleExpression": DAILY, "ScheduleExpressionTimezone": "UTC",
        "State": "ENABLED", "ActionAfterCompletion": "NONE",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {
            "Arn": QUEUE, "RoleArn": ROLE, "Input": "paid",
            "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
        },
        "CreationDate": 1_795_168_830.0, "LastModificationDate": 1_795_168_830.0,
    });
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn all_settings_come_back_and_survive_a_restart() {
    let mut world = World::new().await;
    let more = json!({
        "ScheduleExpressionTimezone": "Europe/Berlin", "Description": "nightly", "State": "DISABLED",
        "StartDate": 1_795_200_000.5, "EndDate": 1_800_000_000.0,
        "ActionAfterCompletion": "DELETE",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5},
        "Target": {
            "RetryPolicy": {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0},
            "DeadLetterConfig": {"Arn": DEAD}, "SqsParameters": {"MessageGroupId": "g"},
        },
    });
    let given = schedule(DAILY, more);
    world.ok("POST", "/schedules/s", given.clone()).await;
    world.restart().await;
    let shown = world.ok("GET", "/schedules/s", Value::Null).await;
    for (name, value) in given.as_object().unwrap() {
        assert_eq!(shown[name], *value, "{name}");
    }
    // an update sets what it does not name to its default
    world
        .ok("PUT", "/schedules/s", schedule("rate(1 hour)", json!({})))
        .await;
    let shown = world.ok("GET", "/schedules/s", Value::Null).await;
    assert_eq!(
        (&shown["State"], shown.get("Description")),
        (&json!("ENABLED"), None)
    );
}

#[tokio::test]
async fn a_repeated_creation_is_told_by_its_token() {
    let world = World::new().await;
    let given = schedule(DAILY, json!({"ClientToken": "once"}));
    let first = world.ok("POST", "/schedules/s", given.clone()).await;
    assert_eq!(world.ok("POST", "/schedules/s", given).await, first);
    let other = schedule(DAILY, json!({"ClientToken": "once", "Description": "x"}));
    for given in [
        other,
        schedule(DAILY, json!({"ClientToken": "twice"})),
        schedule(DAILY, json!({})),
    ] {
        let (code, text) = world.refused("POST", "/schedules/s", given).await;
        assert_eq!(
            (code.as_str(), text.as_str()),
            ("ConflictException", "Schedule s already exists.")
        );
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::new().await;
    for (method, path, body) in [
        ("GET", "/schedules/s", Value::Null),
        ("DELETE", "/schedules/s", Value::Null),
        ("PUT", "/schedules/s", schedule(DAILY, json!({}))),
        ("GET", "/schedules/s?groupName=reports", Value::Null),
        (
            "POST",
            "/schedules/s",
            schedule(DAILY, json!({"GroupName": "reports"})),
        ),
        ("GET", "/schedule-groups/reports", Value::Null),
        ("DELETE", "/schedule-groups/reports", Value::Null),
        ("GET", "/schedules?ScheduleGroup=reports", Value::Null),
    ] {
        let (code, text) = world.refused(method, path, body).await;
        assert_eq!(code, "ResourceNotFoundException", "{method} {path}");
        assert!(text.ends_with("does not exist."), "{text}");
    }
}

#[tokio::test]
async fn what_breaks_a_rule_or_is_not_honoured_is_refused_by_name() {
    let world = World::new().await;
    let universal = "arn:aws:scheduler:::aws-sdk:";
    for (expression, more, named) in [
        (
            "rate(5 minute)",
            json!({}),
            "Invalid Schedule Expression rate(5 minute).",
        ),
        (
            "cron(0 2 * * * *)",
            json!({}),
            "Invalid Schedule Expression cron(0 2 * * * *).",
        ),
        (
            DAILY,
            json!({"ScheduleExpressionTimezone": "Mars/Base"}),
            "Timezone Mars/Base",
        ),
        (
            DAILY,
            json!({"KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/k"}),
            "KmsKeyArn",
        ),
        (
            DAILY,
            json!({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}),
            "MaximumWindowInMinutes",
        ),
        (
            DAILY,
            json!({"FlexibleTimeWindow": {"Mode": "OFF", "MaximumWindowInMinutes": 1}}),
            "MaximumWindowInMinutes",
        ),
        (
            DAILY,
            json!({"FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 1441}}),
            "1441",
        ),
        (DAILY, json!({"StartDate": 1_795_000_000}), "StartDate"),
        (
            DAILY,
            json!({"StartDate": 1_795_200_000, "EndDate": 1_795_200_000}),
            "EndDate",
        ),
        (DAILY, json!({"State": "SLEEPING"}), "SLEEPING"),
        (DAILY, json!({"Retries": 3}), "Retries"),
        (DAILY, json!({"GroupName": "a b"}), "groupName"),
        (DAILY, json!({"ClientToken": "a b"}), "clientToken"),
        (
            DAILY,
            json!({"Target": {"RoleArn": "scheduler"}}),
            "target.roleArn",
        ),
        (
            DAILY,
            json!({"Target": {"Arn": "orders"}}),
            "Provided Arn orders is not in correct format.",
        ),
        (
            DAILY,
            json!({"Target": {"Arn": "arn:aws:ecs:us-east-1:000000000000:cluster/c"}}),
            "a target of ecs",
        ),
        (
            DAILY,
            json!({"Target": {"Arn": "arn:aws:events:us-east-1:000000000000:api-destination/shop/1"}}),
            "an API destination as a target",
        ),
        (
            DAILY,
            json!({"Target": {"EcsParameters": {}}}),
            "Target.EcsParameters",
        ),
        (
            DAILY,
            json!({"Target": {"Arn": format!("{universal}ec2:stopInstances")}}),
            "ec2:stopInstances",
        ),
        (
            DAILY,
            json!({"Target": {"Arn": format!("{universal}sqs:sendMessage")}}),
            "must be a JSON request",
        ),
        (
            DAILY,
            json!({"Target": {"Arn": format!("{universal}sqs:sendMessage"), "Input": "{\"QueueUrl\":\"http://h/0/q\"}"}}),
            "Input.MessageBody",
        ),
        (
            DAILY,
            json!({"Target": {"Arn": format!("{universal}sqs:sendMessage"), "Input": "{\"DelaySeconds\":1}"}}),
            "Input.DelaySeconds",
        ),
        (
            DAILY,
            json!({"Target": {"Arn": "arn:aws:lambda:us-east-1:000000000000:function:f"}}),
            "well-formed JSON",
        ),
        (
            DAILY,
            json!({"Target": {"Arn": "arn:aws:events:us-east-1:000000000000:event-bus/b"}}),
            "EventBridgeParameters",
        ),
        (
            DAILY,
            json!({"Target": {"EventBridgeParameters": {"DetailType": "a", "Source": "b"}}}),
            "EventBridgeParameters",
        ),
        (
            DAILY,
            json!({"Target": {"RetryPolicy": {"MaximumRetryAttempts": 186, "MaximumEventAgeInSeconds": 60}}}),
            "maximumRetryAttempts",
        ),
        (
            DAILY,
            json!({"Target": {"RetryPolicy": {"MaximumEventAgeInSeconds": 59}}}),
            "maximumEventAgeInSeconds",
        ),
        (
            DAILY,
            json!({"Target": {"DeadLetterConfig": {"Arn": format!("{DEAD}.fifo")}}}),
            "deadLetterConfig",
        ),
    ] {
        let (code, text) = world
            .refused("POST", "/schedules/s", schedule(expression, more))
            .await;
        assert_eq!(code, "ValidationException", "{text}");
        assert!(text.contains(named), "{named}: {text}");
    }
    let (code, _) = world.refused("PATCH", "/schedules/s", Value::Null).await;
    assert_eq!(code, "AccessDeniedException");
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::new().await;
    world.ok("POST", "/schedule-groups/a-reports", json!({})).await;
    for (name, group, state) in [
        ("one", "default", "ENABLED"),
        ("other", "default", "DISABLED"),
        ("two", "default", "ENABLED"),
        ("one", "a-reports", "ENABLED"),
    ] {
        let given = schedule(DAILY, json!({"GroupName": group, "State": state}));
        world.ok("POST", &format!("/schedules/{name}"), given).await;
    }
    let names = async |query: &str| {
        let answer = world.ok("GET", &format!("/schedules{query}"), Value::Null).await;
        let names = answer["Schedules"].as_array().unwrap().iter();
        names
            .map(|s| {
                format!(
                    "{}/{}",
                    s["GroupName"].as_str().unwrap(),
                    s["Name"].as_str().unwrap()
                )
            })
            .collect::<Vec<_>>()
    };
    let all = ["a-reports/one", "default/one", "default/other", "default/two"];
    assert_eq!(names("").await, all);
    assert_eq!(
        names("?ScheduleGroup=default&State=ENABLED").await,
        ["default/one", "default/two"]
    );
    assert_eq!(names("?NamePrefix=o").await, &all[..3]);
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = world
            .ok("GET", &format!("/schedules?MaxResults=1{token}"), Value::Null)
            .await;
        seen.push(page["Schedules"][0]["Arn"].clone());
        match page.get("NextToken") {
            Some(next) => token = format!("&NextToken={}", next.as_str().unwrap()),
            None => break,
        }
    }
    assert_eq!(seen.len(), 4);
    world
        .refused("GET", "/schedules?MaxResults=101", Value::Null)
        .await;
    world.refused("GET", "/schedules?State=ON", Value::Null).await;
}

#[tokio::test]
async fn a_group_goes_with_its_schedules() {
    let mut world = World::new().await;
    let arn = "arn:aws:scheduler:us-east-1:000000000000:schedule-group/reports";
    let made = world
        .ok("POST", "/schedule-groups/reports", json!({"ClientToken": "t"}))
        .await;
    assert_eq!(made, json!({"ScheduleGroupArn": arn}));
    world
        .ok("POST", "/schedule-groups/reports", json!({"ClientToken": "t"}))
        .await;
    for name in ["reports", "default"] {
        let (code, _) = world
            .refused("POST", &format!("/schedule-groups/{name}"), json!({}))
            .await;
        assert_eq!(code, "ConflictException");
    }
    world
        .ok(
            "POST",
            "/schedules/s",
            schedule("rate(1 minute)", json!({"GroupName": "reports"})),
        )
        .await;
    world
        .ok("POST", "/schedules/s", schedule("rate(1 minute)", json!({})))
        .await;
    let groups = world.ok("GET", "/schedule-groups", Value::Null).await;
    let names: Vec<&Value> = groups["ScheduleGroups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| &g["Name"])
        .collect();
    assert_eq!(names, ["default", "reports"]);
    assert_eq!(
        world.ok("GET", "/schedule-groups/reports", Value::Null).await["State"],
        "ACTIVE"
    );
    assert_eq!(world.fire().await.len(), 2);
    world.ok("DELETE", "/schedule-groups/reports", Value::Null).await;
    world.restart().await;
    world
        .refused("GET", "/schedules/s?groupName=reports", Value::Null)
        .await;
    world.clock.advance_millis(60_000);
    assert_eq!(world.fire().await.len(), 1);
    let (code, _) = world
        .refused("DELETE", "/schedule-groups/default", Value::Null)
        .await;
    assert_eq!(code, "ValidationException");
}

#[tokio::test]
async fn groups_have_tags() {
    let world = World::new().await;
    let tags = json!({"Tags": [{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": "dev"}]});
    world.ok("POST", "/schedule-groups/reports", tags).await;
    let path = "/tags/arn%3Aaws%3Ascheduler%3Aus-east-1%3A000000000000%3Aschedule-group%2Freports";
    world
        .ok("POST", path, json!({"Tags": [{"Key": "team", "Value": "b"}]}))
        .await;
    world
        .ok(
            "DELETE",
            &format!("{path}?TagKeys=stage&TagKeys=none"),
            Value::Null,
        )
        .await;
    let shown = world.ok("GET", path, Value::Null).await;
    assert_eq!(shown, json!({"Tags": [{"Key": "team", "Value": "b"}]}));
    let (code, _) = world
        .refused("POST", path, json!({"Tags": [{"Key": "", "Value": "b"}]}))
        .await;
    assert_eq!(code, "ValidationException");
    let missing = path.replace("reports", "others");
    assert_eq!(
        world.refused("GET", &missing, Value::Null).await.0,
        "ResourceNotFoundException"
    );
    assert_eq!(
        world.refused("GET", "/tags/reports", Value::Null).await.0,
        "ValidationException"
    );
}
