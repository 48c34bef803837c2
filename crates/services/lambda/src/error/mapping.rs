//! What can go wrong with event source mappings.

use super::kafka::KafkaMappingError;

/// Why an operation on an event source mapping failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// No such mapping.
    #[error("The resource you requested does not exist.")]
    NotFound,
    /// There is a mapping of this source and function.
    #[error(
        "An event source mapping with SQS arn (\" {source_arn} \") and function (\" {function} \") already \
         exists. Please update or delete the existing mapping with UUID {id}"
    )]
    Exists {
        /// The source.
        source_arn: String,
        /// The function's name.
        function: String,
        /// Of the mapping that is there.
        id: String,
    },
    /// It is being deleted.
    #[error("Cannot delete the event source mapping because it is in use.")]
    InUse,
    /// The request names no source, or one of a service that is none.
    #[error("Unrecognized event source.")]
    UnrecognizedSource,
    /// A source of a service that this node does not have.
    #[error(
        "event sources of `{service}` are not supported yet; this node reads queues (`arn:aws:sqs:…`) and topics of Kafka"
    )]
    SourceNotServed {
        /// `kinesis`, `dynamodb`, …
        service: String,
    },
    /// A queue of another region or account.
    #[error("the queue {source_arn} is not in the region and account of the function")]
    SourceElsewhere {
        /// Of the queue.
        source_arn: String,
    },
    /// The function is not there.
    #[error("Function does not exist")]
    NoFunction,
    /// The queue is not there.
    #[error(
        "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error \
         Message: The specified queue does not exist."
    )]
    NoQueue,
    /// Messages would become visible again while the function runs.
    #[error("Queue visibility timeout: {queue} seconds is less than Function timeout: {function} seconds")]
    VisibilityTooShort {
        /// Seconds.
        queue: u64,
        /// Seconds.
        function: u64,
    },
    /// Large batches need time to gather.
    #[error(
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10"
    )]
    WindowMissing,
    /// A FIFO queue gives ten messages at a time.
    #[error("Maximum batch size of a FIFO queue is 10")]
    FifoBatch,
    /// A FIFO queue's messages do not wait for others.
    #[error("Batching window is not supported for FIFO queues")]
    FifoWindow,
    /// A filter's pattern is none.
    #[error("Invalid filter pattern definition.")]
    InvalidFilter,
    /// A mapping has a few filters.
    #[error("the event source mapping has more than {limit} filters")]
    TooManyFilters {
        /// How many it may have.
        limit: usize,
    },
    /// Queues have no positions.
    #[error("StartingPosition is not valid for SQS event sources.")]
    StartingPosition,
    /// A member for sources of another kind.
    #[error("Unsupported {member} parameter for given event source mapping type.")]
    NotForSource {
        /// Of the request.
        member: &'static str,
    },
    /// Of a Kafka topic.
    #[error(transparent)]
    Kafka(#[from] KafkaMappingError),
}

impl MappingError {
    pub(super) fn status_and_code(&self) -> (u16, &'static str) {
        match self {
            Self::NotFound => (404, "ResourceNotFoundException"),
            Self::Exists { .. } => (409, "ResourceConflictException"),
            Self::InUse => (400, "ResourceInUseException"),
            Self::UnrecognizedSource
            | Self::SourceNotServed { .. }
            | Self::SourceElsewhere { .. }
            | Self::NoFunction
            | Self::NoQueue
            | Self::VisibilityTooShort { .. }
            | Self::WindowMissing
            | Self::FifoBatch
            | Self::FifoWindow
            | Self::InvalidFilter
            | Self::TooManyFilters { .. }
            | Self::StartingPosition
            | Self::NotForSource { .. } => (400, "InvalidParameterValueException"),
            Self::Kafka(error) => error.status_and_code(),
        }
    }
}
