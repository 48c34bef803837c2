//! Asynchronous invocations and what leads to them: boto3, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, succeeds};

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn events_end_where_their_owners_want() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let output = succeeds("python3", &["asynchronous.py", &node.url("")], &node);
    assert_eq!(output, "ok\n");
}
