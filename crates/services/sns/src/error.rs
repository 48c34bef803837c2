//! What can go wrong, and what SNS calls it.

use tradewind_events::Undeliverable;
use tradewind_model::resource::ResourceError;
use tradewind_store::DatabaseError;
use tradewind_store::queue::QueueError;
use tradewind_wire::WireError;

use crate::names::InvalidTopicName;

/// Why an operation was not done. The texts are AWS's where they are known.
#[derive(Debug, thiserror::Error)]
pub enum SnsError {
    /// No topic has this ARN.
    #[error("Topic does not exist")]
    TopicDoesNotExist,
    /// No subscription has this ARN.
    #[error("Subscription does not exist")]
    SubscriptionDoesNotExist,
    /// What a tag operation names is not there.
    #[error("Resource does not exist")]
    ResourceDoesNotExist,
    /// The name is taken by a topic that another stack, or nobody's stack, made.
    #[error("topic `{0}` exists already and belongs to another resource")]
    TopicOfAnother(String),
    /// A parameter is wrong.
    #[error("Invalid parameter: {0}")]
    InvalidParameter(String),
    /// A message attribute is wrong.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// A parameter is missing.
    #[error(
        "1 validation error detected: Value null at '{0}' failed to satisfy constraint: Member must not be null"
    )]
    MissingParameter(&'static str),
    /// A filter policy is too large, or there are too many.
    #[error("{0}")]
    FilterPolicyLimitExceeded(String),
    /// More subscriptions than a topic may have.
    #[error("{0}")]
    SubscriptionLimitExceeded(String),
    /// More topics than an account may have.
    #[error("{0}")]
    TopicLimitExceeded(String),
    /// More tags than a topic may have.
    #[error("Could not complete request: tag quota of per resource exceeded")]
    TagLimitExceeded,
    /// A batch without entries.
    #[error("The batch request doesn't contain any entries.")]
    EmptyBatchRequest,
    /// More than ten entries.
    #[error("The batch request contains more entries than permissible.")]
    TooManyEntriesInBatchRequest,
    /// Two entries of one id.
    #[error("Two or more batch entries in the request have the same Id.")]
    BatchEntryIdsNotDistinct,
    /// An id that is not one.
    #[error("The Id of a batch entry in a batch request doesn't abide by the specification.")]
    InvalidBatchEntryId,
    /// All messages of a batch together are too long.
    #[error("The length of all the batch messages put together is more than the limit.")]
    BatchRequestTooLong,
    /// A function, queue or fan-out does not take the message, and nobody wants its dead letter.
    #[error(transparent)]
    Undeliverable(Undeliverable),
    /// The request is no request of the protocol.
    #[error("{0}")]
    Malformed(String),
    /// An operation of the API that is not there yet, or none at all.
    #[error("{0}")]
    Operation(WireError),
    /// The disk is full, and nothing was changed.
    #[error("the disk is full; nothing was changed")]
    DiskFull,
    /// The node failed; the request may be repeated, and a publish may then be delivered twice.
    #[error("{0}")]
    Internal(String),
}

impl SnsError {
    /// `Invalid parameter: … Reason: …`
    pub(crate) fn invalid(parameter: &str, reason: &str) -> Self {
        Self::InvalidParameter(format!("{parameter} Reason: {reason}"))
    }

    /// What is not honoured, by its name.
    pub(crate) fn refused(name: &str, reason: &str) -> Self {
        Self::InvalidParameter(format!("`{name}` is not supported by this node: {reason}"))
    }

    /// Status and code.
    fn code_and_status(&self) -> (u16, &'static str) {
        match self {
            Self::TopicDoesNotExist | Self::SubscriptionDoesNotExist => (404, "NotFound"),
            Self::ResourceDoesNotExist => (404, "ResourceNotFound"),
            Self::TopicOfAnother(_) | Self::InvalidParameter(_) | Self::Undeliverable(_) => {
                (400, "InvalidParameter")
            }
            Self::InvalidParameterValue(_) => (400, "ParameterValueInvalid"),
            Self::MissingParameter(_) => (400, "ValidationError"),
            Self::FilterPolicyLimitExceeded(_) => (403, "FilterPolicyLimitExceeded"),
            Self::SubscriptionLimitExceeded(_) => (403, "SubscriptionLimitExceeded"),
            Self::TopicLimitExceeded(_) => (403, "TopicLimitExceeded"),
            Self::TagLimitExceeded => (400, "TagLimitExceeded"),
            Self::EmptyBatchRequest => (400, "EmptyBatchRequest"),
            Self::TooManyEntriesInBatchRequest => (400, "TooManyEntriesInBatchRequest"),
            Self::BatchEntryIdsNotDistinct => (400, "BatchEntryIdsNotDistinct"),
            Self::InvalidBatchEntryId => (400, "InvalidBatchEntryId"),
            Self::BatchRequestTooLong => (400, "BatchRequestTooLong"),
            Self::Malformed(_) => (400, "MalformedQueryString"),
            Self::Operation(_) => (400, "InvalidAction"),
            Self::DiskFull => (503, "ServiceUnavailable"),
            Self::Internal(_) => (500, "InternalError"),
        }
    }

    /// The code of an entry of a batch that failed.
    pub(crate) fn code(&self) -> &'static str {
        self.code_and_status().1
    }

    /// True when the sender can mend it.
    pub(crate) fn is_senders(&self) -> bool {
        self.code_and_status().0 < 500
    }

    /// The error as a client sees it; what failed inside stays in the log.
    #[must_use]
    pub fn to_wire(&self) -> WireError {
        if let Self::Operation(error) = self {
            return error.clone();
        }
        let (status, code) = self.code_and_status();
        let text = match self {
            Self::Internal(_) => "We encountered an internal error. Please try again.".into(),
            _ => self.to_string(),
        };
        WireError::new(status, code, text)
    }
}

impl From<InvalidTopicName> for SnsError {
    fn from(_name: InvalidTopicName) -> Self {
        Self::InvalidParameter("Topic Name".into())
    }
}

impl From<DatabaseError> for SnsError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DiskFull => Self::DiskFull,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<QueueError> for SnsError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Database(error) => error.into(),
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<SnsError> for ResourceError {
    fn from(error: SnsError) -> Self {
        match error {
            SnsError::TopicOfAnother(name) => Self::AlreadyExists { kind: "topic", name },
            SnsError::DiskFull | SnsError::Internal(_) => Self::Internal {
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
        let wire = SnsError::Internal("no such table".into()).to_wire();
        assert_eq!((wire.status, &*wire.code), (500, "InternalError"));
        assert!(!wire.message.contains("table"), "{wire}");
    }

    #[test]
    fn parameters_are_named_as_sns_names_them() {
        let wire = SnsError::invalid("TopicArn", "no").to_wire();
        assert_eq!(wire.code, "InvalidParameter");
        assert_eq!(wire.message, "Invalid parameter: TopicArn Reason: no");
    }
}
