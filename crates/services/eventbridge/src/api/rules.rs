//! Rules: making, changing, describing, listing and deleting them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_store::Batch;

use super::buses::check_description;
use super::tags::TagList;
use super::{Call, answer};
use crate::error::EventBridgeError;
use crate::model::{Rule, RuleDefinition, RuleState, parse_pattern, parse_schedule};
use crate::names::{BusArn, Name, required};
use crate::service::EventBridgeService;
use crate::tables;
use crate::token::Paging;

/// Rules of a bus. EventBridge User Guide, "Quotas"; AWS raises it on request.
const MAX_RULES: usize = 10_000;
const MAX_NAME: usize = 64;
const MAX_PATTERN: usize = 4096;

/// What `PutRule` takes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RuleRequest {
    pub(crate) name: Option<String>,
    pub(crate) event_bus_name: Option<String>,
    pub(crate) event_pattern: Option<String>,
    pub(crate) schedule_expression: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) tags: Option<TagList>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfRule {
    name: Option<String>,
    event_bus_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListRules {
    name_prefix: Option<String>,
    event_bus_name: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListByTarget {
    target_arn: Option<String>,
    event_bus_name: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

/// The name of a rule in a request.
pub(super) fn rule_name(name: Option<String>) -> Result<Name, EventBridgeError> {
    Name::parse(name, "name", MAX_NAME)
}

impl RuleRequest {
    /// Understands the request: a rule without targets.
    pub(crate) fn parse(self, bus: BusArn) -> Result<RuleDefinition, EventBridgeError> {
        let name = rule_name(self.name)?;
        check_description(self.description.as_deref())?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (pattern, schedule) = (given(self.event_pattern), given(self.schedule_expression));
        if pattern.is_none() && schedule.is_none() {
            let text = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
            return Err(EventBridgeError::Validation(text.into()));
        }
        if let Some(pattern) = &pattern {
            check_pattern(pattern)?;
        }
        if let Some(schedule) = &schedule {
            check_schedule(schedule, &bus)?;
        }
        Ok(RuleDefinition {
            bus,
            name,
            pattern,
            schedule,
            state: parse_state(self.state.as_deref())?,
            description: self.description,
            role: self.role_arn,
            tags: self.tags.map(TagList::into_tags).transpose()?.unwrap_or_default(),
            targets: std::collections::BTreeMap::new(),
            owner: None,
        })
    }
}

/// Refuses text that is no pattern, or too long a one.
pub(super) fn check_pattern(text: &str) -> Result<(), EventBridgeError> {
    if text.len() > MAX_PATTERN {
        let text = format!("Event pattern is not valid. Reason: it has at most {MAX_PATTERN} bytes.");
        return Err(EventBridgeError::InvalidEventPattern(text));
    }
    parse_pattern(text).map(drop)
}

fn check_schedule(expression: &str, bus: &BusArn) -> Result<(), EventBridgeError> {
    if !bus.is_default() {
        let text = "ScheduleExpression is supported only on the default event bus.";
        return Err(EventBridgeError::Validation(text.into()));
    }
    parse_schedule(expression).map(drop)
}

fn parse_state(state: Option<&str>) -> Result<RuleState, EventBridgeError> {
    match state {
        None | Some("ENABLED") => Ok(RuleState::Enabled),
        Some("DISABLED") => Ok(RuleState::Disabled),
        Some("ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS") => Err(EventBridgeError::unsupported(
            "State ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
            "there is no CloudTrail",
        )),
        Some(other) => Err(EventBridgeError::constraint(
            &format!("'{other}'"),
            "state",
            "Member must satisfy enum value set: [ENABLED, DISABLED, ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS]",
        )),
    }
}

impl EventBridgeService {
    pub(super) async fn put_rule(
        &self,
        call: &Call,
        request: RuleRequest,
    ) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let wanted = request.parse(bus)?;
        let arn = wanted.bus.rule(&wanted.name);
        let _changing = self.changing().await;
        let existing = self.registry(|registry| registry.rule(&wanted.bus, &wanted.name));
        // AWS ignores tags that come with a change
        let definition = match &existing {
            Some(rule) => RuleDefinition {
                targets: rule.definition.targets.clone(),
                tags: rule.definition.tags.clone(),
                owner: rule.definition.owner.clone(),
                ..wanted
            },
            None => wanted,
        };
        self.store_rule(definition).await?;
        Ok(json!({"RuleArn": arn}))
    }

    /// Stores a rule, new or changed, and puts it in force. Called while [`Self::changing`] is held.
    pub(crate) async fn store_rule(&self, definition: RuleDefinition) -> Result<(), EventBridgeError> {
        let (bus, name) = (&definition.bus, &definition.name);
        let before = self.registry(|registry| {
            registry.bus(bus)?;
            let before = registry.rule(bus, name);
            if before.is_none() && registry.rules(bus).count() >= MAX_RULES {
                let text = "The requested resource exceeds the maximum number allowed.";
                return Err(EventBridgeError::LimitExceeded(text.into()));
            }
            Ok(before)
        })?;
        let batch = tables::put(Batch::new(), &definition)?;
        let rule = Rule::compile(definition)?;
        let batch = self.reschedule(batch, before.as_deref(), &rule);
        let left = self.open_lanes_of(before.as_deref(), &rule).await?;
        self.commit(batch, |registry| registry.put_rule(rule)).await?;
        self.close_lanes(left).await
    }

    pub(super) async fn delete_rule(&self, call: &Call, request: OfRule) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let name = rule_name(request.name)?;
        let _changing = self.changing().await;
        let found = self.registry(|registry| registry.bus(&bus).map(|_| registry.rule(&bus, &name)))?;
        let Some(rule) = found else { return Ok(json!({})) };
        if !rule.targets.is_empty() {
            let text = "Rule can't be deleted since it has targets.";
            return Err(EventBridgeError::Validation(text.into()));
        }
        self.remove_rule(&rule).await?;
        Ok(json!({}))
    }

    /// Removes a rule with its targets. Called while [`Self::changing`] is held.
    pub(crate) async fn remove_rule(&self, rule: &Rule) -> Result<(), EventBridgeError> {
        let batch = self.unschedule(tables::delete(Batch::new(), &rule.arn), rule);
        let (bus, name) = (&rule.definition.bus, &rule.definition.name);
        let left = self.lanes(&*self.registry(|registry| registry.bus(bus))?, rule);
        self.commit(batch, |registry| registry.delete_rule(bus, name))
            .await?;
        self.close_lanes(left.into_iter().map(|(lane, _)| lane).collect())
            .await
    }

    pub(super) async fn enable_rule(&self, call: &Call, request: OfRule) -> Result<Value, EventBridgeError> {
        self.set_state(call, request, RuleState::Enabled).await
    }

    pub(super) async fn disable_rule(&self, call: &Call, request: OfRule) -> Result<Value, EventBridgeError> {
        self.set_state(call, request, RuleState::Disabled).await
    }

    async fn set_state(
        &self,
        call: &Call,
        request: OfRule,
        state: RuleState,
    ) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let name = rule_name(request.name)?;
        let _changing = self.changing().await;
        let rule = self.rule(&bus, &name)?;
        let definition = RuleDefinition {
            state,
            ..rule.definition.clone()
        };
        self.store_rule(definition).await?;
        Ok(json!({}))
    }

    /// The rule, or AWS's words that it is not there.
    pub(crate) fn rule(&self, bus: &BusArn, name: &Name) -> Result<Arc<Rule>, EventBridgeError> {
        let found = self.registry(|registry| registry.bus(bus).map(|_| registry.rule(bus, name)))?;
        found.ok_or_else(|| {
            let text = format!("Rule {name} does not exist on EventBus {}.", bus.name);
            EventBridgeError::ResourceNotFound(text)
        })
    }

    pub(super) fn describe_rule(&self, call: &Call, request: OfRule) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let rule = self.rule(&bus, &rule_name(request.name)?)?;
        let mut view = view(&rule);
        view["CreatedBy"] = json!(bus.account.as_str());
        Ok(answer(view))
    }

    pub(super) fn list_rules(&self, call: &Call, request: ListRules) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let prefix = request.name_prefix.unwrap_or_default();
        let (page, next) = self.registry(|registry| {
            registry.bus(&bus)?;
            let named = registry
                .rules(&bus)
                .filter(|rule| rule.definition.name.as_str().starts_with(&prefix));
            let views = named.map(|rule| (rule.definition.name.to_string(), answer(view(rule))));
            request.paging.page("ListRules", views)
        })?;
        Ok(answer(json!({"Rules": page, "NextToken": next})))
    }

    pub(super) fn list_rule_names_by_target(
        &self,
        call: &Call,
        request: ListByTarget,
    ) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let arn = required(request.target_arn, "targetArn")?;
        let names = |rule: &&Arc<Rule>| {
            rule.definition
                .targets
                .values()
                .any(|target| target.arn.as_deref() == Some(&arn))
        };
        let (page, next) = self.registry(|registry| {
            registry.bus(&bus)?;
            let named = registry
                .rules(&bus)
                .filter(names)
                .map(|rule| rule.definition.name.to_string());
            request
                .paging
                .page("ListRuleNamesByTarget", named.map(|name| (name.clone(), name)))
        })?;
        Ok(answer(json!({"RuleNames": page, "NextToken": next})))
    }
}

fn view(rule: &Rule) -> Value {
    let definition = &rule.definition;
    json!({
        "Name": definition.name, "Arn": rule.arn, "EventPattern": definition.pattern,
        "ScheduleExpression": definition.schedule, "State": definition.state,
        "Description": definition.description, "RoleArn": definition.role,
        "EventBusName": definition.bus.name,
    })
}
