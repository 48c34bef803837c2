//! `GetObject`.

use bytes::{Bytes, BytesMut};
use s3s::dto::{GetObjectInput, GetObjectOutput, StreamingBlob};
use s3s::{Body, S3Error, S3Request, S3Response, S3Result};

use super::conditions::conditions_of;
use super::describe::{self, describe, set_checksum};
use super::{buckets, refused_input};
use crate::objects::ObjectStream;
use crate::refusal::of_blob;
use crate::state::State;

/// Why a service of the node cannot have an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadObjectError {
    /// What a client would be told.
    #[error("{code}: {message}")]
    Refused {
        /// S3's code, for example `NoSuchKey`.
        code: String,
        /// S3's text.
        message: String,
    },
    /// It has more bytes than were asked for at most.
    #[error("the object is too large")]
    TooLarge,
}

impl From<S3Error> for ReadObjectError {
    fn from(error: S3Error) -> Self {
        Self::Refused {
            code: error.code().as_str().to_owned(),
            message: error.message().unwrap_or_default().to_owned(),
        }
    }
}

/// All bytes of an object, at most `most`.
pub(crate) async fn get_for_service(
    state: &State,
    (bucket, key, id): (&str, &str, Option<&str>),
    most: u64,
) -> Result<Bytes, ReadObjectError> {
    let (version, _) = describe::find(state, bucket, key, id).await?;
    let size = usize::try_from(version.size)
        .ok()
        .filter(|_| version.size <= most);
    let mut bytes = BytesMut::with_capacity(size.ok_or(ReadObjectError::TooLarge)?);
    let mut stream = ObjectStream::open(state, &version, 0..version.size).await?;
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.map_err(of_blob)?);
    }
    Ok(bytes.freeze())
}

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
