//! Conditional requests: whether what is there is what the client thinks.

use http::{HeaderMap, HeaderValue, header};
use s3s::dto::{ETag, ETagCondition, Timestamp as Wire};
use s3s::{S3Error, S3ErrorCode, S3Result};

use crate::instant;
use crate::objects::Version;
use crate::refusal::{no_such_key, not_implemented, precondition_failed};

/// The conditions of a read, also of the source of a copy.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions<'a> {
    pub(crate) matches: Option<&'a ETagCondition>,
    pub(crate) none_match: Option<&'a ETagCondition>,
    pub(crate) modified_since: Option<&'a Wire>,
    pub(crate) unmodified_since: Option<&'a Wire>,
}

/// The conditions of an input of s3s that reads, or (`source`) that copies.
macro_rules! conditions_of {
    ($input:expr) => {
        $crate::api::conditions::Conditions {
            matches: $input.if_match.as_ref(),
            none_match: $input.if_none_match.as_ref(),
            modified_since: $input.if_modified_since.as_ref(),
            unmodified_since: $input.if_unmodified_since.as_ref(),
        }
    };
    (source $input:expr) => {
        $crate::api::conditions::Conditions {
            matches: $input.copy_source_if_match.as_ref(),
            none_match: $input.copy_source_if_none_match.as_ref(),
            modified_since: $input.copy_source_if_modified_since.as_ref(),
            unmodified_since: $input.copy_source_if_unmodified_since.as_ref(),
        }
    };
}
pub(super) use conditions_of;

impl Conditions<'_> {
    /// Judges in the order of RFC 9110, section 13.2.2: an ETag decides before a date does.
    ///
    /// # Errors
    /// `PreconditionFailed`, `NotModified`.
    pub(crate) fn check_read(&self, version: &Version) -> S3Result {
        let modified = instant::seconds(version.modified);
        let seconds = |wire: &Wire| instant::seconds(instant::to_model(wire));
        match (self.matches, self.unmodified_since) {
            (Some(condition), _) if !is(condition, &version.etag) => return Err(precondition_failed()),
            (None, Some(date)) if modified > seconds(date) => return Err(precondition_failed()),
            _ => {}
        }
        match (self.none_match, self.modified_since) {
            (Some(condition), _) if is(condition, &version.etag) => Err(not_modified(version)),
            (None, Some(date)) if modified <= seconds(date) => Err(not_modified(version)),
            _ => Ok(()),
        }
    }

    /// The same for the source of a copy, which is never answered with "not modified".
    ///
    /// # Errors
    /// `PreconditionFailed`.
    pub(crate) fn check_source(&self, version: &Version) -> S3Result {
        self.check_read(version)
            .map_err(|_not_as_expected| precondition_failed())
    }
}

fn is(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(expected) => expected.value() == etag,
    }
}

fn not_modified(version: &Version) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    let mut headers = HeaderMap::new();
    if let Ok(etag) = ETag::Strong(version.etag.clone()).to_http_header() {
        headers.insert(header::ETAG, etag);
    }
    let mut date = Vec::new();
    let wire = instant::to_wire(version.modified);
    if wire
        .format(s3s::dto::TimestampFormat::HttpDate, &mut date)
        .is_ok()
        && let Ok(value) = HeaderValue::from_bytes(&date)
    {
        headers.insert(header::LAST_MODIFIED, value);
    }
    error.set_headers(headers);
    error
}

/// The conditions of a write: `If-Match` and `If-None-Match`.
///
/// # Errors
/// `PreconditionFailed`, `NoSuchKey` for `If-Match` where nothing is, `NotImplemented` for an ETag that
/// must not be there, as in S3.
pub(crate) fn check_write(
    matches: Option<&ETagCondition>,
    none_match: Option<&ETagCondition>,
    latest: Option<&Version>,
) -> S3Result {
    let latest = latest.filter(|version| !version.marker);
    match none_match {
        Some(ETagCondition::ETag(_)) => return Err(not_implemented("If-None-Match with an ETag in a write")),
        Some(ETagCondition::Any) if latest.is_some() => return Err(precondition_failed()),
        Some(ETagCondition::Any) | None => {}
    }
    match (matches, latest) {
        (Some(_), None) => Err(no_such_key()),
        (Some(condition), Some(version)) if !is(condition, &version.etag) => Err(precondition_failed()),
        _ => Ok(()),
    }
}

/// What a deletion expects of what it deletes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expected<'a> {
    pub(crate) etag: Option<&'a ETagCondition>,
    pub(crate) modified: Option<&'a Wire>,
    pub(crate) size: Option<i64>,
}

impl Expected<'_> {
    /// # Errors
    /// `PreconditionFailed`, `NoSuchKey` where nothing is.
    pub(crate) fn check(&self, version: Option<&Version>) -> S3Result {
        if self.etag.is_none() && self.modified.is_none() && self.size.is_none() {
            return Ok(());
        }
        let version = version
            .filter(|version| !version.marker)
            .ok_or_else(no_such_key)?;
        let modified =
            |wire: &Wire| instant::seconds(instant::to_model(wire)) == instant::seconds(version.modified);
        let as_expected = self.etag.is_none_or(|etag| is(etag, &version.etag))
            && self.modified.is_none_or(modified)
            && self
                .size
                .is_none_or(|size| u64::try_from(size) == Ok(version.size));
        if as_expected {
            Ok(())
        } else {
            Err(precondition_failed())
        }
    }
}
