//! The worker that makes expired things go.
//!
//! It goes through the buckets that have a lifecycle, key by key, when the node starts, when a lifecycle
//! is put, and every hour: what expires by days or date does so at midnight UTC. What it deletes, it
//! deletes as a client would, and only if it is still what was judged.

use std::time::Duration;

use s3s::dto::BucketLifecycleConfiguration;
use s3s::{S3Error, S3ErrorCode, S3Result};
use tokio_util::sync::CancellationToken;
use tradewind_model::Timestamp;
use tradewind_store::{DatabaseError, Row};

use super::expiry::{self, Expiry, Version};
use super::rules::{Rule, after_days};
use crate::configuration::Document as _;
use crate::lock::Lock;
use crate::multipart;
use crate::objects::{self, Removal};
use crate::refusal::{internal, of_database, refused};
use crate::state::State;

/// What lies between two rounds at most.
const ROUND: Duration = Duration::from_hours(1);
/// Versions that are read at a time.
const PAGE: u32 = 1000;

/// Runs rounds until it is told to stop.
pub(crate) async fn run(state: State, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let put = state.lifecycles.notified();
        tokio::select! {
            () = stop.cancelled() => return,
            round = round(&state) => match round {
                Ok(0) => {}
                Ok(gone) => tracing::info!(gone, "objects and uploads expired"),
                Err(error) => tracing::warn!(%error, "a lifecycle round failed; the next one goes on"),
            },
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = put => {}
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

/// One round through all buckets; gives how much went.
///
/// # Cancel safety
/// What it did stays done; the next round does the rest.
pub(crate) async fn round(state: &State) -> S3Result<usize> {
    let rows = state.database.read(
        "SELECT bucket FROM s3_bucket_configuration WHERE kind = $1 AND document IS NOT NULL ORDER BY bucket",
        vec![BucketLifecycleConfiguration::KIND.into()],
    );
    let mut gone = 0;
    for row in rows.await.map_err(of_database)? {
        let bucket = row.text(0).map_err(of_database)?;
        match of_bucket(state, bucket).await {
            Ok(of_bucket) => gone += of_bucket,
            Err(error) if *error.code() == S3ErrorCode::NoSuchBucket => {}
            // the others expire all the same
            Err(error) => tracing::warn!(bucket, %error, "the lifecycle of a bucket failed"),
        }
    }
    Ok(gone)
}

async fn of_bucket(state: &State, bucket: &str) -> S3Result<usize> {
    let rules = state.configurations.lifecycle(bucket).await?;
    let mut gone = uploads(state, bucket, &rules).await?;
    if rules
        .iter()
        .all(|rule| rule.current.is_none() && rule.noncurrent.is_none() && !rule.expired_markers)
    {
        return Ok(gone);
    }
    let mut from = Some(Vec::new());
    while let Some(start) = from.take() {
        let (keys, next) = page(state, bucket, start).await?;
        for (key, versions) in keys {
            gone += of_key(state, bucket, &rules, &key, &versions).await?;
        }
        from = next;
    }
    Ok(gone)
}

type Keys = Vec<(String, Vec<Version>)>;

/// Whole keys from `start` on, and where the next page begins.
async fn page(state: &State, bucket: &str, start: Vec<u8>) -> S3Result<(Keys, Option<Vec<u8>>)> {
    let rows = state.database.read(
        "SELECT key, version_id, marker, size, modified, tags, lock_mode, lock_until, legal_hold
         FROM s3_objects WHERE bucket = $1 AND key >= $2 ORDER BY key, sequence DESC LIMIT $3",
        vec![bucket.into(), start.clone().into(), PAGE.into()],
    );
    let rows = rows.await.map_err(of_database)?;
    let full = rows.len() == PAGE as usize;
    let mut keys = group(&rows, state.clock.now()).map_err(|error| internal(&error))?;
    // The last key of a full page may have more versions than are on it.
    let Some((last, _)) = keys.pop_if(|_| full) else {
        return Ok((keys, None));
    };
    if !keys.is_empty() {
        return Ok((keys, Some(last.into_bytes())));
    }
    let all = state.database.read(
        "SELECT key, version_id, marker, size, modified, tags, lock_mode, lock_until, legal_hold
         FROM s3_objects WHERE bucket = $1 AND key = $2 ORDER BY sequence DESC",
        vec![bucket.into(), last.as_bytes().to_vec().into()],
    );
    let all = all.await.map_err(of_database)?;
    let keys = group(&all, state.clock.now()).map_err(|error| internal(&error))?;
    let behind = [last.as_bytes(), &[0]].concat();
    Ok((keys, Some(behind)))
}

fn group(rows: &[Row], now: Timestamp) -> Result<Keys, DatabaseError> {
    let mut keys: Keys = Vec::new();
    for row in rows {
        let key = String::from_utf8_lossy(row.blob(0)?).into_owned();
        let version = version(row, now)?;
        match keys.last_mut() {
            Some((last, versions)) if *last == key => versions.push(version),
            _ => keys.push((key, vec![version])),
        }
    }
    Ok(keys)
}

fn version(row: &Row, now: Timestamp) -> Result<Version, DatabaseError> {
    let tags: std::collections::BTreeMap<String, String> =
        serde_json::from_str(row.text(5)?).map_err(|_foreign| DatabaseError::Column {
            column: 5,
            expected: "document that this tradewind knows",
        })?;
    let lock = Lock::of_columns(row.optional_text(6)?, row.optional_integer(7)?, row.integer(8)?);
    let size = row.integer(3)?;
    Ok(Version {
        version_id: row.text(1)?.to_owned(),
        made: Timestamp::from_millis(row.integer(4)?),
        size: (row.integer(2)? == 0).then_some(size),
        tags: tags.into_iter().collect(),
        locked: lock.protects(now, false),
    })
}

async fn of_key(
    state: &State,
    bucket: &str,
    rules: &[Rule],
    key: &str,
    versions: &[Version],
) -> S3Result<usize> {
    let expired = expiry::of_key(rules, key, versions, state.clock.now());
    let mut gone = 0;
    for expiry in expired {
        let (id, judged) = match &expiry {
            Expiry::Current => (None, versions.first()),
            Expiry::Remove(id) => (
                Some(id.as_str()),
                versions.iter().find(|version| version.version_id == *id),
            ),
        };
        let Some(judged) = judged else { continue };
        let same = |version: Option<&objects::Version>| match version {
            Some(now) if now.id == judged.version_id && now.modified == judged.made => Ok(()),
            _ => Err(changed()),
        };
        match objects::delete(state, bucket, key, id, Removal::expiry(), same).await {
            Ok(_) => gone += 1,
            // what was to go after it was judged as if this were gone
            Err(error) if is_changed(&error) || *error.code() == S3ErrorCode::AccessDenied => break,
            Err(error) => return Err(error),
        }
    }
    Ok(gone)
}

/// What was judged is not there any more: the next round judges anew.
fn changed() -> S3Error {
    refused(S3ErrorCode::PreconditionFailed, "the version changed meanwhile")
}

fn is_changed(error: &S3Error) -> bool {
    *error.code() == S3ErrorCode::PreconditionFailed
}

/// Aborts uploads that began too long ago.
async fn uploads(state: &State, bucket: &str, rules: &[Rule]) -> S3Result<usize> {
    if rules.iter().all(|rule| rule.abort_days.is_none()) {
        return Ok(0);
    }
    let rows = state.database.read(
        "SELECT id, key, started FROM s3_uploads WHERE bucket = $1 ORDER BY key, id",
        vec![bucket.into()],
    );
    let mut gone = 0;
    let now = state.clock.now();
    for row in rows.await.map_err(of_database)? {
        let (id, key, started) = upload(&row).map_err(of_database)?;
        let due = rules
            .iter()
            .filter(|rule| rule.filter.admits(&key, None, &[]))
            .filter_map(|rule| rule.abort_days)
            .any(|days| after_days(started, days) <= now);
        if due {
            gone += match multipart::abort(state, &id).await {
                Err(error) if *error.code() == S3ErrorCode::NoSuchUpload => 0,
                aborted => aborted.map(|()| 1)?,
            };
        }
    }
    Ok(gone)
}

fn upload(row: &Row) -> Result<(String, String, Timestamp), DatabaseError> {
    let key = String::from_utf8_lossy(row.blob(1)?).into_owned();
    Ok((
        row.text(0)?.to_owned(),
        key,
        Timestamp::from_millis(row.integer(2)?),
    ))
}
