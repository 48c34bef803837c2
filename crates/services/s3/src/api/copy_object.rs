//! `CopyObject` and `UploadPartCopy`.

use std::ops::Range;

use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopyPartResult, CopySource, ETagCondition,
    MetadataDirective, TaggingDirective, UploadPartCopyInput, UploadPartCopyOutput,
};
use s3s::{S3Request, S3Response, S3Result};
use tradewind_store::Batch;
use tradewind_store::blobs::Stored;

use super::conditions::{check_write, conditions_of};
use super::describe::{self, set_checksum};
use super::multipart::check_number;
use super::{buckets, heads, refused_input};
use crate::configuration::object_acl;
use crate::digest::{self, Algorithm, ContentHasher, Digests};
use crate::instant;
use crate::multipart::{self, Part};
use crate::notification::EventName;
use crate::objects::{self, Checksum, Head, NewVersion, ObjectStream, Version};
use crate::refusal::{invalid_argument, invalid_request, no_such_key, not_implemented, of_blob};
use crate::state::State;

/// The largest object, or stretch of one, that one request copies.
const LARGEST: u64 = 5 * 1024 * 1024 * 1024;

struct Source {
    bucket: String,
    key: String,
    /// That was asked for.
    asked: Option<String>,
    version: Version,
    /// As answers show it.
    id: Option<String>,
}

async fn source_of(state: &State, source: &CopySource, expected_owner: Option<&str>) -> S3Result<Source> {
    let CopySource::Bucket {
        bucket,
        key,
        version_id,
    } = source
    else {
        return Err(not_implemented("a copy source that is no bucket"));
    };
    if expected_owner.is_some() {
        buckets::find(state, bucket, expected_owner).await?;
    }
    let found = objects::find(state, bucket, key, version_id.as_deref()).await?;
    let version = found.version.ok_or_else(no_such_key)?;
    if version.marker {
        return Err(match version_id {
            None => no_such_key(),
            Some(_) => invalid_request(
                "The source of a copy request may not specifically refer to a delete marker by version id.",
            ),
        });
    }
    Ok(Source {
        id: describe::shown_id(found.versioning, &version),
        bucket: bucket.to_string(),
        key: key.to_string(),
        asked: version_id.as_deref().map(str::to_owned),
        version,
    })
}

pub(crate) async fn copy_object(
    state: &State,
    request: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let if_match = write_condition(&request.headers, IF_MATCH)?;
    let if_none_match = write_condition(&request.headers, IF_NONE_MATCH)?;
    let input = request.input;
    let customer_key =
        input.sse_customer_algorithm.is_some() || input.copy_source_sse_customer_algorithm.is_some();
    refused_input::customer_key(customer_key)?;
    refused_input::encryption(input.server_side_encryption.as_ref().map(|asked| asked.as_str()))?;
    heads::check_key(&input.key)?;
    buckets::expect_owner(state, &input.bucket, input.expected_bucket_owner.as_deref()).await?;
    let source = source_of(
        state,
        &input.copy_source,
        input.expected_source_bucket_owner.as_deref(),
    )
    .await?;
    conditions_of!(source input).check_source(&source.version)?;
    if source.version.size > LARGEST {
        return Err(invalid_request(
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
        ));
    }
    refuse_copy_to_itself(&input, &source)?;
    let wanted = input
        .checksum_algorithm
        .as_ref()
        .map(|name| super::receive::named(name.as_str()))
        .transpose()?;
    let settings = state.configurations.of_write(&input.bucket).await?;
    let mut new = NewVersion {
        marker: false,
        size: source.version.size,
        etag: String::new(),
        head: head(&input, &source.version)?,
        tags: tags(&input, &source.version)?,
        lock: settings
            .lock_of_new(heads::lock_of!(input), state.clock.now())?
            .into(),
        upload: None,
        content: source.version.content.clone(),
        event: EventName::Copy,
        audience: settings.audience,
    };
    new.head.acl_document = object_acl::of_new_object(state, &input.bucket, heads::acl_of!(input)).await?;
    let content = content(state, &source.version, wanted).await?;
    let keep = content.describe(&mut new);
    let keep = |batch: Batch| match keep {
        Some(stored) => state.blobs.keep(batch, stored),
        None => state.blobs.share(batch, &new.content),
    };
    let check =
        |latest: Option<&objects::Version>| check_write(if_match.as_ref(), if_none_match.as_ref(), latest);
    let added = objects::put(state, &input.bucket, &input.key, &new, check, keep).await?;
    let mut result = CopyObjectResult {
        e_tag: Some(describe::etag(&new.etag)),
        last_modified: Some(instant::to_wire(added.modified)),
        ..CopyObjectResult::default()
    };
    set_checksum!(result, new.head.checksum.as_ref());
    result.checksum_type = new.head.checksum.as_ref().map(describe::checksum_type);
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(result),
        server_side_encryption: new
            .head
            .encryption
            .clone()
            .map(s3s::dto::ServerSideEncryption::from),
        copy_source_version_id: source.id,
        version_id: added.id,
        ..CopyObjectOutput::default()
    }))
}

/// A condition on what is at the destination; the protocol crate's input does not have these yet.
fn write_condition(headers: &HeaderMap, name: HeaderName) -> S3Result<Option<ETagCondition>> {
    let parse = |value: &HeaderValue| ETagCondition::parse_http_header(value.as_bytes());
    let parsed = headers.get(&name).map(parse).transpose();
    parsed.map_err(|error| invalid_request(format!("{name}: {error}")))
}

fn replaces_metadata(input: &CopyObjectInput) -> S3Result<bool> {
    match input.metadata_directive.as_ref().map(MetadataDirective::as_str) {
        None | Some("COPY") => Ok(false),
        Some("REPLACE") => Ok(true),
        Some(_) => Err(invalid_argument("Unknown metadata directive.")),
    }
}

fn refuse_copy_to_itself(input: &CopyObjectInput, source: &Source) -> S3Result {
    let itself = source.bucket == input.bucket && source.key == input.key && source.asked.is_none();
    let changes = replaces_metadata(input)?
        || input.storage_class.is_some()
        || input.website_redirect_location.is_some()
        || input.server_side_encryption.is_some();
    if itself && !changes {
        return Err(invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the \
             object's metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    Ok(())
}

fn head(input: &CopyObjectInput, source: &Version) -> S3Result<Head> {
    let asked: Head = heads::head_of!(input)?;
    if replaces_metadata(input)? {
        return Ok(asked);
    }
    Ok(Head {
        website_redirect: asked.website_redirect,
        storage_class: asked.storage_class,
        acl: asked.acl,
        parts: None,
        ..source.head.clone()
    })
}

fn tags(input: &CopyObjectInput, source: &Version) -> S3Result<std::collections::BTreeMap<String, String>> {
    match input.tagging_directive.as_ref().map(TaggingDirective::as_str) {
        None | Some("COPY") => Ok(source.tags.clone()),
        Some("REPLACE") => heads::tags(input.tagging.as_deref()),
        Some(_) => Err(invalid_argument("Unknown tagging directive.")),
    }
}

/// A copy's content: the source's own, or bytes that were read and stored anew.
enum Copied {
    Shared { etag: String, checksum: Checksum },
    Stored(Stored, Digests),
}

impl Copied {
    /// Writes what is known of it into the version; gives what is to be kept.
    fn describe(&self, new: &mut NewVersion) -> Option<&Stored> {
        match self {
            Self::Shared { etag, checksum } => {
                new.etag.clone_from(etag);
                new.head.checksum = Some(checksum.clone());
                None
            }
            Self::Stored(stored, digests) => {
                new.etag = digest::hex(&digests.md5);
                new.content = stored.content().clone();
                new.head.checksum = Some(Checksum {
                    algorithm: digests.algorithm,
                    value: digests.value.clone(),
                    composite: false,
                });
                Some(stored)
            }
        }
    }
}

/// A copy shares its source's content, unless its ETag or its checksum would be another: then it is read.
async fn content(state: &State, source: &Version, wanted: Option<Algorithm>) -> S3Result<Copied> {
    let known = source.head.checksum.as_ref();
    let algorithm = wanted
        .or(known.map(|checksum| checksum.algorithm))
        .unwrap_or(Algorithm::Crc64Nvme);
    match known {
        Some(checksum) if source.upload.is_none() && checksum.algorithm == algorithm => Ok(Copied::Shared {
            etag: source.etag.clone(),
            checksum: checksum.clone(),
        }),
        _ => {
            let (stored, digests) = read_anew(state, source, 0..source.size, algorithm).await?;
            Ok(Copied::Stored(stored, digests))
        }
    }
}

async fn read_anew(
    state: &State,
    source: &Version,
    range: Range<u64>,
    algorithm: Algorithm,
) -> S3Result<(Stored, Digests)> {
    let length = range.end - range.start;
    let writer = state.blobs.encrypting_writer(Some(length)).await;
    let mut writer = writer.map_err(of_blob)?;
    let mut stream = ObjectStream::open(state, source, range).await?;
    let mut hasher = ContentHasher::new(algorithm);
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(of_blob)?;
        hasher.update(&bytes);
        writer.write(&bytes).await.map_err(of_blob)?;
    }
    let stored = writer.finish().await.map_err(of_blob)?;
    Ok((stored, hasher.finish()))
}

pub(crate) async fn upload_part_copy(
    state: &State,
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let input = request.input;
    let customer_key =
        input.sse_customer_algorithm.is_some() || input.copy_source_sse_customer_algorithm.is_some();
    refused_input::customer_key(customer_key)?;
    check_number(input.part_number)?;
    let upload = multipart::find(state, &input.bucket, &input.key, &input.upload_id).await?;
    let source = source_of(
        state,
        &input.copy_source,
        input.expected_source_bucket_owner.as_deref(),
    )
    .await?;
    conditions_of!(source input).check_source(&source.version)?;
    let range = copied_range(input.copy_source_range.as_deref(), source.version.size)?;
    let algorithm = upload.kept_algorithm();
    let (stored, digests) = read_anew(state, &source.version, range, algorithm).await?;
    let part = Part {
        number: input.part_number,
        size: stored.size(),
        etag: digest::hex(&digests.md5),
        checksum: digests.value.clone(),
        modified: state.clock.now(),
        blob: None,
    };
    let keep = |batch| state.blobs.keep(batch, &stored);
    multipart::put_part(state, &upload.id, &part, stored.content(), keep).await?;
    let checksum = Checksum {
        algorithm,
        value: digests.value,
        composite: false,
    };
    let mut result = CopyPartResult {
        e_tag: Some(describe::etag(&part.etag)),
        last_modified: Some(instant::to_wire(part.modified)),
        ..CopyPartResult::default()
    };
    set_checksum!(result, upload.algorithm.map(|_| &checksum));
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: source.id,
        ..UploadPartCopyOutput::default()
    }))
}

/// `bytes=first-last`, both given and both within the source.
fn copied_range(asked: Option<&str>, size: u64) -> S3Result<Range<u64>> {
    let Some(asked) = asked else {
        return if size > LARGEST {
            Err(too_large())
        } else {
            Ok(0..size)
        };
    };
    let parsed = asked
        .strip_prefix("bytes=")
        .and_then(|range| range.split_once('-'));
    let parsed =
        parsed.and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)));
    let (first, last) = parsed.filter(|(first, last)| first <= last).ok_or_else(|| {
        invalid_argument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
    })?;
    if last >= size {
        return Err(invalid_argument(format!(
            "Range specified is not valid for source object of size: {size}"
        )));
    }
    if last - first >= LARGEST {
        return Err(too_large());
    }
    Ok(first..last + 1)
}

fn too_large() -> s3s::S3Error {
    invalid_request(
        "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_to_copy_lies_within_the_source() {
        assert_eq!(copied_range(None, 5).unwrap(), 0..5);
        assert_eq!(copied_range(Some("bytes=1-4"), 5).unwrap(), 1..5);
        for wrong in ["bytes=1-5", "bytes=3-2", "bytes=-2", "bytes=1-", "1-2", ""] {
            assert!(copied_range(Some(wrong), 5).is_err(), "{wrong}");
        }
    }
}
