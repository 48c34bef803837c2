//! Bytes on their way into the store.

use std::io::Write as _;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::task::JoinHandle;

use super::faults::Step;
use super::folder::{Folder, Temporary};
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
    /// The piece that is on its way to the disk: one, while the next is gathered.
    busy: Option<JoinHandle<Result<Sink, BlobError>>>,
}

/// The file and what is known of its bytes. Moves to a blocking thread with each piece.
pub(super) struct Sink {
    folder: Arc<Folder>,
    temporary: Temporary,
    checksum: crc_fast::Digest,
    unsynced: u64,
    /// The memory of the piece before, for the next.
    spare: BytesMut,
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
    /// Its bytes.
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
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            buffer: BytesMut::new(),
            size: 0,
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
            let (now, later) = bytes.split_at(bytes.len().min(PIECE - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            self.size += now.len() as u64;
            bytes = later;
            if self.buffer.len() == PIECE {
                self.send_piece().await?;
            }
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
            return Ok(Stored {
                size: self.size,
                content: Content::Inline(self.buffer.freeze()),
                facts: None,
            });
        }
        let sink = self.idle_sink().await?;
        let folder = Arc::clone(&self.shared.folder);
        let id = BlobId::new(self.shared.clock.now());
        let (last, size) = (self.buffer, self.size);
        let facts = blocking(move || {
            let mut sink = Sink::or_new(sink, &folder)?;
            sink.append(&last)?;
            let facts = Facts {
                id,
                size,
                checksum: sink.checksum.finalize(),
            };
            folder.publish(sink.temporary, id)?;
            Ok(facts)
        })
        .await?;
        self.shared.facts.put(facts);
        Ok(Stored {
            size: self.size,
            content: Content::Blob(id),
            facts: Some(facts),
        })
    }

    async fn send_piece(&mut self) -> Result<(), BlobError> {
        let mut sink = self.idle_sink().await?;
        let spare = sink.as_mut().map(|sink| std::mem::take(&mut sink.spare));
        let piece = std::mem::replace(&mut self.buffer, spare.unwrap_or_default());
        let folder = Arc::clone(&self.shared.folder);
        self.busy = Some(tokio::task::spawn_blocking(move || {
            let mut sink = Sink::or_new(sink, &folder)?;
            sink.append(&piece)?;
            sink.spare = piece;
            sink.spare.clear();
            Ok(sink)
        }));
        Ok(())
    }

    /// The sink, when the piece before is written; none before the first piece.
    pub(super) async fn idle_sink(&mut self) -> Result<Option<Sink>, BlobError> {
        match self.busy.take() {
            Some(busy) => busy.await.map_err(|_stopped| BlobError::Stopped)?.map(Some),
            None => Ok(None),
        }
    }
}

impl Sink {
    fn or_new(sink: Option<Self>, folder: &Arc<Folder>) -> Result<Self, BlobError> {
        if let Some(sink) = sink {
            return Ok(sink);
        }
        folder.room_for(PIECE as u64)?;
        Ok(Self {
            temporary: folder.create()?,
            folder: Arc::clone(folder),
            checksum: crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme),
            unsynced: 0,
            spare: BytesMut::new(),
        })
    }

    fn append(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        self.checksum.update(piece);
        let mut write = || {
            self.folder.faults.reach(Step::Write)?;
            self.temporary.file.write_all(piece)?;
            self.unsynced += piece.len() as u64;
            if self.unsynced >= SYNC_EVERY {
                self.temporary.file.sync_data()?;
            }
            Ok(())
        };
        write().map_err(BlobError::io("write a file below", self.folder.root()))?;
        if self.unsynced >= SYNC_EVERY {
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
