//! A message that is published, checked: sizes, subject, attributes, structure, FIFO.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tradewind_events::{AttributeValue, MessageAttribute, Trace};
use tradewind_model::Timestamp;
use uuid::Uuid;

use crate::error::SnsError;
use crate::model::{Protocol, Topic};

/// The longest message, with its attributes; also of all messages of a batch together.
pub(crate) const MAX_BYTES: usize = 256 * 1024;
const MAX_SUBJECT: usize = 100;
const MAX_ID: usize = 128;

/// What a publisher says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) message: String,
    pub(crate) subject: Option<String>,
    /// `json`: the message is an object with a text for each protocol.
    pub(crate) structure: Option<String>,
    pub(crate) attributes: Vec<MessageAttribute>,
    pub(crate) group: Option<String>,
    pub(crate) deduplication_id: Option<String>,
}

/// What is published.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    pub(crate) id: Uuid,
    pub(crate) at: Timestamp,
    default: String,
    by_protocol: BTreeMap<&'static str, String>,
    pub(crate) subject: Option<String>,
    pub(crate) attributes: Vec<MessageAttribute>,
    pub(crate) group: Option<String>,
    /// FIFO: the publisher's, or made of the content.
    pub(crate) deduplication_id: Option<String>,
    /// FIFO: its place in the order of the topic.
    pub(crate) sequence: Option<u64>,
    pub(crate) trace: Trace,
    /// What it is charged for: the message and its attributes.
    pub(crate) bytes: usize,
}

impl Draft {
    pub(crate) fn bytes(&self) -> usize {
        let of_attribute = |attribute: &MessageAttribute| {
            let value = match &attribute.value {
                AttributeValue::Text(text) => text.len(),
                AttributeValue::Binary(bytes) => bytes.len(),
            };
            attribute.name.len() + attribute.data_type.len() + value
        };
        self.message.len() + self.attributes.iter().map(of_attribute).sum::<usize>()
    }

    /// The message as `topic` takes it.
    pub(crate) fn check(self, topic: &Topic, at: Timestamp, trace: Trace) -> Result<Publication, SnsError> {
        if self.message.is_empty() {
            return Err(SnsError::InvalidParameter("Empty message".into()));
        }
        if self.bytes() > MAX_BYTES {
            return Err(SnsError::InvalidParameter("Message too long".into()));
        }
        if !self.subject.as_deref().is_none_or(is_subject) {
            return Err(SnsError::InvalidParameter("Subject".into()));
        }
        check_attributes(&self.attributes)?;
        let deduplication_id = self.deduplication_id_for(topic)?;
        let bytes = self.bytes();
        let (default, by_protocol) = texts(self.message, self.structure.as_deref())?;
        Ok(Publication {
            id: Uuid::new_v4(),
            at,
            default,
            by_protocol,
            subject: self.subject,
            attributes: self.attributes,
            group: self.group,
            deduplication_id,
            sequence: None,
            trace,
            bytes,
        })
    }

    fn deduplication_id_for(&self, topic: &Topic) -> Result<Option<String>, SnsError> {
        let invalid = |text: &str| Err(SnsError::InvalidParameter(text.into()));
        for (name, id) in [
            ("MessageGroupId", &self.group),
            ("MessageDeduplicationId", &self.deduplication_id),
        ] {
            if !id.as_deref().is_none_or(is_id) {
                let reason = "1 to 128 alphanumeric characters and punctuation";
                return Err(SnsError::invalid(name, reason));
            }
        }
        if !topic.attributes.is_fifo {
            return match self.deduplication_id {
                Some(_) => invalid(
                    "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type",
                ),
                None => Ok(None),
            };
        }
        if self.group.is_none() {
            return invalid("The MessageGroupId parameter is required for FIFO topics");
        }
        match &self.deduplication_id {
            Some(id) => Ok(Some(id.clone())),
            None if topic.attributes.content_based_deduplication => {
                let hash = Sha256::digest(&self.message);
                Ok(Some(hash.iter().map(|byte| format!("{byte:02x}")).collect()))
            }
            None => invalid(
                "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
            ),
        }
    }
}

impl Publication {
    /// What subscriptions of the protocol get.
    pub(crate) fn text(&self, protocol: Protocol) -> &str {
        let own = self.by_protocol.get(protocol.as_str());
        own.map_or(&self.default, String::as_str)
    }
}

/// The default text, and those of single protocols.
fn texts(
    message: String,
    structure: Option<&str>,
) -> Result<(String, BTreeMap<&'static str, String>), SnsError> {
    let invalid = |text: &str| SnsError::InvalidParameter(format!("Message Structure - {text}"));
    match structure {
        None | Some("") => return Ok((message, BTreeMap::new())),
        Some("json") => {}
        Some(other) => {
            return Err(SnsError::invalid(
                "MessageStructure",
                &format!("unknown: {other}"),
            ));
        }
    }
    let parsed: Option<Value> = serde_json::from_str(&message).ok();
    let parsed = parsed.filter(Value::is_object);
    let mut parsed = parsed.ok_or_else(|| invalid("JSON message body failed to parse"))?;
    let Some(Value::String(default)) = parsed.get_mut("default").map(Value::take) else {
        return Err(invalid("No default entry in JSON message body"));
    };
    let own = Protocol::all().filter_map(|protocol| {
        let text = parsed.get(protocol.as_str())?.as_str()?;
        Some((protocol.as_str(), text.to_owned()))
    });
    Ok((default, own.collect()))
}

/// ASCII that begins with a letter, number or punctuation, without line breaks, shorter than 100.
fn is_subject(subject: &str) -> bool {
    let first = subject.bytes().next();
    let begins_well = first.is_some_and(|b| b.is_ascii_graphic());
    begins_well && subject.len() <= MAX_SUBJECT && subject.bytes().all(|b| b == b' ' || b.is_ascii_graphic())
}

fn is_id(id: &str) -> bool {
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic())
}

/// Names and types as SNS allows them.
fn check_attributes(attributes: &[MessageAttribute]) -> Result<(), SnsError> {
    const NAME_RULE: &str = "can contain only A-Z, a-z, 0-9, underscores, hyphens and dots.";
    let mut names = std::collections::BTreeSet::new();
    for attribute in attributes {
        let (name, data_type) = (&attribute.name, &attribute.data_type);
        let wrong = |text: String| SnsError::InvalidParameterValue(text);
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
        if name.is_empty() || name.len() > 256 || !name.bytes().all(is_plain) {
            return Err(wrong(format!("The message attribute name '{name}' {NAME_RULE}")));
        }
        if !names.insert(name) {
            return Err(wrong(format!("The message attribute '{name}' is given twice.")));
        }
        let kind = data_type.split('.').next().unwrap_or_default();
        if !["String", "Number", "Binary"].contains(&kind) {
            return Err(wrong(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported \
                 type prefixes is Binary, Number, and String."
            )));
        }
        check_value(attribute, kind)?;
    }
    Ok(())
}

fn check_value(attribute: &MessageAttribute, kind: &str) -> Result<(), SnsError> {
    let AttributeValue::Text(text) = &attribute.value else {
        return Ok(());
    };
    let wrong = |what: &str| {
        let text = format!(
            "Could not cast message attribute '{}' value to {what}.",
            attribute.name
        );
        Err(SnsError::InvalidParameterValue(text))
    };
    if kind == "Number" && text.parse::<f64>().is_err() {
        return wrong("number");
    }
    if attribute.data_type == "String.Array" && serde_json::from_str::<Vec<Value>>(text).is_err() {
        return wrong("array");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::topic;

    fn draft(message: &str) -> Draft {
        Draft {
            message: message.into(),
            ..Draft::default()
        }
    }

    fn check(draft: Draft, name: &str) -> Result<Publication, SnsError> {
        draft.check(&topic(name), Timestamp::from_millis(0), Trace::default())
    }

    fn refusal(draft: Draft, name: &str) -> String {
        check(draft, name).unwrap_err().to_string()
    }

    #[test]
    fn each_protocol_may_have_its_own_text() {
        let json = r#"{"default": "d", "sqs": "s", "sms": "short"}"#;
        let structured = Draft {
            structure: Some("json".into()),
            ..draft(json)
        };
        let publication = check(structured.clone(), "t").unwrap();
        assert_eq!(publication.text(Protocol::Sqs), "s");
        assert_eq!(publication.text(Protocol::Lambda), "d");
        for (message, said) in [("{", "failed to parse"), (r#"{"sqs": "s"}"#, "No default entry")] {
            let message = message.into();
            let refused = refusal(
                Draft {
                    message,
                    ..structured.clone()
                },
                "t",
            );
            assert!(refused.contains(said), "{refused}");
        }
    }

    #[test]
    fn sizes_and_subjects_are_checked() {
        assert_eq!(refusal(draft(""), "t"), "Invalid parameter: Empty message");
        assert!(check(draft(&"x".repeat(MAX_BYTES)), "t").is_ok());
        assert_eq!(
            refusal(draft(&"x".repeat(MAX_BYTES + 1)), "t"),
            "Invalid parameter: Message too long"
        );
        for (subject, fits) in [
            ("Order 5!", true),
            ("", false),
            ("a\nb", false),
            (" a", false),
            ("ä", false),
        ] {
            let subject = Some(subject.to_owned());
            let checked = check(
                Draft {
                    subject: subject.clone(),
                    ..draft("m")
                },
                "t",
            );
            assert_eq!(checked.is_ok(), fits, "{subject:?}");
        }
    }

    #[test]
    fn fifo_topics_need_a_group_and_something_to_tell_duplicates_by() {
        let grouped = Draft {
            group: Some("g".into()),
            ..draft("m")
        };
        assert!(refusal(draft("m"), "t.fifo").contains("MessageGroupId parameter is required"));
        assert!(refusal(grouped.clone(), "t.fifo").contains("ContentBasedDeduplication"));
        let publication = check(grouped.clone(), "content.fifo").unwrap();
        assert_eq!(publication.deduplication_id.unwrap().len(), 64);
        let with_id = Draft {
            deduplication_id: Some("d".into()),
            ..grouped.clone()
        };
        let id = check(with_id.clone(), "t.fifo").unwrap().deduplication_id;
        assert_eq!(id.as_deref(), Some("d"));
        assert!(refusal(with_id, "t").contains("not valid for this topic type"));
        assert!(
            check(grouped, "t").is_ok(),
            "a group on a standard topic is for fair queues"
        );
    }

    #[test]
    fn attributes_are_checked() {
        let with = |name: &str, data_type: &str, value: &str| {
            let attribute = MessageAttribute {
                name: name.into(),
                data_type: data_type.into(),
                value: AttributeValue::Text(value.into()),
            };
            let attributes = vec![attribute];
            check(
                Draft {
                    attributes,
                    ..draft("m")
                },
                "t",
            )
        };
        assert!(with("shop", "String", "north").is_ok());
        assert!(with("cents", "Number.int", "99.5").is_ok());
        assert!(with("all", "String.Array", r#"["a", 1]"#).is_ok());
        for (name, data_type, value) in [
            ("a b", "String", "x"),
            ("a", "Text", "x"),
            ("a", "Number", "x"),
            ("a", "String.Array", "x"),
        ] {
            assert!(with(name, data_type, value).is_err(), "{name} {data_type}");
        }
    }
}
