//! Uploads that were begun and neither completed nor aborted.

use std::collections::BTreeMap;

use s3s::{S3Error, S3ErrorCode, S3Result};
use tradewind_model::Timestamp;
use tradewind_store::{Batch, DatabaseError, Row};

use super::drop_parts;
use crate::digest::Algorithm;
use crate::objects::{Head, Lock, document};
use crate::refusal::{internal, no_such_bucket, of_database, refused};
use crate::state::State;

/// An upload.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    pub(crate) id: String,
    pub(crate) bucket: String,
    pub(crate) key: String,
    /// Who began it.
    pub(crate) account: String,
    pub(crate) started: Timestamp,
    /// The checksum that was asked for.
    pub(crate) algorithm: Option<Algorithm>,
    /// Its value over the whole is made of those of the parts.
    pub(crate) composite: bool,
    pub(crate) head: Head,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) lock: Lock,
}

impl Upload {
    /// The checksum that each part is kept with.
    pub(crate) fn kept_algorithm(&self) -> Algorithm {
        self.algorithm.unwrap_or(Algorithm::Crc64Nvme)
    }

    fn of_row(row: &Row) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            id: row.text(0)?.to_owned(),
            bucket: row.text(1)?.to_owned(),
            key: String::from_utf8(row.blob(2)?.to_vec())?,
            account: row.text(3)?.to_owned(),
            started: Timestamp::from_millis(row.integer(4)?),
            algorithm: row.optional_text(5)?.and_then(Algorithm::named),
            composite: row.integer(6)? != 0,
            head: serde_json::from_str(row.text(7)?)?,
            tags: serde_json::from_str(row.text(8)?)?,
            lock: Lock {
                mode: row.optional_text(9)?.map(str::to_owned),
                until: row.optional_integer(10)?.map(Timestamp::from_millis),
                legal_hold: row.integer(11)? != 0,
            },
        })
    }
}

macro_rules! upload {
    ($rest:literal) => {
        concat!(
            "SELECT id, bucket, key, account, started, algorithm, composite, head, tags, lock_mode, lock_until, ",
            "legal_hold FROM s3_uploads ",
            $rest
        )
    };
}

pub(crate) fn no_such_upload() -> S3Error {
    refused(
        S3ErrorCode::NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
}

/// Begins an upload.
///
/// # Errors
/// `NoSuchBucket`.
pub(crate) async fn create(state: &State, upload: &Upload) -> S3Result {
    let batch = Batch::new().growing().require(
        "INSERT INTO s3_uploads (id, bucket, key, account, started, algorithm, composite, head, tags, lock_mode,
                                 lock_until, legal_hold)
         SELECT $1, name, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM s3_buckets WHERE name = $2",
        vec![
            upload.id.as_str().into(),
            upload.bucket.as_str().into(),
            upload.key.as_bytes().to_vec().into(),
            upload.account.as_str().into(),
            upload.started.as_millis().into(),
            upload.algorithm.map(Algorithm::name).into(),
            upload.composite.into(),
            document(&upload.head)?.into(),
            document(&upload.tags)?.into(),
            upload.lock.mode.as_deref().into(),
            upload.lock.until.map(Timestamp::as_millis).into(),
            upload.lock.legal_hold.into(),
        ],
        1,
    );
    match state.database.write(batch).await {
        Ok(_) => Ok(()),
        Err(DatabaseError::Unexpected { .. }) => Err(no_such_bucket()),
        Err(error) => Err(of_database(error)),
    }
}

/// The upload of this id, which is for this key.
///
/// # Errors
/// `NoSuchUpload`.
pub(crate) async fn find(state: &State, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
    let rows = state.database.read(upload!("WHERE id = $1"), vec![id.into()]);
    let rows = rows.await.map_err(of_database)?;
    let row = rows.first().ok_or_else(no_such_upload)?;
    let upload = Upload::of_row(row).map_err(|error| internal(error.as_ref()))?;
    if upload.bucket == bucket && upload.key == key {
        return Ok(upload);
    }
    Err(no_such_upload())
}

/// Whether the upload was neither completed nor aborted.
pub(super) async fn exists(state: &State, id: &str) -> S3Result<bool> {
    let rows = state
        .database
        .read("SELECT id FROM s3_uploads WHERE id = $1", vec![id.into()]);
    Ok(!rows.await.map_err(of_database)?.is_empty())
}

/// Uploads of a bucket after this key and id, in order of key and id.
pub(crate) async fn after(
    state: &State,
    bucket: &str,
    key: &[u8],
    id: &str,
    limit: u32,
) -> S3Result<Vec<Upload>> {
    let rows = state.database.read(
        upload!("WHERE bucket = $1 AND (key > $2 OR (key = $2 AND id > $3)) ORDER BY key, id LIMIT $4"),
        vec![bucket.into(), key.to_vec().into(), id.into(), limit.into()],
    );
    let rows = rows.await.map_err(of_database)?;
    let uploads: Result<Vec<_>, _> = rows.iter().map(Upload::of_row).collect();
    uploads.map_err(|error| internal(error.as_ref()))
}

/// Gives an upload up, with its parts.
///
/// # Errors
/// `NoSuchUpload` where another did so first, or completed it.
pub(crate) async fn abort(state: &State, id: &str) -> S3Result {
    for _ in 0..20 {
        let batch = drop_in(state, Batch::new(), id).await?;
        match state.database.write(batch).await {
            Ok(_) => return Ok(()),
            Err(DatabaseError::Unexpected { statement: 0, .. }) => return Err(no_such_upload()),
            // a part came or went meanwhile
            Err(DatabaseError::Unexpected { .. } | DatabaseError::Contended) => {}
            Err(error) => return Err(of_database(error)),
        }
    }
    Err(crate::refusal::conflict())
}

async fn drop_in(state: &State, batch: Batch, id: &str) -> S3Result<Batch> {
    let batch = batch.require("DELETE FROM s3_uploads WHERE id = $1", vec![id.into()], 1);
    drop_parts(state, batch, id).await
}

/// Gives up all uploads to a bucket, in the batch that removes it.
pub(crate) async fn drop_all(state: &State, mut batch: Batch, bucket: &str) -> S3Result<Batch> {
    let rows = state
        .database
        .read("SELECT id FROM s3_uploads WHERE bucket = $1", vec![bucket.into()]);
    for row in rows.await.map_err(of_database)? {
        let id = row.text(0).map_err(|error| internal(&error))?;
        batch = drop_in(state, batch, id).await?;
    }
    Ok(batch)
}
