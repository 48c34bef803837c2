//! `ReceiveMessage`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;
use tradewind_store::queue::{QueueError, Received};

use super::Call;
use super::send::sequence_number;
use crate::attributes::{COMPUTED, SETTABLE};
use crate::error::SqsError;
use crate::handle::Handle;
use crate::message::{Attributes, Envelope, is_selected, md5_of, md5_of_attributes};
use crate::model::Queue;
use crate::names::QueueArn;
use crate::service::{SqsService, id_of};

const MAX_MESSAGES: i64 = 10;
const MAX_WAIT_SECONDS: i64 = 20;
/// The longest visibility timeout, in seconds.
pub(super) const MAX_VISIBILITY_SECONDS: i64 = 43_200;

/// The attributes that the service gives a message.
const SYSTEM_ATTRIBUTES: &[&str] = &[
    "AWSTraceHeader",
    "All",
    "ApproximateFirstReceiveTimestamp",
    "ApproximateReceiveCount",
    "DeadLetterQueueSourceArn",
    "MessageDeduplicationId",
    "MessageGroupId",
    "SenderId",
    "SentTimestamp",
    "SequenceNumber",
];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ReceiveMessage {
    queue_url: Option<String>,
    /// The older name of the next.
    attribute_names: Option<Vec<String>>,
    message_system_attribute_names: Option<Vec<String>>,
    message_attribute_names: Option<Vec<String>>,
    max_number_of_messages: Option<i64>,
    visibility_timeout: Option<i64>,
    wait_time_seconds: Option<i64>,
    receive_request_attempt_id: Option<String>,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Messages {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    messages: Vec<Message>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    message_id: String,
    receipt_handle: String,
    #[serde(rename = "MD5OfBody")]
    md5_of_body: String,
    body: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    message_attributes: Attributes,
}

/// What of a message its receiver wants to see.
struct Selection {
    system: Vec<String>,
    attributes: Vec<String>,
}

impl SqsService {
    pub(super) async fn receive_message(
        &self,
        call: &Call,
        request: ReceiveMessage,
    ) -> Result<Messages, SqsError> {
        let queue = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        let attributes = &queue.attributes;
        let count = ranged(request.max_number_of_messages, 1, MAX_MESSAGES).map_err(|given| {
            SqsError::value(
                given,
                "MaxNumberOfMessages",
                "Must be between 1 and 10, if provided.",
            )
        })?;
        let wait = ranged(request.wait_time_seconds, 0, MAX_WAIT_SECONDS).map_err(|given| {
            SqsError::value(given, "WaitTimeSeconds", "Must be >= 0 and <= 20, if provided.")
        })?;
        let lease = visibility(request.visibility_timeout)?;
        let lease = lease.unwrap_or(Duration::from_secs(attributes.visibility_timeout.into()));
        let wait = wait.unwrap_or(attributes.receive_message_wait_time_seconds.into());
        let selection = Selection::of(
            [request.attribute_names, request.message_system_attribute_names],
            request.message_attribute_names,
        )?;
        let want = Want {
            max: usize::try_from(count.unwrap_or(1)).unwrap_or(1),
            lease,
            wait: Duration::from_secs(wait),
        };
        let attempt = request
            .receive_request_attempt_id
            .filter(|_| attributes.fifo.is_some());
        let received = match attempt {
            Some(attempt) => self.receive_attempt(call, &queue, &attempt, want).await?,
            None => self.receive(call, &queue, want).await?,
        };
        let now = self.now();
        let (mut messages, mut damaged) = (Vec::new(), None);
        for message in &received {
            let opened = self.opened(message);
            match opened.and_then(|opened| selection.apply(&queue.arn, message, opened, now)) {
                Ok(message) => messages.push(message),
                // it goes the way of what no receiver deletes; the others are not to wait for it
                Err(error) => {
                    tracing::error!(queue = %queue.arn, message = %message.id, %error, "a message cannot be read");
                    damaged = Some(error);
                }
            }
        }
        match damaged {
            Some(error) if messages.is_empty() => Err(error),
            _ => Ok(Messages { messages }),
        }
    }

    pub(super) async fn receive(
        &self,
        call: &Call,
        queue: &Queue,
        want: Want,
    ) -> Result<Vec<Received>, SqsError> {
        let id = id_of(&queue.arn);
        let receive = self.queues().receive(&id, want.max, want.lease, want.wait);
        let received = tokio::select! {
            received = receive => received,
            () = call.gone.cancelled() => return Ok(Vec::new()),
        };
        match received {
            // AWS answers no error for FIFO queues: "Message quotas" of the developer guide
            Err(QueueError::TooManyLeased { .. }) if queue.attributes.fifo.is_some() => Ok(Vec::new()),
            received => Ok(received?),
        }
    }
}

/// How much, for how long, and how long to wait for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Want {
    max: usize,
    pub(super) lease: Duration,
    wait: Duration,
}

/// A number within a range, or the number given.
fn ranged(given: Option<i64>, low: i64, high: i64) -> Result<Option<u64>, i64> {
    match given {
        Some(number) if !(low..=high).contains(&number) => Err(number),
        number => Ok(number.map(i64::unsigned_abs)),
    }
}

/// A visibility timeout.
pub(super) fn visibility(given: Option<i64>) -> Result<Option<Duration>, SqsError> {
    let seconds = ranged(given, 0, MAX_VISIBILITY_SECONDS).map_err(|given| {
        let reason = "VisibilityTimeout must be an integer between 0 and 43200.";
        SqsError::value(given, "VisibilityTimeout", reason)
    })?;
    Ok(seconds.map(Duration::from_secs))
}

impl Selection {
    fn of(system: [Option<Vec<String>>; 2], attributes: Option<Vec<String>>) -> Result<Self, SqsError> {
        let system: Vec<String> = system.into_iter().flatten().flatten().collect();
        let lists = [SYSTEM_ATTRIBUTES, SETTABLE, COMPUTED];
        let known = |name: &&String| lists.iter().any(|list| list.contains(&name.as_str()));
        if let Some(unknown) = system.iter().find(|name| !known(name)) {
            return Err(SqsError::unknown_attribute(unknown));
        }
        Ok(Self {
            system,
            attributes: attributes.unwrap_or_default(),
        })
    }

    fn apply(
        &self,
        queue: &QueueArn,
        received: &Received,
        (mut envelope, body): (Envelope, Cow<'_, [u8]>),
        now: Timestamp,
    ) -> Result<Message, SqsError> {
        envelope
            .attributes
            .retain(|name, _| is_selected(name, &self.attributes));
        let chosen = &envelope.attributes;
        let digest = md5_of_attributes(chosen.iter().map(|(name, value)| (name.as_str(), value)));
        let handle = Handle {
            receipt: received.receipt,
            received_at: now,
        };
        Ok(Message {
            message_id: received.id.to_string(),
            receipt_handle: handle.encode(queue),
            md5_of_body: md5_of(&body),
            body: String::from_utf8_lossy(&body).into_owned(),
            attributes: self.system_attributes(&envelope, received),
            md5_of_message_attributes: digest,
            message_attributes: envelope.attributes,
        })
    }

    fn system_attributes(&self, envelope: &Envelope, received: &Received) -> BTreeMap<&'static str, String> {
        let wanted = |name: &str| self.system.iter().any(|given| given == "All" || given == name);
        system_attributes(envelope, received)
            .filter(|(name, _)| wanted(name))
            .collect()
    }
}

/// The attributes that the service gives a message, in the order in which events have them.
pub(crate) fn system_attributes(
    envelope: &Envelope,
    received: &Received,
) -> impl Iterator<Item = (&'static str, String)> {
    let is_fifo = received.deduplication_id.is_some();
    let all = [
        ("ApproximateReceiveCount", Some(received.receives.to_string())),
        ("AWSTraceHeader", envelope.trace.clone()),
        ("SentTimestamp", Some(received.sent_at.as_millis().to_string())),
        (
            "SequenceNumber",
            is_fifo.then(|| sequence_number(received.sequence)),
        ),
        ("MessageGroupId", received.group.clone()),
        ("SenderId", Some(envelope.sender.clone())),
        ("MessageDeduplicationId", received.deduplication_id.clone()),
        (
            "ApproximateFirstReceiveTimestamp",
            Some(received.first_received_at.as_millis().to_string()),
        ),
        (
            "DeadLetterQueueSourceArn",
            received.death.as_ref().map(|death| death.source.to_string()),
        ),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?)))
}
