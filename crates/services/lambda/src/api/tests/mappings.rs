use serde_json::{Value, json};

use super::{ARN, SOURCE};
use crate::testing::World;

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:orders";
const FIFO: &str = "arn:aws:sqs:us-east-1:000000000000:orders.fifo";

async fn world() -> World {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    world
}

fn pair(function: &str, source: &str) -> Value {
    json!({"FunctionName": function, "EventSourceArn": source})
}

/// `pair` with more members.
fn with(source: &str, more: &Value) -> Value {
    let mut body = pair("f", source);
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn of(mapping: &Value) -> String {
    format!("{MAPPINGS}/{}", mapping["UUID"].as_str().unwrap())
}

#[tokio::test]
async fn a_mapping_is_made_shown_changed_and_deleted() {
    let mut world = world().await;
    let made = world
        .call("POST", &format!("{MAPPINGS}/"), &pair("f", QUEUE))
        .await;
    assert_eq!(made.status, 202, "{made:?}");
    let made = made.json();
    let id = made["UUID"].as_str().unwrap();
    let mut expected = json!({
        "UUID": id, "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0, "EventSourceArn": QUEUE,
        "FunctionArn": ARN, "LastModified": 1_700_000_000.0, "State": "Creating",
        "StateTransitionReason": "USER_INITIATED", "FunctionResponseTypes": [],
        "EventSourceMappingArn": format!("arn:aws:lambda:us-east-1:000000000000:event-source-mapping:{id}"),
    });
    assert_eq!(made, expected);
    expected["State"] = json!("Enabled");
    assert_eq!(world.call("GET", &of(&made), &Value::Null).await.json(), expected);

    world.clock.advance_millis(1_500);
    let change = json!({
        "BatchSize": 100, "MaximumBatchingWindowInSeconds": 2, "ScalingConfig": {"MaximumConcurrency": 7},
        "FunctionResponseTypes": ["ReportBatchItemFailures"], "Enabled": false,
        "FilterCriteria": {"Filters": [{"Pattern": "{\"body\":{\"a\":[\"b\"]}}"}]},
    });
    let changed = world.call("PUT", &of(&made), &change).await;
    assert_eq!(
        (changed.status, &changed.json()["State"]),
        (202, &json!("Disabling"))
    );
    for (name, value) in change.as_object().unwrap() {
        expected[name] = value.clone();
    }
    expected.as_object_mut().unwrap().remove("Enabled");
    (expected["State"], expected["LastModified"]) = (json!("Disabled"), json!(1_700_000_001.5));
    world.service = world.reopened().await;
    assert_eq!(world.call("GET", &of(&made), &Value::Null).await.json(), expected);

    let cleared = json!({
        "ScalingConfig": {}, "FunctionResponseTypes": [], "FilterCriteria": {}, "Enabled": true,
    });
    let cleared = world.call("PUT", &of(&made), &cleared).await.json();
    assert_eq!(
        (cleared.get("ScalingConfig"), &cleared["State"]),
        (None, &json!("Enabling"))
    );
    assert_eq!(
        (&cleared["BatchSize"], &cleared["FunctionResponseTypes"]),
        (&json!(100), &json!([]))
    );

    let deleted = world.call("DELETE", &of(&made), &Value::Null).await;
    assert_eq!(
        (deleted.status, &deleted.json()["State"]),
        (202, &json!("Deleting"))
    );
    for method in ["GET", "PUT", "DELETE"] {
        let gone = world.call(method, &of(&made), &json!({})).await.error();
        let text = "The resource you requested does not exist.".to_owned();
        assert_eq!(gone, (404, "ResourceNotFoundException".into(), text), "{method}");
    }
    world.service = world.reopened().await;
    assert_eq!(world.call("GET", &of(&made), &Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_pair_has_one_mapping() {
    let world = world().await;
    let made = world.call("POST", MAPPINGS, &pair("f", QUEUE)).await.json();
    let (status, code, text) = world.call("POST", MAPPINGS, &pair(ARN, QUEUE)).await.error();
    assert_eq!((status, code.as_str()), (409, "ResourceConflictException"));
    let id = made["UUID"].as_str().unwrap();
    assert!(
        text.contains(&format!("(\" {QUEUE} \") and function (\" f \")")) && text.ends_with(id),
        "{text}"
    );
    world
        .call("POST", "/2015-03-31/functions/f/versions", &json!({}))
        .await;
    let live = json!({"Name": "live", "FunctionVersion": "1"});
    world.call("POST", "/2015-03-31/functions/f/aliases", &live).await;
    for name in ["f:1", "f:live"] {
        let made = world.call("POST", MAPPINGS, &pair(name, QUEUE)).await;
        assert_eq!(made.status, 202, "{made:?}");
        assert_eq!(made.json()["FunctionArn"], name.replacen('f', ARN, 1));
    }
    assert_eq!(world.call("POST", MAPPINGS, &pair("f", FIFO)).await.status, 202);
}

#[tokio::test]
async fn what_a_queue_does_not_allow_is_refused_as_aws_words_it() {
    let world = world().await;
    let cases = [
        (pair("g", QUEUE), "Function does not exist"),
        (json!({"FunctionName": "f"}), "Unrecognized event source."),
        (pair("f", "arn:aws:s3:::bucket"), "Unrecognized event source."),
        (
            pair("f", "arn:aws:sqs:us-east-1:000000000000:no-such"),
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS \
             Error Message: The specified queue does not exist.",
        ),
        (
            with(QUEUE, &json!({"BatchSize": 11})),
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
        ),
        (
            with(FIFO, &json!({"MaximumBatchingWindowInSeconds": 1})),
            "Batching window is not supported for FIFO queues",
        ),
        (
            with(FIFO, &json!({"BatchSize": 11})),
            "Maximum batch size of a FIFO queue is 10",
        ),
        (
            with(QUEUE, &json!({"StartingPosition": "LATEST"})),
            "StartingPosition is not valid for SQS event sources.",
        ),
        (
            with(
                QUEUE,
                &json!({"DestinationConfig": {"OnFailure": {"Destination": QUEUE}}}),
            ),
            "Unsupported DestinationConfig parameter for given event source mapping type.",
        ),
        (
            with(QUEUE, &json!({"BisectBatchOnFunctionError": false})),
            "Unsupported BisectBatchOnFunctionError parameter for given event source mapping type.",
        ),
        (
            with(
                QUEUE,
                &json!({"FilterCriteria": {"Filters": [{"Pattern": "simple"}]}}),
            ),
            "Invalid filter pattern definition.",
        ),
        (
            pair("f", "arn:aws:kinesis:us-east-1:000000000000:stream/s"),
            "event sources of `kinesis` are not supported yet; this node reads queues (`arn:aws:sqs:…`) and \
             topics of Kafka",
        ),
        (
            with(QUEUE, &json!({"ProvisionedPollerConfig": {"MinimumPollers": 2}})),
            "`ProvisionedPollerConfig` is not supported yet: pollers scale with the queue; use `ScalingConfig` to \
             bound them",
        ),
    ];
    for (body, expected) in cases {
        let (status, code, text) = world.call("POST", MAPPINGS, &body).await.error();
        assert_eq!(
            (status, code.as_str()),
            (400, "InvalidParameterValueException"),
            "{body}"
        );
        assert_eq!(text, expected, "{body}");
    }
    let listed = world.call("GET", MAPPINGS, &Value::Null).await.json();
    assert_eq!(listed, json!({"EventSourceMappings": []}));
}

#[tokio::test]
async fn what_a_topic_does_not_allow_is_refused() {
    let world = world().await;
    let topic = |more: &Value| {
        let mut body = json!({
            "FunctionName": "f", "Topics": ["orders"], "StartingPosition": "LATEST", "Enabled": false,
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a.example.com:9092"]}},
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let cluster = "arn:aws:kafka:us-east-1:000000000000:cluster/shop/1-2";
    let on_failure = |text: &str| json!({"DestinationConfig": {"OnFailure": {"Destination": text}}});
    let access = |kind: &str| json!({"SourceAccessConfigurations": [{"Type": kind, "URI": "s"}]});
    for (more, expected) in [
        (json!({"Topics": []}), "Topics must have exactly one"),
        (json!({"Topics": ["a", "b"]}), "Topics must have exactly one"),
        (json!({"Topics": [".a"]}), "Topics must have exactly one"),
        (json!({"StartingPosition": null}), "StartingPosition is required"),
        (
            json!({"StartingPosition": "AT_TIMESTAMP"}),
            "StartingPositionTimestamp is required",
        ),
        (
            json!({"StartingPositionTimestamp": 1}),
            "StartingPositionTimestamp is required",
        ),
        (
            json!({"StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 4e9}),
            "cannot be in the future",
        ),
        (json!({"EventSourceArn": cluster}), "cannot be used together"),
        (
            json!({"EventSourceArn": cluster, "SelfManagedEventSource": null}),
            "there is no Kafka cluster `shop`; start the node with --kafka shop=HOST:PORT",
        ),
        (
            json!({"SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a"]}}}),
            "`a` is not HOST:PORT",
        ),
        (
            json!({"SelfManagedEventSource": {"Endpoints": {}}}),
            "is not HOST:PORT",
        ),
        (
            json!({"AmazonManagedKafkaEventSourceConfig": {"ConsumerGroupId": "g"}}),
            "AmazonManagedKafkaEventSourceConfig is not valid",
        ),
        (
            json!({"SelfManagedKafkaEventSourceConfig": {"SchemaRegistryConfig": {"SchemaRegistryURI": "u"}}}),
            "`SelfManagedKafkaEventSourceConfig.SchemaRegistryConfig` is not supported yet",
        ),
        (
            json!({"ProvisionedPollerConfig": {"PollerGroupName": "g"}}),
            "`ProvisionedPollerConfig.PollerGroupName`",
        ),
        (
            json!({"ProvisionedPollerConfig": {"MinimumPollers": 3, "MaximumPollers": 2}}),
            "must not be greater",
        ),
        (
            json!({"ScalingConfig": {"MaximumConcurrency": 2}}),
            "Unsupported ScalingConfig parameter",
        ),
        (
            json!({"ParallelizationFactor": 2}),
            "Unsupported ParallelizationFactor parameter",
        ),
        (
            json!({"MaximumRecordAgeInSeconds": 59}),
            "must be -1 or at least 60",
        ),
        (
            on_failure("arn:aws:lambda:us-east-1:000000000000:function:f"),
            "is not a destination",
        ),
        (
            on_failure("arn:aws:sqs:us-east-1:000000000000:q"),
            "is not a destination",
        ),
        (
            on_failure("kafka://orders"),
            "is the topic that the mapping reads",
        ),
        (access("VIRTUAL_HOST"), "`VIRTUAL_HOST` is not valid"),
        (
            json!({"SourceAccessConfigurations": [{"Type": "BASIC_AUTH", "URI": "s"}, {"Type": "SASL_SCRAM_256_AUTH", "URI": "s"}]}),
            "more than one",
        ),
    ] {
        let (status, code, text) = world.call("POST", MAPPINGS, &topic(&more)).await.error();
        assert_eq!(
            (status, &*code),
            (400, "InvalidParameterValueException"),
            "{more}"
        );
        assert!(text.contains(expected), "{more}: {text}");
    }
    let made = world.call("POST", MAPPINGS, &topic(&json!({}))).await.json();
    assert_eq!(
        made["SelfManagedKafkaEventSourceConfig"]["ConsumerGroupId"],
        made["UUID"]
    );
    assert_eq!(
        (&made["BatchSize"], &made["MaximumRetryAttempts"]),
        (&json!(100), &json!(-1))
    );
    let (status, code, _) = world.call("POST", MAPPINGS, &topic(&json!({}))).await.error();
    assert_eq!((status, &*code), (409, "ResourceConflictException"));
    let changed = json!({"MaximumRetryAttempts": 5, "DestinationConfig": {"OnFailure": {"Destination": "kafka://dead"}}});
    assert_eq!(world.call("PUT", &of(&made), &changed).await.status, 202);
    let kept = world.reopened().await.mappings().list(None, 10, |_| true);
    let shown = world.call("GET", &of(&made), &Value::Null).await.json();
    assert_eq!(
        shown["DestinationConfig"]["OnFailure"]["Destination"],
        "kafka://dead"
    );
    assert_eq!(
        kept[0].mapping.source,
        world.service.mappings().list(None, 10, |_| true)[0]
            .mapping
            .source
    );
    let group = json!({"SelfManagedKafkaEventSourceConfig": {"ConsumerGroupId": "other"}});
    let (.., text) = world.call("PUT", &of(&made), &group).await.error();
    assert!(text.contains("cannot be changed"), "{text}");
}

#[tokio::test]
async fn numbers_outside_of_their_ranges_are_named_together() {
    let world = world().await;
    let wrong = json!({
        "BatchSize": 0, "MaximumBatchingWindowInSeconds": 301, "ScalingConfig": {"MaximumConcurrency": 1},
        "FunctionResponseTypes": ["All"],
    });
    let (status, code, text) = world.call("POST", MAPPINGS, &with(QUEUE, &wrong)).await.error();
    assert_eq!((status, code.as_str()), (400, "ValidationException"));
    assert!(text.starts_with("4 validation errors detected"), "{text}");
    for part in [
        "'0' at 'batchSize' failed to satisfy constraint: Member must have value greater than or equal to 1",
        "'301' at 'maximumBatchingWindowInSeconds' failed to satisfy constraint: Member must have value less than or \
         equal to 300",
        "'1' at 'scalingConfig.maximumConcurrency'",
        "at 'functionResponseTypes'",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn a_function_may_not_take_longer_than_its_messages_are_invisible() {
    let world = world().await;
    let slow = json!({"Timeout": 31});
    world
        .call("PUT", "/2015-03-31/functions/f/configuration", &slow)
        .await;
    let (.., text) = world.call("POST", MAPPINGS, &pair("f", QUEUE)).await.error();
    assert_eq!(
        text,
        "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds"
    );
}

#[tokio::test]
async fn lists_are_by_function_by_source_and_in_pages() {
    let world = world().await;
    world.create("g", SOURCE).await;
    for (function, source) in [("f", QUEUE), ("f", FIFO), ("g", QUEUE)] {
        assert_eq!(
            world.call("POST", MAPPINGS, &pair(function, source)).await.status,
            202
        );
    }
    let count = async |query: &str| {
        let listed = world
            .call("GET", &format!("{MAPPINGS}/?{query}"), &Value::Null)
            .await
            .json();
        listed["EventSourceMappings"].as_array().unwrap().len()
    };
    assert_eq!(count("FunctionName=f").await, 2);
    assert_eq!(count(&format!("FunctionName={ARN}")).await, 2);
    assert_eq!(count(&format!("EventSourceArn={QUEUE}")).await, 2);
    assert_eq!(count(&format!("FunctionName=g&EventSourceArn={FIFO}")).await, 0);
    let (mut seen, mut marker) = (std::collections::BTreeSet::new(), String::new());
    for page in 0..3 {
        let path = format!("{MAPPINGS}?MaxItems=1&Marker={marker}");
        let listed = world.call("GET", &path, &Value::Null).await.json();
        let id = listed["EventSourceMappings"][0]["UUID"].as_str().unwrap();
        assert!(seen.insert(id.to_owned()));
        assert_eq!(listed.get("NextMarker").is_some(), page < 2);
        marker = listed["NextMarker"].as_str().unwrap_or_default().to_owned();
    }
    let others = world
        .call_as("111111111111", "GET", MAPPINGS, &Value::Null)
        .await
        .json();
    assert_eq!(others, json!({"EventSourceMappings": []}));
}

#[tokio::test]
async fn a_mapping_of_another_account_is_not_there() {
    let world = world().await;
    let made = world.call("POST", MAPPINGS, &pair("f", QUEUE)).await.json();
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(
            world
                .call_as("111111111111", method, &of(&made), &json!({}))
                .await
                .status,
            404
        );
    }
    assert_eq!(
        world
            .call("GET", &format!("{MAPPINGS}/nonsense"), &Value::Null)
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn mappings_have_tags() {
    let world = world().await;
    let tagged = with(QUEUE, &json!({"Tags": {"team": "shop"}}));
    let made = world.call("POST", MAPPINGS, &tagged).await.json();
    let arn = made["EventSourceMappingArn"].as_str().unwrap();
    let tags = format!("/2017-03-31/tags/{}", arn.replace(':', "%3A"));
    assert_eq!(
        world
            .call("POST", &tags, &json!({"Tags": {"stage": "dev"}}))
            .await
            .status,
        204
    );
    let both = json!({"Tags": {"stage": "dev", "team": "shop"}});
    assert_eq!(world.call("GET", &tags, &Value::Null).await.json(), both);
    assert_eq!(
        world
            .call("DELETE", &format!("{tags}?tagKeys=team"), &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        world.call("GET", &tags, &Value::Null).await.json(),
        json!({"Tags": {"stage": "dev"}})
    );
    assert_eq!(
        world
            .call_as("111111111111", "GET", &tags, &Value::Null)
            .await
            .status,
        404
    );
    world.call("DELETE", &of(&made), &Value::Null).await;
    assert_eq!(world.call("GET", &tags, &Value::Null).await.status, 404);
}
