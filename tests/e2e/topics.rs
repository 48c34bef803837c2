//! SNS: boto3, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, succeeds};

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["sns_api.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_works_with_topics() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    for name in ["queues", "fifo", "function", "endpoint"] {
        part(name, &node);
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn what_was_published_is_delivered_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("owe", &node);
    node.kill();
    let node = Node::serve(data.path());
    part("collect", &node);
}
