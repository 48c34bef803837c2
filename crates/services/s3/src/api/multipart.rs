//! Uploads in parts: begun, filled, listed, completed, aborted.

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ServerSideEncryption, UploadPartInput, UploadPartOutput,
};
use s3s::{S3ErrorCode, S3Request, S3Response, S3Result};

use super::conditions::check_write;
use super::describe::{self, set_checksum};
use super::receive::{self, Claims};
use super::{buckets, heads, refused_input};
use crate::configuration::object_acl;
use crate::digest::Algorithm;
use crate::front::Trailers;
use crate::multipart::{self, Listed, Part, Upload};
use crate::objects::{self, Checksum};
use crate::refusal::{invalid_argument, invalid_request, refused};
use crate::state::State;

/// Parts of an upload.
const MOST_PARTS: i32 = 10_000;

/// The checksum that an input gives, if any.
macro_rules! checksum_of {
    ($input:expr) => {{
        let given = [
            (Algorithm::Crc32, $input.checksum_crc32.clone()),
            (Algorithm::Crc32c, $input.checksum_crc32c.clone()),
            (Algorithm::Crc64Nvme, $input.checksum_crc64nvme.clone()),
            (Algorithm::Sha1, $input.checksum_sha1.clone()),
            (Algorithm::Sha256, $input.checksum_sha256.clone()),
        ];
        given
            .into_iter()
            .find_map(|(algorithm, value)| Some((algorithm, value?)))
    }};
}

pub(crate) async fn create(
    state: &State,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let (account, _) = buckets::caller_of(state, &request);
    let input = request.input;
    refused_input::customer_key(input.sse_customer_algorithm.is_some())?;
    refused_input::encryption(input.server_side_encryption.as_ref().map(|asked| asked.as_str()))?;
    heads::check_key(&input.key)?;
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map(|name| receive::named(name.as_str()))
        .transpose()?;
    let kind = input.checksum_type.as_ref().map(ChecksumType::as_str);
    let composite = is_composite(algorithm, kind)?;
    let settings = state.configurations.of_write(&input.bucket).await?;
    let mut head = heads::head_of!(input)?;
    head.acl_document = object_acl::of_new_object(state, &input.bucket, heads::acl_of!(input)).await?;
    let encryption = head.encryption.clone();
    let upload = Upload {
        id: uuid::Uuid::now_v7().simple().to_string(),
        bucket: input.bucket.clone(),
        key: input.key.clone(),
        account,
        started: state.clock.now(),
        algorithm,
        composite,
        head,
        tags: heads::tags(input.tagging.as_deref())?,
        lock: settings
            .lock_of_new(heads::lock_of!(input), state.clock.now())?
            .into(),
    };
    multipart::create(state, &upload).await?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload.id),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: algorithm.map(|_| kind_of(composite)),
        server_side_encryption: encryption.map(ServerSideEncryption::from),
        ..CreateMultipartUploadOutput::default()
    }))
}

pub(crate) fn kind_of(composite: bool) -> ChecksumType {
    ChecksumType::from_static(if composite {
        ChecksumType::COMPOSITE
    } else {
        ChecksumType::FULL_OBJECT
    })
}

fn is_composite(algorithm: Option<Algorithm>, kind: Option<&str>) -> S3Result<bool> {
    let Some(algorithm) = algorithm else {
        return match kind {
            None => Ok(false),
            Some(_) => Err(invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
            )),
        };
    };
    let refuse = |kind: &str| {
        Err(invalid_request(format!(
            "The {kind} checksum type cannot be used with the {} checksum algorithm.",
            algorithm.name().to_ascii_lowercase()
        )))
    };
    match kind {
        None => Ok(algorithm != Algorithm::Crc64Nvme),
        Some("COMPOSITE") if algorithm == Algorithm::Crc64Nvme => refuse("COMPOSITE"),
        Some("COMPOSITE") => Ok(true),
        Some("FULL_OBJECT") if !algorithm.is_crc() => refuse("FULL_OBJECT"),
        Some("FULL_OBJECT") => Ok(false),
        Some(_) => Err(invalid_request(
            "Value for x-amz-checksum-type header is invalid.",
        )),
    }
}

/// # Errors
/// `InvalidArgument`.
pub(crate) fn check_number(number: i32) -> S3Result {
    if (1..=MOST_PARTS).contains(&number) {
        return Ok(());
    }
    Err(invalid_argument(
        "Part number must be an integer between 1 and 10000, inclusive",
    ))
}

pub(crate) async fn upload_part(
    state: &State,
    request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let claims = Claims::of(
        &request.headers,
        request.extensions.get::<Trailers>(),
        request.input.content_length,
        request
            .input
            .checksum_algorithm
            .as_ref()
            .map(ChecksumAlgorithm::as_str),
    )?;
    let mut input = request.input;
    refused_input::customer_key(input.sse_customer_algorithm.is_some())?;
    check_number(input.part_number)?;
    let upload = multipart::find(state, &input.bucket, &input.key, &input.upload_id).await?;
    same_algorithm(&upload, claims.algorithm)?;
    let kept = upload.kept_algorithm();
    let received = receive::receive(state, input.body.take(), &claims, kept).await?;
    let part = Part {
        number: input.part_number,
        size: received.stored.size(),
        etag: received.etag(),
        checksum: received.digests.value.clone(),
        modified: state.clock.now(),
        blob: None,
    };
    multipart::put_part(state, &upload.id, &part, &received.content(), |batch| {
        state.blobs.keep(batch, &received.stored)
    })
    .await?;
    let checksum = Checksum {
        algorithm: kept,
        value: part.checksum,
        composite: false,
    };
    let mut output = UploadPartOutput {
        e_tag: Some(describe::etag(&part.etag)),
        ..UploadPartOutput::default()
    };
    set_checksum!(output, Some(&checksum));
    Ok(S3Response::new(output))
}

fn same_algorithm(upload: &Upload, given: Option<Algorithm>) -> S3Result {
    match (upload.algorithm, given) {
        (Some(expected), Some(given)) if expected != given => Err(invalid_request(format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            expected.name().to_ascii_lowercase(),
            given.name().to_ascii_lowercase()
        ))),
        _ => Ok(()),
    }
}

pub(crate) async fn abort(
    state: &State,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let input = request.input;
    buckets::find(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let upload = multipart::find(state, &input.bucket, &input.key, &input.upload_id).await?;
    multipart::abort(state, &upload.id).await?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}

pub(crate) async fn complete(
    state: &State,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let host = request
        .headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    let location = format!(
        "http://{}/{}/{}",
        host.unwrap_or("localhost"),
        request.input.bucket,
        request.input.key
    );
    let input = request.input;
    let upload = multipart::find(state, &input.bucket, &input.key, &input.upload_id).await?;
    let said = checksum_of!(input);
    let listed = input
        .multipart_upload
        .and_then(|upload| upload.parts)
        .unwrap_or_default();
    let listed: Vec<Listed> = listed.into_iter().map(listed_part).collect::<Result<_, _>>()?;
    let most = u32::try_from(MOST_PARTS).unwrap_or(u32::MAX);
    let stored = multipart::parts_after(state, &upload.id, 0, most).await?;
    let mut assembly = multipart::assemble(&upload, &listed, stored)?;
    assembly.check(said.as_ref(), input.mpu_object_size)?;
    assembly.version.audience = state.configurations.of_write(&input.bucket).await?.audience;
    let (matches, none_match) = (input.if_match.as_ref(), input.if_none_match.as_ref());
    let check = |latest: Option<&objects::Version>| check_write(matches, none_match, latest);
    let settle = |batch| assembly.settle(batch, &state.blobs);
    let new = &assembly.version;
    let added = match objects::put(state, &input.bucket, &input.key, new, check, settle).await {
        Ok(added) => added,
        Err(error) => {
            // another request may have completed or aborted it meanwhile
            multipart::find(state, &input.bucket, &input.key, &input.upload_id).await?;
            return Err(error);
        }
    };
    let mut output = CompleteMultipartUploadOutput {
        location: Some(location),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(describe::etag(&new.etag)),
        server_side_encryption: new.head.encryption.clone().map(ServerSideEncryption::from),
        version_id: added.id,
        ..CompleteMultipartUploadOutput::default()
    };
    set_checksum!(output, new.head.checksum.as_ref());
    output.checksum_type = new.head.checksum.as_ref().map(describe::checksum_type);
    Ok(S3Response::new(output))
}

fn listed_part(part: CompletedPart) -> S3Result<Listed> {
    let malformed = || {
        refused(
            S3ErrorCode::MalformedXML,
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    };
    Ok(Listed {
        number: part.part_number.ok_or_else(malformed)?,
        checksum: checksum_of!(part),
        etag: part.e_tag.ok_or_else(malformed)?.into_value(),
    })
}
