//! `cargo xtask fuzz`: hostile input for the parsers that are ours, for as long as one likes. The targets are unit
//! tests beside their parsers, named `fuzz_…`; `fuzz/src/lib.rs` says how they work.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use crate::command::command;

/// What to try, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only targets with this in their name
    target: Option<String>,
    /// How long each target is tried
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Only print the targets
    #[arg(long)]
    list: bool,
}

/// The crates with targets.
const PACKAGES: &[&str] = &[
    "tradewind-wire",
    "tradewind-events",
    "tradewind-logs",
    "tradewind-sqs",
];

/// What the compiler adds to the crate under test: a counter at every edge. Its dependencies stay as they are built
/// for all tests.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=3",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
];

/// Runs it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut failed = Vec::new();
    let mut any = false;
    for package in PACKAGES {
        let tests = build(package)?;
        for target in targets(&tests)? {
            if !options.target.as_ref().is_none_or(|part| target.contains(part)) {
                continue;
            }
            any = true;
            println!("── {package} {target}");
            if !options.list && !attempt(&tests, &target, options.seconds)? {
                failed.push(format!("{package} {target}"));
            }
        }
    }
    ensure!(any, "there is no such target; `--list` prints all");
    if !failed.is_empty() {
        bail!("{} failed: {}", failed.len(), failed.join(", "));
    }
    Ok(())
}

/// The unit tests of a crate, with counters.
fn build(package: &str) -> Result<PathBuf> {
    let output = command("cargo")
        .args([
            "rustc",
            "--locked",
            "--quiet",
            "--lib",
            "--profile",
            "test",
            "-p",
            package,
        ])
        .args(["--message-format=json-render-diagnostics", "--"])
        .args(COVERAGE)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "{package} does not build");
    let messages = serde_json::Deserializer::from_slice(&output.stdout).into_iter::<serde_json::Value>();
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    let mut built = messages
        .iter()
        .filter_map(|message| message["executable"].as_str());
    let built = built
        .next_back()
        .with_context(|| format!("{package} has no unit tests"))?;
    Ok(built.into())
}

fn targets(tests: &PathBuf) -> Result<Vec<String>> {
    let output = Command::new(tests).args(["--list", "--format=terse"]).output()?;
    let list = String::from_utf8(output.stdout)?;
    let tests = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let is_target = |name: &&str| {
        name.rsplit("::")
            .next()
            .is_some_and(|name| name.starts_with("fuzz_"))
    };
    Ok(tests.filter(is_target).map(str::to_owned).collect())
}

/// Whether nothing was found.
fn attempt(tests: &PathBuf, target: &str, seconds: u32) -> Result<bool> {
    let status = Command::new(tests)
        .args(["--exact", target, "--nocapture"])
        .env("TRADEWIND_FUZZ_SECONDS", seconds.to_string())
        .status()?;
    Ok(status.success())
}
