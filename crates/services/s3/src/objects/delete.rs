//! Deleting: a marker over a key, or one version for good.

use s3s::S3Result;
use tradewind_store::{Batch, DatabaseError};

use super::put::{NewVersion, put, remove};
use super::row::{self, NULL, Version, Versioning};
use crate::lock::Lock;
use crate::notification::{Audience, EventName, ObjectEvent};
use crate::refusal::{conflict, of_database};
use crate::state::State;

/// What was done; also when there was nothing to delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    /// The marker that was made, or the version that is gone, in a bucket that has versions.
    pub(crate) id: Option<String>,
    /// That version is, or was, a delete marker.
    pub(crate) marker: bool,
}

const ATTEMPTS: usize = 20;

/// Who deletes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Removal {
    /// A client that bypasses governance retention.
    bypass_governance: bool,
    /// The lifecycle, not a client.
    expiry: bool,
}

impl Removal {
    /// A client does; it may say that it bypasses governance retention.
    pub(crate) fn by_client(bypass_governance: Option<bool>) -> Self {
        Self {
            bypass_governance: bypass_governance == Some(true),
            expiry: false,
        }
    }

    /// The lifecycle does.
    pub(crate) fn expiry() -> Self {
        Self {
            bypass_governance: false,
            expiry: true,
        }
    }

    fn marker_event(self) -> EventName {
        match self.expiry {
            true => EventName::ExpirationDeleteMarkerCreated,
            false => EventName::DeleteMarkerCreated,
        }
    }

    fn event_of<'a>(self, key: &'a str, versioned: bool, version: &'a Version) -> ObjectEvent<'a> {
        ObjectEvent {
            name: match self.expiry {
                true => EventName::ExpirationDelete,
                false => EventName::Delete,
            },
            key,
            size: None,
            e_tag: None,
            version_id: versioned.then_some(version.id.as_str()),
        }
    }
}

/// The version that is meant.
#[derive(Clone, Copy, Debug)]
struct Meant<'a> {
    bucket: &'a str,
    key: &'a str,
    id: &'a str,
}

/// Deletes the version of this id for good; without an id, what the bucket's versioning says. `check`
/// judges the version that is meant.
///
/// # Errors
/// `NoSuchBucket`, or what `check` says.
pub(crate) async fn delete(
    state: &State,
    bucket: &str,
    key: &str,
    id: Option<&str>,
    removal: Removal,
    check: impl Fn(Option<&Version>) -> S3Result<()> + Send + Sync,
) -> S3Result<Deleted> {
    let audience = state.configurations.of_write(bucket).await?.audience;
    if id.is_none() {
        let found = row::find(state, bucket, key, None).await?;
        if found.versioning != Versioning::Never {
            let marker = NewVersion::delete_marker(removal.marker_event(), audience);
            let added = put(state, bucket, key, &marker, check, |batch| batch).await?;
            return Ok(Deleted {
                id: added.id,
                marker: true,
            });
        }
    }
    let meant = Meant {
        bucket,
        key,
        id: id.unwrap_or(NULL),
    };
    delete_version(state, meant, removal, &audience, check).await
}

async fn delete_version(
    state: &State,
    Meant { bucket, key, id }: Meant<'_>,
    removal: Removal,
    audience: &Audience,
    check: impl Fn(Option<&Version>) -> S3Result<()> + Send + Sync,
) -> S3Result<Deleted> {
    let _turn = state.locks.turn(bucket, key).await;
    for _ in 0..ATTEMPTS {
        let found = row::find_any(state, bucket, key, Some(id)).await?;
        let versioned = found.versioning != Versioning::Never;
        check(found.version.as_ref())?;
        let Some(version) = found.version else {
            return Ok(Deleted {
                id: versioned.then(|| id.to_owned()),
                marker: false,
            });
        };
        Lock::from(&version.lock).refuse_removal(state.clock.now(), removal.bypass_governance)?;
        let batch = remove(state, Batch::new(), bucket, key, &version).await?;
        let told = removal.event_of(key, versioned, &version);
        let batch = state.notifier.add(
            promote(batch, bucket, key, &version),
            audience,
            &told,
            &state.trace,
        )?;
        match state.database.write(batch).await {
            Ok(_) => {
                return Ok(Deleted {
                    id: versioned.then_some(version.id),
                    marker: version.marker,
                });
            }
            Err(DatabaseError::Unexpected { .. } | DatabaseError::Contended) => {}
            Err(error) => return Err(of_database(error)),
        }
    }
    Err(conflict())
}

/// Makes the version before the latest one if `version` was.
fn promote(batch: Batch, bucket: &str, key: &str, version: &Version) -> Batch {
    if !version.latest {
        return batch;
    }
    batch.run(
        "UPDATE s3_objects SET latest = 1 WHERE bucket = $1 AND key = $2 AND sequence =
         (SELECT MAX(sequence) FROM s3_objects WHERE bucket = $1 AND key = $2)",
        vec![bucket.into(), key.as_bytes().to_vec().into()],
    )
}
