//! `cloudwatchLog` events: subscription filters, and one permission a function for all its log groups.

use serde_json::{Value, json};

use super::builder::Builder;
use super::function::{invoked_alias, invoked_arn};
use super::intrinsics::{join, local_arn, permission, reference};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::{Event, EventSource, Function, LogEvent};
use crate::yaml::Node;

/// Subscription filters of one log group (CloudWatch Logs quotas).
const MAX_FILTERS: usize = 2;

pub(super) fn compile(builder: &mut Builder<'_>) {
    let mut filtered: Vec<&str> = Vec::new();
    for function in &builder.definition.functions {
        let logs: Vec<_> = logs(function).collect();
        for (index, (event, log)) in logs.iter().enumerate() {
            filtered.push(&log.group);
            if filtered.iter().filter(|group| **group == log.group).count() > MAX_FILTERS {
                let message = format!("log group `{}` gets more than {MAX_FILTERS} filters", log.group);
                let problem = Diagnostic::error(message).at(&event.span);
                builder.problem(problem.hint("one function can hand on to others"));
            }
            filter(builder, function, event, log, index + 1);
            if index == 0 {
                let groups: Vec<&str> = logs.iter().map(|(_, log)| log.group.as_str()).collect();
                permit(builder, function, event, &groups);
            }
        }
    }
}

fn logs(function: &Function) -> impl Iterator<Item = (&Event, &LogEvent)> {
    function.events.iter().filter_map(|event| match &event.source {
        EventSource::CloudwatchLog(log) => Some((event, log)),
        _ => None,
    })
}

fn filter(builder: &mut Builder<'_>, function: &Function, event: &Event, log: &LogEvent, number: usize) {
    let id = format!("{}LogsSubscriptionFilterCloudWatchLog{number}", function.id);
    let mut depends_on = vec![permission_id(function)];
    depends_on.extend(invoked_alias(function));
    depends_on.extend(group_made_here(builder, &log.group));
    let resource = json!({
        "Type": "AWS::Logs::SubscriptionFilter",
        "DependsOn": depends_on,
        "Properties": {
            "LogGroupName": log.group,
            "FilterPattern": log.filter,
            "DestinationArn": invoked_arn(function),
        },
    });
    builder.add(&id, resource, &event.span);
    builder.locate(&id, "LogGroupName", &event.node, "logGroup");
    builder.locate(&id, "FilterPattern", &event.node, "filter");
}

/// The log group of a function of this file, or one below `resources`, is made before its filter; the framework leaves
/// that to chance.
fn group_made_here(builder: &Builder<'_>, group: &str) -> Option<String> {
    let functions = builder.definition.functions.iter();
    let named = functions
        .filter(|function| !function.logs_disabled)
        .find(|function| group.strip_prefix("/aws/lambda/") == Some(function.name.as_str()));
    match named {
        Some(function) => Some(format!("{}LogGroup", function.id)),
        None => group_below_resources(builder, group),
    }
}

fn group_below_resources(builder: &Builder<'_>, group: &str) -> Option<String> {
    let resources = builder.definition.resources.as_ref()?.child("Resources")?;
    let is_it = |node: &Node| {
        let name = node
            .child("Properties")
            .and_then(|node| node.child("LogGroupName"));
        let kind = node.child("Type").and_then(Node::as_text);
        kind == Some("AWS::Logs::LogGroup") && name.and_then(Node::as_text) == Some(group)
    };
    let found = resources.as_map()?.iter().find(|entry| is_it(&entry.node));
    found.map(|entry| entry.key.clone())
}

fn permission_id(function: &Function) -> String {
    format!(
        "{}LambdaPermissionLogsSubscriptionFilterCloudWatchLog",
        function.id
    )
}

fn permit(builder: &mut Builder<'_>, function: &Function, event: &Event, groups: &[&str]) {
    let service = vec![json!("logs."), reference("AWS::Region"), json!(".amazonaws.com")];
    let source = vec![json!(":log-group:"), json!(what_matches(groups)), json!(":*")];
    let mut permission = permission(function, join("", service), local_arn("logs", source));
    if let Some(alias) = permission.get_mut("DependsOn") {
        *alias = Value::Array(vec![alias.take()]);
    }
    builder.add(&permission_id(function), permission, &event.span);
}

/// The only group, or what all begin with and `*`.
fn what_matches(groups: &[&str]) -> String {
    let Some((first, others)) = groups.split_first() else {
        return String::new();
    };
    if others.iter().all(|group| group == first) {
        return (*first).to_owned();
    }
    let is_common = |end: usize| others.iter().all(|group| group.get(..end) == first.get(..end));
    let end = (0..=first.len()).rev().find(|end| is_common(*end)).unwrap_or(0);
    format!("{}*", first.get(..end).unwrap_or_default())
}
