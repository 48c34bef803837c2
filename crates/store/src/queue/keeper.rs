//! The queues' own background work: sweeping, retention, and moves.

use std::pin::pin;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::DatabaseError;
use crate::queue::queues::Queues;
use crate::queue::rows::{keep, moves};

/// How often retention and deduplication windows are looked at.
const ROUND: Duration = Duration::from_secs(30);
/// How often the clock is looked at: that it was set, or the machine slept, is noticed after it.
const GLANCE: Duration = Duration::from_secs(1);
/// How long to wait after the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

impl Queues {
    /// Does the background work until cancelled. Queues are correct without it, but fill up, and moves
    /// stand still.
    ///
    /// # Cancel safety
    /// Every step is a transaction of its own: dropped, it goes on from there.
    pub async fn run(&self, cancelled: CancellationToken) {
        loop {
            let pause = match self.keep().await {
                Ok(pause) => pause,
                Err(DatabaseError::Closed) => return,
                Err(error) => {
                    tracing::error!(?error, "queues cannot be kept; trying again");
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = cancelled.cancelled() => return,
                () = self.chores.notified() => {}
                () = self.rest(pause) => {}
            }
        }
    }

    /// Rests for so long. Meanwhile who waits for a time is woken when the wall clock reaches it, also in a leap.
    async fn rest(&self, pause: Duration) {
        let mut end = pin!(tokio::time::sleep(pause));
        loop {
            tokio::select! {
                () = &mut end => return,
                () = tokio::time::sleep(GLANCE) => self.clock_moved(),
            }
        }
    }

    /// Deletes all that purges, deletions and retention left so far.
    ///
    /// # Errors
    /// When the database fails; the rest is deleted by the next try.
    pub async fn scrub(&self) -> Result<(), DatabaseError> {
        while self.keep().await?.is_zero() {}
        Ok(())
    }

    /// Does a piece of all there is to do; how long nothing will be.
    pub(super) async fn keep(&self) -> Result<Duration, DatabaseError> {
        let now = self.clock.now();
        let swept = self.transact(|tx, _| keep::sweep(tx)).await?;
        let expired = self.transact(move |tx, _| keep::expire(tx, now)).await?;
        let next_move = self
            .transact(move |tx, wakes| moves::step(tx, wakes, now))
            .await?;
        if swept || expired {
            return Ok(Duration::ZERO);
        }
        let until = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let until_move = next_move.map(|at| until(at.as_millis().saturating_sub(now.as_millis())));
        Ok(until_move.map_or(ROUND, |pause| pause.min(ROUND)))
    }
}
