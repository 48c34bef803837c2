//! What HeadObject and GetObject both say of an object.

use std::ops::Range;

use s3s::dto::{self, ETag};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::digest::Algorithm;
use crate::objects::{self, Checksum, Version, Versioning};
use crate::refusal::{custom, no_such_key};
use crate::state::State;

/// The object that a read means.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, and `MethodNotAllowed` for a delete marker's own id.
pub(crate) async fn find(
    state: &State,
    bucket: &str,
    key: &str,
    id: Option<&str>,
) -> S3Result<(Version, Option<String>)> {
    let found = objects::find(state, bucket, key, id).await?;
    let version = found.version.ok_or_else(no_such_key)?;
    if version.marker {
        return Err(deleted(&version, id.is_some()));
    }
    let shown = shown_id(found.versioning, &version);
    Ok((version, shown))
}

/// A version's id as answers show it: not at all in a bucket that never had versioning.
pub(crate) fn shown_id(versioning: Versioning, version: &Version) -> Option<String> {
    (versioning != Versioning::Never).then(|| version.id.clone())
}

fn deleted(marker: &Version, by_id: bool) -> S3Error {
    let mut error = if by_id {
        custom(
            "MethodNotAllowed",
            http::StatusCode::METHOD_NOT_ALLOWED,
            "The specified method is not allowed against this resource.",
        )
    } else {
        no_such_key()
    };
    let mut headers = http::HeaderMap::new();
    headers.insert("x-amz-delete-marker", http::HeaderValue::from_static("true"));
    if let Ok(id) = http::HeaderValue::try_from(marker.id.as_str()) {
        headers.insert("x-amz-version-id", id);
    }
    error.set_headers(headers);
    error
}

/// The bytes that are answered, and `Content-Range` where they are not all.
///
/// # Errors
/// `InvalidRange` where none of the range is in the object.
pub(crate) fn range(asked: Option<&dto::Range>, size: u64) -> S3Result<(Range<u64>, Option<String>)> {
    let Some(asked) = asked else {
        return Ok((0..size, None));
    };
    let range = match *asked {
        dto::Range::Int { first, last } => {
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            first..end
        }
        dto::Range::Suffix { length } => size.saturating_sub(length)..size,
    };
    if range.is_empty() {
        return Err(unsatisfiable(size));
    }
    let said = format!("bytes {}-{}/{size}", range.start, range.end - 1);
    Ok((range, Some(said)))
}

fn unsatisfiable(size: u64) -> S3Error {
    let mut error = S3Error::with_message(
        S3ErrorCode::InvalidRange,
        "The requested range is not satisfiable",
    );
    let mut headers = http::HeaderMap::new();
    if let Ok(value) = http::HeaderValue::try_from(format!("bytes */{size}")) {
        headers.insert(http::header::CONTENT_RANGE, value);
    }
    error.set_headers(headers);
    error
}

pub(crate) fn etag(etag: &str) -> ETag {
    ETag::Strong(etag.to_owned())
}

/// The value of one algorithm, where the checksum is of it.
pub(crate) fn value_of(checksum: Option<&Checksum>, algorithm: Algorithm) -> Option<String> {
    checksum
        .filter(|checksum| checksum.algorithm == algorithm)
        .map(|checksum| checksum.value.clone())
}

pub(crate) fn checksum_type(checksum: &Checksum) -> dto::ChecksumType {
    let name = if checksum.composite {
        dto::ChecksumType::COMPOSITE
    } else {
        dto::ChecksumType::FULL_OBJECT
    };
    dto::ChecksumType::from_static(name)
}

/// Writes the five checksum members of an output.
macro_rules! set_checksum {
    ($output:expr, $checksum:expr) => {{
        use $crate::digest::Algorithm;
        let checksum: Option<&$crate::objects::Checksum> = $checksum;
        $output.checksum_crc32 = $crate::api::describe::value_of(checksum, Algorithm::Crc32);
        $output.checksum_crc32c = $crate::api::describe::value_of(checksum, Algorithm::Crc32c);
        $output.checksum_crc64nvme = $crate::api::describe::value_of(checksum, Algorithm::Crc64Nvme);
        $output.checksum_sha1 = $crate::api::describe::value_of(checksum, Algorithm::Sha1);
        $output.checksum_sha256 = $crate::api::describe::value_of(checksum, Algorithm::Sha256);
    }};
}

/// Writes what HeadObject and GetObject both have.
macro_rules! describe {
    ($output:expr, $version:expr) => {{
        let head = &$version.head;
        $output.accept_ranges = Some("bytes".to_owned());
        $output.e_tag = Some($crate::api::describe::etag(&$version.etag));
        $output.last_modified = Some($crate::instant::to_wire($version.modified));
        $output.content_type = head.content_type.clone();
        $output.cache_control = head.cache_control.clone();
        $output.content_disposition = head.content_disposition.clone();
        $output.content_encoding = head.content_encoding.clone();
        $output.content_language = head.content_language.clone();
        $output.expires = head.expires.map($crate::instant::to_wire);
        $output.website_redirect_location = head.website_redirect.clone();
        $output.storage_class = head.storage_class.clone().map(s3s::dto::StorageClass::from);
        $output.metadata = Some(head.metadata.clone().into_iter().collect());
        $output.object_lock_mode = $version.lock.mode.clone().map(s3s::dto::ObjectLockMode::from);
        $output.object_lock_retain_until_date = $version.lock.until.map($crate::instant::to_wire);
        $output.object_lock_legal_hold_status = $version.lock.legal_hold.then(|| {
            s3s::dto::ObjectLockLegalHoldStatus::from_static(s3s::dto::ObjectLockLegalHoldStatus::ON)
        });
        $output.server_side_encryption = head.encryption.clone().map(s3s::dto::ServerSideEncryption::from);
    }};
}

pub(crate) use {describe, set_checksum};

/// The range that was asked for, or that of the part.
///
/// # Errors
/// `InvalidRange`, `InvalidPartNumber`, `InvalidRequest` where both are asked for.
pub(crate) async fn range_or_part(
    state: &State,
    version: &Version,
    asked: Option<&dto::Range>,
    part: Option<i32>,
) -> S3Result<(Range<u64>, Option<String>)> {
    let Some(part) = part else {
        return range(asked, version.size);
    };
    if asked.is_some() {
        return Err(crate::refusal::invalid_request(
            "Cannot specify both Range header and partNumber query parameter",
        ));
    }
    let range = match &version.upload {
        Some(upload) => crate::multipart::range_of_nth(state, upload, part).await?,
        None if part == 1 => Some(0..version.size),
        None => None,
    };
    let range = range.ok_or_else(|| {
        custom(
            "InvalidPartNumber",
            http::StatusCode::RANGE_NOT_SATISFIABLE,
            "The requested partnumber is not satisfiable",
        )
    })?;
    let said =
        (!range.is_empty()).then(|| format!("bytes {}-{}/{}", range.start, range.end - 1, version.size));
    Ok((range, said))
}

pub(crate) fn parts_count(version: &Version) -> Option<i32> {
    version.head.parts.and_then(|parts| i32::try_from(parts).ok())
}
