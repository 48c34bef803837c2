//! Retention and legal hold of versions, and the object lock of buckets, as operations.

use s3s::dto::{
    GetObjectLegalHoldInput, GetObjectLegalHoldOutput, GetObjectRetentionInput, GetObjectRetentionOutput,
    PutObjectLegalHoldInput, PutObjectLegalHoldOutput, PutObjectLockConfigurationInput,
    PutObjectLockConfigurationOutput, PutObjectRetentionInput, PutObjectRetentionOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use tradewind_model::Timestamp;
use tradewind_store::{Batch, DatabaseError};

use super::Lock;
use crate::api::buckets;
use crate::objects::{self, Version, Versioning};
use crate::refusal::{conflict, no_such_key, of_database, refused};
use crate::state::State;

/// How often a change that met another is decided again.
const ATTEMPTS: usize = 20;

pub(crate) async fn put_object_lock_configuration(
    state: &State,
    request: S3Request<PutObjectLockConfigurationInput>,
) -> S3Result<S3Response<PutObjectLockConfigurationOutput>> {
    let input = request.input;
    let bucket = buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let versioned = bucket.versioning == Versioning::Enabled;
    let put = state
        .configurations
        .put_object_lock_configuration(input, versioned);
    put.await.map(S3Response::new)
}

pub(crate) async fn put_object_retention(
    state: &State,
    request: S3Request<PutObjectRetentionInput>,
) -> S3Result<S3Response<PutObjectRetentionOutput>> {
    let input = request.input;
    buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let bypass = input.bypass_governance_retention == Some(true);
    let id = input.version_id.as_deref();
    change(state, &input.bucket, &input.key, id, |lock, now| {
        lock.with_retention(input.retention.clone(), now, bypass)
    })
    .await?;
    Ok(S3Response::new(PutObjectRetentionOutput::default()))
}

pub(crate) async fn get_object_retention(
    state: &State,
    request: S3Request<GetObjectRetentionInput>,
) -> S3Result<S3Response<GetObjectRetentionOutput>> {
    let input = request.input;
    buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let version = version(state, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    Ok(S3Response::new(GetObjectRetentionOutput {
        retention: Some(Lock::from(&version.lock).retention()?),
    }))
}

pub(crate) async fn put_object_legal_hold(
    state: &State,
    request: S3Request<PutObjectLegalHoldInput>,
) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
    let input = request.input;
    buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let id = input.version_id.as_deref();
    change(state, &input.bucket, &input.key, id, |lock, _now| {
        lock.with_hold(input.legal_hold.clone())
    })
    .await?;
    Ok(S3Response::new(PutObjectLegalHoldOutput::default()))
}

pub(crate) async fn get_object_legal_hold(
    state: &State,
    request: S3Request<GetObjectLegalHoldInput>,
) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
    let input = request.input;
    buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let version = version(state, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    Ok(S3Response::new(GetObjectLegalHoldOutput {
        legal_hold: Some(Lock::from(&version.lock).legal_hold()),
    }))
}

/// The version that is meant, in a bucket with object lock.
async fn version(state: &State, bucket: &str, key: &str, id: Option<&str>) -> S3Result<Version> {
    state.configurations.require_object_lock(bucket).await?;
    let found = objects::find(state, bucket, key, id).await?;
    let version = found.version.ok_or_else(no_such_key)?;
    match version.marker {
        false => Ok(version),
        true if id.is_none() => Err(no_such_key()),
        true => Err(method_not_allowed()),
    }
}

/// Changes the lock of a version, if it is still the one that was judged.
async fn change(
    state: &State,
    bucket: &str,
    key: &str,
    id: Option<&str>,
    judge: impl Fn(Lock, Timestamp) -> S3Result<Lock>,
) -> S3Result<()> {
    let _turn = state.locks.turn(bucket, key).await;
    for _ in 0..ATTEMPTS {
        let version = version(state, bucket, key, id).await?;
        let lock = judge(Lock::from(&version.lock), state.clock.now())?;
        match state.database.write(replace(bucket, key, &version, lock)).await {
            Ok(_) => return Ok(()),
            Err(DatabaseError::Unexpected { .. }) => {}
            Err(error) => return Err(of_database(error)),
        }
    }
    Err(conflict())
}

fn replace(bucket: &str, key: &str, version: &Version, lock: Lock) -> Batch {
    let [old_mode, old_until, old_hold] = Lock::from(&version.lock).columns();
    let [mode, until, hold] = lock.columns();
    Batch::new().require(
        "UPDATE s3_objects SET lock_mode = $5, lock_until = $6, legal_hold = $7
         WHERE bucket = $1 AND key = $2 AND sequence = $3 AND version_id = $4
         AND COALESCE(lock_mode, '') = COALESCE(CAST($8 AS TEXT), '') AND COALESCE(lock_until, -1) = COALESCE(CAST($9 AS BIGINT), -1)
         AND legal_hold = $10",
        vec![
            bucket.into(),
            key.as_bytes().to_vec().into(),
            version.sequence.into(),
            version.id.as_str().into(),
            mode,
            until,
            hold,
            old_mode,
            old_until,
            old_hold,
        ],
        1,
    )
}

fn method_not_allowed() -> S3Error {
    refused(
        S3ErrorCode::MethodNotAllowed,
        "The specified method is not allowed against this resource.",
    )
}
