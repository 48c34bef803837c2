//! What is nobody's goes: dropped blobs after a grace, orphans when they are found.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tradewind_model::Timestamp;

use super::faults::Step;
use super::{BlobError, BlobId, Blobs, blocking, table};

/// How long a dropped blob's file stays, for those who read its owner's row just before. A reader that
/// has opened the file keeps it.
const GRACE_MILLIS: i64 = 60_000;
/// How long after its file was made a blob may still be kept; later it is an orphan.
const ORPHAN_MILLIS: i64 = 3_600_000;
/// Blobs removed with one commit.
const REMOVED_AT_ONCE: u32 = 500;
/// The pause between two rounds.
const EVERY: Duration = Duration::from_secs(60);

/// What one [`Blobs::tidy`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Dropped blobs whose files are gone.
    pub removed: usize,
    /// Files without a row, which go with the next one.
    pub orphans: usize,
}

impl Blobs {
    /// Tidies every minute until `stop`. A failure is logged and tried again.
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
        let orphans = self.adopt_orphans().await?;
        let removed = self.remove_dropped().await?;
        Ok(Tidied { removed, orphans })
    }

    async fn remove_dropped(&self) -> Result<usize, BlobError> {
        let until = self.shared.clock.now().plus_millis(-GRACE_MILLIS);
        let mut removed = 0;
        loop {
            let gone = table::dropped(&self.shared.database, until, REMOVED_AT_ONCE).await?;
            if gone.is_empty() {
                return Ok(removed);
            }
            let (folder, files) = (Arc::clone(&self.shared.folder), gone.clone());
            // the row goes last: after a crash in between, this is done again
            blocking(move || {
                folder.remove(&files)?;
                folder
                    .faults
                    .reach(Step::RemoveRow)
                    .map_err(BlobError::io("remove the row of", ""))
            })
            .await?;
            table::forget(&self.shared, &gone).await?;
            removed += gone.len();
        }
    }

    /// Looks at what was made since the last look, up to an hour ago; files of a former process can be
    /// looked at at once.
    async fn adopt_orphans(&self) -> Result<usize, BlobError> {
        let database = &self.shared.database;
        let now = self.shared.clock.now();
        let from = table::swept(database).await?;
        let until = now.plus_millis(-ORPHAN_MILLIS).max(self.shared.opened);
        if until <= from {
            return Ok(0);
        }
        let orphans = self.orphans_within(from, until).await?;
        table::adopt(database, &orphans, now, until).await?;
        Ok(orphans.len())
    }

    async fn orphans_within(&self, from: Timestamp, until: Timestamp) -> Result<Vec<BlobId>, BlobError> {
        let folder = Arc::clone(&self.shared.folder);
        let mut files = blocking(move || folder.made_within(from.as_millis(), until.as_millis())).await?;
        if files.is_empty() {
            return Ok(files);
        }
        let rows = table::made_within(&self.shared.database, from, until).await?;
        let rows: HashSet<BlobId> = rows.into_iter().collect();
        files.retain(|id| !rows.contains(id));
        Ok(files)
    }
}
