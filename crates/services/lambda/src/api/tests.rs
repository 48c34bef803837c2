//! The API, one request after the other, over a service in this process.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::operation::{OPERATIONS, Support};
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
    world.call("POST", &path("f/policy"), &permission("a")).await;
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
        with("Runtime", json!("java21")),
        400,
        invalid,
        "`java21` cannot run on this node",
    ));
    cases.push((
        with("Handler", Value::Null),
        400,
        invalid,
        "Runtime and Handler are mandatory",
    ));
    cases.push((
        with("Layers", json!(["arn:l"])),
        400,
        invalid,
        "`Layers` is not supported yet",
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
        "`Code.S3Bucket` is not supported yet: the S3 service",
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
async fn equal_code_and_settings_are_one_version() {
    let world = World::new().await;
    let made = world.create("f", SOURCE).await;
    let first = world
        .call("POST", &path("f/versions"), &json!({"Description": "one"}))
        .await;
    assert_eq!(first.status, 201);
    let first = first.json();
    assert_eq!(
        (&first["Version"], &first["Description"]),
        (&json!("1"), &json!("one"))
    );
    assert_eq!(first["FunctionArn"], format!("{ARN}:1"));
    let same = world
        .call("POST", &path("f/versions"), &json!({"Description": "two"}))
        .await
        .json();
    assert_eq!(same, first);

    world
        .call("PUT", &path("f/configuration"), &json!({"Timeout": 9}))
        .await;
    assert_eq!(
        world.call("POST", &path("f/versions"), &json!({})).await.json()["Version"],
        "2"
    );
    let old = world
        .call("GET", &path("f/configuration?Qualifier=1"), &Value::Null)
        .await
        .json();
    assert_eq!(old["Timeout"], 3);

    let sha = json!({"CodeSha256": "other"});
    let wrong = world.call("POST", &path("f/versions"), &sha).await.error();
    let current = made["CodeSha256"].as_str().unwrap();
    let expected = format!("CodeSHA256 (other) is different from current CodeSHA256 in $LATEST ({current})");
    assert!(wrong.2.starts_with(&expected), "{}", wrong.2);
}

#[tokio::test]
async fn numbers_of_deleted_versions_are_not_used_again() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    world.call("POST", &path("f/versions"), &Value::Null).await;
    assert_eq!(
        world
            .call("DELETE", &path("f?Qualifier=1"), &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        world
            .call("DELETE", &path("f?Qualifier=1"), &Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        world.call("POST", &path("f/versions"), &Value::Null).await.json()["Version"],
        "2"
    );
    let latest = world
        .call("DELETE", &path("f:$LATEST"), &Value::Null)
        .await
        .error();
    assert_eq!(
        latest.2,
        "$LATEST version cannot be deleted without deleting the function."
    );
    let alias = world
        .call("DELETE", &path("f?Qualifier=live"), &Value::Null)
        .await
        .error();
    assert_eq!(alias.2, "Deletion of aliases is not currently supported.");
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    for name in ["a", "b", "c"] {
        world.create(name, SOURCE).await;
        world
            .call("POST", &path(&format!("{name}/versions")), &Value::Null)
            .await;
    }
    for (query, expected) in [
        ("MaxItems=2", 3),
        ("MaxItems=1&FunctionVersion=ALL", 6),
        ("MaxItems=10000", 3),
    ] {
        let mut arns = BTreeSet::new();
        let mut marker = String::new();
        loop {
            let page = world
                .call("GET", &format!("{FUNCTIONS}?{query}{marker}"), &Value::Null)
                .await
                .json();
            for function in page["Functions"].as_array().unwrap() {
                assert!(function.get("State").is_none());
                assert!(
                    arns.insert(function["FunctionArn"].as_str().unwrap().to_owned()),
                    "{arns:?}"
                );
            }
            match page["NextMarker"].as_str() {
                Some(next) => marker = format!("&Marker={next}"),
                None => break,
            }
        }
        assert_eq!(arns.len(), expected, "{query}: {arns:?}");
    }
    let versions = world
        .call("GET", &path("a/versions?MaxItems=1"), &Value::Null)
        .await
        .json();
    assert_eq!(
        versions["Versions"][0]["FunctionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:a:$LATEST"
    );
    let next = versions["NextMarker"].as_str().unwrap();
    let rest = world
        .call("GET", &path(&format!("a/versions?Marker={next}")), &Value::Null)
        .await
        .json();
    assert_eq!(rest["Versions"][0]["Version"], "1");
    assert!(rest.get("NextMarker").is_none());
    let foreign = world
        .call("GET", &format!("{FUNCTIONS}?Marker={next}"), &Value::Null)
        .await
        .error();
    assert_eq!(foreign.1, "InvalidParameterValueException");
    let zero = world
        .call("GET", &format!("{FUNCTIONS}?MaxItems=0"), &Value::Null)
        .await
        .error();
    assert!(zero.2.contains("Value '0' at 'maxItems'"), "{}", zero.2);
}

fn permission(id: &str) -> Value {
    json!({"StatementId": id, "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"})
}

#[tokio::test]
async fn permissions_are_added_shown_and_removed() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    let none = world.call("GET", &path("f/policy"), &Value::Null).await.error();
    assert_eq!(
        (none.0, none.2.as_str()),
        (404, "The resource you requested does not exist.")
    );

    let added = world.call("POST", &path("f/policy"), &permission("a")).await;
    assert_eq!(added.status, 201);
    let statement: Value = serde_json::from_str(added.json()["Statement"].as_str().unwrap()).unwrap();
    let again = world
        .call("POST", &path("f/policy"), &permission("a"))
        .await
        .error();
    assert_eq!((again.0, again.1.as_str()), (409, "ResourceConflictException"));
    assert!(
        again
            .2
            .starts_with("The statement id (a) provided already exists.")
    );

    let shown = world.call("GET", &path("f/policy"), &Value::Null).await.json();
    let policy: Value = serde_json::from_str(shown["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(
        policy,
        json!({"Version": "2012-10-17", "Id": "default", "Statement": [statement]})
    );

    let stale = world
        .call("DELETE", &path("f/policy/a?RevisionId=x"), &Value::Null)
        .await
        .error();
    assert!(stale.2.contains("Call the GetPolicy API"), "{}", stale.2);
    let unknown = world
        .call("DELETE", &path("f/policy/b"), &Value::Null)
        .await
        .error();
    assert_eq!(unknown.2, "Statement b is not found in resource policy.");
    assert_eq!(
        world
            .call("DELETE", &path("f/policy/a"), &Value::Null)
            .await
            .status,
        204
    );
    let empty = world
        .call("DELETE", &path("f/policy/a"), &Value::Null)
        .await
        .error();
    assert_eq!(empty.2, "No policy is associated with the given resource.");
    assert_eq!(
        world.call("GET", &path("f/policy"), &Value::Null).await.status,
        404
    );
}

#[tokio::test]
async fn policies_belong_to_what_exists() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    for (target, expected) in [
        (
            "f/policy?Qualifier=$LATEST",
            "We currently do not support adding policies for $LATEST.".to_owned(),
        ),
        (
            "f/policy?Qualifier=live",
            format!("Cannot find alias arn: {ARN}:live"),
        ),
        ("f/policy?Qualifier=42", format!("Function not found: {ARN}:42")),
        (
            "g/policy",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g".to_owned(),
        ),
    ] {
        assert_eq!(
            world
                .call("POST", &path(target), &permission("a"))
                .await
                .error()
                .2,
            expected
        );
    }
    let missing = world
        .call("DELETE", &path("g/policy/a"), &Value::Null)
        .await
        .error();
    assert_eq!(
        missing.2,
        "No policy found for: arn:aws:lambda:us-east-1:000000000000:function:g"
    );
    world.call("POST", &path("f/versions"), &Value::Null).await;
    world
        .call("POST", &path("f/policy?Qualifier=1"), &permission("a"))
        .await;
    assert_eq!(
        world.call("GET", &path("f/policy"), &Value::Null).await.status,
        404
    );
    let of_version = world.call("GET", &path("f:1/policy"), &Value::Null).await.json();
    assert!(
        of_version["Policy"]
            .as_str()
            .unwrap()
            .contains(&format!("\"Resource\":\"{ARN}:1\""))
    );
}

#[tokio::test]
async fn tags_come_and_go() {
    let world = World::new().await;
    let mut body = create_body("f", SOURCE);
    body["Tags"] = json!({"a": "1"});
    world.call("POST", FUNCTIONS, &body).await;
    let tags = format!("/2017-03-31/tags/{}", ARN.replace(':', "%3A"));
    assert_eq!(
        world
            .call("POST", &tags, &json!({"Tags": {"b": "2", "a": "3"}}))
            .await
            .status,
        204
    );
    let listed = world.call("GET", &tags, &Value::Null).await.json();
    assert_eq!(listed, json!({"Tags": {"a": "3", "b": "2"}}));
    assert_eq!(
        world.call("GET", &path("f"), &Value::Null).await.json()["Tags"],
        listed["Tags"]
    );
    let untagged = world
        .call("DELETE", &format!("{tags}?tagKeys=a&tagKeys=none"), &Value::Null)
        .await;
    assert_eq!(untagged.status, 204);
    assert_eq!(
        world.call("GET", &tags, &Value::Null).await.json(),
        json!({"Tags": {"b": "2"}})
    );
    assert!(
        world
            .call("DELETE", &tags, &Value::Null)
            .await
            .error()
            .2
            .contains("Value null at 'tagKeys'")
    );
    let many: Value = (0..50)
        .map(|n| (format!("k{n}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let many = world.call("POST", &tags, &json!({"Tags": many})).await.error();
    assert_eq!(many.2, "Number of tags exceeds resource tag limit.");
    let version = world
        .call("POST", &format!("{tags}:1"), &json!({"Tags": {"a": "b"}}))
        .await
        .error();
    assert!(
        version
            .2
            .starts_with("Tags on function aliases and versions are not supported.")
    );
    let other = world
        .call("GET", "/2017-03-31/tags/arn:aws:something", &Value::Null)
        .await
        .error();
    assert_eq!(
        (other.1.as_str(), other.2.contains("at 'resource'")),
        ("ValidationException", true)
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

#[tokio::test]
async fn invocations_are_checked_before_they_run() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    let missing = world.invoke("g", &[], b"{}").await.error();
    assert_eq!(
        missing.2,
        "Function not found: arn:aws:lambda:us-east-1:000000000000:function:g:$LATEST"
    );
    let version = world.invoke("f:9", &[], b"{}").await.error();
    assert_eq!(version.2, format!("Function not found: {ARN}:9"));
    let payload = world.invoke("f", &[], b"{oops}").await.error();
    assert_eq!(
        (payload.0, payload.1.as_str()),
        (400, "InvalidRequestContentException")
    );
    let prefix = "Could not parse request body into json: Could not parse payload into json: ";
    assert!(payload.2.starts_with(prefix), "{}", payload.2);
    let kind = world
        .invoke("f", &[("x-amz-invocation-type", "Later")], b"{}")
        .await
        .error();
    assert!(
        kind.2
            .ends_with("Member must satisfy enum value set: [Event, RequestResponse, DryRun]")
    );
    let log = world
        .invoke("f", &[("x-amz-log-type", "All")], b"{}")
        .await
        .error();
    assert!(log.2.contains("at 'logType'"), "{}", log.2);
    let context = world
        .invoke("f", &[("x-amz-client-context", "e30")], b"{}")
        .await
        .error();
    assert_eq!(
        context.2,
        "Client context must be a valid Base64-encoded JSON object."
    );
    let dry = world
        .invoke("f", &[("x-amz-invocation-type", "DryRun")], b"{}")
        .await;
    assert_eq!((dry.status, dry.bytes.len()), (204, 0));
}

#[tokio::test]
async fn payloads_have_limits() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    let big = |bytes: usize| -> &'static [u8] { format!("\"{}\"", "x".repeat(bytes - 2)).leak().as_bytes() };
    let sync = world.invoke("f", &[], big(6_291_557)).await.error();
    assert_eq!((sync.0, sync.1.as_str()), (413, "RequestTooLargeException"));
    assert_eq!(
        sync.2,
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
    );
    let event = world
        .invoke("f", &[("x-amz-invocation-type", "Event")], big(1_048_577))
        .await
        .error();
    assert_eq!((event.0, event.1.as_str()), (413, "RequestTooLargeException"));
    let expected = "1048577 byte payload is too large for the Event invocation type (limit 1048576 bytes)";
    assert_eq!(event.2, expected);
}
