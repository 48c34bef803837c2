//! `sns` events: topics, subscriptions, and who may invoke.
//!
//! A topic that events make carries its plain subscriptions; one with a filter or a redrive policy, and one to
//! a topic that is there, is a resource of its own.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::invoked_arn;
use super::intrinsics::{attribute, join, local_arn, permission, reference};
use crate::serverless::model::{Event, EventSource, Function, Redrive, SnsEvent, Topic};
use crate::serverless::names::normalise_name;

/// Properties of a subscription and the settings they come from.
const WRITTEN_AS: [(&str, &str); 4] = [
    ("FilterPolicy", "filterPolicy"),
    ("FilterPolicyScope", "filterPolicyScope"),
    ("RedrivePolicy", "redrivePolicy"),
    ("TopicArn", "arn"),
];

pub(super) fn compile(builder: &mut Builder<'_>) {
    for (function, event) in builder.definition.events() {
        if let EventSource::Sns(sns) = &event.source {
            compile_one(builder, function, event, sns);
        }
    }
}

fn compile_one(builder: &mut Builder<'_>, function: &Function, event: &Event, sns: &SnsEvent) {
    let name = normalise_name(&sns.name);
    let dead_letters = sns.redrive.as_ref().map(|redrive| {
        allow_dead_letters(builder, function, event, sns, redrive);
        dead_letter_arn(redrive)
    });
    let topic_arn = match &sns.topic {
        Topic::New { display_name } => {
            add_topic(builder, event, &sns.name, display_name.as_deref());
            reference(&topic_id(&sns.name))
        }
        Topic::Existing { arn } => arn.clone(),
    };
    let plain = sns.filter_policy.is_none() && dead_letters.is_none();
    if plain && matches!(sns.topic, Topic::New { .. }) {
        embed(builder, function, &sns.name);
    } else {
        let properties = subscription(builder, function, sns, topic_arn, dead_letters);
        let id = format!("{}SnsSubscription{name}", function.id);
        let resource = json!({"Type": "AWS::SNS::Subscription", "Properties": properties});
        builder.add(&id, resource, &event.span);
        for (property, key) in WRITTEN_AS {
            builder.locate(&id, property, &event.node, key);
        }
    }
    let permission = permission(function, json!("sns.amazonaws.com"), source_arn(sns));
    builder.add(
        &format!("{}LambdaPermission{name}SNS", function.id),
        permission,
        &event.span,
    );
}

fn topic_id(name: &str) -> String {
    format!("SNSTopic{}", normalise_name(name))
}

/// Adds the topic unless another event did; the first display name counts.
fn add_topic(builder: &mut Builder<'_>, event: &Event, name: &str, display_name: Option<&str>) {
    let id = topic_id(name);
    if !builder.resources.contains_key(&id) {
        let resource = json!({"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}});
        builder.add(&id, resource, &event.span);
        builder.locate(&id, "TopicName", &event.node, "topicName");
    }
    let properties = builder
        .resources
        .get_mut(&id)
        .map(|topic| &mut topic["Properties"]);
    if let (Some(properties), Some(text)) = (properties, display_name)
        && properties["DisplayName"].is_null()
    {
        properties["DisplayName"] = text.into();
        builder.locate(&id, "DisplayName", &event.node, "displayName");
    }
}

fn embed(builder: &mut Builder<'_>, function: &Function, name: &str) {
    let Some(topic) = builder.resources.get_mut(&topic_id(name)) else {
        return;
    };
    let subscription = json!({"Endpoint": invoked_arn(function), "Protocol": "lambda"});
    match topic["Properties"]["Subscription"].as_array_mut() {
        Some(subscriptions) => subscriptions.push(subscription),
        None => topic["Properties"]["Subscription"] = json!([subscription]),
    }
}

fn subscription(
    builder: &Builder<'_>,
    function: &Function,
    event: &SnsEvent,
    topic: Value,
    dead_letters: Option<Value>,
) -> Map<String, Value> {
    let region = topic
        .as_str()
        .and_then(|arn| arn.split(':').nth(3))
        .map(str::to_owned);
    let region = region.filter(|region| *region != builder.project.region);
    let mut properties = Map::new();
    let mut set = |name: &str, value: Option<Value>| {
        properties.extend(value.map(|value| (name.to_owned(), value)));
    };
    set("TopicArn", Some(topic));
    set("Protocol", Some("lambda".into()));
    set("Endpoint", Some(invoked_arn(function)));
    set("FilterPolicy", event.filter_policy.clone());
    set(
        "FilterPolicyScope",
        event.filter_policy_scope.clone().map(Value::from),
    );
    let redrive = dead_letters.map(|queue| json!({"deadLetterTargetArn": queue}));
    set("RedrivePolicy", redrive);
    set("Region", region.map(Value::from));
    properties
}

/// The topic's ARN; that of a new one is spelt out, so that a topic and the permission do not wait for each other.
fn source_arn(event: &SnsEvent) -> Value {
    match &event.topic {
        Topic::New { .. } => local_arn("sns", vec![json!(":"), json!(event.name)]),
        Topic::Existing { arn } => arn.clone(),
    }
}

fn dead_letter_arn(redrive: &Redrive) -> Value {
    match redrive {
        Redrive::Arn(arn) => arn.as_str().into(),
        Redrive::Reference(queue) => attribute(queue, "Arn"),
        Redrive::Import { arn, .. } => json!({ "Fn::ImportValue": arn }),
    }
}

/// The URL that the queue of a policy is named by.
fn dead_letter_url(redrive: &Redrive) -> Value {
    match redrive {
        Redrive::Arn(arn) => {
            let mut parts = arn.split(':').skip(3);
            let mut next = || parts.next().unwrap_or_default();
            let (region, account, name) = (next(), next(), next());
            let host = json!(format!("https://sqs.{region}."));
            let path = json!(format!("/{account}/{name}"));
            join("", vec![host, reference("AWS::URLSuffix"), path])
        }
        Redrive::Reference(queue) => reference(queue),
        Redrive::Import { url, .. } => json!({ "Fn::ImportValue": url }),
    }
}

/// The policy that lets the topic send to the queue.
fn allow_dead_letters(
    builder: &mut Builder<'_>,
    function: &Function,
    event: &Event,
    sns: &SnsEvent,
    redrive: &Redrive,
) {
    let id = format!("{}To{}DLQPolicy", normalise_name(&sns.name), function.id);
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": dead_letter_arn(redrive),
        "Condition": {"ArnEquals": {"aws:SourceArn": source_arn(sns)}},
    });
    let policy = json!({
        "Type": "AWS::SQS::QueuePolicy",
        "Properties": {
            "PolicyDocument": {"Version": "2012-10-17", "Id": id, "Statement": [statement]},
            "Queues": [dead_letter_url(redrive)],
        },
    });
    builder.add(&id, policy, &event.span);
    builder.locate(&id, "Queues", &event.node, "redrivePolicy");
}
