//! Checking and reading the properties of a resource, written once for every resource type.
//!
//! [`check_known`] and [`check_required`] see the template as written, where a value may still be
//! an intrinsic function; the readers see resolved properties. CloudFormation lets scalars stand
//! for one another (`RetentionInDays: "14"`), and so do the readers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Properties, PropertyProblem, ResourceError};

/// Names every top-level property that is not in `accepted`: with the reason if it is in
/// `refused`, else as unknown, with the accepted name that is spelt most like it.
#[must_use]
pub fn check_known(
    properties: &Properties,
    accepted: &[&str],
    refused: &[(&str, &str)],
) -> Vec<PropertyProblem> {
    let given = properties.iter().filter(|(_, value)| !is_no_value(value));
    given
        .filter(|(name, _)| !accepted.contains(&name.as_str()))
        .map(|(name, _)| problem(&[name], refusal(name, accepted, refused)))
        .collect()
}

/// Names every property of `required` that is missing.
#[must_use]
pub fn check_required(properties: &Properties, required: &[&str]) -> Vec<PropertyProblem> {
    let missing = |name: &&&str| properties.get(**name).is_none_or(is_no_value);
    required
        .iter()
        .filter(missing)
        .map(|name| problem(&[name], format!("required property `{name}` is missing")))
        .collect()
}

/// A problem at `path` below `Properties`.
#[must_use]
pub fn problem(path: &[&str], message: impl Into<String>) -> PropertyProblem {
    PropertyProblem {
        path: path.iter().map(|&name| name.to_owned()).collect(),
        message: message.into(),
    }
}

/// True for `{"Ref": …}`, `{"Fn::…": …}` and `{"Condition": …}`: a value that is not known before
/// the template is resolved, so a check has to let it pass.
#[must_use]
pub fn is_intrinsic(value: &Value) -> bool {
    let Value::Object(map) = value else { return false };
    let mut keys = map.keys();
    match (keys.next(), keys.next()) {
        (Some(key), None) => key == "Ref" || key == "Condition" || key.starts_with("Fn::"),
        _ => false,
    }
}

/// The text of property `name`; numbers and booleans are taken as they are written.
///
/// # Errors
/// When it is a list or an object.
pub fn optional_text(properties: &Properties, name: &str) -> Result<Option<String>, ResourceError> {
    match properties.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => scalar(value)
            .map(Some)
            .ok_or_else(|| wrong_type(name, "a string")),
    }
}

/// The text of property `name`, which must be there.
///
/// # Errors
/// When it is missing, a list or an object.
pub fn required_text(properties: &Properties, name: &str) -> Result<String, ResourceError> {
    optional_text(properties, name)?.ok_or_else(|| missing(name))
}

/// The whole number in property `name`, also where it is written as a string.
///
/// # Errors
/// When it is something else.
pub fn optional_integer(properties: &Properties, name: &str) -> Result<Option<i64>, ResourceError> {
    match optional_text(properties, name)? {
        None => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_not_a_number| wrong_type(name, "a whole number")),
    }
}

/// The truth value of property `name`, also where it is written as a string.
///
/// # Errors
/// When it is something else.
pub fn optional_bool(properties: &Properties, name: &str) -> Result<Option<bool>, ResourceError> {
    match optional_text(properties, name)?.as_deref() {
        None => Ok(None),
        Some("true" | "True" | "TRUE") => Ok(Some(true)),
        Some("false" | "False" | "FALSE") => Ok(Some(false)),
        Some(_) => Err(wrong_type(name, "true or false")),
    }
}

/// The tags of property `name`, given as a list of `{Key, Value}` or as a plain object.
///
/// # Errors
/// When it is neither, or a key is given twice.
pub fn optional_tags(properties: &Properties, name: &str) -> Result<BTreeMap<String, String>, ResourceError> {
    let wrong = || wrong_type(name, "a list of objects with `Key` and `Value`");
    let pairs: Vec<(String, String)> = match properties.get(name) {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(key, value)| Some((key.clone(), scalar(value)?)))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?,
        Some(Value::Array(list)) => list
            .iter()
            .map(|tag| Some((scalar(tag.get("Key")?)?, scalar(tag.get("Value")?)?)))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?,
        Some(_) => return Err(wrong()),
    };
    let mut tags = BTreeMap::new();
    for (key, value) in pairs {
        if tags.insert(key.clone(), value).is_some() {
            return Err(ResourceError::Invalid {
                message: format!("property `{name}` has the key `{key}` twice"),
            });
        }
    }
    Ok(tags)
}

fn missing(name: &str) -> ResourceError {
    ResourceError::Invalid {
        message: format!("required property `{name}` is missing"),
    }
}

fn wrong_type(name: &str, expected: &str) -> ResourceError {
    ResourceError::Invalid {
        message: format!("property `{name}` must be {expected}"),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn is_no_value(value: &Value) -> bool {
    is_intrinsic(value) && value.get("Ref").and_then(Value::as_str) == Some("AWS::NoValue")
}

fn refusal(name: &str, accepted: &[&str], refused: &[(&str, &str)]) -> String {
    if let Some((_, reason)) = refused.iter().find(|(refused, _)| *refused == name) {
        return format!("property `{name}` is not supported yet: {reason}");
    }
    let nearest = accepted
        .iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= 2 || *distance * 4 <= name.len());
    match nearest {
        Some((_, candidate)) => format!("unknown property `{name}`; did you mean `{candidate}`?"),
        None => format!("unknown property `{name}`"),
    }
}

/// Levenshtein distance without regard to case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn properties(value: Value) -> Properties {
        value.as_object().unwrap().clone()
    }

    fn messages(problems: Vec<PropertyProblem>) -> Vec<String> {
        problems.into_iter().map(|p| p.message).collect()
    }

    #[test]
    fn unknown_properties_are_named_with_the_nearest_accepted_one() {
        let given = properties(json!({"RoleName": "r", "Polices": [], "Zzz": 1}));
        assert_eq!(
            messages(check_known(&given, &["RoleName", "Policies"], &[])),
            [
                "unknown property `Polices`; did you mean `Policies`?",
                "unknown property `Zzz`"
            ]
        );
    }

    #[test]
    fn refused_properties_say_why() {
        let given = properties(json!({"KmsKeyId": {"Ref": "Key"}}));
        let found = check_known(&given, &[], &[("KmsKeyId", "logs are not encrypted")]);
        assert_eq!(found[0].path, ["KmsKeyId"]);
        assert_eq!(
            found[0].message,
            "property `KmsKeyId` is not supported yet: logs are not encrypted"
        );
    }

    #[test]
    fn no_value_is_the_same_as_absent() {
        let given = properties(json!({"X": {"Ref": "AWS::NoValue"}}));
        assert_eq!(check_known(&given, &[], &[]), []);
        assert_eq!(
            messages(check_required(&given, &["X"])),
            ["required property `X` is missing"]
        );
    }

    #[test]
    fn intrinsics_are_recognised_by_their_only_key() {
        for value in [
            json!({"Ref": "A"}),
            json!({"Fn::Sub": "x"}),
            json!({"Condition": "C"}),
        ] {
            assert!(is_intrinsic(&value), "{value}");
        }
        for value in [
            json!("Ref"),
            json!({"Ref": "A", "B": 1}),
            json!({"Effect": "Allow"}),
            json!({}),
        ] {
            assert!(!is_intrinsic(&value), "{value}");
        }
    }

    #[test]
    fn scalars_stand_for_one_another() {
        let given = properties(json!({"n": "14", "m": 7, "b": "true", "o": {}}));
        assert_eq!(optional_integer(&given, "n").unwrap(), Some(14));
        assert_eq!(required_text(&given, "m").unwrap(), "7");
        assert_eq!(optional_bool(&given, "b").unwrap(), Some(true));
        assert_eq!(optional_bool(&given, "absent").unwrap(), None);
        assert!(optional_text(&given, "o").is_err());
        assert!(required_text(&given, "absent").is_err());
        assert!(optional_integer(&given, "b").is_err());
    }

    #[test]
    fn tags_come_as_a_list_or_an_object_and_never_twice() {
        let given = properties(json!({
            "list": [{"Key": "stage", "Value": "dev"}],
            "map": {"stage": "dev"},
            "twice": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}],
            "wrong": [{"Key": "a"}],
        }));
        let expected = BTreeMap::from([("stage".to_owned(), "dev".to_owned())]);
        assert_eq!(optional_tags(&given, "list").unwrap(), expected);
        assert_eq!(optional_tags(&given, "map").unwrap(), expected);
        assert!(optional_tags(&given, "twice").is_err());
        assert!(optional_tags(&given, "wrong").is_err());
    }
}
