//! Values: getting and putting them, versions and their stages.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, answer, seconds};
use crate::error::SecretsManagerError;
use crate::filter::{self, Filter};
use crate::model::{CURRENT, MAX_VALUE, Secret, SecretValue, Version};
use crate::names::required;
use crate::service::{NewVersion, SecretsManagerService};
use crate::token::Paging;

/// What a batch gets at most.
const MAX_BATCH: usize = 20;
const MAX_STAGE: usize = 256;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetSecretValue {
    secret_id: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct BatchGet {
    secret_id_list: Option<Vec<String>>,
    filters: Option<Vec<Filter>>,
    #[serde(flatten)]
    paging: Paging,
}

/// The value of a request. It has no `Debug`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenValue {
    secret_string: Option<String>,
    secret_binary: Option<String>,
    client_request_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutSecretValue {
    secret_id: Option<String>,
    version_stages: Option<Vec<String>>,
    rotation_token: Option<String>,
    #[serde(flatten)]
    given: GivenValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MoveStage {
    secret_id: Option<String>,
    version_stage: Option<String>,
    remove_from_version_id: Option<String>,
    move_to_version_id: Option<String>,
}

impl GivenValue {
    /// The value, if there is one.
    pub(super) fn value(&self) -> Result<Option<SecretValue>, SecretsManagerError> {
        let value = match (&self.secret_string, &self.secret_binary) {
            (None, None) => return Ok(None),
            (Some(text), None) => SecretValue::Text(text.clone()),
            (None, Some(binary)) => SecretValue::Binary(STANDARD.decode(binary).map_err(|_not_base64| {
                SecretsManagerError::Malformed("SecretBinary is not base64".into())
            })?),
            (Some(_), Some(_)) => {
                let text = "You can't specify both a binary secret value and a string secret value in the same secret.";
                return Err(SecretsManagerError::InvalidParameter(text.into()));
            }
        };
        check_value(&value)?;
        Ok(Some(value))
    }

    /// The id of the version to be made.
    pub(super) fn token(&self) -> Result<&str, SecretsManagerError> {
        let token = self.client_request_token.as_deref().ok_or_else(|| {
            let text = "You must provide a ClientRequestToken value. We recommend a UUID-type value.";
            SecretsManagerError::InvalidRequest(text.into())
        })?;
        if !(32..=64).contains(&token.chars().count()) {
            let text = "ClientRequestToken must be 32-64 characters long.";
            return Err(SecretsManagerError::InvalidParameter(text.into()));
        }
        Ok(token)
    }
}

/// Refuses what is too long or empty.
pub(crate) fn check_value(value: &SecretValue) -> Result<(), SecretsManagerError> {
    let (member, length) = match value {
        SecretValue::Text(text) => ("secretString", text.len()),
        SecretValue::Binary(bytes) => ("secretBinary", bytes.len()),
    };
    let rule = match length {
        0 => "Member must have length greater than or equal to 1".to_owned(),
        1..=MAX_VALUE => return Ok(()),
        _ => format!("Member must have length less than or equal to {MAX_VALUE}"),
    };
    // AWS tells no part of the value either
    Err(SecretsManagerError::Validation(format!(
        "1 validation error detected: Value at '{member}' failed to satisfy constraint: {rule}"
    )))
}

impl SecretsManagerService {
    pub(super) fn get_secret_value(
        &self,
        call: &Call,
        request: GetSecretValue,
    ) -> Result<Value, SecretsManagerError> {
        let secret = self.usable(call, request.secret_id)?;
        let version = selected(
            &secret,
            request.version_id.as_deref(),
            request.version_stage.as_deref(),
        )?;
        let view = self.view_of_value(&secret, version)?;
        self.note_access(&secret, &version.id);
        Ok(view)
    }

    fn view_of_value(&self, secret: &Secret, version: &Version) -> Result<Value, SecretsManagerError> {
        let (text, binary) = match self.value(secret, version)? {
            SecretValue::Text(text) => (Some(text), None),
            SecretValue::Binary(bytes) => (None, Some(STANDARD.encode(bytes))),
        };
        Ok(answer(json!({
            "ARN": secret.arn, "Name": secret.name(), "VersionId": version.id,
            "SecretString": text, "SecretBinary": binary,
            "VersionStages": (!version.stages.is_empty()).then_some(&version.stages),
            "CreatedDate": seconds(Some(version.created)),
        })))
    }

    pub(super) fn batch_get_secret_value(
        &self,
        call: &Call,
        request: &BatchGet,
    ) -> Result<Value, SecretsManagerError> {
        match (&request.secret_id_list, &request.filters) {
            (Some(ids), None) => self.get_all(call, ids),
            (None, Some(filters)) => self.get_filtered(call, filters, &request.paging),
            _ => Err(SecretsManagerError::InvalidParameter(
                "Either 'SecretIdList' or 'Filters' must be provided, but not both.".into(),
            )),
        }
    }

    fn get_all(&self, call: &Call, ids: &[String]) -> Result<Value, SecretsManagerError> {
        if !(1..=MAX_BATCH).contains(&ids.len()) {
            let rule = format!("Member must have length between 1 and {MAX_BATCH}");
            return Err(SecretsManagerError::constraint("", "secretIdList", &rule));
        }
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for id in ids {
            let request = GetSecretValue {
                secret_id: Some(id.clone()),
                version_id: None,
                version_stage: None,
            };
            match self.get_secret_value(call, request) {
                Ok(value) => values.push(value),
                Err(error @ (SecretsManagerError::DiskFull | SecretsManagerError::Internal(_))) => {
                    return Err(error);
                }
                Err(error) => errors.push(json!({
                    "SecretId": id, "ErrorCode": error.code(), "Message": error.to_string(),
                })),
            }
        }
        Ok(json!({"SecretValues": values, "Errors": errors}))
    }

    fn get_filtered(
        &self,
        call: &Call,
        filters: &[Filter],
        paging: &Paging,
    ) -> Result<Value, SecretsManagerError> {
        filter::check(filters)?;
        let all = self.registry(|registry| registry.of(&call.account, &call.region));
        let wanted = |secret: &Arc<Secret>| {
            secret.deletion.is_none() && secret.staged(CURRENT).is_some() && filter::passes(filters, secret)
        };
        let all = all.into_iter().filter(wanted);
        let all = all.map(|secret| (secret.name().to_owned(), secret)).collect();
        let (page, next) = paging.page("BatchGetSecretValue", MAX_BATCH, false, all)?;
        let ids: Vec<String> = page.iter().map(|secret| secret.arn.to_string()).collect();
        let mut found = match ids.as_slice() {
            [] => json!({"SecretValues": [], "Errors": []}),
            ids => self.get_all(call, ids)?,
        };
        found["NextToken"] = json!(next);
        Ok(answer(found))
    }

    pub(super) async fn put_secret_value(
        &self,
        call: &Call,
        request: PutSecretValue,
    ) -> Result<Value, SecretsManagerError> {
        if request.rotation_token.is_some() {
            let reason = "no secret is rotated by it";
            return Err(SecretsManagerError::unsupported("RotationToken", reason));
        }
        let token = request.given.token()?;
        let value = request.given.value()?.ok_or_else(|| {
            SecretsManagerError::InvalidRequest(
                "You must provide either SecretString or SecretBinary.".into(),
            )
        })?;
        let stages = stages(request.version_stages)?;
        let _changing = self.changing().await;
        let secret = self.usable(call, request.secret_id)?;
        let secret = match secret.version(token) {
            Some(version) => {
                self.refuse_other(&secret, version, &value)?;
                secret
            }
            None => {
                let new = NewVersion {
                    id: token,
                    value: &value,
                    stages: &stages,
                };
                self.store_with(Secret::clone(&secret), new).await?
            }
        };
        let stages = secret.version(token).map(|version| &version.stages);
        Ok(json!({"ARN": secret.arn, "Name": secret.name(), "VersionId": token, "VersionStages": stages}))
    }

    /// A version's value does not change: who gives its id again has to give the same.
    pub(super) fn refuse_other(
        &self,
        secret: &Secret,
        version: &Version,
        value: &SecretValue,
    ) -> Result<(), SecretsManagerError> {
        if self.value(secret, version)? == *value {
            return Ok(());
        }
        Err(SecretsManagerError::ResourceExists(format!(
            "You can't use ClientRequestToken {} because that value is already in use for a version of secret {}.",
            version.id, secret.arn
        )))
    }

    pub(super) async fn update_secret_version_stage(
        &self,
        call: &Call,
        request: MoveStage,
    ) -> Result<Value, SecretsManagerError> {
        let stage = required(request.version_stage, "versionStage")?;
        check_stage(&stage)?;
        let _changing = self.changing().await;
        let mut secret = Secret::clone(&*self.usable(call, request.secret_id)?);
        let (from, to) = (request.remove_from_version_id, request.move_to_version_id);
        check_move(&secret, &stage, from.as_deref(), to.as_deref())?;
        secret.move_stage(&stage, to.as_deref());
        secret.check_stages()?;
        secret.changed = self.now();
        let view = json!({"ARN": secret.arn, "Name": secret.name()});
        self.store(secret).await?;
        Ok(view)
    }
}

/// The version that a request selects.
fn selected<'s>(
    secret: &'s Secret,
    id: Option<&str>,
    stage: Option<&str>,
) -> Result<&'s Version, SecretsManagerError> {
    let missing = |what: String| SecretsManagerError::ResourceNotFound(format!("secret value for {what}"));
    let Some(id) = id else {
        let stage = stage.unwrap_or(CURRENT);
        return secret
            .staged(stage)
            .ok_or_else(|| missing(format!("staging label: {stage}")));
    };
    let version = secret
        .version(id)
        .ok_or_else(|| missing(format!("VersionId: {id}")))?;
    if stage.is_some_and(|stage| !version.stages.contains(stage)) {
        let text = "You provided a VersionStage that is not associated to the provided VersionId.";
        return Err(SecretsManagerError::InvalidRequest(text.into()));
    }
    Ok(version)
}

fn stages(given: Option<Vec<String>>) -> Result<BTreeSet<String>, SecretsManagerError> {
    let given = given.unwrap_or_else(|| vec![CURRENT.to_owned()]);
    if given.is_empty() {
        let rule = "Member must have length greater than or equal to 1";
        return Err(SecretsManagerError::constraint("'[]'", "versionStages", rule));
    }
    given.iter().try_for_each(|stage| check_stage(stage))?;
    Ok(given.into_iter().collect())
}

fn check_stage(stage: &str) -> Result<(), SecretsManagerError> {
    if (1..=MAX_STAGE).contains(&stage.chars().count()) {
        return Ok(());
    }
    let rule = format!("Member must have length between 1 and {MAX_STAGE}");
    Err(SecretsManagerError::constraint(
        &format!("'{stage}'"),
        "versionStage",
        &rule,
    ))
}

/// Who moves a stage has to know where it is.
fn check_move(
    secret: &Secret,
    stage: &str,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(), SecretsManagerError> {
    for id in [from, to].into_iter().flatten() {
        secret.version(id).ok_or_else(|| {
            SecretsManagerError::ResourceNotFound(format!("secret value for VersionId: {id}"))
        })?;
    }
    let invalid = |text: String| Err(SecretsManagerError::InvalidParameter(text));
    let at = secret.staged(stage).map(|version| version.id.as_str());
    match (at, from, to) {
        (_, None, None) => {
            invalid("You must specify at least one of RemoveFromVersionId and MoveToVersionId.".into())
        }
        (Some(_), _, None) if stage == CURRENT => invalid(format!(
            "You can only move staging label {CURRENT} to a different secret version. It can't be completely removed."
        )),
        (Some(at), None, Some(to)) if at != to => invalid(format!(
            "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to \
             version {at}, so you must explicitly reference that version in RemoveFromVersionId."
        )),
        (Some(at), Some(from), _) if at != from => invalid(format!(
            "The staging label {stage} is currently attached to version {at}, not to version {from}."
        )),
        (None, Some(from), _) => invalid(format!(
            "The staging label {stage} is not attached to version {from}."
        )),
        _ => Ok(()),
    }
}
