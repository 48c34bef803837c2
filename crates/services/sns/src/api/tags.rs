//! Tags of topics.

use std::collections::BTreeMap;

use tradewind_wire::{Params, xml_element};

use super::Answer;
use crate::error::SnsError;
use crate::model::Topic;
use crate::protocol::{list, members, required, tags};
use crate::service::SnsService;

/// Tags a topic may have.
const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// Refuses tags that AWS refuses.
pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<(), SnsError> {
    let fits = |(key, value): (&String, &String)| {
        (1..=MAX_KEY).contains(&key.chars().count()) && value.chars().count() <= MAX_VALUE
    };
    if tags.len() > MAX_TAGS {
        return Err(SnsError::TagLimitExceeded);
    }
    if !tags.iter().all(fits) {
        let reason = "keys have 1 to 128 characters, values at most 256";
        return Err(SnsError::invalid("Tags", reason));
    }
    Ok(())
}

impl SnsService {
    pub(super) async fn tag_resource(&self, params: &Params) -> Answer {
        let added = tags(params);
        self.change_tags(params, |tags| tags.extend(added)).await?;
        Ok(Some(String::new()))
    }

    pub(super) async fn untag_resource(&self, params: &Params) -> Answer {
        let keys = list(params, "TagKeys");
        self.change_tags(params, |tags| tags.retain(|key, _| !keys.contains(key)))
            .await?;
        Ok(Some(String::new()))
    }

    async fn change_tags(
        &self,
        params: &Params,
        change: impl FnOnce(&mut BTreeMap<String, String>),
    ) -> Result<(), SnsError> {
        let arn = required(params, "ResourceArn")?.parse()?;
        let decide = |topic: Option<&Topic>| {
            let mut topic = topic.ok_or(SnsError::ResourceDoesNotExist)?.clone();
            change(&mut topic.tags);
            check(&topic.tags)?;
            Ok(Some(topic))
        };
        self.change_topic(&arn, decide).await?;
        Ok(())
    }

    pub(super) fn list_tags(&self, params: &Params) -> Answer {
        let topic = self.topic(&required(params, "ResourceArn")?.parse()?);
        let topic = topic.map_err(|_no_topic| SnsError::ResourceDoesNotExist)?;
        let tag = |(key, value): (&String, &String)| xml_element("Key", key) + &xml_element("Value", value);
        Ok(Some(members("Tags", topic.tags.iter().map(tag))))
    }
}
