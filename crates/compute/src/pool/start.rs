//! The right to start an instance, and what it costs the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{MemoryClaim, Pool};

/// A start that takes longer than this waits for something; it needs no core any more.
pub(crate) const YOUNG: Duration = Duration::from_millis(250);
/// How long a start waits before it asks again for memory.
const MEMORY_RETRY: Duration = Duration::from_millis(20);
/// How long the first of too many failing starts holds the next one back, and the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A start under way. Counts in its pool until it is dropped.
#[derive(Debug)]
pub(crate) struct Starting {
    pool: Arc<Pool>,
    slot: Option<OwnedSemaphorePermit>,
    young: bool,
}

impl Starting {
    /// A start that the pool has counted already.
    pub(super) fn counted(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            slot: None,
            young: true,
        }
    }

    /// A start of its own, that no invocation asked for.
    pub(crate) fn unasked(pool: Arc<Pool>) -> Self {
        {
            let mut state = pool.state();
            state.starting += 1;
            state.young_starts += 1;
        }
        Self::counted(pool)
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Waits for memory and for a core. None when by then nobody needs the instance any more, which
    /// `unasked` starts never find.
    pub(crate) async fn admit(&mut self, asked: bool) -> Option<MemoryClaim> {
        self.pause_after_failures().await;
        let claim = self.memory(asked).await?;
        // the semaphore is never closed
        self.slot = Arc::clone(&self.pool.host.start_slots).acquire_owned().await.ok();
        self.is_wanted(asked).then_some(claim)
    }

    /// From now on it only waits: others may start meanwhile.
    pub(crate) fn aged(&mut self) {
        self.slot = None;
        if std::mem::take(&mut self.young) {
            self.pool.state().young_starts -= 1;
        }
    }

    async fn memory(&self, asked: bool) -> Option<MemoryClaim> {
        loop {
            let measured = self.pool.state().measured_bytes;
            if let Some(claim) = self.pool.host.memory.claim(measured) {
                return Some(claim);
            }
            if !self.is_wanted(asked) {
                return None;
            }
            self.pool.host.memory_wanted.notify_one();
            tokio::time::sleep(MEMORY_RETRY).await;
        }
    }

    fn is_wanted(&self, asked: bool) -> bool {
        let state = self.pool.state();
        state.closed.is_none() && (!asked || !state.queue.is_empty())
    }

    /// A function whose every start fails shall not keep the machine busy with starts.
    async fn pause_after_failures(&self) {
        let until = {
            let state = self.pool.state();
            state.failed_at.map(|at| at + pause_after(state.failed_starts))
        };
        if let Some(until) = until
            && until > Instant::now()
        {
            tokio::time::sleep_until(until).await;
        }
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.aged();
        self.pool.state().starting -= 1;
        // whoever counted on this start must not wait for it
        self.pool.scale();
    }
}

fn pause_after(failures: u32) -> Duration {
    match failures.checked_sub(super::FAILS_FOR_ALL) {
        None => Duration::ZERO,
        Some(more) => FIRST_PAUSE.saturating_mul(1 << more.min(8)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_that_keep_failing_slow_down_up_to_a_second() {
        assert_eq!(pause_after(2), Duration::ZERO);
        assert_eq!(pause_after(3), FIRST_PAUSE);
        assert_eq!(pause_after(4), FIRST_PAUSE * 2);
        assert_eq!(pause_after(u32::MAX), LONGEST_PAUSE);
    }
}
