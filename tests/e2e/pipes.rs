//! Pipes: boto3, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, succeeds};

fn part(name: &str, node: &Node) {
    let output = succeeds("python3", &["pipes_api.py", &node.url(""), name], node);
    assert_eq!(output, format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_queue_reaches_a_bus_filtered_enriched_and_shaped() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("shaped", &node);
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn api_destinations_enrich_events_and_get_them() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("destinations", &node);
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn what_a_pipe_moves_is_there_once_after_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    part("fill", &node);
    node.kill();
    let node = Node::serve(data.path());
    part("drain", &node);
}
