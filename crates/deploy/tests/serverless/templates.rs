//! Templates, compared with those of the reference CLI and among themselves.
//!
//! The templates below `fixtures/serverless` were captured from version 3.40 of the reference CLI with the
//! same configurations; what differs in every run (times, hashes) is replaced by a word in `<…>`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use regex::Regex;
use serde_json::{Value, json};
use tradewind_deploy::serverless::{LoadOptions, load};

use crate::{SMALL, compiled, loaded, options, template};

fn without_what_always_differs(template: &Value) -> Value {
    let mut text = serde_json::to_string(template).unwrap();
    for (pattern, word) in [
        ("LambdaVersion[A-Za-z0-9]{20,}", "LambdaVersion<hash>"),
        ("ApiGatewayDeployment[0-9a-f]{16}", "ApiGatewayDeployment<id>"),
        (r"/\d{13}-[0-9T:.\-]+Z/", "/<time>/"),
        ("ZGlnZXN0", "<digest>"),
    ] {
        let replaced = Regex::new(pattern).unwrap().replace_all(&text, word).into_owned();
        text = replaced;
    }
    let mut template: Value = serde_json::from_str(&text).unwrap();
    for (_, resource) in template["Resources"].as_object_mut().unwrap() {
        without_repetition(resource);
    }
    template
}

/// The reference lists what a bucket waits for once for each of its notifications.
fn without_repetition(resource: &mut Value) {
    if let Some(Value::Array(ids)) = resource.get_mut("DependsOn") {
        let mut seen = Vec::new();
        ids.retain(|id| {
            !seen.contains(id) && {
                seen.push(id.clone());
                true
            }
        });
    }
}

fn keys(value: &Value) -> Vec<&String> {
    value.as_object().unwrap().keys().collect()
}

async fn matches_the_reference(name: &str) {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/serverless");
    let dir = fixtures.join(name);
    let project = load(&options(&dir)).await.unwrap();
    let ours = without_what_always_differs(&compiled(&project).body);
    let text = std::fs::read_to_string(dir.join("template.json")).unwrap();
    let reference = without_what_always_differs(&serde_json::from_str(&text).unwrap());
    for section in ["Resources", "Outputs"] {
        assert_eq!(
            keys(&ours[section]),
            keys(&reference[section]),
            "{name}: {section}"
        );
        for key in keys(&reference[section]) {
            assert_eq!(ours[section][key], reference[section][key], "{name}: {key}");
        }
    }
    assert_eq!(ours, reference);
}

#[tokio::test]
async fn the_worked_example_is_the_reference_s() {
    matches_the_reference("worked-example").await;
}

#[tokio::test]
async fn an_http_api_is_the_reference_s() {
    matches_the_reference("http-api").await;
}

#[tokio::test]
async fn a_rest_api_with_patches_is_the_reference_s() {
    matches_the_reference("rest-crud").await;
}

#[tokio::test]
async fn functions_packaged_on_their_own_are_the_reference_s() {
    matches_the_reference("individually").await;
}

#[tokio::test]
async fn events_of_queues_and_where_failures_go_are_the_reference_s() {
    matches_the_reference("events-of-queues").await;
}

#[tokio::test]
async fn events_of_buckets_are_the_reference_s() {
    matches_the_reference("events-of-buckets").await;
}

#[tokio::test]
async fn events_of_kafka_and_msk_are_the_reference_s() {
    matches_the_reference("events-of-topics-in-kafka").await;
}

#[tokio::test]
async fn what_the_reference_does_not_know_of_kafka_is_lambda_s() {
    let body = template(
        "service: s
provider: {name: aws, runtime: nodejs20.x}
functions:
  a:
    handler: h.handler
    events:
      - kafka:
          topic: t
          bootstrapServers: '127.0.0.1:9092'
          provisionedPollerConfig: {minimumPollers: 1, maximumPollers: 4}
          destinations: {onFailure: !GetAtt Failed.Arn}
      - msk:
          topic: t
          arn: !Sub 'arn:aws:kafka:${AWS::Region}:${AWS::AccountId}:cluster/main/u-1'
          saslScram512: !Ref Login
          destinations: {onFailure: 'arn:aws:s3:::failed'}
",
    )
    .await;
    let mapping = &body["Resources"]["AEventSourceMappingKafkaT"]["Properties"];
    let pollers = json!({"MinimumPollers": 1, "MaximumPollers": 4});
    assert_eq!(mapping["ProvisionedPollerConfig"], pollers);
    assert_eq!(mapping["SourceAccessConfigurations"], json!([]));
    let failed = json!({"OnFailure": {"Destination": {"Fn::GetAtt": ["Failed", "Arn"]}}});
    assert_eq!(mapping["DestinationConfig"], failed);
    let mapping = &body["Resources"]["AEventSourceMappingMSKMainT"]["Properties"];
    let login = json!([{"Type": "SASL_SCRAM_512_AUTH", "URI": {"Ref": "Login"}}]);
    assert_eq!(mapping["SourceAccessConfigurations"], login);
    let policy = body["Resources"]["IamRoleLambdaExecution"]["Properties"]["Policies"][0].to_string();
    assert!(
        policy.contains("s3:PutObject") && policy.contains("arn:aws:s3:::failed/*"),
        "{policy}"
    );
}

#[tokio::test]
async fn events_of_topics_are_the_reference_s() {
    matches_the_reference("events-of-topics").await;
}

#[tokio::test]
async fn schedules_are_the_reference_s() {
    matches_the_reference("events-of-schedules").await;
}

#[tokio::test]
async fn rules_of_buses_are_the_reference_s() {
    matches_the_reference("events-of-buses").await;
}

#[tokio::test]
async fn filters_of_logs_are_the_reference_s() {
    matches_the_reference("events-of-logs").await;
}

#[tokio::test]
async fn events_together_are_the_reference_s() {
    matches_the_reference("events-together").await;
}

#[tokio::test]
async fn a_service_without_functions_has_only_its_bucket_and_resources() {
    let text = "service: s\nprovider: aws\nresources: {Resources: {Q: {Type: 'AWS::SQS::Queue'}}}\n";
    let body = template(text).await;
    let expected = [
        "ServerlessDeploymentBucket",
        "ServerlessDeploymentBucketPolicy",
        "Q",
    ];
    assert_eq!(keys(&body["Resources"]), expected);
    let own = template(&text.replace("aws\n", "{name: aws, deploymentBucket: mine}\n")).await;
    assert_eq!(keys(&own["Resources"]), ["Q"]);
    assert_eq!(own["Outputs"]["ServerlessDeploymentBucketName"]["Value"], "mine");
}

fn only_id(body: &Value, part: &str) -> String {
    let mut ids = keys(&body["Resources"])
        .into_iter()
        .filter(|id| id.contains(part));
    let id = ids.next().unwrap().clone();
    assert_eq!(ids.next(), None);
    id
}

#[tokio::test]
async fn the_deployment_s_id_changes_exactly_when_the_api_does() {
    let id = async |text: &str| only_id(&template(text).await, "ApiGatewayDeployment");
    let text = format!("{SMALL}      - http: GET one\n");
    let first = id(&text).await;
    assert_eq!(id(&text.replace("a.b", "a.c")).await, first);
    assert_ne!(id(&text.replace("one", "two")).await, first);
    let patch = "resources: {Resources: {ApiGatewayMethodOneGet: {Properties: {OperationName: x}}}}\n";
    assert_ne!(id(&format!("{text}{patch}")).await, first);
}

#[tokio::test]
async fn a_version_s_id_changes_with_code_and_configuration() {
    let id = async |text: &str, digest: &str| {
        let project = loaded(text).await;
        let digests = project
            .packages
            .iter()
            .map(|p| (p.artifact_key.clone(), digest.to_owned()));
        only_id(
            &project.compile(&digests.collect()).unwrap().body,
            "LambdaVersion",
        )
    };
    let text = "service: s\nprovider: aws\nfunctions: {a: {handler: a.b}}\n";
    let first = id(text, "one").await;
    assert_eq!(id(text, "one").await, first);
    assert_ne!(id(text, "two").await, first);
    assert_ne!(id(&text.replace("a.b}", "a.b, timeout: 9}"), "one").await, first);
}

#[tokio::test]
async fn versions_are_published_only_when_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let text = "service: s\nprovider: aws\nfunctions: {a: {handler: a.b}}\n";
    std::fs::write(dir.path().join("serverless.yml"), text).unwrap();
    let quiet = LoadOptions {
        publish_versions: false,
        ..options(dir.path())
    };
    let body = load(&quiet)
        .await
        .unwrap()
        .compile(&BTreeMap::new())
        .unwrap()
        .body;
    assert!(!body.to_string().contains("LambdaVersion"));
    assert_eq!(keys(&body["Outputs"]), ["ServerlessDeploymentBucketName"]);
}

#[tokio::test]
async fn places_lead_to_what_was_written() {
    let text = "\
service: s
provider:
  name: aws
  timeout: 9
functions:
  a:
    handler: a.b
    runtime: nodejs20.x
    events:
      - httpApi: GET /
resources:
  Resources:
    T:
      Type: X
      Properties:
        A:
          - B: 1
    ALogGroup:
      Properties: {Zzz: 1}
";
    let template = compiled(&loaded(text).await);
    let place = |id: &str, path: &[&str]| {
        let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
        template.span_of(id, &path).map(|span| (span.line, span.column))
    };
    assert_eq!(place("ALambdaFunction", &["Runtime"]), Some((8, 5)));
    assert_eq!(place("ALambdaFunction", &["Properties", "Timeout"]), Some((4, 3)));
    assert_eq!(place("ALambdaFunction", &["Code", "S3Key"]), Some((7, 14)));
    assert_eq!(place("HttpApiRouteGet", &["RouteKey"]), Some((10, 9)));
    assert_eq!(place("ServerlessDeploymentBucket", &[]), Some((1, 1)));
    assert_eq!(place("T", &[]), Some((13, 5)));
    assert_eq!(place("T", &["Type"]), Some((14, 7)));
    assert_eq!(place("T", &["Properties", "A", "0", "B"]), Some((17, 13)));
    assert_eq!(place("T", &["A", "Missing"]), Some((16, 9)));
    assert_eq!(place("ALogGroup", &["Zzz"]), Some((19, 20)));
    assert_eq!(place("Nothing", &[]), None);
}

#[tokio::test]
async fn what_is_provisioned_is_an_alias_that_events_call() {
    let text = "service: s\nprovider: {name: aws, versionFunctions: false}\nfunctions:\n  f:\n    handler: a.b\n    \
                provisionedConcurrency: 2\n    events: [httpApi: '*', http: 'GET /x']\n";
    let body = template(text).await;
    let alias = &body["Resources"]["FProvConcLambdaAlias"];
    let version = only_id(&body, "FLambdaVersion");
    let expected = serde_json::json!({
        "Type": "AWS::Lambda::Alias",
        "Properties": {
            "FunctionName": {"Ref": "FLambdaFunction"},
            "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
            "Name": "provisioned",
            "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": 2},
        },
        "DependsOn": "FLambdaFunction",
    });
    assert_eq!(*alias, expected);
    let arn =
        serde_json::json!({"Fn::Join": [":", [{"Fn::GetAtt": ["FLambdaFunction", "Arn"]}, "provisioned"]]});
    let integration = &body["Resources"]["HttpApiIntegrationF"]["Properties"];
    assert_eq!(integration["IntegrationUri"], arn);
    let permission = &body["Resources"]["FLambdaPermissionHttpApi"];
    assert_eq!(permission["Properties"]["FunctionName"], arn);
    assert_eq!(permission["DependsOn"], "FProvConcLambdaAlias");
    let method = body["Resources"]["ApiGatewayMethodXGet"].to_string();
    assert!(method.contains(&arn.to_string()), "{method}");
}

/// Where this differs from the reference on purpose.
#[tokio::test]
async fn events_do_what_the_reference_leaves_out() {
    let text = "\
service: s
provider: {name: aws}
functions:
  f:
    handler: a.b
    events:
      - sqs: !Sub 'arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:my-queue'
      - sns: {topicName: t, redrivePolicy: {deadLetterTargetArn: !GetAtt [Dead, Arn]}}
      - cloudwatchLog: /aws/lambda/s-dev-g
      - schedule: {rate: rate(1 day), method: scheduler, groupName: nights, roleArn: 'arn:aws:iam::000000000000:role/r'}
  g: {handler: a.b, onError: 'arn:aws:sqs:us-east-1:000000000000:dead'}
";
    let resources = &template(text).await["Resources"];
    let mapping = &resources["FEventSourceMappingSQSMyqueue"]["Properties"];
    assert_eq!(
        mapping["EventSourceArn"],
        json!({"Fn::Sub": "arn:aws:sqs:${AWS::Region}:${AWS::AccountId}:my-queue"})
    );
    let policy = &resources["TToFDLQPolicy"]["Properties"];
    assert_eq!(policy["Queues"], json!([{"Ref": "Dead"}]));
    let condition = &policy["PolicyDocument"]["Statement"][0]["Condition"]["ArnEquals"]["aws:SourceArn"];
    assert_eq!(
        condition["Fn::Join"][1].as_array().unwrap().last(),
        Some(&json!("t"))
    );
    let filter = &resources["FLogsSubscriptionFilterCloudWatchLog1"];
    assert!(
        filter["DependsOn"]
            .as_array()
            .unwrap()
            .contains(&json!("GLogGroup")),
        "{filter}"
    );
    let schedule = &resources["FSchedulerSchedule1"]["Properties"];
    assert_eq!(schedule["GroupName"], "nights");
    assert_eq!(schedule["Target"]["RoleArn"], "arn:aws:iam::000000000000:role/r");
    let role = resources["IamRoleLambdaExecution"].to_string();
    let allowed = r#"{"Effect":"Allow","Action":["sqs:SendMessage"],"Resource":["arn:aws:sqs:us-east-1:000000000000:dead"]}"#;
    assert!(role.contains(allowed), "{role}");
}

#[tokio::test]
async fn events_are_added_to_buckets_that_are_there() {
    let text = "\
service: s
provider: {name: aws}
functions:
  f:
    handler: a.b
    events:
      - s3: {bucket: photos, existing: true}
      - s3: {bucket: photos, existing: true, event: 's3:ObjectRemoved:*', rules: [{prefix: x/}]}
      - s3: {bucket: !Ref Own, existing: true}
resources: {Resources: {Own: {Type: 'AWS::S3::Bucket'}}}
";
    let resources = &template(text).await["Resources"];
    let function = json!({"Fn::GetAtt": ["FLambdaFunction", "Arn"]});
    let filter = json!({"S3Key": {"Rules": [{"Name": "prefix", "Value": "x/"}]}});
    let expected = json!({
        "Type": "Tradewind::S3::BucketNotification",
        "Properties": {"Bucket": "photos", "NotificationConfiguration": {"LambdaConfigurations": [
            {"Event": "s3:ObjectCreated:*", "Function": function},
            {"Event": "s3:ObjectRemoved:*", "Function": function, "Filter": filter},
        ]}},
        "DependsOn": ["FLambdaPermissionPhotosS3"],
    });
    assert_eq!(resources["FCustomS31"], expected);
    assert_eq!(
        resources["FCustomS32"]["Properties"]["Bucket"],
        json!({"Ref": "Own"})
    );
    let source = &resources["FLambdaPermissionOwnS3"]["Properties"]["SourceArn"]["Fn::Join"][1];
    assert_eq!(
        *source,
        json!(["arn:", {"Ref": "AWS::Partition"}, ":s3:::", {"Ref": "Own"}])
    );
    assert_eq!(resources.get("S3BucketPhotos"), None);
}

#[tokio::test]
async fn settings_of_events_have_their_places() {
    let text = "\
service: s
provider:
  name: aws
  s3:
    photos:
      versioningConfiguration: {Status: Enabled}
functions:
  f:
    handler: a.b
    events:
      - sqs:
          arn: arn:aws:sqs:us-east-1:000000000000:q
          batchSize: 20
      - s3:
          event: s3:ObjectCreated:Put
          bucket: photos
      - eventBridge:
          eventBus: orders
          pattern:
            source: [shop]
";
    let template = compiled(&loaded(text).await);
    let place = |id: &str, property: &str| {
        let path = [property.to_owned()];
        template.span_of(id, &path).map(|span| (span.line, span.column))
    };
    assert_eq!(place("FEventSourceMappingSQSQ", "BatchSize"), Some((13, 11)));
    assert_eq!(place("FEventSourceMappingSQSQ", "Type"), Some((11, 9)));
    assert_eq!(place("S3BucketPhotos", "BucketName"), Some((16, 11)));
    assert_eq!(place("S3BucketPhotos", "VersioningConfiguration"), Some((6, 7)));
    assert_eq!(
        place("S3BucketPhotos", "NotificationConfiguration"),
        Some((14, 9))
    );
    assert_eq!(place("Sdevfrule3EventBridgeRule", "EventPattern"), Some((19, 11)));
    assert_eq!(place("OrdersEventBridgeEventBus", "Name"), Some((18, 11)));
}

#[tokio::test]
async fn a_url_is_a_resource_a_permission_and_an_output() {
    let text = "service: s\nprovider: {name: aws}\nfunctions:\n  f: {handler: a.b, url: true}\n  g:\n    handler: a.b\n    \
                url: {authorizer: aws_iam, invokeMode: RESPONSE_STREAM, cors: {allowedOrigins: ['http://a'], maxAge: 5}}\n";
    let body = template(text).await;
    let arn = serde_json::json!({"Fn::GetAtt": ["FLambdaFunction", "Arn"]});
    let expected = serde_json::json!({"AuthType": "NONE", "TargetFunctionArn": arn});
    assert_eq!(body["Resources"]["FLambdaFunctionUrl"]["Properties"], expected);
    let permission = &body["Resources"]["FLambdaPermissionFnUrl"]["Properties"];
    assert_eq!(permission["Action"], "lambda:InvokeFunctionUrl");
    let output = &body["Outputs"]["FLambdaFunctionUrl"]["Value"];
    assert_eq!(
        *output,
        serde_json::json!({"Fn::GetAtt": ["FLambdaFunctionUrl", "FunctionUrl"]})
    );
    let signed = &body["Resources"]["GLambdaFunctionUrl"]["Properties"];
    assert_eq!(
        (&signed["AuthType"], &signed["InvokeMode"]),
        (&"AWS_IAM".into(), &"RESPONSE_STREAM".into())
    );
    assert_eq!(signed["Cors"]["AllowMethods"], serde_json::json!(["*"]));
    assert_eq!(signed["Cors"]["MaxAge"], 5);
    assert_eq!(body["Resources"].get("GLambdaPermissionFnUrl"), None);
}

#[tokio::test]
async fn what_ends_is_told_to_a_function_of_the_file_or_an_arn() {
    let text = "service: s\nprovider: {name: aws}\nfunctions:\n  f:\n    handler: a.b\n    maximumEventAge: 60\n    \
                maximumRetryAttempts: 0\n    destinations:\n      onSuccess: g-h\n      \
                onFailure: arn:aws:lambda:us-east-1:000000000000:function:x\n  g-h: {handler: a.b}\n";
    let body = template(text).await;
    let expected = serde_json::json!({
        "Type": "AWS::Lambda::EventInvokeConfig",
        "Properties": {
            "FunctionName": {"Ref": "FLambdaFunction"},
            "DestinationConfig": {
                "OnSuccess": {"Destination": {"Fn::GetAtt": ["GDashhLambdaFunction", "Arn"]}},
                "OnFailure": {"Destination": "arn:aws:lambda:us-east-1:000000000000:function:x"},
            },
            "MaximumEventAgeInSeconds": 60,
            "MaximumRetryAttempts": 0,
            "Qualifier": "$LATEST",
        },
    });
    assert_eq!(body["Resources"]["FLambdaEvConf"], expected);
    let role = body["Resources"]["IamRoleLambdaExecution"].to_string();
    assert!(role.contains(":function:s-dev-g-h"), "{role}");
    assert!(role.contains("000000000000:function:x"), "{role}");
}

#[tokio::test]
async fn how_a_function_logs_replaces_what_the_provider_says() {
    let text = "service: s\nprovider: {name: aws, logs: {lambda: {logFormat: JSON, applicationLogLevel: WARN}}}\n\
                functions:\n  f: {handler: a.b}\n  g: {handler: a.b, logs: {logGroup: /g}}\n";
    let body = template(text).await;
    let logging = |id: &str| body["Resources"][id]["Properties"]["LoggingConfig"].clone();
    assert_eq!(
        logging("FLambdaFunction"),
        serde_json::json!({"LogFormat": "JSON", "ApplicationLogLevel": "WARN"})
    );
    assert_eq!(logging("GLambdaFunction"), serde_json::json!({"LogGroup": "/g"}));
}

const LAYERED: &str = "\
service: shop
provider: {name: aws, runtime: nodejs20.x, layers: ['arn:aws:lambda:us-east-1:000000000000:layer:all:1']}
layers:
  tools-1:
    path: ./tools
    description: of the shop
    compatibleRuntimes: [nodejs20.x]
    licenseInfo: MIT
    allowedAccounts: ['*', '123456789012']
  kept: {path: kept, name: 'shop-kept', retain: true}
functions:
  a: {handler: a.b, layers: [{Ref: ToolsDash1LambdaLayer}, {Ref: KeptLambdaLayer}]}
  b: {handler: a.b}
  c: {handler: a.b, layers: []}
";

#[tokio::test]
async fn layers_are_published_shared_and_used() {
    let project = loaded(LAYERED).await;
    let names: Vec<_> = project
        .packages
        .iter()
        .map(|p| p.artifact_name.as_str())
        .collect();
    assert_eq!(names, ["shop.zip", "tools-1.zip", "kept.zip"]);
    for excluded in ["!tools/**", "!kept/**"] {
        assert!(
            project.packages[0].patterns.iter().any(|p| p == excluded),
            "{excluded}"
        );
    }
    let template = compiled(&project);
    let resources = &template.body["Resources"];
    let layer = &resources["ToolsDash1LambdaLayer"];
    assert_eq!(layer["Type"], "AWS::Lambda::LayerVersion");
    let properties = &layer["Properties"];
    assert_eq!(
        (&properties["LayerName"], &properties["LicenseInfo"]),
        (&json!("tools-1"), &json!("MIT"))
    );
    assert!(
        properties["Content"]["S3Key"]
            .as_str()
            .unwrap()
            .ends_with("/tools-1.zip")
    );
    for (id, principal) in [
        ("ToolsDash1WildLambdaLayerPermission", "*"),
        ("ToolsDash1123456789012LambdaLayerPermission", "123456789012"),
    ] {
        let expected = json!({
            "Action": "lambda:GetLayerVersion", "LayerVersionArn": {"Ref": "ToolsDash1LambdaLayer"},
            "Principal": principal,
        });
        assert_eq!(resources[id]["Properties"], expected, "{id}");
    }
    assert_eq!(resources["KeptLambdaLayer"]["UpdateReplacePolicy"], "Retain");
    let used = |function: &str| &resources[format!("{function}LambdaFunction")]["Properties"]["Layers"];
    assert_eq!(
        *used("A"),
        json!([{"Ref": "ToolsDash1LambdaLayer"}, {"Ref": "KeptLambdaLayer"}])
    );
    assert_eq!(
        *used("B"),
        json!(["arn:aws:lambda:us-east-1:000000000000:layer:all:1"])
    );
    assert_eq!(*used("C"), Value::Null);
    let outputs = &template.body["Outputs"];
    assert_eq!(
        outputs["ToolsDash1LambdaLayerQualifiedArn"]["Value"],
        json!({"Ref": "ToolsDash1LambdaLayer"})
    );
    assert_eq!(outputs["ToolsDash1LambdaLayerHash"]["Value"], "ZGlnZXN0");
}

#[tokio::test]
async fn a_function_s_version_changes_with_its_layers() {
    let project = loaded(LAYERED).await;
    let versions = |changed: &str| {
        let digest = |name: &str| if name == changed { "b3RoZXI=" } else { "ZGlnZXN0" };
        let digests = project.packages.iter();
        let digests = digests.map(|p| (p.artifact_key.clone(), digest(&p.artifact_name).to_owned()));
        let template = project.compile(&digests.collect()).unwrap().body;
        let ids = keys(&template["Resources"])
            .into_iter()
            .filter(|id| id.contains("LambdaVersion"));
        ids.cloned().collect::<Vec<_>>()
    };
    let (before, after) = (versions(""), versions("kept.zip"));
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1..], after[1..]);
}
