//! Warm requests: one trivial handler behind us and behind the others, at 1, 16 and 64 connections.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::peers::{self, Server};
use super::wrk::{Load, load};
use super::{keep, median};

const CONNECTIONS: [u32; 3] = [1, 16, 64];

struct Subject {
    name: &'static str,
    url: String,
    loads: Vec<Vec<Load>>,
    _server: Option<Server>,
}

pub(crate) fn run(rounds: usize, seconds: u32) -> Result<()> {
    peers::tools()?;
    let binary = peers::build_tradewind()?;
    let data = std::env::temp_dir().join(format!("tradewind-bench-{}", std::process::id()));
    let node = peers::tradewind(&binary, &data)?;
    let urls = peers::deploy(&binary, &node, "bench/http")?;
    let find = |end: &str| {
        urls.iter()
            .find(|url| url.ends_with(end))
            .cloned()
            .context("a route is missing")
    };
    let (hello, hello_python) = (find("/hello")?, find("/hello-python")?);
    let raw = peers::raw_node()?;
    let offline = peers::serverless_offline()?;
    let mut subjects = [
        subject("tradewind, Node", hello, Some(node)),
        subject("tradewind, Python", hello_python, None),
        subject("raw node http", raw.url("/"), Some(raw)),
        subject("serverless-offline", offline.url("/hello"), Some(offline)),
    ];
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        for subject in &mut subjects {
            measure(subject, seconds)?;
        }
    }
    let figures = report(&subjects);
    std::fs::remove_dir_all(&data)?;
    keep("http", &figures)
}

fn subject(name: &'static str, url: String, server: Option<Server>) -> Subject {
    Subject {
        name,
        url,
        loads: vec![Vec::new(); CONNECTIONS.len()],
        _server: server,
    }
}

fn measure(subject: &mut Subject, seconds: u32) -> Result<()> {
    load(&subject.url, 16, 1)?;
    for (loads, connections) in subject.loads.iter_mut().zip(CONNECTIONS) {
        let load = load(&subject.url, connections, seconds)?;
        let ours = subject.name.starts_with("tradewind");
        anyhow::ensure!(
            !ours || load.failed == 0,
            "{}: {} requests failed",
            subject.name,
            load.failed
        );
        loads.push(load);
    }
    Ok(())
}

fn middle(loads: &[Load], figure: fn(&Load) -> f64) -> f64 {
    median(&mut loads.iter().map(figure).collect::<Vec<_>>())
}

fn report(subjects: &[Subject]) -> Value {
    let throughput = |subject: &Subject, i: usize| middle(&subject.loads[i], |load| load.requests_per_second);
    let mut figures = Vec::new();
    for (i, connections) in CONNECTIONS.into_iter().enumerate() {
        println!("\n{connections} connections");
        println!(
            "{:<22}{:>12}{:>10}{:>10}{:>12}{:>8}",
            "", "requests/s", "p50 ms", "p99 ms", "× raw node", "failed"
        );
        let raw = subjects
            .iter()
            .find(|s| s.name == "raw node http")
            .map_or(f64::NAN, |s| throughput(s, i));
        for subject in subjects {
            let rate = throughput(subject, i);
            let p50 = middle(&subject.loads[i], |load| load.p50_ms);
            let p99 = middle(&subject.loads[i], |load| load.p99_ms);
            let failed: u64 = subject.loads[i].iter().map(|load| load.failed).sum();
            println!(
                "{:<22}{rate:>12.0}{p50:>10.3}{p99:>10.3}{:>12.2}{failed:>8}",
                subject.name,
                rate / raw
            );
            figures.push(json!({
                "connections": connections, "subject": subject.name, "requestsPerSecond": rate,
                "p50Ms": p50, "p99Ms": p99, "timesRawNode": rate / raw, "failed": failed,
            }));
        }
        let (us, offline) = (throughput(&subjects[0], i), throughput(&subjects[3], i));
        println!("tradewind is {:.1} × serverless-offline", us / offline);
    }
    json!({ "http": figures })
}
