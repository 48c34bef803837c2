//! CreateEventSourceMapping and its siblings: which queues a function reads.

use http::StatusCode;
use serde_json::{Value, json};
use tradewind_model::Qualifier;

use super::{Answer, Call, json};
use crate::error::{LambdaError, MappingError, Violations};
use crate::mapping::{Found, MAPPINGS_PAGE, Mapping, MappingId, Transition, WrittenMapping, view};
use crate::names::{Shape, Target};
use crate::service::LambdaService;

const OPERATION: &str = "ListEventSourceMappings";

pub(super) async fn create(service: &LambdaService, call: Call) -> Answer {
    let members = call.members()?;
    let written = WrittenMapping::read(&members)?;
    if written.function().is_none() {
        let mut violations = Violations::default();
        violations.add(&["FunctionName"], None, "Member must not be null");
        violations.into_result()?;
    }
    let tags = super::tags::read(&members)?;
    let (made_by, scope) = (service.clone(), call.scope.clone());
    let decide = move |others: &[std::sync::Arc<Mapping>]| {
        let mapping = written.create(&made_by, &scope, None, others)?;
        Ok(Mapping { tags, ..mapping })
    };
    let made = service.put_mapping(decide).await?;
    accepted(&found(service, made.id)?, Transition::Creating)
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    json(StatusCode::OK, &view(&named(service, call)?, Transition::None))
}

pub(super) async fn update(service: &LambdaService, call: Call) -> Answer {
    let there = named(service, &call)?;
    let written = WrittenMapping::read(&call.members()?)?;
    let (changed_by, id, now) = (service.clone(), there.mapping.id, service.clock().now());
    let decide = move |all: &[std::sync::Arc<Mapping>]| {
        let current = all.iter().find(|mapping| mapping.id == id);
        written.change(&changed_by, current.ok_or(MappingError::NotFound)?, now)
    };
    let after = service.put_mapping(decide).await?;
    let transition = match (there.mapping.enabled, after.enabled) {
        (false, true) => Transition::Enabling,
        (true, false) => Transition::Disabling,
        _ => Transition::Updating,
    };
    accepted(&found(service, id)?, transition)
}

pub(super) async fn delete(service: &LambdaService, call: Call) -> Answer {
    let there = named(service, &call)?;
    let deleted = service.delete_mapping(there.mapping.id).await?;
    accepted(&deleted, Transition::None)
}

pub(super) fn list(service: &LambdaService, call: &Call) -> Answer {
    let page = call.page_size(MAPPINGS_PAGE)?;
    let after = match call.params.get("Marker").filter(|marker| !marker.is_empty()) {
        Some(marker) => {
            let last = crate::token::decode(OPERATION, marker)?;
            Some(
                last.parse::<MappingId>()
                    .map_err(|_no_id| LambdaError::InvalidMarker)?,
            )
        }
        None => None,
    };
    let function = match call.params.get("FunctionName") {
        Some(name) => Some(Target::parse(Shape::Namespaced, name, None, &call.scope)?),
        None => None,
    };
    let source = call.params.get("EventSourceArn");
    let wanted = |mapping: &Mapping| {
        mapping.account == call.scope.account
            && mapping.region == call.scope.region
            && source.is_none_or(|source| mapping.source.arn().is_some_and(|arn| arn.to_string() == *source))
            && function.as_ref().is_none_or(|target| is_of(mapping, target))
    };
    let mut shown = service.mappings().list(after, page, wanted);
    let has_more = shown.len() > page;
    shown.truncate(page);
    let mappings: Vec<Value> = shown.iter().map(|found| view(found, Transition::None)).collect();
    let mut answer = json!({"EventSourceMappings": mappings});
    if let Some(last) = shown.last().filter(|_| has_more) {
        answer["NextMarker"] = json!(crate::token::encode(OPERATION, &last.mapping.id.to_string()));
    }
    json(StatusCode::OK, &answer)
}

/// Without a qualifier all mappings of the function are meant.
fn is_of(mapping: &Mapping, target: &Target) -> bool {
    let qualifier = mapping.function.qualifier.as_ref().map(Qualifier::to_string);
    mapping.function.name.as_str() == target.name_text()
        && target
            .qualifier_text()
            .is_none_or(|given| qualifier.as_deref() == Some(given))
}

/// The mapping of the path, if it is the caller's.
fn named(service: &LambdaService, call: &Call) -> Result<Found, LambdaError> {
    let id = call
        .route
        .first()
        .parse()
        .map_err(|_no_id| MappingError::NotFound)?;
    let found = found(service, id)?;
    let is_callers = found.mapping.account == call.scope.account && found.mapping.region == call.scope.region;
    if is_callers {
        Ok(found)
    } else {
        Err(MappingError::NotFound.into())
    }
}

fn found(service: &LambdaService, id: MappingId) -> Result<Found, LambdaError> {
    Ok(service.mappings().find(id).ok_or(MappingError::NotFound)?)
}

fn accepted(found: &Found, transition: Transition) -> Answer {
    json(StatusCode::ACCEPTED, &view(found, transition))
}
