//! `SendMessage` and `SendMessageBatch`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tradewind_store::queue::{NewMessage, Sent};

use super::batch::{Failed, Outcome, check_ids};
use super::{Call, required};
use crate::error::SqsError;
use crate::message::{
    Attributes, Envelope, attributes_size, check_attributes, check_characters, md5_of, md5_of_attributes,
    trace_header,
};
use crate::model::{MAX_MESSAGE_BYTES, Queue};
use crate::service::{SqsService, id_of};

const MAX_DELAY_SECONDS: i64 = 900;
const ENTRY: &str = "SendMessageBatchRequestEntry";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SendMessageBatch {
    queue_url: Option<String>,
    entries: Option<Vec<Entry>>,
}

/// A message as it is sent: a request of its own, with a queue, or an entry of a batch, with an id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    queue_url: Option<String>,
    id: Option<String>,
    message_body: Option<String>,
    delay_seconds: Option<i64>,
    message_attributes: Option<Attributes>,
    message_system_attributes: Option<Attributes>,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SentMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    message_id: String,
    #[serde(rename = "MD5OfMessageBody")]
    md5_of_message_body: String,
    #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    #[serde(
        rename = "MD5OfMessageSystemAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    md5_of_message_system_attributes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
}

/// A message that may be sent, and what its sender is told.
struct Prepared {
    message: NewMessage,
    id: Option<String>,
    md5_of_body: String,
    md5_of_attributes: Option<String>,
    md5_of_system_attributes: Option<String>,
}

impl SqsService {
    pub(super) async fn send_message(&self, call: &Call, mut entry: Entry) -> Result<SentMessage, SqsError> {
        let queue = self.queue(&call.queue(entry.queue_url.as_deref())?)?;
        entry.id = None;
        check_group(&queue, &entry)?;
        let limit = queue.attributes.maximum_message_size;
        if entry.size() > limit as usize {
            let text = format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {limit} bytes."
            );
            return Err(SqsError::InvalidParameterValue(text));
        }
        let mut prepared = entry.prepare(self, &queue, call)?;
        let message = std::mem::take(&mut prepared.message);
        let sent = self.queues().send(&id_of(&queue.arn), vec![message]).await?;
        let sent = sent
            .first()
            .ok_or_else(|| SqsError::Internal("the store sent nothing".into()))?;
        Ok(prepared.sent(&queue, sent))
    }

    pub(super) async fn send_message_batch(
        &self,
        call: &Call,
        request: SendMessageBatch,
    ) -> Result<Outcome<SentMessage>, SqsError> {
        let queue = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        let entries = request.entries.unwrap_or_default();
        check_ids(ENTRY, entries.iter().map(|entry| entry.id.as_deref()))?;
        let sent = entries.iter().map(Entry::size).sum();
        let limit = MAX_MESSAGE_BYTES as usize;
        if sent > limit {
            return Err(SqsError::BatchRequestTooLong { limit, sent });
        }
        entries
            .iter()
            .try_for_each(|entry| check_group(&queue, entry).map_err(SqsError::of_batch))?;
        let mut outcome = Outcome::default();
        let (mut ready, mut messages) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = entry.id.clone().unwrap_or_default();
            match entry.prepare_in_batch(self, &queue, call) {
                Ok(mut prepared) => {
                    messages.push(std::mem::take(&mut prepared.message));
                    ready.push(prepared);
                }
                Err(error) => outcome.failed.push(Failed::new(id, &error)),
            }
        }
        if !messages.is_empty() {
            let sent = self.queues().send(&id_of(&queue.arn), messages).await?;
            outcome.successful = ready
                .into_iter()
                .zip(&sent)
                .map(|(ready, sent)| ready.sent(&queue, sent))
                .collect();
        }
        Ok(outcome)
    }
}

impl SqsError {
    /// In a batch AWS gives this code to a parameter that misses.
    fn of_batch(self) -> Self {
        match self {
            Self::MissingParameter(_) => Self::InvalidParameterValue(self.to_string()),
            other => other,
        }
    }
}

/// What FIFO queues ask of every message.
fn check_group(queue: &Queue, entry: &Entry) -> Result<(), SqsError> {
    let Some(fifo) = queue.attributes.fifo else {
        return Ok(());
    };
    if entry.message_group_id.is_none() {
        return Err(SqsError::MissingParameter("MessageGroupId"));
    }
    if entry.message_deduplication_id.is_none() && !fifo.content_based_deduplication {
        let text = "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId \
                    provided explicitly";
        return Err(SqsError::InvalidParameterValue(text.into()));
    }
    Ok(())
}

impl Entry {
    /// What counts towards the limits: body and attributes.
    fn size(&self) -> usize {
        let body = self.message_body.as_ref().map_or(0, String::len);
        body + self.message_attributes.as_ref().map_or(0, attributes_size)
    }

    fn prepare_in_batch(
        self,
        service: &SqsService,
        queue: &Queue,
        call: &Call,
    ) -> Result<Prepared, SqsError> {
        let limit = queue.attributes.maximum_message_size;
        if self.size() > limit as usize {
            let text = format!(
                "One or more parameters cannot be validated. Reason: Message must be shorter than {limit} bytes."
            );
            return Err(SqsError::InvalidParameterValue(text));
        }
        self.prepare(service, queue, call)
    }

    fn prepare(self, service: &SqsService, queue: &Queue, call: &Call) -> Result<Prepared, SqsError> {
        let body = required(self.message_body.filter(|body| !body.is_empty()), "MessageBody")?;
        check_characters(&body, "message body")?;
        let attributes = self.message_attributes.unwrap_or_default();
        check_attributes(&attributes)?;
        let system = self.message_system_attributes.unwrap_or_default();
        let trace = trace_header(&system)?;
        let delay = delay(queue, self.delay_seconds)?;
        let deduplication_id = self.message_deduplication_id;
        check_id("MessageGroupId", self.message_group_id.as_deref())?;
        check_id("MessageDeduplicationId", deduplication_id.as_deref())?;
        if let Some(id) = deduplication_id
            .as_deref()
            .filter(|_| queue.attributes.fifo.is_none())
        {
            return Err(SqsError::value(id, "MessageDeduplicationId", NOT_FOR_THIS_KIND));
        }
        let (md5_of_body, md5_of_attributes) = (md5_of(body.as_bytes()), digest(&attributes));
        let envelope = Envelope {
            sender: call.sender.clone(),
            attributes,
            trace: trace.or_else(|| call.trace.clone()),
        };
        let message = NewMessage {
            body: body.into_bytes(),
            delay,
            group: self.message_group_id,
            deduplication_id,
            ..NewMessage::default()
        };
        Ok(Prepared {
            message: service.stored(queue, &envelope, message)?,
            id: self.id,
            md5_of_body,
            md5_of_attributes,
            md5_of_system_attributes: digest(&system),
        })
    }
}

const NOT_FOR_THIS_KIND: &str = "The request include parameter that is not valid for this queue type.";

fn digest(attributes: &Attributes) -> Option<String> {
    md5_of_attributes(attributes.iter().map(|(name, value)| (name.as_str(), value)))
}

/// A delay of its own, for a message of a standard queue.
fn delay(queue: &Queue, seconds: Option<i64>) -> Result<Option<Duration>, SqsError> {
    let Some(seconds) = seconds else { return Ok(None) };
    if !(0..=MAX_DELAY_SECONDS).contains(&seconds) {
        let reason = "DelaySeconds must be >= 0 and <= 900.";
        return Err(SqsError::value(seconds, "DelaySeconds", reason));
    }
    match (queue.attributes.fifo, seconds) {
        (Some(_), 0) => Ok(None),
        (Some(_), _) => Err(SqsError::value(seconds, "DelaySeconds", NOT_FOR_THIS_KIND)),
        (None, _) => Ok(Some(Duration::from_secs(seconds.unsigned_abs()))),
    }
}

/// Group and deduplication ids: 1 to 128 printable characters of ASCII but the space.
fn check_id(parameter: &'static str, id: Option<&str>) -> Result<(), SqsError> {
    let Some(id) = id else { return Ok(()) };
    if (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    let reason =
        format!("{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in length.");
    Err(SqsError::value(id, parameter, &reason))
}

impl Prepared {
    fn sent(self, queue: &Queue, sent: &Sent) -> SentMessage {
        SentMessage {
            id: self.id,
            message_id: sent.id.to_string(),
            md5_of_message_body: self.md5_of_body,
            md5_of_message_attributes: self.md5_of_attributes,
            md5_of_message_system_attributes: self.md5_of_system_attributes,
            sequence_number: queue.attributes.fifo.map(|_| sequence_number(sent.sequence)),
        }
    }
}

/// AWS's are numbers of twenty digits, whose order as text is their order.
pub(super) fn sequence_number(sequence: u64) -> String {
    format!("{sequence:020}")
}
