//! Answers that come in chunks, over the Runtime API.

use std::time::Duration;

use bytes::Bytes;
use tradewind_model::{FunctionArn, RequestId, TimeoutSeconds};

use super::node::{Node, eventually};
use crate::{InvokeRequest, StreamError, StreamEvent, StreamedResponse};

/// A runtime that streams what its event says, and goes on when a file appears.
const RUNTIME: &str = r#"#!/usr/bin/env python3
import base64, http.client, json, os, socket, sys, time
host, port = os.environ['AWS_LAMBDA_RUNTIME_API'].split(':')
base = '/2018-06-01/runtime/invocation/'

def stream(request, event):
    connection = socket.create_connection((host, int(port)))
    def chunk(data):
        connection.sendall(b'%x\r\n%s\r\n' % (len(data), data))
    head = f'POST {base}{request}/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n' \
        'Content-Type: text/event-stream\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nConnection: close\r\n' \
        'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n'
    connection.sendall(head.encode())
    chunk(b'one ')
    while 'wait' in event and not os.path.exists(event['wait']):
        time.sleep(0.005)
    for _ in range(event.get('megabytes', 0)):
        chunk(b'x' * 1048576)
    if event.get('do') == 'exit':
        sys.exit(3)
    if event.get('do') == 'hang':
        time.sleep(3600)
    chunk(b'two')
    trailers = b''
    if event.get('do') == 'fail':
        body = base64.b64encode(json.dumps({'errorType': 'Late', 'errorMessage': 'm'}).encode())
        trailers = b'Lambda-Runtime-Function-Error-Type: Late\r\nLambda-Runtime-Function-Error-Body: ' + body + b'\r\n'
    connection.sendall(b'0\r\n' + trailers + b'\r\n')
    print(connection.recv(1000).split(b'\r\n')[0].decode(), flush=True)

while True:
    connection = http.client.HTTPConnection(host, int(port))
    connection.request('GET', base + 'next')
    response = connection.getresponse()
    event = json.loads(response.read())
    stream(response.headers['Lambda-Runtime-Aws-Request-Id'], event)
"#;

async fn streaming(node: &Node) -> FunctionArn {
    let mut spec = node
        .spec("provided.al2023", "any.handler", &[("bootstrap", RUNTIME)])
        .await;
    spec.timeout = TimeoutSeconds::new(5).unwrap();
    spec.environment
        .insert("PATH".into(), std::env::var("PATH").unwrap());
    spec.environment
        .insert("HOME".into(), std::env::var("HOME").unwrap_or_default());
    node.deploy(spec)
}

async fn open(node: &Node, function: &FunctionArn, event: String) -> StreamedResponse {
    let request = InvokeRequest::new(RequestId::random(), event);
    node.engine.invoke_streaming(function, request).await.unwrap()
}

/// All that is left of a body, and how it ended.
async fn rest(response: &mut StreamedResponse) -> (Vec<u8>, Option<StreamError>) {
    let mut seen = Vec::new();
    loop {
        match response.body.next().await {
            Some(StreamEvent::Chunk(chunk)) => seen.extend_from_slice(&chunk),
            Some(StreamEvent::Complete { error, .. }) => return (seen, error),
            None => panic!("the stream has no end"),
        }
    }
}

#[tokio::test]
async fn chunks_arrive_while_the_function_still_works() {
    let node = Node::plain();
    let function = streaming(&node).await;
    let go_on = node.shared("files").join("go");
    let mut response = open(&node, &function, format!(r#"{{"wait":"{}"}}"#, go_on.display())).await;
    assert_eq!(response.content_type.as_deref(), Some("text/event-stream"));
    assert_eq!(
        response.body.next().await,
        Some(StreamEvent::Chunk(Bytes::from_static(b"one ")))
    );
    std::fs::write(&go_on, "").unwrap();
    assert_eq!(rest(&mut response).await, (b"two".to_vec(), None));
    let messages = node.messages(&function, 1).await;
    assert!(
        messages.contains(&"HTTP/1.1 202 Accepted".to_owned()),
        "{messages:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_buffered_caller_gets_the_stream_in_one_piece() {
    let node = Node::start();
    let function = streaming(&node).await;
    let response = node.try_invoke(&function, "{}").await.unwrap();
    assert_eq!(
        (response.error, response.payload.as_ref()),
        (None, &b"one two"[..])
    );
    let (error_type, _message) = node.invoke_error(&function, r#"{"megabytes":7}"#).await;
    assert_eq!(error_type, "Function.ResponseSizeTooLarge");
    node.stop().await;
}

#[tokio::test]
async fn a_stream_may_be_larger_than_a_whole_answer_and_waits_for_its_reader() {
    let node = Node::start();
    let function = streaming(&node).await;
    let mut response = open(&node, &function, r#"{"megabytes":20}"#.into()).await;
    let (body, error) = rest(&mut response).await;
    assert_eq!((body.len(), error), (20 * 1024 * 1024 + 7, None));
    node.stop().await;
}

#[tokio::test]
async fn errors_in_the_middle_are_in_the_completion() {
    let node = Node::start();
    let function = streaming(&node).await;
    for (act, error_type) in [
        ("fail", "Late"),
        ("exit", "Runtime.ExitError"),
        ("hang", "Sandbox.Timedout"),
    ] {
        let mut response = open(&node, &function, format!(r#"{{"do":"{act}"}}"#)).await;
        let (body, error) = rest(&mut response).await;
        assert!(body.starts_with(b"one "), "{act}");
        assert_eq!(error.unwrap().error_type, error_type);
    }
    let (error_type, _message) = node.invoke_error(&function, r#"{"do":"fail"}"#).await;
    assert_eq!(error_type, "Late");
    node.stop().await;
}

#[tokio::test]
async fn a_reader_that_goes_away_does_not_hurt_the_instance() {
    let node = Node::start();
    let function = streaming(&node).await;
    let response = open(&node, &function, r#"{"megabytes":20}"#.into()).await;
    drop(response);
    node.messages(&function, 1).await;
    eventually(|| node.engine.functions()[0].idle == 1).await;
    let mut response = open(&node, &function, "{}".into()).await;
    assert_eq!(rest(&mut response).await, (b"one two".to_vec(), None));
    let messages = node.messages(&function, 2).await;
    let starts = messages
        .iter()
        .filter(|line| line.contains("Init Duration"))
        .count();
    assert_eq!(starts, 1, "{messages:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_cannot_keep_an_instance_beyond_its_timeout() {
    let node = Node::start();
    let function = streaming(&node).await;
    let mut response = open(&node, &function, r#"{"megabytes":20}"#.into()).await;
    let messages = node.messages(&function, 1).await;
    assert!(
        messages
            .iter()
            .any(|line| line.contains("Task timed out after 5.00 seconds")),
        "{messages:?}"
    );
    let (_body, error) = rest(&mut response).await;
    assert_eq!(error.unwrap().error_type, "Sandbox.Timedout");
    node.engine.shutdown(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn functions_that_do_not_stream_answer_in_one_chunk() {
    let node = Node::start();
    let function = node
        .js("exports.handler = async (event) => { if (event.fail) throw new Error('no'); return event }")
        .await;
    let mut response = open(&node, &function, r#"{"a":1}"#.into()).await;
    assert_eq!(response.content_type, None);
    assert_eq!(rest(&mut response).await, (br#"{"a":1}"#.to_vec(), None));
    let mut response = open(&node, &function, r#"{"fail":1}"#.into()).await;
    let (body, error) = rest(&mut response).await;
    assert_eq!(
        (body.as_slice(), error.unwrap().error_type.as_str()),
        (&b""[..], "Error")
    );
    node.stop().await;
}

#[tokio::test]
async fn a_node_handler_streams_through_its_own_channel() {
    const SOURCE: &str = r"
        exports.handler = awslambda.streamifyResponse(async (event, stream) => {
          const answer = awslambda.HttpResponseStream.from(stream, { statusCode: 201 });
          answer.write('one ');
          answer.write(Buffer.alloc(event.megabytes * 1048576));
          if (event.fail) throw new TypeError('late');
          answer.end('two');
        });";
    let node = Node::start();
    let function = node.deploy(
        node.spec("nodejs20.x", "index.handler", &[("index.js", SOURCE)])
            .await,
    );
    let mut response = open(&node, &function, r#"{"megabytes":20}"#.into()).await;
    assert_eq!(
        response.content_type.as_deref(),
        Some("application/vnd.awslambda.http-integration-response")
    );
    let (body, error) = rest(&mut response).await;
    assert!(body.starts_with(b"{\"statusCode\":201}\0\0\0\0\0\0\0\0one "));
    assert_eq!((body.len(), error), (18 + 8 + 4 + 20 * 1024 * 1024 + 3, None));
    let mut response = open(&node, &function, r#"{"megabytes":1,"fail":true}"#.into()).await;
    let (_body, error) = rest(&mut response).await;
    assert_eq!(error.unwrap().error_type, "TypeError");
    node.stop().await;
}
