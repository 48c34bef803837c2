//! `AWS::SQS::Queue`.

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, optional_bool, optional_tags, optional_text, problem,
};

use crate::attributes::{Given, NO_KMS};
use crate::error::SqsError;
use crate::model::{Queue, QueueAttributes};
use crate::names::{QueueArn, QueueName};
use crate::service::SqsService;

/// Properties that are attributes of the same name.
const ATTRIBUTES: &[&str] = &[
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "SqsManagedSseEnabled",
    "VisibilityTimeout",
];
/// Properties that are documents: an object, or its text.
const DOCUMENTS: &[&str] = &["RedriveAllowPolicy", "RedrivePolicy"];
const ACCEPTED: &[&str] = &[
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "DelaySeconds",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsDataKeyReusePeriodSeconds",
    "KmsMasterKeyId",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "QueueName",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
    "Tags",
    "VisibilityTimeout",
];
const REFUSED: &[(&str, &str)] = &[("KmsMasterKeyId", NO_KMS)];
const SUFFIX: &str = ".fifo";
const MAX_NAME: usize = 80;

/// Queues of stacks.
#[derive(Debug)]
pub(crate) struct QueueType {
    service: SqsService,
}

impl QueueType {
    pub(crate) fn new(service: SqsService) -> Self {
        Self { service }
    }

    /// Makes the queue, or brings the one that this resource has to its properties.
    async fn put(
        &self,
        context: &ResourceContext,
        name: QueueName,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let arn = QueueArn {
            account: context.account.clone(),
            region: context.region.clone(),
            name,
        };
        let attributes = QueueAttributes::of_new(arn.name.is_fifo(), &given(properties)?)?;
        let tags = optional_tags(properties, "Tags")?;
        crate::api::check_tags(&tags)?;
        let (owner, now) = (context.owner(), self.service.now());
        let decide = |existing: Option<&Queue>| {
            let created = match existing {
                Some(queue) if queue.owner.as_ref() != Some(&owner) => {
                    return Err(SqsError::QueueOfAnother(arn.name.to_string()));
                }
                Some(queue) => queue.created,
                None => now,
            };
            let mut attributes = attributes.clone();
            if let Some(queue) = existing {
                attributes.policy.clone_from(&queue.attributes.policy);
                attributes.policy_owner.clone_from(&queue.attributes.policy_owner);
            }
            Ok(Some(Queue {
                arn: arn.clone(),
                attributes,
                tags: tags.clone(),
                created,
                modified: now,
                owner: Some(owner.clone()),
            }))
        };
        let queue = self.service.change(&arn, decide).await?;
        Ok(self.state(&queue.arn))
    }

    fn state(&self, arn: &QueueArn) -> ResourceState {
        let url = arn.url(self.service.base_url());
        let attributes = Map::from_iter([
            ("Arn".into(), json!(arn.to_string())),
            ("QueueName".into(), json!(arn.name.to_string())),
            ("QueueUrl".into(), json!(url)),
        ]);
        ResourceState {
            physical_id: url,
            reference: None,
            attributes,
        }
    }
}

impl ResourceHandler for QueueType {
    fn type_name(&self) -> &'static str {
        "AWS::SQS::Queue"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).refusing("", REFUSED)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        let asks = |name: &str| match properties.get(name) {
            Some(Value::String(text)) => !text.is_empty(),
            _ => false,
        };
        let refused = REFUSED.iter().filter(|(name, _)| asks(name));
        problems.extend(refused.map(|(name, reason)| {
            problem(
                &[name],
                format!("property `{name}` is not supported yet: {reason}"),
            )
        }));
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["FifoQueue", "QueueName"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let is_fifo = optional_bool(properties, "FifoQueue")?.unwrap_or(false);
        let name = match optional_text(properties, "QueueName")? {
            Some(name) => name,
            None if is_fifo => context.generated_name_within(MAX_NAME - SUFFIX.len()) + SUFFIX,
            None => context.generated_name_within(MAX_NAME),
        };
        let name = name.parse().map_err(SqsError::from)?;
        self.put(context, name, properties).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let arn = arn_of(current, context)?;
        self.put(context, arn.name, properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let owner = context.owner();
        let arn = arn_of(current, context)?;
        self.service
            .delete(&arn, |queue| queue.owner.as_ref() == Some(&owner))
            .await?;
        Ok(())
    }
}

fn arn_of(current: &ResourceState, context: &ResourceContext) -> Result<QueueArn, SqsError> {
    QueueArn::of_url(&current.physical_id, &context.account, &context.region)
}

/// The attributes that the properties ask for.
fn given(properties: &Properties) -> Result<Given, ResourceError> {
    let mut given = Given::new();
    for name in ATTRIBUTES {
        if let Some(text) = optional_text(properties, name)? {
            given.insert((*name).to_owned(), text);
        }
    }
    for name in DOCUMENTS {
        match properties.get(*name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => drop(given.insert((*name).to_owned(), text.clone())),
            Some(document) => drop(given.insert((*name).to_owned(), document.to_string())),
        }
    }
    if optional_bool(properties, "FifoQueue")? == Some(true) {
        given.insert("FifoQueue".into(), "true".into());
    }
    Ok(given)
}
