//! The handle that everybody holds.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tradewind_model::{Clock, Timestamp};

use crate::database::{Backend, Session};
use crate::queue::QueueError;
use crate::queue::leases::Leases;
use crate::queue::model::{
    Depth, MessageId, NewMessage, QueueId, QueueSettings, Receipt, Received, Sent, Settled,
};
use crate::queue::rows::look_up::{self, Queue, millis};
use crate::queue::rows::{receive, send, settle};
use crate::queue::transaction::Transaction;
use crate::queue::waiting::{Seat, WaitingRoom, Wakes};
use crate::{Database, DatabaseError};

/// The queues of a node. Clones are handles to the same ones.
#[derive(Clone, Debug)]
pub struct Queues {
    pub(super) database: Database,
    pub(super) clock: Clock,
    pub(super) room: Arc<WaitingRoom>,
    leases: Arc<Leases>,
    /// Wakes the keeper.
    pub(super) chores: Arc<Notify>,
}

/// On PostgreSQL transactions overlap, and a receiver may look just before a message is there: it looks
/// again after this time at the latest.
const POLL_MS: i64 = 2_000;
const LIST: &str = "SELECT id FROM queue_queues WHERE id >= $1 AND id < $2 AND id > $3 ORDER BY id LIMIT $4";
const DEPTH: &str = "SELECT \
    COUNT(CASE WHEN m.visible_at <= $2 THEN 1 END), \
    COUNT(CASE WHEN m.visible_at > $2 AND m.receives = 0 THEN 1 END), \
    COUNT(CASE WHEN m.visible_at > $2 AND m.receives > 0 THEN 1 END) \
    FROM queue_messages m WHERE m.queue = $1";
const OLDEST: &str = "SELECT sent_at FROM queue_messages WHERE queue = $1 AND visible_at <= $2 \
    ORDER BY visible_at LIMIT 1";

impl Queues {
    /// The queues in this database, which has [`MIGRATIONS`](crate::queue::MIGRATIONS).
    #[must_use]
    pub fn new(database: Database, clock: Clock) -> Self {
        Self {
            database,
            clock,
            room: Arc::default(),
            leases: Arc::default(),
            chores: Arc::default(),
        }
    }

    /// Makes a queue.
    ///
    /// # Errors
    /// When there is one of this name, or the database fails.
    pub async fn create(&self, id: &QueueId, settings: &QueueSettings) -> Result<(), QueueError> {
        let (queue, settings, now) = (id.clone(), settings.clone(), self.clock.now());
        let made = self.transact(move |tx, _| look_up::create(tx, &queue, &settings, now));
        match made.await? {
            true => Ok(()),
            false => Err(QueueError::Exists { queue: id.clone() }),
        }
    }

    /// Gives a queue other settings. They hold for what is sent and received from now on; the retention
    /// also for what is there.
    ///
    /// # Errors
    /// When it does not exist, would change between standard and FIFO, or the database fails.
    pub async fn update(&self, id: &QueueId, settings: &QueueSettings) -> Result<(), QueueError> {
        let settings = settings.clone();
        let change = move |tx: &Transaction<'_>, mut queue: Queue, _: &mut Wakes| {
            if queue.settings.fifo != settings.fifo {
                return Ok(false);
            }
            queue.settings = settings.clone();
            look_up::update(tx, &queue)?;
            Ok(true)
        };
        match self.holding(id, change).await? {
            true => Ok(()),
            false => Err(QueueError::FifoIsFixed { queue: id.clone() }),
        }
    }

    /// Removes a queue and what is in it.
    ///
    /// # Errors
    /// When it does not exist, or the database fails.
    pub async fn delete(&self, id: &QueueId) -> Result<(), QueueError> {
        self.holding(id, |tx, queue, _| look_up::delete(tx, &queue))
            .await?;
        self.chores.notify_one();
        Ok(())
    }

    /// How a queue behaves.
    ///
    /// # Errors
    /// When it does not exist, or the database fails.
    pub async fn settings(&self, id: &QueueId) -> Result<QueueSettings, QueueError> {
        self.on_queue(id, |_, queue, _| Ok(queue.settings)).await
    }

    /// Queues whose ARNs begin with `prefix` and come after `after`, in order, `limit` at most.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(
        &self,
        prefix: &str,
        after: Option<&QueueId>,
        limit: u32,
    ) -> Result<Vec<QueueId>, QueueError> {
        let end = format!("{prefix}\u{10FFFF}");
        let after = after.map_or("", QueueId::as_str);
        let params = vec![prefix.into(), end.into(), after.into(), limit.into()];
        let rows = self.database.read(LIST, params).await?;
        let ids = rows.iter().map(|row| row.text(0).map(QueueId::new));
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Sends all of the messages, or none. On `Ok` they are on disk, in the order given.
    ///
    /// # Errors
    /// When the queue does not exist, a message does not fit a FIFO queue, or the database fails.
    pub async fn send(&self, id: &QueueId, messages: Vec<NewMessage>) -> Result<Vec<Sent>, QueueError> {
        self.database.room()?;
        let now = self.clock.now();
        let messages: Vec<_> = messages
            .into_iter()
            .map(|message| (MessageId::random(), message))
            .collect();
        let send = move |tx: &Transaction<'_>, queue: Queue, wakes: &mut Wakes| {
            if let Err(unfit) = messages.iter().try_for_each(|(_, message)| fits(&queue, message)) {
                return Ok(Err(unfit));
            }
            let outcome = send::send(tx, &queue, &messages, now)?;
            wakes.ready(&queue.id, outcome.ready);
            outcome.due.into_iter().for_each(|due| wakes.due(&queue.id, due));
            Ok(Ok(outcome.sent))
        };
        self.on_queue(id, send).await?
    }

    /// Receives up to `max` messages, each leased for `lease`. Waits up to `wait` for the first.
    ///
    /// # Errors
    /// When the queue does not exist, too much is leased or too many wait, or the database fails.
    ///
    /// # Cancel safety
    /// Nothing is lost: what was leased for a future that was dropped becomes visible after its lease.
    pub async fn receive(
        &self,
        id: &QueueId,
        max: usize,
        lease: Duration,
        wait: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        self.receive_unless(id, max, lease, wait, &CancellationToken::new())
            .await
    }

    /// As [`Queues::receive`], but stops waiting when `given_up` is cancelled. Unlike a future that is dropped, it
    /// then still gives what it has leased.
    ///
    /// # Errors
    /// As [`Queues::receive`].
    ///
    /// # Cancel safety
    /// As [`Queues::receive`].
    pub async fn receive_unless(
        &self,
        id: &QueueId,
        max: usize,
        lease: Duration,
        wait: Duration,
        given_up: &CancellationToken,
    ) -> Result<Vec<Received>, QueueError> {
        if wait.is_zero() {
            return self.look(id, max, lease).await;
        }
        let seat = self.room.sit(id)?;
        let mut deadline = pin!(tokio::time::sleep(wait));
        let mut wake_up = WakeUp::none(&seat);
        loop {
            let mut woken = pin!(seat.woken());
            woken.as_mut().enable();
            let found = self.look(id, max, lease).await?;
            wake_up.in_hand = false;
            if !found.is_empty() || deadline.is_elapsed() || given_up.is_cancelled() {
                return Ok(found);
            }
            tokio::select! {
                () = &mut woken => wake_up.in_hand = true,
                () = seat.due(&self.clock) => {}
                () = &mut deadline => return Ok(found),
                () = given_up.cancelled() => return Ok(found),
            }
        }
    }

    /// Takes what is ready.
    async fn look(&self, id: &QueueId, max: usize, lease: Duration) -> Result<Vec<Received>, QueueError> {
        let clock = self.clock.clone();
        let caller = Caller::default();
        let gone = Arc::clone(&caller.0);
        let leases = Arc::clone(&self.leases);
        let look = move |tx: &Transaction<'_>, queue: Queue, wakes: &mut Wakes| {
            if gone.load(Ordering::Acquire) {
                return Ok(Ok(Vec::new()));
            }
            let now = clock.now();
            let max = leases.room(tx, &queue, max, now)?;
            if max == 0 && queue.settings.max_leased.is_some() {
                return Ok(Err(too_many_leased(queue)));
            }
            let found = receive::receive(tx, &queue, max, lease, now)?;
            leases.leased(&queue, found.messages.len());
            if let Some((dead_letter, count)) = &found.buried {
                wakes.ready(dead_letter, *count);
            }
            match found.messages.is_empty() {
                true => wakes.nothing_until(&queue.id, look_up::next_due(tx, &queue, now)?),
                false => wakes.due(&queue.id, now.plus_millis(millis(lease))),
            }
            Ok(Ok(found.messages))
        };
        self.on_queue(id, look).await?
    }

    /// When the next message that was not ready at `since` becomes so, or became so: a delay or a lease ends.
    /// Who visits many queues and waits at none asks it, with a time before its [`Queues::receive`]: what
    /// became ready since then, and was not received, is not missed.
    ///
    /// # Errors
    /// When the queue does not exist, or the database fails.
    pub async fn next_due(&self, id: &QueueId, since: Timestamp) -> Result<Option<Timestamp>, QueueError> {
        self.on_queue(id, move |tx, queue, _| look_up::next_due(tx, &queue, since))
            .await
    }

    /// Ends messages that were received.
    ///
    /// # Errors
    /// When the queue does not exist, or the database fails: then no receipt was used.
    pub async fn ack(&self, id: &QueueId, receipts: &[Receipt]) -> Result<Vec<Settled>, QueueError> {
        let now = self.clock.now();
        let receipts = receipts.to_vec();
        self.settle(id, move |tx, queue| settle::ack(tx, queue, &receipts, now))
            .await
    }

    /// Gives messages back that were received: each is ready after its delay. Until then it counts as
    /// leased, and blocks its group.
    ///
    /// # Errors
    /// As [`Queues::ack`].
    pub async fn nack(
        &self,
        id: &QueueId,
        receipts: &[(Receipt, Duration)],
    ) -> Result<Vec<Settled>, QueueError> {
        self.extend(id, receipts).await
    }

    /// As if they had not been received: messages that nobody looked at are ready again, and the receive counts
    /// no more. Whoever calls it forgets the receipts: the next receive of a message gives an equal one.
    ///
    /// # Errors
    /// As [`Queues::ack`].
    pub async fn put_back(&self, id: &QueueId, receipts: &[Receipt]) -> Result<Vec<Settled>, QueueError> {
        let now = self.clock.now();
        let receipts = receipts.to_vec();
        self.settle(id, move |tx, queue| {
            let put_back = |receipt: &Receipt| settle::put_back(tx, queue, *receipt, now);
            receipts.iter().map(put_back).collect()
        })
        .await
    }

    /// Makes leases end the given time from now.
    ///
    /// # Errors
    /// As [`Queues::ack`].
    pub async fn extend(
        &self,
        id: &QueueId,
        receipts: &[(Receipt, Duration)],
    ) -> Result<Vec<Settled>, QueueError> {
        let now = self.clock.now();
        let receipts = receipts.to_vec();
        self.settle(id, move |tx, queue| {
            let change = |(receipt, lease): &(Receipt, Duration)| {
                let visible_at = now.plus_millis(millis(*lease));
                settle::change(tx, queue, *receipt, visible_at, now)
            };
            receipts.iter().map(change).collect()
        })
        .await
    }

    /// Moves a message that was received into the dead-letter queue of its queue, now.
    ///
    /// # Errors
    /// When the queue or its dead-letter queue does not exist, or the database fails.
    pub async fn dead_letter(
        &self,
        id: &QueueId,
        receipt: Receipt,
        reason: &str,
    ) -> Result<Settled, QueueError> {
        let (now, reason) = (self.clock.now(), reason.to_owned());
        let bury = move |tx: &Transaction<'_>, queue: Queue, wakes: &mut Wakes| {
            let Some((dead, _)) = receive::dead_letter_of(tx, &queue)? else {
                return Ok(Err(QueueError::NoDeadLetterQueue { queue: queue.id }));
            };
            let settled = settle::bury(tx, &queue, &dead, receipt, &reason, now)?;
            if settled == Settled::Done {
                wakes.ready(&dead.id, 1);
                // Its group may be free now.
                wakes.ready(&queue.id, 1);
            }
            Ok(Ok(settled))
        };
        self.on_queue(id, bury).await?
    }

    async fn settle<F>(&self, id: &QueueId, settle: F) -> Result<Vec<Settled>, QueueError>
    where
        F: Fn(&Transaction<'_>, &Queue) -> Result<Vec<settle::Outcome>, DatabaseError>
            + Send
            + Sync
            + 'static,
    {
        let clock = self.clock.clone();
        let settle = move |tx: &Transaction<'_>, queue: Queue, wakes: &mut Wakes| {
            let outcomes = settle(tx, &queue)?;
            let now = clock.now();
            for ready_at in outcomes.iter().filter_map(|outcome| outcome.ready_at) {
                match ready_at <= now {
                    true => wakes.ready(&queue.id, 1),
                    false => wakes.due(&queue.id, ready_at),
                }
            }
            Ok(outcomes.into_iter().map(|outcome| outcome.settled).collect())
        };
        self.on_queue(id, settle).await
    }

    /// Empties a queue, leased messages included.
    ///
    /// # Errors
    /// When it does not exist, or the database fails.
    pub async fn purge(&self, id: &QueueId) -> Result<(), QueueError> {
        let now = self.clock.now();
        self.holding(id, move |tx, queue, _| look_up::purge(tx, queue, now))
            .await
    }

    /// How much is in a queue.
    ///
    /// # Errors
    /// When it does not exist, or the database fails.
    pub async fn depth(&self, id: &QueueId) -> Result<Depth, QueueError> {
        let number = self.on_queue(id, |_, queue, _| Ok(queue.number)).await?;
        let params = vec![number.into(), self.clock.now().as_millis().into()];
        let counts = self.database.read(DEPTH, params.clone()).await?;
        let oldest = self.database.read(OLDEST, params).await?;
        let oldest = oldest.first().map(|row| row.integer(0)).transpose()?;
        let count = |column| match counts.first() {
            Some(row) => row.integer(column).map(i64::cast_unsigned),
            None => Ok(0),
        };
        Ok(Depth {
            ready: count(0)?,
            delayed: count(1)?,
            leased: count(2)?,
            oldest: oldest.map(Timestamp::from_millis),
        })
    }

    /// Wakes who waits for a time that has come, although nobody expected it already: the clock was set.
    pub fn clock_moved(&self) {
        self.room.clock_moved(self.clock.now());
    }

    /// Runs `call` on a queue.
    pub(super) async fn on_queue<T, F>(&self, id: &QueueId, call: F) -> Result<T, QueueError>
    where
        F: Fn(&Transaction<'_>, Queue, &mut Wakes) -> Result<T, DatabaseError> + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.on_found(id, look_up::find, call).await
    }

    /// Runs `call` on a queue that nobody else changes meanwhile.
    async fn holding<T, F>(&self, id: &QueueId, call: F) -> Result<T, QueueError>
    where
        F: Fn(&Transaction<'_>, Queue, &mut Wakes) -> Result<T, DatabaseError> + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.on_found(id, look_up::hold, call).await
    }

    async fn on_found<T, F>(&self, id: &QueueId, find: Find, call: F) -> Result<T, QueueError>
    where
        F: Fn(&Transaction<'_>, Queue, &mut Wakes) -> Result<T, DatabaseError> + Send + Sync + 'static,
        T: Send + 'static,
    {
        let queue = id.clone();
        let call = move |tx: &Transaction<'_>, wakes: &mut Wakes| match find(tx, &queue)? {
            Some(found) => call(tx, found, wakes).map(Some),
            None => Ok(None),
        };
        let done = self.transact(call).await?;
        done.ok_or_else(|| QueueError::NotFound { queue: id.clone() })
    }

    /// Runs `call` in a transaction, and wakes whom it concerns. It may run more than once.
    pub(super) async fn transact<T, F>(&self, call: F) -> Result<T, DatabaseError>
    where
        F: Fn(&Transaction<'_>, &mut Wakes) -> Result<T, DatabaseError> + Send + Sync + 'static,
        T: Send + 'static,
    {
        let room = Arc::clone(&self.room);
        match self.database.backend() {
            Backend::Sqlite(sqlite) => {
                let call = move |connection: &rusqlite::Connection| {
                    let mut wakes = Wakes::default();
                    let done = call(&Transaction::Sqlite(connection), &mut wakes)?;
                    // Before the commit, but whoever is woken looks in a later transaction.
                    room.tell(&wakes);
                    Ok(done)
                };
                sqlite.transact(call).await
            }
            Backend::Postgres(postgres) => {
                let latest = self.clock.now().plus_millis(POLL_MS);
                let call = move |session: &Session| {
                    let mut wakes = Wakes::default();
                    let done = call(&Transaction::Postgres(session), &mut wakes)?;
                    wakes.at_the_latest(latest);
                    Ok((done, wakes))
                };
                let told = move |(_, wakes): &(T, Wakes)| room.tell(wakes);
                postgres.transact(call, told).await.map(|(done, _)| done)
            }
        }
    }
}

type Find = fn(&Transaction<'_>, &QueueId) -> Result<Option<Queue>, DatabaseError>;

/// A wake-up that a receiver has not followed yet. If it leaves before, the next in line gets it.
struct WakeUp<'s> {
    seat: &'s Seat,
    in_hand: bool,
}

impl<'s> WakeUp<'s> {
    fn none(seat: &'s Seat) -> Self {
        Self { seat, in_hand: false }
    }
}

impl Drop for WakeUp<'_> {
    fn drop(&mut self) {
        if self.in_hand {
            self.seat.pass_on();
        }
    }
}

/// Tells the writer's thread that the caller has left.
#[derive(Default)]
struct Caller(Arc<AtomicBool>);

impl Drop for Caller {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn fits(queue: &Queue, message: &NewMessage) -> Result<(), QueueError> {
    let id = || queue.id.clone();
    if !queue.settings.fifo {
        return Ok(());
    }
    if message.group.is_none() {
        return Err(QueueError::GroupMissing { queue: id() });
    }
    if message.deduplication_id.is_none() && !queue.settings.content_based_deduplication {
        return Err(QueueError::DeduplicationIdMissing { queue: id() });
    }
    if message.delay.is_some() {
        return Err(QueueError::DelayOnFifo { queue: id() });
    }
    Ok(())
}

fn too_many_leased(queue: Queue) -> QueueError {
    QueueError::TooManyLeased {
        queue: queue.id,
        max: queue.settings.max_leased.unwrap_or_default(),
    }
}
