//! The tasks that run pipes: one for each pipe that is to run, which receives its queue's messages and starts
//! their batches.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tradewind_events::QueueFacts;
use tradewind_model::limits;
use tradewind_store::queue::{QueueError, Receipt, Received};

use crate::batch::{Done, Event, deliver};
use crate::model::{Pipe, PipeId};
use crate::service::PipesService;
use crate::target::Kind;

/// How long a receive waits.
const LONG_WAIT: Duration = Duration::from_secs(20);
/// How long a pipe rests whose queue is missing or cannot be read.
const AFTER_PROBLEM: Duration = Duration::from_secs(5);
/// How long a pipe rests after a batch that failed, so that a target that is gone is not asked without end.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Batches of a pipe that are on their way at once: five, as AWS begins; of a FIFO queue one, for its order.
const BATCHES: usize = 5;
/// What the batches of all pipes may take in memory together, in KiB. What a pipe has just received, it has
/// beside that.
pub(crate) const MEMORY_KIB: usize = 256 * 1024;
/// What one batch takes of it, at most.
const LARGEST_SHARE_KIB: usize = 32 * 1024;
/// How often a batch has a message in memory: as it is received, as text, and parsed.
const COPIES: usize = 3;
/// Messages of the first receive of a batch, before their size is known.
const FIRST_STEP: usize = 10;
/// Messages of one receive, at most.
const LARGEST_STEP: usize = 1_000;
/// The shortest lease, so that a visibility timeout of 0 does not make a batch everybody's.
const SHORTEST_LEASE: Duration = Duration::from_secs(10);
/// Of a list.
const BRACKETS: usize = 2;
/// How often messages are ended when the database fails.
const TRIES: u32 = 5;

/// A pipe that runs, and what stops it.
struct Running {
    pipe: Arc<Pipe>,
    stop: CancellationToken,
}

/// Keeps a task for each pipe that is to run; see [`PipesService::run`].
pub(crate) async fn run(service: PipesService, stop: CancellationToken) {
    let tasks = TaskTracker::new();
    let mut running: BTreeMap<PipeId, Running> = BTreeMap::new();
    let mut changes = service.changes();
    loop {
        changes.mark_unchanged();
        let wanted = service.pipes();
        running.retain(|id, now| {
            let stays = wanted
                .iter()
                .any(|pipe| pipe.id == *id && Arc::ptr_eq(pipe, &now.pipe));
            if !stays {
                now.stop.cancel();
            }
            stays
        });
        for pipe in wanted.into_iter().filter(|pipe| pipe.is_running()) {
            running.entry(pipe.id.clone()).or_insert_with(|| {
                let stop = stop.child_token();
                let task = Task {
                    service: service.clone(),
                    pipe: Arc::clone(&pipe),
                    stop: stop.clone(),
                    room: Arc::new(Semaphore::new(BATCHES)),
                    batches: tasks.clone(),
                };
                tasks.spawn(task.run());
                Running { pipe, stop }
            });
        }
        tokio::select! {
            () = stop.cancelled() => break,
            _changed_or_gone = changes.changed() => {}
        }
    }
    tasks.close();
    tasks.wait().await;
}

/// The task of one pipe, as it is configured now.
#[derive(Clone)]
struct Task {
    service: PipesService,
    pipe: Arc<Pipe>,
    stop: CancellationToken,
    room: Arc<Semaphore>,
    batches: TaskTracker,
}

impl Task {
    async fn run(self) {
        while !self.stop.is_cancelled() {
            let rest = match self.turn().await {
                Ok(()) => Duration::ZERO,
                Err(problem) => {
                    self.service.tell(&self.pipe.id, Some(problem));
                    AFTER_PROBLEM
                }
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    }

    /// Gathers one batch and starts it.
    async fn turn(&self) -> Result<(), String> {
        let source = &self.service.config().source;
        let queue = source
            .queue(&self.pipe.plan.source)
            .map_err(|error| error.to_string())?;
        // a batch of a FIFO queue has all the room, so that there is one
        let places = if queue.fifo {
            u32::try_from(BATCHES).unwrap_or(1)
        } else {
            1
        };
        let room = tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            room = Arc::clone(&self.room).acquire_many_owned(places) => room,
        };
        let received = self
            .gather(&queue)
            .await
            .map_err(|error| format!("the source: {error}"))?;
        if received.is_empty() {
            return Ok(());
        }
        let receipts: Vec<Receipt> = received.iter().map(|message| message.receipt).collect();
        let memory = self.service.memory().acquire_many_owned(share_kib(&received));
        let memory = tokio::select! {
            () = self.stop.cancelled() => {
                self.leave(&queue, &receipts).await;
                return Ok(());
            }
            memory = self.while_held(&queue, &receipts, memory) => memory,
        };
        let task = self.clone();
        self.batches.spawn(async move {
            task.process(&queue, &received).await;
            drop((room, memory));
        });
        Ok(())
    }

    /// As many messages as a batch has, as a function's event has room for, or as come within the window after
    /// the first.
    ///
    /// # Cancel safety
    /// Not: what was received by then is invisible until its lease ends. It watches for the stop itself.
    async fn gather(&self, queue: &QueueFacts) -> Result<Vec<Received>, QueueError> {
        let (size, window) = (self.pipe.plan.batch, self.pipe.plan.window);
        let lease = lease(queue) + window;
        let queues = &self.service.config().queues;
        let mut received = tokio::select! {
            () = self.stop.cancelled() => return Ok(Vec::new()),
            received = queues.receive(&queue.id, size.min(FIRST_STEP), lease, LONG_WAIT) => received?,
        };
        let end = Instant::now() + window;
        while !received.is_empty() && Instant::now() < end {
            let step = step(&received).min(size - received.len());
            if step == 0 {
                break;
            }
            let left = end.saturating_duration_since(Instant::now());
            tokio::select! {
                () = self.stop.cancelled() => break,
                more = queues.receive(&queue.id, step, lease, left) => received.extend(more?),
            }
        }
        Ok(received)
    }

    /// Brings what was received to the target. None of it becomes visible meanwhile, though others go first.
    async fn process(&self, queue: &QueueFacts, received: &[Received]) {
        let (wanted, unwanted) = self.sort(queue, received);
        self.end(queue, &unwanted).await;
        if wanted.is_empty() {
            return;
        }
        let receipts: Vec<Receipt> = wanted.iter().map(|event| event.receipt).collect();
        let left = self
            .while_held(queue, &receipts, self.bring_all(queue, &wanted))
            .await;
        let (failed, problem) = (left.receipts, left.problem);
        let is_failure = problem.is_some();
        self.service.tell(&self.pipe.id, problem);
        if !failed.is_empty() {
            // visible again when AWS would make them so, though the lease was longer
            self.leave(queue, &failed).await;
        }
        if is_failure {
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }

    /// Brings messages to the target in parts that it takes, and one by one what failed of a part, if the
    /// target gets them one by one: so one that the target does not take keeps no others from it.
    async fn bring_all(&self, queue: &QueueFacts, wanted: &[Event]) -> Left {
        let mut left = Left::default();
        for part in fitting(&self.pipe, wanted) {
            let part = left.not_behind(part);
            match self.bring(queue, &part).await {
                Err(_reason) if part.len() > 1 && is_one_by_one(&self.pipe) => {
                    for one in part.chunks(1) {
                        let one = left.not_behind(one);
                        let brought = self.bring(queue, &one).await;
                        left.note(&one, brought);
                    }
                }
                brought => left.note(&part, brought),
            }
        }
        left
    }

    /// Brings messages to the target, and ends them; gives the positions of those that the target failed at.
    async fn bring(&self, queue: &QueueFacts, events: &[Event]) -> Result<Vec<usize>, String> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        match deliver(&self.service, &self.pipe, (&queue.id, queue.fifo), events).await? {
            Done::Ended => Ok(Vec::new()),
            Done::EndBut(failed) => {
                let done = events.iter().enumerate();
                let done = done.filter(|(position, _)| !failed.contains(position));
                let done: Vec<Receipt> = done.map(|(_, event)| event.receipt).collect();
                self.end(queue, &done).await;
                Ok(failed)
            }
        }
    }

    /// What goes on, and what no filter lets through.
    fn sort(&self, queue: &QueueFacts, received: &[Received]) -> (Vec<Event>, Vec<Receipt>) {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        let source = &self.service.config().source;
        for message in received {
            let record = source.record(&self.pipe.plan.source, message, self.service.now());
            let group = message.group.clone().filter(|_| queue.fifo);
            let event = record
                .ok()
                .and_then(|record| Event::of(&record, (message.receipt, group), &self.service));
            match event {
                Some(event) if self.pipe.plan.wants(event.parsed()) => wanted.push(event),
                Some(event) => unwanted.push(event.receipt),
                None => {
                    tracing::error!(pipe = %self.pipe.id, message = %message.id, "a message cannot be read")
                }
            }
        }
        (wanted, unwanted)
    }

    /// Keeps the messages invisible to others while `work` takes its time.
    async fn while_held<T>(
        &self,
        queue: &QueueFacts,
        receipts: &[Receipt],
        work: impl Future<Output = T>,
    ) -> T {
        let mut work = std::pin::pin!(work);
        let lease = lease(queue);
        let held: Vec<(Receipt, Duration)> = receipts.iter().map(|receipt| (*receipt, lease)).collect();
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(lease / 2) => {
                    if let Err(error) = self.service.config().queues.extend(&queue.id, &held).await {
                        tracing::warn!(pipe = %self.pipe.id, %error, "messages cannot be kept invisible");
                    }
                }
            }
        }
    }

    async fn leave(&self, queue: &QueueFacts, receipts: &[Receipt]) {
        let held = receipts
            .iter()
            .map(|receipt| (*receipt, queue.visibility_timeout));
        let held: Vec<(Receipt, Duration)> = held.collect();
        if let Err(error) = self.service.config().queues.nack(&queue.id, &held).await {
            tracing::debug!(pipe = %self.pipe.id, %error, "messages become visible with their leases");
        }
    }

    /// Ends messages. If the database does not allow it, they come once more.
    async fn end(&self, queue: &QueueFacts, receipts: &[Receipt]) {
        if receipts.is_empty() {
            return;
        }
        for attempt in 1..=TRIES {
            match self.service.config().queues.ack(&queue.id, receipts).await {
                Ok(_) | Err(QueueError::NotFound { .. }) => return,
                Err(error) if attempt == TRIES => {
                    tracing::error!(pipe = %self.pipe.id, %error, "messages cannot be deleted; they come again");
                }
                Err(_again) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }
}

/// What is left of a batch.
#[derive(Default)]
struct Left {
    /// Of the messages that did not reach the target.
    receipts: Vec<Receipt>,
    /// Their groups: what comes behind one of them waits, too.
    groups: HashSet<String>,
    /// Why the last of them did not; none where the function that is the target knows why.
    problem: Option<String>,
}

impl Left {
    /// The events that may go on. The others are left.
    fn not_behind<'e>(&mut self, events: &'e [Event]) -> Cow<'e, [Event]> {
        if self.groups.is_empty() {
            return events.into();
        }
        let is_behind = |event: &&Event| event.group().is_some_and(|group| self.groups.contains(group));
        let (behind, free): (Vec<&Event>, Vec<&Event>) = events.iter().partition(is_behind);
        self.receipts.extend(behind.iter().map(|event| event.receipt));
        free.into_iter().cloned().collect()
    }

    /// Notes what became of events.
    fn note(&mut self, events: &[Event], brought: Result<Vec<usize>, String>) {
        let failed: Vec<&Event> = match brought {
            Ok(failed) => failed
                .iter()
                .filter_map(|position| events.get(*position))
                .collect(),
            Err(problem) => {
                self.problem = Some(problem);
                events.iter().collect()
            }
        };
        for event in failed {
            self.receipts.push(event.receipt);
            self.groups.extend(event.group().map(str::to_owned));
        }
    }
}

/// Whether the target gets each message by itself, and a batch fails with any of them.
fn is_one_by_one(pipe: &Pipe) -> bool {
    let kind = &pipe.plan.target.kind;
    pipe.plan.enrichment.is_none()
        && !matches!(
            kind,
            Kind::Call | Kind::List | Kind::Topic { .. } | Kind::Destination(_)
        )
}

/// The batch in parts that fit into an event of a function, where functions get them as lists. One that is too
/// large alone is left alone, so that it fails by itself; so is each that something is asked for by itself.
fn fitting<'e>(pipe: &Pipe, events: &'e [Event]) -> Vec<&'e [Event]> {
    if pipe.plan.asks_for_each() {
        return events.chunks(1).collect();
    }
    let limit = match pipe.plan.target.kind {
        Kind::List => limits::ASYNC_PAYLOAD_BYTES,
        Kind::Call => limits::SYNC_PAYLOAD_BYTES,
        _ if pipe.plan.enrichment.is_some() => limits::SYNC_PAYLOAD_BYTES,
        Kind::Queue { .. } | Kind::Bus(_) | Kind::Each | Kind::Destination(_) | Kind::Topic { .. } => {
            return vec![events];
        }
    };
    let (mut parts, mut begin, mut bytes) = (Vec::new(), 0, BRACKETS);
    for (at, event) in events.iter().enumerate() {
        let more = event.text_bytes() + 1;
        if at > begin && bytes + more > limit {
            parts.push(&events[begin..at]);
            (begin, bytes) = (at, BRACKETS);
        }
        bytes += more;
    }
    parts.push(&events[begin..]);
    parts
}

/// What messages take as they are received.
fn bytes(received: &[Received]) -> usize {
    let sizes = received
        .iter()
        .map(|message| message.body.len() + message.attributes.len());
    sizes.sum()
}

/// What a batch takes of the memory for batches.
fn share_kib(received: &[Received]) -> u32 {
    let kib = bytes(received) * COPIES / 1024;
    u32::try_from(kib.min(LARGEST_SHARE_KIB)).unwrap_or(0)
}

/// How many messages more a batch has room for, if they are as large as the largest of it; none if it is full.
fn step(received: &[Received]) -> usize {
    let room = limits::SYNC_PAYLOAD_BYTES.saturating_sub(bytes(received));
    let largest = received.chunks(1).map(bytes).max().unwrap_or(0);
    (room / largest.max(1)).min(LARGEST_STEP)
}

fn lease(queue: &QueueFacts) -> Duration {
    queue.visibility_timeout.max(SHORTEST_LEASE)
}
