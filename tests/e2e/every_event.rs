//! Every source of events, deployed in one project by `tradewind deploy`: each runs a function, once.

use std::time::Duration;

use jiff::Timestamp;
use tradewind_tests::{Node, Project, get, run, stderr, stdout, succeeds, until};

const PROJECT: &[(&str, &str)] = &[
    ("serverless.yml", include_str!("every_event/serverless.yml")),
    ("index.js", include_str!("every_event/index.js")),
];

/// How far ahead the schedules are that are due once: the deploy has to be over by then.
const AHEAD: Duration = Duration::from_secs(60);

fn logs_of(function: &str, node: &Node) -> String {
    let path = format!("/_tradewind/logs?function=every-dev-{function}");
    get(&node.url(&path))
        .map(|answer| answer.text())
        .unwrap_or_default()
}

fn wait_for(function: &str, line: &str, node: &Node) {
    until(&format!("{line} of {function}"), || {
        logs_of(function, node).contains(line).then_some(())
    });
}

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["every_event.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

/// What `see` runs with, but for what a schedule repeats. Those that wait for the answer have no record of it.
const WAITED_FOR: [&str; 2] = ["by-polled", "by-raw-queue"];
/// In records they are as they came, compressed.
const COMPRESSED: [&str; 2] = ["by-watched", "by-raw-log"];
const RECORDED: [&str; 12] = [
    "by-topic",
    "by-default-bus",
    "by-own-bus",
    "by-cloudwatch-event",
    "by-scheduler",
    "by-new-bucket",
    "by-existing-bucket",
    "by-raw-topic",
    "by-raw-bus",
    "by-pipe",
    "by-group",
    "by-raw-bucket",
];

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn every_source_of_a_project_runs_a_function_once() {
    let (project, data) = (Project::new(PROJECT), tempfile::tempdir().unwrap());
    let node = Node::serve(data.path());
    part("prepare", &node);
    let due = Timestamp::from_second((Timestamp::now() + AHEAD).as_second()).unwrap();
    let param = format!("at={}", due.strftime("%Y-%m-%dT%H:%M:%S"));
    let endpoint = node.url("");
    let deploy = run(
        project.path(),
        &["deploy", "--endpoint", &endpoint, "--param", &param],
    );
    assert!(deploy.status.success(), "{}{}", stdout(&deploy), stderr(&deploy));
    assert!(Timestamp::now() < due, "the deploy took longer than {AHEAD:?}");

    part("sources", &node);
    until("the schedules are due", || {
        (Timestamp::now() >= due).then_some(())
    });
    let all = || RECORDED.iter().chain(&WAITED_FOR).chain(&COMPRESSED);
    for word in all() {
        wait_for("see", &format!("saw {word}."), &node);
    }
    for word in RECORDED {
        wait_for("succeeded", &format!("recorded Success {word}."), &node);
    }
    wait_for("see", "saw by-replay.", &node);
    wait_for("see", "saw by-rate.", &node);
    for word in ["by-raw-bus", "by-enrichment", "by-posted"] {
        wait_for("hook", &format!("hooked secret {word}."), &node);
    }
    wait_for("failed", "recorded RetriesExhausted by-failure.", &node);
    wait_for("dead", "saw by-failure.", &node);
    let (seen, hooked) = (logs_of("see", &node), logs_of("hook", &node));
    for word in all() {
        assert_eq!(seen.matches(&format!("saw {word}.")).count(), 1, "{word}\n{seen}");
    }
    assert_eq!(hooked.matches("hooked").count(), 3, "{hooked}");
    assert!(!seen.contains("by-nobody"), "{seen}");
}
