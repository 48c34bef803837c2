//! Kafka → function → bucket, while node and broker are killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde_json::Value;
use tradewind_tests::kafka::{Kafka, Options as Broker};

use super::{Chance, Clients, Place, binary_or_build, report, wait_for};
use crate::command::{command, root, run as succeed};
use crate::kafka;
use crate::server::{Server, free_port};

/// From one kill to the next, in milliseconds: a broker needs seconds to come back, and work has to get done.
const PAUSE_MS: std::ops::Range<u64> = 500..4000;

/// How long, and with what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often the node or the broker is killed
    #[arg(long, default_value_t = 40)]
    kills: u32,
    /// Records that are written at least
    #[arg(long, default_value_t = 20_000)]
    records: u32,
    /// The binary [default: the release build of this repository]
    #[arg(long)]
    binary: Option<PathBuf>,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let binary = binary_or_build(options.binary.as_deref())?;
    torture(&binary, options.kills, options.records)
}

/// Kills node and broker `kills` times, and fails unless every record had its effect once, or is in the failure queue
/// if it was poisoned.
pub(crate) fn torture(binary: &Path, kills: u32, records: u32) -> Result<()> {
    kafka::install()?;
    let folder = std::env::temp_dir().join(format!("tradewind-chaos-pipeline-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut broker = Kafka::start(&kafka::jars(), &Broker::default())?;
    broker.create_topic("events", 4, &[])?;
    let place = Place {
        binary,
        folder: &folder,
        port: free_port()?,
        script: ("", &[]),
        database: None,
    };
    let verdict = Torture {
        place: &place,
        bootstrap: broker.bootstrap(),
        records,
    }
    .run(&mut broker, kills)?;
    println!("{kills} kills of the node or the broker");
    report(&verdict, &folder)
}

struct Torture<'a> {
    place: &'a Place<'a>,
    bootstrap: String,
    records: u32,
}

impl Torture<'_> {
    fn run(&self, broker: &mut Kafka, kills: u32) -> Result<Value> {
        let mut chance = Chance::of_now();
        let mut node = self.place.node(None)?;
        succeed(&mut self.script("setup"))?;
        let mut clients = Clients(self.script("load").spawn()?);
        wait_for(&self.place.folder.join("ready"))?;
        for kill in 0..kills {
            std::thread::sleep(std::time::Duration::from_millis(chance.within(PAUSE_MS)));
            // one of each at least, also of few
            match (kill, chance.within(0..2)) {
                (0, _) | (2.., 0) => self.kill_node(&mut node)?,
                _ => {
                    broker.kill()?;
                    broker.restart()?;
                }
            }
        }
        std::fs::write(self.place.folder.join("stop"), "")?;
        ensure!(
            clients.0.wait()?.success(),
            "the producer failed; see {}",
            self.place.folder.display()
        );
        let output = self.script("verify").stderr(Stdio::inherit()).output()?;
        serde_json::from_slice(&output.stdout).context("nobody could verify")
    }

    fn kill_node(&self, node: &mut Server) -> Result<()> {
        node.kill()?;
        *node = self.place.node(None)?;
        Ok(())
    }

    fn script(&self, action: &str) -> std::process::Command {
        let mut script = command("python3");
        script
            .arg(root().join("tests/clients/chaos_pipeline.py"))
            .args([action, &format!("http://127.0.0.1:{}", self.place.port)])
            .arg(self.place.folder)
            .args([&self.bootstrap, &self.records.to_string()]);
        script
    }
}
