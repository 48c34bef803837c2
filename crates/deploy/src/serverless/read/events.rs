//! The events of a function: which there are, which work.

use super::section::Problems;
use super::{cloudwatch_log, http, http_api, kafka, rule, s3, schedule, sns, sqs};
use crate::diagnostic::{Diagnostic, nearest};
use crate::serverless::model::{Event, EventSource, HttpApiEvent, HttpEvent};
use crate::serverless::variables::NOT_SUPPORTED;
use crate::yaml::{Content, Entry, Map, Node};

/// Events that invoke functions, and how each is written at its shortest.
pub(in crate::serverless) const SERVED: [(&str, &str); 11] = [
    ("cloudwatchEvent", "{event: {source: [shop]}}"),
    ("cloudwatchLog", "/aws/lambda/name"),
    ("eventBridge", "{pattern: {source: [shop]}}"),
    ("http", "GET /path"),
    ("httpApi", "GET /path"),
    ("kafka", "{topic: orders, bootstrapServers: [\"127.0.0.1:9092\"]}"),
    (
        "msk",
        "{topic: orders, arn: arn:aws:kafka:us-east-1:000000000000:cluster/main/00000000-0000-0000-0000-000000000000-1}",
    ),
    ("s3", "bucket"),
    ("schedule", "rate(1 hour)"),
    ("sns", "topic"),
    ("sqs", "arn:aws:sqs:us-east-1:000000000000:queue"),
];

/// Events of the format that have no service yet.
pub(in crate::serverless) const NOT_YET: [&str; 11] = [
    "activemq",
    "alb",
    "alexaSkill",
    "alexaSmartHome",
    "cloudFront",
    "cognitoUserPool",
    "iot",
    "iotFleetProvisioning",
    "rabbitmq",
    "stream",
    "websocket",
];

/// The events of one function that are understood.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) http: Vec<HttpEvent>,
    pub(super) http_api: Vec<HttpApiEvent>,
    pub(super) others: Vec<Event>,
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
        let place = Place {
            number: index + 1,
            path: &path,
        };
        event(item, place, &mut events, problems);
    }
    events
}

/// Where an event stands: its place in the list, from 1, and its path.
#[derive(Clone, Copy, Debug)]
struct Place<'a> {
    number: usize,
    path: &'a str,
}

fn event(item: &Node, place: Place<'_>, events: &mut Events, problems: &mut Problems) {
    let path = place.path;
    match &item.content {
        Content::Null => {}
        Content::Text(name) => problems.add(named(name, item)),
        Content::Map(map) => match map.iter().next() {
            Some(entry) if map.len() == 1 => configured(entry, place, events, problems),
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

fn configured(entry: &Entry, place: Place<'_>, events: &mut Events, problems: &mut Problems) {
    let path = format!("{}.{}", place.path, entry.key);
    let name = entry.key.as_str();
    if let Some((_, example)) = SERVED.iter().find(|(served, _)| *served == name)
        && entry.node.is_null()
    {
        let empty = Diagnostic::error(format!("`{path}` is empty")).at(&entry.key_span);
        problems.add(empty.hint(format!("write `- {name}: {example}`")));
        return;
    }
    match name {
        "http" => events.http.extend(http::read(entry, &path, problems)),
        "httpApi" => events.http_api.extend(http_api::event(entry, &path, problems)),
        name if is_served(name) => {
            let source = source(entry, &path, problems);
            events.others.extend(source.map(|source| Event {
                number: place.number,
                source,
                node: entry.node.clone(),
                span: entry.key_span.clone(),
            }));
        }
        name => problems.add(unsupported(name, &entry.key_span)),
    }
}

/// What is neither `http` nor `httpApi`; none when it is wrong.
fn source(entry: &Entry, path: &str, problems: &mut Problems) -> Option<EventSource> {
    match entry.key.as_str() {
        "cloudwatchEvent" => rule::cloudwatch_event(entry, path, problems).map(EventSource::CloudwatchEvent),
        "cloudwatchLog" => cloudwatch_log::event(entry, path, problems).map(EventSource::CloudwatchLog),
        "eventBridge" => rule::event_bridge(entry, path, problems).map(EventSource::EventBridge),
        "kafka" => kafka::kafka(entry, path, problems).map(EventSource::Kafka),
        "msk" => kafka::msk(entry, path, problems).map(EventSource::Msk),
        "schedule" => schedule::event(entry, path, problems).map(EventSource::Schedule),
        "s3" => s3::event(entry, path, problems).map(EventSource::S3),
        "sns" => sns::event(entry, path, problems).map(EventSource::Sns),
        "sqs" => sqs::event(entry, path, problems).map(EventSource::Sqs),
        _ => None,
    }
}

fn is_served(name: &str) -> bool {
    SERVED.iter().any(|(served, _)| *served == name)
}

/// An event that is only a name.
fn named(name: &str, item: &Node) -> Diagnostic {
    match SERVED.iter().find(|(served, _)| *served == name) {
        Some((_, example)) => Diagnostic::error(format!("event `{name}` says nothing of its source"))
            .at(&item.span)
            .hint(format!("write `- {name}: {example}`")),
        None => unsupported(name, &item.span),
    }
}

fn unsupported(name: &str, span: &crate::diagnostic::Span) -> Diagnostic {
    if NOT_YET.contains(&name) {
        return Diagnostic::error(format!("event `{name}` {NOT_SUPPORTED}"))
            .at(span)
            .hint("remove the event to run the rest");
    }
    let error = Diagnostic::error(format!("unknown event `{name}`")).at(span);
    let served = || SERVED.into_iter().map(|(name, _)| name);
    match nearest(name, NOT_YET.into_iter().chain(served())) {
        Some(near) => error.hint(format!("did you mean `{near}`?")),
        None => error.hint(format!("events are {}", served().collect::<Vec<_>>().join(", "))),
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
