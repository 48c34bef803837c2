//! The CloudFormation types: a table of nine definitions, and the one adapter that applies them.
//!
//! A definition's `plan` is a pure function from properties and present records to the record to
//! keep; creating and updating are the same.

mod check;
mod cors;
mod deployment;
mod http_api;
mod http_stage;
mod integration;
mod method;
mod mock;
mod rest_api;
mod rest_resource;
mod rest_stage;
mod route;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState,
};

use crate::model::{Record, RecordKey, RecordKind};
use crate::service::ApiGatewayService;
use crate::state::{State, Stored};

/// Names of properties and why they are refused.
type Reasons = &'static [(&'static str, &'static str)];

/// One type: its name, what it accepts, and what becomes of its properties.
#[derive(Debug)]
pub(crate) struct Definition {
    name: &'static str,
    kind: RecordKind,
    replaced_by: &'static [&'static str],
    /// Top-level properties that are taken.
    accepted: &'static [&'static str],
    /// What is refused with a reason, below each property; `""` is the top level.
    refused: &'static [(&'static str, Reasons)],
    check: fn(&Properties) -> Vec<PropertyProblem>,
    plan: fn(&Planning<'_>) -> Result<Plan, ResourceError>,
}

pub(crate) const DEFINITIONS: &[Definition] = &[
    rest_api::DEFINITION,
    rest_resource::DEFINITION,
    method::DEFINITION,
    deployment::DEFINITION,
    rest_stage::DEFINITION,
    http_api::DEFINITION,
    http_stage::DEFINITION,
    integration::DEFINITION,
    route::DEFINITION,
];

/// What a plan is made from.
#[derive(Debug)]
pub(crate) struct Planning<'a> {
    state: &'a State,
    /// The name the stack stored for the resource; ids are made of it.
    owner: &'a str,
    properties: &'a Properties,
    base_domain: &'a str,
}

/// What is to be kept and told of a resource.
#[derive(Debug)]
pub(crate) struct Plan {
    key: RecordKey,
    record: Record,
    /// What `Ref` gives, where that is not the physical id.
    reference: Option<String>,
    attributes: Map<String, Value>,
}

impl Plan {
    /// An API: its id is its physical id.
    fn api(key: RecordKey, record: Record) -> Self {
        Self {
            key,
            record,
            reference: None,
            attributes: Map::new(),
        }
    }

    /// A part of an API: `Ref` gives its own id.
    fn part(kind: RecordKind, api: String, id: String, record: Record) -> Self {
        let reference = Some(id.clone());
        Self {
            key: RecordKey { api, kind, id },
            record,
            reference,
            attributes: Map::new(),
        }
    }

    fn attribute(mut self, name: &str, value: impl Into<String>) -> Self {
        self.attributes
            .insert(name.to_owned(), Value::String(value.into()));
        self
    }
}

/// A definition in the hands of the template engine.
#[derive(Debug)]
pub(crate) struct ApiGatewayType {
    service: ApiGatewayService,
    definition: &'static Definition,
}

impl ApiGatewayType {
    pub(crate) fn new(service: ApiGatewayService, definition: &'static Definition) -> Self {
        Self { service, definition }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let plan = |state: &State| {
            let owner = context.generated_name.as_str();
            let base_domain = self.service.base_domain();
            let plan = (self.definition.plan)(&Planning {
                state,
                owner,
                properties,
                base_domain,
            })?;
            refuse_foreign(state, &plan.key, owner)?;
            let resource = ResourceState {
                physical_id: plan.key.physical_id(),
                reference: plan.reference,
                attributes: plan.attributes,
            };
            Ok((
                plan.key,
                Stored {
                    owner: owner.to_owned(),
                    record: plan.record,
                },
                resource,
            ))
        };
        self.service.put(plan).await
    }
}

fn refuse_foreign(state: &State, key: &RecordKey, owner: &str) -> Result<(), ResourceError> {
    match state.get(key) {
        Some(stored) if stored.owner != owner => Err(ResourceError::AlreadyExists {
            kind: key.kind.as_str(),
            name: key.id.clone(),
        }),
        _ => Ok(()),
    }
}

impl ResourceHandler for ApiGatewayType {
    fn type_name(&self) -> &'static str {
        self.definition.name
    }

    fn known_properties(&self) -> KnownProperties {
        let known = KnownProperties::new(self.definition.accepted);
        let refused = self.definition.refused.iter();
        refused.fold(known, |known, (parent, refused)| known.refusing(parent, refused))
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        (self.definition.check)(properties)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        self.definition.replaced_by
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        match RecordKey::parse(self.definition.kind, &current.physical_id) {
            Some(key) => self.service.remove(&key, &context.generated_name).await,
            None => Ok(()),
        }
    }
}

fn invalid(message: impl Into<String>) -> ResourceError {
    ResourceError::Invalid {
        message: message.into(),
    }
}

/// The list of strings of property `name`; none when it is absent.
fn texts(properties: &Properties, name: &str) -> Result<Vec<String>, ResourceError> {
    let wrong = || invalid(format!("property `{name}` must be a list of strings"));
    match properties.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(list)) => list
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong))
            .collect(),
        Some(_) => Err(wrong()),
    }
}

/// A name of a stage that is part of a path.
fn stage_name(name: String) -> Result<String, ResourceError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if (1..=128).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(name);
    }
    Err(invalid(format!(
        "`{name}` is not a stage name: 1 to 128 of `A-Z a-z 0-9 _ -`"
    )))
}
