//! `AWS::SNS::Topic`, with the subscriptions that are written into it.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, is_intrinsic, optional_bool, optional_tags, optional_text, problem,
};

use super::given;
use crate::api::{Subscribing, check_tags};
use crate::attributes::{SubscriptionAttributes, TopicAttributes};
use crate::error::SnsError;
use crate::model::{Endpoint, Subscription, Topic};
use crate::names::{TopicArn, TopicName};
use crate::service::SnsService;

const ACCEPTED: &[&str] = &[
    "ArchivePolicy",
    "ContentBasedDeduplication",
    "DataProtectionPolicy",
    "DeliveryStatusLogging",
    "DisplayName",
    "FifoThroughputScope",
    "FifoTopic",
    "KmsMasterKeyId",
    "SignatureVersion",
    "Subscription",
    "Tags",
    "TopicName",
    "TracingConfig",
];
const REFUSED: &[(&str, &str)] = &[
    ("ArchivePolicy", "messages are not archived"),
    ("DataProtectionPolicy", "data protection is not served"),
    ("DeliveryStatusLogging", "delivery status is not logged"),
    ("KmsMasterKeyId", "topics are not encrypted"),
];
/// Properties that are attributes of the same name.
const ATTRIBUTES: &[&str] = &[
    "ContentBasedDeduplication",
    "DisplayName",
    "FifoThroughputScope",
    "SignatureVersion",
    "TracingConfig",
];
const SUFFIX: &str = ".fifo";
const MAX_NAME: usize = 256;

/// Topics of stacks.
#[derive(Debug)]
pub(crate) struct TopicType {
    service: SnsService,
}

impl TopicType {
    pub(crate) fn new(service: SnsService) -> Self {
        Self { service }
    }

    /// Makes the topic, or brings the one that this resource has to its properties.
    async fn put(
        &self,
        context: &ResourceContext,
        name: TopicName,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let arn = TopicArn {
            account: context.account.clone(),
            region: context.region.clone(),
            name,
        };
        let mut given = given(properties, ATTRIBUTES, &[])?;
        if arn.name.is_fifo() {
            given.insert("FifoTopic".into(), "true".into());
        }
        let tags = optional_tags(properties, "Tags")?;
        check_tags(&tags)?;
        TopicAttributes::new(arn.name.is_fifo(), &given)?;
        let wanted = endpoints(properties)?;
        let owner = context.owner();
        let mut is_new = false;
        let decide = |existing: Option<&Topic>| {
            is_new = existing.is_none();
            if existing.is_some_and(|topic| topic.owner.as_ref() != Some(&owner)) {
                return Err(SnsError::TopicOfAnother(arn.name.to_string()));
            }
            let mut given = given.clone();
            // a resource of its own gives the policy
            if let Some(policy) = existing.and_then(|topic| topic.attributes.get("Policy")) {
                given.insert("Policy".into(), policy.to_owned());
            }
            Ok(Some(Topic {
                arn: arn.clone(),
                attributes: TopicAttributes::new(arn.name.is_fifo(), &given)?,
                tags: tags.clone(),
                owner: Some(owner.clone()),
                policy_owner: existing.and_then(|topic| topic.policy_owner.clone()),
            }))
        };
        let topic = self.service.change_topic(&arn, decide).await?;
        let subscribed = self.subscribe(&owner, &topic.arn, wanted).await;
        if subscribed.is_err() && is_new {
            // a resource that failed has made nothing: the next deploy finds the name free
            let is_own = |topic: &Topic| topic.owner.as_ref() == Some(&owner);
            self.service.delete_topic(&topic.arn, is_own).await?;
        }
        subscribed.map(|()| state(&topic.arn))
    }

    /// Brings the subscriptions that this resource made to those that are written into it.
    async fn subscribe(
        &self,
        owner: &str,
        topic: &TopicArn,
        wanted: Vec<Endpoint>,
    ) -> Result<(), ResourceError> {
        let all = self.service.subscriptions_to(topic);
        let is_own = |one: &&Arc<Subscription>| one.owner.as_deref() == Some(owner);
        for gone in all
            .iter()
            .filter(is_own)
            .filter(|one| !wanted.contains(&one.endpoint))
        {
            self.service.delete_subscription(&gone.arn, |_| true).await?;
        }
        for endpoint in wanted {
            if all.iter().any(|one| one.endpoint == endpoint) {
                continue;
            }
            let now = self.service.now();
            let subscribing = Subscribing {
                endpoint,
                attributes: SubscriptionAttributes::default(),
                owner: Some(owner.to_owned()),
            };
            let decide = |topic: &Topic, all: &[Arc<Subscription>]| subscribing.decide(topic, all, now);
            self.service.change_subscription(topic, decide).await?;
        }
        Ok(())
    }
}

/// What is to be subscribed.
fn endpoints(properties: &Properties) -> Result<Vec<Endpoint>, ResourceError> {
    let list = properties.get("Subscription").and_then(Value::as_array);
    let endpoint = |(index, one): (usize, &Value)| {
        let text = |name: &str| {
            one.get(name)
                .and_then(Value::as_str)
                .ok_or_else(|| ResourceError::Invalid {
                    message: format!("property `Subscription.{index}.{name}` is missing"),
                })
        };
        Ok(Endpoint::parse(text("Protocol")?, text("Endpoint")?)?)
    };
    list.into_iter().flatten().enumerate().map(endpoint).collect()
}

fn state(arn: &TopicArn) -> ResourceState {
    ResourceState {
        physical_id: arn.to_string(),
        reference: None,
        attributes: Map::from_iter([
            ("TopicArn".into(), json!(arn.to_string())),
            ("TopicName".into(), json!(arn.name.to_string())),
        ]),
    }
}

impl ResourceHandler for TopicType {
    fn type_name(&self) -> &'static str {
        "AWS::SNS::Topic"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).refusing("", REFUSED)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        let refused = REFUSED.iter().filter(|(name, _)| {
            properties
                .get(*name)
                .is_some_and(|value| !value.is_null() && value != "")
        });
        problems.extend(refused.map(|(name, reason)| {
            problem(
                &[name],
                format!("property `{name}` is not supported yet: {reason}"),
            )
        }));
        let subscriptions = properties
            .get("Subscription")
            .filter(|value| !is_intrinsic(value));
        if subscriptions.is_some_and(|value| !value.is_array()) {
            problems.push(problem(
                &["Subscription"],
                "property `Subscription` must be a list",
            ));
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["FifoTopic", "TopicName"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let is_fifo = optional_bool(properties, "FifoTopic")?.unwrap_or(false);
        let name = match optional_text(properties, "TopicName")? {
            Some(name) => name,
            None if is_fifo => context.generated_name_within(MAX_NAME - SUFFIX.len()) + SUFFIX,
            None => context.generated_name_within(MAX_NAME),
        };
        let name: TopicName = name.parse().map_err(SnsError::from)?;
        if name.is_fifo() != is_fifo {
            let message = "a FIFO topic has `FifoTopic: true` and a name that ends in `.fifo`";
            return Err(ResourceError::Invalid {
                message: message.into(),
            });
        }
        self.put(context, name, properties).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let arn: TopicArn = current.physical_id.parse()?;
        self.put(context, arn.name, properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let owner = context.owner();
        let arn: TopicArn = current.physical_id.parse()?;
        self.service
            .delete_topic(&arn, |topic| topic.owner.as_ref() == Some(&owner))
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn a_topic_that_is_refused_leaves_its_name_free() {
        let world = World::new().await;
        let topics = TopicType::new(world.service.clone());
        let given = |protocol: &str, endpoint: &str| {
            let one = json!({"Protocol": protocol, "Endpoint": endpoint});
            let properties = json!({"TopicName": "orders", "Subscription": [one]});
            properties.as_object().unwrap().clone()
        };
        let fifo = crate::testing::queue_arn("q.fifo");
        let first = ResourceContext::for_tests("First");
        for (protocol, endpoint) in [("sms", "+1"), ("sqs", "no arn"), ("sqs", &*fifo)] {
            let refused = topics.create(&first, &given(protocol, endpoint)).await;
            assert!(refused.is_err(), "{protocol} {endpoint}");
        }
        let queue = crate::testing::queue_arn("q");
        let next = ResourceContext::for_tests("Next");
        let made = topics.create(&next, &given("sqs", &queue)).await.unwrap();
        assert_eq!(made.physical_id, crate::testing::topic_arn("orders"));
        topics
            .update(&next, &made, &given("sqs", &fifo))
            .await
            .unwrap_err();
        assert!(
            world.service.topic(&made.physical_id.parse().unwrap()).is_ok(),
            "an update removes nothing"
        );
    }
}
