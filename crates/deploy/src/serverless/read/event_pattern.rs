//! Event patterns and filter policies: read as the node reads them, so that what is wrong is told before anything is
//! built, and where it stands.

use serde_json::{Value, json};
use tradewind_events::filter_policy::{FilterPolicy, FilterPolicyScope};
use tradewind_events::pattern::Pattern;

use super::expression::is_expression;
use super::section::Problems;
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::{Content, Node};

const FORMS: &str = "values stand in lists, operators in mappings within: \
                     `{state: [paid], total: [{numeric: ['>', 100]}]}`";

/// An operator whose list is one thing: its parts mean nothing alone.
const RANGE: &str = "numeric";

/// Reads a pattern or policy; what is wrong with it.
type Read<'r> = &'r dyn Fn(&str) -> Result<(), String>;

/// Adds what is wrong with an event pattern.
pub(super) fn check_pattern(node: &Node, path: &str, problems: &mut Problems) {
    let read = |text: &str| match Pattern::parse(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.reason().to_owned()),
    };
    check(node, path, &read, problems);
}

/// Adds what is wrong with a filter policy.
pub(super) fn check_policy(node: &Node, path: &str, scope: Option<&str>, problems: &mut Problems) {
    let scope = match scope {
        Some("MessageBody") => FilterPolicyScope::MessageBody,
        _ => FilterPolicyScope::MessageAttributes,
    };
    let read = |text: &str| match FilterPolicy::parse(text, scope) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    };
    check(node, path, &read, problems);
}

fn check(node: &Node, path: &str, read: Read<'_>, problems: &mut Problems) {
    if has_expression(node) {
        return;
    }
    if let Err(reason) = reason_of(&node.to_json(), read) {
        let span = culprit(node, &|value| value, read, &reason);
        let reason = reason.trim_start_matches("FilterPolicy: ");
        let problem = Diagnostic::error(format!("`{path}` cannot be matched: {reason}"));
        problems.add(problem.at(span).hint(FORMS));
    }
}

/// What the reader says, without the places in the text that it was given.
fn reason_of(value: &Value, read: Read<'_>) -> Result<(), String> {
    let first_line = |reason: String| reason.lines().next().unwrap_or_default().to_owned();
    read(&value.to_string()).map_err(first_line)
}

/// What is known only when the template is resolved cannot be read yet.
fn has_expression(node: &Node) -> bool {
    match &node.content {
        Content::Map(map) => is_expression(node) || map.iter().any(|entry| has_expression(&entry.node)),
        Content::List(items) => items.iter().any(has_expression),
        Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => false,
    }
}

/// The smallest part that is wrong by itself, for the same reason.
fn culprit<'n>(node: &'n Node, around: &dyn Fn(Value) -> Value, read: Read<'_>, reason: &str) -> &'n Span {
    let is_wrong = |part: Value| reason_of(&around(part), read).is_err_and(|found| found == reason);
    match &node.content {
        Content::Map(map) => {
            let mut entries = map.iter();
            let wrong = entries.find(|entry| is_wrong(json!({&entry.key: entry.node.to_json()})));
            wrong.map_or(&node.span, |entry| {
                if entry.key == RANGE {
                    return &entry.node.span;
                }
                let around = |value: Value| around(json!({&entry.key: value}));
                culprit(&entry.node, &around, read, reason)
            })
        }
        Content::List(items) => {
            let wrong = items.iter().find(|item| is_wrong(json!([item.to_json()])));
            wrong.map_or(&node.span, |item| {
                culprit(item, &|value| around(json!([value])), read, reason)
            })
        }
        Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => &node.span,
    }
}
