//! What is delivered.

use bytes::Bytes;

use crate::trace::Trace;

/// One event on its way to one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// What the target gets: a function's payload, the body of a queue's message, what a topic publishes,
    /// a bus's event with its envelope.
    pub body: Bytes,
    /// Message attributes, as SNS and SQS have them, in the order in which they were given.
    pub attributes: Vec<MessageAttribute>,
    /// A subject, for topics.
    pub subject: Option<String>,
    /// The message group, for FIFO queues and topics.
    pub group: Option<String>,
    /// The deduplication id, for FIFO queues and topics.
    pub deduplication_id: Option<String>,
    /// Who sends: the principal of a service such as `s3.amazonaws.com`, or a caller's access key.
    pub sender: String,
    /// The ARN of the topic, rule, bucket, … that sends; empty if there is none.
    pub source: String,
    /// The journey it is part of.
    pub trace: Trace,
}

/// A message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAttribute {
    /// Its name.
    pub name: String,
    /// `String`, `Number`, `Binary` or (SNS) `String.Array`, perhaps with a label after a dot.
    pub data_type: String,
    /// Its value.
    pub value: AttributeValue,
}

/// The value of a message attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// Of strings, numbers and arrays: the text as it was given.
    Text(String),
    /// Of binaries: the bytes.
    Binary(Bytes),
}
