//! The poller of one mapping: waits for room, receives, gathers, and starts batches.

use std::collections::HashSet;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tradewind_events::{QueueFacts, QueueRecord, Trace, Undeliverable};
use tradewind_model::Arn;
use tradewind_store::queue::{QueueError, QueueId, Receipt, Received};

use super::batch::{Bounds, Hand, Record};
use super::model::{Mapping, Source};
use super::registry::{Assignment, Status};
use super::run::{BatchRun, ack, put_back, receipts};
use super::scale::{MOST, STEP, Scale};
use super::worker::{Invocable, invocable};
use crate::error::LambdaError;
use crate::recursion;
use crate::service::LambdaService;

/// How long a receive waits; the source counts as idle after it.
const LONG_WAIT: Duration = Duration::from_secs(20);
/// How long a mapping rests whose queue or function is missing, or when the database failed.
const AFTER_PROBLEM: Duration = Duration::from_secs(5);
/// Messages of the first receive, before their size is known.
const FIRST_STEP: usize = 10;
/// Messages of one receive, at most.
const LARGEST_STEP: usize = 1_000;
/// What one receive may bring, about.
const STEP_BYTES: usize = 4 * 1024 * 1024;
/// What one mapping takes of the memory for batches at a time, at most.
pub(super) const LARGEST_SHARE_KIB: u32 = 32 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Poller {
    desired: watch::Receiver<Option<Arc<Mapping>>>,
    stop: CancellationToken,
    shared: Arc<Shared>,
    batches: TaskTracker,
    hand: Hand,
    /// Received, and matched by no filter.
    unwanted: Vec<Receipt>,
    /// Received, and to come after a message of their group that is left in the queue.
    too_early: Vec<Receipt>,
    /// How large records were lately, in bytes; none before the first.
    record_bytes: Option<usize>,
    /// The queue that what is in hand is from.
    queue: Option<QueueId>,
    /// The last receive brought all that was asked for.
    backlog: bool,
}

/// What a poller and its batches share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) service: LambdaService,
    pub(super) status: Arc<Status>,
    /// Cancelled when batches that wait for room in the function's concurrency are to give up.
    patience: Mutex<CancellationToken>,
    scale: Mutex<Scale>,
    /// The memory for batches of its kind of source: a permit for each KiB.
    pub(super) memory: Arc<Semaphore>,
    /// What its batches hold of it, in KiB.
    held: AtomicUsize,
    /// A batch ended.
    pub(super) ended: Notify,
}

/// How a mapping is worked on, as its queue and function are now.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) mapping: Arc<Mapping>,
    pub(super) queue: QueueFacts,
    pub(super) source: Arn,
    pub(super) function: Invocable,
    /// How long a message is invisible from when a batch is made of it.
    pub(super) lease: Duration,
    bounds: Bounds,
    /// Batches that may run.
    cap: u32,
}

impl Shared {
    pub(super) fn new(
        service: LambdaService,
        status: Arc<Status>,
        stop: &CancellationToken,
        scale: Scale,
        memory: Arc<Semaphore>,
    ) -> Self {
        Self {
            service,
            status,
            patience: Mutex::new(stop.child_token()),
            scale: Mutex::new(scale),
            memory,
            held: AtomicUsize::new(0),
            ended: Notify::new(),
        }
    }

    /// Batches of now wait no longer for room in the function's concurrency; those to come do, until `stop`.
    pub(super) fn give_up_waiting(&self, stop: &CancellationToken) {
        let patience = std::mem::replace(&mut *self.token(), stop.child_token());
        patience.cancel();
    }

    pub(super) fn scale<T>(&self, change: impl FnOnce(&mut Scale) -> T) -> T {
        change(&mut self.scale.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn patience(&self) -> CancellationToken {
        self.token().clone()
    }

    fn token(&self) -> MutexGuard<'_, CancellationToken> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its batches hold so much memory that others might wait for theirs: half of what is free, so that
    /// some is free however many mappings have a backlog.
    pub(super) fn holds_its_share(&self) -> bool {
        let held = self.held.load(Ordering::Relaxed);
        self.status.is_running() && held >= self.memory.available_permits() / 2
    }

    /// Sets `LastProcessingResult` to what is in the way.
    pub(super) fn tell_problem(&self, mapping: &Mapping, text: &str) {
        if self.status.tell(text) {
            tracing::warn!(mapping = %mapping.id, problem = text, "an event source mapping cannot go on");
        }
    }
}

/// A place among the batches that may run, and what the batch takes of the memory for batches; leaves both when
/// dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    memory: Option<OwnedSemaphorePermit>,
}

impl Place {
    pub(super) fn take(shared: &Arc<Shared>, memory: Option<OwnedSemaphorePermit>) -> Self {
        shared.scale(Scale::started);
        shared.status.started();
        let place = Self {
            shared: Arc::clone(shared),
            memory,
        };
        shared.held.fetch_add(place.kib(), Ordering::Relaxed);
        place
    }

    fn kib(&self) -> usize {
        self.memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.kib(), Ordering::Relaxed);
        self.memory = None;
        self.shared.scale(Scale::ended);
        self.shared.status.ended();
        self.shared.ended.notify_one();
    }
}

/// What a poller does next.
enum Next {
    Work(Box<Plan>),
    /// Nothing, for this long; none is until the mapping changes.
    Rest(Option<Duration>),
}

impl Poller {
    pub(super) fn new(service: LambdaService, assignment: Assignment, stop: CancellationToken) -> Self {
        let now = service.clock().now();
        let memory = Arc::clone(&service.mappings().memory);
        let shared = Shared::new(service, assignment.status, &stop, Scale::new(now), memory);
        Self {
            desired: assignment.desired,
            stop,
            shared: Arc::new(shared),
            batches: TaskTracker::new(),
            hand: Hand::default(),
            unwanted: Vec::new(),
            too_early: Vec::new(),
            record_bytes: None,
            queue: None,
            backlog: false,
        }
    }

    /// Works until the mapping is deleted or the node stops; returns when its batches have ended.
    pub(super) async fn run(mut self) {
        let stop = self.stop.clone();
        let mut desired = self.desired.clone();
        while !stop.is_cancelled() {
            let Some(mapping) = desired.borrow_and_update().clone() else {
                break;
            };
            let next = self.next(mapping);
            if let Next::Rest(_) = next {
                self.let_go().await;
            }
            let interrupt = CancellationToken::new();
            let mut work = pin!(self.follow(next, &interrupt));
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _changed_or_gone = desired.changed() => {}
                () = &mut work => continue,
            }
            // not dropped: it may hold messages that nobody else knows of
            interrupt.cancel();
            work.await;
        }
        self.let_go().await;
        self.batches.close();
        self.batches.wait().await;
    }

    /// What there is to do, as mapping, queue and function are now.
    fn next(&self, mapping: Arc<Mapping>) -> Next {
        if !mapping.enabled {
            return Next::Rest(None);
        }
        let service = &self.shared.service;
        let Source::Queue(source) = mapping.source.clone() else {
            return Next::Rest(None);
        };
        let queue = match service.queue_source().queue(&source) {
            Ok(queue) => queue,
            Err(error) => {
                self.shared.tell_problem(&mapping, &of_queue(&error));
                return Next::Rest(Some(AFTER_PROBLEM));
            }
        };
        let function = match invocable(service, &mapping.function) {
            Ok(found) => found,
            Err(text) => {
                self.shared.tell_problem(&mapping, text);
                return Next::Rest(Some(AFTER_PROBLEM));
            }
        };
        let most = mapping.settings.maximum_concurrency.unwrap_or(MOST);
        Next::Work(Box::new(Plan {
            lease: queue.visibility_timeout.max(function.timeout),
            bounds: mapping.settings.bounds(Duration::ZERO),
            cap: function
                .function
                .reserved_concurrency
                .map_or(most, |reserved| reserved.min(most)),
            mapping,
            queue,
            source,
            function,
        }))
    }

    /// One step; it waits no longer once `interrupt` is cancelled.
    async fn follow(&mut self, next: Next, interrupt: &CancellationToken) {
        match next {
            Next::Rest(None) => interrupt.cancelled().await,
            Next::Rest(Some(time)) => rest(time, interrupt).await,
            Next::Work(plan) => {
                let room = self.while_leased(&plan, interrupt, self.room(&plan)).await;
                let Some(room) = room else {
                    return self.put_back_expiring(&plan).await;
                };
                match self.gather(&plan, room, interrupt).await {
                    Ok(()) => {
                        self.settle_aside(&plan).await;
                        self.start_batches(&plan, interrupt).await;
                    }
                    Err(error) => {
                        let text = format!("PROBLEM: the queue cannot be read: {error}");
                        self.shared.tell_problem(&plan.mapping, &text);
                        rest(AFTER_PROBLEM, interrupt).await;
                    }
                }
            }
        }
    }

    /// What `wait` gives; nothing once `interrupt` is cancelled, or the leases of what is in hand end soon.
    async fn while_leased<T>(
        &self,
        plan: &Plan,
        interrupt: &CancellationToken,
        wait: impl Future<Output = T>,
    ) -> Option<T> {
        let wait = interrupt.run_until_cancelled(wait);
        match self.hand.leased_until() {
            Some(end) => {
                let waited = tokio::time::timeout_at(end - plan.lease / 4, wait).await;
                waited.ok().flatten()
            }
            None => wait.await,
        }
    }

    /// Puts what is in hand back if its leases end soon: there is no room for it.
    async fn put_back_expiring(&mut self, plan: &Plan) {
        let expires = |end| end - plan.lease / 4 <= Instant::now();
        if self.hand.leased_until().is_some_and(expires) {
            let rest = receipts(&self.hand.drain());
            put_back(&self.shared.service, &plan.queue.id, &rest).await;
        }
    }

    /// Waits until a batch may start; says how many may.
    async fn room(&self, plan: &Plan) -> u32 {
        let shared = &self.shared;
        let now = || shared.service.clock().now();
        loop {
            let room = shared.scale(|scale| {
                if self.backlog && scale.room(plan.cap) == 0 {
                    scale.grow(now());
                }
                scale.room(plan.cap)
            });
            if room > 0 && !shared.holds_its_share() {
                return room;
            }
            tokio::select! {
                () = shared.ended.notified() => {}
                () = tokio::time::sleep(STEP), if self.backlog => {}
            }
        }
    }

    /// Receives once, if a batch is not ready yet.
    async fn gather(
        &mut self,
        plan: &Plan,
        room: u32,
        interrupt: &CancellationToken,
    ) -> Result<(), QueueError> {
        let left = self.hand.patience(plan.bounds, Instant::now());
        if left == Some(Duration::ZERO) {
            return Ok(());
        }
        let max = self.step(plan, room);
        let lease = plan.lease + left.unwrap_or(plan.bounds.window);
        self.queue.get_or_insert_with(|| plan.queue.id.clone());
        let queues = self.shared.service.queues();
        let received = queues
            .receive_unless(&plan.queue.id, max, lease, left.unwrap_or(LONG_WAIT), interrupt)
            .await?;
        self.note_backlog(received.len() == max);
        if received.is_empty() && left.is_none() && !interrupt.is_cancelled() {
            self.shared.scale(Scale::idle);
        }
        self.take_in(plan, &received, Instant::now() + lease);
        Ok(())
    }

    /// The source has more than was asked for, or not: the scale grows with the time that it has.
    fn note_backlog(&mut self, has_more: bool) {
        if !(has_more && self.backlog) {
            let now = self.shared.service.clock().now();
            self.shared.scale(|scale| scale.saturated(now));
        }
        self.backlog = has_more;
    }

    /// How many messages the next receive asks for: what the batches that may start can take, bounded by what
    /// memory they would need.
    fn step(&self, plan: &Plan, room: u32) -> usize {
        let batches = if plan.queue.fifo || !plan.bounds.window.is_zero() {
            1
        } else {
            room as usize
        };
        let wanted = (plan.bounds.size * batches).saturating_sub(self.hand.len());
        let affordable = self
            .record_bytes
            .map_or(FIRST_STEP, |bytes| STEP_BYTES / bytes.max(1));
        wanted.min(affordable.clamp(FIRST_STEP, LARGEST_STEP)).max(1)
    }

    /// Takes into the hand what the function is to get. What cannot be taken stays leased, so that its group waits
    /// for it: what comes after it in the group is put back.
    fn take_in(&mut self, plan: &Plan, received: &[Received], leased_until: Instant) {
        let (mut records, mut largest) = (Vec::with_capacity(received.len()), None);
        let mut waiting = HashSet::new();
        for message in received {
            let group = message.group.as_deref().filter(|_| plan.queue.fifo);
            if group.is_some_and(|group| waiting.contains(group)) {
                self.too_early.push(message.receipt);
                continue;
            }
            match self.record(plan, message, leased_until) {
                Ok(Some(record)) => {
                    largest = largest.max(Some(record.text.len()));
                    records.push(record);
                }
                Ok(None) => self.unwanted.push(message.receipt),
                Err(error) => {
                    waiting.extend(group);
                    tracing::error!(
                        mapping = %plan.mapping.id, message = %message.id, %error, "a message is left in its queue"
                    );
                }
            }
        }
        self.record_bytes = largest.or(self.record_bytes);
        self.hand.add(records, Instant::now());
    }

    /// A message as the function gets it; none if no filter matches it. What cannot be read, or went round too
    /// often, is left in the queue.
    fn record(
        &self,
        plan: &Plan,
        received: &Received,
        leased_until: Instant,
    ) -> Result<Option<Record>, Undeliverable> {
        let service = &self.shared.service;
        let now = service.clock().now();
        let record = service.queue_source().record(&plan.source, received, now)?;
        if !plan.mapping.settings.filters.match_queue(&record) {
            return Ok(None);
        }
        let header = trace_of(&record.attributes);
        let trace = header.map(|header| Trace::from_header(Some(header), now));
        if let Some(trace) = trace.clone()
            && recursion::enter(&plan.function.function, trace).is_err()
        {
            // left alone it reaches the dead-letter queue, as with AWS
            return Err(Undeliverable::Refused {
                target: plan.function.arn.to_string(),
                reason: LambdaError::Recursive.to_string(),
            });
        }
        Ok(Some(Record {
            text: as_text(&record, &plan.source)?,
            id: record.message_id,
            receipt: received.receipt,
            leased_until,
            receives: received.receives,
            group: received.group.clone().filter(|_| plan.queue.fifo),
            trace,
        }))
    }

    /// Deletes what no filter matches, and puts back what is not to be taken yet.
    async fn settle_aside(&mut self, plan: &Plan) {
        let (unwanted, too_early) = (&mut self.unwanted, &mut self.too_early);
        ack(&self.shared.service, &plan.queue.id, unwanted).await;
        put_back(&self.shared.service, &plan.queue.id, too_early).await;
        unwanted.clear();
        too_early.clear();
    }

    /// Starts the batches that are ready and may run.
    async fn start_batches(&mut self, plan: &Plan, interrupt: &CancellationToken) {
        let kib = self.hand.kib().min(LARGEST_SHARE_KIB);
        let memory = Arc::clone(&self.shared.memory).acquire_many_owned(kib);
        let memory = self.while_leased(plan, interrupt, memory).await;
        let Some(Ok(mut memory)) = memory else {
            return self.put_back_expiring(plan).await;
        };
        let mut places = self.shared.scale(|scale| scale.room(plan.cap));
        while places > 0 && self.hand.patience(plan.bounds, Instant::now()) == Some(Duration::ZERO) {
            let Some(batch) = self.hand.take(plan.bounds) else {
                break;
            };
            places -= 1;
            let share = memory.split((batch.bytes() / 1024).min(memory.num_permits()));
            let place = Place::take(&self.shared, share);
            let run = BatchRun::new(&self.shared, plan.clone(), batch, place);
            self.batches.spawn(run.run());
            if plan.queue.fifo {
                // what is left may be of the same groups: it is received again, in order
                let rest = receipts(&self.hand.drain());
                put_back(&self.shared.service, &plan.queue.id, &rest).await;
            }
        }
    }

    /// Lets go of all messages that no function has yet.
    async fn let_go(&mut self) {
        self.shared.give_up_waiting(&self.stop);
        if let Some(queue) = &self.queue {
            put_back(&self.shared.service, queue, &receipts(&self.hand.drain())).await;
        }
    }
}

async fn rest(time: Duration, interrupt: &CancellationToken) {
    // whether the time is over or the rest was interrupted is the same to the caller
    let _over = interrupt.run_until_cancelled(tokio::time::sleep(time)).await;
}

/// A record as a member of the event.
fn as_text(record: &QueueRecord, source: &Arn) -> Result<String, Undeliverable> {
    serde_json::to_string(record).map_err(|error| Undeliverable::Refused {
        target: source.to_string(),
        reason: error.to_string(),
    })
}

fn trace_of<'r>(attributes: &'r [(&'static str, String)]) -> Option<&'r str> {
    let mut attributes = attributes.iter();
    let found = attributes.find(|(name, _)| *name == "AWSTraceHeader");
    found.map(|(_, header)| header.as_str())
}

fn of_queue(error: &Undeliverable) -> String {
    match error {
        Undeliverable::NotFound { .. } => "PROBLEM: The queue does not exist".to_owned(),
        other => format!("PROBLEM: {other}"),
    }
}

#[cfg(test)]
pub(super) mod tests;
