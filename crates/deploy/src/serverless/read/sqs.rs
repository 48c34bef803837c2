//! `sqs` events.

use super::event_pattern::check_pattern;
use super::expression::{self, ArnOf};
use super::section::{Problems, Section};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::SqsEvent;
use crate::yaml::Entry;

/// The reference's default.
const DEFAULT_BATCH_SIZE: u64 = 10;
/// Filters of one mapping (Lambda Developer Guide, "Event filtering").
const MAX_FILTERS: usize = 10;

const QUEUE: ArnOf = ArnOf {
    what: "a queue",
    services: &["sqs"],
    example: "for example `arn:aws:sqs:us-east-1:000000000000:orders`, or `!GetAtt Orders.Arn` for a queue below \
              `resources`",
};

/// Reads one `sqs` event; none when it is wrong.
pub(super) fn event(entry: &Entry, path: &str, problems: &mut Problems) -> Option<SqsEvent> {
    let node = &entry.node;
    if node.as_text().is_some() || expression::is_expression(node) {
        let queue = expression::arn_of_node(node, path, QUEUE, problems)?;
        return Some(SqsEvent {
            queue,
            batch_size: DEFAULT_BATCH_SIZE,
            batching_window: None,
            enabled: true,
            reports_failures: false,
            filter_patterns: Vec::new(),
            maximum_concurrency: None,
        });
    }
    let mut section = Section::new(node, path, problems);
    if section.given("arn").is_none() {
        section.missing("arn", QUEUE.example, problems);
    }
    let queue = expression::arn(&mut section, "arn", QUEUE, problems);
    let failures = ["ReportBatchItemFailures"];
    let event = SqsEvent {
        batch_size: section
            .integer_in("batchSize", 1..=10_000, problems)
            .unwrap_or(DEFAULT_BATCH_SIZE),
        batching_window: section.integer_in("maximumBatchingWindow", 0..=300, problems),
        enabled: section.boolean("enabled", problems).unwrap_or(true),
        reports_failures: section
            .one_of("functionResponseType", &failures, problems)
            .is_some(),
        filter_patterns: filter_patterns(&mut section, problems),
        maximum_concurrency: section.integer_in("maximumConcurrency", 2..=1000, problems),
        queue: queue.unwrap_or_default(),
    };
    section.finish(problems);
    (!event.queue.is_null()).then_some(event)
}

/// Each pattern as JSON.
pub(super) fn filter_patterns(section: &mut Section<'_>, problems: &mut Problems) -> Vec<String> {
    let Some(node) = section.get("filterPatterns") else {
        return Vec::new();
    };
    let patterns = node.as_list().unwrap_or_default();
    if node.as_list().is_none() || patterns.iter().any(|pattern| pattern.as_map().is_none()) {
        section.wrong("filterPatterns", node, "a list of event patterns", problems);
        return Vec::new();
    }
    if patterns.len() > MAX_FILTERS {
        let path = section.path_of("filterPatterns");
        let message = format!("`{path}` has {} patterns", patterns.len());
        let problem = Diagnostic::error(message).at(&node.span);
        problems.add(problem.hint(format!(
            "a mapping has at most {MAX_FILTERS}; one pattern can name several values"
        )));
    }
    for (index, pattern) in patterns.iter().enumerate() {
        let path = format!("{}.{index}", section.path_of("filterPatterns"));
        check_pattern(pattern, &path, problems);
    }
    patterns
        .iter()
        .map(|pattern| pattern.to_json().to_string())
        .collect()
}
