//! Node's own server with the same handler, and peers that run the same project: serverless-offline and
//! MiniStack (goal P1).
//!
//! What fails at a peer is counted and shown; a request that fails here ends the measurement.

use anyhow::{Result, ensure};
use serde_json::json;

use super::peers;
use super::report::{Goal, Report};
use super::wrk::{self, Load};
use super::{Options, median};
use crate::command::root;
use crate::node::{Node, Setup};
use crate::process;

const CONNECTIONS: [u32; 3] = [1, 16, 64];

struct Subject {
    name: &'static str,
    url: String,
    pid: u32,
    ready_ms: f64,
    loads: Vec<Vec<Load>>,
    /// Of all its processes, after the load.
    memory_mb: f64,
}

impl Subject {
    fn new(name: &'static str, url: String, server: &crate::server::Server) -> Self {
        Self {
            name,
            url,
            pid: server.pid(),
            ready_ms: server.ready.as_secs_f64() * 1000.0,
            loads: CONNECTIONS.iter().map(|_| Vec::new()).collect(),
            memory_mb: f64::NAN,
        }
    }

    fn measure(&mut self, seconds: u32) -> Result<()> {
        wrk::load(&self.url, 16, 1)?;
        for (loads, connections) in self.loads.iter_mut().zip(CONNECTIONS) {
            loads.push(wrk::load(&self.url, connections, seconds)?);
        }
        let below = process::below(self.pid).into_keys();
        let all = std::iter::once(self.pid).chain(below);
        self.memory_mb = all.filter_map(|pid| process::proportional_mb(pid).ok()).sum();
        Ok(())
    }

    fn middle(&self, at: usize, figure: fn(&Load) -> f64) -> f64 {
        median(&self.loads[at].iter().map(figure).collect::<Vec<_>>())
    }

    fn failed(&self, at: usize) -> u64 {
        self.loads[at].iter().map(|load| load.failed).sum()
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    peers::tools()?;
    let binary = options.binary()?;
    let mut report = Report::start("http", options);
    let node = Node::start(&binary, &Setup::default())?;
    let url = node.route(&root().join("bench/hello"), "/hello")?;
    let raw = peers::raw_node(&[])?;
    let offline = peers::serverless_offline()?;
    let (ministack, ministack_url) = peers::ministack()?;
    let mut subjects = [
        Subject::new("tradewind", url, &node.server),
        Subject::new("raw node http", raw.url("/"), &raw),
        Subject::new("serverless-offline", offline.url("/hello"), &offline),
        Subject::new("MiniStack", ministack_url, &ministack),
    ];
    for round in 1..=options.rounds() {
        println!("round {round} of {}", options.rounds());
        for subject in &mut subjects {
            subject.measure(options.seconds())?;
        }
    }
    for subject in &subjects {
        show(subject, &mut report);
    }
    let [us, raw, offline, ministack] = &subjects;
    for at in 0..CONNECTIONS.len() {
        ensure!(us.failed(at) == 0, "{} requests failed", us.failed(at));
    }
    let rate = |subject: &Subject, at| subject.middle(at, |load| load.requests_per_second);
    let p99 = |subject: &Subject, at| subject.middle(at, |load| load.p99_ms);
    let times = rate(us, 1) / rate(raw, 1);
    report.goal("P1", "16 connections × raw node http", times, Goal::AtLeast(0.5));
    let times = rate(us, 1) / rate(offline, 1);
    report.goal(
        "P1",
        "16 connections × serverless-offline",
        times,
        Goal::AtLeast(10.0),
    );
    let times = p99(us, 1) / p99(offline, 1);
    report.goal(
        "P1",
        "p99 at 16 connections × serverless-offline",
        times,
        Goal::AtMost(0.1),
    );
    let times = rate(us, 2) / rate(ministack, 2);
    report.goal("P1", "64 connections × MiniStack", times, Goal::AtLeast(50.0));
    report.finish()
}

fn show(subject: &Subject, report: &mut Report) {
    println!(
        "{}: ready in {:.0} ms, {:.0} MB after the load",
        subject.name, subject.ready_ms, subject.memory_mb
    );
    for (at, connections) in CONNECTIONS.into_iter().enumerate() {
        let rate = subject.middle(at, |load| load.requests_per_second);
        let (p50, p99) = (
            subject.middle(at, |load| load.p50_ms),
            subject.middle(at, |load| load.p99_ms),
        );
        let failed = subject.failed(at);
        println!(
            "  {connections:>3} connections {rate:>9.0}/s  p50 {p50:>8.2} ms  p99 {p99:>8.2} ms  failed {failed}"
        );
        report.figures(json!({
            "subject": subject.name, "connections": connections, "requestsPerSecond": rate, "p50Ms": p50,
            "p99Ms": p99, "failed": failed, "readyMs": subject.ready_ms, "memoryMb": subject.memory_mb,
        }));
    }
}
