//! The tags of a stack, given to its resources.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tradewind_model::resource::{Properties, ResourceType};

/// The property of the types that have tags.
const TAGS: &str = "Tags";
/// Types of these services write tags as a mapping, the others as a list of keys and values.
const MAPPED: [&str; 2] = ["AWS::ApiGatewayV2::", "AWS::Pipes::"];

/// Adds the tags that the resource does not set itself, if its type has tags.
pub(crate) fn add(
    properties: &mut Properties,
    resource_type: &dyn ResourceType,
    tags: &BTreeMap<String, String>,
) {
    if tags.is_empty() || !resource_type.known_properties().accepted.contains(&TAGS) {
        return;
    }
    let name = resource_type.type_name();
    let empty = match MAPPED.iter().any(|service| name.starts_with(service)) {
        true => Value::Object(Map::new()),
        false => Value::Array(Vec::new()),
    };
    extend(properties.entry(TAGS).or_insert(empty), tags);
}

fn extend(own: &mut Value, tags: &BTreeMap<String, String>) {
    match own {
        Value::Object(own) => {
            for (key, value) in tags {
                own.entry(key.as_str()).or_insert_with(|| value.as_str().into());
            }
        }
        Value::Array(own) => {
            let is_set = |key: &str| {
                own.iter()
                    .any(|tag| tag.get("Key").and_then(Value::as_str) == Some(key))
            };
            let further: Vec<_> = tags.iter().filter(|(key, _)| !is_set(key)).collect();
            own.extend(
                further
                    .iter()
                    .map(|(key, value)| json!({"Key": key, "Value": value})),
            );
        }
        // the type says what is wrong with it
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_s_own_tags_win() {
        let tags =
            [("STAGE", "dev"), ("team", "shop")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let tags = BTreeMap::from(tags);
        let mut listed = json!([{"Key": "team", "Value": "till"}]);
        extend(&mut listed, &tags);
        assert_eq!(
            listed,
            json!([{"Key": "team", "Value": "till"}, {"Key": "STAGE", "Value": "dev"}])
        );
        let mut mapped = json!({"team": "till"});
        extend(&mut mapped, &tags);
        assert_eq!(mapped, json!({"team": "till", "STAGE": "dev"}));
    }
}
