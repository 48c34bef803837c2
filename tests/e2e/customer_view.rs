//! The pipeline of the customer view: from five systems' topics to golden records, over real Kafka.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tradewind_tests::kafka::{Kafka, Options};
use tradewind_tests::{Node, Project, root, run, stderr, stdout, succeeds, tradewind};

const PEOPLE: &str = "40";

/// The app without requests, view and desk, and with steps that were built before.
fn pipeline() -> Project {
    let project = Project::copy_of(&root().join("apps/customer-view"));
    let alone = std::fs::read_to_string(project.join("pipeline/test/serverless.yml")).unwrap();
    project.write("serverless.yml", &alone);
    for step in ["resolve", "merge"] {
        archive(project.path(), step);
    }
    project
}

/// A built step as a package of its own.
fn archive(project: &Path, step: &str) {
    let folder = project.join(format!("built-{step}"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(tradewind().with_file_name(step), folder.join("bootstrap")).unwrap();
    let made = Command::new("python3")
        .args(["-m", "zipfile", "-c"])
        .arg(project.join(format!("{step}.zip")))
        .arg("bootstrap")
        .current_dir(&folder)
        .status();
    assert!(made.unwrap().success());
}

fn deploy(project: &Project, node: &Node) -> String {
    let url = node.url("");
    let arguments = [
        "deploy",
        "--endpoint",
        &url,
        "--param",
        "resolve=resolve.zip",
        "--param",
        "merge=merge.zip",
    ];
    let output = run(project.path(), &arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// The generator.
fn generator(arguments: &[&str], node: &Node) -> Command {
    let mut command = Command::new(tradewind().with_file_name("customer-view"));
    command
        .args(arguments)
        .env("AWS_ENDPOINT_URL", node.url(""))
        .env_remove("CUSTOMER_VIEW_PEPPER")
        .stdout(Stdio::piped());
    command
}

fn write(node: &Node, kafka: &Kafka, truth: &Path, rate: &str) -> Child {
    let truth = truth.to_str().unwrap();
    let servers = kafka.bootstrap();
    let what = [
        "write", "--people", PEOPLE, "--seed", "3", "--poison", "30", "--rate", rate,
    ];
    let to = ["--kafka", &servers, "--truth", truth];
    generator(&[&what[..], &to[..]].concat(), node).spawn().unwrap()
}

fn ask(node: &Node, what: &[&str]) -> String {
    let arguments = [&["customer_view.py"], what].concat();
    succeeds("python3", &arguments, node)
}

fn deployed(node: &Node) -> BTreeMap<String, String> {
    serde_json::from_str(&ask(node, &["deployed"])).unwrap()
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_retailer_becomes_a_view_while_one_step_is_deployed_anew() {
    let kafka = Kafka::of_test(&Options::default());
    let data = tempfile::tempdir().unwrap();
    let cluster = format!("main={}", kafka.bootstrap());
    let node = Node::start(
        Path::new("/"),
        &[
            "serve",
            "--data",
            data.path().to_str().unwrap(),
            "--kafka",
            &cluster,
        ],
    );
    let topics = ["topics", "--kafka", &kafka.bootstrap()];
    assert!(generator(&topics, &node).status().unwrap().success());
    let project = pipeline();
    deploy(&project, &node);

    let truth: PathBuf = data.path().with_extension("truth");
    let mut writing = write(&node, &kafka, &truth, "10");
    let before = deployed(&node);
    let step = std::fs::read_to_string(project.join("pipeline/normalise.mjs")).unwrap();
    project.write("pipeline/normalise.mjs", &format!("{step}// as it was\n"));
    deploy(&project, &node);
    let after = deployed(&node);
    let changed: Vec<&String> = after
        .iter()
        .filter(|(name, was)| before.get(*name) != Some(was))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(changed, ["customer-view-dev-normalise"], "of {}", after.len());
    assert_eq!(before.len(), after.len());
    assert!(writing.wait().unwrap().success());

    let path = truth.to_str().unwrap();
    ask(&node, &["complete", path]);
    ask(&node, &["rejected", path]);
    let score = generator(&["score", "--truth", path], &node).output().unwrap();
    let score: Value = serde_json::from_slice(&score.stdout).unwrap();
    assert!(score["precision"].as_f64().unwrap() >= 0.99, "{score}");
    assert!(score["recall"].as_f64().unwrap() >= 0.85, "{score}");

    ask(&node, &["ordered", &kafka.bootstrap()]);
    ask(&node, &["tombstone", &kafka.bootstrap()]);
    std::fs::remove_file(&truth).unwrap();
}
