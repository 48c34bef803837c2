//! What the service keeps: buses and rules with their targets. What is stored is what was parsed once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tradewind_events::pattern::Pattern;
use tradewind_events::schedule::{Recurrence, ScheduleExpression};
use tradewind_model::Timestamp;

use crate::error::EventBridgeError;
use crate::names::{BusArn, Name};
use crate::tables::Stored;
use crate::target::{Target, TargetDefinition};

/// Tags, by key.
pub(crate) type Tags = BTreeMap<String, String>;

/// A bus that somebody made, or what was set of the default bus.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct EventBus {
    pub(crate) arn: BusArn,
    pub(crate) description: Option<String>,
    /// The queue that gets what no target could be given, by its ARN.
    pub(crate) dead_letter: Option<String>,
    /// Statements by their ids, as text of JSON; kept, evaluated by nobody yet.
    pub(crate) statements: BTreeMap<String, Statement>,
    pub(crate) tags: Tags,
    /// None for the default bus, which was always there.
    pub(crate) created: Option<Timestamp>,
    pub(crate) modified: Option<Timestamp>,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<String>,
}

/// A statement of a bus's policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Statement {
    /// The statement without its `Sid`, as JSON.
    pub(crate) document: String,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<String>,
}

/// Whether a rule is in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum RuleState {
    #[default]
    Enabled,
    Disabled,
}

/// A rule as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RuleDefinition {
    pub(crate) bus: BusArn,
    pub(crate) name: Name,
    pub(crate) pattern: Option<String>,
    pub(crate) schedule: Option<String>,
    pub(crate) state: RuleState,
    pub(crate) description: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) tags: Tags,
    /// In the order of their ids.
    pub(crate) targets: BTreeMap<Name, TargetDefinition>,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<String>,
}

/// A rule as it is used.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) definition: RuleDefinition,
    pub(crate) arn: String,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) schedule: Option<Recurrence>,
    pub(crate) targets: Vec<Target>,
}

impl Rule {
    /// Understands a definition.
    pub(crate) fn compile(definition: RuleDefinition) -> Result<Self, EventBridgeError> {
        let pattern = definition.pattern.as_deref().map(parse_pattern).transpose()?;
        let schedule = definition.schedule.as_deref().map(parse_schedule).transpose()?;
        let targets = definition
            .targets
            .values()
            .map(Target::compile)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            arn: definition.bus.rule(&definition.name),
            definition,
            pattern,
            schedule,
            targets,
        })
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.definition.state == RuleState::Enabled
    }
}

/// An event pattern, or AWS's words for what is wrong with it.
pub(crate) fn parse_pattern(text: &str) -> Result<Pattern, EventBridgeError> {
    Pattern::parse(text).map_err(|error| EventBridgeError::InvalidEventPattern(error.to_string()))
}

/// A schedule of a rule: `rate(…)` or `cron(…)`.
pub(crate) fn parse_schedule(text: &str) -> Result<Recurrence, EventBridgeError> {
    let invalid = || EventBridgeError::Validation("Parameter ScheduleExpression is not valid.".into());
    let schedule = ScheduleExpression::parse(text).map_err(|_invalid| invalid())?;
    if schedule.is_one_time() {
        return Err(invalid());
    }
    Ok(Recurrence::of(schedule))
}

impl EventBus {
    /// A bus that nothing was said of.
    pub(crate) fn new(arn: BusArn) -> Self {
        Self {
            arn,
            description: None,
            dead_letter: None,
            statements: BTreeMap::new(),
            tags: Tags::new(),
            created: None,
            modified: None,
            owner: None,
        }
    }
}

impl Stored for EventBus {
    const KIND: &'static str = "bus";
    fn key(&self) -> String {
        self.arn.to_string()
    }
}

impl Stored for RuleDefinition {
    const KIND: &'static str = "rule";
    fn key(&self) -> String {
        self.bus.rule(&self.name)
    }
}
