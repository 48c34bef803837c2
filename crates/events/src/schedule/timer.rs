//! Durable timers: what is due at a time happens once, whatever happens to the node.
//!
//! A timer is a row. Whoever sees that it is due makes one batch of all that follows from it, deliveries
//! included, and of the timer's next time; the batch requires the row to be as it was seen. So of several
//! that see it exactly one fires it, and a crash leaves it either fired or due.
//!
//! # Invariants
//! - Between a firing and the timer's next state there is no moment: they are one transaction.
//! - The wall clock decides. It is looked at once a second at least, so that a step of the clock or a
//!   machine that slept is noticed; a timer that fired is due later than it was, so that a clock set back
//!   fires nothing again.

mod owner;
mod tables;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tradewind_model::{Clock, Timestamp};
use tradewind_store::{Batch, Database, DatabaseError};

pub use self::owner::{Firing, TimerOwner};
pub use self::tables::MIGRATIONS;
use crate::router::Routing;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Timers that are read at once.
const PAGE: u32 = 256;
/// Timers that fire at the same time, in transactions of their own that share their commits.
const CONCURRENT: usize = 64;

/// Something that is due at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timer {
    /// The service that it belongs to, as it is connected.
    pub owner: String,
    /// Which of its timers: unique within the owner.
    pub key: String,
    /// When.
    pub due: Timestamp,
    /// What the owner has to know when it fires.
    pub state: String,
}

/// The timers of a node. Clones are handles to the same ones.
#[derive(Clone, Debug)]
pub struct Timers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    database: Database,
    clock: Clock,
    owners: RwLock<BTreeMap<&'static str, Arc<dyn TimerOwner>>>,
    changed: Arc<Notify>,
}

/// What a look at all that is due came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Timers that fired.
    pub fired: usize,
    /// Timers that are due still: their owner knows better, or their batch failed.
    pub left: usize,
}

impl Timers {
    /// Timers over a database that was migrated with [`MIGRATIONS`].
    #[must_use]
    pub fn new(database: Database, clock: Clock) -> Self {
        Self(Arc::new(Shared {
            database,
            clock,
            owners: RwLock::default(),
            changed: Arc::default(),
        }))
    }

    /// From now on `owner` is asked what its timers do.
    pub fn connect(&self, name: &'static str, owner: Arc<dyn TimerOwner>) {
        let mut owners = self.0.owners.write().unwrap_or_else(PoisonError::into_inner);
        owners.insert(name, owner);
        self.0.changed.notify_one();
    }

    /// Adds to the batch that this timer is, in place of one with its key.
    #[must_use]
    pub fn set(&self, batch: Batch, timer: &Timer) -> Batch {
        let changed = Arc::clone(&self.0.changed);
        tables::put(batch, timer).after_commit(move || changed.notify_one())
    }

    /// Adds to the batch that `new` is in place of `old`, which has to be as it is here: if it fired
    /// meanwhile, the batch fails.
    #[must_use]
    pub fn replace(&self, batch: Batch, old: &Timer, new: &Timer) -> Batch {
        self.set(tables::take(batch, old), new)
    }

    /// Adds to the batch that this timer is no more.
    #[must_use]
    pub fn clear(&self, batch: Batch, owner: &str, key: &str) -> Batch {
        tables::delete(batch, owner, key)
    }

    /// Adds to the batch that the timers whose keys begin with `prefix` are no more.
    #[must_use]
    pub fn clear_all(&self, batch: Batch, owner: &str, prefix: &str) -> Batch {
        tables::delete_all(batch, owner, prefix)
    }

    /// The timer with that key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn get(&self, owner: &str, key: &str) -> Result<Option<Timer>, DatabaseError> {
        tables::get(&self.0.database, owner, key).await
    }

    /// All timers of an owner, by key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all(&self, owner: &str) -> Result<Vec<Timer>, DatabaseError> {
        tables::all(&self.0.database, owner).await
    }

    /// A manual clock was moved: looks at what is due now.
    pub fn clock_moved(&self) {
        self.0.changed.notify_one();
    }

    /// Fires what is due, as long as the node runs.
    ///
    /// # Cancel safety
    /// Every firing is a transaction of its own: dropped, it goes on from there.
    pub async fn run(&self, cancelled: CancellationToken) {
        loop {
            let pause = match self.fire_due().await {
                Ok(Round { left: 0, .. }) => self.until_next().await,
                Ok(_) => TICK,
                Err(DatabaseError::Closed) => return,
                Err(error) => {
                    tracing::error!(?error, "timers cannot be read; trying again");
                    TICK
                }
            };
            tokio::select! {
                () = cancelled.cancelled() => return,
                () = self.0.changed.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Fires all that is due now, once.
    ///
    /// # Errors
    /// When the database cannot be read. A firing that cannot be written is left for later.
    pub async fn fire_due(&self) -> Result<Round, DatabaseError> {
        let now = self.0.clock.now();
        let mut round = Round::default();
        let mut after = None;
        loop {
            let page = tables::due(&self.0.database, now, after.as_ref(), PAGE).await?;
            let Some(last) = page.last().cloned() else {
                return Ok(round);
            };
            let fired = self.fire_page(page, now).await;
            round.fired += fired.fired;
            round.left += fired.left;
            after = Some(last);
        }
    }

    async fn fire_page(&self, page: Vec<Timer>, now: Timestamp) -> Round {
        let firings = futures_util::stream::iter(page)
            .map(|timer| async move { self.fire(&timer, now).await })
            .buffer_unordered(CONCURRENT);
        let count = |round: Round, fired: bool| Round {
            fired: round.fired + usize::from(fired),
            left: round.left + usize::from(!fired),
        };
        firings
            .fold(Round::default(), async |round, fired| count(round, fired))
            .await
    }

    /// Whether it fired, here or, at the same moment, elsewhere.
    async fn fire(&self, timer: &Timer, now: Timestamp) -> bool {
        let Some(owner) = self.owner(&timer.owner) else {
            return false;
        };
        let mut routing = Routing::new(tables::take(Batch::new(), timer));
        let firing = owner.fire(timer, now, &mut routing);
        let batch = match firing {
            Firing::Again { due, state } => {
                let next = Timer {
                    due,
                    state,
                    ..timer.clone()
                };
                self.set(routing.into_batch(), &next)
            }
            Firing::Over => routing.into_batch(),
            Firing::NotYet => return false,
        };
        match self.0.database.write(batch).await {
            Ok(_) => true,
            // it is not any more as it was seen: set anew, or fired by another
            Err(DatabaseError::Unexpected { statement: 0, .. }) => true,
            Err(error) => {
                let (owner, key) = (&timer.owner, &timer.key);
                tracing::warn!(owner, key, %error, "a timer did not fire; trying again");
                false
            }
        }
    }

    /// How long nothing will be due, a second at most.
    async fn until_next(&self) -> Duration {
        let next = tables::next_due(&self.0.database).await;
        let Ok(Some(next)) = next else {
            return TICK;
        };
        let ms = next.as_millis().saturating_sub(self.0.clock.now().as_millis());
        Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(TICK)
    }

    fn owner(&self, name: &str) -> Option<Arc<dyn TimerOwner>> {
        let owners = self.0.owners.read().unwrap_or_else(PoisonError::into_inner);
        owners.get(name).map(Arc::clone)
    }
}
