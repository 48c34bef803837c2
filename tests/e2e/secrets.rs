//! Secrets Manager: boto3 and the AWS CLI, unmodified, against `tradewind serve`; stacks that use secrets.

use std::fs;

use tradewind_tests::{Node, Project, client_output, get, stderr, succeeds};

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["secrets_api.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_works_with_secrets() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    for name in ["values", "deletion"] {
        part(name, &node);
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_function_asks_for_a_secret() {
    let data = tempfile::tempdir().unwrap();
    part("function", &Node::serve(data.path()));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn secrets_are_there_after_a_kill_and_nowhere_in_the_clear() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("keep", &node);
    node.kill();
    for file in fs::read_dir(data.path()).unwrap() {
        let path = file.unwrap().path();
        let content = if path.is_file() {
            fs::read(&path).unwrap()
        } else {
            Vec::new()
        };
        let clear = content.windows(12).any(|part| part == b"after a kill");
        assert!(!clear, "{}", path.display());
    }
    part("find", &Node::serve(data.path()));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_aws_cli_keeps_a_secret() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let create = [
        "secretsmanager",
        "create-secret",
        "--name",
        "cli",
        "--secret-string",
        "{\"a\":1}",
    ];
    let made = succeeds("aws", &create, &node);
    assert!(
        made.contains("arn:aws:secretsmanager:us-east-1:000000000000:secret:cli-"),
        "{made}"
    );
    let get = [
        "secretsmanager",
        "get-secret-value",
        "--secret-id",
        "cli",
        "--query",
        "SecretString",
        "--output",
        "text",
    ];
    assert_eq!(succeeds("aws", &get, &node), "{\"a\":1}\n");
    let rotate = client_output(
        "aws",
        &["secretsmanager", "rotate-secret", "--secret-id", "cli"],
        &node,
    );
    assert!(stderr(&rotate).contains("NotImplemented"), "{}", stderr(&rotate));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_stack_makes_a_secret_and_refers_to_it() {
    let project = Project::new(&[
        (
            "serverless.yml",
            r#"service: vault
provider: {name: aws, runtime: nodejs20.x}
functions:
  read:
    handler: index.handler
    events: [{httpApi: GET /}]
    environment:
      PASSWORD:
        Fn::Sub: "p={{resolve:secretsmanager:${DbSecret}:SecretString:password}}"
resources:
  Resources:
    DbSecret:
      Type: AWS::SecretsManager::Secret
      Properties:
        Name: vault-${sls:stage}
        GenerateSecretString:
          SecretStringTemplate: '{"user": "vault"}'
          GenerateStringKey: password
          ExcludePunctuation: true
"#,
        ),
        ("index.js", "exports.handler = async () => process.env.PASSWORD;"),
    ]);
    let node = Node::up(project.path());
    let given = get(&node.route("GET", "/")).unwrap().text();
    let query = [
        "secretsmanager",
        "get-secret-value",
        "--secret-id",
        "vault-dev",
        "--query",
        "SecretString",
        "--output",
        "text",
    ];
    let secret: serde_json::Value = serde_json::from_str(&succeeds("aws", &query, &node)).unwrap();
    assert_eq!(
        (secret["user"].as_str(), given),
        (
            Some("vault"),
            format!("p={}", secret["password"].as_str().unwrap())
        )
    );
}
