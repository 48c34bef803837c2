//! `cargo xtask test`: every gate, in the order in which they are cheap to fail.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use clap::ValueEnum;

use crate::chaos;
use crate::command::{cache, command, root, run, succeeds};
use crate::postgres::Postgres;
use crate::{fixtures, tools};

/// One gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Gate {
    /// `cargo fmt --check`
    Fmt,
    /// `cargo clippy` without warnings
    Clippy,
    /// Licences, duplicate versions, sources and (where reachable) advisories
    Deny,
    /// The bootstraps of the managed runtimes, each against the frame protocol
    Bootstraps,
    /// Unit, integration, end-to-end and documentation tests
    Tests,
}

impl Gate {
    const ALL: [Self; 5] = [Self::Fmt, Self::Clippy, Self::Deny, Self::Bootstraps, Self::Tests];

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Deny => "deny",
            Self::Bootstraps => "bootstraps",
            Self::Tests => "tests",
        }
    }

    fn run(self) -> Result<()> {
        match self {
            Self::Fmt => run(command("cargo").args(["fmt", "--all", "--check"])),
            Self::Clippy => run(command("cargo").args([
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ])),
            Self::Deny => deny(),
            Self::Bootstraps => bootstraps(),
            Self::Tests => tests(),
        }
    }
}

/// Runs one gate or all of them.
pub(crate) fn pass(only: Option<Gate>) -> Result<()> {
    for gate in Gate::ALL
        .into_iter()
        .filter(|gate| only.is_none_or(|only| only == *gate))
    {
        println!("── {}", gate.name());
        let start = Instant::now();
        gate.run()?;
        println!(
            "── {} passed in {:.0} s",
            gate.name(),
            start.elapsed().as_secs_f32()
        );
    }
    Ok(())
}

fn deny() -> Result<()> {
    tools::cargo_deny()?;
    run(command("cargo").args(["deny", "--locked", "check", "licenses", "bans", "sources"]))?;
    if succeeds("cargo", &["deny", "--locked", "fetch", "db"]) {
        return run(command("cargo").args(["deny", "--locked", "check", "--disable-fetch", "advisories"]));
    }
    println!("advisories: not checked, the advisory database cannot be reached from here");
    Ok(())
}

fn bootstraps() -> Result<()> {
    tools::ruby()?;
    tools::java()?;
    run(command("python3").args(["-m", "unittest", "discover", "-s", "runtimes/tests"]))
}

/// The end-to-end tests are marked ignored, because plain `cargo test` has not installed the
/// clients they drive; here they have been.
fn tests() -> Result<()> {
    fixtures::install()?;
    run(command("cargo").args(["build", "--locked", "--bin", "tradewind"]))?;
    let postgres = Postgres::start()?;
    run(on(&postgres).args(["test", "--workspace", "--locked", "--", "--include-ignored"]))?;
    // what services keep, once more on the server
    let mut services = on(&postgres);
    services
        .env("TRADEWIND_TEST_BACKEND", "postgres")
        .args(["test", "--locked"]);
    for service in ON_POSTGRES {
        services.args(["-p", service]);
    }
    run(&mut services)?;
    let binary = root().join("target/debug/tradewind");
    let kinds = [chaos::Kind::Objects, chaos::Kind::Messages];
    chaos::store(&binary, SHORT_CHAOS, &kinds, None)?;
    chaos::store(&binary, SHORT_CHAOS, &kinds, Some(&postgres.url()))
}

/// Kills of a node among the tests; `cargo xtask chaos store` has more.
const SHORT_CHAOS: u32 = 10;

/// The crates whose tests run on both databases.
const ON_POSTGRES: &[&str] = &[
    "tradewind-apigateway",
    "tradewind-deploy",
    "tradewind-iam",
    "tradewind-lambda",
    "tradewind-logs",
    "tradewind-s3",
];

/// A cargo whose tests find what was installed and started for them.
fn on(postgres: &Postgres) -> Command {
    let mut cargo = command("cargo");
    cargo
        .env("TRADEWIND_TEST_CACHE", cache())
        .env("TRADEWIND_TEST_POSTGRES", postgres.url())
        .env("TRADEWIND_TEST_POSTGRES_REQUIRED", "1");
    cargo
}
