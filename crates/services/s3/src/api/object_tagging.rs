//! Tags of objects.

use std::collections::BTreeMap;

use s3s::dto::{
    DeleteObjectTaggingInput, DeleteObjectTaggingOutput, GetObjectTaggingInput, GetObjectTaggingOutput,
    PutObjectTaggingInput, PutObjectTaggingOutput, Tag,
};
use s3s::{S3Request, S3Response, S3Result};
use tradewind_store::{Batch, DatabaseError};

use super::{buckets, describe, heads};
use crate::notification::{EventName, ObjectEvent};
use crate::objects::document;
use crate::refusal::{conflict, of_database};
use crate::state::State;

pub(crate) async fn get(
    state: &State,
    request: S3Request<GetObjectTaggingInput>,
) -> S3Result<S3Response<GetObjectTaggingOutput>> {
    let input = request.input;
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let (version, id) = describe::find(state, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    let tag = |(key, value)| Tag {
        key: Some(key),
        value: Some(value),
    };
    Ok(S3Response::new(GetObjectTaggingOutput {
        tag_set: version.tags.into_iter().map(tag).collect(),
        version_id: id,
    }))
}

pub(crate) async fn put(
    state: &State,
    request: S3Request<PutObjectTaggingInput>,
) -> S3Result<S3Response<PutObjectTaggingOutput>> {
    let input = request.input;
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let tags = input.tagging.tag_set.into_iter();
    let tags = tags.map(|tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default()));
    let tags = heads::check_tags(tags.collect())?;
    let version_id = set(
        state,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
        &tags,
        EventName::TaggingPut,
    )
    .await?;
    Ok(S3Response::new(PutObjectTaggingOutput { version_id }))
}

pub(crate) async fn delete(
    state: &State,
    request: S3Request<DeleteObjectTaggingInput>,
) -> S3Result<S3Response<DeleteObjectTaggingOutput>> {
    let input = request.input;
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let none = BTreeMap::new();
    let version_id = set(
        state,
        &input.bucket,
        &input.key,
        input.version_id.as_deref(),
        &none,
        EventName::TaggingDelete,
    )
    .await?;
    Ok(S3Response::new(DeleteObjectTaggingOutput { version_id }))
}

async fn set(
    state: &State,
    bucket: &str,
    key: &str,
    id: Option<&str>,
    tags: &BTreeMap<String, String>,
    name: EventName,
) -> S3Result<Option<String>> {
    let audience = state.configurations.of_write(bucket).await?.audience;
    let _turn = state.locks.turn(bucket, key).await;
    let (version, shown) = describe::find(state, bucket, key, id).await?;
    let batch = Batch::new().require(
        "UPDATE s3_objects SET tags = $5 WHERE bucket = $1 AND key = $2 AND sequence = $3 AND version_id = $4",
        vec![
            bucket.into(),
            key.as_bytes().to_vec().into(),
            version.sequence.into(),
            version.id.as_str().into(),
            document(tags)?.into(),
        ],
        1,
    );
    let event = ObjectEvent {
        name,
        key,
        size: None,
        e_tag: Some(&version.etag),
        version_id: shown.as_deref(),
    };
    let batch = state.notifier.add(batch, &audience, &event, &state.trace)?;
    match state.database.write(batch).await {
        Ok(_) => Ok(shown),
        Err(DatabaseError::Unexpected { .. }) => Err(conflict()),
        Err(error) => Err(of_database(error)),
    }
}
