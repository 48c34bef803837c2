//! `AWS::SNS::TopicPolicy`: kept with its topics, evaluated by nobody yet.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, is_intrinsic, problem,
};

use crate::error::SnsError;
use crate::model::Topic;
use crate::names::TopicArn;
use crate::service::SnsService;

const PROPERTIES: &[&str] = &["PolicyDocument", "Topics"];
const DOCUMENT: &str = "a policy: an object with `Statement`";
const TOPICS: &str = "a list of topic ARNs";

/// Policies of stacks.
#[derive(Debug)]
pub(crate) struct TopicPolicyType {
    service: SnsService,
}

impl TopicPolicyType {
    pub(crate) fn new(service: SnsService) -> Self {
        Self { service }
    }

    /// Gives the policy to these topics, and takes it from others that have it from this resource.
    async fn put(&self, owner: &str, topics: &BTreeSet<TopicArn>, document: &str) -> Result<(), SnsError> {
        for arn in topics {
            self.set(arn, document, Some(owner)).await?;
        }
        let owned: Vec<TopicArn> = self.service.registry(|registry| {
            let owned = registry
                .topics()
                .filter(|topic| topic.policy_owner.as_deref() == Some(owner));
            owned.map(|topic| topic.arn.clone()).collect()
        });
        for arn in owned.iter().filter(|arn| !topics.contains(*arn)) {
            match self.set(arn, "", None).await {
                // the stack deletes topics and policies in any order
                Ok(()) | Err(SnsError::TopicDoesNotExist) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn set(&self, arn: &TopicArn, document: &str, owner: Option<&str>) -> Result<(), SnsError> {
        let decide = |topic: Option<&Topic>| {
            let mut topic = topic.ok_or(SnsError::TopicDoesNotExist)?.clone();
            topic.attributes.change("Policy", document)?;
            topic.policy_owner = owner.map(str::to_owned);
            Ok(Some(topic))
        };
        self.service.change_topic(arn, decide).await?;
        Ok(())
    }
}

impl ResourceHandler for TopicPolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::SNS::TopicPolicy"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(PROPERTIES).requiring(PROPERTIES)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        let written = |name: &str| properties.get(name).filter(|value| !is_intrinsic(value));
        if written("PolicyDocument").is_some_and(|document| policy_text(document).is_none()) {
            let message = format!("property `PolicyDocument` must be {DOCUMENT}");
            problems.push(problem(&["PolicyDocument"], message));
        }
        if written("Topics").is_some_and(|topics| !topics.is_array()) {
            problems.push(problem(
                &["Topics"],
                format!("property `Topics` must be {TOPICS}"),
            ));
        }
        problems
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let wrong = |name: &str, expected: &str| ResourceError::Invalid {
            message: format!("property `{name}` must be {expected}"),
        };
        let document = properties.get("PolicyDocument").and_then(policy_text);
        let document = document.ok_or_else(|| wrong("PolicyDocument", DOCUMENT))?;
        let arns = properties.get("Topics").and_then(Value::as_array);
        let arns = arns.ok_or_else(|| wrong("Topics", TOPICS))?;
        let mut topics = BTreeSet::new();
        for arn in arns {
            let arn = arn.as_str().ok_or_else(|| wrong("Topics", TOPICS))?;
            topics.insert(arn.parse::<TopicArn>()?);
        }
        self.put(&context.owner(), &topics, &document).await?;
        let id = context.generated_name.clone();
        Ok(ResourceState {
            attributes: Map::from_iter([("Id".into(), json!(id))]),
            physical_id: id,
            reference: None,
        })
    }

    async fn delete(&self, context: &ResourceContext, _current: &ResourceState) -> Result<(), ResourceError> {
        Ok(self.put(&context.owner(), &BTreeSet::new(), "").await?)
    }
}

/// The document's text, also where it is given as text.
fn policy_text(value: &Value) -> Option<String> {
    let document = match value {
        Value::String(text) => serde_json::from_str(text).ok()?,
        other => other.clone(),
    };
    document.get("Statement")?;
    Some(document.to_string())
}
