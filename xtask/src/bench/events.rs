//! Events: how many a second one core matches with rules, from 1 to 10,000 of them; what their ways through a
//! node take; how many messages of a queue a function handles, and how many asynchronous invocations a second are
//! accepted, ours on disk against MiniStack's in memory.

use std::process::Stdio;

use anyhow::{Context, Result};
use serde_json::Value;

use super::report::{Goal, Report};
use super::{Options, peers, wrk};
use crate::command::{command, root, run as run_command};
use crate::node::{Function, Node, Setup, create, invocations};
use crate::server::Server;

/// Rules that the goals speak of.
const FEW: u64 = 1000;
const MANY: u64 = 10_000;

/// Events a second that AWS publishes for event-ruler, from JSON text of about 900 bytes, with five rules of
/// the kind, on a MacBook of 2019: <https://github.com/aws/event-ruler#performance>. Another machine, so they
/// say the order of magnitude and no more.
const EVENT_RULER: [(&str, &str); 7] = [
    ("exact", "over 220,000"),
    ("prefix", "over 220,000"),
    ("suffix", "over 220,000"),
    ("equals-ignore-case", "over 200,000"),
    ("wildcard", "over 170,000"),
    ("numeric", "over 120,000"),
    ("anything-but", "over 150,000"),
];

/// Runs it.
pub(super) fn run(options: &Options) -> Result<()> {
    let build = ["build", "--release", "--locked", "--package", "bench-events"];
    run_command(command("cargo").args(build))?;
    let mut report = Report::start("events", options);
    let seconds = if options.quick {
        "0.1".to_owned()
    } else {
        options.seconds().to_string()
    };
    let mut measure = command(root().join("target/release/bench-events"));
    let output = measure.args(["--seconds", &seconds]).output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout)?;
    let figures: Vec<Value> = lines
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    println!("events a second on one core, of processor time; event-ruler's published figures beside them");
    for figure in &figures {
        show(figure, &mut report);
    }
    let bytes = |rules| of(&figures, rules, "fromBytes");
    let values = |rules| of(&figures, rules, "fromValues");
    let per_second = Goal::AtLeast(500_000.0);
    report.goal(
        "E1",
        "events/s with 1,000 mixed rules, parsed before",
        values(FEW)?,
        per_second,
    );
    report.goal(
        "E1",
        "events/s with 1,000 mixed rules, from JSON text",
        bytes(FEW)?,
        per_second,
    );
    let slower = Goal::AtMost(2.0);
    report.goal(
        "E2",
        "10,000 rules × slower than 1,000, parsed before",
        values(FEW)? / values(MANY)?,
        slower,
    );
    report.goal(
        "E2",
        "10,000 rules × slower than 1,000, from JSON text",
        bytes(FEW)? / bytes(MANY)?,
        slower,
    );
    ways(options, &mut report)?;
    batches(options, &mut report)?;
    asynchronous(options, &mut report)?;
    report.finish()
}

/// From a source to a handler, to many queues, and from a queue to a function (`bench/events/paths.py`).
fn ways(options: &Options, report: &mut Report) -> Result<()> {
    const WAYS: [&str; 4] = ["objectToHandler", "publishToHandler", "fanOut", "queueToFunction"];
    let node = Node::start(&options.binary()?, &Setup::default())?;
    let figures = paths(options, &node.server, &WAYS)?;
    println!("{figures:#}");
    report.figures(figures.clone());
    for (way, what) in [
        ("objectToHandler", "object put to handler"),
        ("publishToHandler", "publish to handler"),
    ] {
        let figure = |name: &str| figures[way][name].as_f64().context("a measurement is missing");
        report.goal(
            "E3",
            &format!("{what}, p50 in ms"),
            figure("p50_ms")?,
            Goal::AtMost(3.0),
        );
        report.goal(
            "E3",
            &format!("{what}, p99 in ms"),
            figure("p99_ms")?,
            Goal::AtMost(15.0),
        );
    }
    Ok(())
}

/// `bench/events/paths.py`.
fn paths(options: &Options, server: &Server, ways: &[&str]) -> Result<Value> {
    let mut script = command(peers::python_with_boto3()?);
    let script = script.args(["bench/events/paths.py", &server.url("")]);
    let script = script.arg(options.seconds().to_string()).args(ways);
    let output = script.stderr(Stdio::inherit()).output()?;
    serde_json::from_slice(&output.stdout).context("paths.py failed")
}

/// Messages of a queue to a function, ten at a time: ours on disk, MiniStack's in memory.
fn batches(options: &Options, report: &mut Report) -> Result<()> {
    const WAY: &str = "shortQueueToFunction";
    let node = Node::start(&options.binary()?, &Setup::default())?;
    let ministack = peers::bare_ministack()?;
    let rate = |server: &Server| -> Result<f64> {
        let figures = paths(options, server, &[WAY])?;
        let rate = figures[WAY]["messages_per_second"].as_f64();
        rate.context("a measurement is missing")
    };
    let (ours, theirs) = (rate(&node.server)?, rate(&ministack)?);
    report.figure("queue to function, tradewind", ours, "messages/s");
    report.figure("queue to function, MiniStack", theirs, "messages/s");
    report.figure("queue to function × MiniStack", ours / theirs, "×");
    Ok(())
}

/// `Invoke` with `Event`, 16 connections, a handler that does nothing.
fn asynchronous(options: &Options, report: &mut Report) -> Result<()> {
    const NAME: &str = "nothing";
    let node = Node::start(&options.binary()?, &Setup::default())?;
    let ministack = peers::bare_ministack()?;
    let function = Function::of_file("nodejs20.x", "handler.js", "exports.handler = async () => {};")?;
    node.create(NAME, &function)?;
    create(&mut ministack.client()?, NAME, &function)?;
    let rate = |server: &Server| -> Result<f64> {
        let url = server.url(&invocations(NAME));
        Ok(wrk::post(&url, "bench/events/invoke.lua", 16, options.seconds())?.requests_per_second)
    };
    let (ours, theirs) = (rate(&node.server)?, rate(&ministack)?);
    report.figure("asynchronous invocations accepted, tradewind", ours, "requests/s");
    report.figure(
        "asynchronous invocations accepted, MiniStack",
        theirs,
        "requests/s",
    );
    report.goal(
        "E4",
        "asynchronous invocations accepted × MiniStack",
        ours / theirs,
        Goal::AtLeast(10.0),
    );
    Ok(())
}

fn show(figure: &Value, report: &mut Report) {
    let kind = figure["kind"].as_str().unwrap_or_default();
    let published = EVENT_RULER.iter().find(|(name, _)| *name == kind);
    let published = published.map_or("", |(_, published)| published);
    println!(
        "  {kind:<20}{:>7} rules{:>14} from text of {} bytes{:>14} parsed before   event-ruler, 5 rules: {published}",
        figure["rules"], figure["fromBytes"], figure["eventBytes"], figure["fromValues"],
    );
    report.figures(figure.clone());
}

/// A figure of the mixed rules.
fn of(figures: &[Value], rules: u64, name: &str) -> Result<f64> {
    let found = figures
        .iter()
        .find(|figure| figure["kind"] == "mixed" && figure["rules"] == rules);
    found
        .and_then(|figure| figure[name].as_f64())
        .context("a measurement is missing")
}
