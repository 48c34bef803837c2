//! The groups in memory: what requests and deliveries read, so that none of them asks the database for a
//! group.

use std::collections::BTreeMap;
use std::sync::Arc;

use tradewind_model::{AccountId, Region};

use crate::model::{Group, GroupKey};

#[derive(Debug, Default)]
pub(crate) struct Registry {
    groups: BTreeMap<GroupKey, Arc<Group>>,
}

impl Registry {
    pub(crate) fn get(&self, key: &GroupKey) -> Option<Arc<Group>> {
        self.groups.get(key).map(Arc::clone)
    }

    pub(crate) fn put(&mut self, group: Group) {
        self.groups.insert(group.key.clone(), Arc::new(group));
    }

    pub(crate) fn delete(&mut self, key: &GroupKey) {
        self.groups.remove(key);
    }

    /// The groups of an account in a region, by name.
    pub(crate) fn of<'a>(
        &'a self,
        account: &'a AccountId,
        region: &'a Region,
    ) -> impl Iterator<Item = &'a Arc<Group>> {
        let own = move |group: &&Arc<Group>| group.key.account == *account && group.key.region == *region;
        self.groups.values().filter(own)
    }

    /// The groups that have subscription filters.
    pub(crate) fn subscribed(&self) -> impl Iterator<Item = &Arc<Group>> {
        self.groups.values().filter(|group| !group.filters.is_empty())
    }
}
