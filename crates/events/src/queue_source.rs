//! Queues as a source of events: what reads them for functions and pipes, without knowing the service.
//!
//! Messages come from the store's queue (`tradewind_store::queue`), which does not look into what a service
//! kept beside a body. That service makes a [`QueueRecord`] of what was received.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use tradewind_model::{Arn, Timestamp};
use tradewind_store::queue::{QueueId, Received};

use crate::receiver::Undeliverable;

/// The part of a queue service that others read its queues through.
pub trait QueueSource: Send + Sync + std::fmt::Debug {
    /// What a reader has to know of a queue. It reads memory only.
    ///
    /// # Errors
    /// [`Undeliverable::NotFound`].
    fn queue(&self, queue: &Arn) -> Result<QueueFacts, Undeliverable>;

    /// A message that was received at `now` from the store's queue, as readers get it.
    ///
    /// # Errors
    /// [`Undeliverable::Refused`]: what is stored beside the body cannot be read.
    fn record(&self, queue: &Arn, received: &Received, now: Timestamp) -> Result<QueueRecord, Undeliverable>;
}

/// What a reader has to know of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueFacts {
    /// The queue in the store.
    pub id: QueueId,
    /// Whether it is ordered by group.
    pub fifo: bool,
    /// How long a received message stays invisible, unless its reader says otherwise.
    pub visibility_timeout: Duration,
}

/// A message of a queue in the form of Lambda's events: one of their `Records` ("Using Lambda with Amazon
/// SQS"). Pipes have the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct QueueRecord {
    /// A UUID.
    pub message_id: String,
    /// Good for `DeleteMessage` and `ChangeMessageVisibility`.
    pub receipt_handle: String,
    /// What was sent.
    pub body: String,
    /// `ApproximateReceiveCount`, `SentTimestamp`, and the other attributes that the service gives a message,
    /// in its order.
    #[serde(serialize_with = "as_object")]
    pub attributes: Vec<(&'static str, String)>,
    /// The sender's attributes, by name.
    pub message_attributes: BTreeMap<String, RecordAttribute>,
    /// Of the sender's attributes, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub md5_of_message_attributes: Option<String>,
    /// In hexadecimal.
    pub md5_of_body: String,
    /// `aws:sqs`.
    pub event_source: &'static str,
    /// Of the queue.
    #[serde(rename = "eventSourceARN")]
    pub event_source_arn: String,
    /// Of the queue.
    pub aws_region: String,
}

/// A sender's attribute of a [`QueueRecord`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecordAttribute {
    /// Of strings and numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// Of binaries, in base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
    /// Always empty: the service does not support lists.
    pub string_list_values: [String; 0],
    /// Always empty: the service does not support lists.
    pub binary_list_values: [String; 0],
    /// `String`, `Number` or `Binary`, perhaps with a label.
    pub data_type: String,
}

fn as_object<S: Serializer>(attributes: &[(&'static str, String)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(attributes.iter().map(|(name, value)| (name, value)))
}
