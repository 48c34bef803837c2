//! `PutObject`.

use bytes::Bytes;
use s3s::dto::{PutObjectInput, PutObjectOutput, ServerSideEncryption, StreamingBlob};
use s3s::{S3Request, S3Response, S3Result};

use tradewind_model::AccountId;
use tradewind_wire::Caller;

use super::conditions::check_write;
use super::describe::{self, set_checksum};
use super::receive::{self, Claims};
use super::{buckets, heads, refused_input};
use crate::configuration::object_acl;
use crate::digest::Algorithm;
use crate::front::Trailers;
use crate::notification::EventName;
use crate::objects::{self, Checksum, NewVersion};
use crate::post::Posted;
use crate::state::State;

/// A JSON document of another service of the node.
pub(crate) async fn put_for_service(
    state: &State,
    account: &AccountId,
    bucket: &str,
    key: &str,
    body: Bytes,
) -> S3Result<()> {
    let input = PutObjectInput {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        content_length: i64::try_from(body.len()).ok(),
        content_type: Some("application/json".to_owned()),
        body: Some(StreamingBlob::from(s3s::Body::from(body))),
        ..PutObjectInput::default()
    };
    let mut extensions = http::Extensions::new();
    extensions.insert(Caller {
        account: account.clone(),
        region: state.region.clone(),
        access_key: None,
        service: None,
    });
    let request = S3Request {
        input,
        method: http::Method::PUT,
        uri: http::Uri::default(),
        headers: http::HeaderMap::new(),
        extensions,
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    };
    put_object(state, request).await.map(drop)
}

pub(crate) async fn put_object(
    state: &State,
    request: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let mut claims = Claims::of(
        &request.headers,
        request.extensions.get::<Trailers>(),
        request.input.content_length,
        request
            .input
            .checksum_algorithm
            .as_ref()
            .map(|algorithm| algorithm.as_str()),
    )?;
    let event = match request.extensions.get::<Posted>() {
        Some(Posted) => EventName::Post,
        None => EventName::Put,
    };
    claims.of_form = event == EventName::Post;
    let mut input = request.input;
    refused_input::customer_key(input.sse_customer_algorithm.is_some())?;
    refused_input::encryption(input.server_side_encryption.as_ref().map(|asked| asked.as_str()))?;
    if input.write_offset_bytes.is_some() {
        return Err(crate::refusal::not_implemented("x-amz-write-offset-bytes"));
    }
    heads::check_key(&input.key)?;
    let mut head = heads::head_of!(input)?;
    let tags = heads::tags(input.tagging.as_deref())?;
    let settings = state.configurations.of_write(&input.bucket).await?;
    head.acl_document = object_acl::of_new_object(state, &input.bucket, heads::acl_of!(input)).await?;
    let lock = settings.lock_of_new(heads::lock_of!(input), state.clock.now())?;
    let (if_match, if_none_match) = (input.if_match.take(), input.if_none_match.take());
    let found = objects::find(state, &input.bucket, &input.key, None).await?;
    check_write(if_match.as_ref(), if_none_match.as_ref(), found.version.as_ref())?;
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let algorithm = claims.algorithm.unwrap_or(Algorithm::Crc64Nvme);
    let received = receive::receive(state, input.body.take(), &claims, algorithm).await?;
    head.checksum = Some(Checksum {
        algorithm,
        value: received.digests.value.clone(),
        composite: false,
    });
    let new = NewVersion {
        marker: false,
        size: received.stored.size(),
        etag: received.etag(),
        head,
        tags,
        lock: lock.into(),
        upload: None,
        content: received.content(),
        event,
        audience: settings.audience,
    };
    let check =
        |latest: Option<&objects::Version>| check_write(if_match.as_ref(), if_none_match.as_ref(), latest);
    let keep = |batch| state.blobs.keep(batch, &received.stored);
    let place = (input.bucket.as_str(), input.key.as_str());
    let added = objects::put_over(state, place, &new, Some(found), check, keep).await?;
    let mut output = PutObjectOutput {
        e_tag: Some(describe::etag(&new.etag)),
        version_id: added.id,
        server_side_encryption: new.head.encryption.clone().map(ServerSideEncryption::from),
        ..PutObjectOutput::default()
    };
    set_checksum!(output, new.head.checksum.as_ref());
    output.checksum_type = new.head.checksum.as_ref().map(describe::checksum_type);
    Ok(S3Response::new(output))
}
