//! Where content is, and whose it is.

use std::sync::Arc;

use tradewind_model::Timestamp;

use super::folder::Folder;
use super::remote::Remote;
use super::{BlobError, BlobId, Place, blocking, table};
use crate::Database;

/// The two kinds of places.
#[derive(Clone, Debug)]
pub(super) enum Backend {
    Folder(Arc<Folder>),
    Remote(Arc<Remote>),
}

impl Backend {
    pub(super) async fn open(place: &Place, reserve: u64) -> Result<Self, BlobError> {
        match place.clone() {
            Place::Folder(root) => {
                let folder = blocking(move || Folder::open(root, reserve)).await?;
                Ok(Self::Folder(Arc::new(folder)))
            }
            Place::Remote(config) => Ok(Self::Remote(Arc::new(Remote::open(&config)?))),
        }
    }

    /// Makes sure that the place belongs to the database, and that its content is there.
    pub(super) async fn claim(&self, database: &Database, place: &Place) -> Result<(), BlobError> {
        let here = match place {
            Place::Folder(root) => format!("the folder {}", root.display()),
            Place::Remote(config) => config.location(),
        };
        let (owner, there) = table::owner(database, &here).await?;
        match self.marker().await? {
            Some(marker) if marker == owner => {}
            Some(_) => return Err(BlobError::Foreign(here)),
            None if table::has_blobs(database).await? => return Err(BlobError::Elsewhere { here, there }),
            None => self.put_marker(owner).await?,
        }
        if there != here {
            table::record_location(database, &here).await?;
        }
        Ok(())
    }

    async fn marker(&self) -> Result<Option<String>, BlobError> {
        match self {
            Self::Folder(folder) => {
                let folder = Arc::clone(folder);
                blocking(move || folder.marker()).await
            }
            Self::Remote(remote) => remote.marker().await,
        }
    }

    async fn put_marker(&self, owner: String) -> Result<(), BlobError> {
        match self {
            Self::Folder(folder) => {
                let folder = Arc::clone(folder);
                blocking(move || folder.put_marker(&owner)).await
            }
            Self::Remote(remote) => remote.put_marker(&owner).await,
        }
    }

    /// How long a dropped blob stays, in milliseconds, for those who read its owner's row just before. A
    /// reader of a file that has opened it keeps it; a reader of an object asks again and again.
    pub(super) fn grace(&self) -> i64 {
        match self {
            Self::Folder(_) => 30_000,
            Self::Remote(_) => 3_600_000,
        }
    }

    /// What was made before this and has no row is an orphan. A blob must be kept within an hour of its
    /// last byte, in a folder; within a day of its first, in a remote store.
    pub(super) fn orphaned_before(&self, now: Timestamp, opened: Timestamp) -> Timestamp {
        match self {
            // what a former process wrote will not be kept any more
            Self::Folder(_) => now.plus_millis(-3_600_000).max(opened),
            Self::Remote(_) => now.plus_millis(-86_400_000),
        }
    }

    pub(super) async fn made_within(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<BlobId>, BlobError> {
        match self {
            Self::Folder(folder) => {
                let folder = Arc::clone(folder);
                blocking(move || folder.made_within(from.as_millis(), until.as_millis())).await
            }
            Self::Remote(remote) => remote.made_within(from, until).await,
        }
    }

    /// Removes empty folders of what was made since `from`, where nothing is made any more.
    pub(super) async fn remove_empty(&self, from: Timestamp, now: Timestamp) -> Result<(), BlobError> {
        let Self::Folder(folder) = self else { return Ok(()) };
        let (folder, settled) = (Arc::clone(folder), settled(now));
        blocking(move || folder.remove_empty(from.as_millis(), settled)).await
    }

    pub(super) async fn remove(&self, ids: Vec<BlobId>, now: Timestamp) -> Result<(), BlobError> {
        match self {
            Self::Folder(folder) => {
                let folder = Arc::clone(folder);
                blocking(move || folder.remove(&ids, settled(now))).await
            }
            Self::Remote(remote) => remote.remove(&ids).await,
        }
    }
}

/// Before this no folder gets new files: a file is published in the moment that its id names.
fn settled(now: Timestamp) -> i64 {
    now.as_millis() - SETTLED_MS
}

/// Longer than any clock is set back, and any disk takes for a rename.
const SETTLED_MS: i64 = 3_600_000;
