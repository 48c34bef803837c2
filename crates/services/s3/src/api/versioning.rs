//! `PutBucketVersioning` and `GetBucketVersioning`.

use s3s::dto::{
    BucketVersioningStatus, GetBucketVersioningInput, GetBucketVersioningOutput, PutBucketVersioningInput,
    PutBucketVersioningOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::buckets;
use crate::objects::Versioning;
use crate::refusal::{no_such_bucket, not_implemented, of_database, refused};
use crate::state::State;
use crate::tables;

pub(crate) async fn get(
    state: &State,
    request: S3Request<GetBucketVersioningInput>,
) -> S3Result<S3Response<GetBucketVersioningOutput>> {
    let input = request.input;
    let bucket = buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let status = match bucket.versioning {
        Versioning::Never => None,
        Versioning::Enabled => Some(BucketVersioningStatus::ENABLED),
        Versioning::Suspended => Some(BucketVersioningStatus::SUSPENDED),
    };
    Ok(S3Response::new(GetBucketVersioningOutput {
        status: status.map(BucketVersioningStatus::from_static),
        mfa_delete: None,
    }))
}

pub(crate) async fn put(
    state: &State,
    request: S3Request<PutBucketVersioningInput>,
) -> S3Result<S3Response<PutBucketVersioningOutput>> {
    let input = request.input;
    buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let configuration = input.versioning_configuration;
    if configuration
        .mfa_delete
        .is_some_and(|status| status.as_str() == "Enabled")
    {
        return Err(not_implemented("MfaDelete"));
    }
    let versioning = match configuration.status.as_ref().map(BucketVersioningStatus::as_str) {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) | None => {
            return Err(refused(
                S3ErrorCode::IllegalVersioningConfigurationException,
                "The Versioning element must be specified",
            ));
        }
    };
    if versioning == Versioning::Suspended && state.configurations.has_object_lock(&input.bucket).await? {
        return Err(refused(
            S3ErrorCode::InvalidBucketState,
            "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.",
        ));
    }
    let found = tables::set_versioning(&state.database, &input.bucket, versioning)
        .await
        .map_err(of_database)?;
    if !found {
        return Err(no_such_bucket());
    }
    Ok(S3Response::new(PutBucketVersioningOutput::default()))
}
