//! Executables that bring their own runtime and speak the Runtime API.

use serde_json::json;
use tradewind_model::{FunctionArn, RequestId, TimeoutSeconds};

use super::node::Node;
use crate::{FunctionErrorKind, InvokeRequest};

/// A runtime in fifty lines: does what its event says.
const RUNTIME: &str = r#"#!/usr/bin/env python3
import http.client, json, os, sys, time
host = os.environ['AWS_LAMBDA_RUNTIME_API']
base = '/2018-06-01/runtime/'
connection = http.client.HTTPConnection(host)

def call(method, path, body=None, headers={}):
    connection.request(method, base + path, body, headers)
    response = connection.getresponse()
    return response.status, response.headers, response.read()

if os.environ.get('BREAK') == 'init':
    body = json.dumps({'errorType': 'Runtime.Broken', 'errorMessage': 'cannot start'})
    call('POST', 'init/error', body, {'Lambda-Runtime-Function-Error-Type': 'Runtime.Broken'})
    sys.exit(1)
if os.environ.get('BREAK') == 'exit':
    sys.exit(42)
calls = 0
while True:
    _, headers, body = call('GET', 'invocation/next')
    request, event = headers['Lambda-Runtime-Aws-Request-Id'], json.loads(body)
    calls += 1
    print('call', calls, flush=True)
    path = 'invocation/' + request + '/'
    act = event.get('do')
    if act == 'fail':
        print(call('POST', path + 'error', json.dumps({'errorType': 'E', 'errorMessage': 'failed'})), flush=True)
    elif act == 'exit':
        sys.exit(7)
    elif act == 'answer and exit':
        call('POST', path + 'response', '"last"')
        sys.exit(0)
    elif act == 'hang':
        time.sleep(3600)
    elif act == 'large':
        status, _, body = call('POST', path + 'response', b'x' * 7000000)
        print(status, body.decode().strip(), flush=True)
        connection.close()
    elif act == 'wrong id':
        status, _, body = call('POST', 'invocation/other/response', '1')
        call('POST', path + 'response', json.dumps([status, json.loads(body)]))
    elif act == 'chunked':
        call('POST', path + 'response', (piece for piece in [b'{"chunked"', b': true}']))
    else:
        keys = ['_HANDLER', 'LAMBDA_TASK_ROOT']
        names = ['Deadline-Ms', 'Invoked-Function-Arn', 'Trace-Id']
        call('POST', path + 'response', json.dumps({
            'event': event, 'calls': calls,
            'environment': {key: os.environ.get(key) for key in keys},
            'headers': {name: headers['Lambda-Runtime-' + name] for name in names}}))
"#;

async fn provided(node: &Node, broken: Option<&str>) -> FunctionArn {
    let mut spec = node
        .spec("provided.al2023", "any.handler", &[("bootstrap", RUNTIME)])
        .await;
    spec.timeout = TimeoutSeconds::new(5).unwrap();
    // where the tests' own Python is, for `env`
    spec.environment
        .insert("PATH".into(), std::env::var("PATH").unwrap());
    spec.environment
        .insert("HOME".into(), std::env::var("HOME").unwrap_or_default());
    if let Some(broken) = broken {
        spec.environment.insert("BREAK".into(), broken.into());
    }
    node.deploy(spec)
}

#[tokio::test]
async fn an_executable_gets_events_and_is_reused() {
    let node = Node::start();
    let function = provided(&node, None).await;
    for call in 1..=3 {
        let answer = node.invoke(&function, r#"{"n":1}"#).await;
        assert_eq!(answer["event"], json!({ "n": 1 }));
        assert_eq!(answer["calls"], call);
        assert_eq!(answer["environment"]["_HANDLER"], "any.handler");
        assert_eq!(answer["headers"]["Invoked-Function-Arn"], function.to_string());
        assert!(
            answer["headers"]["Deadline-Ms"]
                .as_str()
                .unwrap()
                .parse::<u64>()
                .is_ok()
        );
        assert!(
            answer["headers"]["Trace-Id"]
                .as_str()
                .unwrap()
                .starts_with("Root=1-")
        );
    }
    assert_eq!(
        node.invoke(&function, r#"{"do":"chunked"}"#).await,
        json!({ "chunked": true })
    );
    let messages = node.messages(&function, 4).await;
    assert_eq!(
        messages.iter().filter(|line| line.starts_with("call ")).count(),
        4
    );
    assert!(
        messages
            .iter()
            .filter(|line| line.contains("Init Duration"))
            .count()
            == 1,
        "{messages:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn its_log_tail_is_whole() {
    let node = Node::start();
    let function = provided(&node, None).await;
    let mut request = InvokeRequest::new(RequestId::from("X"), "{}");
    request.log_tail = true;
    let response = node.engine.invoke(&function, request).await.unwrap();
    let tail = String::from_utf8(response.log_tail.unwrap()).unwrap();
    assert!(
        tail.starts_with(
            "START RequestId: X Version: $LATEST\ncall 1\nEND RequestId: X\nREPORT RequestId: X\t"
        ),
        "{tail}"
    );
    node.stop().await;
}

#[tokio::test]
async fn its_errors_are_passed_on_and_it_lives_on() {
    let node = Node::start();
    let function = provided(&node, None).await;
    let response = node.try_invoke(&function, r#"{"do":"fail"}"#).await.unwrap();
    assert_eq!(response.error, Some(FunctionErrorKind::Unhandled));
    let error: serde_json::Value = serde_json::from_slice(&response.payload).unwrap();
    assert_eq!(error, json!({ "errorType": "E", "errorMessage": "failed" }));
    let (error_type, _message) = node.invoke_error(&function, r#"{"do":"large"}"#).await;
    assert_eq!(error_type, "Function.ResponseSizeTooLarge");
    let refused = node.invoke(&function, r#"{"do":"wrong id"}"#).await;
    assert_eq!(refused[0], 400);
    assert_eq!(
        refused[1],
        json!({ "errorMessage": "Invalid request ID", "errorType": "InvalidRequestID" })
    );
    node.stop().await;
}

#[tokio::test]
async fn its_end_is_named_and_it_is_replaced() {
    let node = Node::start();
    let function = provided(&node, None).await;
    let (error_type, message) = node.invoke_error(&function, r#"{"do":"exit"}"#).await;
    assert_eq!(error_type, "Runtime.ExitError");
    assert!(
        message.ends_with("Runtime exited with error: exit status 7"),
        "{message}"
    );
    assert_eq!(node.invoke(&function, "{}").await["calls"], 1);
    assert_eq!(
        node.invoke(&function, r#"{"do":"answer and exit"}"#).await,
        "last"
    );
    assert_eq!(node.invoke(&function, "{}").await["calls"], 1);
    let (error_type, _message) = node.invoke_error(&function, r#"{"do":"hang"}"#).await;
    assert_eq!(error_type, "Sandbox.Timedout");
    assert_eq!(node.invoke(&function, "{}").await["calls"], 1);
    node.stop().await;
}

#[tokio::test]
async fn its_failure_to_initialise_is_reported() {
    let node = Node::start();
    let reported = provided(&node, Some("init")).await;
    let (error_type, message) = node.invoke_error(&reported, "{}").await;
    assert_eq!(
        (error_type.as_str(), message.as_str()),
        ("Runtime.Broken", "cannot start")
    );
    let silent = provided(&node, Some("exit")).await;
    let (error_type, message) = node.invoke_error(&silent, "{}").await;
    assert_eq!(error_type, "Runtime.ExitError");
    assert!(
        message.ends_with("Runtime exited with error: exit status 42"),
        "{message}"
    );
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_executed_is_an_invalid_entrypoint() {
    let node = Node::start();
    for (runtime, handler, files, expected) in [
        (
            "provided.al2",
            "h",
            [("other", "")],
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
        ),
        (
            "provided",
            "h",
            [("bootstrap", "no program")],
            "fork/exec /var/task/bootstrap: exec format error",
        ),
        (
            "go1.x",
            "hello",
            [("hello", "#!/bin/sh")],
            "fork/exec /var/task/hello: permission denied",
        ),
    ] {
        let spec = node.spec(runtime, handler, &files).await;
        let function = node.deploy(spec);
        let (error_type, message) = node.invoke_error(&function, "{}").await;
        assert_eq!(error_type, "Runtime.InvalidEntrypoint", "{runtime}");
        assert!(message.ends_with(expected), "{message}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_go_function_is_the_executable_its_handler_names() {
    let node = Node::start();
    let mut spec = node.spec("go1.x", "main", &[("main", RUNTIME)]).await;
    spec.environment
        .insert("PATH".into(), std::env::var("PATH").unwrap());
    spec.environment
        .insert("HOME".into(), std::env::var("HOME").unwrap_or_default());
    let function = node.deploy(spec);
    assert_eq!(
        node.invoke(&function, "{}").await["environment"]["_HANDLER"],
        "main"
    );
    node.stop().await;
}
