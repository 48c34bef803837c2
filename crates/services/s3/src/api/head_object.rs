//! `HeadObject`.

use s3s::dto::{HeadObjectInput, HeadObjectOutput};
use s3s::{S3Request, S3Response, S3Result};

use super::conditions::conditions_of;
use super::describe::{self, describe, set_checksum};
use super::{buckets, refused_input};
use crate::state::State;

pub(crate) async fn head_object(
    state: &State,
    request: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = request.input;
    refused_input::customer_key(input.sse_customer_algorithm.is_some())?;
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let (version, id) = describe::find(state, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    conditions_of!(input).check_read(&version)?;
    let (range, content_range) =
        describe::range_or_part(state, &version, input.range.as_ref(), input.part_number).await?;
    let partial = content_range.is_some();
    let mut output = HeadObjectOutput {
        content_length: Some((range.end - range.start).cast_signed()),
        parts_count: input.part_number.and_then(|_| describe::parts_count(&version)),
        content_range,
        version_id: id,
        ..HeadObjectOutput::default()
    };
    describe!(output, version);
    output.content_type = input.response_content_type.or(output.content_type);
    output.cache_control = input.response_cache_control.or(output.cache_control);
    output.content_disposition = input.response_content_disposition.or(output.content_disposition);
    output.content_encoding = input.response_content_encoding.or(output.content_encoding);
    output.content_language = input.response_content_language.or(output.content_language);
    output.expires = input.response_expires.or(output.expires);
    if input.checksum_mode.is_some() && !partial {
        set_checksum!(output, version.head.checksum.as_ref());
        output.checksum_type = version.head.checksum.as_ref().map(describe::checksum_type);
    }
    let mut response = S3Response::new(output);
    response.status = partial.then_some(http::StatusCode::PARTIAL_CONTENT);
    Ok(response)
}
