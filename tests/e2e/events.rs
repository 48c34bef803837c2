//! Events of serverless.yml: from a source through the node to the function.

use serde_json::Value;
use tradewind_tests::{Node, Project, client_output, get, run, stderr, stdout, succeeds, until};

const SHOP: &[(&str, &str)] = &[
    (
        "serverless.yml",
        "service: shop
provider: {name: aws, runtime: nodejs20.x}
functions:
  pack:
    handler: index.handler
    events:
      - eventBridge: {eventBus: orders, pattern: {source: [shop], detail: {total: [{numeric: ['>', 10]}]}}}
      - schedule: {rate: rate(1 day), enabled: false}
resources:
  Resources:
    Kept: {Type: 'AWS::S3::Bucket', Properties: {BucketName: shop-kept}}
",
    ),
    (
        "index.js",
        "exports.handler = async (event) => console.log(`packed ${event.detail.id}`);\n",
    ),
];

fn deploy(project: &Project, node: &Node) {
    let output = run(project.path(), &["deploy", "--endpoint", &node.url("")]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
}

fn logs_of(function: &str, node: &Node) -> String {
    let path = format!("/_tradewind/logs?function={function}");
    get(&node.url(&path))
        .map(|answer| answer.text())
        .unwrap_or_default()
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn an_event_on_a_bus_that_the_project_makes_runs_its_function() {
    let (project, data) = (Project::new(SHOP), tempfile::tempdir().unwrap());
    let node = Node::serve(data.path());
    deploy(&project, &node);
    let listed = stdout(&run(project.path(), &["list", "--endpoint", &node.url("")]));
    for line in [
        r#"eventBridge  orders {"source":["shop"],"detail":{"total":[{"numeric":[">…"#,
        "schedule     rate(1 day) (disabled)",
    ] {
        assert!(listed.contains(line), "{line}\n{listed}");
    }
    let entry = |id: &str, total: u32| {
        let detail = format!(r#"{{\"id\":\"{id}\",\"total\":{total}}}"#);
        format!(r#"{{"EventBusName":"orders","Source":"shop","DetailType":"placed","Detail":"{detail}"}}"#)
    };
    let entries = format!("[{},{}]", entry("small", 10), entry("large", 11));
    let answer = succeeds("aws", &["events", "put-events", "--entries", &entries], &node);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
    until("the function's line", || {
        logs_of("shop-dev-pack", &node)
            .contains("packed large")
            .then_some(())
    });
    assert!(!logs_of("shop-dev-pack", &node).contains("packed small"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_stack_with_a_full_bucket_stays_until_that_is_empty() {
    let (project, data) = (Project::new(SHOP), tempfile::tempdir().unwrap());
    let node = Node::serve(data.path());
    deploy(&project, &node);
    let file = project.join("index.js");
    let object = "s3://shop-kept/a.js";
    succeeds("aws", &["s3", "cp", file.to_str().unwrap(), object], &node);
    let remove = || run(project.path(), &["remove", "--yes", "--endpoint", &node.url("")]);
    let refused = remove();
    assert_eq!(refused.status.code(), Some(1));
    let message = stderr(&refused);
    assert!(
        message.contains("Kept: bucket `shop-kept` is not empty"),
        "{message}"
    );
    let functions = get(&node.url("/_tradewind/functions")).unwrap().text();
    assert!(functions.contains("shop-dev-pack"), "{functions}");
    let gone = client_output("aws", &["s3", "rm", object], &node);
    assert!(gone.status.success());
    let removed = remove();
    assert!(removed.status.success(), "{}", stderr(&removed));
}
