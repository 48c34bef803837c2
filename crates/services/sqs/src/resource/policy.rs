//! `AWS::SQS::QueuePolicy`: kept with its queues, evaluated by nobody yet.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, is_intrinsic, problem,
};

use crate::error::SqsError;
use crate::model::Queue;
use crate::names::QueueArn;
use crate::service::SqsService;

const PROPERTIES: &[&str] = &["PolicyDocument", "Queues"];
const DOCUMENT: &str = "a policy: an object with `Statement`";
const QUEUES: &str = "a list of queue URLs";

/// Policies of stacks.
#[derive(Debug)]
pub(crate) struct QueuePolicyType {
    service: SqsService,
}

impl QueuePolicyType {
    pub(crate) fn new(service: SqsService) -> Self {
        Self { service }
    }

    /// Gives the policy to these queues, and takes it from others that have it from this resource.
    async fn put(&self, owner: &str, queues: &BTreeSet<QueueArn>, document: &str) -> Result<(), SqsError> {
        for arn in queues {
            self.set(arn, |queue| {
                queue.attributes.policy = Some(document.to_owned());
                queue.attributes.policy_owner = Some(owner.to_owned());
            })
            .await?;
        }
        for arn in self.owned(owner).iter().filter(|arn| !queues.contains(*arn)) {
            let taken = self.set(arn, |queue| {
                queue.attributes.policy = None;
                queue.attributes.policy_owner = None;
            });
            match taken.await {
                // the stack deletes queues and policies in any order
                Ok(()) | Err(SqsError::QueueDoesNotExist) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn set(&self, arn: &QueueArn, change: impl FnOnce(&mut Queue)) -> Result<(), SqsError> {
        let now = self.service.now();
        let decide = |queue: Option<&Queue>| {
            let mut queue = queue.ok_or(SqsError::QueueDoesNotExist)?.clone();
            change(&mut queue);
            queue.modified = now;
            Ok(Some(queue))
        };
        self.service.change(arn, decide).await?;
        Ok(())
    }

    fn owned(&self, owner: &str) -> Vec<QueueArn> {
        self.service.registry(|registry| {
            let owned =
                |queue: &&std::sync::Arc<Queue>| queue.attributes.policy_owner.as_deref() == Some(owner);
            registry
                .all()
                .filter(owned)
                .map(|queue| queue.arn.clone())
                .collect()
        })
    }
}

impl ResourceHandler for QueuePolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::SQS::QueuePolicy"
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
        if written("Queues").is_some_and(|queues| !queues.is_array()) {
            problems.push(problem(
                &["Queues"],
                format!("property `Queues` must be {QUEUES}"),
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
        let urls = properties.get("Queues").and_then(Value::as_array);
        let urls = urls.ok_or_else(|| wrong("Queues", QUEUES))?;
        let mut queues = BTreeSet::new();
        for url in urls {
            let url = url.as_str().ok_or_else(|| wrong("Queues", QUEUES))?;
            queues.insert(QueueArn::of_url(url, &context.account, &context.region)?);
        }
        self.put(&context.owner(), &queues, &document).await?;
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
