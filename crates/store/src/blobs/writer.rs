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
use super::place::Backend;
use super::table::Facts;
use super::upload::Upload;
use super::{BlobError, BlobId, Content, INLINE_MAX, PIECE, Shared, blocking};

/// Bytes between two looks at the free space, and between two syncs of a long file: so the sync at
/// its end has little left to do.
const SYNC_EVERY: u64 = 16 * 1024 * 1024;

/// Takes content piece by piece. Dropped before [`BlobWriter::finish`], it leaves nothing, or an
/// unfinished upload that [`super::Blobs::tidy`] aborts.
#[derive(Debug)]
pub struct BlobWriter {
    shared: Arc<Shared>,
    buffer: BytesMut,
    size: u64,
    wrapped_key: Option<WrappedKey>,
    progress: Progress,
}

/// How far a writer is.
#[derive(Debug)]
enum Progress {
    Idle(Target),
    /// A piece is on its way to the disk: one, while the next is gathered.
    Busy(JoinHandle<Result<Box<Sink>, BlobError>>),
    /// A piece could not be written.
    Failed,
}

/// Where content goes that is too large for a row.
#[derive(Debug)]
pub(super) enum Target {
    /// A file that is made with its first piece.
    New(Arc<Folder>, Encoder),
    File(Box<Sink>),
    Remote(Box<Upload>),
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

/// Content that is stored, and exists once its owner's batch has [kept](super::Blobs::keep) it.
#[derive(Debug)]
#[must_use = "what is not kept is removed as an orphan"]
pub struct Stored {
    pub(super) size: u64,
    pub(super) content: Content,
    pub(super) facts: Option<Facts>,
    /// In parts, of which the database knows.
    pub(super) uploaded: bool,
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
    pub(super) fn new(
        shared: Arc<Shared>,
        key: Option<(DataKey, WrappedKey)>,
        expected: Option<u64>,
    ) -> Self {
        let (key, wrapped_key) = key.unzip();
        let encoder = Encoder::new(key);
        let target = match &shared.backend {
            Backend::Folder(folder) => Target::New(Arc::clone(folder), encoder),
            Backend::Remote(remote) => {
                let upload = Upload::new(Arc::clone(&shared), Arc::clone(remote), encoder);
                Target::Remote(Box::new(upload))
            }
        };
        Self {
            shared,
            buffer: BytesMut::with_capacity(expected.map_or(0, first_piece)),
            size: 0,
            wrapped_key,
            progress: Progress::Idle(target),
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
        let target = self.idle().await?;
        if self.size <= INLINE_MAX as u64 {
            return Ok(self.inline(target.encoder()));
        }
        let last = self.buffer;
        let (id, checksum, uploaded) = match target {
            Target::Remote(upload) => upload.finish(&last).await?,
            file => {
                let id = BlobId::new(self.shared.clock.now());
                let checksum = blocking(move || file.sink()?.finish(&last, id)).await?;
                (id, checksum, false)
            }
        };
        let facts = Facts {
            id,
            size: self.size,
            checksum,
            wrapped_key: self.wrapped_key.map(|key| key.as_slice().into()),
        };
        self.shared.facts.put(facts.clone());
        Ok(Stored {
            size: self.size,
            content: Content::Blob(id),
            facts: Some(facts),
            uploaded,
        })
    }

    fn inline(self, encoder: Option<Encoder>) -> Stored {
        let content = match (encoder, self.wrapped_key) {
            (Some(mut encoder), Some(key)) => {
                let sealed = encoder.encode(&self.buffer, true);
                Content::SealedInline([key.as_slice(), sealed].concat().into())
            }
            (_, _) => Content::Inline(self.buffer.freeze()),
        };
        Stored {
            size: self.size,
            content,
            facts: None,
            uploaded: false,
        }
    }

    async fn send_piece(&mut self) -> Result<(), BlobError> {
        let mut target = self.idle().await?;
        if let Target::Remote(upload) = &mut target {
            upload.append(&self.buffer).await?;
            self.buffer.clear();
            self.progress = Progress::Idle(target);
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, target.spare());
        self.progress = Progress::Busy(tokio::task::spawn_blocking(move || {
            let mut sink = target.sink()?;
            sink.append(&piece, false)?;
            sink.spare = piece;
            sink.spare.clear();
            Ok(sink)
        }));
        Ok(())
    }

    /// The target, when the piece before is written.
    pub(super) async fn idle(&mut self) -> Result<Target, BlobError> {
        match std::mem::replace(&mut self.progress, Progress::Failed) {
            Progress::Idle(target) => Ok(target),
            Progress::Busy(busy) => Ok(Target::File(busy.await.map_err(|_stopped| BlobError::Stopped)??)),
            Progress::Failed => Err(BlobError::Stopped),
        }
    }
}

/// What is gathered of so many bytes before the first piece is on its way.
fn first_piece(expected: u64) -> usize {
    usize::try_from(expected).unwrap_or(PIECE).min(PIECE)
}

impl Target {
    /// The encoder, where nothing was encoded yet.
    fn encoder(self) -> Option<Encoder> {
        match self {
            Self::New(_, encoder) => Some(encoder),
            Self::Remote(upload) => Some(upload.into_encoder()),
            Self::File(_) => None,
        }
    }

    /// The memory of the piece before.
    fn spare(&mut self) -> BytesMut {
        match self {
            Self::File(sink) => std::mem::take(&mut sink.spare),
            Self::New(..) | Self::Remote(_) => BytesMut::new(),
        }
    }

    /// The file, made when it is the first piece. Blocks.
    fn sink(self) -> Result<Box<Sink>, BlobError> {
        let (folder, encoder) = match self {
            Self::File(sink) => return Ok(sink),
            Self::New(folder, encoder) => (folder, encoder),
            Self::Remote(_) => return Err(BlobError::Stopped),
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
    /// Writes the last piece and gives the file its name; gives its checksum.
    fn finish(mut self, last: &[u8], id: BlobId) -> Result<u64, BlobError> {
        self.append(last, true)?;
        self.folder.publish(self.temporary, id)?;
        Ok(self.encoder.checksum())
    }

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
