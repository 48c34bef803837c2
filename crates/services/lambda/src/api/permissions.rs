//! AddPermission, GetPolicy and RemovePermission.

use http::StatusCode;
use serde_json::json;
use tradewind_model::{FunctionArn, Qualifier};

use super::{Answer, Call, empty, json};
use crate::error::LambdaError;
use crate::model::Function;
use crate::names::{Shape, Target};
use crate::policy::{Permission, Policy};
use crate::service::{Decision, LambdaService};

pub(super) async fn add(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Namespaced)?;
    let permission = Permission::read(&call.members()?)?;
    let arn = target.function_arn()?;
    let decide = move |current: Option<&Function>, _now| {
        let function = current.ok_or_else(|| target.not_found())?;
        let qualifier = policy_qualifier(function, &target)?;
        let (after, statement) = with_permission(function, qualifier, &permission)?;
        Ok(Decision::put(after, statement))
    };
    let statement = service.change(arn, decide).await?;
    json(StatusCode::CREATED, &json!({"Statement": statement}))
}

/// The function with one more statement, and the statement as JSON text.
pub(crate) fn with_permission(
    function: &Function,
    qualifier: Option<Qualifier>,
    permission: &Permission,
) -> Result<(Function, String), LambdaError> {
    let policy = function.policies.get(&qualifier).cloned().unwrap_or_default();
    check_revision(&policy, permission.revision_id.as_deref())?;
    let resource = policy_resource(&function.arn, qualifier.as_ref());
    let statement = permission.statement(&resource)?;
    let text = statement.json.to_string();
    let mut after = function.clone();
    after.policies.insert(qualifier, policy.with(statement)?);
    Ok((after, text))
}

fn policy_resource(arn: &FunctionArn, qualifier: Option<&Qualifier>) -> String {
    match qualifier {
        Some(qualifier) => arn.qualified(qualifier.clone()).to_string(),
        None => arn.to_string(),
    }
}

/// Which policy of the function is meant: its own, or that of an existing version or alias.
pub(crate) fn policy_qualifier(
    function: &Function,
    target: &Target,
) -> Result<Option<Qualifier>, LambdaError> {
    match target.qualifier().transpose()? {
        None => Ok(None),
        Some(Qualifier::Latest) => Err(LambdaError::PolicyOnLatest),
        Some(Qualifier::Alias(name)) if !function.aliases.contains_key(&*name) => {
            Err(LambdaError::AliasNotFound {
                arn: target.arn_text(),
            })
        }
        Some(qualifier) if function.version(&qualifier).is_none() => Err(target.not_found()),
        Some(qualifier) => Ok(Some(qualifier)),
    }
}

fn check_revision(policy: &Policy, given: Option<&str>) -> Result<(), LambdaError> {
    match given {
        Some(given) if given != policy.revision_id => Err(LambdaError::RevisionMismatch {
            operation: "GetPolicy",
        }),
        _ => Ok(()),
    }
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    let target = call.target(Shape::Namespaced)?;
    let function = service
        .function(&target)
        .map_err(|_not_found| LambdaError::PolicyNotFound)?;
    let qualifier = match target.qualifier().transpose() {
        Ok(None | Some(Qualifier::Latest)) => None,
        Ok(Some(qualifier)) => Some(qualifier),
        Err(_no_such_qualifier) => return Err(LambdaError::PolicyNotFound),
    };
    let policy = function
        .policies
        .get(&qualifier)
        .ok_or(LambdaError::PolicyNotFound)?;
    json(
        StatusCode::OK,
        &json!({"Policy": policy.document(), "RevisionId": policy.revision_id}),
    )
}

pub(super) async fn remove(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Namespaced)?;
    let statement_id = call.route.second().to_owned();
    let revision_id = call.params.get("RevisionId").map(str::to_owned);
    let no_function = LambdaError::NoPolicyFor {
        arn: target.unqualified_text(),
    };
    let Ok(arn) = target.function_arn() else {
        return Err(no_function);
    };
    let decide = move |current: Option<&Function>, _now| {
        let Some(function) = current else {
            return Err(no_function);
        };
        let qualifier = policy_qualifier(function, &target)?;
        let policy = function
            .policies
            .get(&qualifier)
            .ok_or(LambdaError::NoPolicyToRemove)?;
        check_revision(policy, revision_id.as_deref())?;
        Ok(Decision::put(
            without_permission(function, &qualifier, &statement_id)?,
            (),
        ))
    };
    service.change(arn, decide).await?;
    empty(StatusCode::NO_CONTENT)
}

/// The function without one statement; its policy goes with the last.
pub(crate) fn without_permission(
    function: &Function,
    qualifier: &Option<Qualifier>,
    statement_id: &str,
) -> Result<Function, LambdaError> {
    let policy = function
        .policies
        .get(qualifier)
        .ok_or(LambdaError::NoPolicyToRemove)?;
    let rest = policy.without(statement_id)?;
    let mut after = function.clone();
    match rest {
        Some(policy) => after.policies.insert(qualifier.clone(), policy),
        None => after.policies.remove(qualifier),
    };
    Ok(after)
}
