//! Targets of rules.

use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_connect::InvalidTopic;
use tradewind_events::Undeliverable;

use super::rules::rule_name;
use super::{Call, answer};
use crate::destination::topic::is_topic;
use crate::error::EventBridgeError;
use crate::model::RuleDefinition;
use crate::names::{Name, required};
use crate::service::EventBridgeService;
use crate::target::{MAX_TARGETS, TargetDefinition, parse_arn};
use crate::token::Paging;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutTargets {
    rule: Option<String>,
    event_bus_name: Option<String>,
    targets: Option<Vec<TargetDefinition>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemoveTargets {
    rule: Option<String>,
    event_bus_name: Option<String>,
    ids: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListTargets {
    rule: Option<String>,
    event_bus_name: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl EventBridgeService {
    pub(super) async fn put_targets(
        &self,
        call: &Call,
        request: PutTargets,
    ) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let name = rule_name(request.rule)?;
        let given = required(request.targets, "targets")?;
        if given.is_empty() {
            let rule = "Member must have length greater than or equal to 1";
            return Err(EventBridgeError::constraint("'[]'", "targets", rule));
        }
        let given = given
            .into_iter()
            .map(|target| self.parse_target(target))
            .collect::<Result<Vec<_>, _>>()?;
        let _changing = self.changing().await;
        let mut definition = RuleDefinition::clone(&self.rule(&bus, &name)?.definition);
        definition.targets.extend(given);
        if definition.targets.len() > MAX_TARGETS {
            let text = "The requested resource exceeds the maximum number allowed.";
            return Err(EventBridgeError::LimitExceeded(text.into()));
        }
        self.store_rule(definition).await?;
        Ok(no_failures())
    }

    /// Understands a target, and refuses what this node has no receiver for. What is not there yet may
    /// come, as on AWS.
    pub(crate) fn parse_target(
        &self,
        target: TargetDefinition,
    ) -> Result<(Name, TargetDefinition), EventBridgeError> {
        let (id, target) = target.check()?;
        let arn = parse_arn(target.arn.as_deref().unwrap_or_default(), "Arn")?;
        if is_topic(&arn) {
            let unknown = |error: InvalidTopic| EventBridgeError::parameter("Arn", &format!("{error}."));
            self.topics().find(&arn).map_err(unknown)?;
            return Ok((id, target));
        }
        if let Err(Undeliverable::NoReceiver { .. }) = self.router().find(&arn) {
            let what = format!("Target {id} ({arn})");
            return Err(EventBridgeError::unsupported(
                &what,
                "it has no targets of that kind",
            ));
        }
        Ok((id, target))
    }

    pub(super) async fn remove_targets(
        &self,
        call: &Call,
        request: RemoveTargets,
    ) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let name = rule_name(request.rule)?;
        let ids = required(request.ids, "ids")?;
        let _changing = self.changing().await;
        let mut definition = RuleDefinition::clone(&self.rule(&bus, &name)?.definition);
        let before = definition.targets.len();
        definition
            .targets
            .retain(|id, _| !ids.iter().any(|given| given == id.as_str()));
        if definition.targets.len() < before {
            self.store_rule(definition).await?;
        }
        Ok(no_failures())
    }

    pub(super) fn list_targets_by_rule(
        &self,
        call: &Call,
        request: ListTargets,
    ) -> Result<Value, EventBridgeError> {
        let bus = call.bus(request.event_bus_name.as_deref())?;
        let rule = self.rule(&bus, &rule_name(request.rule)?)?;
        let targets = rule
            .definition
            .targets
            .iter()
            .map(|(id, target)| (id.to_string(), target));
        let (page, next) = request.paging.page("ListTargetsByRule", targets)?;
        Ok(answer(json!({"Targets": page, "NextToken": next})))
    }
}

/// A wrong target fails the whole request, before anything is stored.
fn no_failures() -> Value {
    json!({"FailedEntryCount": 0, "FailedEntries": []})
}
