//! The tasks that run pipes: one for each pipe that is to run, which receives its queue's messages and starts
//! their batches.

use std::collections::BTreeMap;
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
        let task = self.clone();
        self.batches.spawn(async move {
            task.process(&queue, &received).await;
            drop(room);
        });
        Ok(())
    }

    /// As many messages as a batch has, or as come within the window after the first.
    ///
    /// # Cancel safety
    /// Not: what was received by then is invisible until its lease ends. It watches for the stop itself.
    async fn gather(&self, queue: &QueueFacts) -> Result<Vec<Received>, QueueError> {
        let (size, window) = (self.pipe.plan.batch, self.pipe.plan.window);
        let lease = lease(queue) + window;
        let queues = &self.service.config().queues;
        let mut received = tokio::select! {
            () = self.stop.cancelled() => return Ok(Vec::new()),
            received = queues.receive(&queue.id, size, lease, LONG_WAIT) => received?,
        };
        let end = Instant::now() + window;
        while !received.is_empty() && received.len() < size && Instant::now() < end {
            let left = end.saturating_duration_since(Instant::now());
            tokio::select! {
                () = self.stop.cancelled() => break,
                more = queues.receive(&queue.id, size - received.len(), lease, left) => received.extend(more?),
            }
        }
        Ok(received)
    }

    async fn process(&self, queue: &QueueFacts, received: &[Received]) {
        let (wanted, unwanted) = self.sort(received);
        self.end(queue, &unwanted).await;
        if wanted.is_empty() {
            return;
        }
        for events in fitting(&self.pipe, &wanted) {
            self.process_part(queue, events.to_vec()).await;
        }
    }

    async fn process_part(&self, queue: &QueueFacts, events: Vec<Event>) {
        let (mut failed, mut problem) = (events, None);
        for part in parts(&self.pipe, failed.len()) {
            let tried = std::mem::take(&mut failed);
            for events in tried.chunks(part) {
                // in a FIFO queue what follows a message that failed waits, too
                if queue.fifo && !failed.is_empty() {
                    failed.extend_from_slice(events);
                } else if let Err(reason) = self.bring(queue, events).await {
                    problem = Some(reason);
                    failed.extend_from_slice(events);
                }
            }
            if failed.is_empty() {
                break;
            }
        }
        let problem = problem.filter(|_| !failed.is_empty());
        let is_failure = problem.is_some();
        self.service.tell(&self.pipe.id, problem);
        if is_failure {
            let receipts: Vec<Receipt> = failed.iter().map(|event| event.receipt).collect();
            // visible again when AWS would make them so, though the lease was longer
            self.leave(queue, &receipts).await;
            tokio::time::sleep(AFTER_FAILURE).await;
        }
    }

    /// Brings messages to the target, and ends them.
    async fn bring(&self, queue: &QueueFacts, events: &[Event]) -> Result<(), String> {
        let receipts: Vec<Receipt> = events.iter().map(|event| event.receipt).collect();
        let delivery = deliver(&self.service, &self.pipe, (&queue.id, queue.fifo), events);
        if let Done::End(receipts) = self.while_held(queue, &receipts, delivery).await? {
            self.end(queue, &receipts).await;
        }
        Ok(())
    }

    /// What goes on, and what no filter lets through.
    fn sort(&self, received: &[Received]) -> (Vec<Event>, Vec<Receipt>) {
        let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
        let source = &self.service.config().source;
        for message in received {
            let record = source.record(&self.pipe.plan.source, message, self.service.now());
            let event = record
                .ok()
                .and_then(|record| Event::of(&record, message.receipt, &self.service));
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

/// How many messages are brought to the target at once: all, and what failed of them one by one, if the target
/// gets them one by one. So one that the target does not take keeps no others from it.
fn parts(pipe: &Pipe, all: usize) -> Vec<usize> {
    let one_by_one =
        pipe.plan.enrichment.is_none() && !matches!(pipe.plan.target.kind, Kind::Call | Kind::List);
    if one_by_one && all > 1 {
        vec![all, 1]
    } else {
        vec![all]
    }
}

/// The batch in parts that fit into an event of a function, where functions get them as lists. One that is too
/// large alone is left alone, so that it fails by itself.
fn fitting<'e>(pipe: &Pipe, events: &'e [Event]) -> Vec<&'e [Event]> {
    let limit = match pipe.plan.target.kind {
        Kind::List => limits::ASYNC_PAYLOAD_BYTES,
        Kind::Call => limits::SYNC_PAYLOAD_BYTES,
        _ if pipe.plan.enrichment.is_some() => limits::SYNC_PAYLOAD_BYTES,
        Kind::Queue { .. } | Kind::Bus(_) | Kind::Each => return vec![events],
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

fn lease(queue: &QueueFacts) -> Duration {
    queue.visibility_timeout.max(SHORTEST_LEASE)
}
