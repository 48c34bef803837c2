//! `DeleteObjects`.

use std::collections::BTreeMap;

use s3s::dto::{
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, Error as WireError,
    ObjectIdentifier,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};
use tokio::task::JoinSet;

use super::buckets;
use super::conditions::Expected;
use crate::objects::{self, Removal};
use crate::refusal::{internal, refused};
use crate::state::State;

/// Deletions of one request that run together.
const AT_ONCE: usize = 64;
/// Keys of one request.
const MOST: usize = 1000;

pub(crate) async fn delete_objects(
    state: &State,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let input = request.input;
    buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    if input.delete.objects.is_empty() || input.delete.objects.len() > MOST {
        return Err(refused(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema",
        ));
    }
    let removal = Removal::by_client(input.bypass_governance_retention);
    let quiet = input.delete.quiet == Some(true);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for (object, done) in delete_all(state, &input.bucket, input.delete.objects, removal).await? {
        match done {
            Ok(_) if quiet => {}
            Ok(done) => deleted.push(done),
            Err(error) => errors.push(WireError {
                code: Some(error.code().as_str().to_owned()),
                message: error.message().map(str::to_owned),
                key: Some(object.key),
                version_id: object.version_id,
            }),
        }
    }
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        request_charged: None,
    }))
}

/// Deletes some at a time, so that they share commits; gives the results in the order of the request.
async fn delete_all(
    state: &State,
    bucket: &str,
    objects: Vec<ObjectIdentifier>,
    removal: Removal,
) -> S3Result<Vec<(ObjectIdentifier, S3Result<DeletedObject>)>> {
    let mut done = BTreeMap::new();
    let mut running = JoinSet::new();
    for (nth, object) in objects.into_iter().enumerate() {
        if running.len() == AT_ONCE {
            done.extend(
                running
                    .join_next()
                    .await
                    .transpose()
                    .map_err(|error| internal(&error))?,
            );
        }
        let (state, bucket) = (state.clone(), bucket.to_owned());
        running.spawn(async move {
            let deleted = delete(&state, &bucket, &object, removal).await;
            (nth, (object, deleted))
        });
    }
    while let Some(finished) = running.join_next().await {
        done.extend([finished.map_err(|error| internal(&error))?]);
    }
    Ok(done.into_values().collect())
}

async fn delete(
    state: &State,
    bucket: &str,
    object: &ObjectIdentifier,
    removal: Removal,
) -> S3Result<DeletedObject> {
    let etag = object.e_tag.clone().map(ETagCondition::ETag);
    let expected = Expected {
        etag: etag.as_ref(),
        modified: object.last_modified_time.as_ref(),
        size: object.size,
    };
    let id = object.version_id.as_deref();
    let done = objects::delete(state, bucket, &object.key, id, removal, |version| {
        expected.check(version)
    })
    .await?;
    Ok(DeletedObject {
        key: Some(object.key.clone()),
        version_id: object.version_id.clone(),
        delete_marker: done.marker.then_some(true),
        delete_marker_version_id: done.id.filter(|_| done.marker),
    })
}
