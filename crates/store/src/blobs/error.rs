//! What can go wrong with content.

use std::path::PathBuf;

use super::{BlobId, InvalidContent, KeyError};
use crate::DatabaseError;

/// Why content could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// The disk has no room above its reserve; nothing was written. Retry when there is.
    #[error("the disk of {path} has {free} bytes free, and {reserve} bytes of it are kept in reserve")]
    Full {
        /// The folder.
        path: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes that must stay free.
        reserve: u64,
    },
    /// A file could not be worked on.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// The step.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// No row names the blob: it was dropped.
    #[error("the content {0} is gone")]
    Gone(BlobId),
    /// A row names the blob, and its bytes are missing or not those that were written.
    #[error("the content {id} is damaged: {detail}")]
    Damaged {
        /// Which.
        id: BlobId,
        /// What is wrong.
        detail: &'static str,
    },
    /// Content of a row that is encrypted cannot be opened: it was changed, or its master key is missing.
    #[error("content of a row cannot be decrypted")]
    DamagedInline,
    /// The master keys cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The range does not lie within the content.
    #[error("the range {start}-{end} does not lie within {size} bytes")]
    OutOfRange {
        /// First byte.
        start: u64,
        /// One after the last.
        end: u64,
        /// The content's bytes.
        size: u64,
    },
    /// The owner's column says nothing known.
    #[error(transparent)]
    Column(#[from] InvalidContent),
    /// The rows could not be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The remote store refused or could not be reached.
    #[error("cannot {what} the blob store: {source}")]
    Remote {
        /// The step.
        what: &'static str,
        /// Its words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The place belongs to another database, to which its content would be lost.
    #[error("{0} holds the content of another tradewind; give this one a place of its own")]
    Foreign(String),
    /// The database has content that is not here.
    #[error(
        "the content of this database is in {there}, not in {here}; bring it there or start with the former place"
    )]
    Elsewhere {
        /// Where it was looked for.
        here: String,
        /// Where it was written.
        there: String,
    },
    /// The node is stopping.
    #[error("the blob store is stopping")]
    Stopped,
}

impl BlobError {
    /// Adds the step and the path; a full disk becomes [`BlobError::Full`].
    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full {
                path,
                free: 0,
                reserve: 0,
            },
            _ => Self::Io { what, path, source },
        }
    }
}
