//! `cargo xtask test`: every gate, in the order in which they are cheap to fail.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::ValueEnum;

use crate::chaos;
use crate::command::{cache, command, root, run, succeeds};
use crate::postgres::Postgres;
use crate::{apps, fixtures, tools};

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
    /// The unit tests of the applications below `apps/`
    Apps,
    /// Unit, integration, end-to-end and documentation tests
    Tests,
}

impl Gate {
    const ALL: [Self; 6] = [
        Self::Fmt,
        Self::Clippy,
        Self::Deny,
        Self::Bootstraps,
        Self::Apps,
        Self::Tests,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Deny => "deny",
            Self::Bootstraps => "bootstraps",
            Self::Apps => "apps",
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
                FEATURES,
                "--",
                "-D",
                "warnings",
            ])),
            Self::Deny => deny(),
            Self::Bootstraps => bootstraps(),
            Self::Apps => apps::test(),
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
        timed(gate.name(), || gate.run())?;
    }
    Ok(())
}

/// Says what runs, and how long it took.
fn timed(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    println!("── {name}");
    let start = Instant::now();
    work()?;
    println!("── {name} passed in {:.0} s", start.elapsed().as_secs_f32());
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
    // always the whole workspace: a part of it has other features, and everything would be built again
    run(command("cargo").args(["build", "--workspace", "--locked", FEATURES, "--bin", "tradewind"]))?;
    let postgres = Postgres::start()?;
    run(on(&postgres, command("cargo")).args([
        "test",
        "--workspace",
        "--locked",
        FEATURES,
        "--",
        "--include-ignored",
    ]))?;
    timed("tests on postgres", || on_postgres(&postgres))?;
    short_chaos(&postgres)
}

/// The short forms of what `cargo xtask chaos` does.
fn short_chaos(postgres: &Postgres) -> Result<()> {
    let binary = root().join("target/debug/tradewind");
    let kinds = [chaos::Kind::Objects, chaos::Kind::Messages];
    let (kills, disk_too) = (chaos::Torture::Kills, chaos::Torture::DiskToo);
    timed("chaos store --faults", || {
        chaos::store(&binary, SHORT_CHAOS, &kinds, disk_too, None)
    })?;
    timed("chaos store on postgres", || {
        chaos::store(&binary, SHORT_CHAOS, &kinds, kills, Some(&postgres.url()))
    })?;
    timed("chaos events", || {
        chaos::events(&binary, SHORT_CHAOS, SHORT_EVENTS, None)
    })?;
    timed("chaos pipeline", || {
        chaos::pipeline(&binary, SHORT_PIPELINE, SHORT_EVENTS)
    })
}

/// What every gate builds with, so that everything is checked and is built once.
const FEATURES: &str = "--features=tradewind/kafka-tls";

/// Kills of a node among the tests; `cargo xtask chaos store` has more.
const SHORT_CHAOS: u32 = 10;
/// Events among the tests; `cargo xtask chaos events` has more.
const SHORT_EVENTS: u32 = 1_000;

/// Kills of a node or a broker among the tests, of which a broker takes seconds to come back; `cargo xtask chaos
/// pipeline` has more.
const SHORT_PIPELINE: u32 = 6;

/// The crates whose tests run on both databases, by their folders.
const ON_POSTGRES: &[&str] = &[
    "apigateway",
    "deploy",
    "eventbridge",
    "events",
    "iam",
    "lambda",
    "logs",
    "observe",
    "pipes",
    "s3",
    "scheduler",
    "secretsmanager",
    "ses",
    "sns",
    "sqs",
];

/// What services keep, once more on the server.
fn on_postgres(postgres: &Postgres) -> Result<()> {
    for (package, executable) in unit_tests()? {
        let mut tests = on(postgres, command(executable));
        tests
            .current_dir(package)
            .env("TRADEWIND_TEST_BACKEND", "postgres")
            .arg("--quiet");
        run(&mut tests)?;
    }
    Ok(())
}

/// The folder and the built unit tests of each crate of [`ON_POSTGRES`].
fn unit_tests() -> Result<Vec<(PathBuf, PathBuf)>> {
    let built = command("cargo")
        .args([
            "test",
            "--workspace",
            "--locked",
            FEATURES,
            "--no-run",
            "--message-format=json",
        ])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(built.status.success(), "the tests do not build");
    let messages = serde_json::Deserializer::from_slice(&built.stdout).into_iter::<serde_json::Value>();
    let messages = messages.collect::<Result<Vec<_>, _>>()?;
    let found: Vec<_> = messages.iter().filter_map(unit_test).collect();
    ensure!(
        found.len() == ON_POSTGRES.len(),
        "{} of the {} crates have unit tests",
        found.len(),
        ON_POSTGRES.len()
    );
    Ok(found)
}

/// The folder of the crate and the program, if cargo's message tells of the unit tests of a library of
/// [`ON_POSTGRES`].
fn unit_test(message: &serde_json::Value) -> Option<(PathBuf, PathBuf)> {
    let executable = message["executable"].as_str()?;
    let is_library = message["target"]["kind"][0] == "lib" && message["profile"]["test"] == true;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let package = manifest.parent()?;
    let name = package.file_name()?.to_str()?;
    let listed = is_library && ON_POSTGRES.contains(&name);
    listed.then(|| (package.to_owned(), executable.into()))
}

/// A command whose tests find what was installed and started for them.
fn on(postgres: &Postgres, mut command: Command) -> Command {
    command
        .env("TRADEWIND_TEST_CACHE", cache())
        .env("TRADEWIND_TEST_POSTGRES", postgres.url())
        .env("TRADEWIND_TEST_POSTGRES_REQUIRED", "1");
    command
}
