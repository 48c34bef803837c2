//! Kafka → function, beside a plain consumer loop in the same language; from a record to its handler, and to a view
//! that four functions make; how a lag goes; what memory it takes.

mod view;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tradewind_tests::kafka::{Kafka, Options as Broker};

use super::Options as Common;
use super::report::{Goal, Report};
use crate::command::{cache, command, root, run as run_command};
use crate::fixtures::once;
use crate::kafka;
use crate::node::{Node, Setup};

/// Of a plain loop's records a second, for batches of 100 and more.
const SHARE: f64 = 0.7;
/// What the memory of a node may be, by what it was after a fifth of the records.
const GROWTH: f64 = 1.1;
const LANGUAGES: [&str; 3] = ["rust", "node", "python"];
/// Records a second while latency is measured, and while a lag is worked off.
const RATE: u32 = 1_000;

/// What is measured, and how much of it.
#[derive(Clone, Debug, Args)]
#[group(id = "pipeline")]
pub(crate) struct Options {
    #[command(flatten)]
    common: Common,
    /// Only these parts
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Records of a measurement of throughput
    #[arg(long, default_value_t = 200_000)]
    records: u32,
    /// Records that a stopped mapping is behind: ten minutes at 1,000 a second
    #[arg(long, default_value_t = 600_000)]
    lag: u32,
    /// Records over which memory is watched; ten million take some minutes
    #[arg(long, default_value_t = 2_000_000)]
    long: u32,
    /// Events a second that the generator writes for the view, one measurement each
    #[arg(long, value_delimiter = ',', default_values_t = [50, 1_000])]
    view_rate: Vec<u32>,
}

/// One of the measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Records a second, beside a plain loop
    Rates,
    /// From a record to its handler
    Latency,
    /// From a record to the customer view, through its four functions
    View,
    /// How long a lag takes
    Recovery,
    /// What the node takes over very many records
    Memory,
}

impl Part {
    const ALL: [Self; 5] = [
        Self::Rates,
        Self::Latency,
        Self::View,
        Self::Recovery,
        Self::Memory,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Rates => "rates",
            Self::Latency => "latency",
            Self::View => "view",
            Self::Recovery => "recovery",
            Self::Memory => "memory",
        }
    }
}

impl Options {
    fn parts(&self) -> Vec<Part> {
        let all = Part::ALL.into_iter();
        all.filter(|part| self.only.is_empty() || self.only.contains(part))
            .collect()
    }

    fn of_quick(&self, usual: u32) -> u32 {
        if self.common.quick { usual / 10 } else { usual }
    }
}

/// Runs it.
pub(super) fn run(options: &Options) -> Result<()> {
    let binary = options.common.binary()?;
    kafka::install()?;
    let mut report = Report::start("pipeline", &options.common);
    let (view, loops): (Vec<Part>, Vec<Part>) =
        options.parts().into_iter().partition(|part| *part == Part::View);
    if !loops.is_empty() {
        measure(&binary, &built()?, options, &loops, &mut report)?;
    }
    if !view.is_empty() {
        for rate in &options.view_rate {
            view::measure(&binary, *rate, options.common.quick, &mut report)?;
        }
    }
    report.finish()
}

fn measured_broker() -> Result<Kafka> {
    let broker = Broker {
        measured: true,
        ..Broker::default()
    };
    Ok(Kafka::start(&kafka::jars(), &broker)?)
}

fn measure(
    binary: &Path,
    folder: &Path,
    options: &Options,
    parts: &[Part],
    report: &mut Report,
) -> Result<()> {
    let broker = measured_broker()?;
    let node = Node::start(binary, &Setup::default())?;
    let what = json!({
        "parts": parts.iter().map(|part| part.name()).collect::<Vec<_>>(),
        "languages": LANGUAGES, "rounds": options.common.rounds(), "seconds": options.common.seconds() * 3, "rate": RATE,
        "count": options.of_quick(options.records), "lag": options.of_quick(options.lag),
        "long": options.of_quick(options.long),
    });
    let mut driver = command("python3")
        .arg(root().join("bench/pipeline/drive.py"))
        .args([&node.server.url(""), &broker.bootstrap()])
        .arg(folder)
        .args([node.server.pid().to_string(), what.to_string()])
        .stdout(Stdio::piped())
        .spawn()?;
    let figures = driver.stdout.take().context("no output")?;
    for line in BufReader::new(figures).lines() {
        show(&serde_json::from_str(&line?)?, report)?;
    }
    ensure!(driver.wait()?.success(), "drive.py failed");
    Ok(())
}

/// Programs and libraries, in one folder.
fn built() -> Result<PathBuf> {
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
    build(&["bench-pipeline"])?;
    for name in ["handler", "consumer"] {
        std::fs::copy(program(name), folder.join(format!("rust-{name}")))?;
    }
    Ok(folder)
}

/// Builds packages as those do who measure.
fn build(packages: &[&str]) -> Result<()> {
    let mut build = command("cargo");
    build.args(["build", "--locked", "--release"]);
    for package in packages {
        build.args(["--package", package]);
    }
    run_command(&mut build)
}

/// Where a built program is.
fn program(name: &str) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| root().join("target"), PathBuf::from);
    target.join("release").join(name)
}

fn number(figures: &Value, name: &str) -> Result<f64> {
    figures[name]
        .as_f64()
        .with_context(|| format!("{name} is missing: {figures}"))
}

fn show(figure: &Value, report: &mut Report) -> Result<()> {
    report.figures(figure.clone());
    let language = figure["language"].as_str().unwrap_or_default();
    match figure["part"].as_str().unwrap_or_default() {
        "rates" => show_rate(language, figure, report),
        "latency" => show_latency(language, figure, report),
        "recovery" => {
            println!(
                "  a lag of {} records, with {RATE} more a second, is gone after {:.1} s: {:.0} records/s ({language})",
                figure["lag"],
                number(figure, "seconds")?,
                number(figure, "per_second")?,
            );
            Ok(())
        }
        "memory" => show_memory(figure, report),
        other => anyhow::bail!("drive.py tells of {other}"),
    }
}

fn show_rate(language: &str, rate: &Value, report: &mut Report) -> Result<()> {
    let (ours, plain) = (number(rate, "ours")?, number(rate, "plain")?);
    let batch = rate["batch"].as_u64().unwrap_or_default();
    println!(
        "  {language:<8} batches of {batch:<5} {ours:>10.0} records/s, a plain loop {plain:>10.0}; µs of CPU a record: \
         node {:.1} and function {:.1}, the loop {:.1}",
        number(rate, "node_cpu_us")?,
        number(rate, "function_cpu_us")?,
        number(rate, "plain_cpu_us")?,
    );
    if batch >= 100 {
        let what = format!("Kafka → function × plain loop, {language}, batches of {batch}");
        report.goal("K1", &what, ours / plain, Goal::AtLeast(SHARE));
    }
    Ok(())
}

fn show_latency(language: &str, latency: &Value, report: &mut Report) -> Result<()> {
    let what = |share: &str| format!("record → handler at {RATE}/s, window 0, {language}, {share} in ms");
    report.goal("K2", &what("p50"), number(latency, "p50_ms")?, Goal::AtMost(50.0));
    report.figure(&what("p99"), number(latency, "p99_ms")?, "ms");
    Ok(())
}

fn show_memory(memory: &Value, report: &mut Report) -> Result<()> {
    println!(
        "  {} records at {:.0}/s; MiB of the node on the way:",
        memory["records"],
        number(memory, "per_second")?
    );
    let samples = memory["samples"].as_array().context("no samples")?;
    let shown: Vec<String> = samples
        .iter()
        .filter_map(|sample| Some(format!("{:.0}", sample[1].as_f64()? / 1024.0)))
        .collect();
    println!("    {}", shown.join(" "));
    let what = "growth of the node's memory over a million records";
    report.figure(what, number(memory, "kib_a_million")?, "KiB");
    let what = "memory after all records × after a fifth of them";
    report.goal("K4", what, number(memory, "growth")?, Goal::AtMost(GROWTH));
    Ok(())
}
