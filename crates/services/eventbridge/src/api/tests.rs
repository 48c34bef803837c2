//! The operations, from the request to what targets get.

mod archives;
mod partners;
mod rules;

use serde_json::{Value, json};

use crate::testing::{World, queue};

fn to(name: &str) -> Value {
    json!([{"Id": "1", "Arn": queue(name)}])
}

#[tokio::test]
async fn an_event_reaches_the_targets_of_the_rules_that_match_it() {
    let mut world = World::new().await;
    world.ok("CreateEventBus", json!({"Name": "orders"})).await;
    world
        .rule(
            "orders",
            "large",
            json!({"detail": {"total": [{"numeric": [">", 100]}]}}),
            to("large"),
        )
        .await;
    world
        .rule("orders", "all", json!({"source": ["shop"]}), to("all"))
        .await;
    world
        .rule("default", "other", json!({"source": ["shop"]}), to("other"))
        .await;
    world.restart().await;
    let id = world.put("orders", json!({"total": 50})).await;
    let got = world.queues.bodies();
    assert_eq!(got.len(), 1, "{got:?}");
    let expected = json!({
        "version": "0", "id": id, "detail-type": "order", "source": "shop", "account": "000000000000",
        "time": "2023-11-14T22:13:20Z", "region": "us-east-1", "resources": [], "detail": {"total": 50},
    });
    assert_eq!(got[0], ("all".to_owned(), expected));
    world.put("orders", json!({"total": 500})).await;
    let names: Vec<String> = world.queues.take().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["all", "large"]);
    world
        .ok("DisableRule", json!({"Name": "all", "EventBusName": "orders"}))
        .await;
    world.put("orders", json!({"total": 5})).await;
    assert!(world.queues.take().is_empty());
    world
        .ok("EnableRule", json!({"Name": "all", "EventBusName": "orders"}))
        .await;
    world
        .put(
            "arn:aws:events:us-east-1:000000000000:event-bus/orders",
            json!({"total": 5}),
        )
        .await;
    assert_eq!(world.queues.take().len(), 1);
}

#[tokio::test]
async fn what_a_target_refuses_goes_to_the_dead_letter_queue_with_the_reason() {
    let world = World::new().await;
    let target = json!([{"Id": "1", "Arn": queue("missing"), "DeadLetterConfig": {"Arn": queue("dead")}}]);
    world
        .rule("default", "r", json!({"source": ["shop"]}), target)
        .await;
    world.put("default", json!({"n": 1})).await;
    let got = world.queues.take();
    let [(name, message)] = got.as_slice() else {
        panic!("{got:?}")
    };
    assert_eq!(name, "dead");
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(body["detail"], json!({"n": 1}), "the event as it came");
    let attributes: Vec<String> = message
        .attributes
        .iter()
        .map(|attribute| format!("{}: {:?}", attribute.name, attribute.value))
        .collect();
    assert_eq!(
        attributes,
        [
            r#"RULE_ARN: Text("arn:aws:events:us-east-1:000000000000:rule/r")"#,
            r#"TARGET_ARN: Text("arn:aws:sqs:us-east-1:000000000000:missing")"#,
            r#"ERROR_CODE: Text("NO_RESOURCE")"#,
            r#"ERROR_MESSAGE: Text("arn:aws:sqs:us-east-1:000000000000:missing does not exist")"#,
            r#"RETRY_ATTEMPTS: Text("0")"#,
        ]
    );
}

#[tokio::test]
async fn a_bus_takes_the_dead_letters_of_targets_without_a_queue() {
    let world = World::new().await;
    let made = json!({"Name": "orders", "DeadLetterConfig": {"Arn": queue("dead")}});
    world.ok("CreateEventBus", made).await;
    world
        .rule("orders", "r", json!({"source": ["shop"]}), to("missing"))
        .await;
    world.put("orders", json!({})).await;
    assert_eq!(world.queues.bodies()[0].0, "dead");
}

#[tokio::test]
async fn an_event_goes_on_to_another_bus_and_never_round() {
    let world = World::new().await;
    for name in ["a", "b"] {
        world.ok("CreateEventBus", json!({"Name": name})).await;
        let other = if name == "a" { "b" } else { "a" };
        let targets = json!([
            {"Id": "bus", "Arn": format!("arn:aws:events:us-east-1:000000000000:event-bus/{other}"),
             "DeadLetterConfig": {"Arn": queue("round")}},
            {"Id": "queue", "Arn": queue(name)},
        ]);
        world.rule(name, "on", json!({"source": ["shop"]}), targets).await;
    }
    let id = world.put("a", json!({})).await;
    let got = world.queues.bodies();
    let names: Vec<&str> = got.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["a", "b", "round"]);
    assert!(
        got.iter().all(|(_, event)| event["id"] == json!(id)),
        "it is one event: {got:?}"
    );
}

#[tokio::test]
async fn entries_fail_one_by_one() {
    let world = World::new().await;
    world
        .rule("default", "r", json!({"source": ["shop"]}), to("q"))
        .await;
    let entries = json!({"Entries": [
        {"Source": "shop", "DetailType": "t", "Detail": "{}"},
        {"DetailType": "t", "Detail": "{}"},
        {"Source": "shop", "Detail": "{}"},
        {"Source": "shop", "DetailType": "t"},
        {"Source": "shop", "DetailType": "t", "Detail": "[]"},
        {"Source": "shop", "DetailType": "t", "Detail": "{"},
        {"Source": "aws.ec2", "DetailType": "t", "Detail": "{}"},
        {"Source": "shop", "DetailType": "t", "Detail": "{}", "EventBusName": "nowhere"},
    ]});
    let answer = world.ok("PutEvents", entries).await;
    assert_eq!(answer["FailedEntryCount"], 7);
    let codes: Vec<&str> = answer["Entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["ErrorCode"].as_str().unwrap_or("-"))
        .collect();
    let (argument, malformed) = ("InvalidArgument", "MalformedDetail");
    assert_eq!(
        codes,
        [
            "-",
            argument,
            argument,
            argument,
            malformed,
            malformed,
            "NotAuthorizedForSource",
            argument
        ]
    );
    assert_eq!(
        answer["Entries"][1]["ErrorMessage"],
        "Parameter Source is not valid. Reason: Source is a required argument."
    );
    assert_eq!(world.queues.take().len(), 1, "the good one is delivered");
    let many: Vec<Value> = vec![json!({"Source": "s", "DetailType": "t", "Detail": "{}"}); 11];
    assert_eq!(
        world.refused("PutEvents", json!({"Entries": many})).await.0,
        "ValidationException"
    );
    let detail = json!({"x": "y".repeat(1024 * 1024)}).to_string();
    let large = json!({"Entries": [{"Source": "s", "DetailType": "t", "Detail": detail}]});
    let (code, text) = world.refused("PutEvents", large).await;
    assert_eq!(
        (code.as_str(), text.as_str()),
        (
            "ValidationException",
            "Total size of the entries in the request is over the limit."
        )
    );
}

#[tokio::test]
async fn time_resources_and_trace_are_the_senders() {
    let world = World::new().await;
    world
        .rule("default", "r", json!({"resources": ["arn:x"]}), to("q"))
        .await;
    let trace = "Root=1-5e5ffb9e-0123456789abcdef01234567;Sampled=1";
    let entry = json!({
        "Source": "shop", "DetailType": "t", "Detail": "{\"n\":1.10}", "Time": 1_600_000_000.5,
        "Resources": ["arn:x"], "TraceHeader": trace,
    });
    world.ok("PutEvents", json!({"Entries": [entry]})).await;
    let got = world.queues.take();
    let message = &got[0].1;
    let text = String::from_utf8(message.body.to_vec()).unwrap();
    assert!(text.contains(r#""time":"2020-09-13T12:26:40Z""#), "{text}");
    assert!(
        text.ends_with(r#""resources":["arn:x"],"detail":{"n":1.10}}"#),
        "{text}"
    );
    assert_eq!(message.trace.root(), "1-5e5ffb9e-0123456789abcdef01234567");
    assert_eq!(message.sender, "events.amazonaws.com");
    assert_eq!(message.source, "arn:aws:events:us-east-1:000000000000:rule/r");
}

#[tokio::test]
async fn buses_are_made_described_and_deleted() {
    let mut world = World::new().await;
    let tags = json!([{"Key": "team", "Value": "shop"}]);
    let made = world
        .ok(
            "CreateEventBus",
            json!({"Name": "orders", "Description": "d", "Tags": tags}),
        )
        .await;
    let arn = "arn:aws:events:us-east-1:000000000000:event-bus/orders";
    assert_eq!(made["EventBusArn"], arn);
    let (code, text) = world.refused("CreateEventBus", json!({"Name": "orders"})).await;
    assert_eq!(
        (code.as_str(), text.as_str()),
        (
            "ResourceAlreadyExistsException",
            "Event bus orders already exists."
        )
    );
    assert_eq!(
        world
            .refused("CreateEventBus", json!({"Name": "default"}))
            .await
            .0,
        "ResourceAlreadyExistsException"
    );
    world.restart().await;
    assert_eq!(
        world.ok("ListTagsForResource", json!({"ResourceARN": arn})).await["Tags"],
        tags
    );
    let described = world.ok("DescribeEventBus", json!({"Name": arn})).await;
    assert_eq!(described["Description"], "d");
    assert_eq!(described["CreationTime"], json!(1_700_000_000.0));
    let listed = world.ok("ListEventBuses", json!({})).await;
    let names: Vec<&Value> = listed["EventBuses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bus| &bus["Name"])
        .collect();
    assert_eq!(names, ["default", "orders"]);
    world
        .rule("orders", "r", json!({"source": ["shop"]}), to("q"))
        .await;
    assert_eq!(
        world.refused("DeleteEventBus", json!({"Name": "orders"})).await.0,
        "ValidationException"
    );
    let rule = json!({"Name": "r", "EventBusName": "orders"});
    let (_, text) = world.refused("DeleteRule", rule.clone()).await;
    assert_eq!(text, "Rule can't be deleted since it has targets.");
    world
        .ok(
            "RemoveTargets",
            json!({"Rule": "r", "EventBusName": "orders", "Ids": ["1"]}),
        )
        .await;
    for _ in 0..2 {
        world.ok("DeleteRule", rule.clone()).await;
    }
    world.ok("DeleteEventBus", json!({"Name": "orders"})).await;
    world.restart().await;
    let (code, text) = world.refused("DescribeEventBus", json!({"Name": "orders"})).await;
    assert_eq!(
        (code.as_str(), text.as_str()),
        ("ResourceNotFoundException", "Event bus orders does not exist.")
    );
    assert_eq!(
        world
            .refused("DeleteEventBus", json!({"Name": "default"}))
            .await
            .0,
        "ValidationException"
    );
}

#[tokio::test]
async fn policies_are_kept() {
    let mut world = World::new().await;
    let statement = json!({"Action": "events:PutEvents", "Principal": "123456789012", "StatementId": "one"});
    world.ok("PutPermission", statement).await;
    world.restart().await;
    let policy = world.ok("DescribeEventBus", json!({})).await["Policy"]
        .as_str()
        .unwrap()
        .to_owned();
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let expected = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "one", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "events:PutEvents", "Resource": "arn:aws:events:us-east-1:000000000000:event-bus/default",
    }]});
    assert_eq!(policy, expected);
    assert_eq!(
        world
            .refused("RemovePermission", json!({"StatementId": "two"}))
            .await
            .0,
        "ResourceNotFoundException"
    );
    world.ok("RemovePermission", json!({"StatementId": "one"})).await;
    assert_eq!(world.ok("DescribeEventBus", json!({})).await.get("Policy"), None);
}

#[tokio::test]
async fn a_pattern_is_tried_on_an_event() {
    let world = World::new().await;
    let event = json!({"id": "1", "account": "0", "source": "shop", "time": "t", "region": "r", "resources": [], "detail-type": "d"});
    for (source, expected) in [("shop", true), ("other", false)] {
        let tried =
            json!({"EventPattern": json!({"source": [source]}).to_string(), "Event": event.to_string()});
        assert_eq!(world.ok("TestEventPattern", tried).await["Result"], expected);
    }
    let tried = json!({"EventPattern": "{\"source\":[\"s\"]}", "Event": "{\"source\":\"s\"}"});
    assert_eq!(
        world.refused("TestEventPattern", tried).await.0,
        "ValidationException"
    );
}

#[tokio::test]
async fn three_hundred_rules_are_listed_in_pages() {
    let world = World::new().await;
    for n in 0..300 {
        let pattern = json!({"detail": {"n": [n]}}).to_string();
        world
            .ok(
                "PutRule",
                json!({"Name": format!("r{n:03}"), "EventPattern": pattern}),
            )
            .await;
    }
    let (mut names, mut token) = (Vec::new(), None);
    loop {
        let page = world
            .ok("ListRules", json!({"NamePrefix": "r", "NextToken": token}))
            .await;
        names.extend(
            page["Rules"]
                .as_array()
                .unwrap()
                .iter()
                .map(|rule| rule["Name"].as_str().unwrap().to_owned()),
        );
        token = page.get("NextToken").cloned();
        if token.is_none() {
            break;
        }
    }
    assert!(names.len() == 300 && names.is_sorted(), "{}", names.len());
}

#[tokio::test]
async fn targets_get_parts_of_the_event_or_a_text_made_of_it() {
    let world = World::new().await;
    let targets = json!([
        {"Id": "1", "Arn": queue("part"), "InputPath": "$.detail.order"},
        {"Id": "2", "Arn": queue("nothing"), "InputPath": "$.detail.none"},
        {"Id": "3", "Arn": queue("text"), "InputTransformer": {
            "InputPathsMap": {"id": "$.detail.order.id"}, "InputTemplate": "\"order <id> by <aws.events.rule-name>\""}},
    ]);
    world
        .rule("default", "r", json!({"source": ["shop"]}), targets)
        .await;
    world.put("default", json!({"order": {"id": 7}})).await;
    let got = world.queues.bodies();
    let expected = [
        ("nothing", json!({})),
        ("part", json!({"id": 7})),
        ("text", json!("order 7 by r")),
    ];
    assert_eq!(got, expected.map(|(name, body)| (name.to_owned(), body)));
    let wrong = json!([{"Id": "1", "Arn": queue("q"), "InputTransformer": {"InputTemplate": "<none>"}}]);
    let (_, text) = world
        .refused("PutTargets", json!({"Rule": "r", "Targets": wrong}))
        .await;
    assert_eq!(
        text,
        "InputTemplate for target 1 contains invalid placeholder none."
    );
}

fn topic(cluster: &str, topic: &str) -> String {
    format!("arn:aws:kafka:us-east-1:000000000000:topic/{cluster}/any/{topic}")
}

#[tokio::test]
async fn a_topic_is_a_target_with_a_key() {
    let world = World::new().await;
    world
        .ok(
            "PutRule",
            json!({"Name": "r", "EventPattern": r#"{"source": ["shop"]}"#}),
        )
        .await;
    let target = json!({"Id": "1", "Arn": topic("shop", "orders"), "KinesisParameters": {"PartitionKeyPath": "$.detail.id"}});
    world
        .ok("PutTargets", json!({"Rule": "r", "Targets": [target]}))
        .await;
    let shown = world.ok("ListTargetsByRule", json!({"Rule": "r"})).await;
    assert_eq!(shown["Targets"], json!([target]));
}

#[tokio::test]
async fn events_of_ones_own_are_counted_by_bus() {
    let world = World::new().await;
    let meter = tradewind_observe::usage::Meter::default();
    world.service.router().count_in(meter.clone());
    world.put("default", json!({"text": "x".repeat(65 * 1024)})).await;
    let bus: tradewind_model::Arn = "arn:aws:events:us-east-1:000000000000:event-bus/default"
        .parse()
        .unwrap();
    let own = br#"{"source": "aws.s3", "detail-type": "Object Created", "detail": {}}"#;
    let message = tradewind_events::Message {
        body: own.to_vec().into(),
        ..tradewind_events::Message::default()
    };
    let mut routing = tradewind_events::Routing::new(tradewind_store::Batch::new());
    world
        .service
        .router()
        .deliver(&mut routing, &bus, message)
        .unwrap();
    world
        .service
        .database()
        .write(routing.into_batch())
        .await
        .unwrap();
    let counted = meter.take().into_iter();
    let counted: Vec<_> = counted
        .map(|c| (c.item.as_str(), c.resource, c.quantity))
        .collect();
    assert_eq!(counted, [("events.custom", bus.to_string().into(), 2)]);
}
