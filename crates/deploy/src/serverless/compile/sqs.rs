//! `sqs` events: event source mappings.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::{invoked_alias, invoked_arn};
use super::role;
use crate::serverless::model::{Definition, Event, EventSource, Function, SqsEvent};
use crate::serverless::names::normalise_name;
use crate::serverless::read::name_of;

/// Properties of a mapping and the settings they come from.
const WRITTEN_AS: [(&str, &str); 7] = [
    ("BatchSize", "batchSize"),
    ("Enabled", "enabled"),
    ("EventSourceArn", "arn"),
    ("FilterCriteria", "filterPatterns"),
    ("FunctionResponseTypes", "functionResponseType"),
    ("MaximumBatchingWindowInSeconds", "maximumBatchingWindow"),
    ("ScalingConfig", "maximumConcurrency"),
];

pub(super) fn compile(builder: &mut Builder<'_>) {
    for (function, event, sqs) in all(builder.definition) {
        let name = name_of(&sqs.queue).map_or_else(|| format!("Event{}", event.number), normalise_name);
        let id = format!("{}EventSourceMappingSQS{name}", function.id);
        let mut depends_on = Vec::from_iter(role::made_here(builder.definition, function));
        depends_on.extend(invoked_alias(function));
        let resource = json!({
            "Type": "AWS::Lambda::EventSourceMapping",
            "DependsOn": depends_on,
            "Properties": properties(function, sqs),
        });
        builder.add(&id, resource, &event.span);
        for (property, key) in WRITTEN_AS {
            builder.locate(&id, property, &event.node, key);
        }
    }
}

fn properties(function: &Function, event: &SqsEvent) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut set = |name: &str, value: Value| drop(properties.insert(name.to_owned(), value));
    set("BatchSize", event.batch_size.into());
    if let Some(seconds) = event.batching_window {
        set("MaximumBatchingWindowInSeconds", seconds.into());
    }
    set("EventSourceArn", event.queue.clone());
    set("FunctionName", invoked_arn(function));
    set("Enabled", event.enabled.into());
    if event.reports_failures {
        set("FunctionResponseTypes", json!(["ReportBatchItemFailures"]));
    }
    if !event.filter_patterns.is_empty() {
        let filters = event.filter_patterns.iter();
        let filters: Value = filters.map(|pattern| json!({ "Pattern": pattern })).collect();
        set("FilterCriteria", json!({ "Filters": filters }));
    }
    if let Some(concurrency) = event.maximum_concurrency {
        set("ScalingConfig", json!({ "MaximumConcurrency": concurrency }));
    }
    properties
}

/// What the role must allow: to receive from every queue.
pub(super) fn statement(definition: &Definition) -> Option<Value> {
    let mut queues: Vec<&Value> = Vec::new();
    for (_, _, sqs) in all(definition).filter(|(function, ..)| function.role.is_none()) {
        if !queues.contains(&&sqs.queue) {
            queues.push(&sqs.queue);
        }
    }
    let actions = [
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    ];
    (!queues.is_empty()).then(|| json!({"Effect": "Allow", "Action": actions, "Resource": queues}))
}

fn all(definition: &Definition) -> impl Iterator<Item = (&Function, &Event, &SqsEvent)> {
    definition
        .events()
        .filter_map(|(function, event)| match &event.source {
            EventSource::Sqs(sqs) => Some((function, event, sqs)),
            _ => None,
        })
}
