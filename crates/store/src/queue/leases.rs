//! How many more messages of a queue may be leased, without counting those that are at each receive.
//!
//! Leases end by themselves or by acks, so a count of a moment ago plus what was leased since is never too low.
//! Only other nodes on the same database lease what is not added here: by what they do within [`FRESH_MS`] a
//! limit may be exceeded. Nobody is refused without a count of now.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tradewind_model::Timestamp;

use crate::DatabaseError;
use crate::queue::rows::look_up::{self, Queue};
use crate::queue::transaction::Transaction;

/// How long a count is good for.
const FRESH_MS: i64 = 1_000;
/// Counts that are kept before those that are no longer good are thrown away.
const KEPT: usize = 1_000;

/// The counts of this node, by the queues' numbers.
#[derive(Debug, Default)]
pub(super) struct Leases(Mutex<HashMap<i64, Count>>);

#[derive(Clone, Copy, Debug)]
struct Count {
    counted_at: Timestamp,
    at_most: u64,
}

impl Count {
    fn is_fresh(self, now: Timestamp) -> bool {
        // a clock that was set back makes it old, too
        (0..FRESH_MS).contains(&(now.as_millis() - self.counted_at.as_millis()))
    }
}

impl Leases {
    /// How many messages may be leased, `wanted` at most.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) fn room(
        &self,
        tx: &Transaction<'_>,
        queue: &Queue,
        wanted: usize,
        now: Timestamp,
    ) -> Result<usize, DatabaseError> {
        let Some(max) = queue.settings.max_leased.map(u64::from) else {
            return Ok(wanted);
        };
        let known = self.counts().get(&queue.number).copied();
        let known = known.filter(|count| count.is_fresh(now));
        if known.is_some_and(|count| count.at_most.saturating_add(wanted as u64) <= max) {
            return Ok(wanted);
        }
        let leased = look_up::leased(tx, queue, now)?;
        self.counted(queue.number, leased, now);
        let room = usize::try_from(max.saturating_sub(leased));
        Ok(room.unwrap_or(usize::MAX).min(wanted))
    }

    /// So many were leased.
    pub(super) fn leased(&self, queue: &Queue, messages: usize) {
        if let Some(count) = self.counts().get_mut(&queue.number) {
            count.at_most += messages as u64;
        }
    }

    fn counted(&self, number: i64, leased: u64, now: Timestamp) {
        let mut counts = self.counts();
        if counts.len() >= KEPT {
            counts.retain(|_, count| count.is_fresh(now));
        }
        let count = Count {
            counted_at: now,
            at_most: leased,
        };
        counts.insert(number, count);
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<i64, Count>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
