//! `cargo xtask chaos`: kills the node again and again while clients write, and accounts for every
//! acknowledged write afterwards.

mod faults;
mod pipeline;
mod view;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use self::faults::Disk;
use crate::command::{command, root};
use crate::node::build;
use crate::server::{Server, free_port};

/// From a kill to the next one, in milliseconds: as long as a start, so that also starts are killed.
const PAUSE_MS: std::ops::Range<u64> = 50..1500;

/// What is tortured.
#[derive(Debug, Subcommand)]
pub(crate) enum Chaos {
    /// Objects and messages: boto3 writes and reads while the node is killed
    Store(Options),
    /// Events: from objects, publishers and a bus through topics, rules and queues to functions, while the node is
    /// killed
    Events(EventsOptions),
    /// Records of Kafka, some of them poisoned, to a function that writes each once, while node and broker are killed
    Pipeline(pipeline::Options),
    /// What a retailer's systems write, some of it broken, to the customer view, while node and broker are killed
    View(view::Options),
}

/// How long, and on what.
#[derive(Debug, Args)]
pub(crate) struct EventsOptions {
    /// How often the node is killed
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Events that are published at least
    #[arg(long, default_value_t = 100_000)]
    events: u32,
    /// The binary [default: the release build of this repository]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The rows in this PostgreSQL database instead of the data folder; it must be empty
    #[arg(long)]
    database: Option<String>,
}

/// How long, and on what.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How often the node is killed
    #[arg(long, default_value_t = 200)]
    kills: u32,
    /// The binary [default: the release build of this repository]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Let the disk fail as often, too: errors and no room, at each step of a write
    #[arg(long)]
    faults: bool,
    /// Only one kind of writes
    #[arg(long)]
    only: Option<Kind>,
    /// The rows in this PostgreSQL database instead of the data folder; it must be empty
    #[arg(long)]
    database: Option<String>,
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Objects, by S3
    Objects,
    /// Messages, by SQS
    Messages,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Messages => "messages",
        }
    }
}

/// Runs it.
pub(crate) fn run(chaos: &Chaos) -> Result<()> {
    match chaos {
        Chaos::Store(options) => {
            let kinds = match options.only {
                Some(kind) => vec![kind],
                None => vec![Kind::Objects, Kind::Messages],
            };
            let binary = binary_or_build(options.binary.as_deref())?;
            let torture = match options.faults {
                true => Torture::DiskToo,
                false => Torture::Kills,
            };
            store(
                &binary,
                options.kills,
                &kinds,
                torture,
                options.database.as_deref(),
            )
        }
        Chaos::Pipeline(options) => pipeline::run(options),
        Chaos::View(options) => view::run(options),
        Chaos::Events(options) => {
            let binary = binary_or_build(options.binary.as_deref())?;
            events(
                &binary,
                options.kills,
                options.events,
                options.database.as_deref(),
            )
        }
    }
}

fn binary_or_build(binary: Option<&Path>) -> Result<PathBuf> {
    match binary {
        Some(binary) => Ok(std::fs::canonicalize(binary)?),
        None => build(),
    }
}

/// What is done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Torture {
    /// It is killed.
    Kills,
    /// As often its disk fails.
    DiskToo,
}

/// Kills a node `kills` times under load, and fails unless everything that was acknowledged is there.
pub(crate) fn store(
    binary: &Path,
    kills: u32,
    kinds: &[Kind],
    how: Torture,
    database: Option<&str>,
) -> Result<()> {
    let names: Vec<String> = kinds.iter().map(|kind| kind.name().to_owned()).collect();
    torture(binary, kills, ("chaos_store.py", &names), how, database)
}

/// The same with events: each has to arrive, and to arrive once where no function is in between.
pub(crate) fn events(binary: &Path, kills: u32, events: u32, database: Option<&str>) -> Result<()> {
    torture(
        binary,
        kills,
        ("chaos_events.py", &[events.to_string()]),
        Torture::Kills,
        database,
    )
}

/// The same with records of Kafka: each has its effect once, or is in the failure queue if it was poisoned.
pub(crate) fn pipeline(binary: &Path, kills: u32, records: u32) -> Result<()> {
    pipeline::torture(binary, kills, records)
}

fn torture(
    binary: &Path,
    kills: u32,
    script: (&str, &[String]),
    how: Torture,
    database: Option<&str>,
) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("tradewind-chaos-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let mut disk = (how == Torture::DiskToo).then(|| Disk::new(&folder));
    let place = Place {
        binary,
        folder: &folder,
        port: free_port()?,
        script,
        database,
    };
    let verdict = place.torture(kills, disk.as_mut())?;
    disk.iter().for_each(Disk::print);
    println!("{kills} kills");
    report(&verdict, &folder)
}

/// Prints what the clients found, and fails if something is wrong; what they left stays then.
fn report(verdict: &Value, folder: &Path) -> Result<()> {
    let wrong = verdict["wrong"].as_array().context("no verdict")?;
    for (kind, acknowledged) in verdict
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, v)| v.is_u64())
    {
        println!("  {kind}: {acknowledged}");
    }
    for line in wrong.iter().take(20) {
        println!("  {}", line.as_str().unwrap_or_default());
    }
    if !wrong.is_empty() {
        bail!("{} of them are wrong; see {}", wrong.len(), folder.display());
    }
    Ok(std::fs::remove_dir_all(folder)?)
}

struct Place<'a> {
    binary: &'a Path,
    folder: &'a Path,
    port: u16,
    /// The clients' script, and what it is told besides the node's address and the folder.
    script: (&'a str, &'a [String]),
    database: Option<&'a str>,
}

impl Place<'_> {
    fn torture(&self, kills: u32, mut disk: Option<&mut Disk>) -> Result<Value> {
        let mut chance = Chance::of_now();
        let mut node = self.node(disk.as_deref())?;
        let mut clients = Clients(self.clients("load").spawn()?);
        wait_for(&self.folder.join("ready"))?;
        let (mut slowest, mut total) = (Duration::ZERO, Duration::ZERO);
        for _ in 0..kills {
            std::thread::sleep(Duration::from_millis(chance.within(PAUSE_MS)));
            let ended = match &mut disk {
                Some(disk) => disk.fail(&mut node, &mut chance)?,
                None => false,
            };
            if !ended {
                node.kill()?;
            }
            drop(node);
            node = self.node(disk.as_deref())?;
            slowest = slowest.max(node.ready);
            total += node.ready;
        }
        println!(
            "starts took {:?} on average, the slowest {slowest:?}",
            total / kills.max(1)
        );
        std::fs::write(self.folder.join("stop"), "")?;
        if !clients.0.wait()?.success() {
            bail!("the clients failed; see {}", self.folder.display());
        }
        // once more: what is there must be on disk
        node.kill()?;
        drop(node);
        let _node = self.node(disk.as_deref())?;
        let output = self.clients("verify").stderr(Stdio::inherit()).output()?;
        serde_json::from_slice(&output.stdout).context("the clients could not verify")
    }

    fn node(&self, disk: Option<&Disk>) -> Result<Server> {
        let mut serve = command(self.binary);
        if let Some(disk) = disk {
            disk.faults.within(&mut serve);
        }
        serve
            .args(["serve", "--listen", &format!("127.0.0.1:{}", self.port), "--data"])
            .arg(self.folder.join("data"))
            .stderr(
                std::fs::File::options()
                    .create(true)
                    .append(true)
                    .open(self.folder.join("node.log"))?,
            );
        if let Some(database) = self.database {
            serve.env("TRADEWIND_DATABASE", database);
        }
        Server::start(&mut serve, self.port, "/_tradewind/health")
    }

    fn clients(&self, action: &str) -> Command {
        let mut clients = command("python3");
        clients
            .arg(root().join("tests/clients").join(self.script.0))
            .args([action, &format!("http://127.0.0.1:{}", self.port)])
            .arg(self.folder)
            .args(self.script.1);
        clients
    }
}

/// Waits until clients have made that file.
fn wait_for(ready: &Path) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !ready.exists() {
        if Instant::now() > deadline {
            bail!("the clients could not begin: there is no {}", ready.display());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The clients end with this process, whatever happens.
struct Clients(Child);

impl Drop for Clients {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None))
            && let Err(error) = self.0.kill().and_then(|()| self.0.wait())
        {
            println!("the clients could not be ended: {error}");
        }
    }
}

/// Random numbers, good enough to not be in step with anything.
struct Chance(u64);

impl Chance {
    #[expect(
        clippy::disallowed_methods,
        reason = "the seed of a run; nothing depends on the time"
    )]
    fn of_now() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(now.subsec_nanos().into())
    }

    fn within(&mut self, range: std::ops::Range<u64>) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        range.start + (self.0 >> 33) % (range.end - range.start)
    }
}
