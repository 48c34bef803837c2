use serde_json::{Value, json};

use super::{ARN, SOURCE, path};
use crate::testing::World;

const CONFIG: &str = "/2019-09-25/functions/f/event-invoke-config";
const TARGET: &str = "arn:aws:lambda:us-east-1:000000000000:function:told";

async fn world() -> World {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    world.create("told", SOURCE).await;
    world
}

#[tokio::test]
async fn a_configuration_is_put_updated_shown_and_deleted() {
    let mut world = world().await;
    let missing = world.call("GET", CONFIG, &Value::Null).await.error();
    let text = format!("The function {ARN}:$LATEST doesn't have an EventInvokeConfig");
    assert_eq!(missing, (404, "ResourceNotFoundException".into(), text));
    assert_eq!(
        world
            .call("POST", CONFIG, &json!({"MaximumRetryAttempts": 1}))
            .await
            .status,
        404
    );
    let given =
        json!({"MaximumRetryAttempts": 0, "DestinationConfig": {"OnFailure": {"Destination": TARGET}}});
    let put = world.call("PUT", CONFIG, &given).await.json();
    let mut expected = json!({
        "LastModified": 1_700_000_000.0, "FunctionArn": format!("{ARN}:$LATEST"), "MaximumRetryAttempts": 0,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {"Destination": TARGET}},
    });
    assert_eq!(put, expected);
    let update = json!({"MaximumEventAgeInSeconds": 60});
    expected["MaximumEventAgeInSeconds"] = json!(60);
    assert_eq!(world.call("POST", CONFIG, &update).await.json(), expected);
    world.service = world.reopened().await;
    assert_eq!(world.call("GET", CONFIG, &Value::Null).await.json(), expected);
    let replaced = world.call("PUT", CONFIG, &update).await.json();
    assert_eq!(replaced.get("MaximumRetryAttempts"), None);
    assert_eq!(replaced["DestinationConfig"]["OnFailure"], json!({}));
    assert_eq!(world.call("DELETE", CONFIG, &Value::Null).await.status, 204);
    assert_eq!(world.call("DELETE", CONFIG, &Value::Null).await.status, 404);
}

#[tokio::test]
async fn versions_and_aliases_have_their_own() {
    let world = world().await;
    world.call("POST", &path("f/versions"), &Value::Null).await;
    let alias = json!({"Name": "live", "FunctionVersion": "1"});
    world.call("POST", &path("f/aliases"), &alias).await;
    for qualifier in ["live", "1", "$LATEST"] {
        let put = world
            .call(
                "PUT",
                &format!("{CONFIG}?Qualifier={qualifier}"),
                &json!({"MaximumRetryAttempts": 1}),
            )
            .await;
        assert_eq!(put.json()["FunctionArn"], format!("{ARN}:{qualifier}"));
    }
    let gone = world
        .call(
            "PUT",
            &format!("{CONFIG}?Qualifier=2"),
            &json!({"MaximumRetryAttempts": 1}),
        )
        .await;
    assert_eq!(gone.error().2, "The function doesn't exist.");
    let listed = async |query: String| {
        let shown = world
            .call("GET", &format!("{CONFIG}/list{query}"), &Value::Null)
            .await
            .json();
        let arns = shown["FunctionEventInvokeConfigs"].as_array().unwrap().iter();
        let arns: Vec<String> = arns
            .map(|c| c["FunctionArn"].as_str().unwrap().to_owned())
            .collect();
        (arns, shown["NextMarker"].as_str().map(str::to_owned))
    };
    let (first, marker) = listed("?MaxItems=2".into()).await;
    assert_eq!(first, [format!("{ARN}:$LATEST"), format!("{ARN}:1")]);
    let (rest, end) = listed(format!("?Marker={}", marker.unwrap())).await;
    assert_eq!((rest, end), (vec![format!("{ARN}:live")], None));
    world.call("DELETE", &path("f/aliases/live"), &Value::Null).await;
    assert_eq!(listed(String::new()).await.0.len(), 2, "it went with the alias");
}

#[tokio::test]
async fn what_is_wrong_is_said_in_the_service_s_words() {
    let world = world().await;
    let to = |arn: &str| json!({"DestinationConfig": {"OnSuccess": {"Destination": arn}}});
    let cases = [
        (
            json!({}),
            "You must specify at least one of error handling or destination setting.",
        ),
        (
            json!({"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 59}),
            "2 validation errors detected: Value '3' at 'maximumRetryAttempts' failed to satisfy constraint: \
             Member must have value less than or equal to 2; Value '59' at 'maximumEventAgeInSeconds' failed to \
             satisfy constraint: Member must have value greater than or equal to 60",
        ),
        (
            to(ARN),
            "You can't specify the function as a destination for itself.",
        ),
        (
            to(&format!("{ARN}-none")),
            "The destination ARN arn:aws:lambda:us-east-1:000000000000:function:f-none is invalid.",
        ),
        (
            to("arn:aws:s3:::records"),
            "`DestinationConfig.OnSuccess.Destination` is not supported yet: records are not sent to S3 buckets; \
             name a function, a queue, a topic or a bus",
        ),
        (
            to("arn:aws:kinesis:us-east-1:000000000000:stream/s"),
            "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=\
             arn:aws:kinesis:us-east-1:000000000000:stream/s), onFailure=null) is invalid.",
        ),
    ];
    for (given, expected) in cases {
        let (status, _, message) = world.call("PUT", CONFIG, &given).await.error();
        assert_eq!((status, message.as_str()), (400, expected));
    }
    let (_, _, message) = world.call("PUT", CONFIG, &to("nobody")).await.error();
    let start = "1 validation error detected: Value 'nobody' at 'destinationConfig.onSuccess.destination'";
    assert!(message.starts_with(start), "{message}");
}

#[tokio::test]
async fn a_template_s_configuration_is_put_and_removed() {
    let world = world().await;
    let kind = world.resource_type("AWS::Lambda::EventInvokeConfig");
    let given = json!({
        "FunctionName": "f", "Qualifier": "$LATEST", "MaximumRetryAttempts": "1",
        "DestinationConfig": {"OnSuccess": {"Destination": TARGET}},
    });
    let context = crate::testing::context("Config");
    let made = kind.create(&context, given.as_object().unwrap()).await.unwrap();
    let shown = world.call("GET", CONFIG, &Value::Null).await.json();
    assert_eq!(shown["MaximumRetryAttempts"], 1);
    assert_eq!(shown["DestinationConfig"]["OnSuccess"]["Destination"], TARGET);
    world.clock.advance_millis(1_000);
    let again = kind.create(&context, given.as_object().unwrap()).await.unwrap();
    assert_eq!(again, made);
    assert_eq!(world.call("GET", CONFIG, &Value::Null).await.json(), shown);
    kind.delete(&context, &made).await.unwrap();
    kind.delete(&context, &made).await.unwrap();
    assert_eq!(world.call("GET", CONFIG, &Value::Null).await.status, 404);
}
