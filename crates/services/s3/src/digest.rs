//! Hashes of content: ETag, and the checksums of S3.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

use crc_fast::CrcAlgorithm;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::Sha256;

/// A checksum of S3, by the name it has on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    #[serde(rename = "CRC32")]
    Crc32,
    #[serde(rename = "CRC32C")]
    Crc32c,
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    #[serde(rename = "SHA1")]
    Sha1,
    #[serde(rename = "SHA256")]
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The header, and the trailer, that carries it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Bytes of a value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The CRC, for those whose values over parts give the value over the whole.
    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    pub(crate) fn is_crc(self) -> bool {
        self.crc().is_some()
    }

    pub(crate) fn hasher(self) -> Hasher {
        match self {
            Self::Crc32 | Self::Crc32c | Self::Crc64Nvme => {
                let crc = self.crc().unwrap_or(CrcAlgorithm::Crc64Nvme);
                Hasher::Crc(Box::new(crc_fast::Digest::new(crc)), self.size())
            }
            Self::Sha1 => Hasher::Sha1(Sha1::new()),
            Self::Sha256 => Hasher::Sha256(Box::new(Sha256::new())),
        }
    }

    /// The value over two stretches of bytes, from their values; none for a hash, or values that are none.
    pub(crate) fn combine(self, first: &str, second: &str, second_size: u64) -> Option<String> {
        let crc = self.crc()?;
        let joined = crc_fast::checksum_combine(crc, crc_value(first)?, crc_value(second)?, second_size);
        Some(base64(&joined.to_be_bytes()[8 - self.size()..]))
    }

    /// The value over the values of parts, as `-N` checksums are made.
    pub(crate) fn of_values<'v>(self, values: impl Iterator<Item = &'v str>) -> String {
        let mut hasher = self.hasher();
        for value in values {
            hasher.update(&from_base64(value).unwrap_or_default());
        }
        hasher.finish()
    }
}

fn crc_value(text: &str) -> Option<u64> {
    let bytes = from_base64(text)?;
    (bytes.len() <= 8).then(|| {
        bytes
            .iter()
            .fold(0, |value, &byte| (value << 8) | u64::from(byte))
    })
}

/// A checksum that is being computed.
pub(crate) enum Hasher {
    Crc(Box<crc_fast::Digest>, usize),
    Sha1(Sha1),
    Sha256(Box<Sha256>),
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(crc, _) => crc.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    /// The value, in base64.
    pub(crate) fn finish(self) -> String {
        match self {
            Self::Crc(crc, size) => base64(&crc.finalize().to_be_bytes()[8 - size..]),
            Self::Sha1(hash) => base64(&hash.finalize()),
            Self::Sha256(hash) => base64(&hash.finalize()),
        }
    }
}

/// MD5 and one checksum, over the same bytes.
pub(crate) struct ContentHasher {
    md5: Md5,
    algorithm: Algorithm,
    checksum: Hasher,
}

impl ContentHasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self {
            md5: Md5::new(),
            checksum: algorithm.hasher(),
            algorithm,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.checksum.update(bytes);
    }

    pub(crate) fn finish(self) -> Digests {
        Digests {
            md5: self.md5.finalize().into(),
            algorithm: self.algorithm,
            value: self.checksum.finish(),
        }
    }
}

/// What was computed over content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digests {
    pub(crate) md5: [u8; 16],
    pub(crate) algorithm: Algorithm,
    /// In base64.
    pub(crate) value: String,
}

/// The ETag of parts: the MD5 of their MD5s, and how many they are.
pub(crate) fn etag_of_parts<'e>(etags: impl ExactSizeIterator<Item = &'e str>) -> String {
    let count = etags.len();
    let mut md5 = Md5::new();
    for etag in etags {
        md5.update(from_hex(etag));
    }
    format!("{}-{count}", hex(&md5.finalize()))
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
            .unwrap_or(0)
    };
    text.as_bytes()
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |byte, &b| (byte << 4) | digit(b)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(algorithm: Algorithm, bytes: &[u8]) -> String {
        let mut hasher = algorithm.hasher();
        hasher.update(bytes);
        hasher.finish()
    }

    /// The values of "123456789" that the CRC catalogue and NIST give.
    #[test]
    fn checksums_are_those_of_the_catalogue() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, "cbf43926"),
            (Algorithm::Crc32c, "e3069283"),
            (Algorithm::Crc64Nvme, "ae8b14860a799888"),
            (Algorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (
                Algorithm::Sha256,
                "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
            ),
        ] {
            let value = from_base64(&value(algorithm, b"123456789")).unwrap();
            assert_eq!(hex(&value), expected, "{algorithm:?}");
            assert_eq!(value.len(), algorithm.size());
        }
    }

    #[test]
    fn crcs_of_parts_give_the_crc_of_the_whole() {
        for algorithm in Algorithm::ALL {
            let [first, second] = [b"12345".as_slice(), b"6789"].map(|part| value(algorithm, part));
            let whole = algorithm.combine(&first, &second, 4);
            assert_eq!(whole, algorithm.is_crc().then(|| value(algorithm, b"123456789")));
        }
    }

    #[test]
    fn hex_comes_back() {
        assert_eq!(from_hex(&hex(&[0, 15, 16, 255])), [0, 15, 16, 255]);
    }
}
