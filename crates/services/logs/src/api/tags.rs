//! Tags of groups, by the group's name (the older operations) or its ARN.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::groups::OfGroup;
use super::{Call, required};
use crate::error::LogsError;
use crate::model::{Group, GroupKey};
use crate::service::LogsService;

/// Tags a group may have.
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

type Tags = BTreeMap<String, String>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResource {
    resource_arn: Option<String>,
    tags: Option<Tags>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResource {
    resource_arn: Option<String>,
    tag_keys: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfResource {
    resource_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagLogGroup {
    log_group_name: Option<String>,
    tags: Option<Tags>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagLogGroup {
    log_group_name: Option<String>,
    tags: Option<Vec<String>>,
}

#[derive(Debug, Serialize)]
pub(super) struct TagsOf {
    tags: Tags,
}

/// Refuses tags that AWS refuses.
pub(crate) fn check(tags: &Tags) -> Result<(), LogsError> {
    if tags.len() > MAX_TAGS {
        let text = format!("A log group may have at most {MAX_TAGS} tags.");
        return Err(LogsError::TooManyTags(text));
    }
    let fits = |(key, value): (&String, &String)| {
        (1..=MAX_KEY).contains(&key.chars().count()) && value.chars().count() <= MAX_VALUE
    };
    if !tags.iter().all(fits) {
        let text = "Tag keys have between 1 and 128 characters, tag values at most 256.";
        return Err(LogsError::InvalidParameter(text.into()));
    }
    Ok(())
}

impl LogsService {
    pub(super) async fn tag_resource(&self, call: &Call, request: TagResource) -> Result<(), LogsError> {
        let key = call.group_of_arn(&required(request.resource_arn, "resourceArn")?)?;
        self.add_tags(&key, request.tags).await
    }

    pub(super) async fn tag_log_group(&self, call: &Call, request: TagLogGroup) -> Result<(), LogsError> {
        let key = call.group(request.log_group_name)?;
        self.add_tags(&key, request.tags).await
    }

    async fn add_tags(&self, key: &GroupKey, tags: Option<Tags>) -> Result<(), LogsError> {
        let tags = required(tags, "tags")?;
        let decide = |group: Option<&Group>| {
            let mut group = group.ok_or(LogsError::NotFound("log group"))?.clone();
            group.settings.tags.extend(tags);
            check(&group.settings.tags)?;
            Ok(Some(group))
        };
        self.change(key, decide).await
    }

    pub(super) async fn untag_resource(&self, call: &Call, request: UntagResource) -> Result<(), LogsError> {
        let key = call.group_of_arn(&required(request.resource_arn, "resourceArn")?)?;
        let keys = required(request.tag_keys, "tagKeys")?;
        self.remove_tags(&key, &keys).await
    }

    pub(super) async fn untag_log_group(&self, call: &Call, request: UntagLogGroup) -> Result<(), LogsError> {
        let key = call.group(request.log_group_name)?;
        self.remove_tags(&key, &required(request.tags, "tags")?).await
    }

    async fn remove_tags(&self, key: &GroupKey, keys: &[String]) -> Result<(), LogsError> {
        self.set(key, |group| {
            group.settings.tags.retain(|key, _| !keys.contains(key));
        })
        .await
    }

    pub(super) async fn list_tags_for_resource(
        &self,
        call: &Call,
        request: OfResource,
    ) -> Result<TagsOf, LogsError> {
        let key = call.group_of_arn(&required(request.resource_arn, "resourceArn")?)?;
        self.tags_of(&key).await
    }

    pub(super) async fn list_tags_log_group(
        &self,
        call: &Call,
        request: OfGroup,
    ) -> Result<TagsOf, LogsError> {
        self.tags_of(&call.group(request.log_group_name)?).await
    }

    async fn tags_of(&self, key: &GroupKey) -> Result<TagsOf, LogsError> {
        let group = self.group(key).await?;
        Ok(TagsOf {
            tags: group.settings.tags.clone(),
        })
    }
}
