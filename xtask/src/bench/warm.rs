//! Warm: what lies between a client and a handler that does nothing (goals W1 to W5).
//!
//! All subjects run at the same time and are measured in turn, so that what else the machine does
//! meets all of them. W5 measures a second set that is bound to one core, wrk included.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use serde_json::json;

use super::peers::{self, BareHost};
use super::report::{Goal, Report};
use super::wrk::{self, Load};
use super::{Options, median};
use crate::command::{cache, command, root, run as run_command};
use crate::fixtures;
use crate::node::{Node, Setup};
use crate::process;
use crate::server::Server;

const CONNECTIONS: [u32; 3] = [1, 16, 64];
const ONE_CORE: [&str; 3] = ["taskset", "-c", "0"];
/// The official clients: fixture, handler, and what runs it.
const OFFICIAL: [(&str, &str, &str); 3] = [
    ("node-ric", "index.handler", "node"),
    ("python-ric", "app.handler", "python"),
    ("rust", "any", "bootstrap"),
];
/// Instances of the goal of custom runtimes.
const CUSTOM_INSTANCES: usize = 4;

/// Who is measured.
struct Subject {
    name: String,
    url: String,
    /// The process in front of the instances, whose time on the processors is counted.
    host: u32,
    ours: bool,
    loads: Vec<Vec<Measured>>,
}

struct Measured {
    load: Load,
    host_cpu_us: f64,
}

impl Subject {
    fn new(name: impl Into<String>, url: String, host: u32, ours: bool) -> Self {
        Self {
            name: name.into(),
            url,
            host,
            ours,
            loads: CONNECTIONS.iter().map(|_| Vec::new()).collect(),
        }
    }

    fn of(name: impl Into<String>, server: &Server) -> Self {
        Self::new(name, server.url("/"), server.pid(), false)
    }

    fn measure(&mut self, seconds: u32) -> Result<()> {
        wrk::load(&self.url, 16, 1)?;
        for (loads, connections) in self.loads.iter_mut().zip(CONNECTIONS) {
            let before = process::cpu(self.host)?;
            let load = wrk::load(&self.url, connections, seconds)?;
            let cpu = process::cpu(self.host)? - before;
            let failed = load.failed;
            ensure!(
                !self.ours || failed == 0,
                "{}: {failed} requests failed",
                self.name
            );
            let host_cpu_us = cpu.as_secs_f64() * 1e6 / load.requests;
            loads.push(Measured { load, host_cpu_us });
        }
        Ok(())
    }

    fn middle(&self, connections: u32, figure: fn(&Measured) -> f64) -> f64 {
        let at = CONNECTIONS.iter().position(|own| *own == connections);
        let loads = at.and_then(|at| self.loads.get(at));
        median(&loads.into_iter().flatten().map(figure).collect::<Vec<_>>())
    }

    fn rate(&self, connections: u32) -> f64 {
        self.middle(connections, |one| one.load.requests_per_second)
    }

    fn p50_us(&self, connections: u32) -> f64 {
        self.middle(connections, |one| one.load.p50_ms * 1000.0)
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    peers::tools()?;
    let binary = options.binary()?;
    peers::build_bare_host()?;
    let mut report = Report::start("warm", options);
    let node = Node::start(&binary, &Setup::default())?;
    let mut stage = Stage::set(node, options)?;
    for round in 1..=options.rounds() {
        println!("round {round} of {}", options.rounds());
        for subject in &mut stage.subjects {
            subject.measure(options.seconds())?;
        }
    }
    for subject in &stage.subjects {
        show(subject, &stage, &mut report);
    }
    goals(&stage, &mut report);
    let stage = stage.close();
    drop(stage);
    on_one_core(&binary, options, &mut report)?;
    report.finish()
}

/// Everything that runs, and the subjects in it.
struct Stage {
    subjects: Vec<Subject>,
    node: Node,
    servers: Vec<Server>,
    node_instances: usize,
}

impl Stage {
    fn set(node: Node, options: &Options) -> Result<Self> {
        let mut stage = Self {
            subjects: Vec::new(),
            node,
            servers: Vec::new(),
            node_instances: 0,
        };
        stage.ours("tradewind, Node", &root().join("bench/hello"), "/hello")?;
        stage.node_instances = stage.started(options)?.max(2);
        stage.ours("tradewind, Python", &root().join("bench/hello"), "/hello-python")?;
        stage.peer("raw node http", peers::raw_node(&[])?);
        let host = BareHost::of_node(stage.node_instances);
        let name = format!("bare host, {} × Node", stage.node_instances);
        stage.peer(&name, host.start(&[])?);
        let name = format!("bare host on pipes, {} × Node", stage.node_instances);
        stage.peer(&name, host.on_pipes().start(&[])?);
        stage.peer("uvicorn", peers::uvicorn()?);
        stage.custom("lean client", &root().join("bench/lean"), "/lean", "any")?;
        for (fixture, handler, _program) in OFFICIAL {
            let project = official_project(fixture, handler)?;
            stage.custom(fixture, &project, &format!("/{fixture}"), handler)?;
        }
        Ok(stage)
    }

    fn ours(&mut self, name: &str, project: &Path, route: &str) -> Result<()> {
        let url = self.node.route(project, route)?;
        let subject = Subject::new(name, url, self.node.server.pid(), true);
        self.subjects.push(subject);
        Ok(())
    }

    fn peer(&mut self, name: &str, server: Server) {
        self.subjects.push(Subject::of(name, &server));
        self.servers.push(server);
    }

    /// A custom runtime here and behind the bare host.
    fn custom(&mut self, name: &str, project: &Path, route: &str, handler: &'static str) -> Result<()> {
        self.ours(&format!("tradewind, {name}"), project, route)?;
        let host = BareHost::of_package(CUSTOM_INSTANCES, project, handler);
        self.peer(&format!("bare host, {name}"), host.start(&[])?);
        Ok(())
    }

    /// Loads the last subject and counts the instances that this started.
    fn started(&self, options: &Options) -> Result<usize> {
        let Some(subject) = self.subjects.last() else {
            return Ok(0);
        };
        wrk::load(&subject.url, 16, options.seconds())?;
        Ok(self.node.instances("node").len())
    }

    fn find(&self, name: &str) -> Option<&Subject> {
        self.subjects
            .iter()
            .find(|subject| subject.name.starts_with(name))
    }

    fn rate(&self, name: &str, connections: u32) -> f64 {
        self.find(name)
            .map_or(f64::NAN, |subject| subject.rate(connections))
    }

    fn close(self) -> Node {
        drop(self.servers);
        self.node
    }
}

/// A project of one function on an official client: its fixture and a `serverless.yml`.
fn official_project(fixture: &str, handler: &str) -> Result<PathBuf> {
    match fixture {
        "node-ric" => fixtures::node_ric()?,
        "python-ric" => fixtures::python_ric()?,
        _ => rust_function()?,
    }
    let project = cache().join("bench").join(fixture);
    std::fs::create_dir_all(&project)?;
    run_command(
        command("cp")
            .args(["-R", "-T"])
            .arg(fixtures::package(fixture))
            .arg(&project),
    )?;
    let yaml = format!(
        "service: {fixture}\nprovider:\n  name: aws\n  runtime: provided.al2023\nfunctions:\n  \
         official:\n    handler: {handler}\n    events:\n      - httpApi: GET /{fixture}\n"
    );
    std::fs::write(project.join("serverless.yml"), yaml)?;
    Ok(project)
}

/// The fixture as its users would build it.
fn rust_function() -> Result<()> {
    run_command(command("cargo").args(["build", "--release", "--locked", "--package", "rust-function"]))?;
    let package = fixtures::package("rust");
    std::fs::create_dir_all(&package)?;
    std::fs::copy(
        root().join("target/release/rust-function"),
        package.join("bootstrap"),
    )?;
    Ok(())
}

fn show(subject: &Subject, stage: &Stage, report: &mut Report) {
    println!("{}", subject.name);
    for connections in CONNECTIONS {
        let rate = subject.rate(connections);
        let p99 = subject.middle(connections, |one| one.load.p99_ms * 1000.0);
        let cpu = subject.middle(connections, |one| one.host_cpu_us);
        let times = rate / stage.rate("raw node http", connections);
        println!(
            "  {connections:>3} connections {rate:>9.0}/s  p50 {:>6.0} µs  p99 {p99:>8.0} µs  host {cpu:>5.1} µs CPU  × raw node {times:.2}",
            subject.p50_us(connections)
        );
        report.figures(json!({
            "subject": subject.name, "connections": connections, "requestsPerSecond": rate,
            "p50Us": subject.p50_us(connections), "p99Us": p99, "hostCpuUs": cpu, "timesRawNode": times,
        }));
    }
}

fn goals(stage: &Stage, report: &mut Report) {
    let ratio =
        |us: &str, peer: &str, connections| stage.rate(us, connections) / stage.rate(peer, connections);
    let instances = stage.node_instances;
    let times = ratio("tradewind, Node", "raw node http", 16);
    let what = format!("Node, 16 connections, {instances} instances × raw node http");
    report.goal("W1", &what, times, Goal::AtLeast(0.85));
    let times = ratio("tradewind, Node", "bare host, ", 16);
    report.goal(
        "W2",
        "Node, 16 connections × the bare host",
        times,
        Goal::AtLeast(0.8),
    );
    let times = ratio("tradewind, Node", "bare host on pipes", 16);
    report.figure("Node, 16 connections × the bare host on pipes", times, "");
    let times = ratio("tradewind, Python", "uvicorn", 16);
    report.goal(
        "W3",
        "Python, 16 connections × uvicorn",
        times,
        Goal::AtLeast(1.0),
    );
    let times = ratio("tradewind, lean client", "raw node http", 16);
    report.goal(
        "W4",
        "Runtime API, lean client × raw node http",
        times,
        Goal::AtLeast(0.3),
    );
    for (fixture, _handler, _program) in OFFICIAL {
        let times = ratio(
            &format!("tradewind, {fixture}"),
            &format!("bare host, {fixture}"),
            16,
        );
        let what = format!("Runtime API, {fixture} × the bare host with the same client");
        report.goal("W4", &what, times, Goal::AtLeast(0.9));
    }
    let p50 = |name: &str| stage.find(name).map_or(f64::NAN, |subject| subject.p50_us(1));
    let overhead = p50("tradewind, Node") - p50("raw node http");
    report.goal(
        "W5",
        "p50 over raw node, one connection, unpinned, µs",
        overhead,
        Goal::AtMost(60.0),
    );
    let cpu = stage.find("tradewind, Node");
    let cpu = cpu.map_or(f64::NAN, |subject| subject.middle(16, |one| one.host_cpu_us));
    report.goal(
        "W5",
        "CPU of the node per invocation, 16 connections, µs",
        cpu,
        Goal::AtMost(25.0),
    );
}

/// One connection, with wrk, server and function on one core.
fn on_one_core(binary: &Path, options: &Options, report: &mut Report) -> Result<()> {
    let setup = Setup {
        wrapper: ONE_CORE.map(str::to_owned).into(),
        ..Setup::default()
    };
    let node = Node::start(binary, &setup)?;
    let url = node.route(&root().join("bench/hello"), "/hello")?;
    let raw = peers::raw_node(&ONE_CORE)?;
    let bare = BareHost::of_node(1).start(&ONE_CORE)?;
    let subjects = [
        ("tradewind", url),
        ("raw node", raw.url("/")),
        ("bare host", bare.url("/")),
    ];
    let mut p50 = [Vec::new(), Vec::new(), Vec::new()];
    for _round in 0..options.rounds() {
        for ((_name, url), p50) in subjects.iter().zip(&mut p50) {
            wrk::load_on_core(0, url, 1, 1)?;
            p50.push(wrk::load_on_core(0, url, 1, options.seconds())?.p50_ms * 1000.0);
        }
    }
    let [ours, raw, bare] = p50.map(|p50| median(&p50));
    for ((name, _url), p50) in subjects.iter().zip([ours, raw, bare]) {
        report.figure(
            &format!("p50 of one connection, all on one core: {name}"),
            p50,
            "µs",
        );
    }
    report.goal(
        "W5",
        "p50 over raw node, one connection, one core, µs",
        ours - raw,
        Goal::AtMost(30.0),
    );
    Ok(())
}
