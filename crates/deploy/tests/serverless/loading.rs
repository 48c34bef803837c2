//! What a loaded project offers, and which spellings its configuration may have.

use serde_json::{Value, json};
use tradewind_deploy::diagnostic::Severity;
use tradewind_deploy::serverless::{LoadOptions, load};

use crate::{compiled, lines, loaded, options};

#[tokio::test]
async fn a_project_says_what_to_package() {
    let text = "\
service: s
provider: {name: aws, runtime: python3.12}
useDotenv: true
package:
  exclude: ['./**']
  include: [a.py]
  patterns: ['!b/**']
functions:
  one: {handler: a.x}
  two:
    handler: a.y
    package: {individually: true, patterns: [c.py], excludeDevDependencies: false}
  three: {handler: a.z, package: {artifact: build/three.zip}}
  four: {handler: a.w}
";
    let project = loaded(text).await;
    let packages: Vec<_> = project
        .packages
        .iter()
        .map(|p| (p.artifact_name.as_str(), p.functions.clone()))
        .collect();
    assert_eq!(
        packages,
        [
            ("s.zip", vec![0, 3]),
            ("two.zip", vec![1]),
            ("three.zip", vec![2])
        ]
    );
    let [shared, two, three] = project.packages.as_slice() else {
        panic!("three packages")
    };
    let selection = ["!serverless.yml", "!.env*", "!**", "a.py", "!b/**"];
    assert_eq!(shared.patterns, selection);
    assert_eq!(two.patterns, [selection.as_slice(), &["c.py"]].concat());
    assert_eq!(
        shared.artifact_key,
        "serverless/s/dev/1700000000120-2023-11-14T22:13:20.120Z/s.zip"
    );
    assert_eq!(three.artifact, Some(project.root.join("build/three.zip")));
    assert!(shared.exclude_dev_dependencies && !two.exclude_dev_dependencies);
    let functions: Vec<_> = project
        .functions
        .iter()
        .map(|f| (f.key.as_str(), f.package))
        .collect();
    assert_eq!(functions, [("one", 0), ("two", 1), ("three", 2), ("four", 0)]);
}

#[tokio::test]
async fn old_spellings_are_accepted() {
    let text = "\
service: {name: old}
frameworkVersion: '>=1.0.0 <2.0.0'
provider:
  name: aws
  runtime: nodejs8.10
  stage: ${opt:stage, 'test'}
  lambdaHashingVersion: 20201221
  cfnRole: arn:aws:iam::1:role/x
  environment: {STAGE: '${self:provider.stage}', REGION: '${self:provider.region}'}
plugins: {modules: [serverless-offline], localPath: ./plugins}
functions:
  - a: {handler: a.b}
    gone: {handler: x.y}
  - gone: null
  - null
";
    let project = loaded(text).await;
    assert_eq!(lines(&project.warnings), Vec::<String>::new());
    assert_eq!(
        (project.service.as_str(), project.stack_name.as_str()),
        ("old", "old-test")
    );
    let body = compiled(&project).body;
    let function = &body["Resources"]["ALambdaFunction"]["Properties"];
    let variables = json!({"STAGE": "test", "REGION": "us-east-1"});
    assert_eq!(function["Environment"]["Variables"], variables);
    assert_eq!(function["Runtime"], "nodejs8.10");
    assert_eq!(project.functions.len(), 1);
    assert_eq!(project.plugins[0].0, "serverless-offline");
    assert!(project.packages[0].patterns.contains(&"!plugins/**".to_owned()));
}

fn variables(body: &Value) -> &Value {
    &body["Resources"]["ALambdaFunction"]["Properties"]["Environment"]["Variables"]
}

#[tokio::test]
async fn dotenv_files_feed_variables_and_with_the_plugin_functions() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".env.dev"), "TOKEN=secret\n").unwrap();
    let write = |text: &str| std::fs::write(dir.path().join("serverless.yml"), text).unwrap();
    write(
        "service: s\nuseDotenv: true\nprovider: aws\nfunctions: {a: {handler: a.b, environment: {T: '${env:TOKEN}'}}}\n",
    );
    let project = load(&options(dir.path())).await.unwrap();
    assert_eq!(variables(&compiled(&project).body), &json!({"T": "secret"}));
    assert!(project.inputs.contains(&dir.path().join(".env.dev")));
    write("service: s\nplugins: [serverless-dotenv-plugin]\nprovider: aws\nfunctions: {a: {handler: a.b}}\n");
    let project = load(&options(dir.path())).await.unwrap();
    assert_eq!(variables(&compiled(&project).body), &json!({"TOKEN": "secret"}));
}

#[tokio::test]
async fn options_choose_file_stage_and_region() {
    let dir = tempfile::tempdir().unwrap();
    let functions = json!({"a": {"handler": "a.b", "environment": {"R": "${self:provider.region}"}}});
    let json = json!({"service": "j", "provider": {"name": "aws", "stage": "dev"}, "functions": functions});
    std::fs::write(dir.path().join("other.json"), json.to_string()).unwrap();
    let given = LoadOptions {
        config: Some("other.json".into()),
        stage: Some("prod".into()),
        region: Some("eu-central-1".into()),
        ..options(dir.path())
    };
    let project = load(&given).await.unwrap();
    assert_eq!(
        (project.stage.as_str(), project.region.as_str()),
        ("prod", "eu-central-1")
    );
    assert_eq!(project.functions[0].name, "j-prod-a");
    assert_eq!(variables(&compiled(&project).body), &json!({"R": "eu-central-1"}));
    assert_eq!(project.inputs, [dir.path().join("other.json")]);
}

#[tokio::test]
async fn what_the_stack_calls_need_is_offered() {
    let text = "\
service: s
provider:
  name: aws
  stackName: mine
  tags: {team: blue}
  stackTags: {cost: 12}
  stackParameters: [{ParameterKey: Size, ParameterValue: 3}]
custom: {esbuild: {bundle: true}}
build: {command: make}
";
    let project = loaded(text).await;
    assert_eq!(project.stack_name, "mine");
    let tags: Vec<_> = project
        .stack_tags
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(tags, ["STAGE=dev", "cost=12", "team=blue"]);
    assert_eq!(project.stack_parameters["Size"], "3");
    assert_eq!(project.custom, json!({"esbuild": {"bundle": true}}));
    assert_eq!(project.build, json!({"command": "make"}));
}

#[tokio::test]
async fn plugins_that_extend_the_format_are_honoured() {
    let text = "\
service: s
plugins: [serverless-pseudo-parameters, serverless-apigw-binary]
provider: {name: aws, environment: {R: '#{AWS::Region}'}}
custom: {apigwBinary: {types: ['*/*']}}
functions: {a: {handler: a.b, events: [{http: GET /}]}}
";
    let body = compiled(&loaded(text).await).body;
    assert_eq!(variables(&body), &json!({"R": {"Fn::Sub": "${AWS::Region}"}}));
    let api = &body["Resources"]["ApiGatewayRestApi"]["Properties"];
    assert_eq!(api["BinaryMediaTypes"], json!(["*/*"]));
}

#[tokio::test]
async fn a_missing_file_or_folder_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let none = load(&options(dir.path())).await.unwrap_err();
    assert!(none.0[0].message.starts_with("there is no serverless.yml in"));
    let folder = load(&options(&dir.path().join("x"))).await.unwrap_err();
    assert!(folder.0[0].message.starts_with("there is no folder"));
    let named = LoadOptions {
        config: Some("x.yml".into()),
        ..options(dir.path())
    };
    let file = load(&named).await.unwrap_err();
    assert!(file.0[0].message.starts_with("there is no file"));
    std::fs::write(dir.path().join("serverless.ts"), "export default {}").unwrap();
    let without_node = load(&options(dir.path())).await.unwrap_err();
    assert!(without_node.0[0].message.contains("needs node"));
    assert!(without_node.iter().all(|d| d.severity == Severity::Error));
}
