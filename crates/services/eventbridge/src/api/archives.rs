//! Archives: making, describing, listing, changing and deleting them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_model::{AccountId, Region};
use tradewind_store::Batch;

use super::buses::check_description;
use super::rules::check_pattern;
use super::{Call, answer, seconds};
use crate::archive::{Archive, ArchiveDefinition};
use crate::error::EventBridgeError;
use crate::names::{BusArn, Name, arn, required};
use crate::service::EventBridgeService;
use crate::tables;
use crate::target::parse_arn;
use crate::token::Paging;

const MAX_NAME: usize = 48;

/// What `CreateArchive` and `UpdateArchive` take.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ArchiveRequest {
    pub(crate) archive_name: Option<String>,
    #[serde(alias = "SourceArn")]
    pub(crate) event_source_arn: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) event_pattern: Option<String>,
    pub(crate) retention_days: Option<i64>,
    pub(crate) kms_key_identifier: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfArchive {
    archive_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListArchives {
    name_prefix: Option<String>,
    event_source_arn: Option<String>,
    state: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl ArchiveRequest {
    fn check(&self) -> Result<(), EventBridgeError> {
        check_description(self.description.as_deref())?;
        self.event_pattern.as_deref().map(check_pattern).transpose()?;
        if self
            .kms_key_identifier
            .as_ref()
            .is_some_and(|key| !key.is_empty())
        {
            let reason = "archived events are not encrypted at rest";
            return Err(EventBridgeError::unsupported(
                "Parameter KmsKeyIdentifier",
                reason,
            ));
        }
        let rule = "Member must have value greater than or equal to 0";
        match self.retention_days {
            Some(days @ ..0) => Err(EventBridgeError::constraint(
                &format!("'{days}'"),
                "retentionDays",
                rule,
            )),
            _ => Ok(()),
        }
    }

    /// A new archive of this account.
    pub(crate) fn parse(
        self,
        account: &AccountId,
        region: &Region,
    ) -> Result<ArchiveDefinition, EventBridgeError> {
        self.check()?;
        let name = archive_name(self.archive_name)?;
        let source = required(self.event_source_arn, "eventSourceArn")?;
        let source = BusArn::of(&parse_arn(&source, "EventSourceArn")?)
            .ok_or_else(|| EventBridgeError::parameter("EventSourceArn", "Must contain an event bus ARN."))?;
        Ok(ArchiveDefinition {
            arn: arn(account, region, &format!("archive/{name}")).to_string(),
            name,
            source,
            description: self.description,
            pattern: self.event_pattern,
            retention_days: self.retention_days.unwrap_or(0),
            rows: crate::event::new_id(),
            created: None,
            owner: None,
        })
    }

    /// Changes what the request says, and leaves the rest.
    fn apply(self, archive: &mut ArchiveDefinition) {
        if self.description.is_some() {
            archive.description = self.description;
        }
        if self.event_pattern.is_some() {
            archive.pattern = self.event_pattern;
        }
        if let Some(days) = self.retention_days {
            archive.retention_days = days;
        }
    }
}

fn archive_name(name: Option<String>) -> Result<Name, EventBridgeError> {
    Name::parse(name, "archiveName", MAX_NAME)
}

impl EventBridgeService {
    pub(super) async fn create_archive(
        &self,
        call: &Call,
        request: ArchiveRequest,
    ) -> Result<Value, EventBridgeError> {
        let mut archive = request.parse(&call.account, &call.region)?;
        archive.created = Some(self.now());
        let _changing = self.changing().await;
        if self.registry(|registry| registry.archive(&archive.arn).is_some()) {
            let text = format!("Archive {} already exists.", archive.name);
            return Err(EventBridgeError::ResourceAlreadyExists(text));
        }
        let view = made(&archive);
        self.store_archive(archive).await?;
        Ok(view)
    }

    pub(super) async fn update_archive(
        &self,
        call: &Call,
        request: ArchiveRequest,
    ) -> Result<Value, EventBridgeError> {
        request.check()?;
        let _changing = self.changing().await;
        let mut archive = self
            .archive(call, request.archive_name.clone())?
            .definition
            .clone();
        request.apply(&mut archive);
        let view = made(&archive);
        self.store_archive(archive).await?;
        Ok(view)
    }

    /// Stores an archive, new or changed. Called while [`Self::changing`] is held.
    pub(crate) async fn store_archive(&self, definition: ArchiveDefinition) -> Result<(), EventBridgeError> {
        self.registry(|registry| registry.bus(&definition.source))?;
        let batch = tables::put(Batch::new(), &definition)?;
        let archive = Archive::compile(definition)?;
        self.commit(batch, |registry| registry.put_archive(archive)).await
    }

    fn archive(&self, call: &Call, name: Option<String>) -> Result<Arc<Archive>, EventBridgeError> {
        let name = archive_name(name)?;
        let arn = arn(&call.account, &call.region, &format!("archive/{name}")).to_string();
        let found = self.registry(|registry| registry.archive(&arn));
        found.ok_or_else(|| EventBridgeError::ResourceNotFound(format!("Archive {name} does not exist.")))
    }

    pub(super) async fn delete_archive(
        &self,
        call: &Call,
        request: OfArchive,
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        let archive = self.archive(call, request.archive_name)?;
        self.remove_archive(&archive.definition.arn).await?;
        Ok(json!({}))
    }

    /// Removes an archive; its events follow. Called while [`Self::changing`] is held.
    pub(crate) async fn remove_archive(&self, arn: &str) -> Result<(), EventBridgeError> {
        let batch = tables::delete(Batch::new(), arn);
        self.commit(batch, |registry| registry.delete_archive(arn))
            .await?;
        self.tidy_soon();
        Ok(())
    }

    pub(super) async fn describe_archive(
        &self,
        call: &Call,
        request: OfArchive,
    ) -> Result<Value, EventBridgeError> {
        let archive = self.archive(call, request.archive_name)?;
        let mut view = self.archive_view(&archive).await?;
        view["ArchiveArn"] = json!(archive.definition.arn);
        view["Description"] = json!(archive.definition.description);
        view["EventPattern"] = json!(archive.definition.pattern);
        Ok(answer(view))
    }

    pub(super) async fn list_archives(
        &self,
        call: &Call,
        request: ListArchives,
    ) -> Result<Value, EventBridgeError> {
        let prefix = request.name_prefix.unwrap_or_default();
        let source = request.event_source_arn;
        let wanted = |archive: &&Arc<Archive>| {
            let definition = &archive.definition;
            definition.name.as_str().starts_with(&prefix)
                && source
                    .as_ref()
                    .is_none_or(|source| definition.source.to_string() == *source)
                && request.state.as_deref().is_none_or(|state| state == "ENABLED")
        };
        let all = self.registry(|registry| registry.archives_in(&call.account, &call.region));
        let named = all
            .iter()
            .filter(wanted)
            .map(|archive| (archive.definition.name.to_string(), archive));
        let (page, next) = request.paging.page("ListArchives", named)?;
        let mut views = Vec::new();
        for archive in page {
            views.push(answer(self.archive_view(archive).await?));
        }
        Ok(answer(json!({"Archives": views, "NextToken": next})))
    }

    async fn archive_view(&self, archive: &Archive) -> Result<Value, EventBridgeError> {
        let definition = &archive.definition;
        let (events, bytes) = tables::archived(self.database(), &definition.rows).await?;
        Ok(json!({
            "ArchiveName": definition.name, "EventSourceArn": definition.source.to_string(), "State": "ENABLED",
            "RetentionDays": definition.retention_days, "SizeBytes": bytes, "EventCount": events,
            "CreationTime": seconds(definition.created),
        }))
    }
}

fn made(archive: &ArchiveDefinition) -> Value {
    json!({"ArchiveArn": archive.arn, "State": "ENABLED", "CreationTime": seconds(archive.created)})
}
