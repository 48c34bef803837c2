//! What can go wrong, and what the wire calls it.

use tradewind_model::resource::ResourceError;
use tradewind_store::DatabaseError;
use tradewind_store::blobs::BlobError;
use tradewind_store::queue::QueueError;
use tradewind_wire::WireError;

/// Why an operation was not done. The texts are AWS's where they are known.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EventBridgeError {
    /// What the request names is not there.
    #[error("{0}")]
    ResourceNotFound(String),
    /// The name is taken.
    #[error("{0}")]
    ResourceAlreadyExists(String),
    /// The name is taken by what another stack, or nobody's stack, made.
    #[error("{kind} `{name}` exists already and belongs to another resource")]
    OfAnother {
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A member has a value that is not allowed, or one that this node does not honour.
    #[error("{0}")]
    Validation(String),
    /// Text that is no event pattern.
    #[error("{0}")]
    InvalidEventPattern(String),
    /// A quota is reached.
    #[error("{0}")]
    LimitExceeded(String),
    /// The state of what is named does not allow it.
    #[error("{0}")]
    IllegalStatus(String),
    /// The state of a partner event source does not allow it.
    #[error("{0}")]
    InvalidState(String),
    /// The bus's policy would be too long.
    #[error("{0}")]
    PolicyLengthExceeded(String),
    /// The request is no request of the protocol.
    #[error("{0}")]
    Malformed(String),
    /// An operation of the API that is not there yet.
    #[error("the operation `{0}` of EventBridge is not implemented by this node")]
    NotImplemented(String),
    /// No operation of the API.
    #[error("{0} is no operation of EventBridge")]
    UnknownOperation(String),
    /// The disk is full, and nothing was changed.
    #[error("the disk is full; nothing was changed")]
    DiskFull,
    /// The node failed; the request may be repeated.
    #[error("{0}")]
    Internal(String),
}

impl EventBridgeError {
    /// `1 validation error detected: …`
    pub(crate) fn constraint(value: &str, member: &str, rule: &str) -> Self {
        Self::Validation(format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: {rule}"
        ))
    }

    /// `Parameter … is not valid. Reason: …`
    pub(crate) fn parameter(parameter: &str, reason: &str) -> Self {
        Self::Validation(format!("Parameter {parameter} is not valid. Reason: {reason}"))
    }

    /// What AWS honours and this node does not.
    pub(crate) fn unsupported(what: &str, reason: &str) -> Self {
        Self::Validation(format!("{what} is not supported by this node: {reason}"))
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
            Self::ResourceAlreadyExists(_) | Self::OfAnother { .. } => "ResourceAlreadyExistsException",
            Self::Validation(_) => "ValidationException",
            Self::InvalidEventPattern(_) => "InvalidEventPatternException",
            Self::LimitExceeded(_) => "LimitExceededException",
            Self::IllegalStatus(_) => "IllegalStatusException",
            Self::InvalidState(_) => "InvalidStateException",
            Self::PolicyLengthExceeded(_) => "PolicyLengthExceededException",
            Self::Malformed(_) => "SerializationException",
            Self::NotImplemented(_) => "NotImplemented",
            Self::UnknownOperation(_) => "UnknownOperationException",
            Self::DiskFull => "ServiceUnavailable",
            Self::Internal(_) => "InternalException",
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
            | Self::ResourceAlreadyExists(_)
            | Self::OfAnother { .. }
            | Self::Validation(_)
            | Self::InvalidEventPattern(_)
            | Self::LimitExceeded(_)
            | Self::IllegalStatus(_)
            | Self::InvalidState(_)
            | Self::PolicyLengthExceeded(_)
            | Self::Malformed(_)
            | Self::UnknownOperation(_) => 400,
        };
        let text = match self {
            Self::Internal(_) => "An internal error occurred. Please try again.".to_owned(),
            other => other.to_string(),
        };
        WireError::new(status, self.code(), text)
    }
}

impl From<DatabaseError> for EventBridgeError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DiskFull => Self::DiskFull,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<QueueError> for EventBridgeError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Database(error) => error.into(),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<BlobError> for EventBridgeError {
    fn from(error: BlobError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<EventBridgeError> for ResourceError {
    fn from(error: EventBridgeError) -> Self {
        match error {
            EventBridgeError::OfAnother { kind, name } => Self::AlreadyExists { kind, name },
            EventBridgeError::DiskFull | EventBridgeError::Internal(_) => Self::Internal {
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
        let wire = EventBridgeError::Internal("no such table".into()).to_wire();
        assert_eq!(wire.status, 500);
        assert!(!wire.message.contains("table"), "{wire}");
    }
}
