//! The queues in memory: what every request reads, so that none of them asks the database for a queue.

use std::collections::BTreeMap;
use std::sync::Arc;

use tradewind_model::{AccountId, Region, Timestamp};

use crate::model::Queue;
use crate::names::QueueArn;

/// How long the name of a deleted queue stays taken, and how often a queue may be purged (both AWS's).
pub(crate) const MINUTE_MS: i64 = 60_000;

#[derive(Debug, Default)]
pub(crate) struct Registry {
    queues: BTreeMap<QueueArn, Arc<Queue>>,
    deleted: BTreeMap<QueueArn, Timestamp>,
    purged: BTreeMap<QueueArn, Timestamp>,
}

impl Registry {
    pub(crate) fn get(&self, arn: &QueueArn) -> Option<Arc<Queue>> {
        self.queues.get(arn).map(Arc::clone)
    }

    pub(crate) fn put(&mut self, queue: Queue) {
        self.queues.insert(queue.arn.clone(), Arc::new(queue));
    }

    /// Forgets a queue, but for when it went.
    pub(crate) fn delete(&mut self, arn: &QueueArn, now: Timestamp) {
        self.queues.remove(arn);
        self.purged.remove(arn);
        self.deleted
            .retain(|_, at| now.as_millis() - at.as_millis() < MINUTE_MS);
        self.deleted.insert(arn.clone(), now);
    }

    /// Whether a queue of that name went less than a minute ago.
    pub(crate) fn was_deleted_recently(&self, arn: &QueueArn, now: Timestamp) -> bool {
        let deleted = self.deleted.get(arn);
        deleted.is_some_and(|at| now.as_millis() - at.as_millis() < MINUTE_MS)
    }

    /// Notes a purge; false when one was less than a minute ago.
    pub(crate) fn may_purge(&mut self, arn: &QueueArn, now: Timestamp) -> bool {
        let last = self.purged.get(arn);
        if last.is_some_and(|at| now.as_millis() - at.as_millis() < MINUTE_MS) {
            return false;
        }
        self.purged.insert(arn.clone(), now);
        true
    }

    /// All queues, by ARN.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Queue>> {
        self.queues.values()
    }

    /// The queues of an account in a region, by name.
    pub(crate) fn of<'a>(
        &'a self,
        account: &'a AccountId,
        region: &'a Region,
    ) -> impl Iterator<Item = &'a Arc<Queue>> {
        let own = move |queue: &&Arc<Queue>| queue.arn.account == *account && queue.arn.region == *region;
        self.queues.values().filter(own)
    }

    /// The queues whose dead-letter queue is `target`, by name.
    pub(crate) fn sources_of<'a>(&'a self, target: &'a QueueArn) -> impl Iterator<Item = &'a Arc<Queue>> {
        let text = target.to_string();
        let names = move |queue: &&Arc<Queue>| {
            queue
                .attributes
                .redrive
                .as_ref()
                .is_some_and(|policy| policy.target == text)
        };
        self.queues.values().filter(names)
    }
}
