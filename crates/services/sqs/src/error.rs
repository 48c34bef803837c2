//! What can go wrong, and what each of the two protocols calls it.

use http::{HeaderName, HeaderValue};
use tradewind_model::resource::ResourceError;
use tradewind_store::DatabaseError;
use tradewind_store::queue::QueueError;
use tradewind_wire::{Protocol, WireError};

/// Why an operation was not done. The texts are AWS's where they are known.
#[derive(Debug, thiserror::Error)]
pub enum SqsError {
    /// No queue has this name, URL or ARN.
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    /// The name is taken by a queue that differs.
    #[error("A queue already exists with the same name and a different value for attribute {0}")]
    QueueNameExists(String),
    /// The name is taken by a queue that another stack, or nobody's stack, made.
    #[error("queue `{0}` exists already and belongs to another resource")]
    QueueOfAnother(String),
    /// A queue of this name was deleted less than a minute ago.
    #[error(
        "You must wait 60 seconds after deleting a queue before you can create another with the same name."
    )]
    QueueDeletedRecently,
    /// The queue was purged less than a minute ago.
    #[error("Only one PurgeQueue operation on {0} is allowed every 60 seconds.")]
    PurgeQueueInProgress(String),
    /// A quota is reached.
    #[error("{0}")]
    OverLimit(String),
    /// The node has as much to do as it can.
    #[error("{0}")]
    RequestThrottled(String),
    /// Text that is no receipt handle of this queue.
    #[error("The input receipt handle \"{0}\" is not a valid receipt handle.")]
    ReceiptHandleIsInvalid(String),
    /// A parameter has a value that is not allowed.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// A parameter is missing.
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(&'static str),
    /// A queue attribute that is unknown, or not for this kind of queue.
    #[error("{0}")]
    InvalidAttributeName(String),
    /// A queue attribute has a value that is not allowed.
    #[error("{0}")]
    InvalidAttributeValue(String),
    /// A character that no message may have.
    #[error("{0}")]
    InvalidMessageContents(String),
    /// A batch without entries.
    #[error("There should be at least one {0} in the request.")]
    EmptyBatchRequest(&'static str),
    /// More than ten entries.
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntriesInBatchRequest(usize),
    /// Two entries of one id.
    #[error("Id {0} repeated.")]
    BatchEntryIdsNotDistinct(String),
    /// An id that is not one.
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at \
         most 80 letters long."
    )]
    InvalidBatchEntryId,
    /// All messages of a batch together are too long.
    #[error("Batch requests cannot be longer than {limit} bytes. You have sent {sent} bytes.")]
    BatchRequestTooLong {
        /// The most, in bytes.
        limit: usize,
        /// How many there are.
        sent: usize,
    },
    /// Text that is no queue URL.
    #[error("The address {0} is not valid for this endpoint.")]
    InvalidAddress(String),
    /// What the queue cannot do.
    #[error("{0}")]
    UnsupportedOperation(String),
    /// A task or queue named by ARN is not there.
    #[error("{0}")]
    ResourceNotFound(String),
    /// The request is no request of the protocol.
    #[error("{0}")]
    Malformed(String),
    /// An operation of the API that is not there yet, or none at all.
    #[error("{0}")]
    Operation(WireError),
    /// The disk is full, and nothing was changed.
    #[error("the disk is full; nothing was changed")]
    DiskFull,
    /// The node failed; the request may be repeated, and a send may then be stored twice.
    #[error("{0}")]
    Internal(String),
}

/// How the protocols name an error.
struct Names {
    status: u16,
    /// The shape, in JSON.
    shape: &'static str,
    /// The code of the query protocol, which JSON clients get in a header.
    code: &'static str,
}

const fn names(status: u16, shape: &'static str, code: &'static str) -> Names {
    Names { status, shape, code }
}

impl SqsError {
    /// `Value … for parameter … is invalid. Reason: …`
    pub(crate) fn value(value: impl std::fmt::Display, parameter: &str, reason: &str) -> Self {
        let text = format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Self::InvalidParameterValue(text)
    }

    /// `Invalid value for the parameter ….`
    pub(crate) fn attribute_value(attribute: &str) -> Self {
        Self::InvalidAttributeValue(format!("Invalid value for the parameter {attribute}."))
    }

    /// `Unknown Attribute ….`
    pub(crate) fn unknown_attribute(attribute: &str) -> Self {
        Self::InvalidAttributeName(format!("Unknown Attribute {attribute}."))
    }

    #[rustfmt::skip]
    fn names(&self) -> Names {
        match self {
            Self::QueueDoesNotExist => names(400, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            Self::QueueNameExists(_) | Self::QueueOfAnother(_) => names(400, "QueueNameExists", "QueueAlreadyExists"),
            Self::QueueDeletedRecently => names(400, "QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"),
            Self::PurgeQueueInProgress(_) => names(403, "PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress"),
            Self::OverLimit(_) => names(403, "OverLimit", "OverLimit"),
            Self::RequestThrottled(_) => names(403, "RequestThrottled", "RequestThrottled"),
            Self::ReceiptHandleIsInvalid(_) => names(404, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::InvalidParameterValue(_) => names(400, "InvalidParameterValueException", "InvalidParameterValue"),
            Self::MissingParameter(_) => names(400, "MissingRequiredParameterException", "MissingParameter"),
            Self::InvalidAttributeName(_) => names(400, "InvalidAttributeName", "InvalidAttributeName"),
            Self::InvalidAttributeValue(_) => names(400, "InvalidAttributeValue", "InvalidAttributeValue"),
            Self::InvalidMessageContents(_) => names(400, "InvalidMessageContents", "InvalidMessageContents"),
            Self::EmptyBatchRequest(_) => names(400, "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
            Self::TooManyEntriesInBatchRequest(_) => names(400, "TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest"),
            Self::BatchEntryIdsNotDistinct(_) => names(400, "BatchEntryIdsNotDistinct", "AWS.SimpleQueueService.BatchEntryIdsNotDistinct"),
            Self::InvalidBatchEntryId => names(400, "InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"),
            Self::BatchRequestTooLong { .. } => names(400, "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"),
            Self::InvalidAddress(_) => names(404, "InvalidAddress", "InvalidAddress"),
            Self::UnsupportedOperation(_) => names(400, "UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation"),
            Self::ResourceNotFound(_) => names(404, "ResourceNotFoundException", "ResourceNotFoundException"),
            Self::Malformed(_) => names(400, "SerializationException", "MalformedInput"),
            Self::Operation(_) => names(400, "InvalidAction", "InvalidAction"),
            Self::DiskFull => names(503, "ServiceUnavailable", "ServiceUnavailable"),
            Self::Internal(_) => names(500, "InternalFailure", "InternalError"),
        }
    }

    /// The code of an entry of a batch that failed.
    pub(crate) fn code(&self) -> &'static str {
        self.names().code
    }

    /// True when the sender can mend it.
    pub(crate) fn is_senders(&self) -> bool {
        self.names().status < 500
    }

    /// The error as a client of `protocol` sees it.
    #[must_use]
    pub fn to_wire(&self, protocol: Protocol) -> WireError {
        if let Self::Operation(error) = self {
            return error.clone();
        }
        let Names { status, shape, code } = self.names();
        match protocol {
            Protocol::Query => WireError::new(status, code, self.text(protocol)),
            Protocol::Json10 | Protocol::Json11 | Protocol::RestJson | Protocol::RestXml => {
                let name = format!("{}#{shape}", self.namespace());
                WireError::new(status, name, self.text(protocol)).with_header(
                    HeaderName::from_static("x-amzn-query-error"),
                    query_error(status, code),
                )
            }
        }
    }

    /// Two of the codes are of the framework below SQS.
    fn namespace(&self) -> &'static str {
        match self {
            Self::InvalidParameterValue(_) | Self::MissingParameter(_) | Self::Malformed(_) => {
                "com.amazon.coral.service"
            }
            _ => "com.amazonaws.sqs",
        }
    }

    /// What a client reads; what failed inside stays in the log.
    fn text(&self, protocol: Protocol) -> String {
        match self {
            Self::Internal(_) => "We encountered an internal error. Please try again.".into(),
            Self::QueueDoesNotExist if protocol == Protocol::Query => {
                "The specified queue does not exist for this wsdl version.".into()
            }
            _ => self.to_string(),
        }
    }
}

/// What stands in `x-amzn-query-error`: clients of the JSON protocol show the old code.
fn query_error(status: u16, code: &str) -> HeaderValue {
    let fault = if status < 500 { "Sender" } else { "Receiver" };
    HeaderValue::try_from(format!("{code};{fault}"))
        .unwrap_or(HeaderValue::from_static("InternalError;Receiver"))
}

impl From<DatabaseError> for SqsError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DiskFull => Self::DiskFull,
            other => Self::Internal(other.to_string()),
        }
    }
}

impl From<QueueError> for SqsError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::NotFound { .. } => Self::QueueDoesNotExist,
            QueueError::TooManyLeased { .. } => Self::OverLimit(
                "Too many messages are in flight in the queue: delete messages after they are processed."
                    .into(),
            ),
            QueueError::TooManyWaiting { .. } => Self::RequestThrottled(error.to_string()),
            QueueError::Database(error) => error.into(),
            // checked before, in AWS's words
            QueueError::Exists { .. }
            | QueueError::FifoIsFixed { .. }
            | QueueError::GroupMissing { .. }
            | QueueError::DeduplicationIdMissing { .. }
            | QueueError::DelayOnFifo { .. }
            | QueueError::MoveRunning { .. }
            | QueueError::NoDeadLetterQueue { .. } => Self::Internal(error.to_string()),
        }
    }
}

impl From<SqsError> for ResourceError {
    fn from(error: SqsError) -> Self {
        match error {
            SqsError::QueueOfAnother(name) => Self::AlreadyExists { kind: "queue", name },
            SqsError::DiskFull | SqsError::Internal(_) => Self::Internal {
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
    fn json_names_the_shape_and_brings_the_old_code() {
        let wire = SqsError::QueueDoesNotExist.to_wire(Protocol::Json10);
        assert_eq!(wire.code, "com.amazonaws.sqs#QueueDoesNotExist");
        assert_eq!(wire.status, 400);
        assert_eq!(wire.message, "The specified queue does not exist.");
        assert_eq!(
            wire.headers[0].1,
            "AWS.SimpleQueueService.NonExistentQueue;Sender"
        );
    }

    #[test]
    fn the_query_protocol_has_the_old_code_and_text() {
        let wire = SqsError::QueueDoesNotExist.to_wire(Protocol::Query);
        assert_eq!(wire.code, "AWS.SimpleQueueService.NonExistentQueue");
        assert_eq!(
            wire.message,
            "The specified queue does not exist for this wsdl version."
        );
        assert!(wire.headers.is_empty());
    }

    #[test]
    fn what_failed_inside_is_not_told() {
        for protocol in [Protocol::Json10, Protocol::Query] {
            let wire = SqsError::Internal("no such table".into()).to_wire(protocol);
            assert_eq!(wire.status, 500);
            assert!(!wire.message.contains("table"), "{wire}");
        }
    }
}
