//! Secrets themselves: making, changing, deleting and restoring them.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::{Tag, check_tags, tags};
use super::values::GivenValue;
use super::{Call, answer, seconds};
use crate::error::SecretsManagerError;
use crate::model::{CURRENT, Deletion, Secret, SecretValue};
use crate::names::{SecretArn, SecretId, SecretKey, required};
use crate::service::{NewVersion, SecretsManagerService};

/// The longest description, in characters.
pub(crate) const MAX_DESCRIPTION: usize = 2048;
/// The key that AWS seals with by default; here the node's own stands for it.
const DEFAULT_KEY: &str = "alias/aws/secretsmanager";
const DEFAULT_WINDOW_DAYS: i64 = 30;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateSecret {
    name: Option<String>,
    tags: Option<Vec<Tag>>,
    add_replica_regions: Option<Vec<Value>>,
    #[serde(rename = "CrossAccountPrimaryARN")]
    cross_account_primary: Option<String>,
    #[serde(flatten)]
    settings: Settings,
    #[serde(flatten)]
    given: GivenValue,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateSecret {
    secret_id: Option<String>,
    #[serde(flatten)]
    settings: Settings,
    #[serde(flatten)]
    given: GivenValue,
}

/// What `CreateSecret` and `UpdateSecret` share.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Settings {
    description: Option<String>,
    kms_key_id: Option<String>,
    r#type: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteSecret {
    secret_id: Option<String>,
    recovery_window_in_days: Option<i64>,
    force_delete_without_recovery: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RestoreSecret {
    secret_id: Option<String>,
}

impl Settings {
    fn check(&self) -> Result<(), SecretsManagerError> {
        let own_key = |key: &str| key.is_empty() || key == DEFAULT_KEY;
        if self.kms_key_id.as_deref().is_some_and(|key| !own_key(key)) {
            let reason = "secrets are sealed with the node's own key";
            return Err(SecretsManagerError::unsupported("KmsKeyId", reason));
        }
        if self.r#type.is_some() {
            let reason = "there are no managed external secrets";
            return Err(SecretsManagerError::unsupported("Type", reason));
        }
        let length = self.description.as_deref().unwrap_or_default().chars().count();
        if length > MAX_DESCRIPTION {
            let rule = format!("Member must have length less than or equal to {MAX_DESCRIPTION}");
            return Err(SecretsManagerError::constraint("", "description", &rule));
        }
        Ok(())
    }
}

impl CreateSecret {
    fn check(&self) -> Result<(), SecretsManagerError> {
        self.settings.check()?;
        let reason = "there is one region, and secrets have no replicas";
        if self
            .add_replica_regions
            .as_deref()
            .is_some_and(|regions| !regions.is_empty())
        {
            return Err(SecretsManagerError::unsupported("AddReplicaRegions", reason));
        }
        if self.cross_account_primary.is_some() {
            return Err(SecretsManagerError::unsupported("CrossAccountPrimaryARN", reason));
        }
        Ok(())
    }
}

/// A secret that can be made: its name is free.
pub(crate) fn new_secret(
    service: &SecretsManagerService,
    key: SecretKey,
) -> Result<Secret, SecretsManagerError> {
    match service.registry(|registry| registry.get(&key)) {
        None => Ok(Secret::new(SecretArn::random(key), service.now())),
        Some(found) if found.deletion.is_some() => Err(SecretsManagerError::InvalidRequest(
            "You can't create this secret because a secret with this name is already scheduled for deletion."
                .into(),
        )),
        Some(_) => Err(SecretsManagerError::ResourceExists(format!(
            "The operation failed because the secret {} already exists.",
            key.name
        ))),
    }
}

fn view(secret: &Secret, version: Option<&str>) -> Value {
    answer(json!({"ARN": secret.arn, "Name": secret.name(), "VersionId": version}))
}

impl SecretsManagerService {
    pub(super) async fn create_secret(
        &self,
        call: &Call,
        request: CreateSecret,
    ) -> Result<Value, SecretsManagerError> {
        let name = required(request.name.as_deref(), "name")?;
        let key = SecretKey::new(&call.account, &call.region, name)?;
        request.check()?;
        let (token, value) = (request.given.token()?, request.given.value()?);
        let tags = tags(request.tags.unwrap_or_default())?;
        check_tags(&tags)?;
        let _changing = self.changing().await;
        if let Some(value) = &value
            && let Some(made) = self.made_before(&key, token, value)?
        {
            return Ok(view(&made, Some(token)));
        }
        let mut secret = new_secret(self, key)?;
        secret.description = request.settings.description;
        secret.tags = tags;
        self.store_value(secret, token, value.as_ref()).await
    }

    /// The secret that the same request has made already.
    fn made_before(
        &self,
        key: &SecretKey,
        token: &str,
        value: &SecretValue,
    ) -> Result<Option<Arc<Secret>>, SecretsManagerError> {
        let found = self.registry(|registry| registry.get(key));
        let Some(secret) = found.filter(|secret| secret.deletion.is_none()) else {
            return Ok(None);
        };
        let Some(version) = secret.version(token) else {
            return Ok(None);
        };
        self.refuse_other(&secret, version, value)?;
        Ok(Some(secret))
    }

    pub(super) async fn update_secret(
        &self,
        call: &Call,
        request: UpdateSecret,
    ) -> Result<Value, SecretsManagerError> {
        request.settings.check()?;
        let (token, value) = (request.given.token()?, request.given.value()?);
        let _changing = self.changing().await;
        let mut secret = Secret::clone(&*self.usable(call, request.secret_id)?);
        let existing = match (secret.version(token), &value) {
            (Some(version), Some(value)) => {
                self.refuse_other(&secret, version, value)?;
                true
            }
            _ => false,
        };
        if request.settings.description.is_some() {
            secret.description = request.settings.description;
        }
        secret.changed = self.now();
        if existing {
            let view = view(&secret, Some(token));
            self.store(secret).await?;
            return Ok(view);
        }
        self.store_value(secret, token, value.as_ref()).await
    }

    /// Stores a secret, with a new current value if there is one; gives what is answered.
    async fn store_value(
        &self,
        secret: Secret,
        token: &str,
        value: Option<&SecretValue>,
    ) -> Result<Value, SecretsManagerError> {
        let Some(value) = value else {
            let view = view(&secret, None);
            self.store(secret).await?;
            return Ok(view);
        };
        let new = NewVersion {
            id: token,
            value,
            stages: &BTreeSet::from([CURRENT.to_owned()]),
        };
        let secret = self.store_with(secret, new).await?;
        Ok(view(&secret, Some(token)))
    }

    pub(super) async fn delete_secret(
        &self,
        call: &Call,
        request: DeleteSecret,
    ) -> Result<Value, SecretsManagerError> {
        let force = request.force_delete_without_recovery == Some(true);
        let window = window(request.recovery_window_in_days, force)?;
        let id = required(request.secret_id, "secretId")?;
        let _changing = self.changing().await;
        let found = match self.find(&call.account, &call.region, &id) {
            Err(SecretsManagerError::ResourceNotFound(_)) if force => return self.never_there(call, &id),
            found => found?,
        };
        let now = self.now();
        let (arn, name) = (found.arn.clone(), found.name().to_owned());
        let mut due = now;
        if force {
            self.remove(&found).await?;
        } else {
            if found.deletion.is_some() {
                let text = "You can't perform this operation on the secret because it was already scheduled for deletion.";
                return Err(SecretsManagerError::InvalidRequest(text.into()));
            }
            due = now.plus_millis(window * DAY_MS);
            let mut secret = Secret::clone(&found);
            secret.deletion = Some(Deletion { asked: now, due });
            self.store(secret).await?;
        }
        Ok(json!({"ARN": arn, "Name": name, "DeletionDate": seconds(Some(due))}))
    }

    /// What is answered to who deletes without recovery what is not there: as if it had been.
    fn never_there(&self, call: &Call, id: &str) -> Result<Value, SecretsManagerError> {
        let arn = match SecretId::parse(id) {
            Some(SecretId::Arn { whole: Some(arn), .. }) => arn,
            Some(SecretId::Arn { partial, .. }) => SecretArn::random(partial),
            _ => SecretArn::random(SecretKey::new(&call.account, &call.region, id)?),
        };
        Ok(json!({"ARN": arn, "Name": arn.key.name, "DeletionDate": seconds(Some(self.now()))}))
    }

    pub(super) async fn restore_secret(
        &self,
        call: &Call,
        request: RestoreSecret,
    ) -> Result<Value, SecretsManagerError> {
        let _changing = self.changing().await;
        let mut secret = Secret::clone(&*self.named(call, request.secret_id)?);
        secret.deletion = None;
        let view = view(&secret, None);
        self.store(secret).await?;
        Ok(view)
    }
}

/// For how many days a secret can be restored.
fn window(given: Option<i64>, force: bool) -> Result<i64, SecretsManagerError> {
    let invalid = |text: &str| Err(SecretsManagerError::InvalidParameter(text.to_owned()));
    match given {
        Some(_) if force => {
            invalid("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.")
        }
        None => Ok(DEFAULT_WINDOW_DAYS),
        Some(days @ 7..=30) => Ok(days),
        Some(_) => invalid("The RecoveryWindowInDays value must be between 7 and 30 days (inclusive)."),
    }
}
