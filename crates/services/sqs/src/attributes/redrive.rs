//! `RedrivePolicy` and `RedriveAllowPolicy`: JSON documents inside attributes.

use serde_json::{Map, Value};

use crate::error::SqsError;
use crate::model::{RedriveAllowPolicy, RedrivePermission, RedrivePolicy};
use crate::names::QueueArn;

const MAX_RECEIVES: u32 = 1000;
const DEFAULT_RECEIVES: u32 = 10;
const MAX_SOURCES: usize = 10;

/// Reads a `RedrivePolicy`; an empty text removes it.
pub(super) fn parse(text: &str) -> Result<Option<RedrivePolicy>, SqsError> {
    let invalid = |reason: &str| SqsError::value(text, "RedrivePolicy", reason);
    let Some(document) = object(text, "RedrivePolicy")? else {
        return Ok(None);
    };
    let unknown = document
        .keys()
        .find(|name| !["deadLetterTargetArn", "maxReceiveCount"].contains(&name.as_str()));
    if let Some(unknown) = unknown {
        return Err(invalid(&format!("Unknown attribute {unknown}.")));
    }
    let target = document.get("deadLetterTargetArn").and_then(Value::as_str);
    let target: QueueArn = target
        .ok_or_else(|| invalid("Redrive policy does not contain mandatory attribute: deadLetterTargetArn."))?
        .parse()
        .map_err(|_not_an_arn| invalid("Invalid value for deadLetterTargetArn."))?;
    let max_receives = match document.get("maxReceiveCount") {
        None => Some(DEFAULT_RECEIVES),
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(number) => number.as_u64().and_then(|number| number.try_into().ok()),
    };
    let max_receives = max_receives
        .filter(|count| (1..=MAX_RECEIVES).contains(count))
        .ok_or_else(|| {
            invalid("Invalid value for maxReceiveCount. Valid values are from 1 to 1000 both inclusive.")
        })?;
    Ok(Some(RedrivePolicy {
        target: target.to_string(),
        max_receives,
        text: text.to_owned(),
    }))
}

/// Reads a `RedriveAllowPolicy`; an empty text removes it.
pub(super) fn parse_allow(text: &str) -> Result<Option<RedriveAllowPolicy>, SqsError> {
    let invalid = |reason: &str| SqsError::value(text, "RedriveAllowPolicy", reason);
    let Some(document) = object(text, "RedriveAllowPolicy")? else {
        return Ok(None);
    };
    let sources = match document.get("sourceQueueArns") {
        None => None,
        Some(list) => Some(arns(list).ok_or_else(|| invalid("Invalid value for sourceQueueArns."))?),
    };
    let permission = match (document.get("redrivePermission").and_then(Value::as_str), sources) {
        (Some("allowAll"), None) => RedrivePermission::AllowAll,
        (Some("denyAll"), None) => RedrivePermission::DenyAll,
        (Some("byQueue"), Some(sources)) if (1..=MAX_SOURCES).contains(&sources.len()) => {
            RedrivePermission::ByQueue(sources)
        }
        (Some("byQueue"), _) => return Err(invalid("byQueue needs 1 to 10 sourceQueueArns.")),
        (Some("allowAll" | "denyAll"), Some(_)) => {
            return Err(invalid("sourceQueueArns are allowed only with byQueue."));
        }
        _ => return Err(invalid("Invalid value for redrivePermission.")),
    };
    Ok(Some(RedriveAllowPolicy {
        permission,
        text: text.to_owned(),
    }))
}

fn object(text: &str, name: &str) -> Result<Option<Map<String, Value>>, SqsError> {
    if text.is_empty() {
        return Ok(None);
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(document)) => Ok(Some(document)),
        _ => Err(SqsError::value(
            text,
            name,
            "Redrive policy is not a valid JSON map.",
        )),
    }
}

fn arns(list: &Value) -> Option<Vec<String>> {
    let list = list.as_array()?;
    let arn = |value: &Value| {
        value
            .as_str()?
            .parse::<QueueArn>()
            .ok()
            .map(|arn| arn.to_string())
    };
    list.iter().map(arn).collect()
}
