//! FIFO topics: the order of what is published, and which deduplication ids are taken.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tradewind_model::Timestamp;
use uuid::Uuid;

use crate::model::Topic;
use crate::publication::Publication;
use crate::tables::Taken;

/// How long a deduplication id is taken. SNS developer guide, "Message deduplication for FIFO topics".
const WINDOW_MS: i64 = 5 * 60 * 1000;

/// What a FIFO topic remembers.
#[derive(Debug, Default)]
pub(crate) struct Fifo {
    /// Held from the choice of a sequence number to its commit, so that both are in one order. It is an
    /// async mutex because the write happens while it is held.
    pub(crate) publishing: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    taken: HashMap<(String, String), Taken>,
    last: u64,
}

impl Fifo {
    /// The message that has the publication's deduplication id, if one has.
    pub(crate) fn duplicate(&self, taken: &Taken, now: Timestamp) -> Option<(Uuid, u64)> {
        let memory = self.memory();
        let first = memory.taken.get(&(taken.scope.clone(), taken.id.clone()))?;
        (first.expires_at > now).then_some((first.message_id, first.sequence))
    }

    /// The next place in the order; never less than one before, also after a restart.
    pub(crate) fn next(&self, now: Timestamp) -> u64 {
        let mut memory = self.memory();
        let by_time = u64::try_from(now.as_millis()).unwrap_or(0) * 1_000_000;
        memory.last = (memory.last + 1).max(by_time);
        memory.last
    }

    /// Remembers what was committed.
    pub(crate) fn remember(&self, taken: Taken) {
        let mut memory = self.memory();
        memory.last = memory.last.max(taken.sequence);
        let key = (taken.scope.clone(), taken.id.clone());
        memory.taken.insert(key, taken);
    }

    /// Forgets ids whose time is over.
    pub(crate) fn forget(&self, now: Timestamp) {
        self.memory().taken.retain(|_, taken| taken.expires_at > now);
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the publication takes in its topic; nothing in a standard one.
pub(crate) fn takes(topic: &Topic, publication: &Publication, sequence: u64) -> Option<Taken> {
    if !topic.attributes.is_fifo {
        return None;
    }
    let group = publication.group.clone().unwrap_or_default();
    Some(Taken {
        topic: topic.arn.clone(),
        scope: match topic.attributes.deduplicate_by_group {
            true => group,
            false => String::new(),
        },
        id: publication.deduplication_id.clone()?,
        message_id: publication.id,
        sequence,
        expires_at: publication.at.plus_millis(WINDOW_MS),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_goes_on_when_the_clock_does_not() {
        let fifo = Fifo::default();
        let at = Timestamp::from_millis;
        let numbers = [5, 5, 4, 6].map(|ms| fifo.next(at(ms)));
        assert_eq!(numbers, [5_000_000, 5_000_001, 5_000_002, 6_000_000]);
    }
}
