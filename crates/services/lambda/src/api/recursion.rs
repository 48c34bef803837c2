//! PutFunctionRecursionConfig and GetFunctionRecursionConfig.

use http::StatusCode;
use serde_json::json;

use super::{Answer, Call, json, optional_text};
use crate::error::{LambdaError, Violations};
use crate::model::Function;
use crate::names::Shape;
use crate::recursion::RecursiveLoop;
use crate::service::{Decision, LambdaService};

pub(super) async fn put(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let given = optional_text(&call.members()?, "RecursiveLoop")?;
    let wanted = given.as_deref().and_then(RecursiveLoop::parse);
    let Some(wanted) = wanted else {
        let mut violations = Violations::default();
        let constraint = match given {
            None => "Member must not be null",
            Some(_) => "Member must satisfy enum value set: [Allow, Terminate]",
        };
        violations.add(&["RecursiveLoop"], given, constraint);
        return Err(LambdaError::Validation(violations));
    };
    let arn = target.function_arn()?;
    let decide = move |current: Option<&Function>, _now| {
        let mut after = current.ok_or_else(|| target.not_found())?.clone();
        after.recursive_loop = wanted;
        Ok(Decision::put(after, ()))
    };
    service.change(arn, decide).await?;
    shown(wanted)
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    shown(service.function(&target)?.recursive_loop)
}

fn shown(recursive_loop: RecursiveLoop) -> Answer {
    json(StatusCode::OK, &json!({"RecursiveLoop": recursive_loop.as_str()}))
}
