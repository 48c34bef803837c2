//! Moves: messages of a dead-letter queue go back to where they came from, or elsewhere.

use std::fmt;
use std::str::FromStr;

use tradewind_model::Timestamp;
use uuid::Uuid;

use crate::queue::QueueError;
use crate::queue::model::QueueId;
use crate::queue::queues::Queues;
use crate::queue::rows::{look_up, moves};
use crate::queue::transaction::Transaction;
use crate::queue::waiting::Wakes;

/// The id of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MoveId(pub(super) Uuid);

impl fmt::Display for MoveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MoveId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// A move of messages from one queue to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveTask {
    /// Its id.
    pub id: MoveId,
    /// Where the messages are.
    pub source: QueueId,
    /// Where they go; `None`: each to the queue it came from.
    pub destination: Option<QueueId>,
    /// Messages a second at most.
    pub max_per_second: Option<u32>,
    /// How it stands.
    pub status: MoveStatus,
    /// Messages moved so far.
    pub moved: u64,
    /// Messages there were to move when it started.
    pub to_move: u64,
    /// When it started.
    pub started_at: Timestamp,
}

/// How a move stands.
///
/// ```text
/// Running ──nothing left──▶ Completed ; ──cancel──▶ Cancelled ; ──a queue is gone──▶ Failed
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MoveStatus {
    /// It goes on.
    Running,
    /// All that was ready has been moved.
    Completed,
    /// Somebody cancelled it. What was moved stays moved.
    Cancelled,
    /// It cannot go on.
    Failed {
        /// Why.
        reason: String,
    },
}

impl Queues {
    /// Begins to move what is ready in `source`, oldest first. A moved message is a new one: it has a new
    /// id, was sent now, and was never received. [`Queues::run`] does the work.
    ///
    /// # Errors
    /// When a queue does not exist, a move from `source` runs, or the database fails.
    pub async fn start_move(
        &self,
        source: &QueueId,
        destination: Option<&QueueId>,
        max_per_second: Option<u32>,
    ) -> Result<MoveId, QueueError> {
        let now = self.clock.now();
        let id = MoveId(Uuid::new_v4());
        let target = destination.cloned();
        let start = move |tx: &Transaction<'_>, queue: look_up::Queue, _: &mut Wakes| {
            if let Some(target) = &target
                && look_up::find(tx, target)?.is_none()
            {
                return Ok(Err(QueueError::NotFound {
                    queue: target.clone(),
                }));
            }
            if moves::is_running(tx, &queue.id)? {
                return Ok(Err(QueueError::MoveRunning { queue: queue.id }));
            }
            let task = MoveTask {
                id,
                to_move: moves::ready(tx, &queue, now)?,
                source: queue.id,
                destination: target.clone(),
                max_per_second,
                status: MoveStatus::Running,
                moved: 0,
                started_at: now,
            };
            moves::insert(tx, &task)?;
            Ok(Ok(id))
        };
        let started = self.on_queue(source, start).await?;
        self.chores.notify_one();
        started
    }

    /// The moves from a queue, the newest first, `limit` at most.
    ///
    /// # Errors
    /// When it does not exist, or the database fails.
    pub async fn list_moves(&self, source: &QueueId, limit: u32) -> Result<Vec<MoveTask>, QueueError> {
        self.on_queue(source, move |tx, queue, _| moves::list(tx, &queue.id, limit))
            .await
    }

    /// Stops a move; how it stood then. `None`: there is no such move. One that has ended stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_move(&self, id: MoveId) -> Result<Option<MoveTask>, QueueError> {
        Ok(self.transact(move |tx, _| moves::cancel(tx, id)).await?)
    }
}
