//! The API, one request after the other, over a service in this process.

mod aliases;
mod concurrency;
mod event_invoke;
mod invocations;
mod layers;
mod mappings;
mod policies_and_tags;
mod urls;
mod versions_and_lists;

use serde_json::{Value, json};

use tradewind_wire::Support;

use crate::operation::OPERATIONS;
use crate::testing::{World, create_body, zip_base64};

const SOURCE: &str = "exports.handler = async (event) => event;";
const FUNCTIONS: &str = "/2015-03-31/functions";
const ARN: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

fn path(rest: &str) -> String {
    format!("{FUNCTIONS}/{rest}")
}

#[tokio::test]
async fn a_function_is_created_read_listed_and_deleted() {
    let world = World::new().await;
    let made = world.create("f", SOURCE).await;
    assert_eq!(made["FunctionArn"], ARN);
    assert_eq!(
        (&made["State"], &made["Version"]),
        (&json!("Active"), &json!("$LATEST"))
    );
    assert_eq!(made["LastModified"], "2023-11-14T22:13:20.000+0000");
    assert_eq!(
        made["LoggingConfig"],
        json!({"LogFormat": "Text", "LogGroup": "/aws/lambda/f"})
    );
    assert!(made["CodeSize"].as_u64().unwrap() > 0 && made["CodeSha256"].as_str().unwrap().ends_with('='));
    assert!(made.get("Environment").is_none());

    let got = world.call("GET", &path("f"), &Value::Null).await.json();
    assert_eq!(got["Configuration"], made);
    let location = got["Code"]["Location"].as_str().unwrap();
    assert!(location.starts_with("http://127.0.0.1:4566/_tradewind/packages/") && location.ends_with(".zip"));
    assert_eq!(
        world
            .call("GET", &path("f/configuration"), &Value::Null)
            .await
            .json(),
        made
    );

    let gone = world.call("DELETE", &path("f"), &Value::Null).await;
    assert_eq!((gone.status, gone.bytes.len()), (204, 0));
    let missing = world.call("GET", &path("f"), &Value::Null).await.error();
    let expected = (
        404,
        "ResourceNotFoundException".to_owned(),
        format!("Function not found: {ARN}"),
    );
    assert_eq!(missing, expected);
}

#[tokio::test]
async fn what_was_made_is_there_after_a_restart() {
    let mut world = World::new().await;
    world.create("f", SOURCE).await;
    world
        .call("POST", &path("f/versions"), &json!({"Description": "first"}))
        .await;
    let tags = format!("/2017-03-31/tags/{ARN}");
    world
        .call("POST", &tags, &json!({"Tags": {"team": "shop"}}))
        .await;
    world
        .call("POST", &path("f/policy"), &policies_and_tags::permission("a"))
        .await;
    let before = world
        .service
        .registry(|registry| registry.all().cloned().collect::<Vec<_>>());
    world.service = world.reopened().await;
    let after = world
        .service
        .registry(|registry| registry.all().cloned().collect::<Vec<_>>());
    assert_eq!(before, after);
    assert_eq!(before.len(), 1);
}

#[tokio::test]
async fn names_are_taken_once() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    let again = world
        .call("POST", FUNCTIONS, &create_body("f", SOURCE))
        .await
        .error();
    assert_eq!(
        again,
        (
            409,
            "ResourceConflictException".into(),
            "Function already exist: f".into()
        )
    );
}

#[tokio::test]
async fn what_create_function_refuses() {
    let world = World::new().await;
    let mut cases: Vec<(Value, u16, &str, &str)> = Vec::new();
    let with = |name: &str, value: Value| {
        let mut body = create_body("f", SOURCE);
        body[name] = value;
        body
    };
    let invalid = "InvalidParameterValueException";
    cases.push((
        with("FunctionName", json!("a".repeat(65))),
        400,
        invalid,
        "less than or equal to 64",
    ));
    cases.push((
        with("FunctionName", Value::Null),
        400,
        "ValidationException",
        "Value null at 'functionName'",
    ));
    cases.push((
        with("Role", json!("r1")),
        400,
        "ValidationException",
        "Value 'r1' at 'role'",
    ));
    cases.push((
        with("Runtime", json!("node20")),
        400,
        invalid,
        "Value node20 at 'runtime'",
    ));
    cases.push((
        with("Runtime", json!("dotnet8")),
        400,
        invalid,
        "`dotnet8` cannot run on this node",
    ));
    cases.push((
        with("Handler", Value::Null),
        400,
        invalid,
        "Runtime and Handler are mandatory",
    ));
    cases.push((
        with("FileSystemConfigs", json!([{"Arn": "arn:l"}])),
        400,
        invalid,
        "`FileSystemConfigs` is not supported yet",
    ));
    cases.push((
        with("Code", json!({})),
        400,
        invalid,
        "Please provide a source for function code.",
    ));
    let from_s3 = json!({"S3Bucket": "b", "S3Key": "k"});
    cases.push((
        with("Code", from_s3),
        400,
        invalid,
        "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not",
    ));
    cases.push((
        with("Code", json!({"ImageUri": "i"})),
        400,
        invalid,
        "`Code.ImageUri` is not supported yet",
    ));
    cases.push((
        with("Code", json!({"ZipFile": ""})),
        400,
        invalid,
        "Uploaded file must be a non-empty zip",
    ));
    cases.push((
        with("Code", json!({"ZipFile": "bm8="})),
        400,
        invalid,
        "Could not unzip uploaded file. Please",
    ));
    cases.push((
        with("Code", json!({"ZipFile": "%"})),
        400,
        "SerializationException",
        "base64",
    ));
    cases.push((
        with("MemorySize", json!("1")),
        400,
        "SerializationException",
        "invalid type",
    ));
    for (body, status, code, text) in cases {
        let (given_status, given_code, message) = world.call("POST", FUNCTIONS, &body).await.error();
        assert_eq!((given_status, given_code.as_str()), (status, code), "{message}");
        assert!(message.contains(text), "{message}");
    }
    assert_eq!(world.service.list_functions(), []);
}

/// A body that announces more than it has.
struct Announced(u64);

impl http_body::Body for Announced {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        panic!("a body that announces too much is not read")
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.0)
    }
}

#[tokio::test]
async fn requests_that_announce_too_much_are_not_read() {
    let world = World::new().await;
    for (method, target, size, expected) in [
        (
            "POST",
            FUNCTIONS,
            70_167_212,
            "70167211 bytes for the CreateFunction operation",
        ),
        (
            "PUT",
            "/2015-03-31/functions/f/code",
            70_167_212,
            "70167211 bytes for the UpdateFunctionCode operation",
        ),
        (
            "POST",
            "/2015-03-31/functions/f/versions",
            1_048_577,
            "1048576 bytes for the PublishVersion operation",
        ),
        (
            "POST",
            "/2015-03-31/functions/f/invocations",
            6_291_557,
            "6291456 bytes for the InvokeFunction operation",
        ),
    ] {
        let request = http::Request::builder()
            .method(method)
            .uri(target)
            .body(Announced(size))
            .unwrap();
        let (status, _code, message) = world.send_body(request).await.error();
        assert_eq!(
            (status, message),
            (413, format!("Request must be smaller than {expected}"))
        );
    }
}

#[tokio::test]
async fn updates_change_what_they_name_and_the_revision() {
    let world = World::new().await;
    let made = world.create("f", SOURCE).await;
    world.clock.advance_millis(1_500);
    let change = json!({"MemorySize": 512, "Environment": {"Variables": {"STAGE": "dev"}}});
    let changed = world.call("PUT", &path("f/configuration"), &change).await.json();
    assert_eq!(
        (&changed["MemorySize"], &changed["Timeout"]),
        (&json!(512), &json!(3))
    );
    assert_eq!(changed["Environment"], json!({"Variables": {"STAGE": "dev"}}));
    assert_eq!(changed["LastModified"], "2023-11-14T22:13:21.500+0000");
    assert_ne!(changed["RevisionId"], made["RevisionId"]);

    let code = json!({"ZipFile": zip_base64("// new"), "RevisionId": made["RevisionId"]});
    let stale = world.call("PUT", &path("f/code"), &code).await.error();
    assert_eq!((stale.0, stale.1.as_str()), (412, "PreconditionFailedException"));
    let dry = json!({"ZipFile": zip_base64("// new"), "DryRun": true});
    let dry = world.call("PUT", &path("f/code"), &dry).await.json();
    assert_ne!(dry["CodeSha256"], made["CodeSha256"]);
    let now = world
        .call("GET", &path("f/configuration"), &Value::Null)
        .await
        .json();
    assert_eq!(now["CodeSha256"], made["CodeSha256"]);
    let code = json!({"ZipFile": zip_base64("// new"), "RevisionId": changed["RevisionId"], "Publish": true});
    let published = world.call("PUT", &path("f/code"), &code).await.json();
    assert_eq!(
        (&published["Version"], &published["CodeSha256"]),
        (&json!("1"), &dry["CodeSha256"])
    );
}

#[tokio::test]
async fn served_operations_are_served_and_missing_ones_say_so() {
    let world = World::new().await;
    for entry in OPERATIONS {
        let (method, path) = entry.example("f");
        let answer = world.call(method, &path, &Value::Null).await;
        match entry.support {
            Support::Served(_) => assert_ne!(answer.status, 501, "{}", entry.name),
            Support::Missing => {
                let (status, code, message) = answer.error();
                assert_eq!((status, code.as_str()), (501, "NotImplemented"));
                assert!(message.contains(&format!("`{}`", entry.name)), "{message}");
            }
        }
    }
}

#[tokio::test]
async fn requests_of_no_operation_are_told_so() {
    let world = World::new().await;
    let answer = world
        .call("GET", "/2015-03-31/nothing", &Value::Null)
        .await
        .error();
    assert_eq!((answer.0, answer.1.as_str()), (404, "UnknownOperationException"));
    let body = world.call("POST", FUNCTIONS, &json!([])).await.error();
    assert_eq!(body.1, "SerializationException");
}

#[tokio::test]
async fn accounts_and_regions_are_apart() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    let other = world
        .call(
            "GET",
            &path("arn:aws:lambda:eu-west-1:000000000000:function:f"),
            &Value::Null,
        )
        .await;
    assert_eq!(other.error().0, 404);
    let foreign = world
        .call("GET", &path("111111111111:function:f"), &Value::Null)
        .await
        .error();
    assert_eq!((foreign.0, foreign.1.as_str()), (403, "AccessDeniedException"));
    let own = world
        .call("GET", &path(&ARN.replace(':', "%3A")), &Value::Null)
        .await;
    assert_eq!(own.status, 200);
}
