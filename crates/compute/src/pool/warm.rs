//! Instances that are kept initialised although nobody waits for them: provisioned concurrency and warm
//! floors.
//!
//! Provisioned instances are started as such (`AWS_LAMBDA_INITIALIZATION_TYPE`) and are counted by
//! themselves; a floor is content with any instance. One task per pool starts what is missing, one after
//! the other, in turn with the other pools' tasks and only as many at once as [`warm_slots`] allows: nobody
//! waits for these, so they must not take the cores from starts that somebody waits for. It exists
//! while something is missing. What fails is tried again, ever more slowly.
//!
//! [`warm_slots`]: crate::host::Host::warm_slots

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::{FAILS_FOR_ALL, Pool, Purpose, Starting, State};
use crate::instance;
use crate::spec::{ProvisionedState, ProvisionedStatus};

/// How long the first failure holds the next attempt back; doubled by each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a pool keeps warm.
#[derive(Debug, Default)]
pub(super) struct Warmth {
    provisioned: u32,
    floor: u32,
    /// Starts of provisioned instances under way.
    pub(super) starting: u32,
    /// Whether a task starts what is missing.
    filling: bool,
    failures: u32,
    failed_at: Option<Instant>,
    reason: Option<String>,
}

impl Warmth {
    /// A start failed, for whatever it was meant.
    pub(super) fn failed(&mut self, reason: String) {
        self.failures = self.failures.saturating_add(1);
        self.failed_at = Some(Instant::now());
        self.reason = Some(reason);
    }

    /// A start succeeded.
    pub(super) fn recovered(&mut self) {
        self.failures = 0;
        self.failed_at = None;
        self.reason = None;
    }

    /// At least so many instances are kept.
    pub(super) fn floor(&self) -> u32 {
        self.floor
    }

    fn retry_at(&self) -> Option<Instant> {
        let doubled = FIRST_PAUSE.saturating_mul(1 << self.failures.saturating_sub(1).min(16));
        Some(self.failed_at? + doubled.min(LONGEST_PAUSE))
    }
}

impl Pool {
    /// Keeps `count` provisioned instances (`ProvisionedConcurrentExecutions`).
    pub(crate) fn provision(self: &Arc<Self>, count: u32) {
        {
            let mut state = self.state();
            if state.warmth.provisioned != count {
                state.warmth.recovered();
            }
            state.warmth.provisioned = count;
            state.demote_excess();
        }
        self.warm_up();
    }

    /// Keeps at least `count` instances of any kind.
    pub(crate) fn set_warm_floor(self: &Arc<Self>, count: u32) {
        self.state().warmth.floor = count;
        self.warm_up();
    }

    /// How far its provisioned concurrency has come.
    pub(crate) fn provisioned(&self) -> ProvisionedStatus {
        let state = self.state();
        let warmth = &state.warmth;
        let available = state.provisioned_members();
        let (status, reason) = if available >= warmth.provisioned {
            (ProvisionedState::Ready, None)
        } else if warmth.failures >= FAILS_FOR_ALL {
            (ProvisionedState::Failed, warmth.reason.clone())
        } else {
            (ProvisionedState::InProgress, None)
        };
        ProvisionedStatus {
            requested: warmth.provisioned,
            allocated: available,
            available,
            status,
            reason,
        }
    }

    /// Starts what is missing, in the background.
    pub(crate) fn warm_up(self: &Arc<Self>) {
        {
            let mut state = self.state();
            if state.warmth.filling || state.missing().is_none() {
                return;
            }
            state.warmth.filling = true;
        }
        self.host.tasks.spawn(Arc::clone(self).fill());
    }

    /// Nothing fails here that is not kept for the status; it ends when nothing is missing.
    async fn fill(self: Arc<Self>) {
        let stop = self.host.stop.clone();
        loop {
            let slot = tokio::select! {
                () = stop.cancelled() => None,
                slot = self.warm_slot() => slot,
            };
            let Some(starting) = slot.and_then(|slot| self.start_missing(slot)) else {
                self.state().warmth.filling = false;
                break;
            };
            instance::start(starting, None);
        }
        // something may have gone missing in the last moment
        if !stop.is_cancelled() {
            self.warm_up();
        }
    }

    /// Its turn, once the last failure is long enough ago. None when nothing is missing any more.
    async fn warm_slot(&self) -> Option<OwnedSemaphorePermit> {
        loop {
            // the semaphore is never closed
            let slot = Arc::clone(&self.host.warm_slots).acquire_owned().await.ok()?;
            let retry_at = {
                let state = self.state();
                state.missing()?;
                state.warmth.retry_at()
            };
            match retry_at {
                Some(at) if at > Instant::now() => {
                    drop(slot);
                    tokio::time::sleep_until(at).await;
                }
                _ => return Some(slot),
            }
        }
    }

    fn start_missing(self: &Arc<Self>, slot: OwnedSemaphorePermit) -> Option<Starting> {
        let purpose = {
            let mut state = self.state();
            let purpose = state.missing()?;
            state.count_start(purpose);
            purpose
        };
        Some(Starting::counted(Arc::clone(self), purpose).with_warm_slot(slot))
    }
}

impl State {
    /// What to start next so that enough is warm.
    fn missing(&self) -> Option<Purpose> {
        if self.closed.is_some() {
            return None;
        }
        let provisioned = self.provisioned_members() + self.warmth.starting;
        if provisioned < self.warmth.provisioned {
            return Some(Purpose::Provisioned);
        }
        (self.instances.len() + self.starting < self.floor()).then_some(Purpose::Floor)
    }

    fn floor(&self) -> usize {
        usize::try_from(self.warmth.floor).unwrap_or(usize::MAX)
    }

    fn provisioned_members(&self) -> u32 {
        let count = self
            .instances
            .values()
            .filter(|member| member.provisioned)
            .count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// More provisioned instances than are asked for become ordinary ones.
    fn demote_excess(&mut self) {
        let mut excess = self.provisioned_members().saturating_sub(self.warmth.provisioned);
        for member in self.instances.values_mut().filter(|member| member.provisioned) {
            if excess == 0 {
                return;
            }
            member.provisioned = false;
            excess -= 1;
        }
    }

    /// How many ordinary instances may go without hurting the floor.
    pub(super) fn spare(&self) -> usize {
        self.instances.len().saturating_sub(self.floor())
    }

    /// Whether an instance may be let go although it works.
    pub(super) fn is_ordinary(&self, id: u64) -> bool {
        self.instances.get(&id).is_none_or(|member| !member.provisioned)
    }
}
