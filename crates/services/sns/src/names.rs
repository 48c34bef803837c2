//! Names and ARNs of topics and subscriptions.

use std::fmt;
use std::str::FromStr;

use tradewind_model::{AccountId, Arn, Region};
use uuid::Uuid;

use crate::error::SnsError;

const SUFFIX: &str = ".fifo";
const MAX_CHARACTERS: usize = 256;

/// A topic's name: 1–256 of `A-Z a-z 0-9 - _`; a FIFO topic's name ends in `.fifo`, which counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicName(Box<str>);

/// Text that is no name of a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid parameter: Topic Name")]
pub struct InvalidTopicName;

impl TopicName {
    /// Whether it is the name of a FIFO topic.
    #[must_use]
    pub fn is_fifo(&self) -> bool {
        self.0.ends_with(SUFFIX)
    }
}

impl FromStr for TopicName {
    type Err = InvalidTopicName;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let stem = name.strip_suffix(SUFFIX).unwrap_or(name);
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if stem.is_empty() || name.len() > MAX_CHARACTERS || !stem.bytes().all(plain) {
            return Err(InvalidTopicName);
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which topic: its ARN, as its parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicArn {
    /// Whose.
    pub account: AccountId,
    /// Where.
    pub region: Region,
    /// Its name.
    pub name: TopicName,
}

impl TopicArn {
    /// The topic of an ARN that was parsed already.
    ///
    /// # Errors
    /// When it is not the ARN of a topic.
    pub fn of(arn: &Arn) -> Result<Self, SnsError> {
        let invalid = |reason: &str| SnsError::invalid("TopicArn", reason);
        if &*arn.service != "sns" {
            return Err(invalid("not an SNS ARN"));
        }
        let name: Result<TopicName, _> = arn.resource.parse();
        Ok(Self {
            account: arn.account.parse().map_err(|_rule| invalid("account"))?,
            region: arn.region.parse().map_err(|_rule| invalid("region"))?,
            name: name.map_err(|_rule| invalid("Topic Name"))?,
        })
    }

    /// The topic that the parameter `parameter` names.
    pub(crate) fn parse(text: &str, parameter: &str) -> Result<Self, SnsError> {
        Self::of(&arn(text, parameter)?)
    }
}

/// The parts of an ARN, or AWS's complaint about their number.
fn arn(text: &str, parameter: &str) -> Result<Arn, SnsError> {
    text.parse().map_err(|_no_arn| {
        let elements = text.split(':').count();
        let reason = match elements {
            ..6 => format!("An ARN must have at least 6 elements, not {elements}"),
            _ => "not an ARN".to_owned(),
        };
        SnsError::invalid(parameter, &reason)
    })
}

impl fmt::Display for TopicArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:aws:sns:{}:{}:{}", self.region, self.account, self.name)
    }
}

impl FromStr for TopicArn {
    type Err = SnsError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text, "TopicArn")
    }
}

/// Which subscription: its topic, and an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubscriptionArn {
    /// What it is subscribed to.
    pub topic: TopicArn,
    /// Which of the topic's.
    pub id: Uuid,
}

impl fmt::Display for SubscriptionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.topic, self.id)
    }
}

impl FromStr for SubscriptionArn {
    type Err = SnsError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const PARAMETER: &str = "SubscriptionArn";
        arn(text, PARAMETER)?;
        let invalid = |reason: &str| SnsError::invalid(PARAMETER, reason);
        let (topic, id) = text
            .rsplit_once(':')
            .ok_or_else(|| invalid("not a subscription"))?;
        Ok(Self {
            topic: TopicArn::parse(topic, PARAMETER)?,
            id: id.parse().map_err(|_not_a_uuid| invalid("not a subscription"))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:us-east-1:000000000000:orders";

    #[test]
    fn names_are_judged_as_sns_does() {
        for good in ["a", "a-B_9", "a.fifo", &"x".repeat(256)] {
            assert!(good.parse::<TopicName>().is_ok(), "{good}");
        }
        for bad in ["", ".fifo", "a.b", "a b", "ä", &"x".repeat(257)] {
            assert!(bad.parse::<TopicName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn parse_and_print_are_inverse() {
        assert_eq!(TOPIC.parse::<TopicArn>().unwrap().to_string(), TOPIC);
        let text = format!("{TOPIC}:6f0a4bfa-6c0b-4c5e-8f5a-0a4c8c4f2a11");
        assert_eq!(text.parse::<SubscriptionArn>().unwrap().to_string(), text);
    }

    #[test]
    fn what_is_no_arn_is_told_how_aws_tells_it() {
        let error = "orders".parse::<TopicArn>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not 1"
        );
        for text in [
            "arn:aws:sqs:us-east-1:000000000000:orders",
            "arn:aws:sns:us-east-1:0:orders",
        ] {
            assert!(text.parse::<TopicArn>().is_err(), "{text}");
        }
        assert!(TOPIC.parse::<SubscriptionArn>().is_err());
    }
}
