//! `DeleteObject`.

use s3s::dto::{DeleteObjectInput, DeleteObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::buckets;
use super::conditions::Expected;
use crate::objects::{self, Removal};
use crate::state::State;

pub(crate) async fn delete_object(
    state: &State,
    request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = request.input;
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let expected = Expected {
        etag: input.if_match.as_ref(),
        modified: input.if_match_last_modified_time.as_ref(),
        size: input.if_match_size,
    };
    let id = input.version_id.as_deref();
    let removal = Removal::by_client(input.bypass_governance_retention);
    let deleted = objects::delete(state, &input.bucket, &input.key, id, removal, |version| {
        expected.check(version)
    })
    .await?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: deleted.marker.then_some(true),
        version_id: deleted.id,
        ..DeleteObjectOutput::default()
    }))
}
