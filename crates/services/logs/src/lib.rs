//! Log groups as resources: their names, tags and retention. The events themselves are in
//! `tradewind_observe`; this service tells it how long to keep them.
//!
//! # Invariants
//! - A group's row says whose it is (`owner`): a stack never overwrites or deletes another's.
//! - The retention in the row is the one the log store enforces, from the first moment after a start.
//! - Events may exist for a group without a row (a function that logs before any deploy names its
//!   group); deleting the row deletes the events.

mod error;
mod model;
mod pattern;
mod resource;
mod tables;

use std::sync::Arc;

use tradewind_model::resource::ResourceType;
use tradewind_observe::LogStore;
use tradewind_store::Database;

pub use error::LogGroupError;
pub use model::{InvalidLogGroup, LogGroup, LogGroupName, RetentionDays};
pub use pattern::{FilterPattern, InvalidFilterPattern};
pub use tables::MIGRATIONS;

/// The log groups of a node. A clone is the same service.
#[derive(Clone, Debug)]
pub struct LogsService {
    database: Database,
    logs: LogStore,
}

impl LogsService {
    /// The service over its tables; sets the retention of every group in the log store.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn open(database: Database, logs: LogStore) -> Result<Self, LogGroupError> {
        for (name, group) in tables::all(&database).await? {
            let days = group.retention.map(RetentionDays::get);
            logs.set_retention(&name, days).await;
        }
        Ok(Self { database, logs })
    }

    /// `AWS::Logs::LogGroup`.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        vec![Arc::new(resource::LogGroupType::new(
            self.database.clone(),
            self.logs.clone(),
        ))]
    }
}
