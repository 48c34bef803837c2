//! What a queue is made of.

use std::fmt;
use std::time::Duration;

use tradewind_model::Timestamp;
use uuid::Uuid;

/// How long a deduplication id is remembered. SQS Developer Guide, "Exactly-once processing".
pub const DEDUPLICATION_WINDOW: Duration = Duration::from_secs(5 * 60);

/// What a queue is known by: its ARN as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueId(Box<str>);

impl QueueId {
    /// The queue with this ARN.
    #[must_use]
    pub fn new(arn: &str) -> Self {
        Self(arn.into())
    }

    /// The ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for QueueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a queue behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// Ordered by group, deduplicated. Fixed for the life of the queue.
    pub fifo: bool,
    /// FIFO: a message without a deduplication id gets the SHA-256 of its body.
    pub content_based_deduplication: bool,
    /// FIFO: where a deduplication id is taken.
    pub deduplication_scope: DeduplicationScope,
    /// How long a message that has no delay of its own stays invisible after it was sent.
    pub delay: Duration,
    /// How long after it was sent a message that nobody acked is dropped.
    pub retention: Duration,
    /// Where messages go that were received too often.
    pub dead_letter: Option<DeadLetter>,
    /// Messages that may be leased at the same time.
    pub max_leased: Option<u32>,
}

impl QueueSettings {
    /// A standard queue as SQS makes it: no delay, four days of retention, no dead-letter queue.
    #[must_use]
    pub fn standard() -> Self {
        Self {
            fifo: false,
            content_based_deduplication: false,
            deduplication_scope: DeduplicationScope::Queue,
            delay: Duration::ZERO,
            retention: Duration::from_hours(4 * 24),
            dead_letter: None,
            max_leased: None,
        }
    }

    /// A FIFO queue, otherwise as [`QueueSettings::standard`].
    #[must_use]
    pub fn fifo() -> Self {
        Self {
            fifo: true,
            ..Self::standard()
        }
    }
}

/// Where a deduplication id is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeduplicationScope {
    /// Once in the queue.
    Queue,
    /// Once in each message group.
    Group,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The dead-letter queue. While it does not exist, messages stay.
    pub queue: QueueId,
    /// A message received this many times is moved instead of received once more.
    pub max_receives: u32,
}

/// A message to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// What it says.
    pub body: Vec<u8>,
    /// The sender's own; a queue does not look into it.
    pub attributes: Vec<u8>,
    /// How long it stays invisible; `None`: as the queue says.
    pub delay: Option<Duration>,
    /// Its message group.
    pub group: Option<String>,
    /// FIFO: its deduplication id.
    pub deduplication_id: Option<String>,
}

/// The id of a message, a random UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub(super) Uuid);

impl MessageId {
    pub(super) fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What became of a message that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its id; that of the first, if it is a duplicate.
    pub id: MessageId,
    /// Its place in the order of its queue.
    pub sequence: u64,
    /// Whether its deduplication id was taken: then it was not sent again.
    pub duplicate: bool,
}

/// A message and the lease on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its id.
    pub id: MessageId,
    /// What it says.
    pub body: Vec<u8>,
    /// As sent.
    pub attributes: Vec<u8>,
    /// As sent.
    pub group: Option<String>,
    /// As sent, or made of the content.
    pub deduplication_id: Option<String>,
    /// Its place in the order of its queue.
    pub sequence: u64,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// When it was received for the first time.
    pub first_received_at: Timestamp,
    /// How often it was received, this time included.
    pub receives: u32,
    /// What settles this lease.
    pub receipt: Receipt,
    /// Why and whence it came, in a dead-letter queue.
    pub death: Option<Death>,
}

/// Why a message is in a dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The queue it was in.
    pub source: QueueId,
    /// Why it was moved.
    pub reason: String,
}

/// Names one lease of one message. Good for one queue, until the message is received again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub(super) sequence: i64,
    pub(super) receives: u32,
}

/// These bytes are no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a receipt of this queue")]
pub struct InvalidReceipt;

impl Receipt {
    /// For the inside of an opaque handle.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.sequence.to_be_bytes());
        bytes[8..].copy_from_slice(&self.receives.to_be_bytes());
        bytes
    }

    /// The receipt that [`Receipt::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the length is another.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidReceipt> {
        let (sequence, receives) = bytes.split_at_checked(8).ok_or(InvalidReceipt)?;
        let invalid = |_length| InvalidReceipt;
        Ok(Self {
            sequence: i64::from_be_bytes(sequence.try_into().map_err(invalid)?),
            receives: u32::from_be_bytes(receives.try_into().map_err(invalid)?),
        })
    }
}

/// What a receipt did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// What was asked for.
    Done,
    /// Nothing: the lease is over, and nobody has received the message again.
    Expired,
    /// Nothing: the message has been received again, or is in another queue.
    Stale,
    /// Nothing: the message is gone.
    Gone,
}

/// How much is in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that can be received, those of blocked groups included.
    pub ready: u64,
    /// Messages that were sent with a delay that is not over.
    pub delayed: u64,
    /// Messages in the hands of receivers.
    pub leased: u64,
    /// When the message was sent that has been ready for longest.
    pub oldest: Option<Timestamp>,
}
