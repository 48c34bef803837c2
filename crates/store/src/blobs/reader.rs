//! Bytes on their way out of the store.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::encoder::Decoder;
use super::keys::WRAPPED;
use super::{BlobError, BlobId, Content, Shared, blocking, table};

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
    Ahead(JoinHandle<Result<(Bytes, Box<Plan>), BlobError>>),
    /// Nothing is left.
    End,
}

/// What is still to be read of a file.
#[derive(Debug)]
struct Plan {
    file: File,
    id: BlobId,
    decoder: Decoder,
}

impl BlobReader {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        content: &Content,
        range: Range<u64>,
    ) -> Result<Self, BlobError> {
        let source = match content {
            Content::Inline(bytes) => Source::Inline(slice(bytes, &range)?),
            Content::SealedInline(sealed) => open_inline(shared, sealed, &range)?,
            Content::Blob(id) => open_file(shared, *id, range.clone()).await?,
        };
        let source = if range.is_empty() { Source::End } else { source };
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
            let read = ahead.await.map_err(|_stopped| BlobError::Stopped).flatten();
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
                    self.source = Source::Ahead(tokio::task::spawn_blocking(|| plan.piece()));
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

fn slice(bytes: &Bytes, range: &Range<u64>) -> Result<Bytes, BlobError> {
    within(range, bytes.len() as u64)?;
    let out_of_range = |_| BlobError::Stopped;
    let start = usize::try_from(range.start).map_err(out_of_range)?;
    let end = usize::try_from(range.end).map_err(out_of_range)?;
    Ok(bytes.slice(start..end))
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
    Ok(Source::Inline(slice(&bytes.into(), range)?))
}

/// Opens the file and reads its first piece in one go, so that a file that is missing is known before
/// an answer begins.
async fn open_file(shared: &Arc<Shared>, id: BlobId, range: Range<u64>) -> Result<Source, BlobError> {
    let facts = table::facts(shared, id).await?;
    within(&range, facts.size)?;
    let key = match &facts.wrapped_key {
        None => None,
        Some(wrapped) => Some(shared.keyring.unwrap(wrapped).ok_or(BlobError::Damaged {
            id,
            detail: "its key cannot be unwrapped",
        })?),
    };
    let folder = Arc::clone(&shared.folder);
    let decoder = Decoder::new(&facts, key, range);
    if decoder.is_done() {
        return Ok(Source::End);
    }
    let read = blocking(move || {
        let file = folder.read(id)?;
        Box::new(Plan { file, id, decoder }).piece()
    });
    let (bytes, plan) = read.await?;
    Ok(Source::Read(bytes, plan))
}

impl Plan {
    /// The next piece. Blocks.
    fn piece(mut self: Box<Self>) -> Result<(Bytes, Box<Self>), BlobError> {
        let wants = self.decoder.wants();
        let length = usize::try_from(wants.end - wants.start).expect("a piece fits into memory");
        let mut stored = vec![0; length];
        match self.file.read_exact_at(&mut stored, wants.start) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged("its file is too short"));
            }
            result => result.map_err(BlobError::io("read the content", self.id.to_string()))?,
        }
        let bytes = self.decoder.decode(stored);
        Ok((bytes.map_err(|detail| self.damaged(detail))?, self))
    }

    fn damaged(&self, detail: &'static str) -> BlobError {
        BlobError::Damaged { id: self.id, detail }
    }
}
