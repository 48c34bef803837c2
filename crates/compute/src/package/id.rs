//! The name of a package: the SHA-256 of its content.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// 64 lower-case hexadecimal digits: of the zip as uploaded, or of a staged folder's files.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageId(Box<str>);

/// Text that is no package id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a package id: 64 lower-case hexadecimal digits")]
pub struct InvalidPackageId {
    /// What was given.
    pub text: Box<str>,
}

impl PackageId {
    pub(crate) fn from_digest(digest: &[u8]) -> Self {
        use fmt::Write as _;
        let mut hex = String::with_capacity(64);
        for byte in digest {
            write!(hex, "{byte:02x}").expect("invariant: writing to a string cannot fail");
        }
        Self(hex.into())
    }

    /// The hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `CodeSha256`: the digest as Lambda prints it.
    #[must_use]
    pub fn code_sha256_base64(&self) -> String {
        STANDARD.encode(self.digest())
    }

    fn digest(&self) -> Vec<u8> {
        let nibble = |b: &u8| {
            char::from(*b)
                .to_digit(16)
                .and_then(|d| u8::try_from(d).ok())
                .unwrap_or(0)
        };
        self.0
            .as_bytes()
            .chunks_exact(2)
            .map(|pair| pair.iter().map(nibble).fold(0, |all, d| all << 4 | d))
            .collect()
    }
}

impl FromStr for PackageId {
    type Err = InvalidPackageId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        if text.len() == 64 && text.bytes().all(hex) {
            return Ok(Self(text.into()));
        }
        Err(InvalidPackageId { text: text.into() })
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    #[test]
    fn the_code_digest_is_base64_of_the_same_bytes() {
        let digest = Sha256::digest(b"code");
        let id = PackageId::from_digest(&digest);
        assert_eq!(id.code_sha256_base64(), STANDARD.encode(digest));
        assert_eq!(id.as_str().parse::<PackageId>().unwrap(), id);
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in ["", "../../etc", &"A".repeat(64), &"a".repeat(63)] {
            assert!(text.parse::<PackageId>().is_err(), "{text}");
        }
    }
}
