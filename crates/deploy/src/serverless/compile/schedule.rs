//! `schedule` events: a rule of the default bus or a schedule of the scheduler for each expression.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::invoked_arn;
use super::intrinsics::{after_alias, attribute, permission};
use super::{role, rule_input};
use crate::serverless::model::{Definition, Event, EventSource, Function, ScheduleEvent, ScheduleMethod};

/// Properties of rules and schedules and the settings they come from.
const WRITTEN_AS: [(&str, &str); 8] = [
    ("Description", "description"),
    ("GroupName", "groupName"),
    ("Name", "name"),
    ("ScheduleExpression", "rate"),
    ("ScheduleExpressionTimezone", "timezone"),
    ("State", "enabled"),
    ("Target", "input"),
    ("Targets", "input"),
];

pub(super) fn compile(builder: &mut Builder<'_>) {
    for function in &builder.definition.functions {
        let mut number = 0;
        for (event, schedule) in schedules(function) {
            for rate in &schedule.rates {
                number += 1;
                match &schedule.method {
                    ScheduleMethod::EventBus => rule(builder, function, event, schedule, rate, number),
                    ScheduleMethod::Scheduler { .. } => {
                        scheduled(builder, function, event, schedule, rate, number);
                    }
                }
            }
        }
    }
}

fn schedules(function: &Function) -> impl Iterator<Item = (&Event, &ScheduleEvent)> {
    function.events.iter().filter_map(|event| match &event.source {
        EventSource::Schedule(schedule) => Some((event, schedule)),
        _ => None,
    })
}

/// What rules and schedules have in common.
fn properties(schedule: &ScheduleEvent, rate: &Value) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        properties.extend(value.map(|value| (name.to_owned(), value)));
    };
    set("ScheduleExpression", Some(rate.clone()));
    set("State", Some(rule_input::state(schedule.enabled).into()));
    set("Name", schedule.name.clone().map(Value::from));
    set("Description", schedule.description.clone().map(Value::from));
    properties
}

fn rule(
    builder: &mut Builder<'_>,
    function: &Function,
    event: &Event,
    schedule: &ScheduleEvent,
    rate: &Value,
    number: usize,
) {
    let id = format!("{}EventsRuleSchedule{number}", function.id);
    let mut target = Map::new();
    rule_input::insert(&mut target, schedule.input.as_ref());
    target.insert("Arn".into(), invoked_arn(function));
    target.insert("Id".into(), format!("{}Schedule", function.key).into());
    let mut properties = properties(schedule, rate);
    properties.insert("Targets".into(), json!([target]));
    let resource = json!({"Type": "AWS::Events::Rule", "Properties": properties});
    add(builder, &id, after_alias(resource, function), event);
    let permission = permission(function, json!("events.amazonaws.com"), attribute(&id, "Arn"));
    let permission_id = format!("{}LambdaPermissionEventsRuleSchedule{number}", function.id);
    builder.add(&permission_id, permission, &event.span);
}

fn scheduled(
    builder: &mut Builder<'_>,
    function: &Function,
    event: &Event,
    schedule: &ScheduleEvent,
    rate: &Value,
    number: usize,
) {
    let ScheduleMethod::Scheduler {
        timezone,
        group,
        role,
    } = &schedule.method
    else {
        return;
    };
    let mut target = Map::new();
    target.insert("Arn".into(), invoked_arn(function));
    let own_role = || role::arn_of(builder.definition, function);
    target.insert("RoleArn".into(), role.clone().unwrap_or_else(own_role));
    rule_input::insert(&mut target, schedule.input.as_ref());
    let mut properties = properties(schedule, rate);
    properties.insert("Target".into(), target.into());
    properties.insert("FlexibleTimeWindow".into(), json!({"Mode": "OFF"}));
    if let Some(timezone) = timezone {
        properties.insert("ScheduleExpressionTimezone".into(), timezone.as_str().into());
    }
    if let Some(group) = group {
        properties.insert("GroupName".into(), group.clone());
    }
    let resource = json!({"Type": "AWS::Scheduler::Schedule", "Properties": properties});
    let id = format!("{}SchedulerSchedule{number}", function.id);
    add(builder, &id, after_alias(resource, function), event);
}

fn add(builder: &mut Builder<'_>, id: &str, resource: Value, event: &Event) {
    builder.add(id, resource, &event.span);
    for (property, key) in WRITTEN_AS {
        builder.locate(id, property, &event.node, key);
    }
}

/// The functions that the scheduler invokes.
fn by_scheduler(definition: &Definition) -> impl Iterator<Item = &Function> {
    let scheduled =
        |(_, schedule): (_, &ScheduleEvent)| matches!(schedule.method, ScheduleMethod::Scheduler { .. });
    definition
        .functions
        .iter()
        .filter(move |function| schedules(function).any(scheduled))
}

/// Whether the scheduler takes on the service's role.
pub(super) fn needs_trust(definition: &Definition) -> bool {
    by_scheduler(definition).next().is_some()
}

/// What the role must allow, as the scheduler takes it on: to invoke what has schedules.
pub(super) fn statement(definition: &Definition) -> Option<Value> {
    let prefix = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:";
    let arns = |function: &Function| {
        ["", ":*"].map(|version| json!({"Fn::Sub": format!("{prefix}{}{version}", function.name)}))
    };
    let functions: Vec<Value> = by_scheduler(definition).flat_map(arns).collect();
    let action = ["lambda:InvokeFunction"];
    (!functions.is_empty()).then(|| json!({"Effect": "Allow", "Action": action, "Resource": functions}))
}
