//! `s3` events and `provider.s3`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tradewind_events::bucket_event;

use super::expression::{is_expression, name_of};
use super::function::ReadFunction;
use super::section::{Problems, Section};
use crate::diagnostic::{Diagnostic, nearest};
use crate::serverless::model::{BucketSettings, EventSource, S3Event};
use crate::serverless::names::upper_first;
use crate::yaml::{Entry, Node};

const DEFAULT_EVENT: &str = "s3:ObjectCreated:*";

/// Reads one `s3` event; none when it is wrong.
pub(super) fn event(entry: &Entry, path: &str, problems: &mut Problems) -> Option<S3Event> {
    let node = &entry.node;
    if let Some(bucket) = node.as_text() {
        return Some(S3Event {
            bucket: bucket.to_owned(),
            existing: None,
            event: DEFAULT_EVENT.to_owned(),
            rules: Vec::new(),
        });
    }
    let mut section = Section::new(node, path, problems);
    section.ignore(&["forceDeploy"]);
    let existing = section.boolean("existing", problems).unwrap_or(false);
    let event = event_name(&mut section, problems);
    let rules = rules(&mut section, problems);
    let bucket = bucket(&mut section, existing, problems);
    section.finish(problems);
    let (bucket, existing) = bucket?;
    Some(S3Event {
        bucket,
        existing,
        event: event?,
        rules: rules?,
    })
}

/// What the bucket is called, and where it is if it is there.
fn bucket(
    section: &mut Section<'_>,
    existing: bool,
    problems: &mut Problems,
) -> Option<(String, Option<Value>)> {
    let Some(node) = section.get("bucket") else {
        section.missing("bucket", "name the bucket: `bucket: photos`", problems);
        return None;
    };
    if !is_expression(node) {
        let name = section.text("bucket", problems)?;
        let there = existing.then(|| Value::String(name.clone()));
        return Some((name, there));
    }
    if !existing {
        let path = section.path_of("bucket");
        let problem = Diagnostic::error(format!("`{path}` is an expression, not the name of a new bucket"));
        problems.add(
            problem
                .at(&node.span)
                .hint("write the bucket's name, or add `existing: true` for a bucket that is there"),
        );
        return None;
    }
    let expression = node.to_json();
    let name = name_of(&expression).unwrap_or("Bucket").to_owned();
    Some((name, Some(expression)))
}

fn event_name(section: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let Some(node) = section.get("event") else {
        return Some(DEFAULT_EVENT.to_owned());
    };
    let name = section.text("event", problems)?;
    if bucket_event::HAPPEN.contains(&&*name) {
        return Some(name);
    }
    let path = section.path_of("event");
    let problem = match bucket_event::is_impossible(&name) {
        true => Diagnostic::error(format!("`{path}` is `{name}`, which never happens on a node"))
            .hint("remove the event: there is nothing that it could tell of"),
        false => Diagnostic::error(format!("`{path}` is `{name}`, not an event of a bucket")).hint(
            match nearest(&name, bucket_event::HAPPEN.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "for example `s3:ObjectCreated:*` or `s3:ObjectRemoved:Delete`".to_owned(),
            },
        ),
    };
    problems.add(problem.at(&node.span));
    None
}

/// `[{prefix: …}, {suffix: …}]`
fn rules(section: &mut Section<'_>, problems: &mut Problems) -> Option<Vec<(String, Value)>> {
    let Some(node) = section.get("rules") else {
        return Some(Vec::new());
    };
    let rules: Option<Vec<_>> = node.as_list().and_then(|rules| rules.iter().map(rule).collect());
    if rules.is_none() {
        let path = section.path_of("rules");
        let problem = Diagnostic::error(format!("`{path}` is not a list of prefixes and suffixes"));
        problems.add(
            problem
                .at(&node.span)
                .hint("write `rules: [{prefix: uploads/}, {suffix: .jpg}]`"),
        );
    }
    rules
}

fn rule(node: &Node) -> Option<(String, Value)> {
    let map = node.as_map().filter(|map| map.len() == 1)?;
    let entry = map.iter().next()?;
    let value = match entry.node.scalar_text() {
        Some(text) => Value::String(text),
        None => is_expression(&entry.node).then(|| entry.node.to_json())?,
    };
    matches!(entry.key.as_str(), "prefix" | "suffix").then(|| (entry.key.clone(), value))
}

/// `provider.s3`: settings of the buckets that `s3` events make, by the name the events give them.
pub(super) fn settings(
    provider: &mut Section<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, BucketSettings> {
    let Some(node) = provider.get("s3") else {
        return BTreeMap::new();
    };
    let Some(map) = node.as_map() else {
        provider.wrong("s3", node, "a mapping of buckets", problems);
        return BTreeMap::new();
    };
    let buckets = map.iter().filter(|entry| !entry.node.is_null());
    buckets
        .map(|entry| (entry.key.clone(), bucket_settings(entry, problems)))
        .collect()
}

fn bucket_settings(entry: &Entry, problems: &mut Problems) -> BucketSettings {
    let path = format!("provider.s3.{}", entry.key);
    let Some(map) = entry.node.as_map() else {
        let kind = entry.node.kind();
        problems.error(&entry.node.span, format!("`{path}` is {kind}, not a mapping"));
        return BucketSettings::default();
    };
    let name = map.get("name");
    if let Some(name) = name.filter(|name| name.scalar_text().is_none()) {
        let kind = name.kind();
        problems.error(&name.span, format!("`{path}.name` is {kind}, not text"));
    }
    let others = map
        .iter()
        .filter(|property| property.key != "name" && !property.node.is_null());
    let properties: Map<String, Value> = others
        .map(|property| (upper_first(&property.key), property.node.to_json()))
        .collect();
    BucketSettings {
        name: name.and_then(Node::scalar_text),
        properties,
    }
}

/// Warns of settings of buckets that no event makes: they change nothing.
pub(super) fn warn_of_unused(provider: &Node, functions: &[ReadFunction], problems: &mut Problems) {
    let events = functions.iter().flat_map(|read| &read.function.events);
    let made: Vec<&str> = events
        .filter_map(|event| match &event.source {
            EventSource::S3(s3) if s3.existing.is_none() => Some(s3.bucket.as_str()),
            _ => None,
        })
        .collect();
    let written = provider.child("s3").and_then(Node::as_map);
    for entry in written.into_iter().flatten() {
        if !made.contains(&entry.key.as_str()) {
            let message = format!(
                "no `s3` event makes the bucket `{}`, so its settings change nothing",
                entry.key
            );
            problems.warn(&entry.key_span, message);
        }
    }
}
