//! What end-to-end tests are written with: the real binary as a child process, projects in
//! temporary folders, and waiting for something to become true.
//!
//! Nothing here links the product: tests see what users see.

mod client;
pub mod customer_view;
mod faults;
pub mod kafka;
mod node;
mod project;
mod wait;

pub use client::{client, client_output, succeeds};
pub use faults::{Call, Fault, Faults};
pub use node::{Answer, Node, get, request};
pub use project::Project;
pub use wait::until;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The top of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests lie below the root")
        .to_owned()
}

/// The binary under test; `cargo xtask test` builds it before the tests run.
#[must_use]
pub fn tradewind() -> PathBuf {
    let mut path = std::env::current_exe().expect("a test knows its own path");
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.join("tradewind")
}

/// What `cargo xtask test` installed: clients and built functions.
///
/// # Panics
/// When the tests were not started by it.
#[must_use]
pub fn cache() -> PathBuf {
    let cache = std::env::var_os("TRADEWIND_TEST_CACHE");
    PathBuf::from(cache.expect("run these tests with `cargo xtask test`, which installs what they need"))
}

/// Runs the binary to its end, away from any colour and any node of the developer's own.
#[must_use]
pub fn run(directory: &Path, arguments: &[&str]) -> Output {
    command(directory, arguments)
        .output()
        .expect("the binary was built")
}

/// The binary with its arguments, as [`run`] starts it, for who has more to say of how.
#[must_use]
pub fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(tradewind());
    command
        .args(arguments)
        .current_dir(directory)
        .stdin(Stdio::null());
    for name in [
        "AWS_ENDPOINT_URL",
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "RUST_LOG",
    ] {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// Standard output as text.
#[must_use]
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Standard error as text.
#[must_use]
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
