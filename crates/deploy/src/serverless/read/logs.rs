//! `logs` of a function and `provider.logs.lambda`: how functions log, and where.

use super::section::{Problems, Section};
use crate::serverless::model::Logging;

const FORMATS: &[&str] = &["JSON", "Text"];
const APPLICATION_LEVELS: &[&str] = &["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const SYSTEM_LEVELS: &[&str] = &["DEBUG", "INFO", "WARN"];

/// What a function says itself; it replaces what the provider says.
pub(super) fn of_function(function: &mut Section<'_>, problems: &mut Problems) -> Option<Logging> {
    let logs = function.section("logs", problems)?;
    Some(read(logs, problems))
}

/// What the provider says for all functions.
pub(super) fn of_provider(provider: &mut Section<'_>, problems: &mut Problems) -> Option<Logging> {
    let mut logs = provider.section("logs", problems)?;
    // logs of other services than functions
    logs.ignore(&["frameworkLambda", "httpApi", "restApi", "websocket"]);
    let read = logs
        .section("lambda", problems)
        .map(|lambda| read(lambda, problems));
    logs.finish(problems);
    read
}

fn read(mut logs: Section<'_>, problems: &mut Problems) -> Logging {
    let read = Logging {
        format: one_of(&mut logs, "logFormat", FORMATS, problems),
        application_level: one_of(&mut logs, "applicationLogLevel", APPLICATION_LEVELS, problems),
        system_level: one_of(&mut logs, "systemLogLevel", SYSTEM_LEVELS, problems),
        group: logs.get("logGroup").map(crate::yaml::Node::to_json),
    };
    logs.finish(problems);
    read
}

fn one_of(
    logs: &mut Section<'_>,
    key: &'static str,
    known: &[&str],
    problems: &mut Problems,
) -> Option<String> {
    let node = logs.get(key)?;
    let text = node.scalar_text().filter(|text| known.contains(&text.as_str()));
    if text.is_none() {
        logs.wrong(key, node, &format!("one of {}", known.join(", ")), problems);
    }
    text
}
