//! `AWS::Events::EventBus`.

use serde_json::{Map, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
};

use super::{document, request};
use crate::api::{BusRequest, TagList, statements};
use crate::error::EventBridgeError;
use crate::model::EventBus;
use crate::names::BusArn;
use crate::service::EventBridgeService;

const ACCEPTED: &[&str] = &[
    "DeadLetterConfig",
    "Description",
    "EventSourceName",
    "Name",
    "Policy",
    "Tags",
];
const REFUSED: &[(&str, &str)] = &[
    (
        "KmsKeyIdentifier",
        "events are not encrypted at rest by this node",
    ),
    ("LogConfig", "buses write no logs"),
];

/// Buses of stacks.
#[derive(Debug)]
pub(crate) struct EventBusType {
    service: EventBridgeService,
}

impl EventBusType {
    pub(crate) fn new(service: EventBridgeService) -> Self {
        Self { service }
    }
}

impl ResourceHandler for EventBusType {
    fn type_name(&self) -> &'static str {
        "AWS::Events::EventBus"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED)
            .refusing("", REFUSED)
            .requiring(&["Name"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["EventSourceName", "Name"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let wanted: BusRequest = request(properties)?;
        wanted.check()?;
        let arn = wanted.new_bus(&context.account, &context.region)?;
        let tags = wanted.tags.clone().map(TagList::into_tags).transpose()?;
        let policy = properties.get("Policy").and_then(document);
        let policy = policy.map(|policy| statements(&policy)).transpose()?;
        let _changing = self.service.changing().await;
        if wanted.event_source_name.is_some() {
            self.service.check_source(&arn)?;
        }
        let mut bus = self.existing(&arn, &context.owner())?;
        wanted.apply(&mut bus);
        bus.tags = tags.unwrap_or_default();
        bus.modified = Some(self.service.now());
        if let Some(policy) = policy {
            bus.statements = policy;
            bus.check_policy()?;
        }
        let state = state(&bus);
        self.service.store_bus(bus).await?;
        Ok(state)
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let owner = context.owner();
        let arn = BusArn::parse(Some(&current.physical_id), &context.account, &context.region)?;
        let is_own = |bus: &EventBus| bus.owner.as_ref() == Some(&owner);
        Ok(self.service.remove_bus(&arn, is_own).await?)
    }
}

impl EventBusType {
    /// The resource's bus, or a new one.
    fn existing(&self, arn: &BusArn, owner: &str) -> Result<EventBus, EventBridgeError> {
        let Ok(bus) = self.service.registry(|registry| registry.bus(arn)) else {
            return Ok(EventBus {
                created: Some(self.service.now()),
                owner: Some(owner.to_owned()),
                ..EventBus::new(arn.clone())
            });
        };
        if bus.owner.as_deref() != Some(owner) {
            return Err(EventBridgeError::OfAnother {
                kind: "event bus",
                name: arn.name.to_string(),
            });
        }
        Ok(EventBus::clone(&bus))
    }
}

fn state(bus: &EventBus) -> ResourceState {
    let attributes = Map::from_iter([
        ("Arn".into(), json!(bus.arn.to_string())),
        ("Name".into(), json!(bus.arn.name)),
        ("Policy".into(), json!(bus.policy().unwrap_or_default())),
    ]);
    ResourceState {
        physical_id: bus.arn.name.to_string(),
        reference: None,
        attributes,
    }
}
