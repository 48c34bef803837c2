//! What usage costs: counted from real clients, kept over a kill, printed by the command line.

use serde_json::Value;
use tradewind_tests::{Node, Project, get, run, stderr, stdout, succeeds};

const CONFIGURATION: &str = "
service: costs
provider:
  name: aws
  runtime: python3.12
functions:
  cart:
    handler: app.handler
    events:
      - httpApi: GET /cart
resources:
  Resources:
    Orders:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: costs-orders
";

const HANDLER: &str = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n";

fn cost(node: &Node, more: &[&str]) -> Value {
    let endpoint = node.url("");
    let arguments = [&["cost", "--json", "--endpoint", &endpoint], more].concat();
    let output = run(std::path::Path::new("/"), &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn quantity(report: &Value, line: &str) -> f64 {
    let lines = report["lines"].as_array().unwrap();
    let found = lines.iter().find(|found| found["line"] == line);
    found.map_or(0.0, |line| line["quantity"].as_str().unwrap().parse().unwrap())
}

fn call(node: &Node, times: usize) {
    let url = node.route("GET", "/cart");
    for _ in 0..times {
        assert_eq!(get(&url).unwrap().status, 200);
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn usage_is_counted_for_its_stack_and_has_a_price() {
    let project = Project::new(&[("serverless.yml", CONFIGURATION), ("app.py", HANDLER)]);
    let node = Node::up(project.path());
    call(&node, 20);
    let endpoint = node.url("");
    let queue = node.url("/000000000000/costs-orders");
    let send = [
        "--endpoint-url",
        &endpoint,
        "sqs",
        "send-message",
        "--queue-url",
        &queue,
        "--message-body",
        "paid",
    ];
    succeeds("aws", &send, &node);
    let put = ["--endpoint-url", &endpoint, "s3", "mb", "s3://costs-photos"];
    succeeds("aws", &put, &node);
    let report = cost(&node, &[]);
    for (line, expected) in [
        ("lambda.requests", 20.0),
        ("apigateway.http", 20.0),
        ("sqs.standard", 1.0),
        ("s3.writes", 1.0),
    ] {
        assert!(
            (quantity(&report, line) - expected).abs() < 0.5,
            "{line}: {report:#}"
        );
    }
    assert!(quantity(&report, "logs.ingested") > 0.0, "{report:#}");
    let stacks = cost(&node, &["--by", "stack"]);
    let owners: Vec<_> = stacks["owners"]
        .as_array()
        .unwrap()
        .iter()
        .map(|owner| &owner["name"])
        .collect();
    assert!(owners.contains(&&"costs-dev".into()), "{stacks:#}");
    let all = report["owners"].as_array().unwrap();
    let of_stack = all.iter().filter(|owner| owner["stack"] == "costs-dev");
    assert!(
        of_stack.count() >= 3,
        "the function, its API and the queue: {report:#}"
    );
    let alibaba = cost(&node, &["--prices", "alibaba", "--project", "month"]);
    assert!(alibaba["unpriced"]["sqs.requests"].is_string(), "{alibaba:#}");
    assert!(quantity(&alibaba, "fc.cu") > quantity(&cost(&node, &["--prices", "alibaba"]), "fc.cu"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn usage_outlives_a_kill_and_is_never_doubled() {
    let project = Project::new(&[("serverless.yml", CONFIGURATION), ("app.py", HANDLER)]);
    let node = Node::up(project.path());
    call(&node, 10);
    assert!((quantity(&cost(&node, &[]), "lambda.requests") - 10.0).abs() < 0.5);
    // some of these are in the database when the node dies, some may not be
    call(&node, 10);
    node.kill();
    let node = Node::up(project.path());
    let kept = quantity(&cost(&node, &[]), "lambda.requests");
    assert!((10.0..=20.0).contains(&kept), "{kept}");
    call(&node, 5);
    let (status, output) = node.interrupt();
    assert!(status.success(), "{output}");
    // a node that is told to stop loses nothing
    let node = Node::up(project.path());
    let at_last = quantity(&cost(&node, &[]), "lambda.requests");
    assert!((at_last - kept - 5.0).abs() < 0.5, "{kept} and 5 are {at_last}");
}
