//! `layers`: what the project publishes, and which of them functions have.

use serde_json::Value;

use super::package::Packaging;
use super::section::{Problems, Section};
use crate::diagnostic::Diagnostic;
use crate::serverless::model::Layer;
use crate::serverless::names;
use crate::yaml::{Entry, Node};

/// A layer and how it wants to be packaged.
#[derive(Debug)]
pub(super) struct ReadLayer {
    pub(super) layer: Layer,
    pub(super) packaging: Packaging,
    /// The folder whose contents it holds, relative to the service directory.
    pub(super) path: Option<String>,
}

/// Reads `layers` of the service.
pub(super) fn read(layers: Option<&Node>, problems: &mut Problems) -> Vec<ReadLayer> {
    let entries = layers.and_then(Node::as_map).into_iter().flatten();
    entries
        .filter(|entry| !entry.node.is_null())
        .filter_map(|entry| layer(entry, problems))
        .collect()
}

fn layer(entry: &Entry, problems: &mut Problems) -> Option<ReadLayer> {
    let key = entry.key.as_str();
    if !names::is_function_key(key) {
        problems.add(
            Diagnostic::error(format!("`{key}` cannot name a layer"))
                .at(&entry.key_span)
                .hint("use letters, digits, `-` and `_`"),
        );
        return None;
    }
    let mut section = Section::new(&entry.node, format!("layers.{key}"), problems);
    let path = section.text("path", problems);
    let path_span = section.given("path").map(|given| given.node.span.clone());
    let packaging = Packaging::read(section.get("package"), &section.path_of("package"), problems);
    let layer = Layer {
        key: key.to_owned(),
        id: names::normalise(key),
        name: section.text("name", problems),
        description: section.text("description", problems),
        runtimes: section.texts("compatibleRuntimes", problems).unwrap_or_default(),
        architectures: section
            .texts("compatibleArchitectures", problems)
            .unwrap_or_default(),
        license: section.text("licenseInfo", problems),
        retain: section.boolean("retain", problems).unwrap_or(false),
        allowed_accounts: section.texts("allowedAccounts", problems).unwrap_or_default(),
        package: 0,
        node: entry.node.clone(),
        span: path_span.unwrap_or_else(|| entry.key_span.clone()),
    };
    section.finish(problems);
    if path.is_none() && packaging.artifact.is_none() {
        problems.add(
            Diagnostic::error(format!("layer `{key}` has no content"))
                .at(&entry.key_span)
                .hint("add `path: folder`, the folder whose contents it holds"),
        );
        return None;
    }
    Some(ReadLayer {
        layer,
        packaging,
        path,
    })
}

/// `layers` of a function or the provider: ARNs, as text or as expressions of CloudFormation.
pub(super) fn used(section: &mut Section<'_>, problems: &mut Problems) -> Option<Vec<Value>> {
    let node = section.get("layers")?;
    let Some(items) = node.as_list() else {
        return match node.to_json() {
            arn @ (Value::String(_) | Value::Object(_)) => Some(vec![arn]),
            _ => {
                section.wrong("layers", node, "a list of layer ARNs", problems);
                None
            }
        };
    };
    let mut layers = Vec::new();
    for item in items.iter().filter(|item| !item.is_null()) {
        match item.to_json() {
            arn @ (Value::String(_) | Value::Object(_)) => layers.push(arn),
            _ => section.wrong("layers", item, "the ARN of a layer version", problems),
        }
    }
    Some(layers)
}
