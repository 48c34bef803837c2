//! Event source mappings: boto3, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, succeeds};

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["mappings.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_queue_runs_a_function() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("mapping", &node);
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_killed_node_handles_every_message_and_keeps_groups_in_order() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("load", &node);
    node.kill();
    let node = Node::serve(data.path());
    part("settled", &node);
}
