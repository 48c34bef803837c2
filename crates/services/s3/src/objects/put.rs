//! A new version: an object that is put, or a delete marker.

use std::collections::BTreeMap;

use s3s::S3Result;
use tradewind_model::Timestamp;
use tradewind_store::blobs::Content;
use tradewind_store::{Batch, DatabaseError};

use super::row::{self, Found, Head, Lock, NULL, Version, Versioning};
use crate::multipart;
use crate::notification::{Audience, EventName, ObjectEvent};
use crate::refusal::{conflict, of_database};
use crate::state::State;

/// How often a write that met another is decided again. Writers of this node take turns.
const ATTEMPTS: usize = 20;

/// A version that is not stored yet.
#[derive(Clone, Debug)]
pub(crate) struct NewVersion {
    pub(crate) marker: bool,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) head: Head,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) lock: Lock,
    pub(crate) upload: Option<String>,
    pub(crate) content: Content,
    pub(crate) event: EventName,
    /// Who hears of it.
    pub(crate) audience: Audience,
}

impl NewVersion {
    pub(crate) fn delete_marker(event: EventName, audience: Audience) -> Self {
        Self {
            marker: true,
            size: 0,
            etag: String::new(),
            head: Head::default(),
            tags: BTreeMap::new(),
            lock: Lock::default(),
            upload: None,
            content: Content::Inline(bytes::Bytes::new()),
            event,
            audience,
        }
    }
}

impl NewVersion {
    fn event_of<'a>(&'a self, key: &'a str, versioning: Versioning, id: &'a str) -> ObjectEvent<'a> {
        ObjectEvent {
            name: self.event,
            key,
            size: (!self.marker).then_some(self.size),
            e_tag: (!self.marker).then_some(self.etag.as_str()),
            version_id: (versioning != Versioning::Never).then_some(id),
        }
    }
}

/// A version that was stored.
#[derive(Clone, Debug)]
pub(crate) struct Added {
    /// Its id, in a bucket that has versions.
    pub(crate) id: Option<String>,
    pub(crate) modified: Timestamp,
}

/// Stores a version as the latest of its key. `check` judges what is the latest until then; `more` adds
/// to the batch, each time it is made anew.
///
/// # Errors
/// `NoSuchBucket`, what `check` says, or that the disk is full.
pub(crate) async fn put(
    state: &State,
    bucket: &str,
    key: &str,
    new: &NewVersion,
    check: impl Fn(Option<&Version>) -> S3Result<()> + Send + Sync,
    more: impl Fn(Batch) -> Batch + Send + Sync,
) -> S3Result<Added> {
    put_over(state, (bucket, key), new, None, check, more).await
}

/// Like [`put`], where the latest version was looked up a moment ago: it is decided on what was `seen` first.
pub(crate) async fn put_over(
    state: &State,
    (bucket, key): (&str, &str),
    new: &NewVersion,
    mut seen: Option<Found>,
    check: impl Fn(Option<&Version>) -> S3Result<()> + Send + Sync,
    more: impl Fn(Batch) -> Batch + Send + Sync,
) -> S3Result<Added> {
    let _turn = state.locks.turn(bucket, key).await;
    for _ in 0..ATTEMPTS {
        let found = match seen.take() {
            Some(seen) => seen,
            None => row::find(state, bucket, key, None).await?,
        };
        check(found.version.as_ref())?;
        let now = state.clock.now();
        // what is added comes first: content that is shared is not yet given up by what it replaces
        let batch = more(Batch::new().growing());
        let (batch, id) = decide(state, batch, (bucket, key), new, &found, now).await?;
        let told = new.event_of(key, found.versioning, &id);
        let batch = state.notifier.add(batch, &new.audience, &told, &state.trace)?;
        match state.database.write(batch).await {
            Ok(_) => {
                let versioned = found.versioning != Versioning::Never;
                return Ok(Added {
                    id: versioned.then_some(id),
                    modified: now,
                });
            }
            // another write came first, or the bucket changed: look again
            Err(DatabaseError::Unexpected { .. } | DatabaseError::Contended) => {}
            Err(error) => return Err(of_database(error)),
        }
    }
    Err(conflict())
}

/// The batch for what was found, and the id of the new version.
async fn decide(
    state: &State,
    mut batch: Batch,
    (bucket, key): (&str, &str),
    new: &NewVersion,
    found: &Found,
    now: Timestamp,
) -> S3Result<(Batch, String)> {
    let replaced = match (found.versioning, &found.version) {
        (Versioning::Enabled, _) | (_, None) => None,
        (_, Some(latest)) if latest.id == NULL => Some(latest.clone()),
        (Versioning::Never, Some(_)) => None,
        (Versioning::Suspended, Some(_)) => row::find_any(state, bucket, key, Some(NULL)).await?.version,
    };
    if let Some(replaced) = &replaced {
        crate::lock::Lock::from(&replaced.lock).refuse_removal(now, false)?;
        batch = remove(state, batch, bucket, key, replaced).await?;
    }
    let latest = found.version.as_ref();
    if let Some(latest) = latest.filter(|latest| {
        replaced
            .as_ref()
            .is_none_or(|old| old.sequence != latest.sequence)
    }) {
        batch = batch.require(
            "UPDATE s3_objects SET latest = 0 WHERE bucket = $1 AND key = $2 AND sequence = $3 AND latest = 1",
            vec![bucket.into(), key.as_bytes().to_vec().into(), latest.sequence.into()],
            1,
        );
    }
    let after = latest.map_or(0, |latest| latest.sequence.saturating_add(1));
    let sequence = now.as_millis().saturating_mul(1000).max(after);
    let id = match found.versioning {
        Versioning::Enabled => row::id_of(sequence),
        Versioning::Never | Versioning::Suspended => NULL.to_owned(),
    };
    let batch = insert(batch, bucket, key, new, (sequence, &id), found.versioning, now)?;
    Ok((batch, id))
}

fn insert(
    batch: Batch,
    bucket: &str,
    key: &str,
    new: &NewVersion,
    (sequence, id): (i64, &str),
    versioning: Versioning,
    now: Timestamp,
) -> S3Result<Batch> {
    // of a bucket that is gone, or whose versioning is another by now, there is no row to insert
    Ok(batch.require(
        "INSERT INTO s3_objects (bucket, key, sequence, version_id, latest, marker, size, etag, modified, head,
                                 tags, lock_mode, lock_until, legal_hold, upload, content)
         SELECT name, $3, $4, $5, 1, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16
         FROM s3_buckets WHERE name = $1 AND versioning = $2
         ON CONFLICT DO NOTHING",
        vec![
            bucket.into(),
            versioning.to_column().into(),
            key.as_bytes().to_vec().into(),
            sequence.into(),
            id.into(),
            new.marker.into(),
            new.size.cast_signed().into(),
            new.etag.as_str().into(),
            now.as_millis().into(),
            row::document(&new.head)?.into(),
            row::document(&new.tags)?.into(),
            new.lock.mode.as_deref().into(),
            new.lock.until.map(Timestamp::as_millis).into(),
            new.lock.legal_hold.into(),
            new.upload.as_deref().into(),
            new.content.to_column().into(),
        ],
        1,
    ))
}

/// Removes a version's row and gives up its content, in `batch`.
pub(super) async fn remove(
    state: &State,
    batch: Batch,
    bucket: &str,
    key: &str,
    version: &Version,
) -> S3Result<Batch> {
    let batch = batch.require(
        "DELETE FROM s3_objects WHERE bucket = $1 AND key = $2 AND sequence = $3 AND version_id = $4",
        vec![
            bucket.into(),
            key.as_bytes().to_vec().into(),
            version.sequence.into(),
            version.id.as_str().into(),
        ],
        1,
    );
    let batch = state.blobs.drop_in(batch, &version.content);
    match &version.upload {
        Some(upload) => multipart::drop_parts(state, batch, upload).await,
        None => Ok(batch),
    }
}
