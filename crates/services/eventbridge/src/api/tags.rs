//! Tags of buses and rules.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::EventBridgeError;
use crate::model::{EventBus, RuleDefinition, Tags};
use crate::names::{BusArn, Name, required};
use crate::service::EventBridgeService;
use crate::target::parse_arn;

const MAX_TAGS: usize = 50;
const MAX_KEY: usize = 128;
const MAX_VALUE: usize = 256;

/// Tags as requests have them.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct TagList(Vec<Tag>);

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    value: String,
}

impl TagList {
    pub(crate) fn into_tags(self) -> Result<Tags, EventBridgeError> {
        let tags = self.0.into_iter().map(|tag| (tag.key, tag.value)).collect();
        check_tags(&tags)?;
        Ok(tags)
    }
}

/// Refuses tags that AWS refuses.
pub(crate) fn check_tags(tags: &Tags) -> Result<(), EventBridgeError> {
    let fits = |(key, value): (&String, &String)| {
        (1..=MAX_KEY).contains(&key.chars().count()) && value.chars().count() <= MAX_VALUE
    };
    if tags.len() > MAX_TAGS {
        return Err(EventBridgeError::parameter(
            "Tags",
            "A resource has at most 50 tags.",
        ));
    }
    if !tags.iter().all(fits) {
        let reason = "A key has 1 to 128 characters, a value at most 256.";
        return Err(EventBridgeError::parameter("Tags", reason));
    }
    Ok(())
}

#[derive(Debug, Deserialize)]
pub(super) struct TagResource {
    #[serde(rename = "ResourceARN")]
    arn: Option<String>,
    #[serde(rename = "Tags")]
    tags: Option<TagList>,
}

#[derive(Debug, Deserialize)]
pub(super) struct UntagResource {
    #[serde(rename = "ResourceARN")]
    arn: Option<String>,
    #[serde(rename = "TagKeys")]
    keys: Option<Vec<String>>,
}

/// What has tags.
enum Tagged {
    Bus(BusArn),
    Rule(BusArn, Name),
}

impl Tagged {
    fn parse(arn: Option<String>) -> Result<Self, EventBridgeError> {
        let text = required(arn, "resourceARN")?;
        let arn = parse_arn(&text, "ResourceARN")?;
        if let Some(bus) = BusArn::of(&arn) {
            return Ok(Self::Bus(bus));
        }
        let rule = BusArn::of_rule(&arn).map(|(bus, name)| Self::Rule(bus, name));
        rule.ok_or_else(|| missing(&text))
    }
}

fn missing(arn: &str) -> EventBridgeError {
    EventBridgeError::ResourceNotFound(format!("{arn} does not exist on this node, or has no tags."))
}

impl EventBridgeService {
    pub(super) async fn tag_resource(&self, request: TagResource) -> Result<Value, EventBridgeError> {
        let added = required(request.tags, "tags")?.into_tags()?;
        self.change_tags(request.arn, |tags| tags.extend(added)).await
    }

    pub(super) async fn untag_resource(&self, request: UntagResource) -> Result<Value, EventBridgeError> {
        let keys = required(request.keys, "tagKeys")?;
        self.change_tags(request.arn, |tags| tags.retain(|key, _| !keys.contains(key)))
            .await
    }

    async fn change_tags(
        &self,
        arn: Option<String>,
        change: impl FnOnce(&mut Tags),
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        match Tagged::parse(arn)? {
            Tagged::Bus(arn) => {
                let mut bus = EventBus::clone(&*self.registry(|registry| registry.bus(&arn))?);
                change(&mut bus.tags);
                check_tags(&bus.tags)?;
                self.store_bus(bus).await?;
            }
            Tagged::Rule(bus, name) => {
                let rule = self.rule(&bus, &name)?;
                let mut definition = RuleDefinition::clone(&rule.definition);
                change(&mut definition.tags);
                check_tags(&definition.tags)?;
                self.store_rule(definition).await?;
            }
        }
        Ok(json!({}))
    }

    pub(super) fn list_tags(&self, request: TagResource) -> Result<Value, EventBridgeError> {
        let tags = match Tagged::parse(request.arn)? {
            Tagged::Bus(arn) => self.registry(|registry| registry.bus(&arn))?.tags.clone(),
            Tagged::Rule(bus, name) => self.rule(&bus, &name)?.definition.tags.clone(),
        };
        let tags: Vec<Value> = tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        Ok(json!({"Tags": tags}))
    }
}
