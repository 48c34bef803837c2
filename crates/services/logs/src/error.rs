//! What can go wrong, and what the API calls it.

use tradewind_model::resource::ResourceError;
use tradewind_observe::{AppendLogsError, DeleteLogsError, ReadLogsError};
use tradewind_store::DatabaseError;
use tradewind_wire::WireError;

use crate::model::InvalidLogGroup;
use crate::pattern::InvalidFilterPattern;

/// Why an operation was not done. The texts are AWS's where they are known.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// A parameter has a value that is not allowed, or that a node does not honour.
    #[error("{0}")]
    InvalidParameter(String),
    /// A property of a resource has the wrong type.
    #[error(transparent)]
    Property(#[from] ResourceError),
    /// A group, stream or filter is not there.
    #[error("The specified {0} does not exist.")]
    NotFound(&'static str),
    /// A group or stream of that name is there.
    #[error("The specified {0} already exists")]
    AlreadyExists(&'static str),
    /// The name belongs to another stack, another resource of this one, or to nobody's stack.
    #[error("{kind} `{name}` exists already and belongs to another resource")]
    OfAnother {
        /// What it is.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A quota is reached.
    #[error("Resource limit exceeded.")]
    LimitExceeded,
    /// More than fifty tags.
    #[error("{0}")]
    TooManyTags(String),
    /// The request is no request of the protocol.
    #[error("{0}")]
    Malformed(String),
    /// An operation of the API that is not there yet, or none at all.
    #[error("{0}")]
    Operation(WireError),
    /// The disk is full, or the node stops; the request may be repeated.
    #[error("{0}")]
    Unavailable(String),
    /// The node failed; the request may be repeated, and events may then be stored twice.
    #[error("{0}")]
    Internal(String),
}

impl LogsError {
    /// A parameter that has to be there.
    pub(crate) fn missing(parameter: &str) -> Self {
        Self::constraint("null", parameter, "Member must not be null")
    }

    /// In the words of AWS's validation.
    pub(crate) fn constraint(value: impl std::fmt::Display, parameter: &str, rule: &str) -> Self {
        let value = match value.to_string().as_str() {
            "null" => "null".to_owned(),
            given => format!("'{given}'"),
        };
        Self::InvalidParameter(format!(
            "1 validation error detected: Value {value} at '{parameter}' failed to satisfy constraint: {rule}"
        ))
    }

    /// The error as a client sees it; what failed inside stays in the log.
    #[must_use]
    pub fn to_wire(&self) -> WireError {
        let (status, code) = match self {
            Self::Operation(error) => return error.clone(),
            Self::InvalidParameter(_) | Self::Property(_) => (400, "InvalidParameterException"),
            Self::NotFound(_) => (400, "ResourceNotFoundException"),
            Self::AlreadyExists(_) | Self::OfAnother { .. } => (400, "ResourceAlreadyExistsException"),
            Self::LimitExceeded => (400, "LimitExceededException"),
            Self::TooManyTags(_) => (400, "TooManyTagsException"),
            Self::Malformed(_) => (400, "SerializationException"),
            Self::Unavailable(_) => (503, "ServiceUnavailableException"),
            Self::Internal(_) => {
                let text = "The service failed to process the request; it may be repeated.";
                return WireError::new(500, "InternalFailure", text);
            }
        };
        WireError::new(status, code, self.to_string())
    }
}

impl From<InvalidLogGroup> for LogsError {
    fn from(error: InvalidLogGroup) -> Self {
        Self::InvalidParameter(error.to_string())
    }
}

impl From<InvalidFilterPattern> for LogsError {
    fn from(error: InvalidFilterPattern) -> Self {
        Self::InvalidParameter(error.to_string())
    }
}

impl From<DatabaseError> for LogsError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DiskFull => Self::Unavailable("the disk is full; nothing was changed".into()),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<AppendLogsError> for LogsError {
    fn from(error: AppendLogsError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<ReadLogsError> for LogsError {
    fn from(error: ReadLogsError) -> Self {
        match error {
            ReadLogsError::ShutDown | ReadLogsError::Interrupted => Self::Unavailable(error.to_string()),
            ReadLogsError::Unreadable { .. } => Self::Internal(error.to_string()),
        }
    }
}

impl From<DeleteLogsError> for LogsError {
    fn from(error: DeleteLogsError) -> Self {
        match error {
            DeleteLogsError::ShutDown => Self::Unavailable(error.to_string()),
            DeleteLogsError::Undeletable { .. } => Self::Internal(error.to_string()),
        }
    }
}

impl From<LogsError> for ResourceError {
    fn from(error: LogsError) -> Self {
        match error {
            LogsError::Property(error) => error,
            LogsError::OfAnother { kind, name } => Self::AlreadyExists { kind, name },
            LogsError::Unavailable(message) | LogsError::Internal(message) => Self::Internal { message },
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
        let wire = LogsError::Internal("no such table".into()).to_wire();
        assert_eq!((wire.status, &*wire.code), (500, "InternalFailure"));
        assert!(!wire.message.contains("table"), "{wire}");
    }

    #[test]
    fn a_missing_parameter_is_told_in_awss_words() {
        let text = LogsError::missing("logGroupName").to_string();
        let expected = "1 validation error detected: Value null at 'logGroupName' failed to satisfy \
                        constraint: Member must not be null";
        assert_eq!(text, expected);
    }
}
