use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{ARN, SOURCE, path};
use crate::testing::{World, zip_base64};

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

#[tokio::test]
async fn an_answer_comes_with_its_version_and_log() {
    let world = World::new().await;
    let source = "exports.handler = async (event, context) => { console.log('hello log'); \
                  return {event, id: context.awsRequestId, client: context.clientContext}; };";
    world.create("f", source).await;
    let headers = [
        ("x-amz-log-type", "Tail"),
        ("x-amz-client-context", "eyJjdXN0b20iOnsiYSI6MX19"),
    ];
    let answer = world.invoke("f", &headers, b"{\"a\":1}").await;
    assert_eq!(
        (answer.status, answer.header("x-amz-executed-version")),
        (200, Some("$LATEST"))
    );
    assert_eq!(answer.header("x-amz-function-error"), None);
    let body = answer.json();
    assert_eq!(
        (&body["event"]["a"], &body["client"]["custom"]["a"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(body["id"], answer.header("x-amzn-requestid").unwrap());
    let log = STANDARD
        .decode(answer.header("x-amz-log-result").unwrap())
        .unwrap();
    let log = String::from_utf8(log).unwrap();
    assert!(
        log.contains("hello log") && log.contains("REPORT RequestId: "),
        "{log}"
    );
}

#[tokio::test]
async fn a_functions_error_is_an_answer() {
    let world = World::new().await;
    world
        .create(
            "f",
            "exports.handler = async () => { throw new TypeError('boom'); };",
        )
        .await;
    let answer = world.invoke("f", &[], b"").await;
    assert_eq!(
        (answer.status, answer.header("x-amz-function-error")),
        (200, Some("Unhandled"))
    );
    assert_eq!(
        (&answer.json()["errorType"], &answer.json()["errorMessage"]),
        (&json!("TypeError"), &json!("boom"))
    );
}

#[tokio::test]
async fn a_version_keeps_its_code() {
    let world = World::new().await;
    world.create("f", "exports.handler = async () => 1;").await;
    world
        .call("POST", "/2015-03-31/functions/f/versions", &Value::Null)
        .await;
    let code = json!({"ZipFile": zip_base64("exports.handler = async () => 2;")});
    world.call("PUT", "/2015-03-31/functions/f/code", &code).await;
    let old = world.invoke("f:1", &[], b"").await;
    assert_eq!(
        (old.json(), old.header("x-amz-executed-version")),
        (json!(1), Some("1"))
    );
    assert_eq!(world.invoke("f", &[], b"").await.json(), json!(2));
}

#[tokio::test]
async fn an_event_for_a_function_that_goes_away_is_not_accepted() {
    let world = World::new().await;
    world.create("f", SOURCE).await;
    let accepted = crate::queue::Accepted {
        request_id: "r-1".into(),
        arn: ARN.parse().unwrap(),
        qualifier: String::new(),
        payload: bytes::Bytes::from_static(b"{}"),
        trace_id: None,
    };
    // what an accept does that was overtaken by the delete after it found the function
    world.call("DELETE", &path("f"), &Value::Null).await;
    let refused = world.service.enqueue(accepted).await.unwrap_err();
    assert_eq!(refused.wire().status, 404);
    assert_eq!(world.service.queue().next_due(usize::MAX), None);
    let rows = "SELECT request_id FROM lambda_async_invocations";
    assert!(world.config.database.read(rows, vec![]).await.unwrap().is_empty());
}
