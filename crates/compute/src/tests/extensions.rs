//! External extensions beside managed and custom runtimes.

use std::time::Duration;

use serde_json::json;
use tradewind_model::FunctionArn;
use tradewind_observe::LogKind;

use super::node::{Node, zip_of};
use crate::FunctionSpec;

/// Registers, says what happens, and misbehaves as `ACT` says.
const EXTENSION: &str = r#"#!/usr/bin/env python3
import http.client, json, os, sys
connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
def call(method, path, body, headers):
    connection.request(method, '/2020-01-01/extension/' + path, body, headers)
    response = connection.getresponse()
    return response, json.loads(response.read())
act = os.environ.get('ACT')
if act == 'die': sys.exit(3)
name = os.path.basename(sys.argv[0])
response, facts = call('POST', 'register', '{"events":["INVOKE","SHUTDOWN"]}', {'Lambda-Extension-Name': name})
print(name, json.dumps(facts), '_HANDLER' in os.environ, flush=True)
identifier = {'Lambda-Extension-Identifier': response.headers['Lambda-Extension-Identifier']}
if act == 'init error':
    call('POST', 'init/error', '{}', {'Lambda-Extension-Function-Error-Type': 'Extension.Bad', **identifier})
while True:
    _, event = call('GET', 'event/next', None, identifier)
    kind = event['eventType']
    print(name, kind, event.get('requestId') or event['shutdownReason'], event['deadlineMs'] > 0, flush=True)
    if kind == 'SHUTDOWN': break
"#;

/// A runtime that answers what it gets.
const RUNTIME: &str = r#"#!/usr/bin/env python3
import http.client, os
connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
while True:
    connection.request('GET', '/2018-06-01/runtime/invocation/next')
    response = connection.getresponse()
    body = response.read()
    path = '/2018-06-01/runtime/invocation/' + response.headers['Lambda-Runtime-Aws-Request-Id'] + '/response'
    connection.request('POST', path, body)
    connection.getresponse().read()
"#;

async fn extended(node: &Node, mut spec: FunctionSpec, act: &str) -> FunctionArn {
    let layer = zip_of(&[
        ("extensions/watcher", EXTENSION),
        ("extensions-not/this", EXTENSION),
    ]);
    spec.layers = Some(node.engine.packages().add_zip(layer.into()).await.unwrap());
    for name in ["PATH", "HOME"] {
        let value = std::env::var(name).unwrap_or_default();
        spec.environment.insert(name.into(), value);
    }
    spec.environment.insert("ACT".into(), act.into());
    node.deploy(spec)
}

async fn managed(node: &Node) -> FunctionSpec {
    node.python_spec("def handler(event, context): return event")
        .await
}

async fn custom(node: &Node) -> FunctionSpec {
    node.spec("provided.al2023", "any", &[("bootstrap", RUNTIME)])
        .await
}

#[tokio::test]
async fn an_extension_sees_the_life_of_its_instance() {
    let node = Node::start();
    for spec in [managed(&node).await, custom(&node).await] {
        let function = extended(&node, spec, "").await;
        for event in 1..=2 {
            assert_eq!(node.invoke(&function, &event.to_string()).await, json!(event));
        }
        node.messages(&function, 2).await;
        node.engine.remove(&function);
    }
    let functions: Vec<FunctionArn> = (0..2)
        .map(|number| {
            format!("arn:aws:lambda:us-east-1:000000000000:function:f{number}")
                .parse()
                .unwrap()
        })
        .collect();
    node.engine.shutdown(Duration::from_secs(60)).await;
    for function in functions {
        let log = node.log(&function).await;
        let said: Vec<String> = log
            .iter()
            .filter_map(|event| event.message.strip_prefix("watcher ").map(str::to_owned))
            .collect();
        let invoke = |at: usize| {
            let reports = log.iter().filter(|event| event.kind == LogKind::Report);
            let id = reports
                .map(|event| event.request_id.clone().unwrap())
                .nth(at)
                .unwrap();
            format!("INVOKE {id} True")
        };
        let facts = said[0].strip_suffix(" False").unwrap();
        let facts: serde_json::Value = serde_json::from_str(facts).unwrap();
        assert_eq!(facts["functionName"], function.name.as_str());
        assert_eq!(facts["functionVersion"], "$LATEST");
        assert_eq!(
            said[1..],
            [invoke(0), invoke(1), "SHUTDOWN spindown True".to_owned()]
        );
        assert!(
            log.iter().all(|event| !event.message.contains("extension-")),
            "{log:?}"
        );
    }
}

#[tokio::test]
async fn a_failing_extension_fails_the_initialisation() {
    let node = Node::start();
    for (act, error_type, words) in [
        (
            "die",
            "Extension.Crash",
            "extension `watcher` exited: exit status 3",
        ),
        (
            "init error",
            "Extension.InitError",
            "extension `watcher` reported Extension.Bad",
        ),
    ] {
        for spec in [managed(&node).await, custom(&node).await] {
            let function = extended(&node, spec, act).await;
            let (seen, message) = node.invoke_error(&function, "1").await;
            assert_eq!(seen, error_type);
            assert!(message.ends_with(words), "{message}");
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn more_extensions_than_lambda_runs_are_refused() {
    let node = Node::start();
    let mut spec = managed(&node).await;
    let names: Vec<String> = (0..11)
        .map(|number| format!("extensions/watcher{number}"))
        .collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "#!/bin/sh")).collect();
    let layer = node.engine.packages().add_zip(zip_of(&files).into()).await;
    spec.layers = Some(layer.unwrap());
    let function = node.deploy(spec);
    let (error_type, message) = node.invoke_error(&function, "1").await;
    assert_eq!(error_type, "Extension.LaunchError");
    assert!(message.contains("11 extensions"), "{message}");
    node.stop().await;
}
