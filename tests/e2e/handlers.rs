//! Functions that misbehave: each gets Lambda's error, and the next request works.

use std::process::Output;

use serde_json::{Value, json};
use tradewind_tests::{Node, Project, get, request, run, stderr, stdout};

const CONFIGURATION: &str = "
service: rogues
provider:
  name: aws
  runtime: nodejs20.x
  timeout: 2
functions:
  rogue:
    handler: rogue.handler
    events:
      - httpApi: ANY /rogue
      - http: ANY rogue
  rogue-python:
    handler: rogue_python.handler
    runtime: python3.11
    events:
      - httpApi: ANY /rogue-python
  shout:
    handler: rogue.handler
    timeout: 28
    events:
      - httpApi: ANY /shout
  shout-python:
    handler: rogue_python.handler
    runtime: python3.11
    timeout: 28
  broken:
    handler: broken.handler
";

const ROGUE: &str = r"
exports.handler = async (event) => {
  const wish = event.wish || (event.queryStringParameters || {}).wish;
  switch (wish) {
    case 'throw': throw new TypeError('no such basket');
    case 'exit': process.exit(3);
    case 'hang': return new Promise(() => setInterval(() => {}, 1000));
    case 'spin': for (;;) {}
    case 'shout': for (let i = 0; i < 40000; i++) console.log('x'.repeat(100)); return { statusCode: 200, body: 'done' };
    case 'garbage': return { statusCode: 'many', body: 5 };
    case 'huge': return { statusCode: 200, body: 'x'.repeat(7 * 1024 * 1024) };
    case 'reject': Promise.reject(new Error('nobody waits')); return new Promise((r) => setTimeout(r, 500));
    default: return { statusCode: 200, body: 'fine' };
  }
};
";

const ROGUE_PYTHON: &str = r"
import os, sys, time

def handler(event, context):
    wish = event.get('wish') or (event.get('queryStringParameters') or {}).get('wish')
    if wish == 'throw':
        raise KeyError('basket')
    if wish == 'exit':
        os._exit(4)
    if wish == 'hang':
        time.sleep(60)
    if wish == 'shout':
        for _ in range(40000):
            print('x' * 100)
    if wish == 'set':
        return {1, 2}
    return {'statusCode': 200, 'body': 'fine'}
";

fn rogues() -> (Project, Node) {
    let project = Project::new(&[
        ("serverless.yml", CONFIGURATION),
        ("rogue.js", ROGUE),
        ("rogue_python.py", ROGUE_PYTHON),
        (
            "broken.js",
            "const nothing = require('./not-there-at-run-time'.trim());\nexports.handler = async () => nothing;\n",
        ),
    ]);
    let node = Node::up(project.path());
    (project, node)
}

fn invoke(project: &Project, node: &Node, function: &str, event: &Value) -> Output {
    let endpoint = node.url("");
    let event = event.to_string();
    run(
        project.path(),
        &["invoke", function, "-d", &event, "--endpoint", &endpoint],
    )
}

/// The error a function's caller gets: type and message.
fn error_of(project: &Project, node: &Node, function: &str, wish: &str) -> (String, String) {
    let output = invoke(project, node, function, &json!({ "wish": wish }));
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    let error: Value = serde_json::from_str(&stdout(&output)).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
    let fine = invoke(project, node, function, &json!({}));
    assert!(
        stdout(&fine).contains("fine"),
        "after {wish}: {}{}",
        stdout(&fine),
        stderr(&fine)
    );
    (text("errorType"), text("errorMessage"))
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_misbehaving_node_function_gets_lambdas_error() {
    let (project, node) = rogues();
    let error = |wish: &str| error_of(&project, &node, "rogue", wish);
    assert_eq!(error("throw"), ("TypeError".into(), "no such basket".into()));
    let (kind, message) = error("exit");
    assert_eq!(kind, "Runtime.ExitError");
    assert!(
        message.ends_with("Error: Runtime exited with error: exit status 3"),
        "{message}"
    );
    for wish in ["hang", "spin"] {
        let (kind, message) = error(wish);
        assert_eq!(kind, "Sandbox.Timedout");
        assert!(
            message.ends_with("Error: Task timed out after 2.00 seconds"),
            "{message}"
        );
    }
    let (kind, message) = error("huge");
    assert_eq!(kind, "Function.ResponseSizeTooLarge");
    assert!(
        message.contains("exceeded maximum allowed payload size (6291556 bytes)"),
        "{message}"
    );
    let (kind, message) = error("reject");
    assert_eq!(kind, "Runtime.UnhandledPromiseRejection");
    assert!(message.contains("nobody waits"), "{message}");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_misbehaving_python_function_gets_lambdas_error() {
    let (project, node) = rogues();
    let error = |wish: &str| error_of(&project, &node, "rogue-python", wish);
    assert_eq!(error("throw"), ("KeyError".into(), "'basket'".into()));
    let (kind, message) = error("exit");
    assert_eq!(kind, "Runtime.ExitError");
    assert!(
        message.ends_with("Error: Runtime exited with error: exit status 4"),
        "{message}"
    );
    assert_eq!(error("hang").0, "Sandbox.Timedout");
    assert_eq!(error("set").0, "Runtime.MarshalError");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_function_that_cannot_be_loaded_says_why() {
    let (project, node) = rogues();
    let output = invoke(&project, &node, "broken", &json!({}));
    assert_eq!(output.status.code(), Some(1));
    let error: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(error["errorType"], "Runtime.ImportModuleError", "{error}");
    assert!(
        error["errorMessage"]
            .as_str()
            .unwrap()
            .contains("not-there-at-run-time"),
        "{error}"
    );
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn behind_an_api_the_caller_sees_what_api_gateway_says() {
    let (_project, node) = rogues();
    let http_api = node.route("ANY", "/rogue");
    let answer = |url: &str, wish: &str| get(&format!("{url}?wish={wish}")).unwrap();
    for wish in ["throw", "exit", "hang", "huge", "garbage"] {
        let failed = answer(&http_api, wish);
        assert_eq!(
            (failed.status, failed.text().as_str()),
            (500, "{\"message\":\"Internal Server Error\"}"),
            "{wish}"
        );
        assert_eq!(answer(&http_api, "").text(), "fine", "after {wish}");
    }
    let rest = node.route("ANY", "/dev/rogue");
    for wish in ["throw", "garbage", "hang"] {
        let failed = answer(&rest, wish);
        assert_eq!(
            (failed.status, failed.text().as_str()),
            (502, "{\"message\": \"Internal server error\"}"),
            "{wish}"
        );
    }
    assert_eq!(answer(&node.route("ANY", "/shout"), "shout").text(), "done");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn megabytes_of_output_are_kept_and_hold_nobody_up() {
    let (project, node) = rogues();
    for function in ["shout", "shout-python"] {
        let output = invoke(&project, &node, function, &json!({ "wish": "shout" }));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    }
    let endpoint = node.url("");
    let logs = run(
        project.path(),
        &["logs", "rogues-dev-shout", "--endpoint", &endpoint],
    );
    assert!(
        stdout(&logs).contains("REPORT RequestId: ") || stdout(&logs).contains(" ms"),
        "{}",
        stderr(&logs)
    );
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_client_that_hangs_up_costs_nobody_an_instance() {
    let (_project, node) = rogues();
    let url = node.route("ANY", "/rogue");
    for _ in 0..20 {
        use std::io::Write as _;
        let address = url.trim_start_matches("http://").split('/').next().unwrap();
        let path = url.split_once("/_api").unwrap().1;
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        write!(stream, "GET /_api{path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        drop(stream);
    }
    assert_eq!(request("POST", &url, &[], b"{}").unwrap().text(), "fine");
}
