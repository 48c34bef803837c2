//! `eventBridge` and `cloudwatchEvent` events: rules of an event bus.

use super::event_pattern::check_pattern;
use super::expression::{self, ArnOf, is_expression};
use super::section::{Problems, Section};
use super::{rule_input, schedule};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::{Bus, RuleEvent};
use crate::yaml::{Content, Entry, Node};

const DEAD_LETTERS: ArnOf = ArnOf {
    what: "a queue",
    services: &["sqs"],
    example: "for example `!GetAtt Failed.Arn` for a queue below `resources`",
};

const BUS: ArnOf = ArnOf {
    what: "an event bus",
    services: &["events"],
    example: "name the bus, or give an ARN such as `arn:aws:events:us-east-1:000000000000:event-bus/orders`",
};

/// The fields of an event that a pattern may name (EventBridge User Guide, "Event structure").
const FIELDS: [&str; 10] = [
    "$or",
    "account",
    "detail",
    "detail-type",
    "id",
    "region",
    "resources",
    "source",
    "time",
    "version",
];

/// Reads one `eventBridge` event; none when it is wrong.
pub(super) fn event_bridge(entry: &Entry, path: &str, problems: &mut Problems) -> Option<RuleEvent> {
    let mut section = Section::new(&entry.node, path, problems);
    entry.node.as_map()?;
    let pattern = pattern(&mut section, "pattern", problems);
    let schedule = rate(&mut section, problems);
    if section.given("pattern").is_none() && section.given("schedule").is_none() {
        section.missing(
            "pattern",
            "say which events: `pattern: {source: [shop]}`, or when: `schedule`",
            problems,
        );
    }
    let event = RuleEvent {
        bus: bus(&mut section, problems),
        schedule,
        pattern,
        enabled: section.boolean("enabled", problems).unwrap_or(true),
        name: rule_input::name(&mut section, problems),
        description: rule_input::description(&mut section, problems),
        input: rule_input::read(&mut section, problems),
        retry: retry(&mut section, problems),
        dead_letters: expression::arn(&mut section, "deadLetterQueueArn", DEAD_LETTERS, problems),
    };
    if let (Some(entry), false) = (
        section.given("schedule"),
        matches!(event.bus, Bus::Unnamed | Bus::Default),
    ) {
        let problem =
            Diagnostic::error("only rules of the default bus can have a schedule").at(&entry.key_span);
        problems.add(problem.hint("remove `eventBus`, or write a `schedule` event"));
    }
    section.finish(problems);
    (event.pattern.is_some() || event.schedule.is_some()).then_some(event)
}

/// Reads one `cloudwatchEvent` event; none when it is wrong.
pub(super) fn cloudwatch_event(entry: &Entry, path: &str, problems: &mut Problems) -> Option<RuleEvent> {
    let mut section = Section::new(&entry.node, path, problems);
    let pattern = pattern(&mut section, "event", problems);
    if section.given("event").is_none() {
        section.missing("event", "say which events: `event: {source: [aws.s3]}`", problems);
    }
    let event = RuleEvent {
        bus: Bus::Unnamed,
        schedule: None,
        enabled: section.boolean("enabled", problems).unwrap_or(true),
        name: rule_input::name(&mut section, problems),
        description: rule_input::description(&mut section, problems),
        input: rule_input::read(&mut section, problems),
        retry: None,
        dead_letters: None,
        pattern,
    };
    section.finish(problems);
    event.pattern.is_some().then_some(event)
}

/// A pattern's fields and what they match are checked here, so that mistakes are told before anything is built.
fn pattern(
    section: &mut Section<'_>,
    key: &'static str,
    problems: &mut Problems,
) -> Option<serde_json::Value> {
    let node = section.get(key)?;
    let Some(map) = node.as_map() else {
        section.wrong(
            key,
            node,
            "a mapping of fields to lists of what they may be",
            problems,
        );
        return None;
    };
    for entry in map.iter().filter(|entry| !FIELDS.contains(&entry.key.as_str())) {
        let path = section.path_of(key);
        let problem = Diagnostic::error(format!("`{path}` names `{}`, which no event has", entry.key));
        let near = crate::diagnostic::nearest(&entry.key, FIELDS);
        let hint = near.map_or_else(
            || "what the sender said stands below `detail`".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        problems.add(problem.at(&entry.key_span).hint(hint));
    }
    check_pattern(node, &section.path_of(key), problems);
    Some(node.to_json())
}

fn rate(section: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let node = section.get("schedule")?;
    let text = section.text("schedule", problems)?;
    if let Some(hint) = schedule::problem_of_rate(&text, false) {
        let path = section.path_of("schedule");
        let problem = Diagnostic::error(format!("`{path}` is `{text}`, not a schedule"));
        problems.add(problem.at(&node.span).hint(hint));
        return None;
    }
    Some(text)
}

fn bus(section: &mut Section<'_>, problems: &mut Problems) -> Bus {
    let Some(node) = section.get("eventBus") else {
        return Bus::Unnamed;
    };
    let path = section.path_of("eventBus");
    match &node.content {
        Content::Text(name) if name == "default" => Bus::Default,
        Content::Text(arn) if arn.starts_with("arn:") => {
            let checked = expression::arn_of_node(node, &path, BUS, problems);
            checked.map_or(Bus::Unnamed, |_| Bus::Arn(arn.clone()))
        }
        Content::Text(name) => {
            check_bus_name(name, node, &path, problems);
            Bus::New(name.clone())
        }
        Content::Map(_) if is_expression(node) => Bus::Expression(node.to_json()),
        _ => {
            section.wrong("eventBus", node, "the name or the ARN of an event bus", problems);
            Bus::Unnamed
        }
    }
}

fn check_bus_name(name: &str, node: &Node, path: &str, problems: &mut Problems) {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/');
    if name.is_empty() || name.len() > 256 || !name.chars().all(fits) {
        let problem = Diagnostic::error(format!("`{path}`: `{name}` cannot name an event bus"));
        problems.add(
            problem
                .at(&node.span)
                .hint("use letters, digits, `.`, `-`, `_` and `/`"),
        );
    }
}

/// `retryPolicy`
fn retry(section: &mut Section<'_>, problems: &mut Problems) -> Option<(Option<u64>, Option<u64>)> {
    let mut policy = section.section("retryPolicy", problems)?;
    let age = policy.integer_in("maximumEventAge", 60..=86_400, problems);
    let attempts = policy.integer_in("maximumRetryAttempts", 0..=185, problems);
    policy.finish(problems);
    Some((age, attempts))
}
