//! PutFunctionEventInvokeConfig and its siblings: retries, age and destinations of asynchronous invocations.

use http::StatusCode;
use serde_json::{Value, json};
use tradewind_model::{Arn, FunctionArn, Qualifier, Timestamp};

use super::{Answer, Call, empty, json};
use crate::error::LambdaError;
use crate::event_invoke::{EventInvoke, WrittenEventInvoke};
use crate::model::Function;
use crate::names::{Shape, Target};
use crate::service::{Decision, LambdaService};

const LIST: &str = "ListFunctionEventInvokeConfigs";

/// Whether what is not written is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Replace,
    Merge,
}

pub(super) async fn put(service: &LambdaService, call: Call) -> Answer {
    write(service, &call, Write::Replace).await
}

pub(super) async fn update(service: &LambdaService, call: Call) -> Answer {
    write(service, &call, Write::Merge).await
}

async fn write(service: &LambdaService, call: &Call, write: Write) -> Answer {
    let target = call.target(Shape::Plain)?;
    let written = WrittenEventInvoke::read(&call.members()?)?;
    let qualifier = target.qualifier().transpose()?.unwrap_or_default();
    let arn = target.function_arn()?;
    let of_service = service.clone();
    let decide = move |current: Option<&Function>, now| {
        let function = required(current, &qualifier)?;
        let there = function.event_invoke.get(&qualifier);
        let there = match write {
            Write::Replace => None,
            Write::Merge => Some(there.ok_or_else(|| none_of(&function.arn, &qualifier))?),
        };
        let config = written.apply(&of_service, function, there, now)?;
        let shown = show(&function.arn, &qualifier, &config);
        Ok(Decision::put(
            with_event_invoke(function, qualifier, config),
            shown,
        ))
    };
    json(StatusCode::OK, &service.change(arn, decide).await?)
}

/// The function with the configuration of one qualifier.
pub(crate) fn with_event_invoke(function: &Function, qualifier: Qualifier, config: EventInvoke) -> Function {
    let mut after = function.clone();
    after.event_invoke.insert(qualifier, config);
    after
}

/// The function, if it has that version or alias.
pub(crate) fn required<'a>(
    function: Option<&'a Function>,
    qualifier: &Qualifier,
) -> Result<&'a Function, LambdaError> {
    function
        .filter(|function| function.version(qualifier).is_some())
        .ok_or(LambdaError::FunctionGone)
}

fn none_of(arn: &FunctionArn, qualifier: &Qualifier) -> LambdaError {
    LambdaError::NoEventInvokeConfig {
        arn: arn.qualified(qualifier.clone()).to_string(),
    }
}

fn show(arn: &FunctionArn, qualifier: &Qualifier, config: &EventInvoke) -> Value {
    let mut shape = json!({
        "LastModified": seconds(config.last_modified),
        "FunctionArn": arn.qualified(qualifier.clone()).to_string(),
    });
    if let Some(retries) = config.retries {
        shape["MaximumRetryAttempts"] = retries.into();
    }
    if let Some(age) = config.age_seconds {
        shape["MaximumEventAgeInSeconds"] = age.into();
    }
    shape["DestinationConfig"] = json!({
        "OnSuccess": destination(config.on_success.as_ref()),
        "OnFailure": destination(config.on_failure.as_ref()),
    });
    shape
}

fn destination(arn: Option<&Arn>) -> Value {
    arn.map_or_else(|| json!({}), |arn| json!({"Destination": arn.to_string()}))
}

/// Seconds since 1970, to the millisecond: how this API alone writes a time.
fn seconds(at: Timestamp) -> Value {
    let ms = at.as_millis();
    let text = format!("{}.{:03}", ms.div_euclid(1_000), ms.rem_euclid(1_000));
    text.parse::<f64>().map_or(Value::Null, Value::from)
}

/// The qualifier of a request, and the function that must be there with it.
fn found(
    service: &LambdaService,
    target: &Target,
) -> Result<(std::sync::Arc<Function>, Qualifier), LambdaError> {
    let qualifier = target.qualifier().transpose()?.unwrap_or_default();
    let function = service.find(&target.function_arn()?);
    required(function.as_deref(), &qualifier)?;
    let function = function.ok_or(LambdaError::FunctionGone)?;
    Ok((function, qualifier))
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    let (function, qualifier) = found(service, &call.target(Shape::Plain)?)?;
    let config = function.event_invoke.get(&qualifier);
    let config = config.ok_or_else(|| none_of(&function.arn, &qualifier))?;
    json(StatusCode::OK, &show(&function.arn, &qualifier, config))
}

pub(super) fn list(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let (function, _latest) = found(service, &target)?;
    let (shown, marker) = call.page_by_qualifier(&function.event_invoke, LIST)?;
    let list = shown
        .iter()
        .map(|(qualifier, config)| show(&function.arn, qualifier, config));
    let mut shape = json!({"FunctionEventInvokeConfigs": list.collect::<Vec<_>>()});
    if let Some(marker) = marker {
        shape["NextMarker"] = marker.into();
    }
    json(StatusCode::OK, &shape)
}

pub(super) async fn delete(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?;
    let qualifier = target.qualifier().transpose()?.unwrap_or_default();
    let decide = move |current: Option<&Function>, _now| {
        let mut after = required(current, &qualifier)?.clone();
        if after.event_invoke.remove(&qualifier).is_none() {
            return Err(none_of(&after.arn, &qualifier));
        }
        Ok(Decision::put(after, ()))
    };
    service.change(target.function_arn()?, decide).await?;
    empty(StatusCode::NO_CONTENT)
}
