//! Cold: a node on an empty data folder, its memory, and the first answer of a new function.

use std::time::Instant;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::peers::{self, get};
use super::{keep, median};

#[derive(Default)]
struct Samples {
    ready_ms: Vec<f64>,
    idle_mb: Vec<f64>,
    node_first_ms: Vec<f64>,
    python_first_ms: Vec<f64>,
    offline_ready_ms: Vec<f64>,
    offline_mb: Vec<f64>,
    offline_first_ms: Vec<f64>,
}

pub(crate) fn run(rounds: usize) -> Result<()> {
    peers::tools()?;
    let binary = peers::build_tradewind()?;
    let mut samples = Samples::default();
    for round in 1..=rounds {
        println!("round {round} of {rounds}");
        ours(&binary, &mut samples)?;
        offline(&mut samples)?;
    }
    let row = |name: &str, values: &mut Vec<f64>, unit: &str| {
        let value = median(values);
        println!("{name:<46}{value:>10.1} {unit}");
        value
    };
    println!();
    let figures = json!({ "cold": {
        "tradewindReadyMs": row("tradewind serve, empty folder → first answer", &mut samples.ready_ms, "ms"),
        "tradewindIdleMb": row("tradewind, idle, resident", &mut samples.idle_mb, "MB"),
        "tradewindNodeFirstMs": row("tradewind, first answer of a Node function", &mut samples.node_first_ms, "ms"),
        "tradewindPythonFirstMs": row("tradewind, first answer of a Python function", &mut samples.python_first_ms, "ms"),
        "offlineReadyMs": row("serverless-offline → first answer", &mut samples.offline_ready_ms, "ms"),
        "offlineMb": row("serverless-offline, resident", &mut samples.offline_mb, "MB"),
        "offlineFirstMs": row("serverless-offline, an answer right after", &mut samples.offline_first_ms, "ms"),
    }});
    keep("cold", &figures)
}

fn ours(binary: &std::path::PathBuf, samples: &mut Samples) -> Result<()> {
    let data = std::env::temp_dir().join(format!("tradewind-bench-{}", std::process::id()));
    let server = peers::tradewind(binary, &data)?;
    samples.ready_ms.push(server.ready.as_secs_f64() * 1000.0);
    samples.idle_mb.push(server.resident_mb()?);
    let urls = peers::deploy(binary, &server, "bench/http")?;
    let first = |end: &str| -> Result<f64> {
        let url = urls
            .iter()
            .find(|url| url.ends_with(end))
            .context("a route is missing")?;
        let begun = Instant::now();
        get(url)?;
        Ok(begun.elapsed().as_secs_f64() * 1000.0)
    };
    samples.node_first_ms.push(first("/hello")?);
    samples.python_first_ms.push(first("/hello-python")?);
    drop(server);
    std::fs::remove_dir_all(&data)?;
    Ok(())
}

fn offline(samples: &mut Samples) -> Result<()> {
    let server = peers::serverless_offline()?;
    samples.offline_ready_ms.push(server.ready.as_secs_f64() * 1000.0);
    let begun = Instant::now();
    get(&server.url("/hello"))?;
    samples
        .offline_first_ms
        .push(begun.elapsed().as_secs_f64() * 1000.0);
    samples.offline_mb.push(server.resident_mb()?);
    Ok(())
}
