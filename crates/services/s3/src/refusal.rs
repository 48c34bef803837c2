//! Errors in S3's words. What has no entry here is worded where it is found.

use std::borrow::Cow;

use http::StatusCode;
use s3s::{S3Error, S3ErrorCode};
use tradewind_store::DatabaseError;
use tradewind_store::blobs::BlobError;

/// An error of the list that s3s has.
pub(crate) fn refused(code: S3ErrorCode, message: impl Into<Cow<'static, str>>) -> S3Error {
    S3Error::with_message(code, message)
}

/// An error that the list of s3s lacks.
pub(crate) fn custom(
    code: &'static str,
    status: StatusCode,
    message: impl Into<Cow<'static, str>>,
) -> S3Error {
    let mut error = S3Error::with_message(S3ErrorCode::Custom(code.into()), message);
    error.set_status_code(status);
    error
}

pub(crate) fn invalid_argument(message: impl Into<Cow<'static, str>>) -> S3Error {
    refused(S3ErrorCode::InvalidArgument, message)
}

pub(crate) fn invalid_request(message: impl Into<Cow<'static, str>>) -> S3Error {
    refused(S3ErrorCode::InvalidRequest, message)
}

pub(crate) fn no_such_bucket() -> S3Error {
    refused(S3ErrorCode::NoSuchBucket, "The specified bucket does not exist")
}

pub(crate) fn no_such_key() -> S3Error {
    refused(S3ErrorCode::NoSuchKey, "The specified key does not exist.")
}

pub(crate) fn no_such_version() -> S3Error {
    refused(
        S3ErrorCode::NoSuchVersion,
        "The specified version does not exist.",
    )
}

pub(crate) fn precondition_failed() -> S3Error {
    refused(
        S3ErrorCode::PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold",
    )
}

/// Two writes of one key met, more often than is worth a retry here.
pub(crate) fn conflict() -> S3Error {
    custom(
        "ConditionalRequestConflict",
        StatusCode::CONFLICT,
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    )
}

/// A thing of S3 that this node does not have.
pub(crate) fn not_implemented(what: &str) -> S3Error {
    refused(
        S3ErrorCode::NotImplemented,
        format!("{what} is not implemented by this node"),
    )
}

/// A failure of the node's own: the log says which, the client that there was one.
pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> S3Error {
    tracing::error!(%error, "an S3 request failed");
    refused(
        S3ErrorCode::InternalError,
        "We encountered an internal error. Please try again.",
    )
}

pub(crate) fn of_database(error: DatabaseError) -> S3Error {
    match error {
        DatabaseError::DiskFull => full(),
        other => internal(&other),
    }
}

pub(crate) fn of_blob(error: BlobError) -> S3Error {
    match error {
        BlobError::Full { .. } => full(),
        BlobError::Remote { .. } => {
            tracing::error!(%error, "an S3 request failed");
            refused(
                S3ErrorCode::ServiceUnavailable,
                "The store of this node's content cannot be reached. Please try again.",
            )
        }
        other => internal(&other),
    }
}

/// AWS never runs out of room; this is what clients of other S3 stores know.
fn full() -> S3Error {
    custom(
        "InsufficientCapacity",
        StatusCode::INSUFFICIENT_STORAGE,
        "the disk of this node has no room above its reserve; nothing was stored",
    )
}

/// A failure of s3s itself.
pub(crate) fn of_wire(error: s3s::HttpError) -> S3Error {
    let error = s3s::StdError::from(error);
    internal(error.as_ref())
}
