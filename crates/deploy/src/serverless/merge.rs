//! Deep merging: mappings merge, lists merge index by index, everything else replaces.

use serde_json::Value;

use crate::yaml::{Content, Node};

/// Merges `from` into `into`.
pub(super) fn merge_nodes(into: &mut Node, from: &Node) {
    match (&mut into.content, &from.content) {
        (Content::Map(into), Content::Map(from)) => {
            for entry in from {
                match into.get_mut(&entry.key) {
                    Some(node) => merge_nodes(node, &entry.node),
                    None => into.append(entry, entry.node.clone()),
                }
            }
        }
        (Content::List(into), Content::List(from)) => {
            for (index, node) in from.iter().enumerate() {
                match into.get_mut(index) {
                    Some(old) => merge_nodes(old, node),
                    None => into.push(node.clone()),
                }
            }
        }
        _ => *into = from.clone(),
    }
}

/// Merges `from` into `into`; null in a mapping changes nothing.
pub(super) fn merge_json(into: &mut Value, from: &Value) {
    match (&mut *into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from.iter().filter(|(_, value)| !value.is_null()) {
                match into.get_mut(key) {
                    Some(old) => merge_json(old, value),
                    None => drop(into.insert(key.clone(), without_nulls(value))),
                }
            }
        }
        (Value::Array(into), Value::Array(from)) => {
            for (index, value) in from.iter().enumerate() {
                match into.get_mut(index) {
                    Some(old) => merge_json(old, value),
                    None => into.push(without_nulls(value)),
                }
            }
        }
        (into, from) => *into = without_nulls(from),
    }
}

/// `value` without mapping entries that are null.
pub(super) fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::yaml::parse_yaml;
    use serde_json::json;

    #[test]
    fn mappings_and_lists_merge_and_scalars_replace() {
        let mut into = json!({"a": {"x": 1, "l": [1, {"k": 1}]}, "b": 1});
        merge_json(
            &mut into,
            &json!({"a": {"y": 2, "l": [null, {"m": null, "n": 3}, 4]}, "b": {"c": null}, "z": null}),
        );
        let expected = json!({"a": {"x": 1, "l": [null, {"k": 1, "n": 3}, 4], "y": 2}, "b": {}});
        assert_eq!(into, expected);
    }

    #[test]
    fn nodes_merge_alike() {
        let parse = |text| parse_yaml(text, Path::new("s.yml")).unwrap();
        let mut into = parse("a: {x: 1, l: [1, 2]}");
        merge_nodes(&mut into, &parse("a: {l: [9], y: ~}\nb: 2"));
        assert_eq!(
            into.to_json(),
            json!({"a": {"x": 1, "l": [9, 2], "y": null}, "b": 2})
        );
    }
}
