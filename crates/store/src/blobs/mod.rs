//! Content of any size, kept as files of the data folder or as objects of an S3-compatible store; small
//! content stays in its owner's row.
//!
//! A [`BlobWriter`] takes bytes and gives [`Stored`]: either the bytes themselves (up to
//! [`INLINE_MAX`]) or a blob, a file that is on disk whole, or an object. Its [`Content`] goes into the owner's row.
//!
//! ```text
//! writer ──bytes──▶ temporary file ──finish──▶ fsync ▶ rename ▶ fsync of the folder   (a file, an orphan)
//!                                                 └─▶ keep() in the owner's batch     (a blob: it exists)
//! drop_in() in the owner's batch ──grace for readers──▶ file removed ▶ row removed
//! ```
//!
//! # Invariants
//! - **A blob exists when a row of `blobs` names it**, and that row commits with the owner's. What a
//!   crash leaves between file and row is an orphan, which [`Blobs::tidy`] finds and removes.
//! - Content that was kept is on disk: [`BlobWriter::finish`] returns after file and folder are synced.
//! - A file never changes once it has its name. Its checksum is verified when it is read whole; every
//!   chunk of encrypted content is authenticated before its first byte is given.
//! - Memory is bounded both ways: two pieces of [`PIECE`] bytes a writer, two a reader; with a remote
//!   store two parts of 8 MiB a writer, two pieces of 4 MiB a reader.
//! - A place belongs to one database and says so (`place.rs`): another's blobs would look like orphans.
//! - Files are touched on blocking threads only.
//! - A write that would leave less than the reserve free is refused ([`BlobError::Full`]) and leaves nothing.
//!
//! # On disk
//! `<folder>/<6 digits>/<2 digits>/<id>`: ids are UUIDv7, so their first digits are time. A folder
//! holds what came within about 65 seconds: concurrent writers share the sync of one folder, and orphans
//! are looked for only where they can be.

mod cipher;
mod content;
mod encoder;
mod error;
mod faults;
mod folder;
mod held;
mod id;
mod keyring;
mod keys;
mod place;
mod reader;
mod remote;
mod sealer;
mod table;
mod tidy;
mod upload;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use tradewind_model::{Clock, Timestamp};

pub use content::{Content, InvalidContent};
pub use error::BlobError;
pub use held::Hold;
pub use id::{BlobId, InvalidBlobId};
pub use keys::{KeyError, KeyFile};
pub use reader::BlobReader;
pub use remote::{InvalidBlobsUrl, RemoteConfig};
pub use sealer::Sealer;
pub use table::MIGRATIONS;
pub use tidy::Tidied;
pub use writer::{BlobWriter, Stored};

use crate::{Batch, Database};
use keyring::Keyring;
use place::Backend;

/// Content up to this many bytes is kept in its owner's row: the commit that many share makes it durable, where a
/// file would want three syncs of its own.
pub const INLINE_MAX: usize = 64 * 1024;
/// Bytes that go to and come from the disk at a time.
pub const PIECE: usize = 256 * 1024;

/// What a blob store is made of.
#[derive(Debug)]
pub struct BlobsConfig {
    /// Where the rows are; migrated with [`MIGRATIONS`].
    pub database: Database,
    /// Gives ids their time and decides when what is dropped may go.
    pub clock: Clock,
    /// Where the content is.
    pub place: Place,
    /// Where the keys are that encrypted content's keys are wrapped with.
    pub keys: KeyFile,
    /// Bytes of the disk that stay free whatever is written, where the place is a folder.
    pub reserve: u64,
}

/// Where content is that is too large for a row.
#[derive(Clone, Debug)]
pub enum Place {
    /// A folder, of this process alone; made when it is missing.
    Folder(PathBuf),
    /// An S3-compatible store.
    Remote(RemoteConfig),
}

impl BlobsConfig {
    /// The reserve of a node that was told nothing: enough for the database to go on.
    pub const RESERVE: u64 = 256 * 1024 * 1024;
}

/// A node's blobs. Clones are handles to the same ones.
#[derive(Clone, Debug)]
pub struct Blobs {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    database: Database,
    clock: Clock,
    backend: Backend,
    /// What was made before is of a former process, and finished.
    opened: Timestamp,
    facts: table::FactCache,
    held: held::Held,
    keyring: Keyring,
}

impl Blobs {
    /// Opens the store; what writers of a former process left unfinished is removed.
    ///
    /// # Errors
    /// When the place cannot be reached or belongs to another database, or a master key that was used is
    /// not there.
    pub async fn open(config: BlobsConfig) -> Result<Self, BlobError> {
        let backend = Backend::open(&config.place, config.reserve).await?;
        Self::with_backend(config, backend).await
    }

    async fn with_backend(config: BlobsConfig, backend: Backend) -> Result<Self, BlobError> {
        backend.claim(&config.database, &config.place).await?;
        let shared = Shared {
            keyring: Keyring::open(config.keys, &config.database).await?,
            opened: config.clock.now(),
            database: config.database,
            clock: config.clock,
            backend,
            facts: table::FactCache::default(),
            held: held::Held::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Begins to write. `expected` is the size when it is known, so that what cannot fit is refused
    /// before its first byte.
    ///
    /// # Errors
    /// [`BlobError::Full`].
    pub async fn writer(&self, expected: Option<u64>) -> Result<BlobWriter, BlobError> {
        self.refuse_without_room(expected).await?;
        Ok(BlobWriter::new(Arc::clone(&self.shared), None, expected))
    }

    /// Like [`Blobs::writer`], of content that is encrypted at rest: AES-256-GCM under a key of its own,
    /// which is wrapped with the node's master key. Whoever reads it through here notices nothing.
    ///
    /// # Errors
    /// [`BlobError::Full`]; [`BlobError::Key`] when there is no master key and none can be made.
    pub async fn encrypting_writer(&self, expected: Option<u64>) -> Result<BlobWriter, BlobError> {
        self.refuse_without_room(expected).await?;
        let key = self.shared.keyring.data_key(&self.shared.database).await?;
        Ok(BlobWriter::new(Arc::clone(&self.shared), Some(key), expected))
    }

    /// Seals a short secret under a key of its own, which is wrapped with the node's master key.
    ///
    /// # Errors
    /// [`BlobError::Key`] when there is no master key and none can be made.
    pub async fn seal(&self, secret: &[u8]) -> Result<Vec<u8>, BlobError> {
        Ok(self.sealer().await?.seal(secret))
    }

    /// What seals without waiting, under the node's master key as it is now.
    ///
    /// # Errors
    /// [`BlobError::Key`] when there is no master key and none can be made.
    pub async fn sealer(&self) -> Result<Sealer, BlobError> {
        let keys = self.shared.keyring.ready(&self.shared.database).await?;
        Ok(Sealer::new(Arc::clone(keys)))
    }

    /// What [`Blobs::seal`] or a [`Sealer`] sealed; none if it was changed or its master key is not here.
    #[must_use]
    pub fn unseal(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (wrapped, sealed) = sealed.split_at_checked(keys::WRAPPED)?;
        let key = self.shared.keyring.unwrap(wrapped)?;
        let mut secret = sealed.to_vec();
        key.open(&mut secret, 0, true).ok()?;
        Some(secret)
    }

    async fn refuse_without_room(&self, expected: Option<u64>) -> Result<(), BlobError> {
        let expected = expected.unwrap_or(0);
        if let Backend::Folder(folder) = &self.shared.backend
            && expected > INLINE_MAX as u64
        {
            let folder = Arc::clone(folder);
            blocking(move || folder.room_for(expected)).await?;
        }
        Ok(())
    }

    /// Makes what was stored exist, with the owner's rows in the same batch. Once for each [`Stored`].
    #[must_use]
    pub fn keep(&self, batch: Batch, stored: &Stored) -> Batch {
        table::keep(batch, stored)
    }

    /// One more row owns this content: a copy that costs no bytes. The batch fails whole when the
    /// content was dropped by its last owner meanwhile.
    #[must_use]
    pub fn share(&self, batch: Batch, content: &Content) -> Batch {
        table::share(batch, content)
    }

    /// One row owns it no longer, as of the batch's commit. The last one dooms it: readers that have
    /// begun finish, then it goes.
    #[must_use]
    pub fn drop_in(&self, batch: Batch, content: &Content) -> Batch {
        table::drop_in(batch, content, self.shared.clock.now())
    }

    /// Keeps blobs for who will open them one after the other: who holds them before they are dropped, or soon
    /// after, finds them all.
    #[must_use]
    pub fn hold<'c>(&self, contents: impl Iterator<Item = &'c Content>) -> Hold {
        Hold::new(&self.shared, contents)
    }

    /// Reads the bytes of `range`, which must lie within the content.
    ///
    /// # Errors
    /// When it is gone, damaged, shorter than the range, or cannot be read.
    pub async fn read(
        &self,
        content: &Content,
        range: std::ops::Range<u64>,
    ) -> Result<BlobReader, BlobError> {
        BlobReader::open(&self.shared, content, range).await
    }
}

/// Runs file work on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_stopped| BlobError::Stopped)?
}

#[cfg(test)]
mod tests;
