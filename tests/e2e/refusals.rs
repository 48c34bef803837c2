//! What users get wrong: one clear message with its place and a hint, and nothing changed.

use tradewind_tests::{Node, Project, get, run, stderr, stdout};

const GOOD: &str = "service: shop
provider:
  name: aws
  runtime: nodejs20.x
functions:
  hello:
    handler: index.handler
    events:
      - httpApi: GET /hello
";
const HANDLER: (&str, &str) = (
    "index.js",
    "exports.handler = async () => ({ statusCode: 200, body: 'hi' });\n",
);

/// Runs `tradewind package`, which must fail, and gives its message.
fn refused(configuration: &str) -> String {
    let project = Project::new(&[("serverless.yml", configuration), HANDLER]);
    let output = run(project.path(), &["package"]);
    let message = stderr(&output);
    assert!(
        matches!(output.status.code(), Some(1 | 2)),
        "{:?}\n{}{message}",
        output.status,
        stdout(&output)
    );
    assert!(message.contains("error: "), "{message}");
    message
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn mistakes_in_serverless_yml_are_shown_in_their_place() {
    let cases = [
        ("service: shop\nprovider: [aws\n", "serverless.yml:", ""),
        (
            &GOOD.replace("httpApi: GET /hello", "alexaSkill: amzn1.ask.skill.x"),
            "serverless.yml:9:",
            "alexaSkill",
        ),
        (
            &GOOD.replace("httpApi: GET /hello", "iot: {sql: 'SELECT 1'}"),
            "serverless.yml:9:",
            "iot",
        ),
        (
            &GOOD.replace("httpApi: GET /hello", "telepathy: yes"),
            "serverless.yml:9:",
            "telepathy",
        ),
        (
            &GOOD.replace("index.handler", "nowhere.handler"),
            "serverless.yml:7:",
            "nowhere",
        ),
        (
            &GOOD.replace("index.handler", "${self:custom.a}"),
            "serverless.yml:7:",
            "custom",
        ),
        (
            &GOOD.replace("nodejs20.x", "cobol74"),
            "serverless.yml:4:",
            "cobol74",
        ),
        (
            &format!("{GOOD}custom:\n  a: ${{self:custom.b}}\n  b: ${{self:custom.a}}\n"),
            "serverless.yml:1",
            "custom.a",
        ),
    ];
    for (configuration, place, name) in cases {
        let message = refused(configuration);
        assert!(
            message.contains(place) && message.contains(name),
            "expected {place} {name} in:\n{message}"
        );
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_resource_type_that_is_not_there_is_refused_before_anything_is_changed() {
    let resources = "resources:\n  Resources:\n    Basket:\n      Type: AWS::DynamoDB::Table\n";
    let project = Project::new(&[("serverless.yml", GOOD), HANDLER]);
    let node = Node::up(project.path());
    let url = node.route("GET", "/hello");
    project.write("serverless.yml", &format!("{GOOD}{resources}"));
    node.wait_for_output("AWS::DynamoDB::Table");
    node.wait_for_output("serverless.yml:1");
    assert_eq!(get(&url).unwrap().text(), "hi");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_busy_port_a_locked_folder_and_a_damaged_database_are_named() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().to_str().unwrap();
    let node = Node::serve(data.path());
    let taken = node.url("").trim_start_matches("http://").to_owned();
    let other = tempfile::tempdir().unwrap();
    let serve = |listen: &str, folder: &str| {
        let output = run(other.path(), &["serve", "--listen", listen, "--data", folder]);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(serve(&taken, other.path().to_str().unwrap()).contains(&taken));
    assert!(serve("127.0.0.1:0", folder).contains(&node.pid().to_string()));
    assert!(serve("0.0.0.0:0", folder).contains("loopback"));
    node.kill();
    // The write-ahead log alone would bring the database back, as it should.
    std::fs::remove_file(data.path().join("node.db-wal")).unwrap();
    std::fs::write(
        data.path().join("node.db"),
        "rubbish, and enough of it to be no database at all",
    )
    .unwrap();
    assert!(serve("127.0.0.1:0", folder).contains("node.db"));
    std::fs::write(other.path().join("file"), "").unwrap();
    assert!(serve("127.0.0.1:0", other.path().join("file").to_str().unwrap()).contains("file"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn wrong_usage_exits_with_two_and_a_missing_node_with_one() {
    let project = Project::new(&[]);
    assert_eq!(run(project.path(), &["unicorn"]).status.code(), Some(2));
    assert_eq!(
        run(project.path(), &["serve", "--listen", "nonsense"])
            .status
            .code(),
        Some(2)
    );
    let output = run(project.path(), &["list", "--endpoint", "http://127.0.0.1:9"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("hint: "), "{}", stderr(&output));
    let nothing = run(project.path(), &["up"]);
    assert!(
        stderr(&nothing).contains("serverless.yml"),
        "{}",
        stderr(&nothing)
    );
}
