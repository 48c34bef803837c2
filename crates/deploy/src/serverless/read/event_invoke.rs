//! `destinations`, `maximumEventAge`, `maximumRetryAttempts` and `onError` of a function.

use serde_json::Value;

use super::expression::{self, ArnOf};
use super::section::{Problems, Section};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::{Destination, DestinationKind, EventInvoke};
use crate::yaml::{Content, Node};

/// `type` of a destination, the service of its ARN, and what it is.
const KINDS: [(&str, &str, DestinationKind); 4] = [
    ("sns", "sns", DestinationKind::Topic),
    ("sqs", "sqs", DestinationKind::Queue),
    ("eventBus", "events", DestinationKind::EventBus),
    ("function", "lambda", DestinationKind::Function),
];

const TARGET: ArnOf = ArnOf {
    what: "a function, a queue, a topic or an event bus",
    services: &["lambda", "sqs", "sns", "events"],
    example: "for example `arn:aws:sqs:us-east-1:000000000000:failed`",
};

const DEAD_LETTERS: ArnOf = ArnOf {
    what: "a queue or a topic",
    services: &["sqs", "sns"],
    example: "for example `arn:aws:sqs:us-east-1:000000000000:failed`, or `!GetAtt Failed.Arn` for a queue below \
              `resources`",
};

/// What a function's asynchronous invocations are to do; none if nothing is said of them.
pub(super) fn read(function: &mut Section<'_>, problems: &mut Problems) -> Option<EventInvoke> {
    let mut read = EventInvoke {
        max_age: function.integer_in("maximumEventAge", 60..=21_600, problems),
        max_retries: function.integer_in("maximumRetryAttempts", 0..=2, problems),
        ..EventInvoke::default()
    };
    if let Some(mut destinations) = function.section("destinations", problems) {
        read.on_success = destination(&mut destinations, "onSuccess", problems);
        read.on_failure = destination(&mut destinations, "onFailure", problems);
        destinations.finish(problems);
    }
    (read != EventInvoke::default()).then_some(read)
}

/// `onError`: where invocations go that were given up.
pub(super) fn dead_letters(function: &mut Section<'_>, problems: &mut Problems) -> Option<Value> {
    expression::arn(function, "onError", DEAD_LETTERS, problems)
}

/// A function of this file, an ARN, or `{type, arn}`.
fn destination(
    destinations: &mut Section<'_>,
    key: &'static str,
    problems: &mut Problems,
) -> Option<Destination> {
    let node = destinations.get(key)?;
    let path = destinations.path_of(key);
    match &node.content {
        Content::Text(text) if text.starts_with("arn:") => {
            let arn = expression::arn_of_node(node, &path, TARGET, problems)?;
            let service = text.split(':').nth(2).unwrap_or_default();
            let of_service = KINDS.iter().find(|(_, known, _)| *known == service);
            of_service.map(|(_, _, kind)| Destination::Arn(*kind, arn))
        }
        Content::Text(text) => Some(Destination::Function(text.clone(), node.span.clone())),
        Content::Map(_) if expression::is_expression(node) => {
            let problem = Diagnostic::error(format!("`{path}` does not say what it is")).at(&node.span);
            problems
                .add(problem.hint("write `{type: sqs, arn: …}`; types are sns, sqs, eventBus and function"));
            None
        }
        Content::Map(_) => typed(node, &path, problems),
        _ => {
            destinations.wrong(key, node, "a function, an ARN or `{type, arn}`", problems);
            None
        }
    }
}

/// `{type, arn}`
fn typed(node: &Node, path: &str, problems: &mut Problems) -> Option<Destination> {
    let mut section = Section::new(node, path, problems);
    for key in ["type", "arn"] {
        if section.given(key).is_none() {
            section.missing(key, "write `{type: sqs, arn: …}`", problems);
        }
    }
    let named = section.one_of("type", &KINDS.map(|(name, ..)| name), problems);
    let arn = expression::arn(&mut section, "arn", TARGET, problems);
    section.finish(problems);
    let (_, _, kind) = KINDS.iter().find(|(name, ..)| Some(*name) == named)?;
    Some(Destination::Arn(*kind, arn?))
}
