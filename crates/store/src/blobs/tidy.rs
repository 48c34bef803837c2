//! What is nobody's goes: dropped blobs after a grace, orphans when they are found.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tradewind_model::Timestamp;

use super::place::Backend;
use super::{BlobError, BlobId, Blobs, table};

/// Blobs removed with one commit.
const REMOVED_AT_ONCE: u32 = 500;
/// The pause between two rounds.
const EVERY: Duration = Duration::from_secs(15);

/// What one [`Blobs::tidy`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Dropped blobs whose files are gone.
    pub removed: usize,
    /// Files without a row, which go with the next one.
    pub orphans: usize,
}

impl Blobs {
    /// Tidies four times a minute until `stop`. A failure is logged and tried again.
    pub async fn run(&self, stop: CancellationToken) {
        let tidying = async {
            loop {
                match self.tidy().await {
                    Ok(done) if done == Tidied::default() => {}
                    Ok(done) => {
                        tracing::debug!(removed = done.removed, orphans = done.orphans, "tidied blobs")
                    }
                    Err(error) => tracing::warn!(%error, "blobs could not be tidied and will be tried again"),
                }
                tokio::time::sleep(EVERY).await;
            }
        };
        stop.run_until_cancelled(tidying).await;
    }

    /// Removes what was dropped long enough ago, and finds files that no row names.
    ///
    /// # Errors
    /// When rows or files cannot be read or removed; what was not done is done the next time.
    pub async fn tidy(&self) -> Result<Tidied, BlobError> {
        self.abort_uploads().await?;
        let orphans = self.adopt_orphans().await?;
        let removed = self.remove_dropped(self.shared.backend.grace()).await?;
        Ok(Tidied { removed, orphans })
    }

    /// Removes from a folder what was dropped, whenever that was. Who read an owner's row a moment ago and has
    /// not opened the file gets an error. In a remote store what was dropped keeps its time.
    ///
    /// # Errors
    /// When rows or files cannot be read or removed.
    pub async fn scrub(&self) -> Result<usize, BlobError> {
        match &self.shared.backend {
            // also what was dropped in this millisecond
            Backend::Folder(_) => self.remove_dropped(-1).await,
            Backend::Remote(_) => self.remove_dropped(self.shared.backend.grace()).await,
        }
    }

    async fn remove_dropped(&self, grace_ms: i64) -> Result<usize, BlobError> {
        let until = self.shared.clock.now().plus_millis(-grace_ms);
        let mut removed = 0;
        loop {
            let mut gone = table::dropped(&self.shared.database, until, REMOVED_AT_ONCE).await?;
            if gone.is_empty() {
                return Ok(removed);
            }
            let held = self.shared.held.take_from(&mut gone);
            // they are looked at again the next time
            table::postpone(&self.shared.database, &held, until).await?;
            // the row goes last: after a crash in between, this is done again
            self.shared
                .backend
                .remove(gone.clone(), self.shared.clock.now())
                .await?;
            table::forget(&self.shared, &gone).await?;
            removed += gone.len();
        }
    }

    /// Aborts uploads in parts that nobody finishes any more.
    async fn abort_uploads(&self) -> Result<(), BlobError> {
        let Backend::Remote(remote) = &self.shared.backend else {
            return Ok(());
        };
        let (database, now) = (&self.shared.database, self.shared.clock.now());
        let until = self.shared.backend.orphaned_before(now, self.shared.opened);
        for (id, upload) in table::unfinished(database, until).await? {
            remote.abort(id, &upload).await?;
            table::forget_upload(database, id).await?;
        }
        Ok(())
    }

    /// Looks at what was made since the last look, up to where it would be an orphan.
    async fn adopt_orphans(&self) -> Result<usize, BlobError> {
        let database = &self.shared.database;
        let now = self.shared.clock.now();
        let from = table::swept(database).await?;
        let until = self.shared.backend.orphaned_before(now, self.shared.opened);
        if until <= from {
            return Ok(0);
        }
        let orphans = self.orphans_within(from, until).await?;
        // also those that were too young the last time
        let since = from.plus_millis(-2 * 3_600_000);
        self.shared.backend.remove_empty(since, now).await?;
        table::adopt(database, &orphans, now, until).await?;
        Ok(orphans.len())
    }

    async fn orphans_within(&self, from: Timestamp, until: Timestamp) -> Result<Vec<BlobId>, BlobError> {
        let mut files = self.shared.backend.made_within(from, until).await?;
        if files.is_empty() {
            return Ok(files);
        }
        let rows = table::made_within(&self.shared.database, from, until).await?;
        let rows: HashSet<BlobId> = rows.into_iter().collect();
        files.retain(|id| !rows.contains(id));
        Ok(files)
    }
}
