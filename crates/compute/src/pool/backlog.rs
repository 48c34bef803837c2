//! The pools in which invocations wait, for the supervisor to look after.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::Pool;

/// Pools with a backlog; each is in it once.
#[derive(Debug, Default)]
pub(crate) struct Backlogs {
    pools: Mutex<Vec<Arc<Pool>>>,
    arrived: Notify,
}

impl Backlogs {
    /// Adds a pool that was not in it.
    pub(super) fn watch(&self, pool: Arc<Pool>) {
        self.pools
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(pool);
        self.arrived.notify_one();
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.is_empty()
    }

    /// Waits until there may be one.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Looks at every pool; those without a backlog leave. True when some stay.
    pub(crate) fn tick(&self, now: tokio::time::Instant) -> bool {
        let pools = std::mem::take(&mut *self.pools.lock().unwrap_or_else(PoisonError::into_inner));
        let staying: Vec<_> = pools.into_iter().filter(|pool| pool.tick(now)).collect();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.extend(staying);
        !pools.is_empty()
    }
}
