//! What rules and schedules give their target: `input`, `inputPath` and `inputTransformer`; and the settings
//! that both have.

use serde_json::Value;

use super::section::{Problems, Section};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::RuleInput;
use crate::yaml::{Content, Node};

/// Limits of rules and schedules (EventBridge API reference).
const MAX_NAME: usize = 64;
const MAX_DESCRIPTION: usize = 512;
const MAX_INPUT: usize = 8192;

/// `name`: of a rule or a schedule.
pub(super) fn name(section: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    let node = section.get("name")?;
    let name = section.short_text("name", MAX_NAME, problems)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || !name.chars().all(fits) {
        let path = section.path_of("name");
        let problem = Diagnostic::error(format!("`{path}`: `{name}` cannot name a rule or a schedule"));
        problems.add(
            problem
                .at(&node.span)
                .hint("use letters, digits, `.`, `-` and `_`"),
        );
        return None;
    }
    Some(name)
}

/// `description`
pub(super) fn description(section: &mut Section<'_>, problems: &mut Problems) -> Option<String> {
    section.short_text("description", MAX_DESCRIPTION, problems)
}

/// At most one of the three; none when there is none, or when it is wrong.
pub(super) fn read(section: &mut Section<'_>, problems: &mut Problems) -> Option<RuleInput> {
    const KEYS: [&str; 3] = ["input", "inputPath", "inputTransformer"];
    let given: Vec<_> = KEYS.iter().filter_map(|key| section.given(key)).collect();
    if let [first, second, ..] = given.as_slice() {
        let message = format!("`{}` and `{}` cannot stand together", first.key, second.key);
        let problem = Diagnostic::error(message).at(&second.key_span);
        problems.add(problem.hint("a target gets either `input`, `inputPath` or `inputTransformer`"));
    }
    let constant = section
        .get("input")
        .and_then(|node| constant(section, node, problems));
    let path = section
        .short_text("inputPath", 256, problems)
        .map(RuleInput::Path);
    let transformer = section
        .section("inputTransformer", problems)
        .and_then(|transformer| transformed(transformer, problems));
    constant.or(path).or(transformer)
}

/// Text as it stands, anything else as JSON; JSON inside `body` is taken out of its text, as the reference does.
fn constant(section: &Section<'_>, node: &Node, problems: &mut Problems) -> Option<RuleInput> {
    let text = match &node.content {
        Content::Text(text) => text.clone(),
        Content::Map(_) => with_parsed_body(node.to_json()).to_string(),
        _ => {
            section.wrong("input", node, "a mapping or text", problems);
            return None;
        }
    };
    if text.len() > MAX_INPUT {
        let path = section.path_of("input");
        let message = format!(
            "`{path}` has {} bytes, at most {MAX_INPUT} are allowed",
            text.len()
        );
        problems.error(&node.span, message);
    }
    Some(RuleInput::Constant(text))
}

fn with_parsed_body(mut input: Value) -> Value {
    if let Some(body) = input.get_mut("body")
        && let Some(parsed) = body.as_str().and_then(|text| serde_json::from_str(text).ok())
    {
        *body = parsed;
    }
    input
}

/// `{inputPathsMap, inputTemplate}`
fn transformed(mut section: Section<'_>, problems: &mut Problems) -> Option<RuleInput> {
    let paths = section.get("inputPathsMap");
    if let Some(node) = paths.filter(|node| node.as_map().is_none()) {
        section.wrong("inputPathsMap", node, "a mapping of names to paths", problems);
    }
    let template = section.get("inputTemplate");
    if template.is_none() {
        section.missing("inputTemplate", "for example `'{\"at\": <time>}'`", problems);
    }
    let template = template.and_then(|_| section.short_text("inputTemplate", MAX_INPUT, problems));
    section.finish(problems);
    Some(RuleInput::Transformer {
        paths: paths.map(Node::to_json),
        template: template?.into(),
    })
}
