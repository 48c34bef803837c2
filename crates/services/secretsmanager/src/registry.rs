//! The secrets in memory: what every request reads, so that none of them asks the database.

use std::collections::BTreeMap;
use std::sync::Arc;

use tradewind_model::{AccountId, Region, Timestamp};

use crate::model::Secret;
use crate::names::{SecretId, SecretKey};

/// All secrets, also those that are scheduled for deletion.
#[derive(Debug, Default)]
pub(crate) struct Registry(BTreeMap<SecretKey, Arc<Secret>>);

impl Registry {
    pub(crate) fn get(&self, key: &SecretKey) -> Option<Arc<Secret>> {
        self.0.get(key).map(Arc::clone)
    }

    /// The secret that a caller of `account` and `region` calls by `id`. A whole ARN goes before one that
    /// lacks its end.
    pub(crate) fn find(&self, account: &AccountId, region: &Region, id: &SecretId) -> Option<Arc<Secret>> {
        let found = match id {
            SecretId::Name(name) => self.get(&SecretKey {
                account: account.clone(),
                region: region.clone(),
                name: name.clone(),
            }),
            SecretId::Arn { whole, partial } => {
                let whole = whole.as_ref().and_then(|arn| {
                    let found = self.get(&arn.key);
                    found.filter(|secret| secret.arn == *arn)
                });
                whole.or_else(|| self.get(partial))
            }
        };
        found.filter(|secret| secret.arn.key.account == *account && secret.arn.key.region == *region)
    }

    pub(crate) fn put(&mut self, secret: Secret) {
        self.0.insert(secret.arn.key.clone(), Arc::new(secret));
    }

    pub(crate) fn remove(&mut self, key: &SecretKey) {
        self.0.remove(key);
    }

    /// The secrets of an account in a region, by name.
    pub(crate) fn of(&self, account: &AccountId, region: &Region) -> Vec<Arc<Secret>> {
        let own =
            |secret: &&Arc<Secret>| secret.arn.key.account == *account && secret.arn.key.region == *region;
        self.0.values().filter(own).map(Arc::clone).collect()
    }

    /// The secrets whose time has come.
    pub(crate) fn due(&self, now: Timestamp) -> Vec<SecretKey> {
        let due = |secret: &&Arc<Secret>| secret.deletion.is_some_and(|deletion| deletion.due <= now);
        self.0
            .values()
            .filter(due)
            .map(|secret| secret.arn.key.clone())
            .collect()
    }
}
