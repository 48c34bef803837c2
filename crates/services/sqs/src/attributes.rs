//! Queue attributes: from the texts of a request into [`QueueAttributes`], and back.
//!
//! Invariant: what was parsed is within AWS's ranges and fits the kind of queue; what a node does
//! not honour (keys of KMS) is refused by name and never stored.

mod redrive;

use std::collections::BTreeMap;

use crate::error::SqsError;
use crate::model::{
    DeduplicationScope, Fifo, FifoThroughputLimit, MAX_MESSAGE_BYTES, Queue, QueueAttributes,
};

/// Attributes that can be set, by AWS's names.
pub(crate) const SETTABLE: &[&str] = &[
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "Policy",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];

/// Attributes that are computed.
pub(crate) const COMPUTED: &[&str] = &[
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// What a refused attribute is told.
pub(crate) const NO_KMS: &str =
    "this node has no KMS; with SqsManagedSseEnabled it encrypts messages under a key of its own";

/// Texts by attribute name, as requests bring them.
pub(crate) type Given = BTreeMap<String, String>;

impl QueueAttributes {
    /// The attributes of a new queue.
    pub(crate) fn of_new(is_fifo_name: bool, given: &Given) -> Result<Self, SqsError> {
        let mut attributes = Self::default();
        match given.get("FifoQueue").map(String::as_str) {
            None if is_fifo_name => return Err(crate::names::InvalidQueueName.into()),
            None => {}
            Some("true") if !is_fifo_name => {
                let text = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
                            underscores, must end with .fifo suffix and be 1 to 80 in length";
                return Err(SqsError::InvalidParameterValue(text.into()));
            }
            Some("true") => attributes.fifo = Some(Fifo::default()),
            // AWS knows the attribute for FIFO queues only
            Some(_) => return Err(SqsError::unknown_attribute("FifoQueue")),
        }
        let rest = given.iter().filter(|(name, _)| *name != "FifoQueue");
        attributes.set_all(rest)?;
        Ok(attributes)
    }

    /// These attributes with `given` over them.
    pub(crate) fn changed_by(&self, given: &Given) -> Result<Self, SqsError> {
        let mut changed = self.clone();
        match (given.get("FifoQueue").map(String::as_str), self.fifo) {
            (None, _) | (Some("true"), Some(_)) => {}
            (Some(_), Some(_)) => {
                let text = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.";
                return Err(SqsError::InvalidAttributeValue(text.into()));
            }
            (Some(_), None) => return Err(SqsError::unknown_attribute("FifoQueue")),
        }
        changed.set_all(given.iter().filter(|(name, _)| *name != "FifoQueue"))?;
        Ok(changed)
    }

    fn set_all<'a>(&mut self, given: impl Iterator<Item = (&'a String, &'a String)>) -> Result<(), SqsError> {
        for (name, value) in given {
            self.set(name, value)?;
        }
        let fifo = self.fifo.unwrap_or_default();
        let per_group = fifo.throughput_limit == FifoThroughputLimit::PerMessageGroupId;
        if per_group && fifo.deduplication_scope == DeduplicationScope::Queue {
            let text = "Invalid value for the parameter FifoThroughputLimit. Reason: The value perMessageGroupId \
                        is allowed only when DeduplicationScope is messageGroup.";
            return Err(SqsError::InvalidAttributeValue(text.into()));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SqsError> {
        let number = |low, high| number(name, value, low, high);
        match name {
            "DelaySeconds" => self.delay_seconds = number(0, 900)?,
            "MaximumMessageSize" => self.maximum_message_size = number(1024, MAX_MESSAGE_BYTES)?,
            "MessageRetentionPeriod" => self.message_retention_period = number(60, 1_209_600)?,
            "ReceiveMessageWaitTimeSeconds" => self.receive_message_wait_time_seconds = number(0, 20)?,
            "VisibilityTimeout" => self.visibility_timeout = number(0, 43_200)?,
            "Policy" => self.policy = policy(value)?,
            "RedrivePolicy" => self.redrive = redrive::parse(value)?,
            "RedriveAllowPolicy" => self.redrive_allow = redrive::parse_allow(value)?,
            "ContentBasedDeduplication" => {
                let fifo = self
                    .fifo
                    .as_mut()
                    .ok_or_else(|| SqsError::unknown_attribute(name))?;
                fifo.content_based_deduplication = boolean(name, value)?;
            }
            "DeduplicationScope" => self.fifo_only(name)?.deduplication_scope = scope(value)?,
            "FifoThroughputLimit" => self.fifo_only(name)?.throughput_limit = throughput(value)?,
            "SqsManagedSseEnabled" => self.encrypted = boolean(name, value)?,
            "KmsMasterKeyId" => refuse_key(name, value)?,
            // without a key it says nothing
            "KmsDataKeyReusePeriodSeconds" => {
                number(60, 86_400)?;
            }
            _ => return Err(SqsError::unknown_attribute(name)),
        }
        Ok(())
    }

    fn fifo_only(&mut self, name: &str) -> Result<&mut Fifo, SqsError> {
        self.fifo.as_mut().ok_or_else(|| {
            let text = format!("You can specify the {name} only when FifoQueue is set to true.");
            SqsError::InvalidAttributeName(text)
        })
    }

    /// The texts of what can be set, as `GetQueueAttributes` gives them.
    pub(crate) fn texts(&self) -> Vec<(&'static str, String)> {
        let mut texts = vec![
            ("DelaySeconds", self.delay_seconds.to_string()),
            ("MaximumMessageSize", self.maximum_message_size.to_string()),
            (
                "MessageRetentionPeriod",
                self.message_retention_period.to_string(),
            ),
            (
                "ReceiveMessageWaitTimeSeconds",
                self.receive_message_wait_time_seconds.to_string(),
            ),
            ("SqsManagedSseEnabled", self.encrypted.to_string()),
            ("VisibilityTimeout", self.visibility_timeout.to_string()),
        ];
        let documents = [
            ("Policy", self.policy.as_ref()),
            ("RedrivePolicy", self.redrive.as_ref().map(|policy| &policy.text)),
            (
                "RedriveAllowPolicy",
                self.redrive_allow.as_ref().map(|policy| &policy.text),
            ),
        ];
        texts.extend(
            documents
                .into_iter()
                .filter_map(|(name, text)| Some((name, text?.clone()))),
        );
        if let Some(fifo) = self.fifo {
            texts.extend([
                (
                    "ContentBasedDeduplication",
                    fifo.content_based_deduplication.to_string(),
                ),
                ("DeduplicationScope", fifo.deduplication_scope.as_str().to_owned()),
                ("FifoQueue", "true".to_owned()),
                ("FifoThroughputLimit", fifo.throughput_limit.as_str().to_owned()),
            ]);
        }
        texts
    }

    /// The first attribute of `given` that is not as `self` has it.
    pub(crate) fn difference(&self, wanted: &Self, given: &Given) -> Option<String> {
        let (mine, theirs) = (self.texts(), wanted.texts());
        let of = |texts: &[(&str, String)], name: &str| {
            texts
                .iter()
                .find(|(found, _)| *found == name)
                .map(|(_, text)| text.clone())
        };
        given
            .keys()
            .find(|name| of(&mine, name) != of(&theirs, name))
            .cloned()
    }
}

impl Queue {
    /// The computed attributes that do not depend on messages.
    pub(crate) fn fixed_texts(&self) -> [(&'static str, String); 3] {
        let seconds = |time: tradewind_model::Timestamp| (time.as_millis() / 1000).to_string();
        [
            ("CreatedTimestamp", seconds(self.created)),
            ("LastModifiedTimestamp", seconds(self.modified)),
            ("QueueArn", self.arn.to_string()),
        ]
    }
}

fn number(name: &str, value: &str, low: u32, high: u32) -> Result<u32, SqsError> {
    let number = value
        .trim()
        .parse()
        .ok()
        .filter(|number| (low..=high).contains(number));
    number.ok_or_else(|| SqsError::attribute_value(name))
}

fn boolean(name: &str, value: &str) -> Result<bool, SqsError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(SqsError::attribute_value(name)),
    }
}

fn scope(value: &str) -> Result<DeduplicationScope, SqsError> {
    match value {
        "queue" => Ok(DeduplicationScope::Queue),
        "messageGroup" => Ok(DeduplicationScope::MessageGroup),
        _ => Err(SqsError::attribute_value("DeduplicationScope")),
    }
}

fn throughput(value: &str) -> Result<FifoThroughputLimit, SqsError> {
    match value {
        "perQueue" => Ok(FifoThroughputLimit::PerQueue),
        "perMessageGroupId" => Ok(FifoThroughputLimit::PerMessageGroupId),
        _ => Err(SqsError::attribute_value("FifoThroughputLimit")),
    }
}

fn refuse_key(name: &str, key: &str) -> Result<(), SqsError> {
    if key.is_empty() {
        return Ok(());
    }
    let text = format!("Invalid value for the parameter {name}. Reason: {NO_KMS}.");
    Err(SqsError::InvalidAttributeValue(text))
}

/// A policy is kept as it is given; an empty text removes it. Who may do what is judged elsewhere.
fn policy(text: &str) -> Result<Option<String>, SqsError> {
    if text.is_empty() {
        return Ok(None);
    }
    let document: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let has_statements = document.is_some_and(|document| document.get("Statement").is_some());
    if has_statements {
        Ok(Some(text.to_owned()))
    } else {
        Err(SqsError::attribute_value("Policy"))
    }
}

#[cfg(test)]
mod tests;
