//! Bytes on their way out of the store.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::table::{self, Facts};
use super::{BlobError, BlobId, Content, PIECE, Shared, blocking};

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
struct Plan {
    file: File,
    id: BlobId,
    left: Range<u64>,
    /// Checks the whole, where the whole is read.
    verify: Option<(crc_fast::Digest, u64)>,
}

impl BlobReader {
    pub(super) async fn open(
        shared: &Arc<Shared>,
        content: &Content,
        range: Range<u64>,
    ) -> Result<Self, BlobError> {
        let source = match content {
            Content::Inline(bytes) => Source::Inline(slice(bytes, &range)?),
            Content::Blob(id) => open_file(shared, *id, range.clone()).await?,
        };
        let source = if range.is_empty() { Source::End } else { source };
        Ok(Self { source })
    }

    /// The next bytes, at most [`PIECE`]; `None` when all were given. When the content proves damaged,
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
                if !plan.left.is_empty() {
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

/// Opens the file and reads its first piece in one go, so that a file that is missing is known before
/// an answer begins.
async fn open_file(shared: &Arc<Shared>, id: BlobId, range: Range<u64>) -> Result<Source, BlobError> {
    let facts = table::facts(shared, id).await?;
    within(&range, facts.size)?;
    let folder = Arc::clone(&shared.folder);
    let (bytes, plan) =
        blocking(move || Box::new(Plan::new(folder.read(id)?, &facts, range)).piece()).await?;
    Ok(Source::Read(bytes, plan))
}

impl Plan {
    fn new(file: File, facts: &Facts, range: Range<u64>) -> Self {
        let whole = range == (0..facts.size);
        let digest = || crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
        Self {
            file,
            id: facts.id,
            left: range,
            verify: whole.then(|| (digest(), facts.checksum)),
        }
    }

    fn piece(mut self: Box<Self>) -> Result<(Bytes, Box<Self>), BlobError> {
        let length = (self.left.end - self.left.start).min(PIECE as u64);
        let mut buffer = vec![0; usize::try_from(length).unwrap_or(PIECE)];
        match self.file.read_exact_at(&mut buffer, self.left.start) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(self.damaged("its file is too short"));
            }
            result => result.map_err(BlobError::io("read the content", self.id.to_string()))?,
        }
        self.left.start += length;
        self.check(&buffer)?;
        Ok((buffer.into(), self))
    }

    fn check(&mut self, piece: &[u8]) -> Result<(), BlobError> {
        let Some((digest, expected)) = &mut self.verify else {
            return Ok(());
        };
        digest.update(piece);
        if self.left.is_empty() && digest.finalize() != *expected {
            return Err(self.damaged("its checksum is not that of what was written"));
        }
        Ok(())
    }

    fn damaged(&self, detail: &'static str) -> BlobError {
        BlobError::Damaged { id: self.id, detail }
    }
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("id", &self.id)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
