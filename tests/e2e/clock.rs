//! The wall clock is set, and the machine sleeps: a node under libfaketime, driven by boto3.

use std::path::{Path, PathBuf};

use tradewind_tests::{Node, succeeds};

/// What `faketime` preloads, wherever this distribution has it.
fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").expect("there are libraries");
    let mut libraries = folders
        .flatten()
        .map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    libraries
        .find(|path| path.exists())
        .expect("`cargo xtask test` installs faketime")
}

/// The clock's file says how far the node is ahead; what the kernel counts since its start stays as it is.
fn serve(data: &Path, clock: &Path) -> Node {
    let data = data.to_str().expect("temporary folders have plain names");
    Node::start_with(Path::new("/"), &["serve", "--data", data], |command| {
        command
            .env("LD_PRELOAD", library())
            .env("FAKETIME_TIMESTAMP_FILE", clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
    })
}

fn part(name: &str, node: &Node, clock: &Path) {
    let (url, pid) = (node.url(""), node.pid().to_string());
    let clock = clock.to_str().expect("temporary folders have plain names");
    let output = succeeds("python3", &["clock_steps.py", &url, clock, name, &pid], node);
    assert_eq!(output, format!("ok {name}\n"));
}

#[test]
#[ignore = "needs what `cargo xtask test` builds"]
fn a_clock_that_leaps_drops_and_doubles_nothing() {
    let data = tempfile::tempdir().unwrap();
    let notes = tempfile::tempdir().unwrap();
    let clock = notes.path().join("clock");
    std::fs::write(&clock, "+0").unwrap();
    let node = serve(data.path(), &clock);
    for name in ["prepare", "forward", "back"] {
        part(name, &node, &clock);
    }
    node.kill();
    let node = serve(data.path(), &clock);
    for name in ["restarted", "suspended", "once"] {
        part(name, &node, &clock);
    }
}
