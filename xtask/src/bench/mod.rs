//! `cargo xtask bench`: us and our peers side by side, ratios printed, figures kept.

mod burst;
mod cold;
mod events;
mod http;
mod memory;
mod peers;
mod pipeline;
mod report;
mod s3;
mod sqs;
mod warm;
pub(crate) mod wrk;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::node;

/// What to measure.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Bench {
    /// Warm requests: Node, Python and custom runtimes × raw node http, a bare host, uvicorn
    Warm(Options),
    /// Start of the node and its memory, first answers of new functions
    Cold(Options),
    /// Warm requests: us, raw node http, serverless-offline and MiniStack with the same handler
    Http(Options),
    /// 200 cold requests at once: what they take, and what a neighbour notices
    Burst(Options),
    /// Messages through SQS: us, moto server, MiniStack and ElasticMQ; the queue without a wire
    Sqs(Options),
    /// Idle instances against their bare runtimes; a node that knows 10,000 functions
    Memory(Options),
    /// Events a second that one core matches with 1 to 10,000 rules
    Events(Options),
    /// Kafka to functions in Rust, Node and Python × a plain consumer loop in the same language
    Pipeline(pipeline::Options),
    /// Puts and gets of objects: us, MinIO, moto and MiniStack
    S3(Options),
}

/// How long to measure.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Rounds, interleaved; the median of them counts
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load a measurement
    #[arg(long, default_value_t = 4)]
    seconds: u32,
    /// One short round, to see that everything runs; its figures mean little and are not kept
    #[arg(long)]
    quick: bool,
    /// The `tradewind` to measure, instead of a build of this tree in the profile `dist`
    #[arg(long)]
    binary: Option<PathBuf>,
}

impl Options {
    fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds }
    }

    fn seconds(&self) -> u32 {
        if self.quick { 1 } else { self.seconds }
    }

    fn binary(&self) -> Result<PathBuf> {
        match &self.binary {
            Some(binary) => Ok(std::fs::canonicalize(binary)?),
            None => node::build_dist(),
        }
    }
}

/// Runs a benchmark.
pub(crate) fn run(bench: &Bench) -> Result<()> {
    match bench {
        Bench::Warm(options) => warm::run(options),
        Bench::Cold(options) => cold::run(options),
        Bench::Http(options) => http::run(options),
        Bench::Burst(options) => burst::run(options),
        Bench::Sqs(options) => sqs::run(options),
        Bench::Memory(options) => memory::run(options),
        Bench::Events(options) => events::run(options),
        Bench::Pipeline(options) => pipeline::run(options),
        Bench::S3(options) => s3::run(options),
    }
}

/// The median; not a number when there are none.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which the given share of all values lies.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into far fewer values than 2^52, and within them"
    )]
    let index = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_sorted_values() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!((median(&values), quantile(&values, 1.0)), (3.0, 5.0));
        assert!(median(&[]).is_nan());
    }
}
