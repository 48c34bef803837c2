//! A version as it stands in its row, and how one is found.

use std::collections::BTreeMap;

use s3s::{S3Error, S3Result};
use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;
use tradewind_store::blobs::Content;
use tradewind_store::{DatabaseError, Row};

use crate::digest::Algorithm;
use crate::refusal::{internal, no_such_bucket, no_such_version, of_database};
use crate::state::State;

/// The id of the version that came, or comes, without versioning.
pub(crate) const NULL: &str = "null";

/// Whether a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Versioning {
    Never,
    Enabled,
    Suspended,
}

impl Versioning {
    pub(crate) fn of_column(value: i64) -> Self {
        match value {
            1 => Self::Enabled,
            2 => Self::Suspended,
            _ => Self::Never,
        }
    }

    pub(crate) fn to_column(self) -> i64 {
        match self {
            Self::Never => 0,
            Self::Enabled => 1,
            Self::Suspended => 2,
        }
    }
}

/// What is kept of an object besides its bytes; the form of its column. Members are only ever added.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Head {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cache_control: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_disposition: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_encoding: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) website_redirect: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storage_class: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<Checksum>,
    /// How many parts it was uploaded in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parts: Option<u32>,
    /// The canned ACL it was put with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) acl: Option<String>,
    /// The ACL it was given besides, as the document S3 defines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) acl_document: Option<String>,
    /// How it is encrypted at rest, in the words of `x-amz-server-side-encryption`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encryption: Option<String>,
}

/// A checksum that is kept with its object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    /// In base64; `-N` follows where it is made of those of N parts.
    pub(crate) value: String,
    /// Whether it is made of those of the parts.
    #[serde(default)]
    pub(crate) composite: bool,
}

/// What keeps a version from being deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lock {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub(crate) mode: Option<String>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) legal_hold: bool,
}

/// A version of a key.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// Orders the versions of a key: the latest has the greatest.
    pub(crate) sequence: i64,
    pub(crate) id: String,
    pub(crate) latest: bool,
    /// A delete marker: no object.
    pub(crate) marker: bool,
    pub(crate) size: u64,
    /// Without quotes.
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    pub(crate) head: Head,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) lock: Lock,
    /// The upload whose parts are its content, where it came in parts.
    pub(crate) upload: Option<String>,
    pub(crate) content: Content,
}

/// A bucket, and the version of a key in it that was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) versioning: Versioning,
    /// None when there is none, also where the latest one is asked for and the key has no versions.
    pub(crate) version: Option<Version>,
}

/// The columns of a version, in the order that [`Version::of_row`] reads them.
macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "SELECT b.versioning, o.sequence, o.version_id, o.latest, o.marker, o.size, o.etag, o.modified, ",
            "o.head, o.tags, o.lock_mode, o.lock_until, o.legal_hold, o.upload, o.content ",
            $rest
        )
    };
}

impl Version {
    fn of_row(row: &Row) -> Result<Option<Self>, DatabaseError> {
        let Some(sequence) = row.optional_integer(1)? else {
            return Ok(None);
        };
        let unreadable = |_| DatabaseError::Column {
            column: 8,
            expected: "document that this tradewind knows",
        };
        Ok(Some(Self {
            sequence,
            id: row.text(2)?.to_owned(),
            latest: row.integer(3)? != 0,
            marker: row.integer(4)? != 0,
            size: row.integer(5)?.cast_unsigned(),
            etag: row.text(6)?.to_owned(),
            modified: Timestamp::from_millis(row.integer(7)?),
            head: serde_json::from_str(row.text(8)?).map_err(unreadable)?,
            tags: serde_json::from_str(row.text(9)?).map_err(unreadable)?,
            lock: Lock {
                mode: row.optional_text(10)?.map(str::to_owned),
                until: row.optional_integer(11)?.map(Timestamp::from_millis),
                legal_hold: row.integer(12)? != 0,
            },
            upload: row.optional_text(13)?.map(str::to_owned),
            content: Content::from_column(row.blob(14)?).map_err(|_invalid| DatabaseError::Column {
                column: 14,
                expected: "content",
            })?,
        }))
    }
}

/// The latest version of a key, or the one of this id.
///
/// # Errors
/// `NoSuchBucket`; `NoSuchVersion` where an id is given.
pub(crate) async fn find(state: &State, bucket: &str, key: &str, id: Option<&str>) -> S3Result<Found> {
    let (bucket, key) = (bucket.into(), key.as_bytes().to_vec().into());
    let rows = match id {
        None => state.database.read(
            columns!(
                "FROM s3_buckets b LEFT JOIN s3_objects o ON o.bucket = b.name AND o.key = $2 AND o.latest = 1
                 WHERE b.name = $1"
            ),
            vec![bucket, key],
        ),
        Some(NULL) => state.database.read(
            columns!(
                "FROM s3_buckets b LEFT JOIN s3_objects o ON o.bucket = b.name AND o.key = $2
                 AND o.version_id = 'null' WHERE b.name = $1"
            ),
            vec![bucket, key],
        ),
        Some(id) => state.database.read(
            columns!(
                "FROM s3_buckets b LEFT JOIN s3_objects o ON o.bucket = b.name AND o.key = $2
                 AND o.sequence = $3 AND o.version_id = $4 WHERE b.name = $1"
            ),
            vec![bucket, key, sequence_of(id).unwrap_or(-1).into(), id.into()],
        ),
    };
    let rows = rows.await.map_err(of_database)?;
    let found = found(rows.first().ok_or_else(no_such_bucket)?)?;
    if id.is_some() && found.version.is_none() {
        return Err(no_such_version());
    }
    Ok(found)
}

/// The same, but an id that is none finds nothing instead of failing.
pub(crate) async fn find_any(state: &State, bucket: &str, key: &str, id: Option<&str>) -> S3Result<Found> {
    match find(state, bucket, key, id).await {
        Err(error) if *error.code() == s3s::S3ErrorCode::NoSuchVersion => {
            let latest = find(state, bucket, key, None).await?;
            Ok(Found {
                version: None,
                ..latest
            })
        }
        found => found,
    }
}

fn found(row: &Row) -> S3Result<Found> {
    let version = Version::of_row(row).map_err(|error| internal(&error))?;
    let versioning = row.integer(0).map_err(|error| internal(&error))?;
    Ok(Found {
        versioning: Versioning::of_column(versioning),
        version,
    })
}

/// A version's id: its sequence, so that it is found by it, and a part that nobody guesses.
pub(crate) fn id_of(sequence: i64) -> String {
    let random = uuid::Uuid::new_v4().as_u64_pair().1;
    format!("{sequence:016x}{random:016x}")
}

/// When a version was made, from its id; none for `null`.
pub(crate) fn sequence_of(id: &str) -> Option<i64> {
    i64::from_str_radix(id.get(..16)?, 16).ok()
}

/// A head as its column has it.
pub(crate) fn document(value: &impl Serialize) -> Result<String, S3Error> {
    serde_json::to_string(value).map_err(|error| internal(&error))
}
