//! What every pool and instance of this node shares.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tradewind_model::{AccountId, Clock, Region};
use tradewind_observe::LogStore;
use tradewind_observe::usage::UsageSink;

use crate::bootstraps::Bootstraps;
use crate::config::KeepAlive;
use crate::cores::CoreVerdict;
use crate::interpreters::Interpreters;
use crate::package::PackageStore;
use crate::pool::{Backlogs, MemoryBudget};
use crate::prepared::Preparations;
use crate::sandbox::Sandbox;
use crate::stems::Stems;

/// The engine's insides, as instances see them.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) endpoint_url: String,
    pub(crate) run_dir: PathBuf,
    pub(crate) keep_alive: KeepAlive,
    /// How long an instance may initialise before it is tried again under the function's timeout.
    pub(crate) init_limit: Duration,
    pub(crate) clock: Clock,
    pub(crate) logs: LogStore,
    pub(crate) usage: UsageSink,
    pub(crate) interpreters: Interpreters,
    pub(crate) packages: PackageStore,
    pub(crate) bootstraps: Bootstraps,
    pub(crate) sandbox: Sandbox,
    pub(crate) memory: Arc<MemoryBudget>,
    /// Runtimes that booted in advance.
    pub(crate) stems: Stems,
    /// Packages to be compiled in advance.
    pub(crate) preparations: Preparations,
    /// Starts that may keep a core busy at the same time.
    pub(crate) start_slots: Arc<Semaphore>,
    /// Starts that nobody waits for and that may be under way at the same time.
    pub(crate) warm_slots: Arc<Semaphore>,
    pub(crate) cores: usize,
    /// Whether processors idle, as the supervisor last saw it.
    pub(crate) core_verdict: CoreVerdict,
    /// Pools in which invocations wait.
    pub(crate) backlogs: Backlogs,
    /// A start waits for memory: the supervisor is to evict an idle instance.
    pub(crate) memory_wanted: Notify,
    /// Owns the task of every instance.
    pub(crate) tasks: TaskTracker,
    /// Ends what works for no invocation.
    pub(crate) stop: CancellationToken,
    /// Kills every instance.
    pub(crate) kill: CancellationToken,
    pub(crate) next_instance: AtomicU64,
}

impl Host {
    /// A number no other instance of this engine has.
    pub(crate) fn instance_number(&self) -> u64 {
        self.next_instance.fetch_add(1, Ordering::Relaxed)
    }
}
