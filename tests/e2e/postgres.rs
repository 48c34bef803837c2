//! S3 and SQS on a node that keeps its rows in PostgreSQL: the same clients, the same scripts.

use std::path::Path;
use std::process::Command;

use tradewind_tests::{Node, stderr, succeeds};

/// A database of its own on the server that `cargo xtask test` started.
pub(crate) fn database(of: &str) -> String {
    let server = std::env::var("TRADEWIND_TEST_POSTGRES").expect("`cargo xtask test` starts a server");
    let name = format!("e2e_{of}_{}", std::process::id());
    let create = format!("create database {name}");
    let made = Command::new("psql")
        .args([&server, "-qc", &create])
        .output()
        .expect("psql comes with the server");
    assert!(made.status.success(), "{}", stderr(&made));
    server.replace("/postgres?", &format!("/{name}?"))
}

pub(crate) fn serve(data: &Path, database: &str) -> Node {
    let data = data.to_str().expect("temporary folders have plain names");
    Node::start(Path::new("/"), &["serve", "--data", data, "--database", database])
}

fn script(node: &Node, arguments: &[&str]) -> String {
    succeeds("python3", arguments, node)
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn objects_and_queues_work_on_postgres_and_survive_a_kill() {
    let data = tempfile::tempdir().unwrap();
    let database = database("objects");
    let node = serve(data.path(), &database);
    let url = node.url("");
    assert!(script(&node, &["s3_objects.py", &url, "all"]).ends_with("ok lists\n"));
    assert!(script(&node, &["s3_configuration.py", &url]).ends_with("ok forms\n"));
    for part in ["standard", "fifo", "dead_letters", "long_poll", "fill"] {
        assert_eq!(script(&node, &["sqs_api.py", &url, part]), format!("ok {part}\n"));
    }
    node.kill();
    let node = serve(data.path(), &database);
    assert_eq!(
        script(&node, &["sqs_api.py", &node.url(""), "drain"]),
        "ok drain\n"
    );
}
