//! `AWS::Logs::LogStream`.

use serde_json::Map;
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    optional_text, required_text,
};
use tradewind_store::Batch;

use super::group_key;
use crate::error::LogsError;
use crate::model::{GroupKey, LogStreamName};
use crate::service::LogsService;
use crate::tables;

const ACCEPTED: &[&str] = &["LogGroupName", "LogStreamName"];

/// Log streams of stacks. Their physical id is `group:stream`, since a stream's name says nothing alone.
#[derive(Debug)]
pub(crate) struct LogStreamType {
    service: LogsService,
}

impl LogStreamType {
    pub(crate) fn new(service: LogsService) -> Self {
        Self { service }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        key: &GroupKey,
        name: &LogStreamName,
    ) -> Result<(), LogsError> {
        let group = self.service.group(key).await?;
        let owner = context.owner();
        let row = tables::stream(self.service.database(), key, name.as_str()).await?;
        match row {
            Some(row) if row.owner.as_ref() == Some(&owner) => return Ok(()),
            None if !self.service.has_stream(&group, name.as_str()).await? => {}
            _ => {
                return Err(LogsError::OfAnother {
                    kind: "log stream",
                    name: name.to_string(),
                });
            }
        }
        let now = self.service.now();
        let batch = tables::put_stream(Batch::new(), key, name, now, Some(owner));
        self.service.database().write(batch).await?;
        Ok(())
    }

    async fn remove(&self, context: &ResourceContext, key: &GroupKey, name: &str) -> Result<(), LogsError> {
        let row = tables::stream(self.service.database(), key, name).await?;
        if row.is_some_and(|row| row.owner.as_ref() == Some(&context.owner())) {
            self.service.remove_stream(key, name).await?;
        }
        Ok(())
    }
}

impl ResourceHandler for LogStreamType {
    fn type_name(&self) -> &'static str {
        "AWS::Logs::LogStream"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).requiring(&["LogGroupName"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        ACCEPTED
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let group = required_text(properties, "LogGroupName")?;
        let key = group_key(context, group.parse().map_err(LogsError::from)?);
        let given = optional_text(properties, "LogStreamName")?;
        let name = given.unwrap_or_else(|| context.generated_name_within(512));
        let name = name.parse().map_err(LogsError::from)?;
        self.put(context, &key, &name).await?;
        Ok(ResourceState {
            physical_id: format!("{}:{name}", key.name),
            reference: Some(name.to_string()),
            attributes: Map::new(),
        })
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let Some((group, name)) = current.physical_id.split_once(':') else {
            return Ok(());
        };
        let key = group_key(context, group.parse().map_err(LogsError::from)?);
        Ok(self.remove(context, &key, name).await?)
    }
}
