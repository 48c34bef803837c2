//! What the engine is told when it starts.

use std::path::PathBuf;
use std::time::Duration;

use tradewind_model::{AccountId, Clock, Region};
use tradewind_observe::LogStore;
use tradewind_observe::usage::UsageSink;

use crate::interpreters::Interpreters;
use crate::sandbox::{SandboxChoice, SpawnerProgram};

/// Everything the engine needs. It reads no environment and no file for more.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Where packages are kept.
    pub packages_dir: PathBuf,
    /// Instances' own temporary folders; emptied when the engine starts.
    pub run_dir: PathBuf,
    /// Where the managed runtimes' bootstraps are written.
    pub bootstraps_dir: PathBuf,
    /// The account functions run in.
    pub account: AccountId,
    /// The region functions are told.
    pub region: Region,
    /// What functions get as `AWS_ENDPOINT_URL`: the address of this node.
    pub endpoint_url: String,
    /// Concurrent executions of the account (`ConcurrentExecutions`).
    pub account_concurrency: u32,
    /// Memory that all instances together may use; none means three quarters of the machine's.
    pub memory_budget_bytes: Option<u64>,
    /// How long idle instances are kept.
    pub keep_alive: KeepAlive,
    /// The time.
    pub clock: Clock,
    /// Where functions' output goes.
    pub logs: LogStore,
    /// Where it is counted what they use.
    pub usage: UsageSink,
    /// What runs managed runtimes.
    pub interpreters: Interpreters,
    /// What instances run in.
    pub sandbox: SandboxChoice,
    /// What becomes the process that starts jails. Without it, there are none.
    pub spawner: Option<SpawnerProgram>,
    /// Processes of each managed runtime that are booted in advance; 0 turns that off. They take an eighth of
    /// the instances' memory at most.
    pub stems: usize,
    /// Whether packages are compiled in advance, once each, where functions run in jails with networks of their own.
    pub prepare: bool,
}

impl EngineConfig {
    /// Stems of each kind unless configured.
    pub const STEMS: usize = 2;

    /// How long idle instances are kept unless configured: five minutes to four hours.
    pub const KEEP_ALIVE: KeepAlive = KeepAlive {
        least: Duration::from_secs(5 * 60),
        most: Duration::from_secs(4 * 60 * 60),
    };
}

/// How long idle instances are kept. The last one of a function is kept for as long as the function is
/// usually idle, within these bounds; what more it has goes after the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// However often it is called.
    pub least: Duration,
    /// However rarely; more than four hours are not learnt.
    pub most: Duration,
}
