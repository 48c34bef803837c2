//! Encryption of content at rest: AES-256-GCM in chunks, each blob under a key of its own.
//!
//! Stored form: chunks of [`CHUNK`] bytes, the last one shorter or full, each followed by its tag of
//! 16 bytes. A chunk's nonce is its number and whether it is the last: no chunk can change its place,
//! and none can be missing at the end. A range costs the chunks that it touches.

use std::ops::Range;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Bytes of content that are sealed together.
pub(super) const CHUNK: usize = 64 * 1024;
/// Bytes of an authentication tag.
pub(super) const TAG: usize = 16;
const SEALED_CHUNK: u64 = (CHUNK + TAG) as u64;

/// A key of one blob.
pub(super) struct DataKey(LessSafeKey);

/// Why a chunk cannot be opened: it is not what was sealed, or the key is not the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tampered;

impl DataKey {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("a key of AES-256 has 32 bytes");
        Self(LessSafeKey::new(key))
    }

    /// Appends the sealed form of `piece` to `out`. `first` is the number of its first chunk; only the
    /// last piece may end within a chunk.
    pub(super) fn seal(&self, piece: &[u8], first: u64, last: bool, out: &mut Vec<u8>) {
        let mut chunks = (first..).zip(piece.chunks(CHUNK)).peekable();
        while let Some((number, chunk)) = chunks.next() {
            let start = out.len();
            out.extend_from_slice(chunk);
            let nonce = nonce(number, last && chunks.peek().is_none());
            let tag = self
                .0
                .seal_in_place_separate_tag(nonce, Aad::empty(), &mut out[start..])
                .expect("a chunk is far below the limit of the cipher");
            out.extend_from_slice(tag.as_ref());
        }
    }

    /// Opens whole chunks in place and leaves their content in `sealed`. `ends` says that the last of
    /// them is the last of all.
    pub(super) fn open(&self, sealed: &mut Vec<u8>, first: u64, ends: bool) -> Result<(), Tampered> {
        let mut opened = 0;
        let mut at = 0;
        let mut number = first;
        while at < sealed.len() {
            let end = sealed.len().min(at + CHUNK + TAG);
            let nonce = nonce(number, ends && end == sealed.len());
            let plain = self.0.open_in_place(nonce, Aad::empty(), &mut sealed[at..end]);
            let length = plain.map_err(|_unspecified| Tampered)?.len();
            sealed.copy_within(at..at + length, opened);
            opened += length;
            at = end;
            number += 1;
        }
        sealed.truncate(opened);
        Ok(())
    }
}

impl std::fmt::Debug for DataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DataKey(***)")
    }
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[NONCE_LEN - 1] = last.into();
    Nonce::assume_unique_for_key(nonce)
}

/// Bytes of the sealed form of `size` bytes.
pub(super) fn sealed_size(size: u64) -> u64 {
    size + size.div_ceil(CHUNK as u64) * TAG as u64
}

/// The number of the chunk that holds the byte `at`.
pub(super) fn chunk_of(at: u64) -> u64 {
    at / CHUNK as u64
}

/// Where the chunks that `range` touches are in the stored form of `size` bytes.
pub(super) fn extent(range: &Range<u64>, size: u64) -> Range<u64> {
    let start = chunk_of(range.start) * SEALED_CHUNK;
    let end = range.end.div_ceil(CHUNK as u64) * SEALED_CHUNK;
    start..end.min(sealed_size(size))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(size: usize) -> (DataKey, Vec<u8>, Vec<u8>) {
        let key = DataKey::new(&[7; 32]);
        let plain: Vec<u8> = (0..size).map(|i| (i % 251).to_le_bytes()[0]).collect();
        let mut out = Vec::new();
        key.seal(&plain, 0, true, &mut out);
        (key, plain, out)
    }

    fn index(offset: u64) -> usize {
        offset.try_into().unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_range_opens_from_its_extent(size in 1usize..4 * CHUNK, from: prop::sample::Index, to: prop::sample::Index) {
            let (key, plain, out) = sealed(size);
            let (mut start, mut end) = (from.index(size), to.index(size) + 1);
            if start >= end {
                (start, end) = (end - 1, start + 1);
            }
            let extent = extent(&(start as u64..end as u64), size as u64);
            let mut part = out[index(extent.start)..index(extent.end)].to_vec();
            let first = chunk_of(start as u64);
            key.open(&mut part, first, extent.end == out.len() as u64).unwrap();
            let skip = start % CHUNK;
            prop_assert!(part[skip..skip + end - start] == plain[start..end]);
        }

        #[test]
        fn any_changed_bit_is_refused(size in 1usize..2 * CHUNK, at: prop::sample::Index, bit in 0u8..8) {
            let (key, _, mut out) = sealed(size);
            let at = at.index(out.len());
            out[at] ^= 1 << bit;
            prop_assert_eq!(key.open(&mut out, 0, true), Err(Tampered));
        }
    }

    #[test]
    fn chunks_cannot_move_or_be_missing() {
        let (key, _, whole) = sealed(3 * CHUNK);
        let (first, rest) = whole.split_at(CHUNK + TAG);
        assert_eq!(sealed_size(3 * CHUNK as u64), whole.len() as u64);
        let mut moved = [&rest[..CHUNK + TAG], first, &rest[CHUNK + TAG..]].concat();
        assert_eq!(key.open(&mut moved, 0, true), Err(Tampered));
        let mut cut = whole[..2 * (CHUNK + TAG)].to_vec();
        assert_eq!(key.open(&mut cut, 0, true), Err(Tampered));
        let mut whole = whole;
        assert_eq!(DataKey::new(&[8; 32]).open(&mut whole, 0, true), Err(Tampered));
    }
}
