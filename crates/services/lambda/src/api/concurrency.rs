//! PutFunctionConcurrency, GetFunctionConcurrency, DeleteFunctionConcurrency and GetAccountSettings.

use http::StatusCode;
use serde_json::json;
use tradewind_model::{FunctionArn, limits};

use super::{Answer, Call, empty, json};
use crate::error::{LambdaError, Violations};
use crate::model::Function;
use crate::names::Shape;
use crate::service::{Decision, LambdaService};
use crate::settings::Members;

/// What the account keeps for functions that reserve nothing.
const LEAST_UNRESERVED: u32 = 100;
/// What an account's packages may be together, as AWS has it: 75 GB.
const TOTAL_CODE_BYTES: u64 = 80_530_636_800;

pub(super) async fn put(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let reserved = required_count(&call.members()?, &["ReservedConcurrentExecutions"], 0)?;
    let arn = target.function_arn()?;
    service.function(&target)?;
    let unreserved = service.unreserved_concurrency(&arn);
    let decide = move |current: Option<&Function>, _now| {
        let mut after = current.ok_or_else(|| target.not_found())?.clone();
        check_reserved(&after, reserved, unreserved)?;
        after.reserved_concurrency = Some(reserved);
        Ok(Decision::put(after, ()))
    };
    service.change(arn, decide).await?;
    json(StatusCode::OK, &json!({"ReservedConcurrentExecutions": reserved}))
}

/// A whole number of the body.
pub(super) fn required_count(
    members: &Members,
    path: &'static [&'static str],
    least: u32,
) -> Result<u32, LambdaError> {
    let name = path.first().copied().unwrap_or_default();
    let mut violations = Violations::default();
    let given = match members.get(name) {
        None | Some(serde_json::Value::Null) => None,
        Some(value) => Some(value.as_i64().ok_or_else(|| LambdaError::WrongType {
            detail: format!("`{name}` must be a whole number"),
        })?),
    };
    let count = given
        .and_then(|given| u32::try_from(given).ok())
        .filter(|count| *count >= least);
    if count.is_none() {
        let constraint = match given {
            None => "Member must not be null".to_owned(),
            Some(_) => format!("Member must have value greater than or equal to {least}"),
        };
        violations.add(path, given.map(|given| given.to_string()), constraint);
    }
    violations.into_result()?;
    Ok(count.unwrap_or(least))
}

/// `unreserved` is what the account has left without this function's own reservation. Turning a
/// function off takes nothing from the others.
pub(crate) fn check_reserved(function: &Function, reserved: u32, unreserved: u32) -> Result<(), LambdaError> {
    if reserved > 0 && unreserved.saturating_sub(reserved) < LEAST_UNRESERVED {
        return Err(LambdaError::ReservedTooMuch {
            least: LEAST_UNRESERVED,
        });
    }
    let provisioned = function.provisioned_total();
    if provisioned > reserved {
        return Err(LambdaError::ReservedBelowProvisioned {
            reserved,
            provisioned,
        });
    }
    Ok(())
}

/// Whether `provisioned` more instances fit beside what the account keeps for the others.
pub(super) fn check_provisioned(
    function: &Function,
    wanted: u32,
    unreserved: u32,
) -> Result<(), LambdaError> {
    match function.reserved_concurrency {
        Some(reserved) if wanted > reserved => Err(LambdaError::ProvisionedOverReserved),
        Some(_) => Ok(()),
        None if wanted > unreserved => Err(LambdaError::ProvisionedOverUnreserved { unreserved }),
        None if unreserved - wanted < LEAST_UNRESERVED => Err(LambdaError::ProvisionedTooMuch {
            least: LEAST_UNRESERVED,
        }),
        None => Ok(()),
    }
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let function = service.function(&target)?;
    match function.reserved_concurrency {
        Some(reserved) => json(StatusCode::OK, &json!({"ReservedConcurrentExecutions": reserved})),
        None => json(StatusCode::OK, &json!({})),
    }
}

pub(super) async fn delete(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let arn = target.function_arn()?;
    let decide = move |current: Option<&Function>, _now| {
        let mut after = current.ok_or_else(|| target.not_found())?.clone();
        after.reserved_concurrency = None;
        Ok(Decision::put(after, ()))
    };
    service.change(arn, decide).await?;
    empty(StatusCode::NO_CONTENT)
}

pub(super) fn account_settings(service: &LambdaService, call: &Call) -> Answer {
    let limit = service.engine().account_concurrency();
    let (mut functions, mut code_bytes, mut reserved) = (0_u64, 0_u64, 0_u32);
    service.registry(|registry| {
        for function in registry.all().filter(|f| f.arn.account == call.scope.account) {
            functions += 1;
            let versions = function.versions.values().chain([&function.latest]);
            code_bytes += versions.map(|version| version.code.size_bytes).sum::<u64>();
            reserved = reserved.saturating_add(function.kept_concurrency());
        }
    });
    let shape = json!({
        "AccountLimit": {
            "TotalCodeSize": TOTAL_CODE_BYTES,
            "CodeSizeUnzipped": limits::UNZIPPED_BYTES,
            "CodeSizeZipped": limits::ZIP_BYTES,
            "ConcurrentExecutions": limit,
            "UnreservedConcurrentExecutions": limit.saturating_sub(reserved),
        },
        "AccountUsage": {"TotalCodeSize": code_bytes, "FunctionCount": functions},
    });
    json(StatusCode::OK, &shape)
}

impl LambdaService {
    /// What the node's functions may use at once beside those that reserve some, without `besides`' own share.
    pub(crate) fn unreserved_concurrency(&self, besides: &FunctionArn) -> u32 {
        let others = self.registry(|registry| {
            let others = registry.all().filter(|function| function.arn != *besides);
            others.fold(0_u32, |sum, function| {
                sum.saturating_add(function.kept_concurrency())
            })
        });
        self.engine().account_concurrency().saturating_sub(others)
    }
}
