//! Memory: what an idle instance costs over its runtime, and what a registered function costs (goal M1).

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use super::peers::BareHost;
use super::report::{Goal, Report};
use super::{Options, median, peers};
use crate::node::{Function, Node, Setup, create, invocations};
use crate::process;

const INSTANCES: usize = 8;
const REGISTERED: usize = 10_000;
const QUICK_REGISTERED: usize = 200;
/// Connections that register functions: their writes share fsyncs.
const REGISTRARS: usize = 16;
const SETTLE: Duration = Duration::from_secs(3);

/// Interpreter, runtime, file, and a handler that holds its instance for a while.
const LANGUAGES: [(&str, &str, &str, &str); 2] = [
    (
        "node",
        "nodejs20.x",
        "handler.js",
        "exports.handler = (event) => new Promise((done) => setTimeout(done, 1500, { statusCode: 200, body: 'ok' }));",
    ),
    (
        "python",
        "python3.11",
        "handler.py",
        "import time\n\ndef handler(event, context):\n    time.sleep(1.5)\n    return {'statusCode': 200, 'body': 'ok'}\n",
    ),
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let binary = options.binary()?;
    peers::build_bare_host()?;
    let mut report = Report::start("memory", options);
    for (interpreter, runtime, file, handler) in LANGUAGES {
        let node = Node::start(&binary, &Setup::default())?;
        let ours = instance_mb(&node, interpreter, &Function::of_file(runtime, file, handler)?)?;
        drop(node);
        let bare = bare_mb(interpreter)?;
        report.figure(
            &format!("{interpreter}: an idle instance here, proportional"),
            ours,
            "MB",
        );
        report.figure(
            &format!("{interpreter}: the bare runtime, proportional"),
            bare,
            "MB",
        );
        let what = format!("{interpreter}: an idle instance over the bare runtime, MB");
        report.goal("M1", &what, ours - bare, Goal::AtMost(1.0));
    }
    registered(&binary, options, &mut report)?;
    report.finish()
}

/// Mean of so many idle instances of one function, with all processes that each of them is.
fn instance_mb(node: &Node, interpreter: &str, function: &Function) -> Result<f64> {
    node.create("idle", function)?;
    let before = process::below(node.server.pid());
    call_together(node)?;
    // a second time, so that each has answered and is idle
    call_together(node)?;
    std::thread::sleep(SETTLE);
    let mut instances = process::below(node.server.pid());
    instances.retain(|pid, _stat| !before.contains_key(pid));
    let interpreters = instances
        .values()
        .filter(|stat| stat.name.starts_with(interpreter));
    let count = interpreters.count();
    ensure!(count >= INSTANCES, "{count} instances of {INSTANCES}");
    mean_mb(instances.into_keys(), count)
}

fn call_together(node: &Node) -> Result<()> {
    let mut clients = Vec::new();
    for _ in 0..INSTANCES {
        let mut client = node.server.client()?;
        client.write("POST", &invocations("idle"), b"{}")?;
        clients.push(client);
    }
    for mut client in clients {
        client.read()?.success("invoke")?;
    }
    Ok(())
}

/// The same number of the least programs that can be functions.
fn bare_mb(interpreter: &str) -> Result<f64> {
    let host = match interpreter {
        "node" => BareHost::of_node(INSTANCES),
        _ => BareHost::of_python(INSTANCES),
    };
    let server = host.start(&[])?;
    for _ in 0..INSTANCES * 4 {
        server.client()?.send("GET", "/", b"")?.success("the bare host")?;
    }
    std::thread::sleep(SETTLE);
    mean_mb(process::below(server.pid()).into_keys(), INSTANCES)
}

#[expect(clippy::cast_precision_loss, reason = "a count of instances")]
fn mean_mb(pids: impl Iterator<Item = u32>, instances: usize) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        sum += process::proportional_mb(pid)?;
    }
    Ok(sum / instances as f64)
}

/// A node before and after it knows many functions.
fn registered(binary: &std::path::Path, options: &Options, report: &mut Report) -> Result<()> {
    let count = if options.quick {
        QUICK_REGISTERED
    } else {
        REGISTERED
    };
    let node = Node::start(binary, &Setup::default())?;
    let function = Function::of_file("nodejs20.x", "handler.js", "exports.handler = async () => 'ok';")?;
    let few = probe(&node, "few", &function)?;
    register(&node, count, &function)?;
    std::thread::sleep(SETTLE);
    let many = probe(&node, "many", &function)?;
    #[expect(clippy::cast_precision_loss, reason = "a count of functions")]
    let each_kb = (many.resident_mb - few.resident_mb) * 1024.0 / count as f64;
    report.figure("the node with a few functions, resident", few.resident_mb, "MB");
    report.figure(
        &format!("the node with {count} functions, resident"),
        many.resident_mb,
        "MB",
    );
    report.goal("M1", "the node itself, MB", few.resident_mb, Goal::AtMost(40.0));
    report.goal("M1", "each registered function, KB", each_kb, Goal::AtMost(30.0));
    let what = format!("warm invocation with {count} functions × with a few, p50");
    report.goal("M1", &what, many.warm_ms / few.warm_ms, Goal::AtMost(1.2));
    let what = format!("cold start with {count} functions × with a few, p50");
    report.goal("M1", &what, many.cold_ms / few.cold_ms, Goal::AtMost(1.2));
    Ok(())
}

fn register(node: &Node, count: usize, function: &Function) -> Result<()> {
    let registrars = (0..REGISTRARS).map(|registrar| {
        let mut client = node.server.client()?;
        let function = function.clone();
        Ok(std::thread::spawn(move || -> Result<()> {
            for number in (registrar..count).step_by(REGISTRARS) {
                create(&mut client, &format!("registered-{number}"), &function)?;
            }
            Ok(())
        }))
    });
    for registrar in registrars.collect::<Result<Vec<_>>>()? {
        registrar.join().ok().context("a registrar panicked")??;
    }
    Ok(())
}

struct Probe {
    resident_mb: f64,
    warm_ms: f64,
    cold_ms: f64,
}

fn probe(node: &Node, name: &str, function: &Function) -> Result<Probe> {
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for number in 0..10 {
        let name = format!("{name}-{number}");
        node.create(&name, function)?;
        cold.push(node.invoke(&name, "{}")?.0.as_secs_f64() * 1000.0);
        for _ in 0..100 {
            warm.push(node.invoke(&name, "{}")?.0.as_secs_f64() * 1000.0);
        }
    }
    Ok(Probe {
        resident_mb: node.server.resident_mb()?,
        warm_ms: median(&warm),
        cold_ms: median(&cold),
    })
}
