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

use super::expiry::{Expiry, Judge, Version};
use super::rules::{Rule, after_days};
use crate::configuration::Document as _;
use crate::lock::Lock;
use crate::multipart;
use crate::objects::{self, Removal};
use crate::refusal::{of_database, refused};
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
    let gone = uploads(state, bucket, &rules).await?;
    if rules
        .iter()
        .all(|rule| rule.current.is_none() && rule.noncurrent.is_none() && !rule.expired_markers)
    {
        return Ok(gone);
    }
    Ok(gone + versions(state, bucket, &rules).await?)
}

/// Goes through all versions of a bucket, page by page: a key may have more of them than fit into memory.
async fn versions(state: &State, bucket: &str, rules: &[Rule]) -> S3Result<usize> {
    let (mut gone, now) = (0, state.clock.now());
    let mut at = Some(Cursor::From(Vec::new()));
    let mut walk: Option<Walk<'_>> = None;
    while let Some(cursor) = at.take() {
        let rows = read(state, bucket, &cursor).await?;
        at = next(&cursor, &rows).map_err(of_database)?;
        for row in &rows {
            let key = String::from_utf8_lossy(row.blob(0).map_err(of_database)?).into_owned();
            let mut key_walk = match walk.take() {
                Some(same) if same.judge.key() == key => same,
                other => {
                    if let Some(before) = other {
                        gone += before.end(state, bucket).await?;
                    }
                    Walk::new(rules, key, now)
                }
            };
            let version = version(row, now).map_err(of_database)?;
            gone += key_walk.version(state, bucket, version).await?;
            walk = Some(key_walk);
        }
    }
    if let Some(last) = walk {
        gone += last.end(state, bucket).await?;
    }
    Ok(gone)
}

/// Where a page begins.
enum Cursor {
    /// At the latest version of this key, or of the first after it.
    From(Vec<u8>),
    /// In this key, behind the version of this sequence.
    Within(Vec<u8>, i64),
}

async fn read(state: &State, bucket: &str, at: &Cursor) -> S3Result<Vec<Row>> {
    let rows = match at {
        Cursor::From(key) => state.database.read(
            "SELECT key, version_id, marker, size, modified, tags, lock_mode, lock_until, legal_hold, sequence
             FROM s3_objects WHERE bucket = $1 AND key >= $2 ORDER BY key, sequence DESC LIMIT $3",
            vec![bucket.into(), key.clone().into(), PAGE.into()],
        ),
        Cursor::Within(key, sequence) => state.database.read(
            "SELECT key, version_id, marker, size, modified, tags, lock_mode, lock_until, legal_hold, sequence
             FROM s3_objects WHERE bucket = $1 AND key = $2 AND sequence < $4 ORDER BY sequence DESC LIMIT $3",
            vec![
                bucket.into(),
                key.clone().into(),
                PAGE.into(),
                (*sequence).into(),
            ],
        ),
    };
    rows.await.map_err(of_database)
}

/// The page after the one with these rows.
fn next(at: &Cursor, rows: &[Row]) -> Result<Option<Cursor>, DatabaseError> {
    let full = rows.len() == PAGE as usize;
    match (at, rows.last()) {
        // the last key may have more versions
        (_, Some(last)) if full => Ok(Some(Cursor::Within(last.blob(0)?.to_vec(), last.integer(9)?))),
        (Cursor::Within(key, _), _) => Ok(Some(Cursor::From([key.as_slice(), &[0]].concat()))),
        (Cursor::From(_), _) => Ok(None),
    }
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

/// A key on the way through its versions.
struct Walk<'r> {
    judge: Judge<'r>,
    /// What was to go is not what it was, or may not go; what follows was judged as if it were gone.
    stopped: bool,
}

impl<'r> Walk<'r> {
    fn new(rules: &'r [Rule], key: String, now: Timestamp) -> Self {
        Self {
            judge: Judge::new(rules, key, now),
            stopped: false,
        }
    }

    /// Removes the next version if it goes; how many went.
    async fn version(&mut self, state: &State, bucket: &str, version: Version) -> S3Result<usize> {
        if self.stopped || !self.judge.goes(&version) {
            return Ok(0);
        }
        let id = version.version_id.as_str();
        let gone = expire(state, (bucket, self.judge.key()), Some(id), &version).await?;
        self.stopped = !gone;
        Ok(usize::from(gone))
    }

    /// Expires the current version, if it does; how many went.
    async fn end(self, state: &State, bucket: &str) -> S3Result<usize> {
        let key = self.judge.key().to_owned();
        let Some((current, expiry)) = self.judge.end().filter(|_| !self.stopped) else {
            return Ok(0);
        };
        let id = match &expiry {
            Expiry::Current => None,
            Expiry::Remove(id) => Some(id.as_str()),
        };
        expire(state, (bucket, &key), id, &current).await.map(usize::from)
    }
}

/// Deletes what was judged, if it is still that.
async fn expire(
    state: &State,
    (bucket, key): (&str, &str),
    id: Option<&str>,
    judged: &Version,
) -> S3Result<bool> {
    let same = |version: Option<&objects::Version>| match version {
        Some(now) if now.id == judged.version_id && now.modified == judged.made => Ok(()),
        _ => Err(changed()),
    };
    match objects::delete(state, bucket, key, id, Removal::expiry(), same).await {
        Ok(_) => Ok(true),
        Err(error) if is_changed(&error) || *error.code() == S3ErrorCode::AccessDenied => Ok(false),
        Err(error) => Err(error),
    }
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

#[cfg(test)]
mod tests {
    use super::super::rules::Noncurrent;
    use super::*;
    use crate::objects::Versioning;
    use crate::objects::tests::{put_inline, world};

    /// More versions of a key than a page has, between keys that have one.
    #[tokio::test]
    async fn a_key_of_many_versions_expires_page_by_page() {
        let world = world(Versioning::Enabled).await;
        for key in ["before", "k", "l"] {
            put_inline(&world.state, key, "e").await;
        }
        for _ in 0..PAGE * 2 + 10 {
            put_inline(&world.state, "k", "e").await;
        }
        world.state.clock.advance_millis(3 * 86_400_000);
        put_inline(&world.state, "k", "latest").await;
        world.state.clock.advance_millis(3 * 86_400_000);
        let rules = [Rule {
            noncurrent: Some(Noncurrent { days: 1, keep: 2 }),
            ..Rule::default()
        }];
        let gone = versions(&world.state, "orders", &rules).await.unwrap();
        assert_eq!(gone, PAGE as usize * 2 + 10 + 1 - 2);
        let rows = world
            .state
            .database
            .read("SELECT key FROM s3_objects ORDER BY key", vec![]);
        let keys: Vec<_> = rows
            .await
            .unwrap()
            .iter()
            .map(|row| row.blob(0).unwrap().to_vec())
            .collect();
        assert_eq!(keys, [b"before".as_slice(), b"k", b"k", b"k", b"l"]);
        assert_eq!(versions(&world.state, "orders", &rules).await.unwrap(), 0);
    }
}
