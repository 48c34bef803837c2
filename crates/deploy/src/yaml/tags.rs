//! CloudFormation's short tags and YAML's own.

use saphyr_parser::Tag;

use super::{Content, Entry, Map, Node, scalar};
use crate::diagnostic::{Diagnostic, Span, nearest};

/// The functions that have a short tag (CloudFormation User Guide, "Intrinsic function reference").
const SHORT_TAGS: [&str; 18] = [
    "And",
    "Base64",
    "Cidr",
    "Condition",
    "Equals",
    "FindInMap",
    "GetAtt",
    "GetAZs",
    "If",
    "ImportValue",
    "Join",
    "Not",
    "Or",
    "Ref",
    "Select",
    "Split",
    "Sub",
    "Transform",
];

/// The node behind `tag`: the function it is short for, or the same content with another type.
pub(super) fn apply(tag: &Tag, node: Node) -> Result<Node, Diagnostic> {
    if tag.is_yaml_core_schema() {
        return core(&tag.suffix, node);
    }
    let name = tag.suffix.as_str();
    if tag.handle != "!" || !SHORT_TAGS.contains(&name) {
        return Err(unknown(tag, &node.span));
    }
    Ok(written_out(name, node))
}

fn written_out(name: &str, node: Node) -> Node {
    let key = match name {
        "Ref" | "Condition" => name.to_owned(),
        _ => format!("Fn::{name}"),
    };
    let span = node.span.clone();
    let node = if name == "GetAtt" {
        split_attribute(node)
    } else {
        node
    };
    let mut map = Map::default();
    map.push(Entry {
        key,
        key_span: span.clone(),
        node,
    });
    Node::new(&span, Content::Map(map))
}

/// `A.B.C` → `[A, B.C]`
fn split_attribute(node: Node) -> Node {
    let Some((resource, attribute)) = node.as_text().and_then(|text| text.split_once('.')) else {
        return node;
    };
    let parts = vec![
        Node::text(&node.span, resource),
        Node::text(&node.span, attribute),
    ];
    Node::new(&node.span, Content::List(parts))
}

fn core(name: &str, node: Node) -> Result<Node, Diagnostic> {
    let text = node.scalar_text().unwrap_or_default();
    let content = match (name, &node.content) {
        ("map", Content::Map(_)) | ("seq", Content::List(_)) => return Ok(node),
        ("str", Content::Text(_)) => return Ok(node),
        ("null", _) if text.is_empty() => Content::Null,
        ("bool" | "null" | "int" | "float", Content::Text(text)) => scalar::plain(text),
        _ => {
            let message = format!("tag `!!{name}` does not fit {}", node.kind());
            return Err(Diagnostic::error(message).at(&node.span));
        }
    };
    let fits = match name {
        "bool" => matches!(content, Content::Bool(_)),
        "null" => matches!(content, Content::Null),
        _ => matches!(content, Content::Number(_)),
    };
    if fits {
        return Ok(Node::new(&node.span, content));
    }
    Err(Diagnostic::error(format!("`{text}` is not what tag `!!{name}` says")).at(&node.span))
}

fn unknown(tag: &Tag, span: &Span) -> Diagnostic {
    let error = Diagnostic::error(format!("unknown tag `{}{}`", tag.handle, tag.suffix)).at(span);
    match nearest(&tag.suffix, SHORT_TAGS) {
        Some(name) => error.hint(format!("did you mean `!{name}`?")),
        None => error.hint(format!(
            "CloudFormation's short tags are !{}",
            SHORT_TAGS.join(" !")
        )),
    }
}
