//! Bytes on their way into the store.

use std::io::Write as _;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::task::JoinHandle;

use super::cipher::DataKey;
use super::encoder::Encoder;
use super::faults::Step;
use super::folder::{Folder, Temporary};
use super::keys::WrappedKey;
use super::table::Facts;
use super::{BlobError, BlobId, Content, INLINE_MAX, PIECE, Shared, blocking};

/// Bytes between two looks at the free space, and between two syncs of a long file: so the sync at
/// its end has little left to do.
const SYNC_EVERY: u64 = 16 * 1024 * 1024;

/// Takes content piece by piece. Dropped before [`BlobWriter::finish`], it leaves nothing.
#[derive(Debug)]
pub struct BlobWriter {
    shared: Arc<Shared>,
    buffer: BytesMut,
    size: u64,
    /// Taken by the sink with the first piece.
    encoder: Option<Encoder>,
    wrapped_key: Option<WrappedKey>,
    /// The piece that is on its way to the disk: one, while the next is gathered.
    busy: Option<JoinHandle<Result<Box<Sink>, BlobError>>>,
}

/// The file and what is known of its bytes. Moves to a blocking thread with each piece.
pub(super) struct Sink {
    folder: Arc<Folder>,
    temporary: Temporary,
    encoder: Encoder,
    unsynced: u64,
    /// The memory of the piece before, for the next.
    spare: BytesMut,
}

/// How far a writer is.
#[derive(Debug)]
pub(super) enum Progress {
    New(Encoder),
    Open(Box<Sink>),
}

/// Content that is stored, and exists once its owner's batch has [kept](super::Blobs::keep) it.
#[derive(Debug)]
#[must_use = "what is not kept is removed as an orphan"]
pub struct Stored {
    pub(super) size: u64,
    pub(super) content: Content,
    pub(super) facts: Option<Facts>,
}

impl Stored {
    /// Its bytes, as its writer got them.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What the owner's row says of it.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }
}

impl BlobWriter {
    pub(super) fn new(shared: Arc<Shared>, key: Option<(DataKey, WrappedKey)>) -> Self {
        let (key, wrapped_key) = key.unzip();
        Self {
            shared,
            buffer: BytesMut::new(),
            size: 0,
            encoder: Some(Encoder::new(key)),
            wrapped_key,
            busy: None,
        }
    }

    /// Appends bytes; waits while the disk is behind.
    ///
    /// # Errors
    /// When the disk is full or fails: then the writer is of no more use.
    ///
    /// # Cancel safety
    /// Not cancel-safe: drop the writer when a write was cancelled.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), BlobError> {
        while !bytes.is_empty() {
            // only when more comes: the last piece, which ends the content, is for `finish`
            if self.buffer.len() == PIECE {
                self.send_piece().await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            self.size += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    /// Makes the content durable. It exists for others once [`super::Blobs::keep`] has put it into a
    /// batch that committed.
    ///
    /// # Errors
    /// When the disk is full or fails: then nothing is stored.
    pub async fn finish(mut self) -> Result<Stored, BlobError> {
        if self.size <= INLINE_MAX as u64 {
            return Ok(self.inline());
        }
        let id = BlobId::new(self.shared.clock.now());
        let progress = self.idle().await?;
        let folder = Arc::clone(&self.shared.folder);
        let last = self.buffer;
        let checksum = blocking(move || {
            let mut sink = progress.sink(folder)?;
            sink.append(&last, true)?;
            sink.folder.publish(sink.temporary, id)?;
            Ok(sink.encoder.checksum())
        });
        let facts = Facts {
            id,
            size: self.size,
            checksum: checksum.await?,
            wrapped_key: self.wrapped_key.map(|key| key.as_slice().into()),
        };
        self.shared.facts.put(facts.clone());
        Ok(Stored {
            size: self.size,
            content: Content::Blob(id),
            facts: Some(facts),
        })
    }

    fn inline(self) -> Stored {
        let content = match (self.encoder, self.wrapped_key) {
            (Some(mut encoder), Some(key)) => {
                let sealed = encoder.encode(&self.buffer, true);
                Content::SealedInline([key.as_slice(), sealed].concat().into())
            }
            _ => Content::Inline(self.buffer.freeze()),
        };
        Stored {
            size: self.size,
            content,
            facts: None,
        }
    }

    async fn send_piece(&mut self) -> Result<(), BlobError> {
        let mut progress = self.idle().await?;
        let spare = match &mut progress {
            Progress::Open(sink) => std::mem::take(&mut sink.spare),
            Progress::New(_) => BytesMut::new(),
        };
        let piece = std::mem::replace(&mut self.buffer, spare);
        let folder = Arc::clone(&self.shared.folder);
        self.busy = Some(tokio::task::spawn_blocking(move || {
            let mut sink = progress.sink(folder)?;
            sink.append(&piece, false)?;
            sink.spare = piece;
            sink.spare.clear();
            Ok(sink)
        }));
        Ok(())
    }

    /// How far the writer is, when the piece before is written.
    pub(super) async fn idle(&mut self) -> Result<Progress, BlobError> {
        if let Some(encoder) = self.encoder.take() {
            return Ok(Progress::New(encoder));
        }
        let busy = self.busy.take().ok_or(BlobError::Stopped)?;
        Ok(Progress::Open(
            busy.await.map_err(|_stopped| BlobError::Stopped)??,
        ))
    }
}

impl Progress {
    /// The file, made with the first piece. Blocks.
    fn sink(self, folder: Arc<Folder>) -> Result<Box<Sink>, BlobError> {
        let encoder = match self {
            Self::Open(sink) => return Ok(sink),
            Self::New(encoder) => encoder,
        };
        folder.room_for(PIECE as u64)?;
        Ok(Box::new(Sink {
            temporary: folder.create()?,
            folder,
            encoder,
            unsynced: 0,
            spare: BytesMut::new(),
        }))
    }
}

impl Sink {
    fn append(&mut self, piece: &[u8], last: bool) -> Result<(), BlobError> {
        let stored = self.encoder.encode(piece, last);
        self.unsynced += stored.len() as u64;
        let sync = self.unsynced >= SYNC_EVERY;
        let mut write = || {
            self.folder.faults.reach(Step::Write)?;
            self.temporary.file.write_all(stored)?;
            if sync {
                self.temporary.file.sync_data()
            } else {
                Ok(())
            }
        };
        write().map_err(BlobError::io("write a file below", self.folder.root()))?;
        if sync {
            self.unsynced = 0;
            self.folder.room_for(SYNC_EVERY)?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink")
            .field("temporary", &self.temporary)
            .finish_non_exhaustive()
    }
}
