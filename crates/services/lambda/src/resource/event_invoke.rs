//! `AWS::Lambda::EventInvokeConfig`.

use serde_json::Value;
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    required_text,
};
use tradewind_model::{FunctionArn, Qualifier};

use super::{of_lambda, scope, typed};
use crate::api::event_invoke::{required, with_event_invoke};
use crate::error::LambdaError;
use crate::event_invoke::WrittenEventInvoke;
use crate::model::Function;
use crate::names::{Shape, Target};
use crate::service::{Decision, LambdaService};

const ACCEPTED: &[&str] = &[
    "DestinationConfig",
    "FunctionName",
    "MaximumEventAgeInSeconds",
    "MaximumRetryAttempts",
    "Qualifier",
];
const REQUIRED: &[&str] = &["FunctionName", "Qualifier"];
const NUMBERS: &[&str] = &["MaximumEventAgeInSeconds", "MaximumRetryAttempts"];

/// The type.
#[derive(Debug)]
pub(super) struct EventInvokeType(pub(super) LambdaService);

impl ResourceHandler for EventInvokeType {
    fn type_name(&self) -> &'static str {
        "AWS::Lambda::EventInvokeConfig"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED).requiring(REQUIRED)
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["FunctionName", "Qualifier"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, properties).await
    }

    async fn delete(&self, _context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let Ok(arn) = current.physical_id.parse::<FunctionArn>() else {
            return Ok(());
        };
        let qualifier = arn.qualifier.clone().unwrap_or_default();
        let decide = move |function: Option<&Function>, _now| {
            let Some(function) = function.filter(|f| f.event_invoke.contains_key(&qualifier)) else {
                return Ok(Decision::keep(()));
            };
            let mut after = function.clone();
            after.event_invoke.remove(&qualifier);
            Ok(Decision::put(after, ()))
        };
        self.0.change(arn.unqualified(), decide).await.map_err(of_lambda)
    }
}

impl EventInvokeType {
    /// Makes the configuration, or brings it to `properties`; both may be repeated.
    async fn put(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = required_text(properties, "FunctionName")?;
        let given = required_text(properties, "Qualifier")?;
        let target = Target::parse(Shape::Plain, &name, Some(&given), &scope(context)).map_err(of_lambda)?;
        let qualifier: Qualifier = target
            .qualifier()
            .transpose()
            .map_err(of_lambda)?
            .unwrap_or_default();
        let written = WrittenEventInvoke::read(&members(properties)).map_err(of_lambda)?;
        let arn = target.function_arn().map_err(of_lambda)?;
        let physical_id = arn.qualified(qualifier.clone()).to_string();
        let service = self.0.clone();
        let decide = move |current: Option<&Function>, now| -> Result<_, LambdaError> {
            let function = required(current, &qualifier)?;
            let config = written.apply(&service, function, None, now)?;
            let there = function.event_invoke.get(&qualifier);
            if there.is_some_and(|there| there.is_like(&config)) {
                return Ok(Decision::keep(()));
            }
            Ok(Decision::put(with_event_invoke(function, qualifier, config), ()))
        };
        self.0.change(arn, decide).await.map_err(of_lambda)?;
        Ok(ResourceState {
            physical_id,
            reference: None,
            attributes: Properties::new(),
        })
    }
}

/// The properties as the members of a request.
fn members(properties: &Properties) -> Properties {
    let mut members = typed(properties, NUMBERS, &[]);
    // a template's destinations may be null where a request has none
    members.retain(|_, value| !matches!(value, Value::Null));
    members
}
