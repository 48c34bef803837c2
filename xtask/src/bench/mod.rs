//! `cargo xtask bench`: us and our peers side by side, ratios printed, figures kept.

mod cold;
mod http;
mod peers;
mod wrk;

use anyhow::Result;
use clap::Subcommand;
use serde_json::Value;

use crate::command::root;

/// What to measure.
#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Bench {
    /// Warm requests through the gateway: us, a raw node http server, serverless-offline
    Http {
        /// Rounds; the median of them counts
        #[arg(long, default_value_t = 3)]
        rounds: usize,
        /// Seconds of load a measurement
        #[arg(long, default_value_t = 4)]
        seconds: u32,
    },
    /// Start of the node and its memory, first answers of new functions
    Cold {
        /// Rounds; the median of them counts
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
}

/// Runs a benchmark.
pub(crate) fn run(bench: Bench) -> Result<()> {
    match bench {
        Bench::Http { rounds, seconds } => http::run(rounds, seconds),
        Bench::Cold { rounds } => cold::run(rounds),
    }
}

/// Keeps a run's figures as `bench/results/NAME.json`.
fn keep(name: &str, figures: &Value) -> Result<()> {
    let file = root().join("bench/results").join(format!("{name}.json"));
    std::fs::write(&file, format!("{figures:#}\n"))?;
    println!("written to {}", file.display());
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
