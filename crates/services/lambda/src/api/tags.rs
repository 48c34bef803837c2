//! TagResource, UntagResource and ListTags, of functions and event source mappings.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Call, empty, json};
use crate::error::{LambdaError, MappingError, Violations};
use crate::mapping::{Mapping, MappingId};
use crate::model::{EGRESS_TAG, Function, egress};
use crate::names::{Shape, Target};
use crate::service::{Decision, LambdaService};
use crate::settings::Members;

const TAGS_PER_FUNCTION: usize = 50;
const RESOURCE_PATTERN: &str = "arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)";
/// Resources that have tags with AWS and are not there yet.
const OTHER_RESOURCES: &[&str] = &[
    "layer:",
    "code-signing-config:",
    "capacity-provider:",
    "network-connector:",
];

/// The function whose tags are meant.
fn target(call: &Call) -> Result<Target, LambdaError> {
    let arn = call.route.first();
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    if OTHER_RESOURCES.iter().any(|kind| resource.starts_with(kind)) {
        return Err(LambdaError::TagsOfOtherResource { arn: arn.to_owned() });
    }
    let is_function = arn.starts_with("arn:") && resource.starts_with("function:");
    let parsed = Target::parse(Shape::Namespaced, arn, None, &call.scope);
    match parsed {
        Err(LambdaError::Validation(_)) => Err(not_a_resource(arn)),
        Ok(_) if !is_function => Err(not_a_resource(arn)),
        Ok(target) if target.qualifier_text().is_some() => Err(LambdaError::TagsOnVersion),
        other => other,
    }
}

fn not_a_resource(arn: &str) -> LambdaError {
    let mut violations = Violations::default();
    let constraint = format!("Member must satisfy regular expression pattern: {RESOURCE_PATTERN}");
    violations.add(&["Resource"], arn.to_owned(), constraint);
    LambdaError::Validation(violations)
}

/// The event source mapping whose tags are meant; none if it is not one that the ARN names.
fn mapping(service: &LambdaService, call: &Call) -> Result<Option<MappingId>, LambdaError> {
    let arn = call.route.first();
    let Some((_, id)) = arn.split_once(":event-source-mapping:") else {
        return Ok(None);
    };
    let found = id.parse().ok().and_then(|id| service.mappings().find(id));
    let found =
        found.filter(|found| found.mapping.arn() == arn && found.mapping.account == call.scope.account);
    Ok(Some(found.ok_or(MappingError::NotFound)?.mapping.id))
}

/// Changes the tags of a mapping.
async fn change_mapping(
    service: &LambdaService,
    id: MappingId,
    change: impl FnOnce(&mut BTreeMap<String, String>) + Send + 'static,
) -> Answer {
    let decide = move |all: &[Arc<Mapping>]| {
        let there = all.iter().find(|mapping| mapping.id == id);
        let mut after = there.ok_or(MappingError::NotFound)?.as_ref().clone();
        change(&mut after.tags);
        check(&after.tags)?;
        Ok(after)
    };
    service.put_mapping(decide).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) fn list(service: &LambdaService, call: &Call) -> Answer {
    if let Some(id) = mapping(service, call)? {
        let found = service.mappings().find(id).ok_or(MappingError::NotFound)?;
        return json(StatusCode::OK, &json!({"Tags": found.mapping.tags}));
    }
    let function = service.function(&target(call)?)?;
    json(StatusCode::OK, &json!({"Tags": function.tags}))
}

pub(super) async fn tag(service: &LambdaService, call: Call) -> Answer {
    let tags = read(&call.members()?)?;
    if tags.is_empty() {
        return Err(LambdaError::NoTags);
    }
    if let Some(id) = mapping(service, &call)? {
        return change_mapping(service, id, |there| there.extend(tags)).await;
    }
    let target = target(&call)?;
    let decide = move |current: Option<&Function>, _now| {
        let mut after = current.ok_or_else(|| target.not_found())?.clone();
        after.tags.extend(tags);
        check(&after.tags)?;
        Ok(Decision::put(after, ()))
    };
    service.change(arn_of(&call)?, decide).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) async fn untag(service: &LambdaService, call: Call) -> Answer {
    let keys: Vec<String> = call
        .params
        .iter()
        .filter(|(name, _)| *name == "tagKeys")
        .map(|(_, key)| key.to_owned())
        .collect();
    if keys.is_empty() {
        let mut violations = Violations::default();
        violations.add(&["TagKeys"], None, "Member must not be null");
        violations.into_result()?;
    }
    if let Some(id) = mapping(service, &call)? {
        return change_mapping(service, id, move |there| {
            there.retain(|key, _| !keys.contains(key))
        })
        .await;
    }
    let target = target(&call)?;
    let decide = move |current: Option<&Function>, _now| {
        let mut after = current.ok_or_else(|| target.not_found())?.clone();
        after.tags.retain(|key, _| !keys.contains(key));
        Ok(Decision::put(after, ()))
    };
    service.change(arn_of(&call)?, decide).await?;
    empty(StatusCode::NO_CONTENT)
}

fn arn_of(call: &Call) -> Result<tradewind_model::FunctionArn, LambdaError> {
    target(call)?.function_arn()
}

/// The `Tags` of a body; none is the empty map.
pub(crate) fn read(members: &Members) -> Result<BTreeMap<String, String>, LambdaError> {
    let wrong = |detail: String| LambdaError::WrongType { detail };
    let tags: BTreeMap<String, String> = match members.get("Tags") {
        None | Some(Value::Null) => BTreeMap::new(),
        Some(tags) => serde_json::from_value(tags.clone()).map_err(|error| wrong(error.to_string()))?,
    };
    check(&tags)?;
    Ok(tags)
}

/// At most 50 tags, with keys of 1 to 128 and values of at most 256 characters; of [`EGRESS_TAG`] only those
/// with a meaning.
pub(crate) fn check(tags: &BTreeMap<String, String>) -> Result<(), LambdaError> {
    if tags.len() > TAGS_PER_FUNCTION {
        return Err(LambdaError::TooManyTags);
    }
    let mut violations = Violations::default();
    let bad_key = |key: &&String| key.is_empty() || key.chars().count() > 128;
    if let Some(key) = tags.keys().find(bad_key) {
        let constraint = "Map keys must satisfy constraint: [Member must have length less than or equal to 128, \
                          Member must have length greater than or equal to 1]";
        violations.add(&["Tags"], key.clone(), constraint);
    }
    if let Some((key, _)) = tags.iter().find(|(_, value)| value.chars().count() > 256) {
        let constraint =
            "Map value must satisfy constraint: [Member must have length less than or equal to 256]";
        violations.add(&["Tags"], format!("{{{key}=…}}"), constraint);
    }
    if let Some(value) = tags.get(EGRESS_TAG).filter(|_| egress(tags).is_none()) {
        let constraint = "Member must satisfy enum value set: [internet, none]";
        violations.add(&["Tags", EGRESS_TAG], value.clone(), constraint);
    }
    violations.into_result()
}
