//! The service itself: the secrets in memory, and the one way to change them.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, MutexGuard};
use tradewind_model::resource::ResourceType;
use tradewind_model::{AccountId, Clock, Region, SecretError, SecretText, Secrets, Timestamp};
use tradewind_store::blobs::Blobs;
use tradewind_store::{Batch, Database};

use crate::access::Accessed;
use crate::error::SecretsManagerError;
use crate::model::{CURRENT, Secret, SecretValue, Version};
use crate::names::{SecretId, SecretKey};
use crate::registry::Registry;
use crate::{generated, sealed, tables};

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct SecretsManagerConfig {
    /// Where secrets are kept; migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// Seals their values.
    pub blobs: Blobs,
    /// The time.
    pub clock: Clock,
}

/// The Secrets Manager of a node. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct SecretsManagerService(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: SecretsManagerConfig,
    registry: RwLock<Registry>,
    /// Held from a decision to its commit, so that two changes do not decide on the same state. It is an
    /// async mutex because the write happens while it is held.
    changing: Mutex<()>,
    accessed: Accessed,
}

/// A value on its way into a version of a secret.
pub(crate) struct NewVersion<'v> {
    /// Its id: the token of who asks for it.
    pub(crate) id: &'v str,
    pub(crate) value: &'v SecretValue,
    pub(crate) stages: &'v BTreeSet<String>,
}

impl SecretsManagerService {
    /// Reads all secrets.
    ///
    /// # Errors
    /// When the database fails or holds what this binary cannot read.
    pub async fn open(config: SecretsManagerConfig) -> Result<Self, SecretsManagerError> {
        let mut registry = Registry::default();
        for mut secret in tables::load(&config.database).await? {
            if generated::seal_old(&config.blobs, &mut secret).await? {
                config.database.write(tables::put(Batch::new(), &secret)?).await?;
            }
            registry.put(secret);
        }
        Ok(Self(Arc::new(Shared {
            config,
            registry: RwLock::new(registry),
            changing: Mutex::new(()),
            accessed: Accessed::default(),
        })))
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        crate::resource::types(self)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }

    /// Reads the secrets. `read` is short: changes wait for it.
    pub(crate) fn registry<T>(&self, read: impl FnOnce(&Registry) -> T) -> T {
        read(&self.0.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.config.database
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.0.config.blobs
    }

    pub(crate) fn accessed(&self) -> &Accessed {
        &self.0.accessed
    }

    /// Changes a secret in memory, if it is there.
    pub(crate) fn amend(&self, key: &SecretKey, change: impl FnOnce(&mut Secret)) {
        let mut registry = self.0.registry.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = registry.get(key) {
            let mut found = Secret::clone(&found);
            change(&mut found);
            registry.put(found);
        }
    }

    /// Waits for its turn to change something.
    pub(crate) async fn changing(&self) -> MutexGuard<'_, ()> {
        self.0.changing.lock().await
    }

    /// The secret that a caller calls by `id`, also one that is scheduled for deletion.
    pub(crate) fn find(
        &self,
        account: &AccountId,
        region: &Region,
        id: &str,
    ) -> Result<Arc<Secret>, SecretsManagerError> {
        let id = SecretId::parse(id).ok_or_else(|| {
            SecretsManagerError::InvalidParameter(
                "Invalid secret id. It has to be a name or the ARN of a secret.".into(),
            )
        })?;
        let found = self.registry(|registry| registry.find(account, region, &id));
        found.ok_or_else(SecretsManagerError::no_secret)
    }

    /// The value of a version.
    pub(crate) fn value(
        &self,
        secret: &Secret,
        version: &Version,
    ) -> Result<SecretValue, SecretsManagerError> {
        let value = sealed::open(&self.0.config.blobs, &secret.arn, &version.id, &version.sealed);
        value.ok_or(SecretsManagerError::DecryptionFailure)
    }

    /// Stores a secret without touching its values. Called while [`Self::changing`] is held.
    pub(crate) async fn store(&self, secret: Secret) -> Result<(), SecretsManagerError> {
        let batch = tables::put(Batch::new(), &secret)?;
        self.commit(batch, |registry| registry.put(secret)).await
    }

    /// Stores a secret with a version more. Called while [`Self::changing`] is held.
    pub(crate) async fn store_with(
        &self,
        mut secret: Secret,
        new: NewVersion<'_>,
    ) -> Result<Arc<Secret>, SecretsManagerError> {
        let now = self.now();
        let sealed = sealed::seal(&self.0.config.blobs, &secret.arn, new.id, new.value).await?;
        let version = Version {
            id: new.id.to_owned(),
            created: now,
            accessed: None,
            stages: BTreeSet::new(),
            sealed: sealed.into(),
        };
        let mut batch = tables::put_value(Batch::new(), &secret, &version);
        for forgotten in secret.add(version, new.stages, now)? {
            batch = tables::delete_value(batch, &secret, &forgotten);
        }
        let batch = tables::put(batch, &secret)?;
        let stored = secret.clone();
        self.commit(batch, |registry| registry.put(secret)).await?;
        Ok(Arc::new(stored))
    }

    /// Removes a secret with its values. Called while [`Self::changing`] is held.
    pub(crate) async fn remove(&self, secret: &Secret) -> Result<(), SecretsManagerError> {
        let batch = tables::delete(Batch::new(), secret);
        self.commit(batch, |registry| registry.remove(&secret.arn.key))
            .await
    }

    /// Writes the batch, then changes memory to what it says.
    ///
    /// # Cancel safety
    /// Not cancel-safe: call it in a task that is not dropped.
    async fn commit(
        &self,
        batch: Batch,
        change: impl FnOnce(&mut Registry),
    ) -> Result<(), SecretsManagerError> {
        self.0.config.database.write(batch).await?;
        change(&mut self.0.registry.write().unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }
}

impl Secrets for SecretsManagerService {
    fn text(&self, account: &AccountId, region: &Region, id: &str) -> Result<SecretText, SecretError> {
        let secret = self
            .find(account, region, id)
            .map_err(|_no_secret| SecretError::NotFound)?;
        let usable = Some(&secret).filter(|secret| secret.deletion.is_none());
        let version = usable
            .and_then(|secret| secret.staged(CURRENT))
            .ok_or(SecretError::NotFound)?;
        match self.value(&secret, version) {
            Ok(SecretValue::Text(text)) => Ok(text.into()),
            Ok(SecretValue::Binary(_)) => Err(SecretError::Binary),
            Err(_sealed) => Err(SecretError::Sealed),
        }
    }
}
