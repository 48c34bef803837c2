//! Load by wrk, and its report read.

use anyhow::{Context as _, Result, bail};

use crate::command::command;

/// What one run of wrk saw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) requests_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// Loads `url` over `connections` for `seconds`; any answer but 2xx and 3xx is an error.
pub(crate) fn load(url: &str, connections: u32, seconds: u32) -> Result<Load> {
    let duration = format!("-d{seconds}s");
    let connections = format!("-c{connections}");
    let output = command("wrk")
        .args(["-t1", "--latency", &connections, &duration, url])
        .output()?;
    let report = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || report.contains("Non-2xx") || report.contains("Socket errors") {
        bail!(
            "wrk saw errors at {url}:\n{report}{}",
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
    Some(Load {
        requests_per_second: after("Requests/sec:")?.parse().ok()?,
        p50_ms: milliseconds(after("50%")?)?,
        p99_ms: milliseconds(after("99%")?)?,
    })
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
            (load.requests_per_second, load.p50_ms, load.p99_ms),
            (38_012.55, 0.5, 2500.0)
        );
    }
}
