//! Dynamic references: `{{resolve:secretsmanager:…}}` in properties (CloudFormation User Guide, "Get values
//! stored in other services using dynamic references").
//!
//! # Invariants
//! - A stack's record holds references as they are written; values go to the resource type only.
//! - What is wrong is told without any part of a value.
//! - A value is not looked through for references again.

use serde_json::{Map, Value};
use tradewind_model::resource::Properties;
use tradewind_model::{AccountId, Region, Secrets};

use super::intrinsics::ResolveError;

const OPEN: &str = "{{resolve:";
const CLOSE: &str = "}}";
const SECRETS_MANAGER: &str = "secretsmanager:";
/// The stage of the version that is given; others are refused.
const CURRENT: &str = "AWSCURRENT";
/// How many parts the ARN of a secret has.
const ARN_PARTS: usize = 7;

/// Who asks, and whom.
#[derive(Debug)]
pub(crate) struct References<'e> {
    pub(crate) secrets: &'e dyn Secrets,
    pub(crate) account: &'e AccountId,
    pub(crate) region: &'e Region,
}

/// Whether there is a dynamic reference in the text.
pub(crate) fn is_in(text: &str) -> bool {
    text.contains(OPEN)
}

/// Refuses references to what a node does not have.
pub(crate) fn check(text: &str) -> Result<(), ResolveError> {
    for reference in text.split(OPEN).skip(1) {
        if !reference.starts_with(SECRETS_MANAGER) {
            let (inside, _behind) = reference.split_once(CLOSE).unwrap_or((reference, ""));
            return Err(ResolveError(format!(
                "dynamic reference `{OPEN}{inside}{CLOSE}` is not supported yet"
            )));
        }
    }
    Ok(())
}

/// What a reference names: `secret-id[:SecretString[:json-key[:version-stage[:version-id]]]]`.
#[derive(Debug, PartialEq, Eq)]
struct SecretReference<'t> {
    id: String,
    /// A member of the secret's JSON; none for all of its text.
    key: Option<&'t str>,
}

impl<'t> SecretReference<'t> {
    fn parse(text: &'t str) -> Result<Self, ResolveError> {
        let invalid = |reason: &str| {
            ResolveError(format!(
                "dynamic reference `{OPEN}{SECRETS_MANAGER}{text}{CLOSE}`: {reason}"
            ))
        };
        let parts: Vec<&str> = text.split(':').collect();
        let of_id = if text.starts_with("arn:") { ARN_PARTS } else { 1 };
        let (id, rest) = parts
            .split_at_checked(of_id)
            .ok_or_else(|| invalid("the ARN is not one of a secret"))?;
        let at = |place: usize| rest.get(place).copied().filter(|part| !part.is_empty());
        if at(0).is_some_and(|part| part != "SecretString") {
            return Err(invalid("what follows the secret has to be `SecretString`"));
        }
        if at(2).is_some_and(|stage| stage != CURRENT) || at(3).is_some() {
            return Err(invalid(
                "only the current version can be named; leave stage and version out",
            ));
        }
        if rest.len() > 4 || id.iter().any(|part| part.is_empty()) {
            return Err(invalid("it has to be secret:SecretString:key"));
        }
        let id = id.join(":");
        Ok(Self { id, key: at(1) })
    }
}

impl References<'_> {
    /// The properties with the values of all references.
    pub(crate) fn resolve_map(&self, map: &Properties) -> Result<Properties, ResolveError> {
        let resolved = map
            .iter()
            .map(|(name, value)| Ok((name.clone(), self.resolve(value)?)));
        resolved.collect::<Result<Map<_, _>, _>>()
    }

    fn resolve(&self, value: &Value) -> Result<Value, ResolveError> {
        match value {
            Value::String(text) if is_in(text) => self.resolve_text(text).map(Value::String),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(value.clone()),
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(map) => self.resolve_map(map).map(Value::Object),
        }
    }

    fn resolve_text(&self, text: &str) -> Result<String, ResolveError> {
        check(text)?;
        let mut resolved = String::new();
        let mut rest = text;
        while let Some((before, reference)) = rest.split_once(OPEN) {
            let (inside, behind) = reference.split_once(CLOSE).ok_or_else(|| {
                ResolveError(format!(
                    "dynamic reference `{OPEN}{reference}` does not end in `{CLOSE}`"
                ))
            })?;
            resolved.push_str(before);
            resolved.push_str(&self.value(inside.strip_prefix(SECRETS_MANAGER).unwrap_or(inside))?);
            rest = behind;
        }
        resolved.push_str(rest);
        Ok(resolved)
    }

    fn value(&self, reference: &str) -> Result<String, ResolveError> {
        let SecretReference { id, key } = SecretReference::parse(reference)?;
        let text = self.secrets.text(self.account, self.region, &id);
        let text =
            text.map_err(|error| ResolveError(format!("secret `{id}` of a dynamic reference: {error}")))?;
        let Some(key) = key else {
            return Ok(text.expose().to_owned());
        };
        let members: Value = serde_json::from_str(text.expose()).unwrap_or_default();
        match members.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(value.to_string()),
            _ => Err(ResolveError(format!(
                "Could not find a value associated with JSONKey `{key}` in SecretString of secret `{id}`"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tradewind_model::{SecretError, SecretText};

    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf";

    #[derive(Debug)]
    struct Two;

    impl Secrets for Two {
        fn text(&self, _: &AccountId, _: &Region, id: &str) -> Result<SecretText, SecretError> {
            match id {
                "db" | ARN => Ok(
                    r#"{"user": "u", "port": 5432, "note": "{{resolve:ssm:x}}", "deep": {}}"#
                        .to_owned()
                        .into(),
                ),
                "plain" => Ok("all of it".to_owned().into()),
                _ => Err(SecretError::NotFound),
            }
        }
    }

    fn resolve(text: &str) -> Result<Value, String> {
        let (account, region) = (AccountId::default_account(), Region::default_region());
        let references = References {
            secrets: &Two,
            account: &account,
            region: &region,
        };
        references
            .resolve(&json!({"in": [text]}))
            .map(|value| value["in"][0].clone())
            .map_err(|error| error.0)
    }

    #[test]
    fn references_stand_for_values() {
        for (text, expected) in [
            ("{{resolve:secretsmanager:plain}}".to_owned(), "all of it"),
            ("{{resolve:secretsmanager:plain:SecretString}}".to_owned(), "all of it"),
            ("{{resolve:secretsmanager:db:SecretString:user:AWSCURRENT}}".to_owned(), "u"),
            ("{{resolve:secretsmanager:db:SecretString:user::}}".to_owned(), "u"),
            (format!("{{{{resolve:secretsmanager:{ARN}:SecretString:port}}}}"), "5432"),
            (
                "pg://{{resolve:secretsmanager:db:SecretString:user}}@h:{{resolve:secretsmanager:db:SecretString:port}}/"
                    .to_owned(),
                "pg://u@h:5432/",
            ),
            ("{{resolve:secretsmanager:db:SecretString:note}}".to_owned(), "{{resolve:ssm:x}}"),
            ("no reference }}".to_owned(), "no reference }}"),
        ] {
            assert_eq!(resolve(&text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_resolved_is_named_without_its_value() {
        for (text, expected) in [
            (
                "{{resolve:secretsmanager:none}}",
                "secret `none` of a dynamic reference: there is no such secret",
            ),
            (
                "{{resolve:secretsmanager:db:SecretString:pass}}",
                "JSONKey `pass`",
            ),
            (
                "{{resolve:secretsmanager:db:SecretString:deep}}",
                "JSONKey `deep`",
            ),
            ("{{resolve:secretsmanager:plain:SecretString:x}}", "JSONKey `x`"),
            (
                "{{resolve:secretsmanager:db:SecretBinary}}",
                "has to be `SecretString`",
            ),
            (
                "{{resolve:secretsmanager:db:SecretString:user:AWSPREVIOUS}}",
                "only the current version",
            ),
            (
                "{{resolve:secretsmanager:db:SecretString:user::v}}",
                "only the current version",
            ),
            ("{{resolve:secretsmanager:arn:aws:x}}", "not one of a secret"),
            ("{{resolve:secretsmanager:}}", "has to be secret:SecretString:key"),
            ("{{resolve:secretsmanager:db", "does not end"),
            (
                "{{resolve:ssm-secure:x}} y",
                "dynamic reference `{{resolve:ssm-secure:x}}` is not supported yet",
            ),
        ] {
            let error = resolve(text).unwrap_err();
            assert!(
                error.contains(expected) && !error.contains("all of"),
                "{text}: {error}"
            );
        }
    }
}
