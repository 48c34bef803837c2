//! Receivers that wait, and what wakes them.
//!
//! A queue has an entry here while somebody waits for it. Wake-ups are hints: whoever is woken looks
//! into the database. None is lost, because a receiver takes its seat before it looks, and who leaves
//! with a wake-up in hand passes it on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tradewind_model::{Clock, Timestamp};

use crate::queue::QueueError;
use crate::queue::model::QueueId;

/// Receivers that may wait at the same time.
const SEATS: usize = 10_000;
/// The longest sleep: a clock that was set back is noticed after it.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// All receivers of this node that wait.
#[derive(Debug, Default)]
pub(super) struct WaitingRoom(Mutex<Seats>);

#[derive(Debug, Default)]
struct Seats {
    taken: usize,
    queues: HashMap<QueueId, (Arc<Bench>, usize)>,
}

/// What a transaction makes ready, told to those who wait once it is committed.
#[derive(Debug, Default)]
pub(super) struct Wakes(Vec<Wake>);

#[derive(Debug)]
enum Wake {
    Ready(QueueId, usize),
    Due(QueueId, Timestamp),
    NothingUntil(QueueId, Option<Timestamp>),
}

impl Wakes {
    /// `count` messages of the queue became ready.
    pub(super) fn ready(&mut self, queue: &QueueId, count: usize) {
        if count > 0 {
            self.0.push(Wake::Ready(queue.clone(), count));
        }
    }

    /// A message of the queue becomes ready at this time.
    pub(super) fn due(&mut self, queue: &QueueId, at: Timestamp) {
        self.0.push(Wake::Due(queue.clone(), at));
    }

    /// Nothing is ready; the next message becomes so at this time.
    pub(super) fn nothing_until(&mut self, queue: &QueueId, next: Option<Timestamp>) {
        self.0.push(Wake::NothingUntil(queue.clone(), next));
    }

    /// Nobody is to sleep for longer than until then: who found nothing may have looked too early.
    pub(super) fn at_the_latest(&mut self, latest: Timestamp) {
        for wake in &mut self.0 {
            if let Wake::NothingUntil(_, next) = wake {
                *next = Some(next.map_or(latest, |next| next.min(latest)));
            }
        }
    }
}

/// Those who wait for one queue.
#[derive(Debug, Default)]
struct Bench {
    ready: Notify,
    /// When the next message becomes ready by time.
    due: watch::Sender<Option<Timestamp>>,
}

/// One receiver's place.
#[derive(Debug)]
pub(super) struct Seat {
    room: Arc<WaitingRoom>,
    queue: QueueId,
    bench: Arc<Bench>,
}

impl WaitingRoom {
    pub(super) fn tell(&self, wakes: &Wakes) {
        for wake in &wakes.0 {
            match wake {
                Wake::Ready(queue, count) => self.ready(queue, *count),
                Wake::Due(queue, at) => self.due(queue, *at),
                Wake::NothingUntil(queue, next) => self.nothing_until(queue, *next),
            }
        }
    }

    /// `count` messages of the queue became ready.
    pub(super) fn ready(&self, queue: &QueueId, count: usize) {
        if let Some(bench) = self.bench(queue) {
            for _ in 0..count.min(SEATS) {
                bench.ready.notify_one();
            }
        }
    }

    fn due(&self, queue: &QueueId, at: Timestamp) {
        if let Some(bench) = self.bench(queue) {
            bench.due.send_if_modified(|due| {
                let sooner = due.is_none_or(|due| at < due);
                if sooner {
                    *due = Some(at);
                }
                sooner
            });
        }
    }

    fn nothing_until(&self, queue: &QueueId, next: Option<Timestamp>) {
        if let Some(bench) = self.bench(queue) {
            bench
                .due
                .send_if_modified(|due| std::mem::replace(due, next) != next);
        }
    }

    /// The clock was set: wakes those whose time has come.
    pub(super) fn clock_moved(&self, now: Timestamp) {
        for (bench, _) in self.seats().queues.values() {
            if bench.due.borrow().is_some_and(|due| due <= now) {
                bench.ready.notify_waiters();
            }
        }
    }

    /// Receivers that wait for the queue.
    #[cfg(test)]
    pub(super) fn waiting(&self, queue: &QueueId) -> usize {
        self.seats().queues.get(queue).map_or(0, |(_, sitting)| *sitting)
    }

    pub(super) fn sit(self: &Arc<Self>, queue: &QueueId) -> Result<Seat, QueueError> {
        let mut seats = self.seats();
        if seats.taken == SEATS {
            return Err(QueueError::TooManyWaiting { max: SEATS });
        }
        seats.taken += 1;
        let (bench, sitting) = seats.queues.entry(queue.clone()).or_default();
        *sitting += 1;
        Ok(Seat {
            room: Arc::clone(self),
            queue: queue.clone(),
            bench: Arc::clone(bench),
        })
    }

    fn bench(&self, queue: &QueueId) -> Option<Arc<Bench>> {
        self.seats().queues.get(queue).map(|(bench, _)| Arc::clone(bench))
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// To be enabled before one looks for messages, and waited for after one found none.
    pub(super) fn woken(&self) -> tokio::sync::futures::Notified<'_> {
        self.bench.ready.notified()
    }

    /// Hands a wake-up that led to nothing to the next in line.
    pub(super) fn pass_on(&self) {
        self.bench.ready.notify_one();
    }

    /// Until a message becomes ready by time.
    pub(super) async fn due(&self, clock: &Clock) {
        let mut due = self.bench.due.subscribe();
        loop {
            let at = *due.borrow_and_update();
            let ms = at.map(|at| at.as_millis().saturating_sub(clock.now().as_millis()));
            let sleep = ms.map_or(LONGEST_SLEEP, |ms| {
                Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(LONGEST_SLEEP)
            });
            tokio::select! {
                changed = due.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(sleep) => return,
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.room.seats();
        seats.taken -= 1;
        if let Some((_, sitting)) = seats.queues.get_mut(&self.queue) {
            *sitting -= 1;
            if *sitting == 0 {
                seats.queues.remove(&self.queue);
            }
        }
    }
}
