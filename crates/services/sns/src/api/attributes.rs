//! Attributes of topics and subscriptions, as clients see and set them.

use serde_json::json;
use tradewind_wire::Params;

use super::Answer;
use crate::error::SnsError;
use crate::model::{Confirmation, Subscription, Topic};
use crate::names::TopicArn;
use crate::protocol::{attributes, required};
use crate::service::SnsService;

/// Attributes of topics that are shown as they were given.
const OF_TOPICS: &[&str] = &[
    "DeliveryPolicy",
    "FifoThroughputScope",
    "FifoTopic",
    "TracingConfig",
];
const OF_SUBSCRIPTIONS: &[&str] = &[
    "DeliveryPolicy",
    "FilterPolicy",
    "FilterPolicyScope",
    "RedrivePolicy",
];

impl SnsService {
    pub(super) fn get_topic_attributes(&self, params: &Params) -> Answer {
        let topic = self.topic(&required(params, "TopicArn")?.parse()?)?;
        let all = self.subscriptions_to(&topic.arn);
        let confirmed = all.iter().filter(|one| one.is_confirmed()).count();
        let given = &topic.attributes;
        let own = given.get("Policy").map(str::to_owned);
        let mut shown = vec![
            ("TopicArn", topic.arn.to_string()),
            ("Owner", topic.arn.account.to_string()),
            ("Policy", own.unwrap_or_else(|| default_policy(&topic.arn))),
            (
                "DisplayName",
                given.get("DisplayName").unwrap_or_default().to_owned(),
            ),
            ("SubscriptionsPending", (all.len() - confirmed).to_string()),
            ("SubscriptionsConfirmed", confirmed.to_string()),
            ("SubscriptionsDeleted", "0".to_owned()),
            (
                "EffectiveDeliveryPolicy",
                given.delivery_policy.topic_json().to_string(),
            ),
            ("SignatureVersion", given.signature.name().to_owned()),
        ];
        if given.is_fifo {
            let by_content = given.content_based_deduplication.to_string();
            shown.push(("ContentBasedDeduplication", by_content));
        }
        let as_given = |name: &&'static str| Some((*name, given.get(name)?.to_owned()));
        shown.extend(OF_TOPICS.iter().filter_map(as_given));
        Ok(Some(attributes(shown.into_iter())))
    }

    pub(super) async fn set_topic_attributes(&self, params: &Params) -> Answer {
        let arn = required(params, "TopicArn")?.parse()?;
        let name = required(params, "AttributeName")?;
        let value = params.get("AttributeValue").unwrap_or_default();
        let decide = |topic: Option<&Topic>| {
            let mut topic = topic.ok_or(SnsError::TopicDoesNotExist)?.clone();
            topic.attributes.change(name, value)?;
            Ok(Some(topic))
        };
        self.change_topic(&arn, decide).await?;
        Ok(None)
    }

    pub(super) fn get_subscription_attributes(&self, params: &Params) -> Answer {
        let subscription = self.subscription(&required(params, "SubscriptionArn")?.parse()?)?;
        let account = subscription.arn.topic.account.to_string();
        let authenticated = matches!(
            subscription.confirmation,
            Confirmation::Confirmed { authenticated: true }
        );
        let mut shown = vec![
            ("SubscriptionArn", subscription.arn.to_string()),
            ("TopicArn", subscription.arn.topic.to_string()),
            ("Owner", account.clone()),
            ("SubscriptionPrincipal", format!("arn:aws:iam::{account}:root")),
            ("Protocol", subscription.endpoint.protocol.to_string()),
            ("Endpoint", subscription.endpoint.text.clone()),
            ("PendingConfirmation", (!subscription.is_confirmed()).to_string()),
            ("ConfirmationWasAuthenticated", authenticated.to_string()),
            ("RawMessageDelivery", subscription.attributes.raw.to_string()),
        ];
        if subscription.endpoint.protocol.is_http() {
            let policy = self.effective_policy(&subscription).subscription_json();
            shown.push(("EffectiveDeliveryPolicy", policy.to_string()));
        }
        let as_given = |name: &&'static str| Some((*name, subscription.attributes.get(name)?.to_owned()));
        shown.extend(OF_SUBSCRIPTIONS.iter().filter_map(as_given));
        Ok(Some(attributes(shown.into_iter())))
    }

    pub(super) async fn set_subscription_attributes(&self, params: &Params) -> Answer {
        let arn: crate::SubscriptionArn = required(params, "SubscriptionArn")?.parse()?;
        let name = required(params, "AttributeName")?;
        let value = params.get("AttributeValue").unwrap_or_default();
        self.subscription(&arn)?;
        let decide = |_topic: &Topic, all: &[std::sync::Arc<Subscription>]| {
            let found = all.iter().find(|subscription| subscription.arn == arn);
            let found = found.ok_or(SnsError::SubscriptionDoesNotExist)?;
            let mut subscription = Subscription::clone(found);
            let endpoint = subscription.endpoint.clone();
            subscription.attributes.change(&endpoint, name, value)?;
            Ok(subscription)
        };
        self.change_subscription(&arn.topic, decide).await?;
        Ok(None)
    }
}

/// What a topic has that was given no policy: its owner may do everything.
pub(super) fn default_policy(topic: &TopicArn) -> String {
    let actions = [
        "SNS:GetTopicAttributes",
        "SNS:SetTopicAttributes",
        "SNS:AddPermission",
        "SNS:RemovePermission",
        "SNS:DeleteTopic",
        "SNS:Subscribe",
        "SNS:ListSubscriptionsByTopic",
        "SNS:Publish",
    ];
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": actions,
            "Resource": topic.to_string(),
            "Condition": {"StringEquals": {"AWS:SourceOwner": topic.account.to_string()}},
        }],
    })
    .to_string()
}
