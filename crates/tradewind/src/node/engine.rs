//! What the engine of functions is told.

use tradewind_compute::{EngineConfig, Interpreters};
use tradewind_model::Clock;
use tradewind_model::limits::ACCOUNT_CONCURRENCY;
use tradewind_observe::LogStore;
use tradewind_observe::usage::UsageSink;
use tradewind_store::DataFolder;

use super::{NodeConfig, spawner};

/// The engine's configuration, by the node's and by what the node has made by now.
pub(super) fn config(
    config: &NodeConfig,
    folder: &DataFolder,
    base_url: &str,
    clock: &Clock,
    logs: &LogStore,
    usage: &UsageSink,
    interpreters: &Interpreters,
) -> EngineConfig {
    EngineConfig {
        account: config.account.clone(),
        region: config.region.clone(),
        endpoint_url: base_url.to_owned(),
        clock: clock.clone(),
        logs: logs.clone(),
        interpreters: interpreters.clone(),
        packages_dir: folder.path().join("packages"),
        run_dir: folder.path().join("run"),
        sandbox: config.sandbox,
        spawner: Some(spawner()),
        bootstraps_dir: folder.path().join("bootstraps"),
        account_concurrency: ACCOUNT_CONCURRENCY,
        usage: usage.clone(),
        memory_budget_bytes: None,
        keep_alive: EngineConfig::KEEP_ALIVE,
        stems: if config.stems { EngineConfig::STEMS } else { 0 },
        prepare: config.prepare,
    }
}
