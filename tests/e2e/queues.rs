//! SQS: boto3 and the AWS CLI, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, Project, cache, client_output, request, stderr, succeeds};

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["sqs_api.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_works_with_queues() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    for name in ["standard", "fifo", "dead_letters", "long_poll"] {
        part(name, &node);
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn what_was_sent_is_there_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("fill", &node);
    node.kill();
    let node = Node::serve(data.path());
    part("drain", &node);
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_aws_cli_works_with_queues() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    // version 1 of the CLI looks for the endpoint of SQS nowhere else
    let endpoint = node.url("");
    let sqs = |arguments: &[&str]| {
        let all = [&["--endpoint-url", &endpoint, "sqs"], arguments].concat();
        succeeds("aws", &all, &node)
    };
    let text = ["--output", "text", "--query"];
    let made = sqs(&[&["create-queue", "--queue-name", "cli"][..], &text, &["QueueUrl"]].concat());
    let url = made.trim();
    assert_eq!(url, node.url("/000000000000/cli"));
    sqs(&[
        "send-message",
        "--queue-url",
        url,
        "--message-body",
        "from the cli",
    ]);
    let receive = ["receive-message", "--queue-url", url, "--wait-time-seconds", "5"];
    let body = sqs(&[&receive[..], &text, &["Messages[0].Body"]].concat());
    assert_eq!(body, "from the cli\n");
    sqs(&["purge-queue", "--queue-url", url]);
    sqs(&["delete-queue", "--queue-url", url]);
    let purge = [
        "--endpoint-url",
        &endpoint,
        "sqs",
        "purge-queue",
        "--queue-url",
        url,
    ];
    let gone = client_output("aws", &purge, &node);
    let text = stderr(&gone);
    assert!(text.contains("AWS.SimpleQueueService.NonExistentQueue"), "{text}");
}

/// A boto3 of before SQS spoke JSON.
#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_works_with_queues_in_the_query_protocol() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    for name in ["standard", "fifo", "dead_letters", "long_poll"] {
        let endpoint = node.url("");
        let old = format!(
            "import sys; sys.path.insert(0, {:?}); sys.argv = ['', {endpoint:?}, {name:?}]; import runpy; \
             import botocore; assert botocore.__version__ == '1.29.165'; runpy.run_path('sqs_api.py')",
            cache().join("boto3-query")
        );
        let output = succeeds("python3", &["-W", "ignore", "-c", &old], &node);
        assert_eq!(output, format!("ok {name}\n"));
    }
}

const SHOP: &str = "
service: orders
provider:
  name: aws
  runtime: nodejs20.x
  environment:
    QUEUE_URL: !Ref Orders
functions:
  order:
    handler: index.order
    events:
      - httpApi: POST /orders
resources:
  Resources:
    Dead:
      Type: AWS::SQS::Queue
    Orders:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: ${self:service}-${sls:stage}
        RedrivePolicy:
          deadLetterTargetArn: !GetAtt Dead.Arn
          maxReceiveCount: 3
    Policy:
      Type: AWS::SQS::QueuePolicy
      Properties:
        Queues: [!Ref Orders]
        PolicyDocument:
          Statement:
            - {Effect: Allow, Principal: '*', Action: 'sqs:SendMessage', Resource: !GetAtt Orders.Arn}
";

const ORDER: &str = r"
exports.order = async (event) => {
  const answer = await fetch(process.env.AWS_ENDPOINT_URL, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' },
    body: JSON.stringify({ QueueUrl: process.env.QUEUE_URL, MessageBody: event.body }),
  });
  return { statusCode: answer.status, body: await answer.text() };
};
";

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_function_sends_to_the_queue_of_its_stack() {
    let project = Project::new(&[("serverless.yml", SHOP), ("index.js", ORDER)]);
    let node = Node::up(project.path());
    let json = [("content-type", "application/json")];
    let route = node.route("POST", "/orders");
    let ordered = request("POST", &route, &json, b"{\"books\": 1}").unwrap();
    assert_eq!(ordered.status, 200, "{}", ordered.text());
    let target = [("x-amz-target", "AmazonSQS.ReceiveMessage")];
    let receive = request("POST", &node.url("/"), &target, b"{\"QueueUrl\": \"orders-dev\"}").unwrap();
    assert_eq!(receive.json()["Messages"][0]["Body"], "{\"books\": 1}");
}
