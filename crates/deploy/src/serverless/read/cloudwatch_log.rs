//! `cloudwatchLog` events: subscription filters of log groups.

use super::section::{Problems, Section};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::LogEvent;
use crate::yaml::{Entry, Node};

/// Reads one `cloudwatchLog` event; none when it is wrong.
pub(super) fn event(entry: &Entry, path: &str, problems: &mut Problems) -> Option<LogEvent> {
    let node = &entry.node;
    if let Some(group) = node.as_text() {
        return Some(LogEvent {
            group: group_name(group.to_owned(), node, path, problems)?,
            filter: String::new(),
        });
    }
    let mut section = Section::new(node, path, problems);
    let filter = section.text("filter", problems).unwrap_or_default();
    let group = match section.get("logGroup") {
        Some(node) => {
            let path = section.path_of("logGroup");
            section
                .text("logGroup", problems)
                .and_then(|group| group_name(group, node, &path, problems))
        }
        None => {
            section.missing(
                "logGroup",
                "name the log group: `logGroup: /aws/lambda/name`",
                problems,
            );
            None
        }
    };
    section.finish(problems);
    Some(LogEvent {
        group: group?,
        filter: one_line(&filter),
    })
}

/// Folded over lines in the file, a name or a filter is still one line.
fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], "")
}

fn group_name(name: String, node: &Node, path: &str, problems: &mut Problems) -> Option<String> {
    let name = one_line(&name);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/' | '.' | '#');
    if name.is_empty() || name.len() > 512 || !name.chars().all(fits) {
        let problem = Diagnostic::error(format!("`{path}`: `{name}` cannot name a log group"));
        problems.add(
            problem
                .at(&node.span)
                .hint("use letters, digits, `_`, `-`, `/`, `.` and `#`"),
        );
        return None;
    }
    Some(name)
}
