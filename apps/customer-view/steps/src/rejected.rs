//! Records that are broken: told to a queue, with the reason and nothing of what they say.

use serde::Serialize;
use serde_json::{Value, json};

use crate::call::{Caller, Operation};
use crate::failure::Failure;
use crate::settings::Endpoint;

/// As many messages a call takes.
const MESSAGES: usize = 10;
const SEND: Operation = Operation {
    service: "sqs",
    target: "AmazonSQS.SendMessageBatch",
    content: "application/x-amz-json-1.0",
};

/// What is wrong with a single record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// One of MODEL.md's.
    pub code: &'static str,
    /// Names members, never their values.
    pub reason: String,
}

/// A message of the queue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rejection {
    /// As [`Problem::reason`].
    pub reason: String,
    /// As [`Problem::code`].
    pub code: &'static str,
    /// `resolve` or `merge`.
    pub step: &'static str,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Where the record stands.
    pub topic: String,
    /// Its partition.
    pub partition: i64,
    /// And its offset.
    pub offset: i64,
    /// The event's id, where it can be read.
    pub event: Option<String>,
    /// The account's token, where it can be read.
    pub token: Option<String>,
}

/// The queue of what is rejected.
#[derive(Debug)]
pub struct Rejected {
    caller: Caller,
    url: String,
}

impl Rejected {
    /// The queue of this URL.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(endpoint: Endpoint, url: &str) -> Result<Self, Failure> {
        Ok(Self {
            caller: Caller::new(endpoint)?,
            url: url.to_owned(),
        })
    }

    /// Sends rejections.
    ///
    /// # Errors
    /// When one is not taken; others may be.
    pub async fn send(&self, rejections: &[Rejection]) -> Result<(), Failure> {
        for some in rejections.chunks(MESSAGES) {
            let message = |(id, one): (usize, &Rejection)| json!({"Id": id.to_string(), "MessageBody": json!(one).to_string()});
            let entries: Vec<Value> = some.iter().enumerate().map(message).collect();
            let request = json!({"QueueUrl": self.url, "Entries": entries});
            let answer = self.caller.call(SEND, &request).await.map_err(Failure::Queue)?;
            if let Some(failed) = answer["Failed"].as_array().and_then(|failed| failed.first()) {
                return Err(Failure::Queue(failed.to_string()));
            }
        }
        Ok(())
    }
}
