//! The variables of a function: their names, and how many bytes they may be.

use std::collections::BTreeMap;

use tradewind_model::limits;

use crate::error::{LambdaError, Violations};

pub(super) fn check_keys(variables: &BTreeMap<String, String>, violations: &mut Violations) {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let fits = |key: &String| {
        key.len() > 1 && key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.bytes().all(allowed)
    };
    // A leading underscore breaks the pattern; where the key is a reserved one, that is the better answer.
    if let Some(bad) = variables
        .keys()
        .find(|key| !fits(key) && !RESERVED_KEYS.contains(&key.as_str()))
    {
        let constraint = "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]";
        violations.add(&["Environment", "Variables"], format!("{{{bad}=…}}"), constraint);
    }
}

/// Developer Guide, "Defined runtime environment variables": the reserved ones.
const RESERVED_KEYS: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

pub(super) fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), LambdaError> {
    let reserved: Vec<&str> = variables
        .keys()
        .map(String::as_str)
        .filter(|key| RESERVED_KEYS.contains(key))
        .collect();
    if !reserved.is_empty() {
        return Err(LambdaError::ReservedEnvironmentKeys {
            keys: reserved.join(", "),
        });
    }
    let measured = serde_json::to_string(variables).map_err(LambdaError::internal)?;
    if measured.len() > limits::ENVIRONMENT_BYTES {
        return Err(LambdaError::EnvironmentTooLarge { measured });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::settings::Settings;

    fn read(value: Value) -> Result<Settings, LambdaError> {
        Settings::read(value.as_object().unwrap())
    }

    #[test]
    fn the_environment_is_at_most_four_kilobytes_of_json() {
        let overhead = "{\"LARGE\":\"\"}".len();
        let fits = "x".repeat(limits::ENVIRONMENT_BYTES - overhead);
        read(json!({"Environment": {"Variables": {"LARGE": fits}}})).unwrap();
        let text = read(json!({"Environment": {"Variables": {"LARGE": format!("{fits}x")}}}))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("exceeded the 4KB limit. String measured: {\"LARGE\":\"xxx"),
            "{text}"
        );
    }

    #[test]
    fn reserved_and_malformed_keys_are_refused() {
        let text = read(json!({"Environment": {"Variables": {"AWS_REGION": "x", "_HANDLER": "y"}}}))
            .unwrap_err()
            .to_string();
        assert!(
            text.ends_with("Reserved keys used in this request: AWS_REGION, _HANDLER"),
            "{text}"
        );
        let text = read(json!({"Environment": {"Variables": {"a-b": "secret"}}}))
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("at 'environment.variables'") && !text.contains("secret"),
            "{text}"
        );
    }
}
