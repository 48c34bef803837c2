//! Tags of queues.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Call, OfQueue, required};
use crate::error::SqsError;
use crate::model::Queue;
use crate::service::SqsService;

/// Tags a queue may have.
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

type Tags = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagQueue {
    queue_url: Option<String>,
    tags: Option<Tags>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagQueue {
    queue_url: Option<String>,
    tag_keys: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagsOf {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: Tags,
}

/// Refuses tags that AWS refuses.
pub(crate) fn check(tags: &Tags) -> Result<(), SqsError> {
    let fits = |(key, value): (&String, &String)| {
        (1..=MAX_KEY).contains(&key.chars().count()) && value.chars().count() <= MAX_VALUE
    };
    if tags.len() > MAX_TAGS {
        return Err(SqsError::InvalidParameterValue(format!(
            "Too many tags added for queue: at most {MAX_TAGS}."
        )));
    }
    if !tags.iter().all(fits) {
        let text = "Tag keys must be between 1 and 128 characters in length, tag values at most 256.";
        return Err(SqsError::InvalidParameterValue(text.into()));
    }
    Ok(())
}

impl SqsService {
    pub(super) async fn tag_queue(&self, call: &Call, request: TagQueue) -> Result<(), SqsError> {
        let added = required(request.tags, "Tags")?;
        self.change_tags(call, request.queue_url, |tags| tags.extend(added))
            .await
    }

    pub(super) async fn untag_queue(&self, call: &Call, request: UntagQueue) -> Result<(), SqsError> {
        let keys = required(request.tag_keys, "TagKeys")?;
        self.change_tags(call, request.queue_url, |tags| {
            tags.retain(|key, _| !keys.contains(key))
        })
        .await
    }

    async fn change_tags(
        &self,
        call: &Call,
        url: Option<String>,
        change: impl FnOnce(&mut Tags),
    ) -> Result<(), SqsError> {
        let arn = call.queue(url.as_deref())?;
        let decide = |queue: Option<&Queue>| {
            let mut queue = queue.ok_or(SqsError::QueueDoesNotExist)?.clone();
            change(&mut queue.tags);
            check(&queue.tags)?;
            Ok(Some(queue))
        };
        self.change(&arn, decide).await?;
        Ok(())
    }

    pub(super) async fn list_queue_tags(&self, call: &Call, request: OfQueue) -> Result<TagsOf, SqsError> {
        let queue = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        Ok(TagsOf {
            tags: queue.tags.clone(),
        })
    }
}
