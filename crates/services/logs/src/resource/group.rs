//! `AWS::Logs::LogGroup`.

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, optional_integer, optional_tags, optional_text, problem,
};

use super::group_key;
use crate::error::LogsError;
use crate::model::{Group, LogGroup, LogGroupName, RetentionDays};
use crate::service::LogsService;

const ACCEPTED: &[&str] = &["LogGroupName", "RetentionInDays", "Tags"];
const REFUSED: &[(&str, &str)] = &[
    (
        "BearerTokenAuthenticationEnabled",
        "log groups take no events over HTTP",
    ),
    (
        "DataProtectionPolicy",
        "log events are stored as they come, without masking",
    ),
    (
        "DeletionProtectionEnabled",
        "log groups are deleted with their stack",
    ),
    ("FieldIndexPolicies", "log events are not indexed by field"),
    ("KmsKeyId", "log events are not encrypted with keys of your own"),
    ("LogGroupClass", "there is one class of log groups"),
    ("ResourcePolicyDocument", "policies are not enforced"),
];

/// Log groups of stacks.
#[derive(Debug)]
pub(crate) struct LogGroupType {
    service: LogsService,
}

impl LogGroupType {
    pub(crate) fn new(service: LogsService) -> Self {
        Self { service }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        name: LogGroupName,
        properties: &Properties,
    ) -> Result<ResourceState, LogsError> {
        let retention = optional_integer(properties, "RetentionInDays")?;
        let retention = retention.map(RetentionDays::new).transpose()?;
        let tags = optional_tags(properties, "Tags")?;
        let key = group_key(context, name);
        let (owner, now) = (context.owner(), self.service.now());
        let decide = |existing: Option<&Group>| {
            // what only logs exist of belongs to nobody yet
            let kept = self.service.registry(|registry| registry.get(&key));
            if kept.is_some_and(|kept| kept.owner.as_ref() != Some(&owner)) {
                return Err(LogsError::OfAnother {
                    kind: "log group",
                    name: key.name.to_string(),
                });
            }
            let mut group = match existing {
                Some(group) => group.clone(),
                None => Group::new(key.clone(), Some(now)),
            };
            group.owner = Some(owner);
            group.settings = LogGroup {
                retention,
                tags,
                created: group.settings.created.or(Some(now)),
            };
            Ok(Some(group))
        };
        self.service.change(&key, decide).await?;
        let arn = key.name.arn(&context.account, &context.region);
        Ok(ResourceState {
            physical_id: key.name.to_string(),
            reference: None,
            attributes: Map::from_iter([("Arn".into(), json!(arn))]),
        })
    }

    async fn remove(&self, context: &ResourceContext, name: LogGroupName) -> Result<(), LogsError> {
        let key = group_key(context, name);
        let owner = context.owner();
        let is_kept = self.service.registry(|registry| registry.get(&key).is_some());
        let may = |group: &Group| !is_kept || group.owner.as_ref() == Some(&owner);
        self.service.delete(&key, may).await
    }
}

impl ResourceHandler for LogGroupType {
    fn type_name(&self) -> &'static str {
        "AWS::Logs::LogGroup"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).refusing("", REFUSED)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        if let Some(Value::Number(days)) = properties.get("RetentionInDays")
            && let Err(error) = RetentionDays::new(days.as_i64().unwrap_or(i64::MAX))
        {
            problems.push(problem(&["RetentionInDays"], error.to_string()));
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["LogGroupName"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let given = optional_text(properties, "LogGroupName")?;
        let name = given.unwrap_or_else(|| context.generated_name_within(512));
        let name = name.parse().map_err(LogsError::from)?;
        Ok(self.put(context, name, properties).await?)
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = current.physical_id.parse().map_err(LogsError::from)?;
        Ok(self.put(context, name, properties).await?)
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let name = current.physical_id.parse().map_err(LogsError::from)?;
        Ok(self.remove(context, name).await?)
    }
}
