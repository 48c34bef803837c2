//! The right to start an instance, and what it costs the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{MemoryClaim, Pool, State};

/// A start that takes longer than this waits for something; it needs no core any more.
pub(crate) const YOUNG: Duration = Duration::from_millis(250);
/// How long a start waits before it asks again for memory.
const MEMORY_RETRY: Duration = Duration::from_millis(20);
/// How long the first of too many failing starts holds the next one back, and the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Lambda's limit for the initialisation of provisioned instances, or the function's timeout if that
/// is longer ("Lambda execution environment lifecycle").
const PROVISIONED_INIT: Duration = Duration::from_secs(130);
const NO_MEMORY: &str = "the node's memory for instances is used up";
/// How long a start that nobody waits for tries to get memory.
const MEMORY_PATIENCE: Duration = Duration::from_secs(1);

/// What a start is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An invocation waits.
    Asked,
    /// Somebody wants to know whether the code works.
    Proof,
    /// Provisioned concurrency.
    Provisioned,
    /// A warm floor.
    Floor,
}

/// A start under way. Counts in its pool until it is dropped.
#[derive(Debug)]
pub(crate) struct Starting {
    pool: Arc<Pool>,
    purpose: Purpose,
    slot: Option<OwnedSemaphorePermit>,
    /// The turn of a start that nobody waits for.
    warm_slot: Option<OwnedSemaphorePermit>,
    young: bool,
}

impl Starting {
    /// A start that the pool has counted already.
    pub(super) fn counted(pool: Arc<Pool>, purpose: Purpose) -> Self {
        Self {
            pool,
            purpose,
            slot: None,
            warm_slot: None,
            young: true,
        }
    }

    /// A start that shows whether the code works.
    pub(crate) fn proof(pool: Arc<Pool>) -> Self {
        pool.state().count_start(Purpose::Proof);
        Self::counted(pool, Purpose::Proof)
    }

    /// Holds the turn until the start is over.
    pub(super) fn with_warm_slot(mut self, slot: OwnedSemaphorePermit) -> Self {
        self.warm_slot = Some(slot);
        self
    }

    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// What it is for.
    pub(crate) fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// How long it may take to initialise before it is tried again.
    pub(crate) fn init_limit(&self) -> Duration {
        match self.purpose {
            Purpose::Provisioned => PROVISIONED_INIT.max(self.pool.spec.timeout.as_duration()),
            Purpose::Asked | Purpose::Proof | Purpose::Floor => self.pool.host.init_limit,
        }
    }

    /// Waits for memory and for a core. None when by then nobody needs the instance any more, or when
    /// nobody waits for it and there is no memory.
    pub(crate) async fn admit(&mut self) -> Option<MemoryClaim> {
        self.pause_after_failures().await;
        let claim = self.memory().await?;
        // the semaphore is never closed
        self.slot = Arc::clone(&self.pool.host.start_slots).acquire_owned().await.ok();
        self.is_wanted().then_some(claim)
    }

    /// From now on it only waits: others may start meanwhile.
    pub(crate) fn aged(&mut self) {
        self.slot = None;
        if std::mem::take(&mut self.young) {
            self.pool.state().young_starts -= 1;
        }
    }

    async fn memory(&self) -> Option<MemoryClaim> {
        let begun = Instant::now();
        loop {
            let measured = self.pool.state().measured_bytes;
            if let Some(claim) = self.pool.host.memory.claim(measured) {
                return Some(claim);
            }
            if !self.is_wanted() {
                return None;
            }
            if matches!(self.purpose, Purpose::Provisioned | Purpose::Floor)
                && begun.elapsed() > MEMORY_PATIENCE
            {
                self.pool.state().warmth.failed(NO_MEMORY.to_owned());
                return None;
            }
            self.pool.host.memory_wanted.notify_one();
            tokio::time::sleep(MEMORY_RETRY).await;
        }
    }

    fn is_wanted(&self) -> bool {
        let state = self.pool.state();
        let asked = self.purpose == Purpose::Asked;
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
        self.pool.state().uncount_start(self.purpose);
        // whoever counted on this start must not wait for it
        self.pool.scale();
        self.pool.warm_up();
    }
}

impl State {
    pub(super) fn count_start(&mut self, purpose: Purpose) {
        self.starting += 1;
        self.young_starts += 1;
        self.warmth.starting += u32::from(purpose == Purpose::Provisioned);
    }

    fn uncount_start(&mut self, purpose: Purpose) {
        self.starting -= 1;
        self.warmth.starting -= u32::from(purpose == Purpose::Provisioned);
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
