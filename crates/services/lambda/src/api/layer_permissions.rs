//! AddLayerVersionPermission, GetLayerVersionPolicy and RemoveLayerVersionPermission.

use http::StatusCode;
use serde_json::json;

use super::layers::{named_version, own};
use super::{Answer, Call, empty, json};
use crate::error::{LambdaError, LayerError};
use crate::layer::{Change, Layer, LayerPermission, LayerVersionArn};
use crate::policy::Policy;
use crate::service::LambdaService;

pub(super) async fn add(service: &LambdaService, call: Call) -> Answer {
    let arn = named_version(&call)?;
    own(&call, &arn)?;
    let permission = LayerPermission::read(&call.members()?)?;
    let revision_id = call.params.get("RevisionId").map(str::to_owned);
    let statement = permission.statement(&arn)?;
    let text = statement.json.to_string();
    let change = move |policy: Option<&Policy>| {
        let policy = policy.cloned().unwrap_or_default();
        check_revision(&policy, revision_id.as_deref())?;
        policy.with(statement).map(Some)
    };
    let policy = change_policy(service, &arn, change).await?;
    let revision_id = policy.map(|policy| policy.revision_id);
    json(
        StatusCode::CREATED,
        &json!({"Statement": text, "RevisionId": revision_id}),
    )
}

pub(super) fn get(service: &LambdaService, call: &Call) -> Answer {
    let arn = named_version(call)?;
    own(call, &arn)?;
    let version = service.shelf().version(&arn).ok_or_else(|| missing(&arn))?;
    let policy = version.policy.ok_or(LambdaError::NoPolicyToRemove)?;
    let shape = json!({"Policy": policy.document(), "RevisionId": policy.revision_id});
    json(StatusCode::OK, &shape)
}

pub(super) async fn remove(service: &LambdaService, call: Call) -> Answer {
    let arn = named_version(&call)?;
    own(&call, &arn)?;
    let statement_id = call.route.third().to_owned();
    let revision_id = call.params.get("RevisionId").map(str::to_owned);
    let change = move |policy: Option<&Policy>| {
        let Some(policy) = policy else {
            return Err(LambdaError::StatementNotFound { id: statement_id });
        };
        check_revision(policy, revision_id.as_deref())?;
        policy.without(&statement_id)
    };
    change_policy(service, &arn, change).await?;
    empty(StatusCode::NO_CONTENT)
}

/// Changes the policy of a layer version; what becomes of it comes back.
pub(crate) async fn change_policy(
    service: &LambdaService,
    arn: &LayerVersionArn,
    change: impl FnOnce(Option<&Policy>) -> Result<Option<Policy>, LambdaError> + Send + 'static,
) -> Result<Option<Policy>, LambdaError> {
    let of_version = arn.clone();
    let decide = move |current: Option<&Layer>, _now| {
        let mut layer = current.cloned().ok_or_else(|| missing(&of_version))?;
        let version = layer.versions.get_mut(&of_version.version);
        let version = version.ok_or_else(|| missing(&of_version))?;
        let policy = change(version.policy.as_ref())?;
        version.policy.clone_from(&policy);
        Ok(Change::put(layer, policy))
    };
    service.change_layer(arn.layer.clone(), decide).await
}

fn missing(arn: &LayerVersionArn) -> LambdaError {
    LayerError::VersionNotFound { arn: arn.to_string() }.into()
}

fn check_revision(policy: &Policy, given: Option<&str>) -> Result<(), LambdaError> {
    match given {
        Some(given) if given != policy.revision_id => Err(LambdaError::RevisionMismatch {
            operation: "GetLayerPolicy",
        }),
        _ => Ok(()),
    }
}
