//! `AWS::Scheduler::ScheduleGroup`.

use serde_json::{Map, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    optional_tags, optional_text,
};

use crate::error::SchedulerError;
use crate::model::Group;
use crate::names::{GroupId, Name, Scope};
use crate::service::SchedulerService;

const MAX_NAME: usize = 64;

/// Groups of stacks.
#[derive(Debug)]
pub(crate) struct ScheduleGroupType {
    service: SchedulerService,
}

impl ScheduleGroupType {
    pub(crate) fn new(service: SchedulerService) -> Self {
        Self { service }
    }
}

impl ResourceHandler for ScheduleGroupType {
    fn type_name(&self) -> &'static str {
        "AWS::Scheduler::ScheduleGroup"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(&["Name", "Tags"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["Name"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = optional_text(properties, "Name")?;
        let name = name.unwrap_or_else(|| context.generated_name_within(MAX_NAME));
        let id = group_id(context, &name)?;
        let tags = optional_tags(properties, "Tags")?;
        crate::api::check_tags(&tags)?;
        let (owner, now) = (context.owner(), self.service.now());
        let decide = |existing: Option<&Group>| match existing {
            Some(group) if group.owner.as_ref() != Some(&owner) => {
                Err(SchedulerError::GroupExists(id.name.to_string()))
            }
            Some(group) if group.tags == tags => Ok(None),
            existing => Ok(Some(Group {
                id: id.clone(),
                tags,
                created: existing.map_or(now, |group| group.created),
                modified: now,
                client_token: None,
                owner: Some(owner),
            })),
        };
        self.service.change_group(&id, decide).await?;
        let group = self.service.group(&id)?;
        let mut attributes = Map::from_iter([
            ("Arn".into(), json!(id.to_string())),
            ("State".into(), json!("ACTIVE")),
        ]);
        if let Some(group) = group {
            attributes.insert("CreationDate".into(), json!(group.created.to_rfc3339()));
            attributes.insert("LastModificationDate".into(), json!(group.modified.to_rfc3339()));
        }
        Ok(ResourceState {
            physical_id: id.name.to_string(),
            reference: None,
            attributes,
        })
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let owner = context.owner();
        let id = group_id(context, &current.physical_id)?;
        let is_own = |group: &Group| group.owner.as_ref() == Some(&owner);
        match self.service.delete_group(&id, is_own).await {
            Ok(()) | Err(SchedulerError::NoSuchGroup(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn group_id(context: &ResourceContext, name: &str) -> Result<GroupId, SchedulerError> {
    Ok(GroupId {
        scope: Scope {
            account: context.account.clone(),
            region: context.region.clone(),
        },
        name: Name::parse("Name", name)?,
    })
}
