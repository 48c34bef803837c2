//! Attributes of topics and subscriptions: text as it was given, and what it means.

use std::collections::BTreeMap;

use serde_json::Value;
use tradewind_model::Arn;

use crate::delivery_policy::DeliveryPolicy;
use crate::error::SnsError;
use crate::filter::Filter;
use crate::model::{Endpoint, Protocol};
use crate::signing::SignatureVersion;

/// Attributes by name, as clients give them.
pub(crate) type Given = BTreeMap<String, String>;

const MAX_DISPLAY_NAME: usize = 100;
const MAX_POLICY: usize = 30 * 1024;

/// Attributes of topics that this node does not honour, by the end of their names.
const REFUSED_OF_TOPICS: &[(&str, &str)] = &[
    ("ArchivePolicy", "messages are not archived"),
    ("DataProtectionPolicy", "data protection is not served"),
    ("FeedbackRoleArn", "delivery status is not logged"),
    ("FeedbackSampleRate", "delivery status is not logged"),
    ("KmsMasterKeyId", "topics are not encrypted"),
];

/// What a topic was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct TopicAttributes {
    given: Given,
    pub(crate) is_fifo: bool,
    pub(crate) content_based_deduplication: bool,
    /// FIFO: a deduplication id is taken once in its group, not once in the topic.
    pub(crate) deduplicate_by_group: bool,
    pub(crate) delivery_policy: DeliveryPolicy,
    pub(crate) signature: SignatureVersion,
}

impl TopicAttributes {
    /// The attributes of a topic of that kind, all checked.
    pub(crate) fn new(is_fifo: bool, given: &Given) -> Result<Self, SnsError> {
        let mut attributes = Self {
            is_fifo,
            ..Self::default()
        };
        for (name, value) in given {
            attributes.set(name, value)?;
        }
        if is_fifo != (given.get("FifoTopic").map(String::as_str) == Some("true")) {
            let text = "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase \
                ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters long.";
            return Err(SnsError::InvalidParameter(text.into()));
        }
        Ok(attributes)
    }

    /// Changes one of a topic that is there.
    pub(crate) fn change(&mut self, name: &str, value: &str) -> Result<(), SnsError> {
        if name == "FifoTopic" {
            let reason = "FifoTopic cannot be changed";
            return Err(SnsError::invalid("AttributeName", reason));
        }
        self.set(name, value)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SnsError> {
        match name {
            "DisplayName" => check_display_name(value)?,
            "Policy" => check_policy(value)?,
            "DeliveryPolicy" => {
                self.delivery_policy = match value {
                    "" => DeliveryPolicy::default(),
                    text => DeliveryPolicy::of_topic(text)?,
                };
            }
            "FifoTopic" => drop(boolean(name, value)?),
            "ContentBasedDeduplication" => {
                self.only_for_fifo(name)?;
                self.content_based_deduplication = boolean(name, value)?;
            }
            "FifoThroughputScope" => {
                self.only_for_fifo(name)?;
                self.deduplicate_by_group = match value {
                    "Topic" => false,
                    "MessageGroup" => true,
                    _ => return Err(SnsError::invalid("Attributes", "FifoThroughputScope")),
                };
            }
            "SignatureVersion" => {
                let version = SignatureVersion::of(value);
                self.signature = version.ok_or_else(|| SnsError::invalid("Attributes", name))?;
            }
            "TracingConfig" => match value {
                "PassThrough" => {}
                "Active" => {
                    let reason = "traces are passed on, not begun";
                    return Err(SnsError::refused("TracingConfig Active", reason));
                }
                _ => return Err(SnsError::invalid("Attributes", "TracingConfig")),
            },
            _ => return self.refuse(name, value),
        }
        keep(&mut self.given, name, value);
        Ok(())
    }

    fn only_for_fifo(&self, name: &str) -> Result<(), SnsError> {
        if self.is_fifo {
            return Ok(());
        }
        Err(SnsError::invalid(
            "Attributes",
            &format!("{name} is for FIFO topics"),
        ))
    }

    /// Templates spell out that they do not want something.
    fn refuse(&self, name: &str, value: &str) -> Result<(), SnsError> {
        match REFUSED_OF_TOPICS.iter().find(|(end, _)| name.ends_with(end)) {
            Some(_) if value.is_empty() => Ok(()),
            Some((_, reason)) => Err(SnsError::refused(name, reason)),
            None => Err(SnsError::InvalidParameter("AttributeName".into())),
        }
    }

    /// Whether a creation that gives `wanted` finds what it wants.
    pub(crate) fn agrees_with(&self, wanted: &Self) -> bool {
        wanted
            .given
            .iter()
            .all(|(name, value)| same_value(self.given.get(name), value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// As they were given, to be stored and read again with [`TopicAttributes::new`].
    pub(crate) fn given(&self) -> &Given {
        &self.given
    }
}

/// Documents are compared by meaning.
fn same_value(current: Option<&String>, wanted: &str) -> bool {
    let Some(current) = current else {
        return false;
    };
    let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
    current == wanted || parsed(current).is_some_and(|current| Some(current) == parsed(wanted))
}

fn keep(given: &mut Given, name: &str, value: &str) {
    match value {
        "" => drop(given.remove(name)),
        value => drop(given.insert(name.to_owned(), value.to_owned())),
    }
}

fn boolean(name: &str, value: &str) -> Result<bool, SnsError> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(SnsError::invalid(
            "Attributes",
            &format!("{name} must be true or false"),
        )),
    }
}

fn check_display_name(name: &str) -> Result<(), SnsError> {
    if name.chars().count() > MAX_DISPLAY_NAME {
        return Err(SnsError::invalid("DisplayName", "at most 100 characters"));
    }
    Ok(())
}

fn check_policy(text: &str) -> Result<(), SnsError> {
    let document: Option<Value> = serde_json::from_str(text).ok();
    let has_statements = document.is_some_and(|document| document.get("Statement").is_some());
    if text.is_empty() || (has_statements && text.len() <= MAX_POLICY) {
        return Ok(());
    }
    Err(SnsError::invalid("Policy", "not a policy with a `Statement`"))
}

/// What a subscription was told.
#[derive(Clone, Debug, Default)]
pub(crate) struct SubscriptionAttributes {
    given: Given,
    /// The message is delivered as it was published, without an envelope.
    pub(crate) raw: bool,
    pub(crate) filter: Option<Filter>,
    pub(crate) dead_letter: Option<Arn>,
    pub(crate) delivery_policy: DeliveryPolicy,
}

impl SubscriptionAttributes {
    /// The attributes of a subscription of that endpoint, all checked.
    pub(crate) fn new(endpoint: &Endpoint, given: &Given) -> Result<Self, SnsError> {
        let mut attributes = Self::default();
        let scope = given.get("FilterPolicyScope");
        for (name, value) in given {
            match (name.as_str(), scope) {
                ("FilterPolicy" | "FilterPolicyScope", Some(_)) => {}
                _ => attributes.change(endpoint, name, value)?,
            }
        }
        if let Some(scope) = scope {
            // together: what the policy means depends on the scope
            let text = given.get("FilterPolicy").map_or("", String::as_str);
            attributes.set_filter(text, scope)?;
            keep(&mut attributes.given, "FilterPolicyScope", scope);
        }
        Ok(attributes)
    }

    /// Changes one.
    pub(crate) fn change(&mut self, endpoint: &Endpoint, name: &str, value: &str) -> Result<(), SnsError> {
        match name {
            "RawMessageDelivery" => {
                let raw = boolean(name, value)?;
                if raw && (endpoint.protocol == Protocol::Lambda || endpoint.protocol.is_mail()) {
                    let text = format!(
                        "Delivery protocol [{}] does not support raw message delivery.",
                        endpoint.protocol
                    );
                    return Err(SnsError::InvalidParameter(text));
                }
                self.raw = raw;
            }
            "FilterPolicy" => {
                let scope = self
                    .get("FilterPolicyScope")
                    .unwrap_or(Filter::ATTRIBUTES)
                    .to_owned();
                return self.set_filter(value, &scope);
            }
            "FilterPolicyScope" => {
                let policy = self.get("FilterPolicy").unwrap_or_default().to_owned();
                self.set_filter(&policy, value)?;
            }
            "RedrivePolicy" => {
                self.dead_letter = match value {
                    "" => None,
                    text => Some(dead_letter_of(text, endpoint)?),
                };
            }
            "DeliveryPolicy" => {
                if !value.is_empty() && !endpoint.protocol.is_http() {
                    let text = format!(
                        "Delivery protocol [{}] does not support delivery policies.",
                        endpoint.protocol
                    );
                    return Err(SnsError::InvalidParameter(text));
                }
                self.delivery_policy = match value {
                    "" => DeliveryPolicy::default(),
                    text => DeliveryPolicy::of_subscription(text)?,
                };
            }
            "ReplayPolicy" => return Err(SnsError::refused(name, "messages are not archived")),
            "SubscriptionRoleArn" => {
                return Err(SnsError::refused(
                    name,
                    "it is for Firehose, which is not on this node",
                ));
            }
            _ => return Err(SnsError::InvalidParameter("AttributeName".into())),
        }
        keep(&mut self.given, name, value);
        Ok(())
    }

    /// An empty policy is none.
    fn set_filter(&mut self, text: &str, scope: &str) -> Result<(), SnsError> {
        Filter::check_scope(scope)?;
        let is_empty = |text: &str| {
            let document: Result<Value, _> = serde_json::from_str(text);
            text.is_empty()
                || document.is_ok_and(|document| document.as_object().is_some_and(|map| map.is_empty()))
        };
        self.filter = match is_empty(text) {
            true => None,
            false => Some(Filter::parse(text, scope)?),
        };
        keep(
            &mut self.given,
            "FilterPolicy",
            if is_empty(text) { "" } else { text },
        );
        Ok(())
    }

    /// Whether the same attributes were given.
    pub(crate) fn agrees_with(&self, wanted: &Self) -> bool {
        wanted
            .given
            .iter()
            .all(|(name, value)| same_value(self.given.get(name), value))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str)
    }

    /// As they were given, to be stored and read again with [`SubscriptionAttributes::new`].
    pub(crate) fn given(&self) -> &Given {
        &self.given
    }
}

/// The queue that a `RedrivePolicy` names.
fn dead_letter_of(text: &str, endpoint: &Endpoint) -> Result<Arn, SnsError> {
    let invalid = |reason: &str| SnsError::invalid("RedrivePolicy", reason);
    let policy: Value = serde_json::from_str(text).map_err(|_not_json| invalid("failed to parse JSON"))?;
    let members = policy.as_object().ok_or_else(|| invalid("not an object"))?;
    if let Some(unknown) = members.keys().find(|name| *name != "deadLetterTargetArn") {
        return Err(invalid(&format!("unknown member {unknown}")));
    }
    let arn = policy["deadLetterTargetArn"]
        .as_str()
        .and_then(|arn| arn.parse().ok());
    let arn = arn.filter(|arn: &Arn| &*arn.service == "sqs");
    let arn = arn.ok_or_else(|| invalid("deadLetterTargetArn is an invalid arn"))?;
    if endpoint.is_fifo_queue() != arn.resource.ends_with(".fifo") {
        return Err(invalid(
            "the dead-letter queue must be of the kind of the subscribed queue",
        ));
    }
    Ok(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Given {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn queue() -> Endpoint {
        Endpoint::parse("sqs", "arn:aws:sqs:us-east-1:000000000000:q").unwrap()
    }

    #[test]
    fn a_fifo_topic_says_so_in_name_and_attribute() {
        let fifo = given(&[("FifoTopic", "true"), ("ContentBasedDeduplication", "true")]);
        let attributes = TopicAttributes::new(true, &fifo).unwrap();
        assert!(attributes.content_based_deduplication && !attributes.deduplicate_by_group);
        assert!(TopicAttributes::new(false, &fifo).is_err());
        assert!(TopicAttributes::new(true, &Given::new()).is_err());
        assert!(TopicAttributes::new(false, &given(&[("ContentBasedDeduplication", "true")])).is_err());
    }

    #[test]
    fn what_is_not_honoured_is_refused_by_name() {
        for (name, value) in [
            ("KmsMasterKeyId", "alias/aws/sns"),
            ("LambdaSuccessFeedbackRoleArn", "arn:aws:iam::000000000000:role/r"),
            ("HTTPSuccessFeedbackSampleRate", "100"),
            ("TracingConfig", "Active"),
            ("ArchivePolicy", "{}"),
        ] {
            let error = TopicAttributes::new(false, &given(&[(name, value)]))
                .unwrap_err()
                .to_string();
            assert!(error.contains(name) && error.contains("not supported"), "{error}");
        }
        for (name, value) in [("KmsMasterKeyId", ""), ("TracingConfig", "PassThrough")] {
            assert!(
                TopicAttributes::new(false, &given(&[(name, value)])).is_ok(),
                "{name}"
            );
        }
        let error = TopicAttributes::new(false, &given(&[("Colour", "red")])).unwrap_err();
        assert_eq!(error.to_string(), "Invalid parameter: AttributeName");
    }

    #[test]
    fn a_dead_letter_queue_is_of_the_kind_of_the_subscribed_one() {
        let redrive = |queue: &str| format!("{{\"deadLetterTargetArn\": \"{queue}\"}}");
        let with = |policy: &str| SubscriptionAttributes::new(&queue(), &given(&[("RedrivePolicy", policy)]));
        let arn = "arn:aws:sqs:us-east-1:000000000000:dead";
        assert_eq!(with(&redrive(arn)).unwrap().dead_letter.unwrap().to_string(), arn);
        for wrong in [
            &*redrive("arn:aws:sqs:us-east-1:000000000000:dead.fifo"),
            &*redrive("arn:aws:lambda:us-east-1:000000000000:function:f"),
            "{}",
            "[]",
            r#"{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead", "maxReceiveCount": 3}"#,
        ] {
            assert!(with(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_empty_filter_policy_is_none() {
        let mut attributes =
            SubscriptionAttributes::new(&queue(), &given(&[("FilterPolicy", r#"{"shop": ["north"]}"#)]))
                .unwrap();
        assert!(attributes.filter.is_some());
        attributes.change(&queue(), "FilterPolicy", "{}").unwrap();
        assert!(attributes.filter.is_none() && attributes.get("FilterPolicy").is_none());
    }

    #[test]
    fn what_was_given_reads_back() {
        let all = given(&[
            ("RawMessageDelivery", "true"),
            ("FilterPolicy", r#"{"shop": {"name": ["north"]}}"#),
            ("FilterPolicyScope", "MessageBody"),
        ]);
        let attributes = SubscriptionAttributes::new(&queue(), &all).unwrap();
        assert_eq!(attributes.given(), &all);
        assert!(SubscriptionAttributes::new(&queue(), &given(&[("FilterPolicyScope", "Head")])).is_err());
    }
}
