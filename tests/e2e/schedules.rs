//! EventBridge Scheduler: boto3, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, succeeds};

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
