//! Deleting: a marker over a key, or one version for good.

use s3s::S3Result;
use tradewind_store::{Batch, DatabaseError};

use super::put::{NewVersion, put, remove};
use super::row::{self, NULL, Version, Versioning};
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
    check: impl Fn(Option<&Version>) -> S3Result<()> + Send + Sync,
) -> S3Result<Deleted> {
    if id.is_none() {
        let found = row::find(state, bucket, key, None).await?;
        if found.versioning != Versioning::Never {
            let marker = NewVersion::delete_marker();
            let added = put(state, bucket, key, &marker, check, |batch| batch).await?;
            return Ok(Deleted {
                id: added.id,
                marker: true,
            });
        }
    }
    delete_version(state, bucket, key, id.unwrap_or(NULL), check).await
}

async fn delete_version(
    state: &State,
    bucket: &str,
    key: &str,
    id: &str,
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
        let batch = remove(state, Batch::new(), bucket, key, &version).await?;
        match state.database.write(promote(batch, bucket, key, &version)).await {
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
