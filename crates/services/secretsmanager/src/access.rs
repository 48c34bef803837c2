//! The days on which values were asked for: noted in memory at once, on the disk within a minute.
//!
//! A crash loses the notes of that minute, and a change that is under way may undo one in memory until the value is
//! asked for again. Nothing is decided by them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tradewind_model::Timestamp;
use tradewind_store::Batch;

use crate::error::SecretsManagerError;
use crate::model::Secret;
use crate::names::SecretKey;
use crate::service::SecretsManagerService;
use crate::tables;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Secrets whose days one transaction writes.
const MAX_WRITTEN: usize = 256;

/// Secrets whose days are not on the disk yet. The lock is never held across an await.
#[derive(Debug, Default)]
pub(crate) struct Accessed(Mutex<BTreeSet<SecretKey>>);

impl Accessed {
    fn note(&self, key: &SecretKey) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert(key.clone());
    }

    fn take_some(&self) -> BTreeSet<SecretKey> {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match noted.iter().nth(MAX_WRITTEN).cloned() {
            None => std::mem::take(&mut *noted),
            Some(next) => {
                let rest = noted.split_off(&next);
                std::mem::replace(&mut *noted, rest)
            }
        }
    }

    fn put_back(&self, keys: BTreeSet<SecretKey>) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.extend(keys);
    }
}

impl SecretsManagerService {
    /// Notes the day on which a value was asked for, once a day.
    pub(crate) fn note_access(&self, secret: &Secret, version: &str) {
        let day = self.now().as_millis().div_euclid(DAY_MS) * DAY_MS;
        let today = Some(Timestamp::from_millis(day));
        let of_version = secret.version(version).map(|version| version.accessed);
        if secret.accessed == today && of_version.is_none_or(|day| day == today) {
            return;
        }
        self.amend(&secret.arn.key, |found| {
            found.accessed = today;
            if let Some(version) = found.versions.iter_mut().find(|found| found.id == version) {
                version.accessed = today;
            }
        });
        self.accessed().note(&secret.arn.key);
    }

    /// Writes what was noted. What fails is written by the next call.
    pub(crate) async fn write_accesses(&self) -> Result<(), SecretsManagerError> {
        loop {
            let _changing = self.changing().await;
            let keys = self.accessed().take_some();
            if keys.is_empty() {
                return Ok(());
            }
            if let Err(error) = self.write_days(&keys).await {
                self.accessed().put_back(keys);
                return Err(error);
            }
        }
    }

    async fn write_days(&self, keys: &BTreeSet<SecretKey>) -> Result<(), SecretsManagerError> {
        let found = keys
            .iter()
            .filter_map(|key| self.registry(|registry| registry.get(key)));
        let mut batch = Batch::new();
        for secret in found {
            batch = tables::put(batch, &secret)?;
        }
        self.database().write(batch).await?;
        Ok(())
    }
}
