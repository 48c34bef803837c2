//! `sns` events.

use super::event_pattern::check_policy;
use super::expression::{self, ArnOf, is_expression, name_of};
use super::section::{Problems, Section};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::{Redrive, SnsEvent, Topic};
use crate::yaml::{Entry, Node};

const TOPIC: ArnOf = ArnOf {
    what: "a topic",
    services: &["sns"],
    example: "for example `arn:aws:sns:us-east-1:000000000000:orders`",
};

const DEAD_LETTERS: ArnOf = ArnOf {
    what: "a queue",
    services: &["sqs"],
    example: "for example `arn:aws:sqs:us-east-1:000000000000:failed`; for a queue below `resources` write \
              `deadLetterTargetRef: Failed`",
};

/// Reads one `sns` event; none when it is wrong.
pub(super) fn event(entry: &Entry, path: &str, problems: &mut Problems) -> Option<SnsEvent> {
    let node = &entry.node;
    if let Some(text) = node.as_text() {
        let (topic, name) = short(text, node, path, problems)?;
        return Some(SnsEvent {
            topic,
            name,
            filter_policy: None,
            filter_policy_scope: None,
            redrive: None,
        });
    }
    let mut section = Section::new(node, path, problems);
    let topic = topic(&mut section, problems);
    let policy = section.get("filterPolicy");
    if let Some(node) = policy.filter(|node| node.as_map().is_none()) {
        section.wrong("filterPolicy", node, "a mapping", problems);
    }
    let redrive = redrive(&mut section, problems);
    let scope = section.one_of(
        "filterPolicyScope",
        &["MessageAttributes", "MessageBody"],
        problems,
    );
    if let Some(node) = policy.filter(|node| node.as_map().is_some()) {
        check_policy(node, &section.path_of("filterPolicy"), scope, problems);
    }
    section.finish(problems);
    let (topic, name) = topic?;
    Some(SnsEvent {
        topic,
        name,
        filter_policy: policy.map(Node::to_json),
        filter_policy_scope: scope.map(str::to_owned),
        redrive: redrive?,
    })
}

/// A name, or the ARN of a topic that is there.
fn short(text: &str, node: &Node, path: &str, problems: &mut Problems) -> Option<(Topic, String)> {
    if text.starts_with("arn:") {
        let arn = expression::arn_of_node(node, path, TOPIC, problems)?;
        let name = name_of(&arn)?.to_owned();
        return Some((Topic::Existing { arn }, name));
    }
    checked_name(text.to_owned(), node, path, problems).map(|name| (Topic::New { display_name: None }, name))
}

fn checked_name(name: String, node: &Node, path: &str, problems: &mut Problems) -> Option<String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let stem = name.strip_suffix(".fifo").unwrap_or(&name);
    if stem.is_empty() || name.len() > 256 || !stem.chars().all(fits) {
        let problem = Diagnostic::error(format!("`{path}`: `{name}` cannot name a topic")).at(&node.span);
        problems.add(problem.hint("use up to 256 letters, digits, `-` and `_`"));
        return None;
    }
    Some(name)
}

/// `arn`, `topicName` and `displayName`.
fn topic(section: &mut Section<'_>, problems: &mut Problems) -> Option<(Topic, String)> {
    let display_name = section.text("displayName", problems);
    let path = section.path_of("topicName");
    let name = match section.get("topicName") {
        Some(node) => {
            let text = section.text("topicName", problems)?;
            Some(checked_name(text, node, &path, problems)?)
        }
        None => None,
    };
    let Some(node) = section.get("arn") else {
        if name.is_none() {
            section.missing("topicName", "name the topic, or give its `arn`", problems);
        }
        return Some((Topic::New { display_name }, name?));
    };
    let arn = expression::arn(section, "arn", TOPIC, problems)?;
    if name.is_none() && is_expression(node) {
        let hint = "`arn` is an expression; say how the topic is to be called in this template";
        section.missing("topicName", hint, problems);
        return None;
    }
    let name = match name {
        Some(name) => name,
        None => name_of(&arn)?.to_owned(),
    };
    Some((Topic::Existing { arn }, name))
}

/// The ways to name the queue of a redrive policy.
const TARGETS: [&str; 3] = [
    "deadLetterTargetArn",
    "deadLetterTargetRef",
    "deadLetterTargetImport",
];

/// None when it is wrong, some of none when there is none.
fn redrive(section: &mut Section<'_>, problems: &mut Problems) -> Option<Option<Redrive>> {
    let Some(mut policy) = section.section("redrivePolicy", problems) else {
        return Some(None);
    };
    policy.expect(&TARGETS);
    let given: Vec<_> = TARGETS
        .into_iter()
        .filter(|key| policy.given(key).is_some())
        .collect();
    let read = match given.as_slice() {
        ["deadLetterTargetArn"] => target_arn(&mut policy, problems),
        ["deadLetterTargetRef"] => policy
            .text("deadLetterTargetRef", problems)
            .map(Redrive::Reference),
        ["deadLetterTargetImport"] => {
            let import = policy.section("deadLetterTargetImport", problems);
            import.and_then(|import| imported(import, problems))
        }
        _ => {
            let path = section.path_of("redrivePolicy");
            let problem = Diagnostic::error(format!("`{path}` names no queue, or several"));
            problems.add(problem.at(policy.span()).hint(DEAD_LETTERS.example));
            None
        }
    };
    policy.finish(problems);
    read.map(Some)
}

/// An ARN in plain text, or that of a queue of the template.
fn target_arn(policy: &mut Section<'_>, problems: &mut Problems) -> Option<Redrive> {
    let node = policy.get("deadLetterTargetArn")?;
    let arn = expression::arn(policy, "deadLetterTargetArn", DEAD_LETTERS, problems)?;
    match (arn.as_str(), arn.get("Fn::GetAtt"), name_of(&arn)) {
        (Some(text), ..) => Some(Redrive::Arn(text.to_owned())),
        (None, Some(_), Some(queue)) => Some(Redrive::Reference(queue.to_owned())),
        _ => {
            let path = policy.path_of("deadLetterTargetArn");
            let problem = Diagnostic::error(format!("`{path}` is an expression that does not name a queue"));
            problems.add(problem.at(&node.span).hint(DEAD_LETTERS.example));
            None
        }
    }
}

fn imported(mut section: Section<'_>, problems: &mut Problems) -> Option<Redrive> {
    for key in ["arn", "url"] {
        if section.given(key).is_none() {
            section.missing(key, "name what another stack exports", problems);
        }
    }
    let arn = section.text("arn", problems);
    let url = section.text("url", problems);
    section.finish(problems);
    Some(Redrive::Import { arn: arn?, url: url? })
}
