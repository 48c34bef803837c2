//! A queue: what it is called, what its attributes say, and which kinds it comes in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;

use crate::names::QueueArn;

/// The longest message, and the most that a batch may hold, in bytes.
pub(crate) const MAX_MESSAGE_BYTES: u32 = 1024 * 1024;

/// A queue as it is now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Queue {
    pub(crate) arn: QueueArn,
    pub(crate) attributes: QueueAttributes,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    /// The stack's resource that made it.
    pub(crate) owner: Option<String>,
}

/// What can be set of a queue. Its form in the database is this one, with its defaults for what an
/// older row lacks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct QueueAttributes {
    pub(crate) delay_seconds: u32,
    pub(crate) maximum_message_size: u32,
    pub(crate) message_retention_period: u32,
    pub(crate) receive_message_wait_time_seconds: u32,
    pub(crate) visibility_timeout: u32,
    /// What is sent from now on is stored sealed: `SqsManagedSseEnabled`.
    pub(crate) encrypted: bool,
    /// As given: a JSON document.
    pub(crate) policy: Option<String>,
    /// The stack's resource whose policy it is.
    pub(crate) policy_owner: Option<String>,
    pub(crate) redrive: Option<RedrivePolicy>,
    pub(crate) redrive_allow: Option<RedriveAllowPolicy>,
    /// None for a standard queue.
    pub(crate) fifo: Option<Fifo>,
}

impl Default for QueueAttributes {
    fn default() -> Self {
        Self {
            delay_seconds: 0,
            maximum_message_size: MAX_MESSAGE_BYTES,
            message_retention_period: 345_600,
            receive_message_wait_time_seconds: 0,
            visibility_timeout: 30,
            encrypted: false,
            policy: None,
            policy_owner: None,
            redrive: None,
            redrive_allow: None,
            fifo: None,
        }
    }
}

/// Where messages go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RedrivePolicy {
    /// An ARN of a queue.
    pub(crate) target: String,
    pub(crate) max_receives: u32,
    /// As given.
    pub(crate) text: String,
}

/// Whose dead-letter queue a queue may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RedriveAllowPolicy {
    pub(crate) permission: RedrivePermission,
    /// As given.
    pub(crate) text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RedrivePermission {
    AllowAll,
    DenyAll,
    /// Of the queues with these ARNs.
    ByQueue(Vec<String>),
}

impl RedriveAllowPolicy {
    /// Whether the queue `source` may name this one as its dead-letter queue.
    pub(crate) fn allows(&self, source: &str) -> bool {
        match &self.permission {
            RedrivePermission::AllowAll => true,
            RedrivePermission::DenyAll => false,
            RedrivePermission::ByQueue(sources) => sources.iter().any(|allowed| allowed == source),
        }
    }
}

/// What only FIFO queues have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Fifo {
    pub(crate) content_based_deduplication: bool,
    pub(crate) deduplication_scope: DeduplicationScope,
    pub(crate) throughput_limit: FifoThroughputLimit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum DeduplicationScope {
    #[default]
    Queue,
    MessageGroup,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FifoThroughputLimit {
    #[default]
    PerQueue,
    PerMessageGroupId,
}

impl DeduplicationScope {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::MessageGroup => "messageGroup",
        }
    }
}

impl FifoThroughputLimit {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::PerQueue => "perQueue",
            Self::PerMessageGroupId => "perMessageGroupId",
        }
    }
}
