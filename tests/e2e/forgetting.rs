//! What is deleted is gone from the data folder: every service is written to and deleted from with boto3, and then
//! all files are searched.

use tradewind_tests::{Node, command, stdout, succeeds};

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn nothing_that_was_deleted_is_left_below_the_data_folder() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::serve(data.path());
    let folder = data.path().to_str().unwrap();
    let output = succeeds("python3", &["forgetting.py", &node.url(""), folder], &node);
    assert!(output.starts_with("ok "), "{output}");
    let arguments = ["scrub", "--endpoint", &node.url("")];
    let output = command(data.path(), &arguments).output().unwrap();
    let text = stdout(&output);
    assert!(text.contains("nothing of deleted rows is left"), "{text}");
}
