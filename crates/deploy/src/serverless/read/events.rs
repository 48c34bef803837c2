//! The events of a function: which there are, which work.

use super::section::Problems;
use super::{http, http_api};
use crate::diagnostic::{Diagnostic, nearest};
use crate::serverless::model::{HttpApiEvent, HttpEvent};
use crate::serverless::variables::NOT_SUPPORTED;
use crate::yaml::{Content, Entry, Map, Node};

/// Events of the format that have no service yet.
pub(in crate::serverless) const NOT_YET: [&str; 20] = [
    "activemq",
    "alb",
    "alexaSkill",
    "alexaSmartHome",
    "cloudFront",
    "cloudwatchEvent",
    "cloudwatchLog",
    "cognitoUserPool",
    "eventBridge",
    "iot",
    "iotFleetProvisioning",
    "kafka",
    "msk",
    "rabbitmq",
    "s3",
    "schedule",
    "sns",
    "sqs",
    "stream",
    "websocket",
];

/// The events of one function that are understood.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) http: Vec<HttpEvent>,
    pub(super) http_api: Vec<HttpApiEvent>,
}

/// Reads `events` of the function `key`.
pub(super) fn read(node: Option<&Node>, key: &str, problems: &mut Problems) -> Events {
    let mut events = Events::default();
    let Some(node) = node else { return events };
    let Some(list) = node.as_list() else {
        problems.add(
            Diagnostic::error(format!("`functions.{key}.events` is {}, not a list", node.kind()))
                .at(&node.span)
                .hint("start each event with `- `"),
        );
        return events;
    };
    for (index, item) in list.iter().enumerate() {
        let path = format!("functions.{key}.events.{index}");
        event(item, &path, &mut events, problems);
    }
    events
}

fn event(item: &Node, path: &str, events: &mut Events, problems: &mut Problems) {
    match &item.content {
        Content::Null => {}
        Content::Text(name) => problems.add(named(name, item)),
        Content::Map(map) => match map.iter().next() {
            Some(entry) if map.len() == 1 => configured(entry, path, events, problems),
            Some(entry) => problems.add(not_indented(entry, map)),
            None => {}
        },
        Content::Bool(_) | Content::Number(_) | Content::List(_) => {
            let message = format!(
                "`{path}` is {}, not an event such as `- httpApi: GET /`",
                item.kind()
            );
            problems.error(&item.span, message);
        }
    }
}

fn configured(entry: &Entry, path: &str, events: &mut Events, problems: &mut Problems) {
    let path = format!("{path}.{}", entry.key);
    match entry.key.as_str() {
        "http" | "httpApi" if entry.node.is_null() => {
            problems.error(
                &entry.key_span,
                format!("`{path}` is empty; it needs a method and a path"),
            );
        }
        "http" => events.http.extend(http::read(entry, &path, problems)),
        "httpApi" => events.http_api.extend(http_api::event(entry, &path, problems)),
        name => problems.add(unsupported(name, &entry.key_span)),
    }
}

/// An event that is only a name.
fn named(name: &str, item: &Node) -> Diagnostic {
    match name {
        "http" | "httpApi" => Diagnostic::error(format!("event `{name}` needs a method and a path"))
            .at(&item.span)
            .hint(format!("write `- {name}: GET /path`")),
        _ => unsupported(name, &item.span),
    }
}

fn unsupported(name: &str, span: &crate::diagnostic::Span) -> Diagnostic {
    if NOT_YET.contains(&name) {
        return Diagnostic::error(format!("event `{name}` {NOT_SUPPORTED}"))
            .at(span)
            .hint("this version runs `http` and `httpApi` events; remove the event to run the rest");
    }
    let error = Diagnostic::error(format!("unknown event `{name}`")).at(span);
    let known = NOT_YET.into_iter().chain(["http", "httpApi"]);
    match nearest(name, known) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint("this version runs `http` and `httpApi` events"),
    }
}

/// Several keys in one event: most often the event's settings stand too far left.
fn not_indented(entry: &Entry, map: &Map) -> Diagnostic {
    let second = map.iter().nth(1).unwrap_or(entry);
    let message = format!("one event has two names, `{}` and `{}`", entry.key, second.key);
    let error = Diagnostic::error(message).at(&second.key_span);
    if entry.node.is_null() {
        return error.hint(format!("indent what belongs to `{}` further than it", entry.key));
    }
    error.hint("start each event with `- `")
}
