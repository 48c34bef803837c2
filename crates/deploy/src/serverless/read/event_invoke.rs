//! `destinations`, `maximumEventAge` and `maximumRetryAttempts` of a function.

use super::section::{Problems, Section};
use crate::serverless::model::{Destination, EventInvoke};
use crate::yaml::{Content, Node};

/// What a function's asynchronous invocations are to do; none if nothing is said of them.
pub(super) fn read(function: &mut Section<'_>, problems: &mut Problems) -> Option<EventInvoke> {
    let mut read = EventInvoke {
        max_age: function.integer("maximumEventAge", problems),
        max_retries: function.integer("maximumRetryAttempts", problems),
        ..EventInvoke::default()
    };
    if let Some(mut destinations) = function.section("destinations", problems) {
        read.on_success = destination(&mut destinations, "onSuccess", problems);
        read.on_failure = destination(&mut destinations, "onFailure", problems);
        destinations.finish(problems);
    }
    (read != EventInvoke::default()).then_some(read)
}

/// A function of this file, an ARN, an expression, or `{type, arn}`.
fn destination(
    destinations: &mut Section<'_>,
    key: &'static str,
    problems: &mut Problems,
) -> Option<Destination> {
    let node = destinations.get(key)?;
    match &node.content {
        Content::Text(text) if text.starts_with("arn:") => {
            refuse_service(destinations, key, node, text.split(':').nth(2), problems);
            Some(Destination::Arn(node.to_json()))
        }
        Content::Text(text) => Some(Destination::Function(text.clone(), node.span.clone())),
        Content::Map(_) if node.child("arn").is_some() => {
            let of_service = node.child("type").and_then(Node::as_text);
            refuse_service(destinations, key, node, of_service, problems);
            node.child("arn").map(|arn| Destination::Arn(arn.to_json()))
        }
        Content::Map(map) if map.len() == 1 => Some(Destination::Arn(node.to_json())),
        _ => {
            destinations.wrong(key, node, "a function, an ARN or `{type, arn}`", problems);
            None
        }
    }
}

/// Records go to functions only.
fn refuse_service(
    destinations: &Section<'_>,
    key: &str,
    node: &Node,
    of_service: Option<&str>,
    problems: &mut Problems,
) {
    let Some(name) = of_service.filter(|name| !matches!(*name, "lambda" | "function")) else {
        return;
    };
    let what = format!("`{}` of the service `{name}`", destinations.path_of(key));
    problems.unsupported(&node.span, &what, "name a function");
}
