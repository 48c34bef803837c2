//! POST policies: what a form may say (S3 API reference, "POST policy").

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use s3s::{S3Error, S3ErrorCode};
use serde_json::Value;
use tradewind_model::Timestamp;

use super::form::Fields;
use crate::configuration::refused;

/// Fields that no condition has to name.
const FREE: &[&str] = &["awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"];

/// A policy.
#[derive(Debug, PartialEq)]
pub(super) struct Policy {
    expiration: Timestamp,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq)]
enum Condition {
    Equals(String, String),
    StartsWith(String, String),
    Length(u64, u64),
}

impl Policy {
    /// The policy of the field, which is JSON in base 64.
    pub(super) fn parse(field: &str) -> Result<Self, S3Error> {
        let field: String = field.split_whitespace().collect();
        let bytes = STANDARD
            .decode(field)
            .map_err(|_invalid| invalid("Invalid Base64."))?;
        let document: Value = serde_json::from_slice(&bytes).map_err(|_invalid| invalid("Invalid JSON."))?;
        let expiration = document.get("expiration").and_then(Value::as_str);
        let expiration = expiration.ok_or_else(|| invalid("Policy missing expiration."))?;
        let expiration: jiff::Timestamp = expiration
            .parse()
            .map_err(|_invalid| invalid("Invalid 'expiration' value."))?;
        let conditions = document.get("conditions").and_then(Value::as_array);
        let conditions = conditions.ok_or_else(|| invalid("Policy missing conditions."))?;
        let conditions: Vec<Vec<Condition>> = conditions
            .iter()
            .map(Condition::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            expiration: Timestamp::from_millis(expiration.as_millisecond()),
            conditions: conditions.into_iter().flatten().collect(),
        })
    }

    /// Checks a form against it.
    pub(super) fn check(&self, fields: &Fields, bucket: &str, now: Timestamp) -> Result<(), S3Error> {
        if self.expiration <= now {
            return Err(denied("Policy expired."));
        }
        let broken = self
            .conditions
            .iter()
            .find(|condition| !condition.holds(fields, bucket));
        if let Some(condition) = broken {
            return Err(denied(&format!("Policy Condition failed: {condition}")));
        }
        let extra = fields.iter().map(|(name, _)| name).find(|name| !self.names(name));
        extra.map_or(Ok(()), |name| Err(denied(&format!("Extra input fields: {name}"))))
    }

    /// The least and most bytes of the file.
    pub(super) fn length(&self) -> Option<(u64, u64)> {
        self.conditions.iter().find_map(|condition| match condition {
            Condition::Length(least, most) => Some((*least, *most)),
            Condition::Equals(..) | Condition::StartsWith(..) => None,
        })
    }

    fn names(&self, field: &str) -> bool {
        let named = |condition: &Condition| match condition {
            Condition::Equals(name, _) | Condition::StartsWith(name, _) => name == field,
            Condition::Length(..) => false,
        };
        FREE.contains(&field) || field.starts_with("x-ignore-") || self.conditions.iter().any(named)
    }
}

impl Condition {
    /// `{"field": "value", …}`, `["eq" | "starts-with", "$field", "value"]` or
    /// `["content-length-range", least, most]`.
    fn parse(value: &Value) -> Result<Vec<Self>, S3Error> {
        let wrong = || invalid("Invalid Condition.");
        match value {
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| {
                    let value = value.as_str().ok_or_else(wrong)?;
                    Ok(Self::Equals(name.to_ascii_lowercase(), value.to_owned()))
                })
                .collect(),
            Value::Array(parts) => {
                let [operator, first, second] = parts.as_slice() else {
                    return Err(wrong());
                };
                let operator = operator.as_str().ok_or_else(wrong)?.to_ascii_lowercase();
                if operator == "content-length-range" {
                    let number = |value: &Value| {
                        let text = value.as_str().and_then(|text| text.parse().ok());
                        value.as_u64().or(text).ok_or_else(wrong)
                    };
                    return Ok(vec![Self::Length(number(first)?, number(second)?)]);
                }
                let name = first
                    .as_str()
                    .and_then(|name| name.strip_prefix('$'))
                    .ok_or_else(wrong)?;
                let (name, value) = (
                    name.to_ascii_lowercase(),
                    second.as_str().ok_or_else(wrong)?.to_owned(),
                );
                match operator.as_str() {
                    "eq" => Ok(vec![Self::Equals(name, value)]),
                    "starts-with" => Ok(vec![Self::StartsWith(name, value)]),
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }

    fn holds(&self, fields: &Fields, bucket: &str) -> bool {
        let given = |name: &str| match name {
            "bucket" => Some(bucket),
            name => fields.get(name),
        };
        match self {
            Self::Equals(name, value) => given(name) == Some(value),
            Self::StartsWith(name, value) => given(name).unwrap_or_default().starts_with(value.as_str()),
            Self::Length(..) => true,
        }
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Equals(name, value) => write!(f, "[\"eq\", \"${name}\", \"{value}\"]"),
            Self::StartsWith(name, value) => write!(f, "[\"starts-with\", \"${name}\", \"{value}\"]"),
            Self::Length(least, most) => write!(f, "[\"content-length-range\", {least}, {most}]"),
        }
    }
}

fn invalid(detail: &str) -> S3Error {
    refused(
        S3ErrorCode::InvalidPolicyDocument,
        format!("Invalid Policy: {detail}"),
    )
}

fn denied(detail: &str) -> S3Error {
    refused(
        S3ErrorCode::AccessDenied,
        format!("Invalid according to Policy: {detail}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn policy(conditions: Value) -> Policy {
        let document = json!({"expiration": "2030-01-01T00:00:00Z", "conditions": conditions});
        Policy::parse(&STANDARD.encode(document.to_string())).unwrap()
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields::of(
            pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        )
    }

    #[test]
    fn a_form_has_to_meet_every_condition() {
        let policy = policy(json!([
            {"bucket": "b"}, ["eq", "$acl", "private"], ["starts-with", "$key", "in/"],
            ["content-length-range", 1, "9"]
        ]));
        assert_eq!(policy.length(), Some((1, 9)));
        let form = [
            ("key", "in/a"),
            ("acl", "private"),
            ("policy", "x"),
            ("x-ignore-me", "x"),
        ];
        policy.check(&fields(&form), "b", NOW).unwrap();
        for (changed, bucket, part) in [
            (
                vec![("key", "in/a"), ("acl", "private")],
                "c",
                "[\"eq\", \"$bucket\", \"b\"]",
            ),
            (vec![("key", "out/a"), ("acl", "private")], "b", "starts-with"),
            (vec![("key", "in/a")], "b", "$acl"),
            (
                vec![("key", "in/a"), ("acl", "private"), ("x-amz-meta-a", "1")],
                "b",
                "Extra input fields: x-amz-meta-a",
            ),
        ] {
            let error = policy.check(&fields(&changed), bucket, NOW).unwrap_err();
            assert!(error.message().unwrap().contains(part), "{error}");
        }
        let late = Timestamp::from_millis(4_000_000_000_000);
        let expired = policy.check(&fields(&form), "b", late).unwrap_err();
        assert_eq!(
            expired.message(),
            Some("Invalid according to Policy: Policy expired.")
        );
    }

    #[test]
    fn what_is_no_policy_is_refused() {
        for (document, part) in [
            ("{", "Invalid JSON"),
            ("{}", "missing expiration"),
            (r#"{"expiration": "soon", "conditions": []}"#, "'expiration'"),
            (r#"{"expiration": "2030-01-01T00:00:00Z"}"#, "missing conditions"),
            (
                r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [["eq", "key", "a"]]}"#,
                "Condition",
            ),
            (
                r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [["in", "$key", "a"]]}"#,
                "Condition",
            ),
        ] {
            let error = Policy::parse(&STANDARD.encode(document)).unwrap_err();
            assert!(error.message().unwrap().contains(part), "{error} {document}");
        }
        assert!(Policy::parse("%").is_err());
    }
}
