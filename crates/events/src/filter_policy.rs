//! Filter policies of SNS subscriptions: which messages a subscriber gets.
//!
//! They are event patterns with SNS's limits, of a message's attributes or of its body
//! (<https://docs.aws.amazon.com/sns/latest/dg/sns-message-filtering.html>).

use std::collections::BTreeSet;

use serde_json::Value;

use crate::message::{AttributeValue, MessageAttribute};
use crate::pattern::matcher::Matcher;
use crate::pattern::value::{Number, Scalar};
use crate::pattern::{Conjunction, Pattern};

/// Names that a policy may have at its top.
pub const MAX_KEYS: usize = 5;
/// The product of the numbers of values of all keys, each times the depth of its key.
pub const MAX_COMBINATIONS: usize = 150;

/// What a policy looks at: the `FilterPolicyScope` of a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterPolicyScope {
    /// The message's attributes.
    #[default]
    MessageAttributes,
    /// The message itself, which must be a JSON object to match.
    MessageBody,
}

/// A subscription's filter policy.
#[derive(Clone, Debug)]
pub struct FilterPolicy {
    scope: FilterPolicyScope,
    /// None for `{}`, which is how a policy is taken away: it lets everything through.
    pattern: Option<Pattern>,
}

/// What is wrong with a policy, as SNS says it after `Invalid parameter: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidFilterPolicy(String);

impl FilterPolicy {
    /// Reads a policy.
    ///
    /// # Errors
    /// What SNS says about it.
    pub fn parse(text: &str, scope: FilterPolicyScope) -> Result<Self, InvalidFilterPolicy> {
        if matches!(serde_json::from_str(text), Ok(Value::Object(members)) if members.is_empty()) {
            return Ok(Self { scope, pattern: None });
        }
        let pattern = Pattern::parse(text).map_err(|error| {
            let what = if error.is_no_json() {
                "failed to parse JSON. "
            } else {
                ""
            };
            InvalidFilterPolicy(format!("FilterPolicy: {what}{}", error.reason()))
        })?;
        check(pattern.conjunctions(), scope)?;
        Ok(Self {
            scope,
            pattern: Some(pattern),
        })
    }

    /// What it looks at.
    #[must_use]
    pub fn scope(&self) -> FilterPolicyScope {
        self.scope
    }

    /// Whether a message with these attributes is let through. Binary ones are as if they were not there.
    #[must_use]
    pub fn matches_attributes(&self, attributes: &[MessageAttribute]) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        let attributes: Vec<(&str, Vec<Scalar<'static>>)> = attributes.iter().filter_map(values).collect();
        let matches = |name: &str, matchers: &[Matcher]| {
            let mut there = attributes.iter().filter(|(other, _)| *other == name).peekable();
            match there.peek() {
                None => matchers.contains(&Matcher::Absent),
                Some(_) => there
                    .flat_map(|(_, values)| values)
                    .any(|value| matchers.iter().any(|matcher| matcher.matches(value))),
            }
        };
        pattern.conjunctions().iter().any(|conjunction| {
            conjunction.iter().all(|field| {
                field
                    .path
                    .first()
                    .is_some_and(|name| matches(name, &field.matchers))
            })
        })
    }

    /// Whether a message with this body is let through.
    #[must_use]
    pub fn matches_body(&self, body: &Value) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        body.is_object() && pattern.matches(body)
    }
}

/// An attribute's name and what of it can be compared.
fn values(attribute: &MessageAttribute) -> Option<(&str, Vec<Scalar<'static>>)> {
    let AttributeValue::Text(text) = &attribute.value else {
        return None;
    };
    let as_text = || Scalar::Text(text.clone().into());
    // A label may follow: `Number.float`.
    let values = match &*attribute.data_type {
        "String.Array" => elements(text),
        kind if kind.split('.').next() == Some("Number") => match serde_json::from_str(text.trim()) {
            Ok(number) => vec![Scalar::Number(Number::of(&number))],
            Err(_not_as_json_writes_it) => vec![text.trim().parse().map_or_else(
                |_not_a_number| as_text(),
                |number| Scalar::Number(Number::real(number)),
            )],
        },
        _ => vec![as_text()],
    };
    Some((&attribute.name, values))
}

/// The strings, numbers and words of a `String.Array`; none if it is not JSON.
fn elements(text: &str) -> Vec<Scalar<'static>> {
    let elements = match serde_json::from_str(text) {
        Ok(Value::Array(elements)) => elements,
        Ok(single) => vec![single],
        Err(_no_json) => Vec::new(),
    };
    elements
        .iter()
        .filter_map(Scalar::of)
        .map(Scalar::into_owned)
        .collect()
}

/// SNS's own limits.
fn check(conjunctions: &[Conjunction], scope: FilterPolicyScope) -> Result<(), InvalidFilterPolicy> {
    let fields = || conjunctions.iter().flatten();
    if scope == FilterPolicyScope::MessageAttributes && fields().any(|field| field.path.len() > 1) {
        let reason = "Filter policy scope MessageAttributes does not support nested filter policy";
        return Err(InvalidFilterPolicy(reason.to_owned()));
    }
    let names: BTreeSet<_> = fields().filter_map(|field| field.path.first()).collect();
    if names.len() > MAX_KEYS {
        let reason = format!("FilterPolicy: Filter policy can not have more than {MAX_KEYS} keys");
        return Err(InvalidFilterPolicy(reason));
    }
    let combinations = |conjunction: &Conjunction| {
        let of = conjunction
            .iter()
            .map(|field| field.matchers.len() * field.path.len());
        of.fold(1_usize, usize::saturating_mul)
    };
    let all = conjunctions
        .iter()
        .map(combinations)
        .fold(0, usize::saturating_add);
    if all > MAX_COMBINATIONS {
        let reason = "FilterPolicy: Filter policy is too complex";
        return Err(InvalidFilterPolicy(reason.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn attribute((name, data_type, value): &(&str, &str, &str)) -> MessageAttribute {
        MessageAttribute {
            name: (*name).to_owned(),
            data_type: (*data_type).to_owned(),
            value: match *data_type {
                "Binary" => AttributeValue::Binary(value.to_string().into()),
                _ => AttributeValue::Text((*value).to_owned()),
            },
        }
    }

    #[track_caller]
    fn check(policy: &Value, attributes: &[(&str, &str, &str)], is: bool) {
        let parsed = FilterPolicy::parse(&policy.to_string(), FilterPolicyScope::MessageAttributes).unwrap();
        let attributes: Vec<MessageAttribute> = attributes.iter().map(attribute).collect();
        assert_eq!(parsed.matches_attributes(&attributes), is, "{policy}");
    }

    #[test]
    fn attributes_are_compared_by_their_type() {
        let policy = json!({"store": ["example_corp"], "price_usd": [{"numeric": [">=", 100]}]});
        let store = ("store", "String", "example_corp");
        check(&policy, &[store, ("price_usd", "Number", "210.75")], true);
        check(&policy, &[store, ("price_usd", "Number.float", " 1e2")], true);
        check(&policy, &[store, ("price_usd", "Number", "99")], false);
        check(&policy, &[store, ("price_usd", "String", "210")], false);
        check(&policy, &[store], false);
        check(&json!({"n": [3]}), &[("n", "Number", "3.0")], true);
        check(&json!({"n": [3]}), &[("n", "Number", "+3")], true);
        check(&json!({"n": [3]}), &[("n", "String", "3")], false);
        check(&json!({}), &[], true);
    }

    #[test]
    fn an_array_matches_with_one_element() {
        let sports = (
            "interests",
            "String.Array",
            r#"["soccer", "rugby", 5, true, null]"#,
        );
        for (alternatives, is) in [
            (json!(["rugby", "tennis"]), true),
            (json!(["tennis"]), false),
            (json!([5]), true),
            (json!([true]), true),
            (json!([null]), true),
            (json!([{"prefix": "soc"}]), true),
            (json!([{"anything-but": ["rugby"]}]), true),
            (json!([{"exists": false}]), false),
        ] {
            check(&json!({"interests": alternatives}), &[sports], is);
        }
        check(
            &json!({"a": [{"exists": true}]}),
            &[("a", "String.Array", "no json")],
            false,
        );
    }

    #[test]
    fn what_is_not_there_or_binary_does_not_exist() {
        let absent = json!({"a": [{"exists": false}]});
        check(&absent, &[], true);
        check(&absent, &[("a", "Binary", "x")], true);
        check(&absent, &[("a", "String", "x")], false);
        check(&json!({"a": [{"anything-but": "x"}]}), &[], false);
        check(
            &json!({"$or": [{"a": ["x"]}, {"b": ["y"]}]}),
            &[("b", "String", "y")],
            true,
        );
    }

    #[test]
    fn bodies_are_compared_as_events_are() {
        let policy = json!({"order": {"total": [{"numeric": [">", 5]}]}});
        let policy = FilterPolicy::parse(&policy.to_string(), FilterPolicyScope::MessageBody).unwrap();
        assert!(policy.matches_body(&json!({"order": {"total": 6}})));
        assert!(!policy.matches_body(&json!({"order": {"total": 5}})));
        assert!(!policy.matches_body(&json!([{"order": {"total": 6}}])));
    }

    #[test]
    fn limits_and_mistakes_are_named_as_sns_does() {
        let wrong = |policy: &str, scope| FilterPolicy::parse(policy, scope).unwrap_err().to_string();
        let (attributes, body) = (
            FilterPolicyScope::MessageAttributes,
            FilterPolicyScope::MessageBody,
        );
        let keys: Value = (0..6).map(|n| (format!("k{n}"), json!(["a"]))).collect();
        let many: Vec<usize> = (0..151).collect();
        // 4 values at depth 3 and 3 at depth 2 are 72 combinations, as SNS's documents count.
        let nested = json!({"a": {"b": {"c": [1, 2, 3, 4]}}, "d": {"e": [1, 2, 3]}});
        let too_nested = json!({"a": {"b": {"c": [1, 2, 3, 4]}}, "d": {"e": [1, 2, 3, 4, 5, 6, 7]}});
        assert!(FilterPolicy::parse(&nested.to_string(), body).is_ok());
        for (policy, scope, reason) in [
            (json!("x"), attributes, "FilterPolicy: Filter is not an object"),
            (
                keys,
                attributes,
                "FilterPolicy: Filter policy can not have more than 5 keys",
            ),
            (
                json!({"a": many}),
                attributes,
                "FilterPolicy: Filter policy is too complex",
            ),
            (too_nested, body, "FilterPolicy: Filter policy is too complex"),
            (
                nested,
                attributes,
                "Filter policy scope MessageAttributes does not support nested filter policy",
            ),
            (
                json!({"a": "b"}),
                attributes,
                "FilterPolicy: \"a\" must be an object or an array",
            ),
            (
                json!({"a": []}),
                attributes,
                "FilterPolicy: Empty arrays are not allowed",
            ),
        ] {
            let error = wrong(&policy.to_string(), scope);
            assert!(error.starts_with(reason), "{policy}: {error}");
        }
        assert!(
            wrong("{a}", body).starts_with("FilterPolicy: failed to parse JSON. Unexpected character ('a'")
        );
    }
}
