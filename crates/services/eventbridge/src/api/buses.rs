//! Making, describing, listing, changing and deleting buses.

use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_model::{AccountId, Region};
use tradewind_store::Batch;

use super::tags::TagList;
use super::{Call, answer, seconds};
use crate::error::EventBridgeError;
use crate::model::EventBus;
use crate::names::{BusArn, required};
use crate::partner::source_name;
use crate::service::EventBridgeService;
use crate::tables;
use crate::target::{DeadLetterConfig, parse_queue};
use crate::token::Paging;

/// Buses of an account in a region. EventBridge User Guide, "Quotas".
const MAX_BUSES: usize = 100;
const MAX_DESCRIPTION: usize = 512;

/// What `CreateEventBus` and `UpdateEventBus` take.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BusRequest {
    pub(crate) name: Option<String>,
    pub(crate) event_source_name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) kms_key_identifier: Option<String>,
    pub(crate) dead_letter_config: Option<DeadLetterConfig>,
    pub(crate) log_config: Option<Value>,
    pub(crate) tags: Option<TagList>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfBus {
    name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListEventBuses {
    name_prefix: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl BusRequest {
    /// Refuses what a node does not honour.
    pub(crate) fn check(&self) -> Result<(), EventBridgeError> {
        let refuse = |given: bool, what: &str, reason: &str| match given {
            true => Err(EventBridgeError::unsupported(what, reason)),
            false => Ok(()),
        };
        let key = self
            .kms_key_identifier
            .as_ref()
            .is_some_and(|key| !key.is_empty());
        refuse(
            key,
            "Parameter KmsKeyIdentifier",
            "events are not encrypted at rest",
        )?;
        let logs = self
            .log_config
            .as_ref()
            .and_then(|config| config.get("Level"))
            .and_then(Value::as_str);
        refuse(
            logs.is_some_and(|level| level != "OFF"),
            "Parameter LogConfig",
            "buses write no logs",
        )?;
        let dead_letter = self
            .dead_letter_config
            .as_ref()
            .and_then(|config| config.arn.as_deref());
        dead_letter.map(parse_queue).transpose()?;
        check_description(self.description.as_deref())
    }

    /// The ARN of the bus to be made. Only the bus of a partner event source has slashes in its name.
    pub(crate) fn new_bus(&self, account: &AccountId, region: &Region) -> Result<BusArn, EventBridgeError> {
        let name = required(self.name.as_deref(), "name")?;
        if let Some(source) = &self.event_source_name {
            source_name(Some(source.clone()))?;
            if source != name {
                let reason = "The name of a partner event bus is that of its event source.";
                return Err(EventBridgeError::parameter("Name", reason));
            }
        } else if name.contains([':', '/']) {
            let reason = "The name of a bus has neither colons nor slashes.";
            return Err(EventBridgeError::parameter("Name", reason));
        }
        BusArn::parse(Some(name), account, region)
    }

    /// Gives the bus what the request says.
    pub(crate) fn apply(&self, bus: &mut EventBus) {
        bus.description.clone_from(&self.description);
        bus.dead_letter = self
            .dead_letter_config
            .as_ref()
            .and_then(|config| config.arn.clone());
    }
}

pub(super) fn check_description(text: Option<&str>) -> Result<(), EventBridgeError> {
    if text.is_none_or(|text| text.chars().count() <= MAX_DESCRIPTION) {
        return Ok(());
    }
    let rule = format!("Member must have length less than or equal to {MAX_DESCRIPTION}");
    Err(EventBridgeError::constraint(
        "of the description",
        "description",
        &rule,
    ))
}

impl EventBridgeService {
    pub(super) async fn create_event_bus(
        &self,
        call: &Call,
        request: BusRequest,
    ) -> Result<Value, EventBridgeError> {
        request.check()?;
        let arn = request.new_bus(&call.account, &call.region)?;
        let tags = request
            .tags
            .clone()
            .map(TagList::into_tags)
            .transpose()?
            .unwrap_or_default();
        let _changing = self.changing().await;
        if request.event_source_name.is_some() {
            self.check_source(&arn)?;
        }
        let count = self.registry(|registry| {
            let taken = registry.bus(&arn).is_ok();
            (!taken).then(|| registry.buses_of(&arn.account, &arn.region).len())
        });
        match count {
            None => return Err(exists(&arn)),
            Some(MAX_BUSES..) => {
                let text = "The requested resource exceeds the maximum number allowed.";
                return Err(EventBridgeError::LimitExceeded(text.into()));
            }
            Some(_) => {}
        }
        let now = Some(self.now());
        let mut bus = EventBus {
            tags,
            created: now,
            modified: now,
            ..EventBus::new(arn.clone())
        };
        request.apply(&mut bus);
        self.store_bus(bus).await?;
        Ok(answer(json!({
            "EventBusArn": arn.to_string(), "Description": request.description,
            "DeadLetterConfig": dead_letter(request.dead_letter_config.and_then(|config| config.arn).as_deref()),
        })))
    }

    pub(super) async fn update_event_bus(
        &self,
        call: &Call,
        request: BusRequest,
    ) -> Result<Value, EventBridgeError> {
        request.check()?;
        let arn = call.bus(request.name.as_deref())?;
        let _changing = self.changing().await;
        let mut bus = EventBus::clone(&*self.registry(|registry| registry.bus(&arn))?);
        request.apply(&mut bus);
        bus.modified = Some(self.now());
        let view = json!({
            "Arn": arn.to_string(), "Name": arn.name, "Description": bus.description,
            "DeadLetterConfig": dead_letter(bus.dead_letter.as_deref()),
        });
        self.store_bus(bus).await?;
        Ok(answer(view))
    }

    /// Stores a bus, new or changed.
    pub(crate) async fn store_bus(&self, bus: EventBus) -> Result<(), EventBridgeError> {
        let batch = tables::put(Batch::new(), &bus)?;
        self.commit(batch, |registry| registry.put_bus(bus)).await?;
        self.refresh_lanes();
        Ok(())
    }

    pub(super) async fn delete_event_bus(
        &self,
        call: &Call,
        request: OfBus,
    ) -> Result<Value, EventBridgeError> {
        let name = required(request.name, "name")?;
        let arn = call.bus(Some(&name))?;
        if arn.is_default() {
            return Err(EventBridgeError::Validation(
                "Cannot delete event bus default.".into(),
            ));
        }
        self.remove_bus(&arn, |_bus| true).await?;
        Ok(json!({}))
    }

    /// Removes a bus if `may` agrees; that it is gone already is success.
    pub(crate) async fn remove_bus(
        &self,
        arn: &BusArn,
        may: impl FnOnce(&EventBus) -> bool,
    ) -> Result<(), EventBridgeError> {
        let _changing = self.changing().await;
        let Ok(bus) = self.registry(|registry| registry.bus(arn)) else {
            return Ok(());
        };
        if !may(&bus) {
            return Ok(());
        }
        if self.registry(|registry| registry.rules(arn).next().is_some()) {
            let text = format!("Cannot delete event bus {}: it still has rules.", arn.name);
            return Err(EventBridgeError::Validation(text));
        }
        let batch = tables::delete(Batch::new(), &arn.to_string());
        let source = self.source_without_bus(arn);
        let batch = match &source {
            Some(source) => tables::put(batch, source)?,
            None => batch,
        };
        self.commit(batch, |registry| {
            registry.delete_bus(arn);
            if let Some(source) = source {
                registry.put_source(source);
            }
        })
        .await
    }

    pub(super) fn describe_event_bus(&self, call: &Call, request: OfBus) -> Result<Value, EventBridgeError> {
        let arn = call.bus(request.name.as_deref())?;
        let bus = self.registry(|registry| registry.bus(&arn))?;
        let mut view = view(&bus);
        view["DeadLetterConfig"] = dead_letter(bus.dead_letter.as_deref());
        Ok(answer(view))
    }

    pub(super) fn list_event_buses(
        &self,
        call: &Call,
        request: ListEventBuses,
    ) -> Result<Value, EventBridgeError> {
        let buses = self.registry(|registry| registry.buses_of(&call.account, &call.region));
        let prefix = request.name_prefix.unwrap_or_default();
        let named = buses.iter().filter(|bus| bus.arn.name.starts_with(&prefix));
        let views = named.map(|bus| (bus.arn.name.to_string(), answer(view(bus))));
        let (page, next) = request.paging.page("ListEventBuses", views)?;
        Ok(answer(json!({"EventBuses": page, "NextToken": next})))
    }
}

fn exists(arn: &BusArn) -> EventBridgeError {
    EventBridgeError::ResourceAlreadyExists(format!("Event bus {} already exists.", arn.name))
}

fn dead_letter(arn: Option<&str>) -> Value {
    arn.map_or(Value::Null, |arn| json!({"Arn": arn}))
}

fn view(bus: &EventBus) -> Value {
    json!({
        "Name": bus.arn.name, "Arn": bus.arn.to_string(), "Description": bus.description,
        "Policy": bus.policy(), "CreationTime": seconds(bus.created), "LastModifiedTime": seconds(bus.modified),
    })
}
