//! Kafka → function, beside a plain consumer loop in the same language; from a record to its handler; how lag goes.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tradewind_tests::kafka::{Kafka, Options as Broker};

use super::Options;
use super::report::{Goal, Report};
use crate::command::{cache, command, root, run as run_command};
use crate::fixtures::once;
use crate::kafka;
use crate::node::{Node, Setup};

/// Of a plain loop's records a second, for batches of 100 and more.
const SHARE: f64 = 0.7;
const LANGUAGES: [&str; 3] = ["rust", "node", "python"];

/// Runs it.
pub(super) fn run(options: &Options) -> Result<()> {
    let binary = options.binary()?;
    kafka::install()?;
    let folder = built(options)?;
    let mut report = Report::start("pipeline", options);
    let figures = measure(&binary, &folder, options)?;
    for rate in figures["rates"].as_array().context("no rates")? {
        show_rate(rate, &mut report)?;
    }
    for latency in figures["latency"].as_array().context("no latencies")? {
        show_latency(latency, &mut report)?;
    }
    let recovery = &figures["recovery"];
    report.figures(recovery.clone());
    println!(
        "  a lag of {} records, with 1,000 more a second, is gone after {:.1} s ({})",
        recovery["lag"],
        number(recovery, "seconds")?,
        recovery["language"],
    );
    report.finish()
}

fn measure(binary: &Path, folder: &Path, options: &Options) -> Result<Value> {
    let broker = Kafka::start(
        &kafka::jars(),
        &Broker {
            measured: true,
            ..Broker::default()
        },
    )?;
    let node = Node::start(binary, &Setup::default())?;
    let (count, seconds) = if options.quick {
        ("20000", "3".to_owned())
    } else {
        ("200000", (options.seconds() * 3).to_string())
    };
    let output = command("python3")
        .arg(root().join("bench/pipeline/drive.py"))
        .args([&node.server.url(""), &broker.bootstrap()])
        .arg(folder)
        .args([count, &seconds])
        .args(LANGUAGES)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "drive.py failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Programs and libraries, in one folder.
fn built(options: &Options) -> Result<PathBuf> {
    let folder = cache().join("bench-pipeline");
    let manifest = root().join("bench/pipeline/package.json");
    once("bench-pipeline", &manifest, || {
        std::fs::create_dir_all(&folder)?;
        std::fs::copy(&manifest, folder.join("package.json"))?;
        run_command(
            command("npm")
                .args(["install", "--no-audit", "--no-fund", "--prefix"])
                .arg(&folder),
        )
    })?;
    // beside a binary that somebody built for a look, programs built for a look do
    let profile = if options.binary.is_some() {
        "debug"
    } else {
        "release"
    };
    let mut build = command("cargo");
    build.args(["build", "--locked", "--package", "bench-pipeline"]);
    if profile == "release" {
        build.arg("--release");
    }
    run_command(&mut build)?;
    for name in ["handler", "consumer"] {
        let program = root().join("target").join(profile).join(name);
        std::fs::copy(program, folder.join(format!("rust-{name}")))?;
    }
    Ok(folder)
}

fn number(figures: &Value, name: &str) -> Result<f64> {
    figures[name]
        .as_f64()
        .with_context(|| format!("{name} is missing: {figures}"))
}

fn show_rate(rate: &Value, report: &mut Report) -> Result<()> {
    let (ours, plain) = (number(rate, "ours")?, number(rate, "plain")?);
    let language = rate["language"].as_str().unwrap_or_default();
    let batch = rate["batch"].as_u64().unwrap_or_default();
    println!("  {language:<8} batches of {batch:<5} {ours:>10.0} records/s, a plain loop {plain:>10.0}");
    report.figures(rate.clone());
    if batch >= 100 {
        let what = format!("Kafka → function × plain loop, {language}, batches of {batch}");
        report.goal("K1", &what, ours / plain, Goal::AtLeast(SHARE));
    }
    Ok(())
}

fn show_latency(latency: &Value, report: &mut Report) -> Result<()> {
    let language = latency["language"].as_str().unwrap_or_default();
    report.figures(latency.clone());
    let what = |share: &str| format!("record → handler at 1,000/s, window 0, {language}, {share} in ms");
    report.goal("K2", &what("p50"), number(latency, "p50_ms")?, Goal::AtMost(50.0));
    report.figure(&what("p99"), number(latency, "p99_ms")?, "ms");
    Ok(())
}
