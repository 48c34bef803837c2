//! `eventBridge` and `cloudwatchEvent` events: rules, the buses they make, and who may invoke.

use md5::{Digest, Md5};
use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::invoked_arn;
use super::intrinsics::{after_alias, attribute, join, permission, reference};
use super::rule_input;
use crate::serverless::model::{Bus, Event, EventSource, Function, RuleEvent};
use crate::serverless::names::normalise_name;

/// Properties of rules and the settings they come from.
const WRITTEN_AS: [(&str, &str); 10] = [
    ("Description", "description"),
    ("EventBusName", "eventBus"),
    ("EventPattern", "event"),
    ("EventPattern", "pattern"),
    ("Name", "name"),
    ("ScheduleExpression", "schedule"),
    ("State", "enabled"),
    ("Targets", "input"),
    ("Targets", "inputPath"),
    ("Targets", "inputTransformer"),
];

/// Rule names and target ids are at most this long (EventBridge API reference).
const MAX_NAME: usize = 64;
/// What is left of a name that is too long, besides its digest and its suffix.
const KEPT_OF_LONG: usize = 31;

pub(super) fn cloudwatch_events(builder: &mut Builder<'_>) {
    for function in &builder.definition.functions {
        let rules = function.events.iter().filter_map(|event| match &event.source {
            EventSource::CloudwatchEvent(rule) => Some((event, rule)),
            _ => None,
        });
        for (index, (event, rule)) in rules.enumerate() {
            cloudwatch_event(builder, function, event, rule, index + 1);
        }
    }
}

fn cloudwatch_event(
    builder: &mut Builder<'_>,
    function: &Function,
    event: &Event,
    rule: &RuleEvent,
    number: usize,
) {
    let id = format!("{}EventsRuleCloudWatchEvent{number}", function.id);
    let target = target(function, rule, &format!("{}CloudWatchEvent", function.key));
    let mut properties = properties(rule, target);
    properties.extend(rule.name.clone().map(|name| ("Name".to_owned(), name.into())));
    let resource = json!({"Type": "AWS::Events::Rule", "Properties": properties});
    add(builder, &id, after_alias(resource, function), event);
    let permission = permission(function, json!("events.amazonaws.com"), attribute(&id, "Arn"));
    let permission_id = format!("{}LambdaPermissionEventsRuleCloudWatchEvent{number}", function.id);
    builder.add(&permission_id, permission, &event.span);
}

pub(super) fn event_bridge(builder: &mut Builder<'_>) {
    for (function, event) in builder.definition.events() {
        if let EventSource::EventBridge(rule) = &event.source {
            on_bus(builder, function, event, rule);
        }
    }
}

fn on_bus(builder: &mut Builder<'_>, function: &Function, event: &Event, rule: &RuleEvent) {
    let suffix = format!("rule-{}", event.number);
    let full_name = format!("{}-{suffix}", function.name);
    let name = rule
        .name
        .clone()
        .unwrap_or_else(|| shortened(&full_name, &suffix));
    let target_id = shortened(&format!("{name}-target"), "target");
    let mut properties = properties(rule, target(function, rule, &target_id));
    properties.insert("Name".into(), name.as_str().into());
    let bus = bus_name(&rule.bus);
    let named = !matches!(rule.bus, Bus::Unnamed | Bus::Default);
    properties.extend(
        bus.clone()
            .filter(|_| named)
            .map(|bus| ("EventBusName".to_owned(), bus)),
    );
    let mut resource = json!({"Type": "AWS::Events::Rule", "Properties": properties});
    if let Bus::New(bus) = &rule.bus {
        resource["DependsOn"] = add_bus(builder, event, bus).into();
    }
    let id = format!("{}EventBridgeRule", normalise_name(&full_name));
    add(builder, &id, resource, event);
    let permission = permission(function, json!("events.amazonaws.com"), rule_arn(bus, &name));
    let permission_id = format!("{}EventBridgeLambdaPermission{}", function.id, event.number);
    builder.add(&permission_id, permission, &event.span);
}

fn properties(rule: &RuleEvent, target: Map<String, Value>) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        properties.extend(value.map(|value| (name.to_owned(), value)));
    };
    set("Description", rule.description.clone().map(Value::from));
    set("EventPattern", rule.pattern.clone());
    set("ScheduleExpression", rule.schedule.clone().map(Value::from));
    set("State", Some(rule_input::state(rule.enabled).into()));
    set("Targets", Some(json!([target])));
    properties
}

fn target(function: &Function, rule: &RuleEvent, id: &str) -> Map<String, Value> {
    let mut target = Map::new();
    target.insert("Arn".into(), invoked_arn(function));
    target.insert("Id".into(), id.into());
    if let Some((age, attempts)) = rule.retry {
        let mut policy = Map::new();
        policy.extend(age.map(|seconds| ("MaximumEventAgeInSeconds".to_owned(), seconds.into())));
        policy.extend(attempts.map(|count| ("MaximumRetryAttempts".to_owned(), count.into())));
        target.insert("RetryPolicy".into(), policy.into());
    }
    if let Some(queue) = &rule.dead_letters {
        target.insert("DeadLetterConfig".into(), json!({ "Arn": queue }));
    }
    rule_input::insert(&mut target, rule.input.as_ref());
    target
}

fn add(builder: &mut Builder<'_>, id: &str, resource: Value, event: &Event) {
    builder.add(id, resource, &event.span);
    for (property, key) in WRITTEN_AS {
        builder.locate(id, property, &event.node, key);
    }
}

/// Adds the bus unless another event did; its logical id.
fn add_bus(builder: &mut Builder<'_>, event: &Event, name: &str) -> String {
    let id = format!("{}EventBridgeEventBus", normalise_name(name));
    if !builder.resources.contains_key(&id) {
        let resource = json!({"Type": "AWS::Events::EventBus", "Properties": {"Name": name}});
        builder.add(&id, resource, &event.span);
        builder.locate(&id, "Name", &event.node, "eventBus");
    }
    id
}

/// What a rule and the ARN of a rule call the bus; none where nothing was said.
fn bus_name(bus: &Bus) -> Option<Value> {
    match bus {
        Bus::Unnamed => None,
        Bus::Default => Some("default".into()),
        Bus::New(name) => Some(name.as_str().into()),
        Bus::Arn(arn) => {
            let name = arn.split_once('/').map_or(arn.as_str(), |(_, name)| name);
            Some(name.into())
        }
        Bus::Expression(expression) => Some(expression.clone()),
    }
}

/// Spelt out, so that a rule and the permission do not wait for each other.
fn rule_arn(bus: Option<Value>, name: &str) -> Value {
    let mut path = vec![json!("rule")];
    path.extend(bus);
    path.push(name.into());
    let parts = vec![
        json!("arn"),
        reference("AWS::Partition"),
        json!("events"),
        reference("AWS::Region"),
        reference("AWS::AccountId"),
        join("/", path),
    ];
    join(":", parts)
}

/// `name`, or its beginning and a digest of it before the suffix, where it is too long.
fn shortened(name: &str, suffix: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let kept: String = name
        .chars()
        .take(KEPT_OF_LONG.saturating_sub(suffix.len()))
        .collect();
    let digest: String = Md5::digest(name)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{kept}{digest}-{suffix}")
}
