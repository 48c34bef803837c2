//! `TagResource`, `UntagResource` and `ListTagsForResource`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Answer, Call};
use crate::error::PipesError;
use crate::model::{Pipe, PipeId};
use crate::service::PipesService;

const MAX_TAGS: usize = 50;

/// The tags of a member, checked.
pub(super) fn read(member: Option<Value>) -> Result<BTreeMap<String, String>, PipesError> {
    let tags = serde_json::from_value(member.unwrap_or_else(|| json!({})));
    let tags = tags.map_err(|error| PipesError::Validation(error.to_string()))?;
    check(&tags)?;
    Ok(tags)
}

/// Tags keep to AWS's lengths and number.
pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<(), PipesError> {
    if tags.len() > MAX_TAGS {
        return Err(PipesError::Validation(format!(
            "A pipe has at most {MAX_TAGS} tags."
        )));
    }
    for (key, value) in tags {
        if !(1..=128).contains(&key.chars().count()) {
            let rule = "Map keys must have length between 1 and 128";
            return Err(PipesError::violation("tags", key, rule));
        }
        if value.chars().count() > 256 {
            let rule = "Map values must have length between 0 and 256";
            return Err(PipesError::violation("tags", value, rule));
        }
    }
    Ok(())
}

impl PipesService {
    pub(super) fn list_tags_for_resource(&self, call: &Call) -> Answer {
        let id: PipeId = call.label.parse()?;
        Ok(json!({"tags": self.pipe(&id)?.tags}))
    }

    pub(super) async fn tag_resource(&self, call: &Call) -> Answer {
        let added = read(call.input()?.remove("tags"))?;
        self.change_tags(call, |tags| tags.extend(added)).await
    }

    pub(super) async fn untag_resource(&self, call: &Call) -> Answer {
        let given = call.params.iter().filter(|(name, _)| *name == "tagKeys");
        let keys: Vec<String> = given.map(|(_, key)| key.to_owned()).collect();
        self.change_tags(call, |tags| tags.retain(|key, _| !keys.contains(key)))
            .await
    }

    async fn change_tags(&self, call: &Call, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Answer {
        let id: PipeId = call.label.parse()?;
        let decide = |existing: Option<&Pipe>| {
            let missing = || PipesError::NotFound(id.name().to_owned());
            let mut pipe = existing.cloned().ok_or_else(missing)?;
            change(&mut pipe.tags);
            check(&pipe.tags)?;
            Ok(Some(pipe))
        };
        self.change(&id, decide).await?;
        Ok(json!({}))
    }
}
