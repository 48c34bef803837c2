//! The Extensions API, spoken to over TCP as extensions do.

use std::future::poll_fn;

use bytes::Bytes;

use super::runtime_api_tests::{beside, raw};
use super::{Channel, ChannelEvent, Delivery, FunctionFacts, RuntimeApi};
use crate::failure::Failure;

async fn api(external: &[&str]) -> RuntimeApi {
    let mut api = RuntimeApi::bind().await.unwrap();
    let facts = FunctionFacts {
        name: "f".into(),
        version: "7".into(),
        handler: "h".into(),
        account: "123456789012".into(),
    };
    api.expect_extensions(facts, external.iter().map(|name| (*name).to_owned()).collect());
    api
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .into()
}

async fn call(api: &mut RuntimeApi, request: Vec<u8>) -> (String, Vec<ChannelEvent>) {
    let client = raw(api.address(), request);
    beside(api, client, |_api| {}).await
}

fn register(name: &str, body: &str) -> Vec<u8> {
    let header = format!("Lambda-Extension-Name: {name}\r\n");
    request("POST", "/2020-01-01/extension/register", &header, body)
}

fn next(id: &str) -> Vec<u8> {
    let header = format!("Lambda-Extension-Identifier: {id}\r\n");
    request("GET", "/2020-01-01/extension/event/next", &header, "")
}

fn runtime_next() -> Vec<u8> {
    request("GET", "/2018-06-01/runtime/invocation/next", "", "")
}

async fn registered(api: &mut RuntimeApi, name: &str, events: &str) -> String {
    let (response, _events) = call(api, register(name, &format!(r#"{{"events":{events}}}"#))).await;
    assert!(response.starts_with("HTTP/1.1 200 OK"), "{response}");
    let id = response
        .lines()
        .find_map(|line| line.strip_prefix("Lambda-Extension-Identifier: "));
    id.unwrap().to_owned()
}

#[tokio::test]
async fn registering_tells_about_the_function() {
    let mut api = api(&["ext"]).await;
    let header = "Lambda-Extension-Name: ext\r\nLambda-Extension-Accept-Feature: accountId\r\n";
    let body = r#"{"events":["INVOKE","SHUTDOWN"]}"#;
    let (response, _events) = call(
        &mut api,
        request("POST", "/2020-01-01/extension/register", header, body),
    )
    .await;
    assert!(
        response.ends_with(
            r#"{"functionName":"f","functionVersion":"7","handler":"h","accountId":"123456789012"}"#
        )
    );
}

#[tokio::test]
async fn what_is_wrong_is_forbidden_by_name() {
    let mut api = api(&["ext"]).await;
    for (request, error_type) in [
        (register("", "{}"), "Extension.InvalidExtensionName"),
        (register("ext", "no json"), "InvalidRequestFormat"),
        (
            register("ext", r#"{"events":["NONE"]}"#),
            "Extension.InvalidEventType",
        ),
        (
            register("inside", r#"{"events":["SHUTDOWN"]}"#),
            "Extension.InvalidEventType",
        ),
        (
            request("GET", "/2020-01-01/extension/event/next", "", ""),
            "Extension.MissingExtensionIdentifier",
        ),
        (next("no-uuid"), "Extension.InvalidExtensionIdentifier"),
        (
            next("6b1ff4b2-0a5b-4c7e-9f0a-000000000000"),
            "Extension.UnknownExtensionIdentifier",
        ),
    ] {
        let (response, events) = call(&mut api, request).await;
        assert!(response.starts_with("HTTP/1.1 403 Forbidden"), "{response}");
        assert!(
            response.contains(&format!(r#""errorType":"{error_type}""#)),
            "{response}"
        );
        assert_eq!(events, []);
    }
    let id = registered(&mut api, "ext", r#"["INVOKE"]"#).await;
    let (twice, _events) = call(&mut api, register("ext", "{}")).await;
    assert!(
        twice.contains("State transition from Registered to Registered failed"),
        "{twice}"
    );
    let header = format!("Lambda-Extension-Identifier: {id}\r\n");
    let unnamed = request("POST", "/2020-01-01/extension/exit/error", &header, "{}");
    let (response, _events) = call(&mut api, unnamed).await;
    assert!(response.contains("Extension.MissingHeader"), "{response}");
    let (response, _events) = call(&mut api, request("PUT", "/2022-07-01/telemetry", &header, "{}")).await;
    assert!(response.starts_with("HTTP/1.1 202 ") && response.contains("Telemetry.NotSupported"));
}

#[tokio::test]
async fn ten_extensions_are_the_limit_and_none_comes_after_the_runtime_is_ready() {
    let mut api = api(&[]).await;
    for number in 0..10 {
        registered(&mut api, &format!("e{number}"), "[]").await;
    }
    let (response, _events) = call(&mut api, register("e10", "{}")).await;
    assert!(
        response.contains(r#""errorMessage":"Extension limit (10) reached""#),
        "{response}"
    );
    api = self::api(&[]).await;
    api.deliver(&delivery());
    call(&mut api, runtime_next()).await;
    let (response, _events) = call(&mut api, register("late", "{}")).await;
    assert!(response.contains("Extension.RegistrationClosed"), "{response}");
}

fn delivery() -> Delivery<'static> {
    Delivery {
        request_id: "r1",
        deadline_ms: 5,
        function_arn: "arn",
        trace_id: "Root=1-a-b",
        client_context: None,
        payload: Bytes::new(),
        streamed: false,
    }
}

#[tokio::test]
async fn ready_is_when_runtime_and_extensions_all_wait() {
    let mut api = api(&["ext"]).await;
    let id = registered(&mut api, "ext", r#"["INVOKE","SHUTDOWN"]"#).await;
    let address = api.address();
    let both = async {
        let (runtime, extension) = tokio::join!(raw(address, runtime_next()), raw(address, next(&id)));
        (runtime, extension)
    };
    // the only event is Ready, once; then both get theirs
    let ((runtime, extension), events) = beside(&mut api, both, |api| api.deliver(&delivery())).await;
    assert_eq!(events, [ChannelEvent::Ready]);
    assert!(runtime.contains("Lambda-Runtime-Aws-Request-Id: r1"), "{runtime}");
    assert!(extension.ends_with(
        r#"{"eventType":"INVOKE","deadlineMs":5,"requestId":"r1","invokedFunctionArn":"arn","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1-a-b"}}"#
    ));
    // the runtime has answered and asks again, the extension still works: not ready
    let path = "/2018-06-01/runtime/invocation/r1/response";
    let (_response, events) = call(&mut api, request("POST", path, "", "1")).await;
    assert_eq!(events, [ChannelEvent::Answer(Ok(Bytes::from_static(b"1")))]);
    let waiting = tokio::time::timeout(
        std::time::Duration::from_millis(50),
        call(&mut api, runtime_next()),
    )
    .await;
    assert!(waiting.is_err());
    let client = raw(address, next(&id));
    let (extension, events) = beside(&mut api, client, |api| api.shut_down("spindown", 9)).await;
    assert_eq!(events, [ChannelEvent::Ready]);
    assert!(extension.ends_with(r#"{"eventType":"SHUTDOWN","deadlineMs":9,"shutdownReason":"spindown"}"#));
}

#[tokio::test]
async fn an_error_of_an_extension_ends_the_instance() {
    let mut api = api(&["ext"]).await;
    let id = registered(&mut api, "ext", "[]").await;
    let header = format!(
        "Lambda-Extension-Identifier: {id}\r\nLambda-Extension-Function-Error-Type: Extension.NoKey\r\n"
    );
    let report = || request("POST", "/2020-01-01/extension/init/error", &header, "{}");
    let (response, mut events) = call(&mut api, report()).await;
    assert!(response.starts_with("HTTP/1.1 202 "), "{response}");
    if events.is_empty() {
        events.push(poll_fn(|cx| api.poll_event(cx)).await);
    }
    let failure = Failure::Extension {
        error_type: "Extension.InitError",
        message: "extension `ext` reported Extension.NoKey".into(),
    };
    assert_eq!(events, [ChannelEvent::Fault(failure)]);
    let (again, _events) = call(&mut api, report()).await;
    assert!(again.contains("Extension.InvalidExtensionState"), "{again}");
}

#[tokio::test]
async fn the_time_to_shut_down_depends_on_the_kind_of_extensions() {
    for (external, internal, limit_ms) in [
        (vec!["ext"], false, 2_000),
        (vec![], true, 500),
        (vec![], false, 0),
    ] {
        let mut api = api(&external).await;
        if internal {
            registered(&mut api, "inside", "[]").await;
        }
        let mut channel = Channel::RuntimeApi(api);
        assert_eq!(channel.shut_down("spindown", 0).as_millis(), limit_ms);
        assert!(channel.is_shut_down(), "nobody asked to be told");
    }
}
