//! Load by wrk, and its report read.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::command;

/// What one run of wrk saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) requests: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Requests that got no answer in time, or another than 2xx and 3xx.
    pub(crate) failed: u64,
}

/// How long wrk waits for an answer before it counts it as failed.
const ANSWER_LIMIT: &str = "10s";

/// Loads `url` over `connections` for `seconds`.
pub(crate) fn load(url: &str, connections: u32, seconds: u32) -> Result<Load> {
    run(&mut command("wrk"), url, connections, seconds)
}

/// The same with the requests that a script makes.
pub(crate) fn post(url: &str, script: &str, connections: u32, seconds: u32) -> Result<Load> {
    run(command("wrk").args(["-s", script]), url, connections, seconds)
}

/// The same, with wrk on one core.
pub(crate) fn load_on_core(core: u32, url: &str, connections: u32, seconds: u32) -> Result<Load> {
    let mut wrk = command("taskset");
    wrk.args(["-c", &core.to_string(), "wrk"]);
    run(&mut wrk, url, connections, seconds)
}

fn run(wrk: &mut Command, url: &str, connections: u32, seconds: u32) -> Result<Load> {
    let duration = format!("-d{seconds}s");
    let connections = format!("-c{connections}");
    let output = wrk
        .args(["-t1", "--latency", "--timeout", ANSWER_LIMIT])
        .args([&connections, &duration, url])
        .output()?;
    let report = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!(
            "wrk failed at {url}:\n{report}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    parse(&report).with_context(|| format!("cannot read wrk's report:\n{report}"))
}

fn parse(report: &str) -> Option<Load> {
    let after = |label: &str| {
        let line = report
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with(label))?;
        line.strip_prefix(label).map(str::trim)
    };
    let total = report.lines().find(|line| line.contains(" requests in "))?;
    Some(Load {
        requests: total.split_whitespace().next()?.parse().ok()?,
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        p50_ms: milliseconds(after("50%")?)?,
        p99_ms: milliseconds(after("99%")?)?,
        failed: failed(report),
    })
}

/// `Socket errors: connect 0, read 0, write 0, timeout 25` and `Non-2xx or 3xx responses: 7`, where
/// there were any.
fn failed(report: &str) -> u64 {
    let lines = report.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("Socket errors:") || line.starts_with("Non-2xx or 3xx responses:"))
        .filter_map(|line| line.split_once(':'))
        .flat_map(|(_label, counts)| counts.split([' ', ',']))
        .filter_map(|word| word.parse::<u64>().ok())
        .sum()
}

/// `381.00us`, `1.20ms` or `2.01s` as milliseconds.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0), ("m", 60_000.0)];
    let (unit, factor) = units.into_iter().find(|(unit, _)| text.ends_with(unit))?;
    text.strip_suffix(unit)?
        .parse::<f64>()
        .ok()
        .map(|value| value * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let report = "  Latency Distribution\n     50%  500.00us\n     75%  0.90ms\n     90%  1.02ms\n     \
                      99%    2.50s \n  160 requests in 1.00s\nRequests/sec:  38012.55\nTransfer/sec: 1MB\n";
        let load = parse(report).unwrap();
        assert_eq!(
            (load.requests, load.requests_per_second, load.p50_ms, load.p99_ms),
            (160.0, 38_012.55, 0.5, 2500.0)
        );
        assert_eq!(load.failed, 0);
        let errors =
            "  Socket errors: connect 1, read 2, write 0, timeout 25\n  Non-2xx or 3xx responses: 7\n";
        assert_eq!(parse(&format!("{report}{errors}")).unwrap().failed, 35);
    }
}
