//! What can go wrong, and what the wire calls it.

use tradewind_model::resource::ResourceError;
use tradewind_store::DatabaseError;
use tradewind_store::blobs::BlobError;
use tradewind_wire::WireError;

/// Why an operation was not done. The texts are AWS's where they are known; none names a part of a value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SecretsManagerError {
    /// No secret, or no version of it, is what the request names.
    #[error("Secrets Manager can't find the specified {0}")]
    ResourceNotFound(String),
    /// The name or the version is there already.
    #[error("{0}")]
    ResourceExists(String),
    /// The name is taken by what another stack, or nobody's stack, made.
    #[error("secret `{0}` exists already and belongs to another resource")]
    OfAnother(String),
    /// A parameter has a value that is not allowed, or one that this node does not honour.
    #[error("{0}")]
    InvalidParameter(String),
    /// The state of the secret does not allow it.
    #[error("{0}")]
    InvalidRequest(String),
    /// A member breaks a rule of the API's model.
    #[error("{0}")]
    Validation(String),
    /// A token of no list, or of another.
    #[error("The NextToken is invalid.")]
    InvalidNextToken,
    /// A quota is reached.
    #[error("{0}")]
    LimitExceeded(String),
    /// A policy that is none.
    #[error("{0}")]
    MalformedPolicyDocument(String),
    /// The node's key does not open the value.
    #[error("Secrets Manager can't decrypt the protected secret text using the provided KMS key.")]
    DecryptionFailure,
    /// The request is no request of the protocol.
    #[error("{0}")]
    Malformed(String),
    /// An operation of the API that is not there yet.
    #[error("the operation `{0}` of Secrets Manager is not implemented by this node")]
    NotImplemented(String),
    /// No operation of the API.
    #[error("`{0}` is no operation of Secrets Manager")]
    UnknownOperation(String),
    /// The disk is full, and nothing was changed.
    #[error("the disk is full; nothing was changed")]
    DiskFull,
    /// The node failed; the request may be repeated.
    #[error("{0}")]
    Internal(String),
}

impl SecretsManagerError {
    /// There is no such secret.
    pub(crate) fn no_secret() -> Self {
        Self::ResourceNotFound("secret.".into())
    }

    /// `1 validation error detected: …`
    pub(crate) fn constraint(value: &str, member: &str, rule: &str) -> Self {
        Self::Validation(format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {rule}"
        ))
    }

    /// What AWS honours and this node does not.
    pub(crate) fn unsupported(what: &str, reason: &str) -> Self {
        Self::InvalidParameter(format!("{what} is not supported by this node: {reason}"))
    }

    /// What is stored cannot be read.
    pub(crate) fn stored(arn: &str, error: impl std::fmt::Display) -> Self {
        Self::Internal(format!(
            "`{arn}` is stored in a form that cannot be read: {error}"
        ))
    }

    /// The error's code in answers.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::ResourceNotFound(_) => "ResourceNotFoundException",
            Self::ResourceExists(_) | Self::OfAnother(_) => "ResourceExistsException",
            Self::InvalidParameter(_) => "InvalidParameterException",
            Self::InvalidRequest(_) => "InvalidRequestException",
            Self::Validation(_) => "ValidationException",
            Self::InvalidNextToken => "InvalidNextTokenException",
            Self::LimitExceeded(_) => "LimitExceededException",
            Self::MalformedPolicyDocument(_) => "MalformedPolicyDocumentException",
            Self::DecryptionFailure => "DecryptionFailure",
            Self::Malformed(_) => "SerializationException",
            Self::NotImplemented(_) => "NotImplemented",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::DiskFull => "ServiceUnavailable",
            Self::Internal(_) => "InternalServiceError",
        }
    }

    /// The error as a client sees it; what failed inside stays in the log.
    #[must_use]
    pub fn to_wire(&self) -> WireError {
        let status = match self {
            Self::NotImplemented(_) => 501,
            Self::DiskFull => 503,
            Self::Internal(_) => 500,
            Self::ResourceNotFound(_)
            | Self::ResourceExists(_)
            | Self::OfAnother(_)
            | Self::InvalidParameter(_)
            | Self::InvalidRequest(_)
            | Self::Validation(_)
            | Self::InvalidNextToken
            | Self::LimitExceeded(_)
            | Self::MalformedPolicyDocument(_)
            | Self::DecryptionFailure
            | Self::Malformed(_)
            | Self::UnknownOperation(_) => 400,
        };
        let text = match self {
            Self::Internal(_) => "An error occurred on the server side.".to_owned(),
            other => other.to_string(),
        };
        WireError::new(status, self.code(), text)
    }
}

impl From<DatabaseError> for SecretsManagerError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DiskFull => Self::DiskFull,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<BlobError> for SecretsManagerError {
    fn from(error: BlobError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<SecretsManagerError> for ResourceError {
    fn from(error: SecretsManagerError) -> Self {
        match error {
            SecretsManagerError::OfAnother(name) => Self::AlreadyExists { kind: "secret", name },
            SecretsManagerError::DiskFull | SecretsManagerError::Internal(_) => Self::Internal {
                message: error.to_string(),
            },
            other => Self::Invalid {
                message: other.to_string(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_inside_is_not_told() {
        let wire = SecretsManagerError::Internal("no such table".into()).to_wire();
        assert_eq!((wire.status, &*wire.code), (500, "InternalServiceError"));
        assert!(!wire.message.contains("table"), "{wire}");
    }
}
