//! Why a queue refused.

use crate::DatabaseError;
use crate::queue::model::QueueId;

/// Why an operation on a queue did not happen. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// There is no such queue.
    #[error("queue `{queue}` does not exist")]
    NotFound {
        /// Which.
        queue: QueueId,
    },
    /// A queue of this name is there.
    #[error("queue `{queue}` exists already")]
    Exists {
        /// Which.
        queue: QueueId,
    },
    /// A queue cannot turn from standard to FIFO or back.
    #[error("queue `{queue}` cannot change between standard and FIFO")]
    FifoIsFixed {
        /// Which.
        queue: QueueId,
    },
    /// A message to a FIFO queue names no group.
    #[error("a message to the FIFO queue `{queue}` needs a message group id")]
    GroupMissing {
        /// Which.
        queue: QueueId,
    },
    /// A message to a FIFO queue has no deduplication id, and the queue does not make one of its content.
    #[error("a message to the FIFO queue `{queue}` needs a deduplication id, or content-based deduplication")]
    DeduplicationIdMissing {
        /// Which.
        queue: QueueId,
    },
    /// Messages of a FIFO queue have the queue's delay, not their own.
    #[error("a message to the FIFO queue `{queue}` cannot have a delay of its own")]
    DelayOnFifo {
        /// Which.
        queue: QueueId,
    },
    /// As many messages are leased as the queue allows.
    #[error("queue `{queue}` has {max} messages in flight, the most it allows")]
    TooManyLeased {
        /// Which.
        queue: QueueId,
        /// [`QueueSettings::max_leased`](crate::queue::QueueSettings::max_leased).
        max: u32,
    },
    /// As many receivers wait as the node allows.
    #[error("{max} receivers wait for messages, the most this node allows; retry later")]
    TooManyWaiting {
        /// The limit.
        max: usize,
    },
    /// A move from the queue runs already.
    #[error("messages of queue `{queue}` are being moved; cancel that move or wait for it")]
    MoveRunning {
        /// Which.
        queue: QueueId,
    },
    /// The queue has no dead-letter queue, or it does not exist.
    #[error("queue `{queue}` has no dead-letter queue")]
    NoDeadLetterQueue {
        /// Which.
        queue: QueueId,
    },
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}
