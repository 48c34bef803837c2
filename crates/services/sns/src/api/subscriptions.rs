//! Subscribing, confirming, listing and unsubscribing.

use std::sync::Arc;

use tradewind_model::Timestamp;
use tradewind_wire::{Params, xml_element};
use uuid::Uuid;

use super::{Answer, Call, page};
use crate::attributes::SubscriptionAttributes;
use crate::error::SnsError;
use crate::model::{Confirmation, Endpoint, Protocol, Subscription, Topic};
use crate::names::{SubscriptionArn, TopicArn};
use crate::protocol::{map, members, required};
use crate::service::SnsService;

/// How long an endpoint has to confirm. SNS API reference, `ConfirmSubscription`.
const TO_CONFIRM_MS: i64 = 2 * 24 * 60 * 60 * 1000;
/// What stands for the ARN of a subscription that nobody has confirmed.
const PENDING: &str = "pending confirmation";
const PENDING_IN_LISTS: &str = "PendingConfirmation";

/// What somebody wants to subscribe.
pub(crate) struct Subscribing {
    pub(crate) endpoint: Endpoint,
    pub(crate) attributes: SubscriptionAttributes,
    pub(crate) owner: Option<String>,
}

/// What a token is: 128 hexadecimal digits that nobody guesses.
fn new_token() -> String {
    let parts: [String; 4] = std::array::from_fn(|_| Uuid::new_v4().simple().to_string());
    parts.concat()
}

impl Subscribing {
    /// The subscription that there is then: a new one, or the one of the same endpoint.
    pub(crate) fn decide(
        self,
        topic: &Topic,
        all: &[Arc<Subscription>],
        now: Timestamp,
    ) -> Result<Subscription, SnsError> {
        fits(topic, &self.endpoint)?;
        let existing = all.iter().find(|other| other.endpoint == self.endpoint);
        let confirmation = match (existing, self.endpoint.arn.is_some()) {
            (Some(existing), _) if existing.is_confirmed() => existing.confirmation.clone(),
            (_, true) => Confirmation::Confirmed { authenticated: true },
            // asked again
            (_, false) => Confirmation::Pending {
                token: new_token(),
                until: now.plus_millis(TO_CONFIRM_MS),
            },
        };
        let arn = existing.map(|existing| existing.arn.clone());
        Ok(Subscription {
            arn: arn.unwrap_or_else(|| SubscriptionArn {
                topic: topic.arn.clone(),
                id: Uuid::new_v4(),
            }),
            endpoint: self.endpoint,
            attributes: self.attributes,
            confirmation,
            owner: self.owner,
        })
    }
}

/// What may be subscribed to a topic of that kind.
fn fits(topic: &Topic, endpoint: &Endpoint) -> Result<(), SnsError> {
    let invalid = |text: &str| Err(SnsError::InvalidParameter(text.into()));
    if topic.attributes.is_fifo && endpoint.protocol != Protocol::Sqs {
        return invalid(&format!("Invalid protocol type: {}", endpoint.protocol));
    }
    if !topic.attributes.is_fifo && endpoint.is_fifo_queue() {
        return invalid(
            "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics",
        );
    }
    Ok(())
}

impl SnsService {
    pub(super) async fn subscribe(&self, params: &Params) -> Answer {
        let topic: TopicArn = required(params, "TopicArn")?.parse()?;
        let protocol = required(params, "Protocol")?;
        let endpoint = Endpoint::parse(protocol, params.get("Endpoint").unwrap_or_default())?;
        let attributes = SubscriptionAttributes::new(&endpoint, &map(params, "Attributes"))?;
        let now = self.now();
        let decide = |topic: &Topic, all: &[Arc<Subscription>]| {
            let existing = all.iter().find(|other| other.endpoint == endpoint);
            let wanted = Subscribing {
                endpoint: endpoint.clone(),
                attributes,
                owner: None,
            };
            let Some(existing) = existing else {
                return wanted.decide(topic, all, now);
            };
            if !existing.attributes.agrees_with(&wanted.attributes) {
                let reason = "Subscription already exists with different attributes";
                return Err(SnsError::invalid("Attributes", reason));
            }
            let kept = Subscribing {
                attributes: existing.attributes.clone(),
                owner: existing.owner.clone(),
                ..wanted
            };
            kept.decide(topic, all, now)
        };
        let subscription = self.change_subscription(&topic, decide).await?;
        let wants_arn = params.get("ReturnSubscriptionArn") == Some("true");
        let shown = match subscription.is_confirmed() || wants_arn {
            true => subscription.arn.to_string(),
            false => PENDING.to_owned(),
        };
        Ok(Some(xml_element("SubscriptionArn", &shown)))
    }

    pub(super) async fn confirm_subscription(&self, call: &Call, params: &Params) -> Answer {
        let topic: TopicArn = required(params, "TopicArn")?.parse()?;
        let token = required(params, "Token")?;
        let asks_for_signature = params.get("AuthenticateOnUnsubscribe") == Some("true");
        let authenticated = call.is_signed && asks_for_signature;
        let now = self.now();
        let decide = |_topic: &Topic, all: &[Arc<Subscription>]| {
            let is_meant = |other: &&Arc<Subscription>| match &other.confirmation {
                Confirmation::Pending { token: asked, until } => asked == token && *until > now,
                Confirmation::Confirmed { .. } => false,
            };
            let found = all.iter().find(is_meant);
            let found = found.ok_or_else(|| SnsError::InvalidParameter("Token".into()))?;
            Ok(Subscription {
                confirmation: Confirmation::Confirmed { authenticated },
                ..Subscription::clone(found)
            })
        };
        let subscription = self.change_subscription(&topic, decide).await?;
        let arn = subscription.arn.to_string();
        Ok(Some(xml_element("SubscriptionArn", &arn)))
    }

    pub(super) async fn unsubscribe(&self, call: &Call, params: &Params) -> Answer {
        let arn: SubscriptionArn = required(params, "SubscriptionArn")?.parse()?;
        let found = self.subscription(&arn).ok();
        let needs_signature = found.is_some_and(|subscription| {
            let authenticated = Confirmation::Confirmed { authenticated: true };
            subscription.endpoint.arn.is_none() && subscription.confirmation == authenticated
        });
        if needs_signature && !call.is_signed {
            let text = "the subscription was confirmed so that only a signed request ends it";
            return Err(SnsError::InvalidParameter(text.into()));
        }
        self.delete_subscription(&arn, |_subscription| true).await?;
        Ok(None)
    }

    pub(super) fn list_subscriptions(&self, call: &Call, params: &Params) -> Answer {
        let (arns, token) = self.registry(|registry| {
            let own = registry.subscriptions().filter(|subscription| {
                let topic = &subscription.arn.topic;
                topic.account == call.account && topic.region == call.region
            });
            page(params, own.map(|subscription| subscription.arn.to_string()))
        })?;
        Ok(Some(self.listed(&arns) + &token))
    }

    pub(super) fn list_subscriptions_by_topic(&self, params: &Params) -> Answer {
        let topic: TopicArn = required(params, "TopicArn")?.parse()?;
        self.topic(&topic)?;
        let (arns, token) = self.registry(|registry| {
            let own = registry.subscriptions_to(&topic);
            page(params, own.map(|subscription| subscription.arn.to_string()))
        })?;
        Ok(Some(self.listed(&arns) + &token))
    }

    fn listed(&self, arns: &[String]) -> String {
        let found = arns.iter().filter_map(|arn| {
            let arn: Result<SubscriptionArn, _> = arn.parse();
            self.subscription(&arn.ok()?).ok()
        });
        members("Subscriptions", found.map(|subscription| member(&subscription)))
    }
}

fn member(subscription: &Subscription) -> String {
    let arn = match subscription.is_confirmed() {
        true => subscription.arn.to_string(),
        false => PENDING_IN_LISTS.to_owned(),
    };
    [
        ("TopicArn", subscription.arn.topic.to_string()),
        ("Protocol", subscription.endpoint.protocol.to_string()),
        ("SubscriptionArn", arn),
        ("Owner", subscription.arn.topic.account.to_string()),
        ("Endpoint", subscription.endpoint.text.clone()),
    ]
    .iter()
    .map(|(name, value)| xml_element(name, value))
    .collect()
}
