//! A pool: the instances of one function version on this node, and the queue in front of them.
//!
//! An invocation takes the instance that was used last (its caches are warm, and the others can be
//! let go). When none is idle it waits in the queue, where a freed instance and a starting one race
//! for it; [`scaling`] says when a start is worth it. An instance that is freed takes the next
//! invocation itself, without going through the idle list. Quick functions get more events
//! [ahead](ahead).
//!
//! A pool is closed when its function is replaced, removed, or the engine stops. What runs then
//! finishes; what waits goes to the successor.
//!
//! # Invariants
//! - Every job is answered exactly once.
//! - An instance is in one place: idle, busy (its driver holds a job, and perhaps more ahead), or
//!   starting.
//! - The lock is held for a few lines and never while calling out.

mod ahead;
mod backlog;
mod dispatch;
mod gate;
mod idleness;
mod job;
mod memory;
mod scaling;
mod start;
mod warm;

pub(crate) use backlog::Backlogs;
pub(crate) use gate::{Account, Gate, Permit};
pub(crate) use job::{Job, Named};
pub(crate) use memory::{MemoryBudget, MemoryClaim, MemoryMeter, UNKNOWN_BYTES};
pub(crate) use start::{Purpose, Starting, YOUNG};

use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::{InvokeError, ThrottleReason};
use crate::failure::Failure;
use crate::host::Host;
use crate::instance;
use crate::spec::{FunctionSpec, FunctionStatus};
use crate::stems::Kind;
use ahead::Ahead;
use idleness::{IdleTimes, Rate};
use scaling::{Estimate, Load};
use warm::Warmth;

/// How long an invocation waits at most for an instance.
const QUEUE_LIMIT: Duration = Duration::from_secs(60);
/// A start is taken to cost so much before one was seen.
const UNKNOWN_COLD_START: Duration = Duration::from_millis(100);
/// Jobs that a driver is sent at most before it takes one: one to run, and those that wait behind it.
pub(crate) const JOBS: usize = 1 + ahead::MOST;
/// So many starts that fail one after the other fail for all who wait.
const FAILS_FOR_ALL: u32 = 3;

/// See the module.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) spec: FunctionSpec,
    pub(crate) host: Arc<Host>,
    /// The function's ARN without and with its version.
    pub(crate) arns: [Arc<str>; 2],
    /// Its version, as log lines print it.
    pub(crate) version: Arc<str>,
    /// Whether its instances can be given events ahead at all.
    takes_ahead: bool,
    /// The stems that can become its instances.
    pub(crate) stem_kind: Option<Arc<Kind>>,
    /// Under which name its package was prepared, once that is known.
    prepared: OnceLock<String>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    instances: HashMap<u64, Member>,
    /// Least recently used first.
    idle: Vec<(u64, Instant)>,
    queue: VecDeque<Box<Job>>,
    starting: usize,
    young_starts: usize,
    service_time: Estimate,
    ahead: Ahead,
    cold_start: Estimate,
    /// Since when the queue has not been empty.
    backlog_since: Option<Instant>,
    /// Whether the supervisor looks after the queue.
    watched: bool,
    measured_bytes: Option<u64>,
    failed_starts: u32,
    failed_at: Option<Instant>,
    last_failure: Option<String>,
    warmth: Warmth,
    idle_times: IdleTimes,
    rate: Rate,
    closed: Option<Closed>,
}

/// An instance as its pool sees it. Without this its driver stops once it is idle.
#[derive(Debug)]
struct Member {
    jobs: mpsc::Sender<Box<Job>>,
    busy_since: Option<Instant>,
    /// Whether it was started as one of the provisioned ones, and still counts as such.
    provisioned: bool,
    /// How many jobs its driver holds besides the one that runs.
    ahead: usize,
}

/// Where a job goes in the queue.
#[derive(Clone, Copy, Debug)]
enum Place {
    First,
    Last,
}

/// Why a pool takes no more.
#[derive(Clone, Debug)]
pub(crate) enum Closed {
    /// Another has taken its place.
    Replaced(Arc<Pool>),
    /// The function is gone.
    Removed,
    /// The engine stops.
    Stopping,
}

/// What an instance does next.
#[derive(Debug)]
pub(crate) enum Next {
    /// It runs this.
    Serve(Box<Job>),
    /// It runs what its driver holds already, with this behind it.
    GoOn(Option<Box<Job>>),
    /// It waits.
    Idle,
    /// It ends.
    Stop,
}

#[cfg(test)]
mod tests;

impl Pool {
    pub(crate) fn new(spec: FunctionSpec, host: Arc<Host>) -> Arc<Self> {
        let arns = [spec.arn.unqualified(), spec.arn.qualified(spec.version())];
        let arns = arns.map(|arn| arn.to_string().into());
        let version = spec.version().to_string().into();
        let one_at_a_time = spec.instance_concurrency == NonZeroU16::MIN;
        // extensions, which come with layers, must hear of each event as it begins
        let plain = one_at_a_time && spec.layers.is_none();
        let takes_ahead = plain && host.bootstraps.entry(spec.runtime.language()).is_some();
        let stem_kind = Kind::of(&spec).map(Arc::new);
        Arc::new(Self {
            spec,
            host,
            arns,
            version,
            takes_ahead,
            stem_kind,
            prepared: OnceLock::new(),
            state: Mutex::default(),
        })
    }

    /// Its package was prepared under this name.
    pub(crate) fn is_prepared(&self, name: String) {
        self.prepared.get_or_init(|| name);
    }

    /// Under which name its package was prepared, if it was.
    pub(crate) fn prepared_name(&self) -> Option<&str> {
        self.prepared.get().map(String::as_str)
    }

    /// Takes an invocation. It is answered, whatever happens.
    pub(crate) fn submit(self: &Arc<Self>, job: Box<Job>) {
        self.submit_at(Place::Last, job);
    }

    fn submit_at(self: &Arc<Self>, place: Place, job: Box<Job>) {
        let mut pool = Arc::clone(self);
        let mut waiting = job;
        while let Err((job, closed)) = pool.accept(place, waiting) {
            match closed {
                Closed::Replaced(successor) => {
                    pool = successor;
                    waiting = job;
                }
                Closed::Removed | Closed::Stopping => return job.answer(Err(pool.refusal(&closed))),
            }
        }
    }

    /// A job that its instance did not get to see.
    pub(crate) fn give_back(self: &Arc<Self>, mut job: Box<Job>) {
        job.returned += 1;
        self.submit(job);
    }

    /// Jobs that waited behind one that does not end, taken back before the function saw them.
    pub(crate) fn give_back_ahead(
        self: &Arc<Self>,
        id: u64,
        jobs: impl DoubleEndedIterator<Item = Box<Job>> + ExactSizeIterator,
    ) {
        {
            let mut state = self.state();
            state.ahead.distrust();
            if let Some(member) = state.instances.get_mut(&id) {
                member.ahead = member.ahead.saturating_sub(jobs.len());
            }
        }
        for job in jobs.rev() {
            self.submit_at(Place::First, job);
        }
    }

    /// What the instance does after it has initialised.
    pub(crate) fn joined(
        &self,
        id: u64,
        jobs: mpsc::Sender<Box<Job>>,
        cold_start: Duration,
        purpose: Purpose,
    ) -> Next {
        self.host.core_verdict.outdate();
        let mut state = self.state();
        state.cold_start.learn(cold_start);
        state.failed_starts = 0;
        state.last_failure = None;
        state.warmth.recovered();
        state.instances.insert(
            id,
            Member {
                jobs,
                busy_since: None,
                provisioned: purpose == Purpose::Provisioned,
                ahead: 0,
            },
        );
        state.next_for(id)
    }

    /// An instance that initialised as part of an invocation, which it runs now.
    pub(crate) fn joined_busy(&self, id: u64, jobs: mpsc::Sender<Box<Job>>) {
        let member = Member {
            jobs,
            busy_since: Some(Instant::now()),
            provisioned: false,
            ahead: 0,
        };
        self.state().instances.insert(id, member);
    }

    /// What the instance does after an invocation that took `service_time` and perhaps printed.
    pub(crate) fn release(&self, id: u64, service_time: Duration, printed: bool) -> Next {
        let mut state = self.state();
        state.service_time.learn(service_time);
        state.ahead.learn(service_time, printed);
        state.next_for(id)
    }

    /// The instance is gone. Nothing is sent to it after this.
    pub(crate) fn lost(self: &Arc<Self>, id: u64) {
        {
            let mut state = self.state();
            state.instances.remove(&id);
            state.idle.retain(|(idle, _since)| *idle != id);
            if state.idle.len() == state.instances.len() && state.queue.is_empty() {
                state.idle_times.quiet(Instant::now());
            }
        }
        self.scale();
        self.warm_up();
    }

    /// A start failed: those whose fault it is now. When starts keep failing that is all who wait.
    pub(crate) fn start_failed(&self, failure: &Failure) -> VecDeque<Box<Job>> {
        let mut state = self.state();
        state.failed_starts = state.failed_starts.saturating_add(1);
        state.failed_at = Some(Instant::now());
        let error = failure.clone().into_init_failure(Vec::new());
        state.last_failure = Some(error.to_string());
        state.warmth.failed(error.to_string());
        let hopeless = state.failed_starts >= FAILS_FOR_ALL && state.instances.is_empty();
        let count = if hopeless { state.queue.len() } else { 1 };
        let failed = (0..count).filter_map(|_| state.queue.pop_front()).collect();
        state.mark_backlog();
        failed
    }

    /// The next job, for a start that goes on under that job's own timeout.
    pub(crate) fn take_job(&self) -> Option<Box<Job>> {
        let mut state = self.state();
        let job = state.queue.pop_front();
        state.mark_backlog();
        job
    }

    /// Learns what an instance uses.
    pub(crate) fn learn_memory(&self, bytes: u64) {
        let mut state = self.state();
        state.measured_bytes = Some(state.measured_bytes.unwrap_or_default().max(bytes));
    }

    /// Takes no more, stops what is idle, and sends on what waits. What runs finishes.
    pub(crate) fn close(self: &Arc<Self>, reason: Closed) {
        let waiting = {
            let mut state = self.state();
            state.closed = Some(reason);
            for (id, _since) in std::mem::take(&mut state.idle) {
                state.instances.remove(&id);
            }
            state.backlog_since = None;
            std::mem::take(&mut state.queue)
        };
        for job in waiting {
            self.submit(job);
        }
    }

    /// Starts instances if that pays.
    pub(crate) fn scale(self: &Arc<Self>) {
        let starts = {
            let mut state = self.state();
            if state.queue.is_empty() || state.closed.is_some() {
                return;
            }
            let starts = self.load(&state).starts_wanted();
            (0..starts).for_each(|_| state.count_start(Purpose::Asked));
            starts
        };
        for _ in 0..starts {
            instance::start(Starting::counted(Arc::clone(self), Purpose::Asked), None);
        }
    }

    /// The supervisor's look at a pool with a backlog. False when there is none any more.
    pub(crate) fn tick(self: &Arc<Self>, now: Instant) -> bool {
        let (expired, watched) = {
            let mut state = self.state();
            let expired = state.take_expired(now);
            state.watched = !state.queue.is_empty();
            (expired, state.watched)
        };
        for job in expired {
            job.answer(Err(InvokeError::Throttled {
                reason: ThrottleReason::NodeCapacity,
            }));
        }
        self.scale();
        watched
    }

    /// Lets go what has been idle for too long; called every `period`.
    pub(crate) fn reap(&self, now: Instant, period: Duration) {
        let mut state = self.state();
        state.rate.settle(period);
        state.reap(now, self.host.keep_alive);
    }

    /// What it would cost to let an idle instance go, and since when that has been idle. None when none
    /// may go.
    pub(crate) fn eviction_cost(&self, period: Duration) -> Option<(f64, Instant)> {
        let state = self.state();
        let (_at, since) = state.dispensable()?;
        let cold_start = state.cold_start.get().unwrap_or(UNKNOWN_COLD_START);
        let bytes = state.measured_bytes.unwrap_or(UNKNOWN_BYTES);
        Some((state.worth_keeping(cold_start, bytes, period), since))
    }

    /// Takes over what was learnt of the same function's former code, and what it was told to keep warm.
    pub(crate) fn inherit(self: &Arc<Self>, former: &Self) {
        let (floor, idle_times, rate) = {
            let former = former.state();
            (former.warmth.floor(), former.idle_times.clone(), former.rate)
        };
        {
            let mut state = self.state();
            state.idle_times = idle_times;
            state.rate = rate;
        }
        self.set_warm_floor(floor);
    }

    /// Lets its least recently used idle instance go.
    pub(crate) fn evict(&self) {
        let mut state = self.state();
        if let Some((at, _since)) = state.dispensable() {
            state.let_go(at);
        }
    }

    pub(crate) fn status(&self) -> FunctionStatus {
        let state = self.state();
        FunctionStatus {
            arn: self.spec.arn.clone(),
            runtime: self.spec.runtime.clone(),
            idle: state.idle.len(),
            busy: state.instances.len() - state.idle.len(),
            starting: state.starting,
            queued: state.queue.len() + state.ahead_in_all(),
            failed_starts: state.failed_starts,
            last_failure: state.last_failure.clone(),
        }
    }

    /// Dispatches or queues a job, unless the pool is closed.
    fn accept(self: &Arc<Self>, place: Place, job: Box<Job>) -> Result<(), (Box<Job>, Closed)> {
        let (first, watch) = {
            let mut state = self.state();
            if let Some(closed) = &state.closed {
                return Err((job, closed.clone()));
            }
            state.rate.arrived();
            state.idle_times.woken(job.submitted);
            let Some(job) = state.place(job, self.takes_ahead, self.host.cores) else {
                return Ok(());
            };
            match place {
                Place::First => state.queue.push_front(job),
                Place::Last => state.queue.push_back(job),
            }
            state.mark_backlog();
            let watch = !std::mem::replace(&mut state.watched, true);
            (state.queue.len() == 1, watch)
        };
        if first {
            self.scale();
        }
        if watch {
            self.host.backlogs.watch(Arc::clone(self));
        }
        Ok(())
    }

    fn load(&self, state: &State) -> Load {
        let now = Instant::now();
        let age = |member: &Member| Some(now.duration_since(member.busy_since?));
        Load {
            queued: state.queue.len() + state.ahead_in_all(),
            running: state.instances.values().filter_map(age).collect(),
            starting: state.starting,
            young_starts: state.young_starts,
            service_time: state.service_time.get(),
            cold_start: state.cold_start.get().unwrap_or(UNKNOWN_COLD_START),
            backlog: state
                .backlog_since
                .map(|since| now.duration_since(since))
                .unwrap_or_default(),
            cores: self.host.cores,
            cores_idle: self.host.core_verdict.idle(),
        }
    }

    fn refusal(&self, closed: &Closed) -> InvokeError {
        match closed {
            Closed::Stopping => InvokeError::ShuttingDown,
            Closed::Removed | Closed::Replaced(_) => InvokeError::NotFound {
                function: self.spec.arn.to_string(),
            },
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
