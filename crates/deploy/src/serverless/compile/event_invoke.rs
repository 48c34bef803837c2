//! What asynchronous invocations do when they end.

use serde_json::{Map, Value, json};

use super::builder::Builder;
use super::function::{function_id, invoked_alias};
use super::intrinsics::{attribute, reference};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::{Destination, DestinationKind, Function};

pub(super) fn compile(builder: &mut Builder<'_>, function: &Function) {
    let Some(events) = &function.event_invoke else {
        return;
    };
    let mut properties = Map::new();
    properties.insert("FunctionName".into(), reference(&function_id(function)));
    let mut destinations = Map::new();
    for (name, destination) in [
        ("OnSuccess", &events.on_success),
        ("OnFailure", &events.on_failure),
    ] {
        if let Some(arn) = destination.as_ref().and_then(|given| arn_of(builder, given)) {
            destinations.insert(name.into(), json!({ "Destination": arn }));
        }
    }
    if !destinations.is_empty() {
        properties.insert("DestinationConfig".into(), destinations.into());
    }
    if let Some(age) = events.max_age {
        properties.insert("MaximumEventAgeInSeconds".into(), age.into());
    }
    if let Some(retries) = events.max_retries {
        properties.insert("MaximumRetryAttempts".into(), retries.into());
    }
    let alias = invoked_alias(function);
    let qualifier = match alias {
        Some(_) => super::function::PROVISIONED,
        None => "$LATEST",
    };
    properties.insert("Qualifier".into(), qualifier.into());
    let mut resource = json!({"Type": "AWS::Lambda::EventInvokeConfig", "Properties": properties});
    if let Some(alias) = alias {
        resource["DependsOn"] = alias.into();
    }
    let id = format!("{}LambdaEvConf", function.id);
    builder.add(&id, resource, &function.span);
    for (property, key) in [
        ("DestinationConfig", "destinations"),
        ("MaximumEventAgeInSeconds", "maximumEventAge"),
        ("MaximumRetryAttempts", "maximumRetryAttempts"),
    ] {
        builder.locate_in_function(&id, property, function, key);
    }
}

fn arn_of(builder: &mut Builder<'_>, destination: &Destination) -> Option<Value> {
    match destination {
        Destination::Arn(_, arn) => Some(arn.clone()),
        Destination::Function(key, span) => {
            let named = builder.definition.functions.iter().find(|f| f.key == *key);
            if named.is_none() {
                let problem = Diagnostic::error(format!("there is no function `{key}` to send records to"))
                    .at(span)
                    .hint("name a function of this file, or write an ARN");
                builder.problem(problem);
            }
            named.map(|function| attribute(&function_id(function), "Arn"))
        }
    }
}

/// What the role must allow: to send to where failed invocations go and to each destination. Functions of this
/// file are named, not referred to: they wait for the role.
pub(super) fn statements(functions: &[Function], function: &Function) -> Vec<Value> {
    if function.role.is_some() {
        return Vec::new();
    }
    let mut statements = Vec::from_iter(dead_letter_statement(function));
    let events = function.event_invoke.iter();
    for destination in events.flat_map(|events| [&events.on_success, &events.on_failure]) {
        statements.extend(destination.as_ref().and_then(|given| statement(functions, given)));
    }
    statements
}

fn statement(functions: &[Function], destination: &Destination) -> Option<Value> {
    let (kind, arn) = match destination {
        Destination::Arn(kind, arn) => (*kind, arn.clone()),
        Destination::Function(key, _) => {
            let named = functions.iter().find(|function| function.key == *key)?;
            let prefix = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:";
            let arn = json!({ "Fn::Sub": format!("{prefix}{}", named.name) });
            (DestinationKind::Function, arn)
        }
    };
    Some(json!({"Effect": "Allow", "Action": action(kind), "Resource": arn}))
}

fn action(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Function => "lambda:InvokeFunction",
        DestinationKind::Queue => "sqs:SendMessage",
        DestinationKind::Topic => "sns:Publish",
        DestinationKind::EventBus => "events:PutEvents",
    }
}

/// Only of an ARN in plain text: what an expression gives is not known here, as in the reference.
fn dead_letter_statement(function: &Function) -> Option<Value> {
    let arn = function.dead_letters.as_ref()?.as_str()?;
    let kind = match arn.split(':').nth(2)? {
        "sqs" => DestinationKind::Queue,
        _ => DestinationKind::Topic,
    };
    Some(json!({"Effect": "Allow", "Action": [action(kind)], "Resource": [arn]}))
}
