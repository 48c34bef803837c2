//! `tradewind up`: the main job.

use tradewind_tests::{Node, Project, get, request, root, run, stderr, stdout, until};

const HELLO: &[(&str, &str)] = &[
    (
        "serverless.yml",
        "service: hello\nprovider:\n  name: aws\n  runtime: nodejs20.x\nfunctions:\n  hello:\n    \
         handler: index.handler\n    events:\n      - httpApi: GET /hello\n",
    ),
    (
        "index.js",
        "exports.handler = async () => ({ statusCode: 200, body: 'first' });\n",
    ),
];

fn body(url: &str) -> String {
    get(url).expect("the node answers").text()
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_storefront_sells() {
    let project = Project::copy_of(&root().join("examples/storefront"));
    let node = Node::up(project.path());
    let page = get(&node.route("GET", "/")).unwrap();
    assert_eq!(page.status, 200);
    assert!(
        page.header("content-type").unwrap().starts_with("text/html"),
        "{page:?}"
    );
    let order = br#"{"items": {"enamel-mug": 2, "smoked-tea": 1}}"#;
    let answer = request("POST", &node.route("POST", "/checkout"), &[], order).unwrap();
    assert_eq!(answer.status, 201, "{}{}", answer.text(), node.output());
    let number = answer.json()["order"].as_str().unwrap().to_owned();
    // the bus tells stock and invoice, the bucket tells notify
    node.wait_for_output(&format!("{number}: 2 × enamel-mug put aside"));
    node.wait_for_output(&format!(
        "{number}: \"Thank you! 52.90 EUR, it leaves tomorrow.\""
    ));
    let endpoint = node.url("");
    let summary = run(project.path(), &["invoke", "summary", "--endpoint", &endpoint]);
    assert_eq!(
        stdout(&summary).trim(),
        r#"{"orders":1,"total":5290}"#,
        "{}",
        stderr(&summary)
    );
    let (status, output) = node.interrupt();
    assert_eq!(status.code(), Some(0), "{output}");
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_save_changes_what_the_next_request_runs() {
    let project = Project::new(HELLO);
    let node = Node::up(project.path());
    let url = node.route("GET", "/hello");
    assert_eq!(body(&url), "first");
    project.write(
        "index.js",
        "exports.handler = async () => ({ statusCode: 200, body: 'second' });\n",
    );
    until("the saved handler", || (body(&url) == "second").then_some(()));
}

const LAYERED: &[(&str, &str)] = &[
    (
        "serverless.yml",
        "service: layered\nprovider: {name: aws, runtime: nodejs20.x}\nlayers:\n  tools: {path: tools}\n\
         functions:\n  js:\n    handler: index.handler\n    layers: [{Ref: ToolsLambdaLayer}]\n    \
         events: [httpApi: GET /js]\n  py:\n    handler: main.handler\n    runtime: python3.11\n    \
         layers: [{Ref: ToolsLambdaLayer}]\n    events: [httpApi: GET /py]\n",
    ),
    (
        "tools/nodejs/node_modules/who/index.js",
        "module.exports = 'first';\n",
    ),
    ("tools/python/who.py", "name = 'first'\n"),
    ("index.js", "exports.handler = async () => require('who');\n"),
    (
        "main.py",
        "import who\ndef handler(event, context): return who.name\n",
    ),
];

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn functions_find_the_layers_of_their_project_and_a_save_publishes_them() {
    let project = Project::new(LAYERED);
    let node = Node::up(project.path());
    let urls = ["/js", "/py"].map(|path| node.route("GET", path));
    for url in &urls {
        assert_eq!(body(url), "first", "{}", node.output());
    }
    project.write(
        "tools/nodejs/node_modules/who/index.js",
        "module.exports = 'second';\n",
    );
    project.write("tools/python/who.py", "name = 'second'\n");
    for url in &urls {
        until("the saved layer", || (body(url) == "second").then_some(()));
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_broken_save_keeps_the_last_good_version() {
    let project = Project::new(HELLO);
    let node = Node::up(project.path());
    let url = node.route("GET", "/hello");
    project.write("index.js", "exports.handler = async () => {{{;\n");
    node.wait_for_output("SyntaxError");
    assert_eq!(body(&url), "first");
    project.write("serverless.yml", "service: [broken\n");
    node.wait_for_output("serverless.yml:");
    assert_eq!(body(&url), "first");
    project.write("serverless.yml", HELLO[0].1);
    project.write(
        "index.js",
        "exports.handler = async () => ({ statusCode: 200, body: 'mended' });\n",
    );
    until("the mended handler", || (body(&url) == "mended").then_some(()));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_second_up_finds_everything_as_it_was_also_after_a_kill() {
    let project = Project::new(HELLO);
    let node = Node::up(project.path());
    let path = node
        .route("GET", "/hello")
        .split_once("/_api")
        .unwrap()
        .1
        .to_owned();
    let (status, _) = node.interrupt();
    assert_eq!(status.code(), Some(0));
    let again = Node::up(project.path());
    assert_eq!(body(&again.url(&format!("/_api{path}"))), "first");
    again.kill();
    let after_kill = Node::up(project.path());
    assert_eq!(body(&after_kill.url(&format!("/_api{path}"))), "first");
}
