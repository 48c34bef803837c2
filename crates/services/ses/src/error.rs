//! What can go wrong, and what either API calls it.

use tradewind_model::resource::ResourceError;
use tradewind_store::DatabaseError;
use tradewind_store::queue::QueueError;
use tradewind_wire::WireError;

/// Why an operation was not done. The texts are AWS's where they are known.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SesError {
    /// A member has a value that is not allowed, or one that this node does not honour.
    #[error("{0}")]
    BadRequest(String),
    /// There is no such identity.
    #[error("Email identity {0} does not exist.")]
    NotFound(String),
    /// The identity is there already.
    #[error("Email identity {0} already exist.")]
    AlreadyExists(String),
    /// It belongs to another stack, or to nobody's.
    #[error("email identity `{0}` exists already and belongs to another resource")]
    OfAnother(String),
    /// The mail may not be sent.
    #[error("{0}")]
    MessageRejected(String),
    /// Nobody takes mail.
    #[error("this node has no mail relay; start it with --smtp-relay and --smtp-sender")]
    SendingPaused,
    /// The request is no request of the protocol.
    #[error("{0}")]
    Malformed(String),
    /// An operation of the API that is not there yet.
    #[error("the operation `{0}` of SES is not implemented by this node")]
    NotImplemented(String),
    /// No operation of the API.
    #[error("{0} is no operation of SES")]
    UnknownOperation(String),
    /// The disk is full, and nothing was sent or changed.
    #[error("the disk is full; nothing was sent or changed")]
    DiskFull,
    /// The node failed; the request may be repeated, and a mail may then be sent twice.
    #[error("{0}")]
    Internal(String),
}

impl SesError {
    /// What AWS honours and this node does not.
    pub(crate) fn unsupported(what: &str, reason: &str) -> Self {
        Self::BadRequest(format!("{what} is not supported by this node: {reason}"))
    }

    /// The error as a client of the API v2 sees it; what failed inside stays in the log.
    pub(crate) fn to_rest(&self) -> WireError {
        let (status, code) = match self {
            Self::BadRequest(_) => (400, "BadRequestException"),
            Self::NotFound(_) => (404, "NotFoundException"),
            Self::AlreadyExists(_) | Self::OfAnother(_) => (400, "AlreadyExistsException"),
            Self::MessageRejected(_) => (400, "MessageRejected"),
            Self::SendingPaused => (400, "SendingPausedException"),
            Self::Malformed(_) => (400, "SerializationException"),
            Self::NotImplemented(_) => (501, "NotImplemented"),
            Self::UnknownOperation(_) => (404, "UnknownOperationException"),
            Self::DiskFull => (503, "ServiceUnavailable"),
            Self::Internal(_) => (500, "InternalFailure"),
        };
        WireError::new(status, code, self.told())
    }

    /// The same of the query API.
    pub(crate) fn to_query(&self) -> WireError {
        let (status, code) = match self {
            Self::BadRequest(_) | Self::NotFound(_) | Self::AlreadyExists(_) | Self::OfAnother(_) => {
                (400, "InvalidParameterValue")
            }
            Self::MessageRejected(_) => (400, "MessageRejected"),
            Self::SendingPaused => (400, "AccountSendingPausedException"),
            Self::Malformed(_) => (400, "MalformedQueryString"),
            Self::NotImplemented(_) => (501, "NotImplemented"),
            Self::UnknownOperation(_) => (400, "InvalidAction"),
            Self::DiskFull => (503, "ServiceUnavailable"),
            Self::Internal(_) => (500, "InternalFailure"),
        };
        WireError::new(status, code, self.told())
    }

    fn told(&self) -> String {
        match self {
            Self::Internal(_) => {
                "The request failed; it may be repeated, and the mail may then be sent twice.".into()
            }
            other => other.to_string(),
        }
    }
}

impl From<DatabaseError> for SesError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DiskFull => Self::DiskFull,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<QueueError> for SesError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Database(error) => error.into(),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<SesError> for ResourceError {
    fn from(error: SesError) -> Self {
        match error {
            SesError::OfAnother(name) => Self::AlreadyExists {
                kind: "email identity",
                name,
            },
            SesError::DiskFull | SesError::Internal(_) => Self::Internal {
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
        let error = SesError::Internal("no such table".into());
        for wire in [error.to_rest(), error.to_query()] {
            assert!(wire.status == 500 && !wire.message.contains("table"), "{wire}");
        }
    }
}
