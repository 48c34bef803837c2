//! What operations work on.

use std::sync::Arc;

use tokio::sync::Notify;
use tradewind_events::Trace;
use tradewind_model::{AccountId, Clock, Region};
use tradewind_store::Database;
use tradewind_store::blobs::Blobs;

use crate::configuration::Configurations;
use crate::notification::Notifier;
use crate::objects::KeyLocks;

/// The stores of the service and what it is told of its node. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) database: Database,
    pub(crate) blobs: Blobs,
    pub(crate) clock: Clock,
    /// The account of unsigned requests.
    pub(crate) account: AccountId,
    /// The region of unsigned requests.
    pub(crate) region: Region,
    pub(crate) locks: Arc<KeyLocks>,
    pub(crate) configurations: Configurations,
    pub(crate) notifier: Arc<Notifier>,
    /// The journey that a request is part of; the trace of nothing for what no client asked for.
    pub(crate) trace: Trace,
    /// Wakes the worker when a lifecycle is put.
    pub(crate) lifecycles: Arc<Notify>,
}

impl State {
    /// The same for a request.
    pub(crate) fn of_request(&self, headers: &http::HeaderMap) -> Self {
        let header = headers.get("x-amzn-trace-id");
        let header = header.and_then(|header| header.to_str().ok());
        Self {
            trace: Trace::from_header(header, self.clock.now()),
            ..self.clone()
        }
    }
}

/// A state over a database in memory, whose clock stands until it is moved; its content is in the folder.
#[cfg(test)]
pub(crate) async fn for_tests() -> (State, tempfile::TempDir) {
    use tradewind_events::Router;
    use tradewind_model::Timestamp;
    use tradewind_store::blobs::{BlobsConfig, KeyFile, Place};

    let folder = tempfile::tempdir().unwrap();
    let database = Database::in_memory_for_tests(&[
        tradewind_store::blobs::MIGRATIONS,
        crate::MIGRATIONS,
        crate::CONFIGURATION_MIGRATIONS,
    ]);
    let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
    let config = BlobsConfig {
        database: database.clone(),
        clock: clock.clone(),
        place: Place::Folder(folder.path().join("blobs")),
        reserve: 0,
        keys: KeyFile::Own(folder.path().join("key")),
    };
    let configurations = Configurations::new(database.clone());
    let state = State {
        notifier: Arc::new(Notifier::new(
            configurations.clone(),
            database.clone(),
            Router::new(),
            clock.clone(),
        )),
        trace: Trace::default(),
        blobs: Blobs::open(config).await.unwrap(),
        database,
        clock,
        account: AccountId::default_account(),
        region: Region::default_region(),
        locks: Arc::new(KeyLocks::default()),
        configurations,
        lifecycles: Arc::default(),
    };
    (state, folder)
}
