//! Policy documents: what a document has to look like, found without evaluating it.
//!
//! IAM User Guide, "Grammar of the IAM JSON policy language". Values that are intrinsic functions
//! of a template pass: they are looked at again when they are resolved.

use serde_json::{Map, Value};
use tradewind_model::resource::is_intrinsic;

/// What a policy is attached to decides which elements its statements need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// What a role may do: statements name resources.
    Identity,
    /// Who may assume a role: statements name principals and no resources.
    Trust,
}

/// A policy document that has the shape of one. Its content is the user's own.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct PolicyDocument(Value);

/// What is wrong with a policy document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct InvalidPolicy {
    /// Path below the document, for example `["Statement", "0", "Effect"]`.
    pub path: Vec<String>,
    /// What is wrong with it.
    pub message: String,
}

const ELEMENTS: &[&str] = &["Version", "Id", "Statement"];
const STATEMENT_ELEMENTS: &[&str] = &[
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl PolicyDocument {
    /// A document given as an object, or as text that holds one.
    ///
    /// # Errors
    /// With the first element that is wrong.
    pub fn parse(value: &Value, kind: PolicyKind) -> Result<Self, InvalidPolicy> {
        let document = match value {
            Value::String(text) => serde_json::from_str(text).map_err(|error| InvalidPolicy {
                path: Vec::new(),
                message: format!("the policy document is not JSON: {error}"),
            })?,
            other => other.clone(),
        };
        match check(&document, kind).into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(Self(document)),
        }
    }

    /// The document.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

/// Everything that is wrong with a document.
pub(crate) fn check(document: &Value, kind: PolicyKind) -> Vec<InvalidPolicy> {
    let mut problems = Vec::new();
    if is_intrinsic(document) {
        return problems;
    }
    let Value::Object(elements) = document else {
        return vec![at(
            &[],
            "a policy document is an object with `Version` and `Statement`",
        )];
    };
    problems.extend(unknown(elements, ELEMENTS, &[]));
    problems.extend(check_version(elements));
    match elements.get("Statement") {
        None => problems.push(at(&[], "a policy document needs a `Statement`")),
        Some(Value::Array(list)) => {
            for (index, statement) in list.iter().enumerate() {
                problems.extend(check_statement(
                    statement,
                    kind,
                    &["Statement", &index.to_string()],
                ));
            }
        }
        Some(single) => problems.extend(check_statement(single, kind, &["Statement"])),
    }
    problems
}

fn check_version(elements: &Map<String, Value>) -> Option<InvalidPolicy> {
    match elements.get("Version")? {
        Value::String(version) if matches!(version.as_str(), "2012-10-17" | "2008-10-17") => None,
        value if is_intrinsic(value) => None,
        other => Some(at(
            &["Version"],
            format!("the policy version is \"2012-10-17\", not {other}"),
        )),
    }
}

fn check_statement(statement: &Value, kind: PolicyKind, path: &[&str]) -> Vec<InvalidPolicy> {
    if is_intrinsic(statement) {
        return Vec::new();
    }
    let Value::Object(elements) = statement else {
        return vec![at(
            path,
            "a policy statement is an object with `Effect` and `Action`",
        )];
    };
    let mut problems = unknown(elements, STATEMENT_ELEMENTS, path);
    problems.extend(check_effect(elements, path));
    problems.extend(exactly_one(elements, ["Action", "NotAction"], path));
    match kind {
        PolicyKind::Identity => {
            problems.extend(exactly_one(elements, ["Resource", "NotResource"], path));
            problems.extend(none_of(
                elements,
                ["Principal", "NotPrincipal"],
                "what a role may do",
                path,
            ));
        }
        PolicyKind::Trust => {
            problems.extend(exactly_one(elements, ["Principal", "NotPrincipal"], path));
            problems.extend(none_of(
                elements,
                ["Resource", "NotResource"],
                "who may assume a role",
                path,
            ));
        }
    }
    problems
}

fn check_effect(elements: &Map<String, Value>, path: &[&str]) -> Option<InvalidPolicy> {
    match elements.get("Effect") {
        None => Some(at(path, "a policy statement needs an `Effect`")),
        Some(Value::String(effect)) if matches!(effect.as_str(), "Allow" | "Deny") => None,
        Some(value) if is_intrinsic(value) => None,
        Some(other) => {
            let path: Vec<&str> = path.iter().copied().chain(["Effect"]).collect();
            Some(at(
                &path,
                format!("`Effect` is \"Allow\" or \"Deny\", not {other}"),
            ))
        }
    }
}

fn exactly_one(elements: &Map<String, Value>, names: [&str; 2], path: &[&str]) -> Option<InvalidPolicy> {
    let [one, other] = names;
    match names.map(|name| elements.contains_key(name)) {
        [true, false] | [false, true] => None,
        [false, false] => Some(at(path, format!("a policy statement needs `{one}` or `{other}`"))),
        [true, true] => Some(at(
            path,
            format!("a policy statement has `{one}` or `{other}`, not both"),
        )),
    }
}

fn none_of(
    elements: &Map<String, Value>,
    names: [&str; 2],
    says: &str,
    path: &[&str],
) -> Option<InvalidPolicy> {
    let name = names.into_iter().find(|name| elements.contains_key(*name))?;
    Some(at(path, format!("a statement that says {says} has no `{name}`")))
}

fn unknown(elements: &Map<String, Value>, known: &[&str], path: &[&str]) -> Vec<InvalidPolicy> {
    let strangers = elements.keys().filter(|key| !known.contains(&key.as_str()));
    strangers
        .map(|key| at(path, format!("unknown policy element `{key}`")))
        .collect()
}

fn at(path: &[&str], message: impl Into<String>) -> InvalidPolicy {
    InvalidPolicy {
        path: path.iter().map(|&name| name.to_owned()).collect(),
        message: message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lambda_trust() -> Value {
        json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com"]}, "Action": ["sts:AssumeRole"]}
        ]})
    }

    fn first_problem(document: Value, kind: PolicyKind) -> String {
        PolicyDocument::parse(&document, kind).unwrap_err().message
    }

    #[test]
    fn what_frameworks_write_is_accepted() {
        assert!(PolicyDocument::parse(&lambda_trust(), PolicyKind::Trust).is_ok());
        let as_text = Value::String(lambda_trust().to_string());
        let parsed = PolicyDocument::parse(&as_text, PolicyKind::Trust).unwrap();
        assert_eq!(parsed.as_value(), &lambda_trust());
        let logs = json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "logs:*", "Resource": [{"Fn::Sub": "arn:aws:logs:*"}],
            "Condition": {"StringEquals": {"a": "b"}}, "Sid": "Logs"
        }});
        assert!(PolicyDocument::parse(&logs, PolicyKind::Identity).is_ok());
    }

    #[test]
    fn intrinsics_pass_until_they_are_resolved() {
        for document in [
            json!({"Fn::Transform": {}}),
            json!({"Version": {"Ref": "V"}, "Statement": {"Fn::If": ["C", [], []]}}),
            json!({"Statement": [{"Fn::If": ["C", {}, {}]}]}),
            json!({"Statement": [{"Effect": {"Ref": "E"}, "Action": "a", "Resource": "*"}]}),
        ] {
            assert_eq!(check(&document, PolicyKind::Identity), [], "{document}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let document =
            json!({"Statement": [{"Effect": "Allow", "Action": "a", "Resource": "*"}, {"Effect": "allow"}]});
        let problems = check(&document, PolicyKind::Identity);
        assert_eq!(problems[0].path, ["Statement", "1", "Effect"]);
        assert_eq!(
            problems[0].message,
            "`Effect` is \"Allow\" or \"Deny\", not \"allow\""
        );
        assert_eq!(problems[1].path, ["Statement", "1"]);
        assert_eq!(
            problems[1].message,
            "a policy statement needs `Action` or `NotAction`"
        );
    }

    #[test]
    fn documents_that_are_no_policies_are_refused() {
        use PolicyKind::{Identity, Trust};
        for (document, kind, message) in [
            (
                json!("not json"),
                Trust,
                "the policy document is not JSON: expected ident at line 1 column 2",
            ),
            (
                json!([]),
                Trust,
                "a policy document is an object with `Version` and `Statement`",
            ),
            (json!({}), Trust, "a policy document needs a `Statement`"),
            (
                json!({"Version": "2012", "Statement": []}),
                Trust,
                "the policy version is \"2012-10-17\", not \"2012\"",
            ),
            (
                json!({"Statements": [], "Statement": []}),
                Trust,
                "unknown policy element `Statements`",
            ),
            (
                json!({"Statement": ["x"]}),
                Trust,
                "a policy statement is an object with `Effect` and `Action`",
            ),
            (
                json!({"Statement": {"Effect": "Allow", "Action": "a", "Principal": "*", "Resource": "*"}}),
                Trust,
                "a statement that says who may assume a role has no `Resource`",
            ),
            (
                json!({"Statement": {"Effect": "Allow", "Action": "a"}}),
                Identity,
                "a policy statement needs `Resource` or `NotResource`",
            ),
            (
                json!({"Statement": {"Effect": "Deny", "Action": "a", "NotAction": "b", "Resource": "*"}}),
                Identity,
                "a policy statement has `Action` or `NotAction`, not both",
            ),
        ] {
            assert_eq!(first_problem(document.clone(), kind), message, "{document}");
        }
    }
}
