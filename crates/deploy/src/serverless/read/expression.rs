//! Values that may be one of CloudFormation's functions, and ARNs among them.

use serde_json::Value;

use super::section::{Problems, Section};
use crate::diagnostic::Diagnostic;
use crate::yaml::{Content, Node};

/// Whether `node` is one of CloudFormation's functions: `{Ref: …}`, `{Fn::…: …}`.
pub(super) fn is_expression(node: &Node) -> bool {
    let only_key = node.as_map().filter(|map| map.len() == 1);
    only_key
        .and_then(|map| map.iter().next())
        .is_some_and(|entry| entry.key == "Ref" || entry.key.starts_with("Fn::"))
}

/// What an ARN must be of.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArnOf {
    /// In words, with its article.
    pub(super) what: &'static str,
    /// The services whose ARNs will do.
    pub(super) services: &'static [&'static str],
    pub(super) example: &'static str,
}

/// The ARN at `key`, or an expression that gives one; none when it is missing or wrong.
pub(super) fn arn(
    section: &mut Section<'_>,
    key: &'static str,
    of: ArnOf,
    problems: &mut Problems,
) -> Option<Value> {
    let node = section.get(key)?;
    arn_of_node(node, &section.path_of(key), of, problems)
}

/// The same of a value alone, which `path` leads to.
pub(super) fn arn_of_node(node: &Node, path: &str, of: ArnOf, problems: &mut Problems) -> Option<Value> {
    let problem = match &node.content {
        Content::Text(text) => problem_of_arn(text, path, of),
        Content::Map(_) if is_expression(node) => None,
        _ => Some(
            Diagnostic::error(format!("`{path}` is {}, not the ARN of {}", node.kind(), of.what))
                .hint(of.example),
        ),
    };
    match problem {
        Some(problem) => {
            problems.add(problem.at(&node.span));
            None
        }
        None => Some(node.to_json()),
    }
}

fn problem_of_arn(text: &str, path: &str, of: ArnOf) -> Option<Diagnostic> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let service = match parts.as_slice() {
        ["arn", _, service, _, _, resource] if !resource.is_empty() => *service,
        _ => {
            let message = format!("`{path}` is `{text}`, not the ARN of {}", of.what);
            return Some(Diagnostic::error(message).hint(of.example));
        }
    };
    if text.contains("${") {
        let message = format!("`{path}` contains `${{`, which is not resolved in plain text");
        return Some(Diagnostic::error(message).hint(format!("write `!Sub {text}`")));
    }
    let fits = of.services.contains(&service);
    (!fits).then(|| {
        let message = format!(
            "`{path}` is an ARN of the service `{service}`, not of {}",
            of.what
        );
        Diagnostic::error(message).hint(of.example)
    })
}

/// A name for what an ARN is of, for logical ids: the resource referred to, or the ARN's last part. None if
/// the expression says nothing of it.
pub(crate) fn name_of(arn: &Value) -> Option<&str> {
    let last_part = |text: &'_ str| -> Option<usize> { text.rfind([':', '/']).map(|at| at + 1) };
    let tail = |text| -> &str {
        last_part(text)
            .and_then(|at| str::get(text, at..))
            .unwrap_or(text)
    };
    if let Some(text) = arn.as_str() {
        return Some(tail(text));
    }
    let (function, argument) = arn.as_object()?.iter().next()?;
    match (function.as_str(), argument) {
        ("Fn::GetAtt", Value::Array(parts)) => parts.first()?.as_str(),
        ("Fn::GetAtt", Value::String(text)) => text.split('.').next(),
        ("Ref" | "Fn::ImportValue", Value::String(name)) => Some(name),
        ("Fn::Join", Value::Array(parts)) => name_of(parts.get(1)?.as_array()?.last()?),
        ("Fn::Sub", Value::String(text)) => Some(tail(text)),
        ("Fn::Sub", Value::Array(parts)) => parts.first()?.as_str().map(tail),
        _ => None,
    }
}
