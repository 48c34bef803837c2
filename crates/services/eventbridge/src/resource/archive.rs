//! `AWS::Events::Archive`.

use serde_json::{Map, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    optional_integer,
};

use super::{document, request};
use crate::api::ArchiveRequest;
use crate::archive::ArchiveDefinition;
use crate::error::EventBridgeError;
use crate::names::arn;
use crate::service::EventBridgeService;

const ACCEPTED: &[&str] = &[
    "ArchiveName",
    "Description",
    "EventPattern",
    "RetentionDays",
    "SourceArn",
];
const REFUSED: &[(&str, &str)] = &[(
    "KmsKeyIdentifier",
    "archived events are not encrypted at rest by this node",
)];
const MAX_NAME: usize = 48;

/// Archives of stacks.
#[derive(Debug)]
pub(crate) struct ArchiveType {
    service: EventBridgeService,
}

impl ArchiveType {
    pub(crate) fn new(service: EventBridgeService) -> Self {
        Self { service }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        name: String,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let mut properties = properties.clone();
        if let Some(pattern) = properties.get("EventPattern").and_then(document) {
            properties.insert("EventPattern".into(), pattern.into());
        }
        if let Some(days) = optional_integer(&properties, "RetentionDays")? {
            properties.insert("RetentionDays".into(), days.into());
        }
        let mut wanted: ArchiveRequest = request(&properties)?;
        wanted.archive_name = Some(name);
        let wanted = wanted.parse(&context.account, &context.region)?;
        let owner = Some(context.owner());
        let _changing = self.service.changing().await;
        let existing = self.service.registry(|registry| registry.archive(&wanted.arn));
        let (rows, created) = match &existing {
            Some(archive) if archive.definition.owner != owner => {
                let name = wanted.name.to_string();
                return Err(EventBridgeError::OfAnother {
                    kind: "archive",
                    name,
                }
                .into());
            }
            Some(archive) => (archive.definition.rows.clone(), archive.definition.created),
            None => (wanted.rows.clone(), Some(self.service.now())),
        };
        let archive = ArchiveDefinition {
            rows,
            created,
            owner,
            ..wanted
        };
        let state = ResourceState {
            physical_id: archive.name.to_string(),
            reference: None,
            attributes: Map::from_iter([("Arn".into(), json!(archive.arn))]),
        };
        self.service.store_archive(archive).await?;
        Ok(state)
    }
}

impl ResourceHandler for ArchiveType {
    fn type_name(&self) -> &'static str {
        "AWS::Events::Archive"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED)
            .refusing("", REFUSED)
            .requiring(&["SourceArn"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["ArchiveName", "SourceArn"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = tradewind_model::resource::optional_text(properties, "ArchiveName")?;
        let name = name.unwrap_or_else(|| context.generated_name_within(MAX_NAME));
        self.put(context, name, properties).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, current.physical_id.clone(), properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let arn = arn(
            &context.account,
            &context.region,
            &format!("archive/{}", current.physical_id),
        );
        let _changing = self.service.changing().await;
        let archive = self
            .service
            .registry(|registry| registry.archive(&arn.to_string()));
        match archive.filter(|archive| archive.definition.owner == Some(context.owner())) {
            Some(archive) => Ok(self.service.remove_archive(&archive.definition.arn).await?),
            None => Ok(()),
        }
    }
}
