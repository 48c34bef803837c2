//! What a function is asked that has one answer here: its code signing, and who updates its runtime.

use http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, Call, json};
use crate::names::Shape;
use crate::service::{LambdaService, version_of};

/// No code is signed: the answer is that of a function without a configuration.
pub(super) fn code_signing(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    service.function(&target)?;
    json(StatusCode::OK, &json!({}))
}

/// Runtimes are those of the machine: functions get what is installed there.
pub(super) fn runtime_management(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?;
    let function = service.function(&target)?;
    let (_version, qualifier) = version_of(&function, &target)?;
    let arn = match qualifier {
        Some(qualifier) => function.arn.qualified(qualifier),
        None => function.arn.clone(),
    };
    let shape = json!({
        "UpdateRuntimeOn": "Auto", "FunctionArn": arn.to_string(), "RuntimeVersionArn": Value::Null,
    });
    json(StatusCode::OK, &shape)
}
