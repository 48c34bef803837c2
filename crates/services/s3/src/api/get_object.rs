//! `GetObject`.

use s3s::dto::{GetObjectInput, GetObjectOutput, StreamingBlob};
use s3s::{Body, S3Request, S3Response, S3Result};

use super::conditions::conditions_of;
use super::describe::{self, describe, set_checksum};
use super::{buckets, refused_input};
use crate::objects::ObjectStream;
use crate::state::State;

pub(crate) async fn get_object(
    state: &State,
    request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let input = request.input;
    refused_input::customer_key(input.sse_customer_algorithm.is_some())?;
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let (version, id) = describe::find(state, &input.bucket, &input.key, input.version_id.as_deref()).await?;
    conditions_of!(input).check_read(&version)?;
    let (range, content_range) =
        describe::range_or_part(state, &version, input.range.as_ref(), input.part_number).await?;
    let mut output = GetObjectOutput {
        content_length: Some((range.end - range.start).cast_signed()),
        parts_count: input.part_number.and_then(|_| describe::parts_count(&version)),
        version_id: id,
        tag_count: i32::try_from(version.tags.len()).ok().filter(|count| *count > 0),
        ..GetObjectOutput::default()
    };
    describe!(output, version);
    if input.checksum_mode.is_some() && content_range.is_none() {
        set_checksum!(output, version.head.checksum.as_ref());
        output.checksum_type = version.head.checksum.as_ref().map(describe::checksum_type);
    }
    output.content_range = content_range;
    let stream = ObjectStream::open(state, &version, range).await?;
    output.body = Some(StreamingBlob::from(Body::http_body(stream)));
    Ok(S3Response::new(output))
}
