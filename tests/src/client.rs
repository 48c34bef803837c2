//! Official clients, as their users run them, pointed at a node.

use std::process::{Command, Output};

use crate::{Node, cache, root, stderr, stdout};

/// A program of the clients' environment (`aws`, `python3`) that talks to `node`; it runs where the scripts
/// of `tests/clients` are.
#[must_use]
pub fn client(program: &str, arguments: &[&str], node: &Node) -> Command {
    let mut command = Command::new(cache().join("venv/bin").join(program));
    command
        .args(arguments)
        .env_remove("AWS_PROFILE")
        .env("AWS_ACCESS_KEY_ID", "000000000000")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", node.url(""))
        .current_dir(root().join("tests/clients"));
    command
}

/// Runs a client to its end, whatever that is.
#[must_use]
pub fn client_output(program: &str, arguments: &[&str], node: &Node) -> Output {
    let output = client(program, arguments, node).output();
    output.expect("the client was installed")
}

/// What a client that succeeds prints.
///
/// # Panics
/// When it fails, with all that it and the node said.
pub fn succeeds(program: &str, arguments: &[&str], node: &Node) -> String {
    let output = client_output(program, arguments, node);
    let (out, err) = (stdout(&output), stderr(&output));
    assert!(
        output.status.success(),
        "{program} {arguments:?}\n{out}\n{err}\nnode:\n{}",
        node.output()
    );
    out
}
