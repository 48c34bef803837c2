use serde_json::{Value, json};

use tradewind_events::api_destination::DestinationFailure;

use crate::FunctionFailure;
use crate::testing::{BUS, DESTINATION, FUNCTION, ROLE, World, queue};

#[tokio::test]
async fn messages_go_on_filtered_and_shaped() {
    let world = World::new().await;
    let more = json!({
        "SourceParameters": {"FilterCriteria": {"Filters": [{"Pattern": r#"{"body": {"total": [{"numeric": [">", 5]}]}}"#}]}},
        "TargetParameters": {"InputTemplate": r#"{"order": <$.body.id>, "pipe": "<aws.pipes.pipe-name>"}"#},
    });
    let (status, pipe) = world.pipe(&queue("target"), more).await;
    assert_eq!((status, &pipe["CurrentState"]), (200, &json!("RUNNING")));
    world.run();
    world
        .send(&[
            r#"{"id": 1, "total": 9}"#,
            r#"{"id": 2, "total": 1}"#,
            "no json",
            r#"{"id": 3, "total": 6}"#,
        ])
        .await;
    let mut got = world.receive("target", 2).await;
    got.sort_by_key(Value::to_string);
    assert_eq!(
        got,
        [json!({"order": 1, "pipe": "p"}), json!({"order": 3, "pipe": "p"})]
    );
    world.stop().await;
    assert_eq!(world.depth("source").await, 0);
    assert_eq!(world.depth("target").await, 2);
}

#[tokio::test]
async fn a_function_gets_a_batch_and_may_fail_at_a_part_of_it() {
    let world = World::new().await;
    world.send(&["first", "second", "third"]).await;
    // it names the second message, once it has seen its id
    let id = |event: &Value, body: &str| {
        let all = event.as_array().unwrap();
        all.iter().find(|record| record["body"] == body).unwrap()["messageId"].clone()
    };
    let answers = [Err(FunctionFailure::Failed)];
    world.functions.answers.lock().unwrap().extend(answers);
    let (status, _) = world.pipe(FUNCTION, json!({})).await;
    assert_eq!(status, 200);
    world.run();
    until(|| world.service.problem(&world.service.pipes()[0].id).is_some()).await;
    let (function, event) = world.functions.events.lock().unwrap()[0].clone();
    assert_eq!(function, FUNCTION);
    assert_eq!(event.as_array().unwrap().len(), 3);
    assert_eq!(event[0]["eventSource"], "aws:sqs");
    assert_eq!(world.depth("source").await, 3, "a failed batch stays");
    let (_, shown) = world.call("GET", "/v1/pipes/p", Value::Null).await;
    assert_eq!(shown["StateReason"], "the target: the function failed");
    let failed = json!({"batchItemFailures": [{"itemIdentifier": id(&event, "second")}]});
    world.functions.answers.lock().unwrap().push_back(Ok(failed));
    world.pass(31);
    until(|| world.functions.events.lock().unwrap().len() == 2).await;
    world.stop().await;
    assert_eq!(
        world.depth("source").await,
        1,
        "what the function failed at stays"
    );
}

#[tokio::test]
async fn an_answer_that_cannot_be_understood_fails_the_batch() {
    let world = World::new().await;
    let failure = |id: Value| json!({"batchItemFailures": [{"itemIdentifier": id}]});
    let answers = [
        failure(Value::Null),
        failure(json!("of another batch")),
        json!({"batchItemFailures": [{"id": "a"}]}),
        json!("done"),
    ];
    let answers = answers.map(Ok);
    world.functions.answers.lock().unwrap().extend(answers);
    world.send(&["first", "second"]).await;
    world.pipe(FUNCTION, json!({})).await;
    world.run();
    for called in 1..=3 {
        until(|| world.service.problem(&world.service.pipes()[0].id).is_some()).await;
        let calls = world.functions.events.lock().unwrap().len();
        assert_eq!((calls, world.depth("source").await), (called, 2));
        world.service.tell(&world.service.pipes()[0].id, None);
        world.pass(31);
    }
    until(|| world.functions.events.lock().unwrap().len() == 4).await;
    world.stop().await;
    assert_eq!(
        world.depth("source").await,
        0,
        "what is no object reports no failures"
    );
}

#[tokio::test]
async fn behind_a_message_that_failed_its_group_waits() {
    let world = World::new().await;
    let large = "x".repeat(900_000);
    let sent = [
        ("a", "1"),
        ("a", "2"),
        ("b", "1"),
        ("a", "3"),
        ("b", "2"),
        ("b", "3"),
        ("a", "4"),
        ("c", "1"),
    ];
    let bodies = sent.map(|(group, n)| (group, format!("{group}{n} {large}")));
    let bodies: Vec<(&str, &str)> = bodies
        .iter()
        .map(|(group, body)| (*group, body.as_str()))
        .collect();
    world.send_ordered(&bodies).await;
    let pipe = json!({"Source": queue("source.fifo")});
    // the first part of the batch is six messages, and fails
    world
        .functions
        .answers
        .lock()
        .unwrap()
        .push_back(Err(FunctionFailure::Failed));
    world.pipe(FUNCTION, pipe).await;
    world.run();
    until(|| world.service.problem(&world.service.pipes()[0].id).is_some()).await;
    let calls = std::mem::take(&mut *world.functions.events.lock().unwrap());
    let seen: Vec<Vec<String>> = calls.iter().map(|(_, event)| starts(event)).collect();
    assert_eq!(seen, [vec!["a1", "a2", "a3", "a4", "b1", "b2"], vec!["c1"]]);
    assert_eq!(world.depth("source.fifo").await, 7);
    // now the function fails at one of them only
    let failed = calls[0].1[1]["messageId"].clone();
    let failed = json!({"batchItemFailures": [{"itemIdentifier": failed}]});
    world.functions.answers.lock().unwrap().push_back(Ok(failed));
    world.pass(31);
    until(|| world.functions.events.lock().unwrap().len() == 2).await;
    world.stop().await;
    let calls = world.functions.events.lock().unwrap().clone();
    let seen: Vec<Vec<String>> = calls.iter().map(|(_, event)| starts(event)).collect();
    assert_eq!(seen, [vec!["a1", "a2", "a3", "a4", "b1", "b2"], vec!["b3"]]);
    assert_eq!(world.depth("source.fifo").await, 3, "a2, a3 and a4");
}

/// The first word of each body.
fn starts(event: &Value) -> Vec<String> {
    let records = event.as_array().unwrap().iter();
    let bodies = records.map(|record| record["body"].as_str().unwrap());
    bodies
        .map(|body| body.split(' ').next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_enrichment_makes_the_events() {
    let world = World::new().await;
    let answers = [Ok(json!([{"n": 1}, {"n": 2}])), Ok(json!([]))];
    world.functions.answers.lock().unwrap().extend(answers);
    let more = json!({
        "Enrichment": FUNCTION,
        "EnrichmentParameters": {"InputTemplate": "<$.body>"},
        "TargetParameters": {"InputTemplate": r#"{"m": <$.n>}"#},
    });
    world.pipe(&queue("target"), more).await;
    world.run();
    world.send(&[r#"{"a": "b"}"#]).await;
    let mut got = world.receive("target", 2).await;
    got.sort_by_key(Value::to_string);
    assert_eq!(got, [json!({"m": 1}), json!({"m": 2})]);
    assert_eq!(world.functions.events.lock().unwrap()[0].1, json!([{"a": "b"}]));
    // an empty answer is no event
    world.send(&["x"]).await;
    until(|| world.functions.events.lock().unwrap().len() == 2).await;
    world.stop().await;
    assert_eq!((world.depth("source").await, world.depth("target").await), (0, 2));
}

#[tokio::test]
async fn a_bus_gets_events_with_their_envelope() {
    let world = World::new().await;
    let more = json!({"TargetParameters": {
        "InputTemplate": "<$.body>",
        "EventBridgeEventBusParameters": {"DetailType": "$.body.kind", "Resources": ["arn:x", "$.body.nothing"]},
    }});
    world.pipe(BUS, more).await;
    world.run();
    world.send(&[r#"{"kind": "Order Placed"}"#]).await;
    let event = world.receive("taken", 1).await.remove(0);
    assert_eq!(event["detail-type"], "Order Placed");
    assert_eq!(event["source"], "Pipe p");
    assert_eq!(event["resources"], json!(["arn:x"]));
    assert_eq!(event["detail"], json!({"kind": "Order Placed"}));
    assert_eq!(event["time"], "2023-11-14T22:13:20Z");
    world.stop().await;
}

#[tokio::test]
async fn a_message_that_the_target_does_not_take_keeps_no_other_from_it() {
    let world = World::new().await;
    world.send(&[r#"{"n": 1}"#, "5", r#"{"n": 2}"#]).await;
    world
        .pipe(BUS, json!({"TargetParameters": {"InputTemplate": "<$.body>"}}))
        .await;
    world.run();
    let events = world.receive("taken", 2).await;
    let details: Vec<&Value> = events.iter().map(|event| &event["detail"]["n"]).collect();
    assert_eq!(details, [1, 2]);
    until(|| world.service.problem(&world.service.pipes()[0].id).is_some()).await;
    world.stop().await;
    assert_eq!((world.depth("source").await, world.depth("taken").await), (1, 2));
}

#[tokio::test]
async fn a_batch_that_is_too_large_for_a_function_comes_in_parts() {
    let world = World::new().await;
    let large = "x".repeat(900_000);
    for _ in 0..8 {
        world.send(&[&large]).await;
    }
    world.pipe(FUNCTION, json!({})).await;
    world.run();
    until(|| world.functions.events.lock().unwrap().len() == 2).await;
    world.stop().await;
    let events = world.functions.events.lock().unwrap().clone();
    let sizes: Vec<usize> = events
        .iter()
        .map(|(_, event)| event.as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [6, 2]);
    assert_eq!(world.depth("source").await, 0);
}

#[tokio::test]
async fn a_batch_that_fills_an_event_does_not_wait_for_more() {
    let world = World::new().await;
    let large = "x".repeat(900_000);
    for _ in 0..12 {
        world.send(&[&large]).await;
    }
    let batch = json!({"BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 300});
    let more = json!({"SourceParameters": {"SqsQueueParameters": batch}});
    assert_eq!(world.pipe(FUNCTION, more).await.0, 200);
    world.run();
    until(|| world.functions.events.lock().unwrap().len() == 2).await;
    world.stop().await;
    let events = world.functions.events.lock().unwrap().clone();
    let sizes = events.iter().map(|(_, event)| event.as_array().unwrap().len());
    assert_eq!(sizes.collect::<Vec<_>>()[..2], [6, 4]);
}

#[tokio::test]
async fn a_function_that_is_not_waited_for_gets_a_list() {
    let world = World::new().await;
    let more = json!({"TargetParameters": {
        "InputTemplate": "<$.body>",
        "LambdaFunctionParameters": {"InvocationType": "FIRE_AND_FORGET"},
    }});
    world.pipe(FUNCTION, more).await;
    world.run();
    world.send(&["5"]).await;
    assert_eq!(world.receive("taken", 1).await, [json!([5])]);
    world.stop().await;
}

#[tokio::test]
async fn pipes_are_changed_stopped_and_listed() {
    let mut world = World::new().await;
    let more = json!({"Description": "d", "DesiredState": "STOPPED", "Tags": {"team": "shop"}});
    let (_, made) = world.pipe(&queue("target"), more).await;
    assert_eq!(made["Arn"], "arn:aws:pipes:us-east-1:000000000000:pipe/p");
    assert_eq!(made["CurrentState"], "STOPPED");
    let (status, error) = world.pipe(&queue("target"), json!({})).await;
    assert_eq!(
        (status, &error["message"]),
        (409, &json!("Pipe p already exists."))
    );
    let (_, changed) = world
        .call("PUT", "/v1/pipes/p", json!({"RoleArn": ROLE, "Target": BUS}))
        .await;
    assert_eq!(changed["CurrentState"], "STOPPED");
    world.restart().await;
    let (_, shown) = world.call("GET", "/v1/pipes/p", Value::Null).await;
    assert_eq!(
        (&shown["Target"], &shown["Description"]),
        (&json!(BUS), &json!("d"))
    );
    assert_eq!(shown["Tags"], json!({"team": "shop"}));
    let (_, started) = world.call("POST", "/v1/pipes/p/start", Value::Null).await;
    assert_eq!(started["CurrentState"], "RUNNING");
    let (_, list) = world
        .call("GET", "/v1/pipes?NamePrefix=p&CurrentState=RUNNING", Value::Null)
        .await;
    assert_eq!(list["Pipes"][0]["Name"], "p");
    let (_, none) = world
        .call("GET", "/v1/pipes?CurrentState=STOPPED", Value::Null)
        .await;
    assert_eq!(none["Pipes"], json!([]));
    let tags = "/tags/arn%3Aaws%3Apipes%3Aus-east-1%3A000000000000%3Apipe%2Fp";
    world.call("POST", tags, json!({"tags": {"a": "b"}})).await;
    world
        .call("DELETE", &format!("{tags}?tagKeys=team"), Value::Null)
        .await;
    let (_, left) = world.call("GET", tags, Value::Null).await;
    assert_eq!(left["tags"], json!({"a": "b"}));
    let (_, gone) = world.call("DELETE", "/v1/pipes/p", Value::Null).await;
    assert_eq!(gone["DesiredState"], "DELETED");
    let (status, error) = world.call("GET", "/v1/pipes/p", Value::Null).await;
    assert_eq!(
        (status, &error["message"]),
        (404, &json!("Pipe p does not exist."))
    );
}

#[tokio::test]
async fn a_pipe_that_is_stopped_leaves_its_queue_alone() {
    let world = World::new().await;
    world.pipe(&queue("target"), json!({})).await;
    world.run();
    world.send(&["1"]).await;
    world.receive("target", 1).await;
    world.call("POST", "/v1/pipes/p/stop", Value::Null).await;
    world.send(&["2"]).await;
    world.stop().await;
    assert_eq!((world.depth("source").await, world.depth("target").await), (1, 1));
}

#[tokio::test]
async fn what_is_not_honoured_is_refused_by_name() {
    let world = World::new().await;
    let stream = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
    let filters =
        |pattern: &str| json!({"SourceParameters": {"FilterCriteria": {"Filters": [{"Pattern": pattern}]}}});
    let batch = |size: u32| json!({"SourceParameters": {"SqsQueueParameters": {"BatchSize": size}}});
    for (target, more, named) in [
        (stream, json!({}), "the target arn:aws:kinesis"),
        (BUS, json!({"Source": stream}), "the source arn:aws:kinesis"),
        (
            BUS,
            json!({"Source": queue("missing")}),
            "The source cannot be used",
        ),
        (
            FUNCTION,
            json!({"Enrichment": stream}),
            "the enrichment arn:aws:kinesis",
        ),
        (
            "arn:aws:lambda:us-east-1:000000000000:function:missing",
            json!({}),
            "The target cannot be used",
        ),
        (
            BUS,
            json!({"LogConfiguration": {"Level": "ERROR"}}),
            "LogConfiguration",
        ),
        (BUS, json!({"KmsKeyIdentifier": "k"}), "KmsKeyIdentifier"),
        (
            BUS,
            json!({"TargetParameters": {"HttpParameters": {}}}),
            "HttpParameters",
        ),
        (
            BUS,
            json!({"TargetParameters": {"SqsQueueParameters": {}}}),
            "SqsQueueParameters",
        ),
        (
            BUS,
            json!({"TargetParameters": {"InputTemplate": "no quotes"}}),
            "Invalid InputTemplate",
        ),
        (BUS, json!({"RoleArn": "role"}), "roleArn"),
        (
            "arn:aws:events:us-east-1:000000000000:api-destination/missing/1",
            json!({}),
            "The target cannot be used",
        ),
        (
            DESTINATION,
            json!({"TargetParameters": {"HttpParameters": {"HeaderParameters": {"Host": "x"}}}}),
            "the header Host cannot be set",
        ),
        (
            DESTINATION,
            json!({"TargetParameters": {"EventBridgeEventBusParameters": {}}}),
            "EventBridgeEventBusParameters",
        ),
        (
            BUS,
            json!({"Enrichment": FUNCTION, "EnrichmentParameters": {"HttpParameters": {}}}),
            "EnrichmentParameters.HttpParameters",
        ),
        (
            BUS,
            filters(r#"{"body": 1}"#),
            "\"body\" must be an object or an array",
        ),
        (BUS, batch(0), "between 1 and 10000"),
        (
            BUS,
            batch(11),
            "greater than 0 if maximum batch size is greater than 10",
        ),
    ] {
        let (status, error) = world.pipe(target, more.clone()).await;
        let text = error["message"].as_str().unwrap_or_default();
        assert!(status == 400 && text.contains(named), "{more}: {status} {text}");
    }
    assert!(world.service.pipes().is_empty());
    let (status, _) = world.call("PUT", "/v1/pipes/p", json!({"RoleArn": ROLE})).await;
    assert_eq!(status, 404);
}

/// Lets others go on until it is so; a test that waits for ever is stopped by its own time.
async fn until(is: impl Fn() -> bool) {
    let waited = async {
        while !is() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), waited)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_topic_is_a_target_and_its_cluster_is_known() {
    let world = World::new().await;
    let topic = |cluster: &str| format!("arn:aws:kafka:us-east-1:000000000000:topic/{cluster}/any/orders");
    let key = json!({"TargetParameters": {"KinesisStreamParameters": {"PartitionKey": "$.body.id"}}});
    let (status, refused) = world.pipe(&topic("nobody"), key.clone()).await;
    assert_eq!(status, 400);
    assert!(
        refused.to_string().contains("--kafka nobody=HOST:PORT"),
        "{refused}"
    );
    let (status, refused) = world.pipe(&queue("target"), key.clone()).await;
    assert_eq!(status, 400);
    assert!(refused.to_string().contains("does not belong"), "{refused}");
    let (status, _) = world.pipe(&topic("shop"), key).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn an_api_destination_gets_each_event_as_a_request() {
    let world = World::new().await;
    let failure = Err(DestinationFailure("the endpoint answered 503".into()));
    world.destinations.answers.lock().unwrap().push_back(failure);
    let more = json!({"TargetParameters": {
        "InputTemplate": r#"{"order": <$.body.id>}"#,
        "HttpParameters": {"PathParameterValues": ["$.body.id"], "HeaderParameters": {"x-shop": "north"}},
    }});
    assert_eq!(world.pipe(DESTINATION, more).await.0, 200);
    world
        .send(&[r#"{"id": 1}"#, r#"{"id": 2}"#, r#"{"id": 3}"#])
        .await;
    world.run();
    let asked = || world.destinations.requests.lock().unwrap().len();
    until(|| asked() == 3).await;
    until(|| world.service.problem(&world.service.pipes()[0].id).is_some()).await;
    let (_, shown) = world.call("GET", "/v1/pipes/p", Value::Null).await;
    assert_eq!(shown["StateReason"], "the target: the endpoint answered 503");
    assert_eq!(world.depth("source").await, 1, "what failed stays");
    world.pass(31);
    until(|| asked() == 4).await;
    world.stop().await;
    assert_eq!(world.depth("source").await, 0);
    let requests = world.destinations.requests.lock().unwrap();
    assert_eq!(requests[0].body, requests[3].body, "the same again");
    for request in requests.iter() {
        let id = &request.http.path_parameter_values[0];
        assert_eq!(request.body, format!("{{\"order\":{id}}}"));
        assert_eq!(request.http.header_parameters["x-shop"], "north");
        assert_eq!(request.destination.to_string(), DESTINATION);
    }
}

#[tokio::test]
async fn an_api_destination_enriches_each_event() {
    let world = World::new().await;
    let answers = [
        json!({"price": 5}),
        json!([]),
        json!([{"price": 6}, {"price": 7}]),
    ];
    world.destinations.answers.lock().unwrap().extend(answers.map(Ok));
    let more = json!({
        "Enrichment": DESTINATION,
        "EnrichmentParameters": {"HttpParameters": {"QueryStringParameters": {"of": "$.body"}}},
        "TargetParameters": {"InputTemplate": r#"{"costs": <$.price>}"#},
    });
    assert_eq!(world.pipe(&queue("target"), more).await.0, 200);
    world.send(&["1", "2", "3"]).await;
    world.run();
    let mut got = world.receive("target", 3).await;
    got.sort_by_key(Value::to_string);
    assert_eq!(got, [5, 6, 7].map(|price| json!({"costs": price})));
    world.stop().await;
    assert_eq!(world.depth("source").await, 0);
    let requests = world.destinations.requests.lock().unwrap();
    let mut asked: Vec<_> = requests
        .iter()
        .map(|request| &*request.http.query_string_parameters["of"])
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, ["1", "2", "3"]);
}
