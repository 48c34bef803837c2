//! Bytes on their way out of the store.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::encoder::Decoder;
use super::keys::WRAPPED;
use super::place::Backend;
use super::remote::Remote;
use super::{BlobError, BlobId, Content, PIECE, Shared, blocking, table};

/// Gives the bytes of a range piece by piece.
#[derive(Debug)]
pub struct BlobReader {
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Bytes of the row.
    Inline(Bytes),
    /// A piece that was read, and what follows.
    Read(Bytes, Box<Plan>),
    /// A piece that is being read before it is asked for.
    Ahead(JoinSet<Piece>),
    /// Nothing is left.
    End,
}

type Piece = Result<(Bytes, Box<Plan>), BlobError>;

/// What is still to be read of a blob.
#[derive(Debug)]
struct Plan {
    id: BlobId,
    from: From,
    decoder: Decoder,
}

#[derive(Debug)]
enum From {
    File(File),
    Remote(Arc<Remote>),
}

/// Bytes that come from a remote store at a time.
const REMOTE_PIECE: usize = 4 * 1024 * 1024;

impl BlobReader {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        content: &Content,
        range: Range<u64>,
    ) -> Result<Self, BlobError> {
        let source = match content {
            Content::Inline(bytes) => inline(bytes, &range)?,
            Content::SealedInline(sealed) => open_inline(shared, sealed, &range)?,
            Content::Blob(id) => open_blob(shared, *id, range.clone()).await?,
        };
        Ok(Self { source })
    }

    /// The next bytes, at most [`PIECE`](super::PIECE); `None` when all were given. When the content proves damaged,
    /// its last bytes are withheld and this fails.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read; then nothing follows.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Bytes, BlobError>> {
        if let Source::Ahead(ahead) = &mut self.source {
            let read = ahead.join_next().await.unwrap_or(Ok(Err(BlobError::Stopped)));
            let read = read.map_err(|_stopped| BlobError::Stopped).flatten();
            self.source = match read {
                Ok((bytes, plan)) => Source::Read(bytes, plan),
                Err(error) => {
                    self.source = Source::End;
                    return Some(Err(error));
                }
            };
        }
        match std::mem::replace(&mut self.source, Source::End) {
            Source::Inline(bytes) => Some(Ok(bytes)),
            Source::Read(bytes, plan) => {
                if !plan.decoder.is_done() {
                    self.source = Source::ahead(plan);
                }
                Some(Ok(bytes))
            }
            Source::Ahead(_) | Source::End => None,
        }
    }

    /// All of it in one piece, for content that is known to be small.
    ///
    /// # Errors
    /// See [`BlobReader::next`].
    pub async fn collect(mut self) -> Result<Vec<u8>, BlobError> {
        let mut whole = Vec::new();
        while let Some(bytes) = self.next().await {
            whole.extend_from_slice(&bytes?);
        }
        Ok(whole)
    }
}

impl Source {
    fn ahead(plan: Box<Plan>) -> Self {
        let mut ahead = JoinSet::new();
        match plan.from {
            From::File(_) => ahead.spawn_blocking(|| plan.piece_of_file()),
            From::Remote(_) => ahead.spawn(plan.piece()),
        };
        Self::Ahead(ahead)
    }
}

fn inline(bytes: &Bytes, range: &Range<u64>) -> Result<Source, BlobError> {
    within(range, bytes.len() as u64)?;
    let out_of_range = |_| BlobError::Stopped;
    let start = usize::try_from(range.start).map_err(out_of_range)?;
    let end = usize::try_from(range.end).map_err(out_of_range)?;
    let bytes = bytes.slice(start..end);
    Ok(if bytes.is_empty() {
        Source::End
    } else {
        Source::Inline(bytes)
    })
}

fn within(range: &Range<u64>, size: u64) -> Result<(), BlobError> {
    if range.start <= range.end && range.end <= size {
        return Ok(());
    }
    Err(BlobError::OutOfRange {
        start: range.start,
        end: range.end,
        size,
    })
}

/// Opens encrypted content of a row.
fn open_inline(shared: &Shared, sealed: &Bytes, range: &Range<u64>) -> Result<Source, BlobError> {
    let (wrapped, sealed) = sealed.split_at_checked(WRAPPED).ok_or(BlobError::DamagedInline)?;
    let key = shared.keyring.unwrap(wrapped).ok_or(BlobError::DamagedInline)?;
    let mut bytes = sealed.to_vec();
    key.open(&mut bytes, 0, true)
        .map_err(|_tampered| BlobError::DamagedInline)?;
    inline(&bytes.into(), range)
}

/// Reads the first piece, so that content that is missing is known before an answer begins.
async fn open_blob(shared: &Arc<Shared>, id: BlobId, range: Range<u64>) -> Result<Source, BlobError> {
    let facts = table::facts(shared, id).await?;
    within(&range, facts.size)?;
    if range.is_empty() {
        return Ok(Source::End);
    }
    let key = match &facts.wrapped_key {
        None => None,
        Some(wrapped) => Some(shared.keyring.unwrap(wrapped).ok_or(BlobError::Damaged {
            id,
            detail: "its key cannot be unwrapped",
        })?),
    };
    let decoder = |piece: usize| Decoder::new(&facts, key, range, piece as u64);
    let (bytes, plan) = match &shared.backend {
        Backend::Folder(folder) => {
            let (folder, decoder) = (Arc::clone(folder), decoder(PIECE));
            let first = blocking(move || {
                let from = From::File(folder.read(id)?);
                Plan::new(id, from, decoder).piece_of_file()
            });
            first.await?
        }
        Backend::Remote(remote) => {
            let from = From::Remote(Arc::clone(remote));
            Plan::new(id, from, decoder(REMOTE_PIECE)).piece().await?
        }
    };
    Ok(Source::Read(bytes, plan))
}

impl Plan {
    fn new(id: BlobId, from: From, decoder: Decoder) -> Box<Self> {
        Box::new(Self { id, from, decoder })
    }

    async fn piece(self: Box<Self>) -> Piece {
        let From::Remote(remote) = &self.from else {
            return blocking(move || self.piece_of_file()).await;
        };
        let stored = remote.get(self.id, self.decoder.wants()).await?;
        blocking(move || self.decode(stored.into())).await
    }

    /// Blocks.
    fn piece_of_file(self: Box<Self>) -> Piece {
        let From::File(file) = &self.from else {
            return Err(BlobError::Stopped);
        };
        let wants = self.decoder.wants();
        let length = usize::try_from(wants.end - wants.start).expect("a piece fits into memory");
        let mut stored = vec![0; length];
        match file.read_exact_at(&mut stored, wants.start) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged("its file is too short"));
            }
            result => result.map_err(BlobError::io("read the content", self.id.to_string()))?,
        }
        self.decode(stored)
    }

    fn decode(mut self: Box<Self>, stored: Vec<u8>) -> Piece {
        let bytes = self.decoder.decode(stored);
        Ok((bytes.map_err(|detail| self.damaged(detail))?, self))
    }

    fn damaged(&self, detail: &'static str) -> BlobError {
        BlobError::Damaged { id: self.id, detail }
    }
}
