//! The customer view's pipeline, from five topics to golden records, while node and broker are killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::Value;
use tradewind_tests::customer_view::{Part, Retailer, succeed};

use super::{Chance, Clients};
use crate::forget::built;

/// From one kill to the next, in milliseconds: a broker needs seconds to come back, and work has to get done.
const PAUSE_MS: std::ops::Range<u64> = 500..4000;

/// So many people that a few who are hard to tell apart do not decide how right the view is.
const ENOUGH: u32 = 1_000;

/// How long, and with what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often the node or the broker is killed at least; 0 is none, and tells only how right the view is
    #[arg(long, default_value_t = 20)]
    kills: u32,
    /// How many people the retailer has
    #[arg(long, default_value_t = 500)]
    people: u32,
    /// Records a second, at most
    #[arg(long, default_value_t = 30)]
    rate: u32,
    /// A folder with `tradewind`, `customer-view`, `resolve` and `merge` [default: the release build of this
    /// repository]
    #[arg(long)]
    binaries: Option<PathBuf>,
}

/// Kills node and broker while the app ingests; fails unless every valid event is in the view once, and every broken
/// one in the queue of rejected records with its reason.
pub(super) fn run(options: &Options) -> Result<()> {
    let mut retailer = Retailer::start(built(options.binaries.as_deref())?, Part::Pipeline)?;
    let (truth, begun) = (retailer.folder().join("truth.jsonl"), Instant::now());
    let mut writing = Clients(write(&mut retailer, options, &truth)?);
    let (kills, under_load) = match options.kills {
        0 => (0, 0),
        kills => kill(&mut retailer, &mut writing, kills)?,
    };
    ensure!(writing.0.wait()?.success(), "the generator failed");
    let path = truth.to_string_lossy();
    succeed(&mut retailer.client(&["customer_view.py", "complete", &path]))?;
    succeed(&mut retailer.client(&["customer_view.py", "rejected", &path]))?;
    let score = retailer
        .generator(&["score", "--truth", &path])
        .stderr(Stdio::inherit())
        .output()?;
    let score: Value = serde_json::from_slice(&score.stdout)?;
    println!("ingested in {:.0} s", begun.elapsed().as_secs_f32());
    println!("{kills} kills of the node or the broker, {under_load} of them while records were written");
    for what in ["people", "persons", "accounts", "precision", "recall"] {
        println!("  {what}: {}", score[what]);
    }
    let right = |what: &str, least: f64| score[what].as_f64().is_some_and(|found| found >= least);
    let is_right = options.people < ENOUGH || right("precision", 0.99) && right("recall", 0.95);
    ensure!(is_right, "precision is to be 0.99 at least, and recall 0.95");
    Ok(())
}

/// Kills so often, and goes on until all is written; how often that was, and how often of it records were written.
fn kill(retailer: &mut Retailer, writing: &mut Clients, kills: u32) -> Result<(u32, u32)> {
    let mut chance = Chance::of_now();
    let (mut done, mut under_load) = (0, 0);
    loop {
        let loaded = writing.0.try_wait()?.is_none();
        if done >= kills && !loaded {
            return Ok((done, under_load));
        }
        std::thread::sleep(std::time::Duration::from_millis(chance.within(PAUSE_MS)));
        // one of each at least, also of few
        match (done, chance.within(0..2)) {
            (0, _) | (2.., 0) => retailer.kill_node()?,
            _ => {
                retailer.kafka().kill()?;
                retailer.kafka().restart()?;
            }
        }
        done += 1;
        under_load += u32::from(loaded);
    }
}

fn write(retailer: &mut Retailer, options: &Options, truth: &Path) -> Result<std::process::Child> {
    let servers = retailer.kafka().bootstrap();
    let (people, rate) = (options.people.to_string(), options.rate.to_string());
    let mut generator = retailer.generator(&["write", "--seed", "3", "--poison", "30"]);
    generator
        .args([
            "--people", &people, "--rate", &rate, "--kafka", &servers, "--truth",
        ])
        .arg(truth)
        .stdout(Stdio::null());
    Ok(generator.spawn()?)
}
