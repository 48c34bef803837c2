//! `AWS::SNS::Subscription`.

use std::sync::Arc;

use serde_json::{Map, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, optional_text, problem, required_text,
};

use super::given;
use crate::api::Subscribing;
use crate::attributes::SubscriptionAttributes;
use crate::error::SnsError;
use crate::model::{Endpoint, Subscription, Topic};
use crate::names::{SubscriptionArn, TopicArn};
use crate::service::SnsService;

const ACCEPTED: &[&str] = &[
    "DeliveryPolicy",
    "Endpoint",
    "FilterPolicy",
    "FilterPolicyScope",
    "Protocol",
    "RawMessageDelivery",
    "RedrivePolicy",
    "Region",
    "ReplayPolicy",
    "SubscriptionRoleArn",
    "TopicArn",
];
const REQUIRED: &[&str] = &["Protocol", "TopicArn"];
const REFUSED: &[(&str, &str)] = &[
    ("Region", "topics of other regions are not subscribed to"),
    ("ReplayPolicy", "messages are not archived"),
    (
        "SubscriptionRoleArn",
        "it is for Firehose, which is not on this node",
    ),
];
const TEXTS: &[&str] = &["FilterPolicyScope", "RawMessageDelivery"];
const DOCUMENTS: &[&str] = &["DeliveryPolicy", "FilterPolicy", "RedrivePolicy"];

/// Subscriptions of stacks.
#[derive(Debug)]
pub(crate) struct SubscriptionType {
    service: SnsService,
}

impl SubscriptionType {
    pub(crate) fn new(service: SnsService) -> Self {
        Self { service }
    }
}

impl ResourceHandler for SubscriptionType {
    fn type_name(&self) -> &'static str {
        "AWS::SNS::Subscription"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED)
            .refusing("", REFUSED)
            .requiring(REQUIRED)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        let given = |name: &str| properties.get(name).is_some_and(|value| !value.is_null());
        let refused = REFUSED
            .iter()
            .filter(|(name, _)| *name != "Region" && given(name));
        problems.extend(refused.map(|(name, reason)| {
            problem(
                &[name],
                format!("property `{name}` is not supported yet: {reason}"),
            )
        }));
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["Endpoint", "Protocol", "TopicArn"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let topic: TopicArn = required_text(properties, "TopicArn")?
            .parse()
            .map_err(|error: SnsError| error)?;
        if let Some(region) = optional_text(properties, "Region")?
            && region != context.region.as_str()
        {
            let message = format!("property `Region` is not supported yet: `{region}` is not the stack's");
            return Err(ResourceError::Invalid { message });
        }
        let protocol = required_text(properties, "Protocol")?;
        let endpoint = Endpoint::parse(&protocol, &required_text(properties, "Endpoint")?)?;
        let attributes = SubscriptionAttributes::new(&endpoint, &given(properties, TEXTS, DOCUMENTS)?)?;
        let subscribing = Subscribing {
            endpoint,
            attributes,
            owner: Some(context.owner()),
        };
        let now = self.service.now();
        let decide = |topic: &Topic, all: &[Arc<Subscription>]| {
            let existing = all.iter().find(|one| one.endpoint == subscribing.endpoint);
            if let Some(existing) = existing.filter(|one| one.owner != subscribing.owner) {
                let text = format!("`{}` is subscribed already", existing.endpoint.text);
                return Err(SnsError::InvalidParameter(text));
            }
            subscribing.decide(topic, all, now)
        };
        let subscription = self.service.change_subscription(&topic, decide).await?;
        let arn = subscription.arn.to_string();
        Ok(ResourceState {
            attributes: Map::from_iter([("Arn".into(), json!(arn))]),
            physical_id: arn,
            reference: None,
        })
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let owner = context.owner();
        let arn: SubscriptionArn = current.physical_id.parse().map_err(|error: SnsError| error)?;
        self.service
            .delete_subscription(&arn, |subscription| subscription.owner.as_ref() == Some(&owner))
            .await?;
        Ok(())
    }
}
