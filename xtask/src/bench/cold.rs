//! Cold: a node on an empty data folder, its memory, and the first answer of a new function.

use anyhow::Result;

use super::report::Report;
use super::{Options, median};
use crate::command::root;
use crate::node::{Function, Node, Setup};
use crate::process;

/// Goals whose feature does not run yet.
const PENDING: [(&str, &str, &str); 5] = [
    (
        "C1",
        "cold from nothing over the runtime's own floor",
        "needs the jail",
    ),
    ("C2", "cold from a stem ÷ plain", "needs stems"),
    (
        "C3",
        "Node with the AWS SDK and a code cache ÷ plain",
        "needs stems and code caches",
    ),
    (
        "C4",
        "Python with boto3, compiled and forked ÷ plain",
        "needs compiled packages and forks",
    ),
    (
        "C5",
        "Java with libraries and a class-data archive ÷ plain",
        "needs Java",
    ),
];

#[derive(Default)]
struct Samples {
    ready_ms: Vec<f64>,
    idle_mb: Vec<f64>,
    node_ms: Vec<f64>,
    python_ms: Vec<f64>,
    cpu_ms: Vec<f64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = options.binary()?;
    let mut report = Report::start("cold", options);
    let mut samples = Samples::default();
    for _round in 0..options.rounds() {
        let node = Node::start(&binary, &Setup::default())?;
        samples.ready_ms.push(node.server.ready.as_secs_f64() * 1000.0);
        samples.idle_mb.push(node.server.resident_mb()?);
        samples.node_ms.push(first(&node, "nodejs20.x", "handler.js")?);
        samples.python_ms.push(first(&node, "python3.11", "handler.py")?);
        let cpu = process::cpu_of_tree(node.server.pid());
        samples.cpu_ms.push(cpu.as_secs_f64() * 1000.0);
    }
    report.figure(
        "tradewind serve, empty folder → first answer",
        median(&samples.ready_ms),
        "ms",
    );
    report.figure("tradewind, idle, resident", median(&samples.idle_mb), "MB");
    report.figure("first answer of a Node function", median(&samples.node_ms), "ms");
    report.figure(
        "first answer of a Python function",
        median(&samples.python_ms),
        "ms",
    );
    report.figure(
        "CPU of all that, node and instances",
        median(&samples.cpu_ms),
        "ms",
    );
    for (id, what, why) in PENDING {
        report.pending(id, what, why);
    }
    report.finish()
}

fn first(node: &Node, runtime: &'static str, file: &str) -> Result<f64> {
    let content = std::fs::read_to_string(root().join("bench/hello").join(file))?;
    node.create(
        runtime.split('.').next().unwrap_or(runtime),
        &Function::of_file(runtime, file, &content)?,
    )?;
    let (took, _answer) = node.invoke(runtime.split('.').next().unwrap_or(runtime), "{}")?;
    Ok(took.as_secs_f64() * 1000.0)
}
