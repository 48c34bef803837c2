//! Topics and subscriptions.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use tradewind_events::delivery::LaneId;
use tradewind_model::{Arn, Timestamp};

use crate::attributes::{SubscriptionAttributes, TopicAttributes};
use crate::error::SnsError;
use crate::names::{SubscriptionArn, TopicArn};

/// What deliveries of this service are called.
pub(crate) const LANE_KIND: &str = "sns";

/// A topic.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) arn: TopicArn,
    pub(crate) attributes: TopicAttributes,
    pub(crate) tags: BTreeMap<String, String>,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<String>,
    /// The resource of a stack that gave it its policy.
    pub(crate) policy_owner: Option<String>,
}

/// What a topic's messages go to.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) arn: SubscriptionArn,
    pub(crate) endpoint: Endpoint,
    pub(crate) attributes: SubscriptionAttributes,
    pub(crate) confirmation: Confirmation,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<String>,
}

/// Whether the endpoint has agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// It needs no asking, or has agreed.
    Confirmed {
        /// By a signed request that wants it to take one to unsubscribe.
        authenticated: bool,
    },
    /// It was asked.
    Pending {
        /// What it has to say.
        token: String,
        /// Until when it counts.
        until: Timestamp,
    },
}

impl Subscription {
    pub(crate) fn is_confirmed(&self) -> bool {
        matches!(self.confirmation, Confirmation::Confirmed { .. })
    }

    /// Where its deliveries wait: always if it is outside of the node, a function's when its own queue is full.
    pub(crate) fn lane(&self) -> Option<LaneId> {
        self.endpoint
            .protocol
            .may_wait()
            .then(|| LaneId::new(LANE_KIND, &self.arn.to_string()))
    }
}

/// How a subscription is delivered to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Protocol {
    Email,
    EmailJson,
    Http,
    Https,
    Lambda,
    Sqs,
}

const PROTOCOLS: &[(&str, Protocol)] = &[
    ("email", Protocol::Email),
    ("email-json", Protocol::EmailJson),
    ("http", Protocol::Http),
    ("https", Protocol::Https),
    ("lambda", Protocol::Lambda),
    ("sqs", Protocol::Sqs),
];
/// Protocols of SNS that this node has not.
const REFUSED: &[(&str, &str)] = &[
    ("application", "mobile push is not served"),
    ("firehose", "there is no Firehose on this node"),
    ("sms", "text messages are not served"),
];

impl Protocol {
    /// All that are served.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        PROTOCOLS.iter().map(|(_, protocol)| *protocol)
    }

    pub(crate) fn is_http(self) -> bool {
        matches!(self, Self::Http | Self::Https)
    }

    pub(crate) fn is_mail(self) -> bool {
        matches!(self, Self::Email | Self::EmailJson)
    }

    /// Whether its targets may be too busy to take a message at once.
    pub(crate) fn may_wait(self) -> bool {
        self.is_http() || self.is_mail() || self == Self::Lambda
    }

    pub(crate) fn as_str(self) -> &'static str {
        let found = PROTOCOLS.iter().find(|(_, protocol)| *protocol == self);
        found.map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = SnsError;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if let Some((_, protocol)) = PROTOCOLS.iter().find(|(known, _)| *known == name) {
            return Ok(*protocol);
        }
        if let Some((_, reason)) = REFUSED.iter().find(|(known, _)| *known == name) {
            return Err(SnsError::refused(&format!("Protocol {name}"), reason));
        }
        let text = format!("Amazon SNS does not support this protocol string: {name}");
        Err(SnsError::InvalidParameter(text))
    }
}

/// What is subscribed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) protocol: Protocol,
    /// As it was given: an ARN or a URL.
    pub(crate) text: String,
    /// The ARN of a queue or function.
    pub(crate) arn: Option<Arn>,
}

impl Endpoint {
    /// Checks that the endpoint is one of its protocol.
    pub(crate) fn parse(protocol: &str, text: &str) -> Result<Self, SnsError> {
        let protocol: Protocol = protocol.parse()?;
        let arn = match protocol {
            Protocol::Sqs => Some(arn_of(text, "sqs", "SQS endpoint ARN")?),
            Protocol::Lambda => Some(arn_of(text, "lambda", "Lambda endpoint ARN")?),
            Protocol::Email | Protocol::EmailJson => {
                if !tradewind_events::mail::is_address(text) {
                    return Err(SnsError::InvalidParameter("Email address".into()));
                }
                None
            }
            Protocol::Http | Protocol::Https => {
                let url = reqwest::Url::parse(text).ok();
                let url = url.filter(|url| url.scheme() == protocol.as_str() && url.has_host());
                if url.is_none() {
                    let text = "Endpoint must match the specified protocol";
                    return Err(SnsError::InvalidParameter(text.into()));
                }
                None
            }
        };
        Ok(Self {
            protocol,
            text: text.to_owned(),
            arn,
        })
    }

    /// Whether it is a FIFO queue.
    pub(crate) fn is_fifo_queue(&self) -> bool {
        self.protocol == Protocol::Sqs && self.text.ends_with(".fifo")
    }
}

fn arn_of(text: &str, service: &str, called: &str) -> Result<Arn, SnsError> {
    let arn = text.parse().ok().filter(|arn: &Arn| *arn.service == *service);
    arn.ok_or_else(|| SnsError::InvalidParameter(called.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_fit_their_protocols() {
        let queue = "arn:aws:sqs:us-east-1:000000000000:q";
        for (protocol, endpoint) in [
            ("sqs", queue),
            ("lambda", "arn:aws:lambda:us-east-1:000000000000:function:f:live"),
            ("http", "http://localhost:8080/hook?x=1"),
            ("https", "https://shop.example/hook"),
            ("email", "shop@example.com"),
        ] {
            let parsed = Endpoint::parse(protocol, endpoint).unwrap();
            assert_eq!((parsed.protocol.as_str(), &*parsed.text), (protocol, endpoint));
        }
        for (protocol, endpoint) in [
            ("lambda", queue),
            ("sqs", "q"),
            ("http", "https://shop.example"),
            ("https", "shop"),
            ("email", "shop"),
        ] {
            assert!(
                Endpoint::parse(protocol, endpoint).is_err(),
                "{protocol} {endpoint}"
            );
        }
    }

    #[test]
    fn protocols_that_are_not_served_are_refused_by_name() {
        for (name, _) in REFUSED {
            let error = name.parse::<Protocol>().unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("not supported"), "{error}");
        }
        let error = "fax".parse::<Protocol>().unwrap_err().to_string();
        assert_eq!(
            error,
            "Invalid parameter: Amazon SNS does not support this protocol string: fax"
        );
    }
}
