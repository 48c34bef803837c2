//! CloudWatch Logs: boto3 and the AWS CLI, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, Project, run, stdout, succeeds};

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["logs_api.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_works_with_logs() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    for name in ["events", "follow"] {
        part(name, &node);
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn events_that_were_put_are_there_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("fill", &node);
    node.kill();
    let node = Node::serve(data.path());
    part("drain", &node);
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_aws_cli_and_ours_show_a_group() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let endpoint = node.url("");
    let logs = |arguments: &[&str]| {
        let all = [&["--endpoint-url", &endpoint, "logs"], arguments].concat();
        succeeds("aws", &all, &node)
    };
    let group = ["--log-group-name", "/cli"];
    let stream = ["--log-stream-name", "s"];
    logs(&[&["create-log-group"][..], &group].concat());
    logs(&[&["create-log-stream"][..], &group, &stream].concat());
    let now = now_ms();
    let event = format!("timestamp={now},message=hello");
    logs(
        &[
            &["put-log-events"][..],
            &group,
            &stream,
            &["--log-events", &event],
        ]
        .concat(),
    );
    let query = ["--output", "text", "--query", "events[].message"];
    let found = logs(&[&["filter-log-events"][..], &group, &query].concat());
    assert_eq!(found, "hello\n");
    let shown = run(
        data.path(),
        &[
            "logs",
            "--group",
            "/cli",
            "--filter",
            "hello -x",
            "--json",
            "--endpoint",
            &endpoint,
        ],
    );
    assert!(stdout(&shown).contains("\"message\":\"hello\""), "{shown:?}");
    let shown = run(
        data.path(),
        &[
            "logs",
            "--group",
            "/cli",
            "--filter",
            "-hello",
            "--json",
            "--endpoint",
            &endpoint,
        ],
    );
    assert_eq!(stdout(&shown), "");
    logs(&[&["delete-log-group"][..], &group].concat());
}

#[expect(
    clippy::disallowed_methods,
    reason = "events of logs are put with the time of their client"
)]
fn now_ms() -> u128 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_millis()
}

const SHOP: &str = "
service: shop
provider:
  name: aws
  runtime: nodejs20.x
functions:
  say:
    handler: index.say
  collect:
    handler: index.collect
resources:
  Resources:
    Orders:
      Type: AWS::Logs::SubscriptionFilter
      DependsOn: SayLogGroup
      Properties:
        LogGroupName: /aws/lambda/shop-dev-say
        FilterPattern: ORDER
        DestinationArn: !GetAtt CollectLambdaFunction.Arn
";

const HANDLERS: &str = "
exports.say = async (event) => { console.log('ORDER ' + event.order); console.log('else'); };
exports.collect = async (event) => { console.log('GOT ' + JSON.stringify(event)); };
";

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_function_gets_what_another_prints() {
    let project = Project::new(&[("serverless.yml", SHOP), ("index.js", HANDLERS)]);
    let node = Node::up(project.path());
    part("subscribed", &node);
}
