//! Between content and the bytes that are stored: checksums of plain content, encryption.

use std::ops::Range;

use bytes::Bytes;

use super::cipher::{self, CHUNK, DataKey};
use super::table::Facts;

/// Turns content into what is stored of it.
#[derive(Debug)]
pub(super) struct Encoder(Form);

enum Form {
    Plain(Box<crc_fast::Digest>),
    Sealed { key: DataKey, chunks: u64, out: Vec<u8> },
}

impl Encoder {
    pub(super) fn new(key: Option<DataKey>) -> Self {
        Self(match key {
            Some(key) => Form::Sealed {
                key,
                chunks: 0,
                out: Vec::new(),
            },
            None => Form::Plain(digest()),
        })
    }

    /// The stored form of the next piece: whole chunks, but for the last.
    pub(super) fn encode<'a>(&'a mut self, piece: &'a [u8], last: bool) -> &'a [u8] {
        match &mut self.0 {
            Form::Plain(digest) => {
                digest.update(piece);
                piece
            }
            Form::Sealed { key, chunks, out } => {
                out.clear();
                key.seal(piece, *chunks, last, out);
                *chunks += cipher::chunk_of(piece.len() as u64);
                out
            }
        }
    }

    /// CRC-64/NVME of all pieces; 0 of what was encrypted.
    pub(super) fn checksum(&self) -> u64 {
        match &self.0 {
            Form::Plain(digest) => digest.finalize(),
            Form::Sealed { .. } => 0,
        }
    }
}

/// Turns what is stored into the content of a range, piece by piece.
#[derive(Debug)]
pub(super) struct Decoder {
    left: Range<u64>,
    size: u64,
    /// Bytes of a piece: whole chunks.
    piece: u64,
    form: Stored,
}

enum Stored {
    Plain,
    /// The whole is read, and its checksum verified.
    Verified(Box<crc_fast::Digest>, u64),
    Sealed(DataKey),
}

impl Decoder {
    /// Of a range of content, with the key where it is encrypted, in pieces of so many bytes.
    pub(super) fn new(facts: &Facts, key: Option<DataKey>, range: Range<u64>, piece: u64) -> Self {
        let form = match key {
            Some(key) => Stored::Sealed(key),
            None if range == (0..facts.size) => Stored::Verified(digest(), facts.checksum),
            None => Stored::Plain,
        };
        Self {
            left: range,
            size: facts.size,
            piece,
            form,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// The stored bytes that give the next piece.
    pub(super) fn wants(&self) -> Range<u64> {
        match self.form {
            Stored::Plain | Stored::Verified(..) => self.next(),
            Stored::Sealed(_) => cipher::extent(&self.next(), self.size),
        }
    }

    /// The content of the next piece: it ends where a piece ends, so that no chunk is opened twice.
    fn next(&self) -> Range<u64> {
        let end = (self.left.start / self.piece + 1) * self.piece;
        self.left.start..end.min(self.left.end)
    }

    /// The next piece from the bytes that it [wants](Decoder::wants).
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn decode(&mut self, mut stored: Vec<u8>) -> Result<Bytes, &'static str> {
        let next = self.next();
        self.left.start = next.end;
        match &mut self.form {
            Stored::Plain => Ok(stored.into()),
            Stored::Verified(digest, expected) => {
                digest.update(&stored);
                if self.left.is_empty() && digest.finalize() != *expected {
                    return Err("its checksum is not that of what was written");
                }
                Ok(stored.into())
            }
            Stored::Sealed(key) => {
                let first = cipher::chunk_of(next.start);
                let ends = next.end.div_ceil(CHUNK as u64) == self.size.div_ceil(CHUNK as u64);
                key.open(&mut stored, first, ends)
                    .map_err(|_tampered| "it is not what was encrypted")?;
                let skip = next.start - first * CHUNK as u64;
                Ok(Bytes::from(stored).slice(index(skip)..index(skip + next.end - next.start)))
            }
        }
    }
}

fn digest() -> Box<crc_fast::Digest> {
    Box::new(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme))
}

/// An offset within a piece.
fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a piece fits into memory")
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Sealed { .. } => "Sealed",
        })
    }
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Verified(..) => "Verified",
            Self::Sealed(_) => "Sealed",
        })
    }
}
