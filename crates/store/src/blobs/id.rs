//! The name of a blob.

use std::fmt;
use std::str::FromStr;

use tradewind_model::Timestamp;
use uuid::Uuid;

/// A blob's name: a UUIDv7, printed as 32 lower-case hex digits, which sort by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(Uuid);

/// Text or bytes that name no blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the id of a blob")]
pub struct InvalidBlobId;

impl BlobId {
    /// A new one, at `now`.
    pub(super) fn new(now: Timestamp) -> Self {
        let random = Uuid::new_v4().into_bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[6..]);
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid())
    }

    /// The least id of this instant: a bound for scans.
    pub(super) fn least_at(instant: Timestamp) -> String {
        format!("{:012x}", u64::try_from(instant.as_millis()).unwrap_or(0))
    }

    /// When it was made, in milliseconds since the epoch.
    pub(super) fn millis(self) -> i64 {
        let bytes = self.0.as_bytes();
        bytes[..6]
            .iter()
            .fold(0, |millis, &byte| (millis << 8) | i64::from(byte))
    }

    /// Its 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id that these 16 bytes are.
    ///
    /// # Errors
    /// When they are no UUIDv7.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidBlobId> {
        let id = Uuid::from_slice(bytes).map_err(|_length| InvalidBlobId)?;
        if id.get_version_num() == 7 {
            Ok(Self(id))
        } else {
            Err(InvalidBlobId)
        }
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.simple())
    }
}

impl FromStr for BlobId {
    type Err = InvalidBlobId;

    fn from_str(text: &str) -> Result<Self, InvalidBlobId> {
        let plain = text.len() == 32 && !text.bytes().any(|b| b.is_ascii_uppercase());
        let id = Uuid::try_parse(text).map_err(|_text| InvalidBlobId)?;
        if plain {
            Self::from_bytes(id.as_bytes())
        } else {
            Err(InvalidBlobId)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_what_they_parse_and_sort_by_time() {
        let early = BlobId::new(Timestamp::from_millis(1_700_000_000_000));
        let late = BlobId::new(Timestamp::from_millis(1_700_000_000_001));
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(BlobId::from_bytes(early.as_bytes()), Ok(early));
        assert_eq!(early.millis(), 1_700_000_000_000);
        assert!(BlobId::least_at(Timestamp::from_millis(early.millis())) <= early.to_string());
    }

    #[test]
    fn other_text_is_no_id() {
        let id = BlobId::new(Timestamp::from_millis(1)).to_string();
        for text in [
            "",
            "..",
            &id.to_uppercase(),
            &format!("{id}0"),
            "6ba7b8109dad41d180b400c04fd430c8",
        ] {
            assert_eq!(text.parse::<BlobId>(), Err(InvalidBlobId), "{text}");
        }
    }
}
