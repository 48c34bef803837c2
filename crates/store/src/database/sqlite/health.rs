//! Whether the disk has confirmed all that was written. A system that could not write what it held for a file
//! says so once, forgets it, and confirms the next sync: so no sync is tried again. After the first that failed
//! nothing is written any more; opening the file anew reads what there is and writes it once more.

use std::sync::OnceLock;

use tokio_util::sync::CancellationToken;

use crate::database::DatabaseError;

/// What the threads that write one file tell each other.
#[derive(Debug, Default)]
pub(super) struct Health {
    failure: OnceLock<String>,
    failed: CancellationToken,
}

impl Health {
    /// Fails if a sync has failed.
    pub(super) fn check(&self) -> Result<(), DatabaseError> {
        match self.failure.get() {
            Some(detail) => Err(DatabaseError::Unsynced {
                detail: detail.clone(),
            }),
            None => Ok(()),
        }
    }

    /// Remembers the error if it is of a sync.
    pub(super) fn note(&self, error: &DatabaseError) {
        if let DatabaseError::Unsynced { detail } = error
            && self.failure.set(detail.clone()).is_ok()
        {
            tracing::error!(%error, "nothing is written to the database any more");
            self.failed.cancel();
        }
    }

    /// Waits for the first sync that fails.
    pub(super) async fn failure(&self) -> DatabaseError {
        self.failed.cancelled().await;
        DatabaseError::Unsynced {
            detail: self.failure.get().cloned().unwrap_or_default(),
        }
    }
}
