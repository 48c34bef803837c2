//! What there is: secrets and their versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tradewind_model::Timestamp;

use super::{Call, answer, seconds, tags};
use crate::error::SecretsManagerError;
use crate::filter::{self, Filter};
use crate::model::{Secret, Version};
use crate::service::SecretsManagerService;
use crate::token::Paging;

/// The longest page.
const MAX_PAGE: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSecrets {
    include_planned_deletion: Option<bool>,
    filters: Option<Vec<Filter>>,
    sort_order: Option<String>,
    sort_by: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListVersions {
    secret_id: Option<String>,
    include_deprecated: Option<bool>,
    #[serde(flatten)]
    paging: Paging,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Described {
    secret_id: Option<String>,
}

impl ListSecrets {
    fn descends(&self) -> Result<bool, SecretsManagerError> {
        match self.sort_order.as_deref() {
            None | Some("desc") => Ok(true),
            Some("asc") => Ok(false),
            Some(other) => {
                let rule = "Member must satisfy enum value set: [asc, desc]";
                Err(SecretsManagerError::constraint(
                    &format!("'{other}'"),
                    "sortOrder",
                    rule,
                ))
            }
        }
    }

    /// What a secret is sorted by; unlike any other's.
    fn key(&self, secret: &Secret) -> Result<String, SecretsManagerError> {
        let time = |at: Timestamp| format!("{:015} {}", at.as_millis(), secret.name());
        match self.sort_by.as_deref() {
            None | Some("created-date") => Ok(time(secret.created)),
            Some("last-accessed-date") => Ok(time(secret.accessed.unwrap_or_default())),
            Some("last-changed-date") => Ok(time(secret.changed)),
            Some("name") => Ok(secret.name().to_owned()),
            Some(other) => {
                let rule = "Member must satisfy enum value set: [created-date, last-accessed-date, \
                            last-changed-date, name]";
                Err(SecretsManagerError::constraint(
                    &format!("'{other}'"),
                    "sortBy",
                    rule,
                ))
            }
        }
    }
}

impl SecretsManagerService {
    pub(super) fn list_secrets(
        &self,
        call: &Call,
        request: &ListSecrets,
    ) -> Result<Value, SecretsManagerError> {
        let filters = request.filters.as_deref().unwrap_or_default();
        filter::check(filters)?;
        let planned = request.include_planned_deletion == Some(true);
        let all = self.registry(|registry| registry.of(&call.account, &call.region));
        let wanted =
            |secret: &&Arc<Secret>| (planned || secret.deletion.is_none()) && filter::passes(filters, secret);
        let all: Result<Vec<_>, SecretsManagerError> = all
            .iter()
            .filter(wanted)
            .map(|secret| Ok((request.key(secret)?, Arc::clone(secret))))
            .collect();
        let (page, next) = request
            .paging
            .page("ListSecrets", MAX_PAGE, request.descends()?, all?)?;
        let page: Vec<Value> = page.iter().map(|secret| entry(secret)).collect();
        Ok(answer(json!({"SecretList": page, "NextToken": next})))
    }

    pub(super) fn describe_secret(
        &self,
        call: &Call,
        request: Described,
    ) -> Result<Value, SecretsManagerError> {
        let secret = self.named(call, request.secret_id)?;
        let mut view = view(&secret);
        view["DeletedDate"] = seconds(secret.deletion.map(|deletion| deletion.due));
        view["VersionIdsToStages"] = stages(&secret);
        Ok(answer(view))
    }

    pub(super) fn list_secret_version_ids(
        &self,
        call: &Call,
        request: ListVersions,
    ) -> Result<Value, SecretsManagerError> {
        let secret = self.named(call, request.secret_id)?;
        let deprecated = request.include_deprecated == Some(true);
        let wanted = |version: &&Version| deprecated || !version.stages.is_empty();
        let versions = secret.versions.iter().filter(wanted);
        let key = |version: &Version| format!("{:015} {}", version.created.as_millis(), version.id);
        let all = versions.map(|version| (key(version), version)).collect();
        let (page, next) = request.paging.page("ListSecretVersionIds", MAX_PAGE, true, all)?;
        let page: Vec<Value> = page.into_iter().map(version).collect();
        Ok(answer(json!({
            "ARN": secret.arn, "Name": secret.name(), "Versions": page, "NextToken": next,
        })))
    }
}

fn view(secret: &Secret) -> Value {
    let tags = Some(secret)
        .filter(|secret| !secret.tags.is_empty())
        .map(tags::view);
    json!({
        "ARN": secret.arn, "Name": secret.name(), "Description": secret.description,
        "CreatedDate": seconds(Some(secret.created)), "LastChangedDate": seconds(Some(secret.changed)),
        "LastAccessedDate": seconds(secret.accessed), "Tags": tags,
    })
}

fn entry(secret: &Secret) -> Value {
    let mut view = view(secret);
    view["DeletedDate"] = seconds(secret.deletion.map(|deletion| deletion.asked));
    view["SecretVersionsToStages"] = stages(secret);
    answer(view)
}

/// The stages of the versions that have some; none without a version.
fn stages(secret: &Secret) -> Value {
    let staged = secret
        .versions
        .iter()
        .filter(|version| !version.stages.is_empty());
    let stages: BTreeMap<&str, Value> = staged.map(|v| (v.id.as_str(), json!(v.stages))).collect();
    match stages.is_empty() {
        true => Value::Null,
        false => Value::Object(
            stages
                .into_iter()
                .map(|(id, stages)| (id.to_owned(), stages))
                .collect::<Map<_, _>>(),
        ),
    }
}

fn version(version: &Version) -> Value {
    let stages = (!version.stages.is_empty()).then_some(&version.stages);
    answer(json!({
        "VersionId": version.id, "VersionStages": stages, "CreatedDate": seconds(Some(version.created)),
        "LastAccessedDate": seconds(version.accessed), "KmsKeyIds": ["DefaultEncryptionKey"],
    }))
}
