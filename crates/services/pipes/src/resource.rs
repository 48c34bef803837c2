//! `AWS::Pipes::Pipe`.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, ResourceType, optional_tags, optional_text,
};

use crate::api::check_tags;
use crate::error::PipesError;
use crate::model::{Pipe, PipeId};
use crate::service::PipesService;
use crate::settings::Settings;

const MAX_NAME: usize = 64;
const ACCEPTED: &[&str] = &[
    "Description",
    "DesiredState",
    "Enrichment",
    "EnrichmentParameters",
    "Name",
    "RoleArn",
    "Source",
    "SourceParameters",
    "Tags",
    "Target",
    "TargetParameters",
];
const REQUIRED: &[&str] = &["RoleArn", "Source", "Target"];
/// Numbers that templates may give as text.
const NUMBERS: &[&str] = &[
    "/SourceParameters/SqsQueueParameters/BatchSize",
    "/SourceParameters/SqsQueueParameters/MaximumBatchingWindowInSeconds",
];

/// The types of this service.
pub(crate) fn types(service: &PipesService) -> Vec<Arc<dyn ResourceType>> {
    vec![Arc::new(PipeType {
        service: service.clone(),
    })]
}

/// Pipes of stacks.
#[derive(Debug)]
struct PipeType {
    service: PipesService,
}

impl ResourceHandler for PipeType {
    fn type_name(&self) -> &'static str {
        "AWS::Pipes::Pipe"
    }

    fn known_properties(&self) -> KnownProperties {
        let kms = "pipes are encrypted as the whole node is, not with keys of their own";
        let log = "pipes tell of failures in the node's own log";
        KnownProperties::new(ACCEPTED)
            .requiring(REQUIRED)
            .refusing("", &[("KmsKeyIdentifier", kms), ("LogConfiguration", log)])
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        ResourceHandler::known_properties(self).check(properties)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["Name", "Source"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = optional_text(properties, "Name")?;
        let name = name.unwrap_or_else(|| context.generated_name_within(MAX_NAME));
        let id = PipeId::parse(context.account.clone(), context.region.clone(), &name)?;
        let (settings, tags) = read(properties)?;
        self.service.check_ends(&settings)?;
        let (plan, owner, now) = (settings.plan()?, context.owner(), self.service.now());
        let decide = |existing: Option<&Pipe>| match existing {
            Some(pipe) if pipe.owner.as_ref() != Some(&owner) => Err(PipesError::Exists(name.clone())),
            Some(pipe) if pipe.settings == settings && pipe.tags == tags => Ok(None),
            existing => Ok(Some(Pipe {
                id: id.clone(),
                settings,
                plan,
                tags,
                created: existing.map_or(now, |pipe| pipe.created),
                modified: now,
                owner: Some(owner),
            })),
        };
        let pipe = self.service.change(&id, decide).await?;
        let attributes = json!({
            "Arn": pipe.id.to_string(),
            "CurrentState": pipe.settings.desired_state,
            "CreationTime": pipe.created.to_rfc3339(),
            "LastModifiedTime": pipe.modified.to_rfc3339(),
        });
        Ok(ResourceState {
            physical_id: id.to_string(),
            reference: Some(name),
            attributes: attributes.as_object().cloned().unwrap_or_default(),
        })
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let owner = context.owner();
        let id: PipeId = current.physical_id.parse()?;
        match self
            .service
            .remove(&id, |pipe| pipe.owner.as_ref() == Some(&owner))
            .await
        {
            Ok(_) | Err(PipesError::NotFound(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

type Tags = std::collections::BTreeMap<String, String>;

/// The properties as the API has them.
fn read(properties: &Properties) -> Result<(Settings, Tags), ResourceError> {
    let invalid = |error: serde_json::Error| ResourceError::Invalid {
        message: error.to_string(),
    };
    let mut members: Map<String, Value> = properties.clone();
    members.remove("Name");
    members.retain(|_, value| !value.is_null());
    members.remove("Tags");
    // a mapping, but those of the stack come as a list
    let tags = optional_tags(properties, "Tags")?;
    check_tags(&tags)?;
    let mut members = Value::Object(members);
    for path in NUMBERS {
        if let Some(value) = members.pointer_mut(path)
            && let Some(number) = value.as_str().and_then(|text| text.parse::<u16>().ok())
        {
            *value = json!(number);
        }
    }
    Ok((serde_json::from_value(members).map_err(invalid)?, tags))
}
