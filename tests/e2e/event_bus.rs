//! EventBridge: boto3, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, succeeds};

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["events_api.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn boto3_works_with_the_event_bus() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    for name in [
        "routing",
        "function",
        "many",
        "replay",
        "destination",
        "cloud_events",
    ] {
        part(name, &node);
    }
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn the_event_bus_is_the_same_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("configure", &node);
    node.kill();
    let node = Node::serve(data.path());
    part("kept", &node);
}
