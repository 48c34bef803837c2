//! Burst: 200 requests at once that nothing is warm for, and a neighbour meanwhile (goal B1).

use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use serde_json::json;

use super::report::{Goal, Report};
use super::{Options, median, quantile};
use crate::neighbour::Neighbour;
use crate::node::{Function, Node, Setup, create, invocations};
use crate::process;

const REQUESTS: usize = 200;
const QUICK_REQUESTS: usize = 20;
const QUIET: Duration = Duration::from_secs(4);
/// Work that starts leave behind is counted too.
const SETTLE: Duration = Duration::from_secs(1);

/// What arrives at once.
struct Case {
    name: &'static str,
    /// One function for each request, instead of one for all.
    functions: bool,
    handler: &'static str,
    /// How long the handler itself takes, which is no part of a start.
    hold: Duration,
}

const CASES: [Case; 3] = [
    Case {
        name: "one function",
        functions: false,
        handler: "exports.handler = async () => 'ok';",
        hold: Duration::ZERO,
    },
    // long enough that nobody gets an instance that another has left
    Case {
        name: "one function that waits 10 s",
        functions: false,
        handler: "exports.handler = () => new Promise((done) => setTimeout(done, 10_000, 'ok'));",
        hold: Duration::from_secs(10),
    },
    Case {
        name: "as many functions",
        functions: true,
        handler: "exports.handler = async () => 'ok';",
        hold: Duration::ZERO,
    },
];

#[derive(Default)]
struct Samples {
    answered_ms: Vec<f64>,
    failed: usize,
    cpu_s: Vec<f64>,
    instances: Vec<f64>,
    all_ms: Vec<f64>,
    quiet_ms: Vec<f64>,
    neighbour_ms: Vec<f64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = options.binary()?;
    let mut report = Report::start("burst", options);
    let requests = if options.quick { QUICK_REQUESTS } else { REQUESTS };
    let mut all = CASES.each_ref().map(|_| Samples::default());
    for round in 1..=options.rounds() {
        println!("round {round} of {}", options.rounds());
        for (case, samples) in CASES.iter().zip(&mut all) {
            let node = Node::start(&binary, &Setup::default())?;
            measure(&node, case, requests, samples)?;
        }
    }
    for (case, samples) in CASES.iter().zip(&all) {
        show(case, requests, samples, &mut report);
    }
    report.finish()
}

fn measure(node: &Node, case: &Case, requests: usize, samples: &mut Samples) -> Result<()> {
    let function = Function::of_file("nodejs20.x", "handler.js", case.handler)?;
    let count = if case.functions { requests } else { 1 };
    let mut client = node.server.client()?;
    for number in 0..count {
        create(&mut client, &format!("burst-{number}"), &function)?;
    }
    Neighbour::settle(node)?;
    let cpu = || process::cpu_of_tree(node.server.pid()).as_secs_f64();
    let (before, since) = (cpu(), Instant::now());
    samples.quiet_ms.extend(Neighbour::calls_for(node, QUIET)?);
    let of_neighbour = (cpu() - before) / since.elapsed().as_secs_f64();
    let (before, since) = (cpu(), Instant::now());
    let watch = Neighbour::watch(node)?;
    let begun = Instant::now();
    let mut answered = Vec::new();
    for answer in at_once(node, requests, count)? {
        match answer {
            Some(took) => answered.push(took.saturating_sub(case.hold)),
            None => samples.failed += 1,
        }
    }
    // once all have started nothing goes on that could disturb
    let last = answered.iter().max().copied().unwrap_or_default();
    let calls = watch.stop()?.into_iter();
    let meanwhile = calls.filter(|call| call.begun < begun + last);
    samples.neighbour_ms.extend(meanwhile.map(|call| call.took_ms));
    samples.all_ms.push(milliseconds(last));
    samples.answered_ms.extend(answered.into_iter().map(milliseconds));
    #[expect(clippy::cast_precision_loss, reason = "a count of processes")]
    let instances = node.instances("node").len().saturating_sub(1) as f64;
    samples.instances.push(instances);
    std::thread::sleep(SETTLE);
    let of_all = cpu() - before;
    samples
        .cpu_s
        .push(of_all - of_neighbour * since.elapsed().as_secs_f64());
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Sends all requests at the same moment, each over a connection of its own: how long each took, or
/// nothing where it failed.
fn at_once(node: &Node, requests: usize, functions: usize) -> Result<Vec<Option<Duration>>> {
    let start = Arc::new(Barrier::new(requests));
    let mut callers = Vec::with_capacity(requests);
    for number in 0..requests {
        let mut client = node.server.client()?;
        let start = start.clone();
        let path = invocations(&format!("burst-{}", number % functions));
        callers.push(std::thread::spawn(move || {
            start.wait();
            let begun = Instant::now();
            let answer = client.send("POST", &path, b"{}").ok()?;
            let good = answer.status == 200 && answer.header("x-amz-function-error").is_none();
            good.then(|| begun.elapsed())
        }));
    }
    let answers = callers.into_iter().map(|caller| caller.join());
    answers
        .collect::<Result<_, _>>()
        .map_err(|_panic| anyhow!("a caller panicked"))
}

fn show(case: &Case, requests: usize, samples: &Samples, report: &mut Report) {
    let (p50, p99) = (median(&samples.answered_ms), quantile(&samples.answered_ms, 0.99));
    let (quiet, busy) = (
        quantile(&samples.quiet_ms, 0.99),
        quantile(&samples.neighbour_ms, 0.99),
    );
    let (cpu, instances) = (median(&samples.cpu_s), median(&samples.instances));
    println!(
        "{requests} requests at once to {}: p50 {p50:.0} ms, p99 {p99:.0} ms, all after {:.0} ms; {instances:.0} \
         instances, {cpu:.1} s CPU, {} failed; neighbour's p50 {:.2} → {:.2} ms, p99 {quiet:.2} → {busy:.2} ms",
        case.name,
        median(&samples.all_ms),
        samples.failed,
        median(&samples.quiet_ms),
        median(&samples.neighbour_ms),
    );
    report.figures(json!({
        "case": case.name, "requests": requests, "p50Ms": p50, "p99Ms": p99, "allMs": median(&samples.all_ms),
        "instances": instances, "cpuSeconds": cpu, "failed": samples.failed,
        "neighbourQuietP99Ms": quiet, "neighbourP99Ms": busy,
    }));
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    report.goal(
        "B1",
        &format!("{}: requests that failed", case.name),
        samples.failed as f64,
        Goal::AtMost(0.0),
    );
    let what = format!("{}: the neighbour's p99 × quiet", case.name);
    report.goal("B1", &what, busy / quiet, Goal::AtMost(2.0));
}
