//! The Runtime API, spoken to over TCP as clients do.

use std::future::poll_fn;
use std::net::SocketAddr;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tradewind_model::limits::SYNC_PAYLOAD_BYTES;

use super::{ChannelEvent, Delivery, RuntimeApi};
use crate::failure::Failure;

/// Sends raw bytes on a connection of its own and reads until the server closes it.
pub(super) async fn raw(address: SocketAddr, request: Vec<u8>) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} /2018-06-01{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Runs a client beside the polled channel; gives what both saw. `on` may act on each event.
pub(super) async fn beside<T>(
    api: &mut RuntimeApi,
    client: impl Future<Output = T>,
    mut on: impl FnMut(&mut RuntimeApi),
) -> (T, Vec<ChannelEvent>) {
    let mut events = Vec::new();
    let mut client = std::pin::pin!(client);
    loop {
        tokio::select! {
            biased;
            event = poll_fn(|cx| api.poll_event(cx)) => {
                events.push(event);
                on(api);
            }
            done = &mut client => return (done, events),
        }
    }
}

async fn call(api: &mut RuntimeApi, request: Vec<u8>) -> (String, Vec<ChannelEvent>) {
    let address = api.address();
    beside(api, raw(address, request), |_api| {}).await
}

async fn post(api: &mut RuntimeApi, path: &str, headers: &str, body: &[u8]) -> (String, Vec<ChannelEvent>) {
    call(api, request("POST", path, headers, body)).await
}

fn next() -> Vec<u8> {
    request("GET", "/runtime/invocation/next", "", b"")
}

fn delivery(payload: &'static str) -> Delivery<'static> {
    Delivery {
        request_id: "r1",
        deadline_ms: 1_700_000_000_000,
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:f",
        trace_id: "Root=1-a-b",
        client_context: Some("{\"c\":1}"),
        payload: Bytes::from_static(payload.as_bytes()),
        streamed: false,
    }
}

/// An API whose runtime has taken the event `r1`.
async fn running() -> RuntimeApi {
    let mut api = RuntimeApi::bind().await.unwrap();
    api.deliver(&delivery("{}"));
    let (_response, events) = call(&mut api, next()).await;
    assert_eq!(events, [ChannelEvent::Ready]);
    api
}

#[tokio::test]
async fn next_waits_for_an_event_and_gives_it_with_lambdas_headers() {
    let mut api = RuntimeApi::bind().await.unwrap();
    let client = raw(api.address(), next());
    let (response, events) = beside(&mut api, client, |api| api.deliver(&delivery("{\"n\":1}"))).await;
    assert_eq!(events, [ChannelEvent::Ready]);
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    for line in [
        "Content-Type: application/json",
        "Lambda-Runtime-Aws-Request-Id: r1",
        "Lambda-Runtime-Deadline-Ms: 1700000000000",
        "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:f",
        "Lambda-Runtime-Trace-Id: Root=1-a-b",
        "Lambda-Runtime-Client-Context: {\"c\":1}",
        "Content-Length: 7",
    ] {
        assert!(response.lines().any(|got| got == line), "{line} in {response}");
    }
    assert!(response.ends_with("\r\n\r\n{\"n\":1}"));
}

#[tokio::test]
async fn a_response_is_accepted_once() {
    let mut api = running().await;
    let path = "/runtime/invocation/r1/response";
    let (response, events) = post(&mut api, path, "", b"\"ok\"").await;
    assert!(response.starts_with("HTTP/1.1 202 Accepted\r\n"), "{response}");
    assert!(response.ends_with("{\"status\":\"OK\"}\n"), "{response}");
    assert_eq!(events, [ChannelEvent::Answer(Ok(Bytes::from_static(b"\"ok\"")))]);
    let (again, events) = post(&mut api, path, "", b"\"twice\"").await;
    assert!(again.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{again}");
    assert!(
        again.contains("\"errorType\":\"InvalidStateTransition\""),
        "{again}"
    );
    assert_eq!(events, []);
}

#[tokio::test]
async fn chunked_bodies_and_trailers_are_read() {
    let mut api = running().await;
    let chunked =
        b"POST /2018-06-01/runtime/invocation/r1/response HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Transfer-Encoding: chunked\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n\r\n\
        2\r\n\"o\r\n2\r\nk\"\r\n0\r\n\r\n";
    let (response, events) = call(&mut api, chunked.to_vec()).await;
    assert!(response.starts_with("HTTP/1.1 202 "), "{response}");
    assert_eq!(events, [ChannelEvent::Answer(Ok(Bytes::from_static(b"\"ok\"")))]);

    let mut api = running().await;
    let failed = b"POST /2018-06-01/runtime/invocation/r1/response HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Transfer-Encoding: chunked\r\nTrailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n\
        1\r\nx\r\n0\r\nLambda-Runtime-Function-Error-Type: Boom\r\n\
        Lambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n\r\n";
    let (_response, events) = call(&mut api, failed.to_vec()).await;
    let reported = Failure::Reported(Bytes::from_static(b"{\"a\":1}"));
    assert_eq!(events, [ChannelEvent::Answer(Err(reported))]);
}

#[tokio::test]
async fn a_streamed_response_is_passed_on_as_it_comes() {
    let mut api = RuntimeApi::bind().await.unwrap();
    api.deliver(&Delivery {
        streamed: true,
        ..delivery("{}")
    });
    call(&mut api, next()).await;
    let response =
        b"POST /2018-06-01/runtime/invocation/r1/response HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\
        Lambda-Runtime-Function-Response-Mode: streaming\r\n\r\n2\r\nab\r\n0\r\n\
        Lambda-Runtime-Function-Error-Type: Boom\r\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n\r\n";
    let (response, events) = call(&mut api, response.to_vec()).await;
    assert!(response.starts_with("HTTP/1.1 202 "), "{response}");
    let begin = ChannelEvent::StreamBegin {
        content_type: Some("text/plain".into()),
        first: Bytes::new(),
    };
    let end = ChannelEvent::StreamEnd(Err(Failure::Reported(Bytes::from_static(b"{\"a\":1}"))));
    assert_eq!(
        events,
        [begin, ChannelEvent::StreamChunk(Bytes::from_static(b"ab")), end]
    );
}

#[tokio::test]
async fn an_error_is_passed_on_as_the_runtime_words_it() {
    let mut api = running().await;
    let body = b"{\"errorType\":\"E\",\"errorMessage\":\"m\"}";
    let (response, events) = post(&mut api, "/runtime/invocation/r1/error", "", body).await;
    assert!(response.starts_with("HTTP/1.1 202 "), "{response}");
    let reported = Failure::Reported(Bytes::from_static(body));
    assert_eq!(events, [ChannelEvent::Answer(Err(reported))]);

    let mut api = running().await;
    let header = "Lambda-Runtime-Function-Error-Type: Custom.Bad\r\n";
    let (_response, events) = post(&mut api, "/runtime/invocation/r1/error", header, b"").await;
    let [ChannelEvent::Answer(Err(Failure::Reported(body)))] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert!(body.starts_with(b"{\"errorType\":\"Custom.Bad\""), "{body:?}");
}

#[tokio::test]
async fn a_response_that_is_too_large_gets_413_and_the_caller_lambdas_error() {
    let mut api = running().await;
    let body = vec![b'x'; SYNC_PAYLOAD_BYTES + 1];
    let (response, events) = post(&mut api, "/runtime/invocation/r1/response", "", &body).await;
    assert!(
        response.starts_with("HTTP/1.1 413 Payload Too Large\r\n"),
        "{response}"
    );
    assert!(response.ends_with(
        "{\"errorMessage\":\"Exceeded maximum allowed payload size (6291556 bytes).\",\"errorType\":\"RequestEntityTooLarge\"}\n"
    ));
    assert_eq!(events, [ChannelEvent::Answer(Err(Failure::ResponseTooLarge))]);
}

#[tokio::test]
async fn a_response_that_breaks_off_is_truncated() {
    let mut api = running().await;
    let address = api.address();
    let client = async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = b"POST /2018-06-01/runtime/invocation/r1/response HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
        stream.write_all(head).await.unwrap();
    };
    let ((), mut events) = beside(&mut api, client, |_api| {}).await;
    if events.is_empty() {
        events.push(poll_fn(|cx| api.poll_event(cx)).await);
    }
    assert_eq!(events, [ChannelEvent::Answer(Err(Failure::TruncatedResponse))]);
}

#[tokio::test]
async fn init_errors_are_taken_before_the_first_next_only() {
    let mut api = RuntimeApi::bind().await.unwrap();
    let body = b"{\"errorType\":\"Runtime.NoSuchHandler\"}";
    let (response, events) = post(&mut api, "/runtime/init/error", "", body).await;
    assert!(response.starts_with("HTTP/1.1 202 "), "{response}");
    assert_eq!(events, [ChannelEvent::InitError(Bytes::from_static(body))]);
    let (response, _events) = post(&mut running().await, "/runtime/init/error", "", body).await;
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
}

#[tokio::test]
async fn wrong_ids_paths_and_methods_have_lambdas_answers() {
    let mut api = running().await;
    let (response, events) = post(&mut api, "/runtime/invocation/other/response", "", b"1").await;
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    assert!(
        response.contains("{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}")
    );
    assert_eq!(events, []);
    let (response, _events) = call(&mut api, next()).await;
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
    for (method, path, status) in [
        ("GET", "/nothing", "404"),
        ("POST", "/runtime/invocation/next", "405"),
        ("GET", "/runtime/invocation/r1/response", "405"),
        ("GET", "/ping", "200"),
    ] {
        let (response, _events) = call(&mut api, request(method, path, "", b"")).await;
        assert!(
            response.starts_with(&format!("HTTP/1.1 {status} ")),
            "{method} {path}: {response}"
        );
    }
}

#[tokio::test]
async fn restore_is_a_wrong_transition_without_snap_start() {
    let mut api = RuntimeApi::bind().await.unwrap();
    for (method, path) in [
        ("GET", "/runtime/restore/next"),
        ("POST", "/runtime/restore/error"),
    ] {
        let (response, events) = call(&mut api, request(method, path, "", b"")).await;
        assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
        assert!(
            response.contains("State transition from Started to Re"),
            "{response}"
        );
        assert!(response.contains("InvalidStateTransition"), "{response}");
        assert_eq!(events, []);
    }
}
