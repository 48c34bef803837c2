//! EventBridge Scheduler: boto3, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, Project, request, succeeds, until};

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["scheduler_api.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_works_with_schedules() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("api", &node);
    part("fires", &node);
}

/// The node is killed while sixty schedules are due, a few milliseconds earlier or later each time.
#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn what_is_due_when_the_node_is_killed_happens_once() {
    const ROUNDS: [u64; 6] = [0, 4, 8, 15, 30, 60];
    let data = tempfile::tempdir().unwrap();
    for (round, after_due) in ROUNDS.iter().enumerate() {
        let node = Node::serve(data.path());
        let (url, pid) = (node.url(""), node.pid().to_string());
        let (round, after_due) = (round.to_string(), after_due.to_string());
        let arguments = ["scheduler_api.py", &url, "kill", &round, &pid, &after_due];
        assert_eq!(succeeds("python3", &arguments, &node), "ok kill\n");
        node.kill();
    }
    let node = Node::serve(data.path());
    let rounds = ROUNDS.len().to_string();
    let output = succeeds(
        "python3",
        &["scheduler_api.py", &node.url(""), "once", &rounds],
        &node,
    );
    assert_eq!(output, "ok once\n");
}

const SHOP: &str = "
service: reports
provider:
  name: aws
  runtime: nodejs20.x
  environment:
    QUEUE_URL: !Ref Reports
functions:
  report:
    handler: index.report
    events:
      - schedule:
          method: scheduler
          rate: rate(1 hour)
          timezone: Europe/Berlin
          input: {kind: hourly}
resources:
  Resources:
    Reports:
      Type: AWS::SQS::Queue
      Properties:
        QueueName: reports
    Role:
      Type: AWS::IAM::Role
      Properties:
        AssumeRolePolicyDocument:
          Statement: [{Effect: Allow, Principal: {Service: scheduler.amazonaws.com}, Action: 'sts:AssumeRole'}]
    Group:
      Type: AWS::Scheduler::ScheduleGroup
    Direct:
      Type: AWS::Scheduler::Schedule
      Properties:
        GroupName: !Ref Group
        ScheduleExpression: rate(1 day)
        FlexibleTimeWindow: {Mode: 'OFF'}
        Target: {Arn: !GetAtt Reports.Arn, RoleArn: !GetAtt Role.Arn, Input: 'daily <aws.scheduler.attempt-number>'}
";

const REPORT: &str = r"
exports.report = async (event) => {
  await fetch(process.env.AWS_ENDPOINT_URL, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' },
    body: JSON.stringify({ QueueUrl: process.env.QUEUE_URL, MessageBody: JSON.stringify(event) }),
  });
};
";

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn schedules_of_a_stack_run_its_function_and_fill_its_queue() {
    let project = Project::new(&[("serverless.yml", SHOP), ("index.js", REPORT)]);
    let node = Node::up(project.path());
    let target = [("x-amz-target", "AmazonSQS.ReceiveMessage")];
    let ask = br#"{"QueueUrl": "reports", "WaitTimeSeconds": 5}"#;
    let mut bodies = Vec::new();
    until("both schedules", || {
        let answer = request("POST", &node.url("/"), &target, ask).unwrap().json();
        let body = answer["Messages"][0]["Body"].as_str().map(str::to_owned);
        bodies.extend(body);
        (bodies.len() == 2).then_some(())
    });
    bodies.sort();
    assert_eq!(bodies, ["daily 1", "{\"kind\":\"hourly\"}"]);
}
