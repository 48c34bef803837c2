//! `AWS::Events::EventBusPolicy`: a statement of a bus's policy.

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
};

use super::{document, request};
use crate::api::{PutPermission, statements};
use crate::error::EventBridgeError;
use crate::model::{EventBus, Statement};
use crate::names::{BusArn, required};
use crate::service::EventBridgeService;

const ACCEPTED: &[&str] = &[
    "Action",
    "Condition",
    "EventBusName",
    "Principal",
    "Statement",
    "StatementId",
];

/// Policies of stacks.
#[derive(Debug)]
pub(crate) struct EventBusPolicyType {
    service: EventBridgeService,
}

impl EventBusPolicyType {
    pub(crate) fn new(service: EventBridgeService) -> Self {
        Self { service }
    }
}

impl ResourceHandler for EventBusPolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::Events::EventBusPolicy"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).requiring(&["StatementId"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["EventBusName", "StatementId"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let wanted: PutPermission = request(properties)?;
        let id = required(wanted.statement_id.clone(), "statementId")?;
        let arn = BusArn::parse(
            wanted.event_bus_name.as_deref(),
            &context.account,
            &context.region,
        )?;
        let owner = context.owner();
        let _changing = self.service.changing().await;
        let mut bus = EventBus::clone(&*self.service.registry(|registry| registry.bus(&arn))?);
        let mut statement = match properties.get("Statement").and_then(document) {
            Some(text) => one(&text)?,
            None => wanted.statement(&bus)?.1,
        };
        if bus
            .statements
            .get(&id)
            .is_some_and(|found| found.owner.as_ref() != Some(&owner))
        {
            let kind = "statement";
            return Err(EventBridgeError::OfAnother { kind, name: id }.into());
        }
        statement.owner = Some(owner);
        bus.statements.insert(id.clone(), statement);
        bus.check_policy()?;
        self.service.store_bus(bus).await?;
        Ok(ResourceState {
            physical_id: format!("{}|{id}", arn.name),
            reference: None,
            attributes: Map::new(),
        })
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let owner = context.owner();
        let (bus, id) = current.physical_id.rsplit_once('|').unwrap_or_default();
        let arn = BusArn::parse(Some(bus), &context.account, &context.region)?;
        let _changing = self.service.changing().await;
        let Ok(bus) = self.service.registry(|registry| registry.bus(&arn)) else {
            return Ok(());
        };
        let is_own = |statement: &Statement| statement.owner.as_ref() == Some(&owner);
        if !bus.statements.get(id).is_some_and(is_own) {
            return Ok(());
        }
        let mut bus = EventBus::clone(&bus);
        bus.statements.remove(id);
        Ok(self.service.store_bus(bus).await?)
    }
}

/// The one statement of the text.
fn one(text: &str) -> Result<Statement, EventBridgeError> {
    let invalid = || EventBridgeError::parameter("Statement", "It has to be a statement of a policy.");
    let statement: Value = serde_json::from_str(text).map_err(|_not_json| invalid())?;
    let policy = json!({"Statement": statement}).to_string();
    statements(&policy)?.into_values().next().ok_or_else(invalid)
}
