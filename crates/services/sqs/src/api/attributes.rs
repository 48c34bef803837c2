//! `GetQueueAttributes` and `SetQueueAttributes`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Call, required};
use crate::attributes::{COMPUTED, Given, SETTABLE};
use crate::error::SqsError;
use crate::model::Queue;
use crate::service::{SqsService, id_of};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueAttributes {
    queue_url: Option<String>,
    attribute_names: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attributes {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'static str, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetQueueAttributes {
    queue_url: Option<String>,
    attributes: Option<Given>,
}

impl SqsService {
    pub(super) async fn get_queue_attributes(
        &self,
        call: &Call,
        request: GetQueueAttributes,
    ) -> Result<Attributes, SqsError> {
        let queue = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        let names = request.attribute_names.unwrap_or_default();
        let known = |name: &&String| {
            *name == "All" || SETTABLE.contains(&name.as_str()) || COMPUTED.contains(&name.as_str())
        };
        if let Some(unknown) = names.iter().find(|name| !known(name)) {
            return Err(SqsError::unknown_attribute(unknown));
        }
        let wanted = |name: &str| names.iter().any(|given| given == "All" || given == name);
        let mut texts = queue.attributes.texts();
        texts.extend(queue.fixed_texts());
        if COMPUTED
            .iter()
            .any(|name| name.starts_with("Approximate") && wanted(name))
        {
            texts.extend(self.counts(&queue).await?);
        }
        let attributes = texts.into_iter().filter(|(name, _)| wanted(name)).collect();
        Ok(Attributes { attributes })
    }

    async fn counts(&self, queue: &Queue) -> Result<[(&'static str, String); 3], SqsError> {
        let depth = self.queues().depth(&id_of(&queue.arn)).await?;
        Ok([
            ("ApproximateNumberOfMessages", depth.ready.to_string()),
            ("ApproximateNumberOfMessagesDelayed", depth.delayed.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", depth.leased.to_string()),
        ])
    }

    pub(super) async fn set_queue_attributes(
        &self,
        call: &Call,
        request: SetQueueAttributes,
    ) -> Result<(), SqsError> {
        let arn = call.queue(request.queue_url.as_deref())?;
        let given = required(request.attributes, "Attribute.Name")?;
        let now = self.now();
        let decide = |queue: Option<&Queue>| {
            let queue = queue.ok_or(SqsError::QueueDoesNotExist)?;
            Ok(Some(Queue {
                attributes: queue.attributes.changed_by(&given)?,
                modified: now,
                ..queue.clone()
            }))
        };
        self.change(&arn, decide).await?;
        Ok(())
    }
}
