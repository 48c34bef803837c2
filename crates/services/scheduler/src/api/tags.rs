//! `TagResource`, `UntagResource` and `ListTagsForResource`: groups have tags, schedules have none.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Call};
use crate::error::SchedulerError;
use crate::model::Group;
use crate::names::GroupId;
use crate::service::SchedulerService;

const MAX_TAGS: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Tag {
    key: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct TagResource {
    tags: Vec<Tag>,
}

/// The tags of a list, checked.
pub(super) fn collect(list: Vec<Tag>) -> Result<BTreeMap<String, String>, SchedulerError> {
    let tags = list.into_iter().map(|tag| (tag.key, tag.value)).collect();
    check(&tags)?;
    Ok(tags)
}

/// Tags keep to AWS's lengths and number.
pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<(), SchedulerError> {
    if tags.len() > MAX_TAGS {
        let text = format!("A schedule group has at most {MAX_TAGS} tags.");
        return Err(SchedulerError::Validation(text));
    }
    for (key, value) in tags {
        if !(1..=128).contains(&key.chars().count()) {
            let rule = "Member must have length between 1 and 128";
            return Err(SchedulerError::violation("tags.member.key", key, rule));
        }
        if !(1..=256).contains(&value.chars().count()) {
            let rule = "Member must have length between 1 and 256";
            return Err(SchedulerError::violation("tags.member.value", value, rule));
        }
    }
    Ok(())
}

impl SchedulerService {
    pub(super) fn list_tags_for_resource(&self, call: &Call) -> Answer {
        let id = self.tagged(call)?;
        let tags = self
            .group(&id)?
            .map(|group| group.tags.clone())
            .unwrap_or_default();
        let tags = tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}));
        Ok(json!({"Tags": tags.collect::<Vec<Value>>()}))
    }

    pub(super) async fn tag_resource(&self, call: &Call) -> Answer {
        let given: TagResource = call.input()?;
        let added = collect(given.tags)?;
        self.change_tags(call, |tags| tags.extend(added)).await
    }

    pub(super) async fn untag_resource(&self, call: &Call) -> Answer {
        let given = call.params.iter().filter(|(name, _)| *name == "TagKeys");
        let keys: Vec<String> = given.map(|(_, key)| key.to_owned()).collect();
        if keys.is_empty() {
            let rule = "Member must not be null";
            return Err(SchedulerError::violation("tagKeys", "null", rule));
        }
        self.change_tags(call, |tags| tags.retain(|key, _| !keys.contains(key)))
            .await
    }

    async fn change_tags(&self, call: &Call, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Answer {
        let id = self.tagged(call)?;
        let now = self.now();
        let decide = |existing: Option<&Group>| {
            let missing = || {
                let text = "The default schedule group cannot have tags.";
                SchedulerError::Validation(text.into())
            };
            let mut group = existing.cloned().ok_or_else(missing)?;
            change(&mut group.tags);
            check(&group.tags)?;
            group.modified = now;
            Ok(Some(group))
        };
        self.change_group(&id, decide).await?;
        Ok(json!({}))
    }

    /// The group that the path's ARN names.
    fn tagged(&self, call: &Call) -> Result<GroupId, SchedulerError> {
        let id: GroupId = call.label.parse()?;
        self.group(&id)?;
        Ok(id)
    }
}
