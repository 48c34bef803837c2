//! A member of a consumer group, for one topic: a thread of its own polls the client, and hands records to who makes
//! batches of them.
//!
//! ```text
//! broker ──▶ librdkafka ──thread──▶ prepare ──▶ inbox, a queue a partition ──take──▶ Part: records and a claim
//!                 ▲                                    │ full: paused                    │
//!                 └────────────── commit ◀─────────────┴───────────── settle ◀───────────┘
//! ```
//!
//! # Invariants
//! - Records of a partition are in one [`Part`] at a time, in order.
//! - An offset is committed only after its record and all before it were settled, or matched no filter.
//! - The thread goes on polling whatever batches do: a partition whose reader is slow is paused, the others go on,
//!   and the group keeps the member.
//! - A partition that the group takes away waits for its batch, up to [`PATIENCE`]; then the batch's claim is void.
//! - Where a group that has no offsets begins is committed before the first record is read, so that a restart does not
//!   skip what was written in between.

mod inbox;
mod record;
mod start;
mod thread;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::client::Health;
use crate::cluster::Cluster;
use crate::problem::Problem;
use inbox::Inbox;
pub use inbox::{Bounds, Claim, Item, Part, Waiting};
pub use record::{Record, TimestampType};

/// How long a partition that the group takes away waits for its batch.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How long the end of a consumer waits for a broker that does not answer.
const FAREWELL: Duration = Duration::from_secs(10);

/// Where a group begins that has no offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartingPosition {
    /// With the oldest record there is.
    TrimHorizon,
    /// With what comes from now on.
    Latest,
    /// With the first record that is not older: milliseconds since 1970.
    AtTimestamp(i64),
}

/// What is read, as whom.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Which member of it, over restarts: the group then waits a while for it and does not share its partitions out.
    pub instance: Option<String>,
    /// Where it begins.
    pub start: StartingPosition,
}

/// A record as who makes batches wants it, and what it takes there.
pub type Prepared<T> = Option<(T, usize)>;
/// Makes a record into what batches are made of; none if it is not wanted. It runs on the consumer's thread.
pub type Prepare<T> = dyn Fn(&Record<'_>) -> Prepared<T> + Send + Sync;
/// The cluster with its credentials as they are now.
pub type FindCluster = dyn Fn() -> Result<Cluster, Problem> + Send;

/// See the module. Dropped, it ends as if it had been closed, and nobody waits for it.
pub struct Consumer<T> {
    inbox: Arc<Inbox<T>>,
    prepare: watch::Sender<Arc<Prepare<T>>>,
    health: Health,
    ended: watch::Receiver<bool>,
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

impl<T: Send + 'static> Consumer<T> {
    /// Starts the thread. It looks for the cluster until it finds it; [`Consumer::problem`] tells of what is in the
    /// way.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(
        subscription: Subscription,
        cluster: Box<FindCluster>,
        prepare: Arc<Prepare<T>>,
    ) -> std::io::Result<Self> {
        let inbox = Arc::new(Inbox::new());
        let health = Health::default();
        let (prepare, prepared) = watch::channel(prepare);
        let (has_ended, ended) = watch::channel(false);
        let thread = thread::Thread {
            subscription,
            cluster,
            prepare: prepared,
            inbox: Arc::clone(&inbox),
            health: health.clone(),
            commits: thread::Commits::default(),
        };
        let told = Arc::clone(&inbox);
        let run = move || {
            let _tells_also_of_a_panic = Ended(has_ended, told);
            thread.run();
        };
        std::thread::Builder::new()
            .name("kafka-consumer".to_owned())
            .spawn(run)?;
        Ok(Self {
            inbox,
            prepare,
            health,
            ended,
        })
    }

    /// Records from now on are prepared so, a moment later.
    pub fn prepare_with(&self, prepare: Arc<Prepare<T>>) {
        self.prepare.send_replace(prepare);
    }

    /// Batches are of so many records: how many of a partition may wait follows from it.
    pub fn gather(&self, batch: usize) {
        self.inbox.gather(batch);
    }

    /// What is in the way, if something is.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        self.health.problem()
    }

    /// Partitions that it has.
    #[must_use]
    pub fn assigned(&self) -> usize {
        self.inbox.assigned()
    }

    /// What waits for a batch.
    #[must_use]
    pub fn waiting(&self) -> Waiting {
        self.inbox.waiting()
    }

    /// Whether its thread is gone: by a panic, as nobody closed it. Nothing more comes.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until there may be more to take, something got into the way, or it ended.
    pub async fn changed(&self) {
        self.inbox.changed().await;
    }

    /// The records of a batch, if there are any, when `batches` may be made now: each then gets a fair share of the
    /// partitions.
    #[must_use]
    pub fn take(&self, bounds: Bounds, batches: usize) -> Vec<Part<T>> {
        self.inbox.take(bounds, batches, Instant::now())
    }

    /// Commits what is settled and ends, even if no broker answers. Who has claims lets go of them first.
    pub async fn close(mut self) {
        self.inbox.close();
        // an error says that the thread is gone, or still waits for a broker
        drop(tokio::time::timeout(FAREWELL, self.ended.wait_for(|ended| *ended)).await);
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

struct Ended<T>(watch::Sender<bool>, Arc<Inbox<T>>);

impl<T> Drop for Ended<T> {
    fn drop(&mut self) {
        self.0.send_replace(true);
        self.1.tell_reader();
    }
}

#[cfg(test)]
mod tests;
