//! PutProvisionedConcurrencyConfig and its siblings: instances that are kept initialised.

use http::StatusCode;
use serde_json::{Value, json};
use tradewind_compute::{ProvisionedState, ProvisionedStatus};
use tradewind_model::{Qualifier, Timestamp};

use super::concurrency::{check_provisioned, required_count};
use super::{Answer, Call, empty, json};
use crate::error::{LambdaError, Violations};
use crate::model::{Function, Provisioned, last_modified_text};
use crate::names::{Shape, Target};
use crate::service::{Decision, LambdaService};

const LIST: &str = "ListProvisionedConcurrencyConfigs";

pub(super) async fn put(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?;
    let wanted = required_count(&call.members()?, &["ProvisionedConcurrentExecutions"], 1)?;
    let qualifier = qualifier(&target)?;
    let arn = target.function_arn()?;
    let unreserved = service.unreserved_concurrency(&arn);
    let decide = move |current: Option<&Function>, now| {
        let function = current.ok_or_else(|| target.not_found())?;
        let after = with_provisioned(function, &qualifier, wanted, unreserved, now)?;
        Ok(Decision::put(after, now))
    };
    let now: Timestamp = service.change(arn, decide).await?;
    let shape = json!({
        "RequestedProvisionedConcurrentExecutions": wanted,
        "AvailableProvisionedConcurrentExecutions": 0,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": ProvisionedState::InProgress.as_str(),
        "LastModified": last_modified_text(now),
    });
    json(StatusCode::ACCEPTED, &shape)
}

/// The qualifier of a request, which must be a version or an alias.
fn qualifier(target: &Target) -> Result<Qualifier, LambdaError> {
    match target.qualifier().transpose()? {
        None => {
            let mut violations = Violations::default();
            violations.add(&["Qualifier"], None, "Member must not be null");
            Err(LambdaError::Validation(violations))
        }
        Some(Qualifier::Latest) => Err(LambdaError::ProvisionedLatest),
        Some(qualifier) => Ok(qualifier),
    }
}

/// The function with `wanted` instances provisioned for a version or an alias.
pub(crate) fn with_provisioned(
    function: &Function,
    qualifier: &Qualifier,
    wanted: u32,
    unreserved: u32,
    now: Timestamp,
) -> Result<Function, LambdaError> {
    require(function, qualifier)?;
    check_conflict(function, qualifier)?;
    let mut after = function.clone();
    let config = Provisioned {
        executions: wanted,
        last_modified: now,
    };
    after.provisioned.insert(qualifier.clone(), config);
    check_provisioned(&after, after.provisioned_total(), unreserved)?;
    Ok(after)
}

fn require(function: &Function, qualifier: &Qualifier) -> Result<(), LambdaError> {
    match function.executed(qualifier) {
        Some(Qualifier::Latest) => return Err(LambdaError::ProvisionedLatest),
        Some(version) if function.version(version).is_some() => return Ok(()),
        Some(_) | None => {}
    }
    let arn = function.arn.qualified(qualifier.clone()).to_string();
    Err(match qualifier {
        Qualifier::Alias(_) => LambdaError::AliasNotFound { arn },
        Qualifier::Latest | Qualifier::Version(_) => LambdaError::FunctionNotFound { arn },
    })
}

/// A version is provisioned by itself or by an alias that leads to it, not by both.
fn check_conflict(function: &Function, qualifier: &Qualifier) -> Result<(), LambdaError> {
    match qualifier {
        Qualifier::Version(number) => {
            let by_alias = |name: &str| {
                let alias = Qualifier::Alias(name.into());
                function.provisioned.contains_key(&alias)
            };
            let mut leading = function
                .aliases
                .iter()
                .filter(|(_, alias)| alias.leads_to(*number));
            match leading.any(|(name, _)| by_alias(name)) {
                true => Err(LambdaError::VersionOfProvisionedAlias),
                false => Ok(()),
            }
        }
        Qualifier::Alias(name) => {
            let provisioned = |qualifier: &Qualifier| match qualifier {
                Qualifier::Version(number) => function
                    .aliases
                    .get(&**name)
                    .is_some_and(|alias| alias.leads_to(*number)),
                Qualifier::Latest | Qualifier::Alias(_) => false,
            };
            match function.provisioned.keys().any(provisioned) {
                true => Err(LambdaError::AliasOfProvisionedVersion),
                false => Ok(()),
            }
        }
        Qualifier::Latest => Err(LambdaError::ProvisionedLatest),
    }
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?;
    let qualifier = qualifier(&target)?;
    let function = service.function(&target)?;
    require(&function, &qualifier)?;
    let config = function.provisioned.get(&qualifier);
    let config = config.ok_or(LambdaError::NoProvisionedConfig)?;
    json(StatusCode::OK, &show(service, &function, &qualifier, *config))
}

/// A configuration, and how far the engine has come with it.
fn show(service: &LambdaService, function: &Function, qualifier: &Qualifier, config: Provisioned) -> Value {
    let version = function.executed(qualifier).cloned().unwrap_or_default();
    let status = service.engine().provisioned(&function.arn.qualified(version));
    let status = status.unwrap_or(ProvisionedStatus {
        requested: config.executions,
        allocated: 0,
        available: 0,
        status: ProvisionedState::InProgress,
        reason: None,
    });
    let mut shape = json!({
        "RequestedProvisionedConcurrentExecutions": config.executions,
        "AvailableProvisionedConcurrentExecutions": status.available,
        "AllocatedProvisionedConcurrentExecutions": status.allocated,
        "Status": status.status.as_str(),
        "LastModified": last_modified_text(config.last_modified),
    });
    if let Some(reason) = status.reason {
        shape["StatusReason"] = json!(reason);
    }
    shape
}

pub(super) fn list(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Plain)?.without_qualifier()?;
    let function = service.function(&target)?;
    let (shown, marker) = call.page_by_qualifier(&function.provisioned, LIST)?;
    let list = shown.iter().map(|(qualifier, config)| {
        let mut shape = show(service, &function, qualifier, **config);
        shape["FunctionArn"] = json!(function.arn.qualified((*qualifier).clone()).to_string());
        shape
    });
    let mut shape = json!({"ProvisionedConcurrencyConfigs": list.collect::<Vec<_>>()});
    if let Some(marker) = marker {
        shape["NextMarker"] = marker.into();
    }
    json(StatusCode::OK, &shape)
}

/// That nothing is provisioned is success.
pub(super) async fn delete(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Plain)?;
    let qualifier = qualifier(&target)?;
    let arn = target.function_arn()?;
    let decide = move |current: Option<&Function>, _now| {
        let function = current.ok_or_else(|| target.not_found())?;
        require(function, &qualifier)?;
        let mut after = function.clone();
        after.provisioned.remove(&qualifier);
        Ok(Decision::put(after, ()))
    };
    service.change(arn, decide).await?;
    empty(StatusCode::NO_CONTENT)
}
