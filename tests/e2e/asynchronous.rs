//! Asynchronous invocations and what leads to them: boto3, unmodified, against `tradewind serve`.

use tradewind_tests::{Node, run, stdout, succeeds};

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn events_end_where_their_owners_want() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let output = succeeds("python3", &["asynchronous.py", &node.url("")], &node);
    let journey = output.trim();
    let asked = ["trace", journey, "--endpoint", &node.url("")];
    let tree = stdout(&run(data.path(), &asked));
    let lines: Vec<&str> = tree.lines().collect();
    assert_eq!((lines[0], lines.len()), (journey, 5), "{tree}");
    assert!(
        lines[3].contains("└─ invocation lambda worker:$LATEST  ok"),
        "{tree}"
    );
}
