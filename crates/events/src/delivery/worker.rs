//! Runs the lanes: one loop owns all state; fetches and attempts are its tasks and tell it when they end.

mod attempt;
mod in_order;
mod pace;
mod turns;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tradewind_model::Timestamp;
use tradewind_store::queue::{QueueError, Received};

use self::pace::Pace;
use super::lanes::{Deliveries, Shared, queue_of};
use super::model::{LaneId, LaneSettings};
use crate::share::share_of;

/// Attempts of all lanes that run at the same time. None holds more of them than are left free.
const MAX_RUNNING: usize = 256;
/// How long a lane rests after the database failed.
const AFTER_FAILURE_MS: i64 = 5_000;
/// The longest sleep.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// The longest sleep while something is to come: a clock that leapt is noticed after it.
const GLANCE: Duration = Duration::from_secs(1);
/// What the deliveries of a lane in order have together, that are in memory at the same time.
const MAX_BATCH_BYTES: usize = 8 * 1024 * 1024;
/// What a lease has beyond the deliverer's time limit, to settle in.
const TO_SETTLE: Duration = Duration::from_secs(15);

/// What a task of the worker found.
enum Step {
    Fetched(Result<Found, QueueError>),
    /// When it is to be tried again.
    Attempted(Option<Timestamp>),
    /// A batch in order is leased, and nobody makes it: it could not be settled.
    Astray,
}

struct Found {
    messages: Vec<Received>,
    /// When the lane has something again, if nothing more is ready.
    next: Option<Timestamp>,
}

/// What a lane is doing.
#[derive(Default)]
struct Progress {
    running: usize,
    fetching: bool,
    /// There may be more than was fetched.
    more: bool,
    /// It stands in the line.
    in_line: bool,
    due: Option<Timestamp>,
    /// A lane that keeps its order does nothing before this time.
    held: Option<Timestamp>,
    /// Deliveries of a lane that keeps its order may be leased that nobody makes. They go back to their places
    /// before any other is fetched.
    astray: bool,
    /// It waits for a turn of its rate.
    waits: bool,
    /// It waited for a turn of its rate, and has one.
    is_called: bool,
}

struct Worker {
    shared: Arc<Shared>,
    lanes: HashMap<LaneId, Progress>,
    /// Lanes that may have something ready, each once, in turn.
    line: VecDeque<LaneId>,
    timers: BTreeSet<(Timestamp, LaneId)>,
    /// The turns of rates, by the rate's name.
    paces: HashMap<Box<str>, Pace>,
    /// When somebody who waits may have a turn.
    calls: BTreeSet<(Timestamp, Box<str>)>,
    /// Attempts that run or that a fetch may begin.
    taken: usize,
    tasks: JoinSet<Step>,
    /// Which lane a task is for.
    lane_of: HashMap<Id, (LaneId, Task)>,
}

#[derive(Clone, Copy)]
enum Task {
    /// May lead to as many attempts.
    Fetch(usize),
    Attempt,
}

impl Deliveries {
    /// Makes deliveries until cancelled; then no attempt begins any more, and those that run end.
    ///
    /// # Cancel safety
    /// Dropped, attempts that run are cut off; they are made again after their lease.
    pub async fn run(&self, cancelled: CancellationToken) {
        let mut worker = Worker {
            shared: Arc::clone(&self.0),
            lanes: HashMap::new(),
            line: VecDeque::new(),
            timers: BTreeSet::new(),
            paces: HashMap::new(),
            calls: BTreeSet::new(),
            taken: 0,
            tasks: JoinSet::new(),
            lane_of: HashMap::new(),
        };
        loop {
            worker.look_around();
            worker.begin();
            let sleep = worker.until_next();
            tokio::select! {
                () = cancelled.cancelled() => break,
                () = self.0.hinted.notified() => {}
                Some(ended) = worker.tasks.join_next_with_id() => worker.ended(ended),
                () = tokio::time::sleep(sleep) => {}
            }
        }
        worker.finish().await;
    }
}

impl Worker {
    /// Puts lanes into the line that were owed to, or whose time has come.
    fn look_around(&mut self) {
        let now = self.shared.config.clock.now();
        // first: they asked before
        self.call_waiting(now);
        for lane in self.shared.take_hints() {
            self.may_have_more(&lane);
        }
        while let Some((at, _)) = self.timers.first()
            && *at <= now
            && let Some((_, lane)) = self.timers.pop_first()
        {
            self.lanes.entry(lane.clone()).or_default().due = None;
            self.may_have_more(&lane);
        }
    }

    fn may_have_more(&mut self, lane: &LaneId) {
        let progress = self.lanes.entry(lane.clone()).or_default();
        progress.more = true;
        if !progress.fetching && !progress.in_line && !progress.waits {
            progress.in_line = true;
            self.line.push_back(lane.clone());
        }
    }

    fn wake_at(&mut self, lane: &LaneId, at: Timestamp) {
        let progress = self.lanes.entry(lane.clone()).or_default();
        if progress.due.is_some_and(|due| due <= at) {
            return;
        }
        if let Some(later) = progress.due.replace(at) {
            self.timers.remove(&(later, lane.clone()));
        }
        self.timers.insert((at, lane.clone()));
    }

    /// Fetches for lanes in the line while there is room.
    fn begin(&mut self) {
        while self.taken < MAX_RUNNING
            && let Some(lane) = self.line.pop_front()
        {
            if let Some(progress) = self.lanes.get_mut(&lane) {
                progress.in_line = false;
            }
            match self.shared.settings(&lane) {
                Some(settings) => self.fetch(lane, &settings),
                None => self.forget_idle(&lane),
            }
        }
    }

    fn fetch(&mut self, lane: LaneId, settings: &LaneSettings) {
        let Some(deliverer) = self.shared.deliverer(&lane) else {
            return;
        };
        if let Some(batch) = settings.in_order {
            return self.fetch_in_order(lane, batch, deliverer.time_limit() + TO_SETTLE);
        }
        let now = self.shared.config.clock.now();
        let progress = self.lanes.entry(lane.clone()).or_default();
        let free = settings.concurrency.max(1).saturating_sub(progress.running);
        let wanted = free.min(share_of(
            MAX_RUNNING - self.taken,
            progress.running,
            self.line.len(),
        ));
        if wanted == 0 {
            // an attempt of its own that ends, or the next second, brings it back
            if free > 0 {
                self.wake_at(&lane, next_second(now));
            }
            return;
        }
        let asked = match &settings.rate {
            None => wanted,
            Some(rate) => self.turns_of(&lane, rate, wanted, now),
        };
        if asked == 0 {
            return;
        }
        let progress = self.lanes.entry(lane.clone()).or_default();
        progress.fetching = true;
        progress.more = false;
        self.taken += asked;
        let lease = deliverer.time_limit() + TO_SETTLE;
        let (shared, queue) = (Arc::clone(&self.shared), queue_of(&lane));
        let task = self.tasks.spawn(async move {
            let found = look(&shared, &queue, asked, lease).await;
            Step::Fetched(found)
        });
        self.lane_of.insert(task.id(), (lane, Task::Fetch(asked)));
    }

    /// Fetches the next batch, unless one is being made or waits for its retry.
    fn fetch_in_order(&mut self, lane: LaneId, batch: usize, lease: Duration) {
        let now = self.shared.config.clock.now();
        let progress = self.lanes.entry(lane.clone()).or_default();
        progress.more = true;
        if progress.running > 0 {
            return;
        }
        if let Some(at) = progress.held.filter(|at| *at > now) {
            return self.wake_at(&lane, at);
        }
        (progress.fetching, progress.more, progress.held) = (true, false, None);
        self.taken += 1;
        let astray = progress.astray;
        let (shared, queue) = (Arc::clone(&self.shared), queue_of(&lane));
        let task = self.tasks.spawn(async move {
            let queues = &shared.config.queues;
            if astray && let Err(error) = queues.return_all_in_order(&queue).await {
                return Step::Fetched(Err(error));
            }
            let found = queues
                .receive_in_order(&queue, batch, MAX_BATCH_BYTES, lease)
                .await;
            Step::Fetched(found.map(|messages| Found { messages, next: None }))
        });
        self.lane_of.insert(task.id(), (lane, Task::Fetch(1)));
    }

    fn ended(&mut self, ended: Result<(Id, Step), JoinError>) {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(failure) => failure.id(),
        };
        let Some((lane, task)) = self.lane_of.remove(&id) else {
            return;
        };
        let progress = self.lanes.entry(lane.clone()).or_default();
        match task {
            Task::Fetch(asked) => {
                self.taken -= asked;
                progress.fetching = false;
            }
            Task::Attempt => {
                self.taken -= 1;
                progress.running -= 1;
            }
        }
        match (ended, task) {
            (Ok((_, Step::Fetched(found))), Task::Fetch(asked)) => self.fetched(&lane, asked, found),
            (Ok((_, Step::Attempted(retry))), _) => self.attempted(&lane, retry),
            (Ok((_, Step::Astray)), _) => self.rest(&lane),
            (Ok(_), Task::Attempt) => {}
            (Err(failure), _) => {
                tracing::error!(lane = %lane, %failure, "a delivery failed in an unforeseen way");
                self.rest(&lane);
            }
        }
        self.forget_idle(&lane);
    }

    /// Leaves a lane alone for a while after what should not have happened.
    fn rest(&mut self, lane: &LaneId) {
        let again = self.shared.config.clock.now().plus_millis(AFTER_FAILURE_MS);
        let progress = self.lanes.entry(lane.clone()).or_default();
        (progress.astray, progress.held) = (true, Some(again));
        self.wake_at(lane, again);
    }

    fn fetched(&mut self, lane: &LaneId, asked: usize, found: Result<Found, QueueError>) {
        let now = self.shared.config.clock.now();
        let settings = self.shared.settings(lane);
        let in_order = settings
            .as_ref()
            .is_some_and(|settings| settings.in_order.is_some());
        if let Some(rate) = settings.as_ref().and_then(|settings| settings.rate.as_ref())
            && !in_order
        {
            let begun = found.as_ref().map_or(0, |found| found.messages.len());
            self.unused(lane, rate, asked.saturating_sub(begun), now);
        }
        let found = match found {
            Ok(found) => found,
            // closed meanwhile
            Err(QueueError::NotFound { .. }) => return,
            Err(error) => {
                tracing::error!(lane = %lane, ?error, "deliveries cannot be fetched; trying again");
                return self.rest(lane);
            }
        };
        if in_order {
            return self.attempt_in_order(lane, found.messages);
        }
        let progress = self.lanes.entry(lane.clone()).or_default();
        let is_more = progress.more || found.messages.len() == asked;
        for message in found.messages {
            self.attempt(lane, message);
        }
        if let Some(next) = found.next {
            self.wake_at(lane, next);
        }
        if is_more {
            self.may_have_more(lane);
        }
    }

    fn attempt(&mut self, lane: &LaneId, message: Received) {
        self.taken += 1;
        self.lanes.entry(lane.clone()).or_default().running += 1;
        let (shared, of) = (Arc::clone(&self.shared), lane.clone());
        let task = self
            .tasks
            .spawn(async move { Step::Attempted(attempt::attempt(&shared, of, message).await) });
        self.lane_of.insert(task.id(), (lane.clone(), Task::Attempt));
    }

    fn attempt_in_order(&mut self, lane: &LaneId, messages: Vec<Received>) {
        let progress = self.lanes.entry(lane.clone()).or_default();
        progress.astray = false;
        if messages.is_empty() {
            if progress.more {
                self.may_have_more(lane);
            }
            return;
        }
        // there may be more than fitted
        progress.more = true;
        progress.running += 1;
        self.taken += 1;
        let (shared, of) = (Arc::clone(&self.shared), lane.clone());
        let task = self.tasks.spawn(async move {
            match in_order::attempt(&shared, of, messages).await {
                Ok(retry) => Step::Attempted(retry),
                Err(in_order::Unsettled) => Step::Astray,
            }
        });
        self.lane_of.insert(task.id(), (lane.clone(), Task::Attempt));
    }

    fn attempted(&mut self, lane: &LaneId, retry: Option<Timestamp>) {
        let progress = self.lanes.entry(lane.clone()).or_default();
        progress.held = retry;
        if self.lanes.get(lane).is_some_and(|progress| progress.more) {
            self.may_have_more(lane);
        }
        if let Some(at) = retry {
            self.wake_at(lane, at);
        }
    }

    /// A lane with nothing to do is not kept in memory.
    fn forget_idle(&mut self, lane: &LaneId) {
        let idle = |progress: &Progress| {
            let is_busy = progress.running > 0 || progress.fetching || progress.in_line;
            !is_busy && progress.due.is_none() && !progress.waits
        };
        if self.lanes.get(lane).is_some_and(idle) {
            self.lanes.remove(lane);
        }
    }

    fn until_next(&self) -> Duration {
        let (timer, call) = (self.timers.first(), self.calls.first());
        let times = timer.map(|(at, _)| at).into_iter().chain(call.map(|(at, _)| at));
        let Some(at) = times.min() else {
            return LONGEST_SLEEP;
        };
        let ms = at.as_millis() - self.shared.config.clock.now().as_millis();
        Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(GLANCE)
    }

    /// Waits for attempts; what was fetched and not begun is free at once.
    async fn finish(mut self) {
        self.shared.end_turns();
        self.paces.clear();
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let Ok((id, Step::Fetched(Ok(found)))) = ended else {
                continue;
            };
            let Some((lane, _)) = self.lane_of.get(&id) else {
                continue;
            };
            if let Err(error) = self.give_back(lane, &found.messages).await {
                tracing::warn!(lane = %lane, ?error, "deliveries are made after their lease");
            }
        }
    }
}

impl Worker {
    async fn give_back(&self, lane: &LaneId, messages: &[Received]) -> Result<(), QueueError> {
        let (queue, queues) = (queue_of(lane), &self.shared.config.queues);
        let receipts = messages.iter().map(|message| message.receipt);
        let settings = self.shared.settings(lane);
        if settings.is_some_and(|settings| settings.in_order.is_some()) {
            let receipts: Vec<_> = receipts.collect();
            return queues.return_in_order(&queue, &receipts).await;
        }
        let receipts: Vec<_> = receipts.map(|receipt| (receipt, Duration::ZERO)).collect();
        queues.nack(&queue, &receipts).await.map(drop)
    }
}

fn next_second(now: Timestamp) -> Timestamp {
    Timestamp::from_millis((now.as_millis() / 1000 + 1) * 1000)
}

async fn look(
    shared: &Shared,
    queue: &tradewind_store::queue::QueueId,
    asked: usize,
    lease: Duration,
) -> Result<Found, QueueError> {
    let queues = &shared.config.queues;
    // before the messages: what becomes ready in between is due at once
    let since = shared.config.clock.now();
    let messages = queues.receive(queue, asked, lease, Duration::ZERO).await?;
    let next = match messages.len() == asked {
        true => None,
        false => queues.next_due(queue, since).await?,
    };
    Ok(Found { messages, next })
}
