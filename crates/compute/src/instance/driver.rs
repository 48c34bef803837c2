//! The driver of one instance: the only one who touches its process, channel and output.
//!
//! ```text
//! initialise ──▶ idle ⇄ serve ──▶ end
//!      └──────────────────────────▲   (failed, crashed, timed out, let go, killed)
//! ```
//!
//! While one invocation runs, the pool may give more of them [ahead]. Time, log and deadline of each
//! begin when the one before it has been answered.
//!
//! All waiting is in one place, [`Instance::poll_wake`], which polls everything there is and keeps
//! nothing in futures: no wait can lose an event when another thing comes first.

mod ahead;
mod conclude;
mod freeze;
mod idle;
mod shutdown;
mod streaming;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::WaitForCancellationFutureOwned;

use self::ahead::Ahead;
use super::alarm::Alarm;
use super::boot::{Booted, Workspace};
use super::journal::Journal;
use super::output::Output;
use super::platform::InitStatus;
use super::report::{Report, Traffic};
use super::trace::trace_id;
use crate::channel::{Channel, ChannelEvent, Delivery};
use crate::error::InvokeError;
use crate::failure::{ExitReason, Failure};
use crate::pool::{Job, MemoryMeter, Next, Pool, Purpose, Starting};
use crate::sandbox::Process;
pub(super) use conclude::{begin, conclude, reply, traffic};

/// How long what a dead process left in its pipes is waited for. It is there already; only the news
/// of it may be on their way.
const AFTER_EXIT: Duration = Duration::from_millis(250);

const UNASKED_PREPARATION: &str = "the runtime sent compiled code instead of an answer";
const STREAM_WITHOUT_BEGIN: &str = "the runtime went on with a stream that it had not begun";

/// One instance.
#[derive(Debug)]
pub(super) struct Instance {
    id: u64,
    pool: Arc<Pool>,
    process: Process,
    channel: Channel,
    output: Output,
    workspace: Workspace,
    journal: Journal,
    memory: MemoryMeter,
    jobs: mpsc::Receiver<Box<Job>>,
    /// In the order in which the function gets them.
    ahead: VecDeque<Ahead>,
    alarm: Alarm,
    /// When the current step must be over.
    deadline: Option<Instant>,
    killed: Pin<Box<WaitForCancellationFutureOwned>>,
    begun: Instant,
    /// How long it took to initialise; told by the first invocation's report.
    init: Option<Duration>,
    /// Whether it gets no processor.
    frozen: bool,
    /// Extensions may end now.
    shutting_down: bool,
}

/// What ends a wait.
#[derive(Debug)]
enum Wake {
    Channel(ChannelEvent),
    /// A job to be run after this one.
    Ahead(Box<Job>),
    /// The one that runs takes too long for the one behind it.
    AheadStuck,
    Exited(ExitStatus),
    Deadline,
    Killed,
}

/// How an invocation ends.
#[derive(Debug)]
enum Outcome {
    Answered(Result<Bytes, Failure>),
    /// Without an answer, and the instance with it.
    Ended(Failure),
    /// The instance died before it read the event.
    Untouched,
}

impl Instance {
    pub(super) fn new(
        id: u64,
        pool: Arc<Pool>,
        booted: Booted,
        mut journal: Journal,
        memory: MemoryMeter,
        jobs: mpsc::Receiver<Box<Job>>,
    ) -> Self {
        let killed = Box::pin(pool.host.kill.clone().cancelled_owned());
        journal.watch_extensions(booted.extension_mark);
        Self {
            id,
            pool,
            process: booted.process,
            channel: booted.channel,
            output: booted.output,
            workspace: booted.workspace,
            journal,
            memory,
            jobs,
            ahead: VecDeque::new(),
            alarm: Alarm::new(),
            deadline: None,
            begun: booted.begun,
            killed,
            init: None,
            frozen: false,
            shutting_down: false,
        }
    }

    /// Waits until the function has initialised, at most until `limit`. `starting` is told when it
    /// turns out to take long.
    pub(super) async fn initialise(
        &mut self,
        limit: Instant,
        starting: &mut Starting,
    ) -> Result<(), Failure> {
        let young_until = self.begun + super::YOUNG;
        self.deadline = Some(limit.min(young_until));
        loop {
            return match self.wake().await {
                Wake::Channel(ChannelEvent::Ready) => {
                    self.deadline = None;
                    // what it printed is the initialisation's, not the first invocation's
                    self.output.drain_into(&mut self.journal).await;
                    self.init = Some(self.begun.elapsed());
                    Ok(())
                }
                Wake::Deadline if Instant::now() < limit => {
                    starting.aged();
                    self.deadline = Some(limit);
                    continue;
                }
                Wake::Deadline => Err(Failure::TimedOut(limit.duration_since(self.begun))),
                Wake::Channel(ChannelEvent::InitError(body)) => Err(Failure::Reported(body)),
                Wake::Channel(ChannelEvent::Fault(failure)) => Err(failure),
                Wake::Channel(
                    ChannelEvent::Answer(_)
                    | ChannelEvent::StreamBegin { .. }
                    | ChannelEvent::StreamChunk(_)
                    | ChannelEvent::StreamEnd(_)
                    | ChannelEvent::Prepared(_),
                ) => Err(Failure::BrokenChannel("the runtime answered before it was asked")),
                Wake::Channel(ChannelEvent::Broken(why)) => Err(Failure::BrokenChannel(why)),
                Wake::Channel(ChannelEvent::Closed { .. }) => Err(self.exit_failure().await),
                Wake::Exited(status) => Err(self.last_words(status).await),
                Wake::Killed => Err(Failure::Node(InvokeError::ShuttingDown)),
                Wake::Ahead(job) => {
                    self.pool.give_back(job);
                    continue;
                }
                Wake::AheadStuck => continue,
            };
        }
    }

    /// Its number.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// When its start began.
    pub(super) fn begun(&self) -> Instant {
        self.begun
    }

    /// How long the initialisation took.
    pub(super) fn init_duration(&self) -> Duration {
        self.init.unwrap_or_default()
    }

    /// Says in the log that it has initialised.
    pub(super) fn say_initialised(&mut self, purpose: Purpose) {
        let took = self.init_duration();
        super::say_init_report(&mut self.journal, purpose, took, InitStatus::Success);
    }

    /// Nothing of the initialisation is to be reported: it was part of an invocation.
    pub(super) fn forget_init(&mut self) {
        self.init = None;
    }

    /// Runs invocations until there is no more use for the instance, and ends it.
    pub(super) async fn run(mut self, first: Option<Next>) {
        let mut next = first;
        while let Some(now) = next {
            next = match now {
                Next::Serve(job) => self.serve(job).await,
                Next::GoOn(behind) => self.go_on(behind).await,
                Next::Idle => self.idle().await.map(Next::Serve),
                Next::Stop => None,
            };
        }
        self.pool.lost(self.id);
        self.jobs.close();
        while let Ok(job) = self.jobs.try_recv() {
            self.pool.give_back(job);
        }
        self.end().await;
    }

    /// Ends the process and what it left; gives back the journal for what remains to be said.
    pub(super) async fn end(mut self) -> Journal {
        self.shut_down("spindown").await;
        self.process.end().await;
        self.rest_of_output().await;
        self.journal.end();
        self.journal.settle().await;
        self.workspace.remove(&self.pool.host);
        self.journal
    }

    /// One invocation. None when it was the instance's last.
    async fn serve(&mut self, job: Box<Job>) -> Option<Next> {
        self.begin(&job);
        self.invoke(job, Instant::now()).await
    }

    /// Says that an invocation starts.
    pub(super) fn begin(&mut self, job: &Job) {
        begin(&mut self.journal, &self.pool, job);
    }

    /// The part of an invocation that follows its START, whose time began at `started`.
    pub(super) async fn invoke(&mut self, job: Box<Job>, started: Instant) -> Option<Next> {
        self.deadline = Some(started + self.pool.spec.timeout.as_duration());
        self.deliver(&job, started);
        self.conclude_invocation(job, started).await
    }

    /// Waits for the end of an invocation that the function was given.
    async fn conclude_invocation(&mut self, mut job: Box<Job>, started: Instant) -> Option<Next> {
        match self.outcome(&mut job, self.pool.spec.timeout.as_duration()).await {
            Outcome::Answered(answer) if self.channel.announces_readiness() => {
                self.answered_until_ready(job, started, answer).await
            }
            Outcome::Answered(answer) => Some(self.answered(job, started, answer).await),
            Outcome::Untouched if job.returned == 0 => {
                self.journal.forget();
                self.pool.lost(self.id);
                self.give_ahead_back();
                self.pool.give_back(job);
                None
            }
            Outcome::Untouched => {
                let failure = self.exit_failure().await;
                self.failed(job, started, failure).await;
                None
            }
            Outcome::Ended(failure) => {
                self.failed(job, started, failure).await;
                None
            }
        }
    }

    fn deliver(&mut self, job: &Job, started: Instant) {
        self.delivery(job, started, |channel, delivery| channel.deliver(delivery));
    }

    /// Hands a job that starts at `started` to the channel.
    fn delivery<T>(
        &mut self,
        job: &Job,
        started: Instant,
        hand_over: impl FnOnce(&mut Channel, &Delivery<'_>) -> T,
    ) -> T {
        let now = self.pool.host.clock.now();
        let deadline = started + self.pool.spec.timeout.as_duration();
        let left = deadline.saturating_duration_since(Instant::now());
        let made_up;
        let trace_id = match &job.request.trace_id {
            Some(trace_id) => trace_id,
            None => {
                made_up = trace_id(&job.id, now);
                &made_up
            }
        };
        let delivery = Delivery {
            request_id: &job.id,
            deadline_ms: now
                .plus_millis(i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
                .as_millis(),
            function_arn: job.function_arn(&self.pool.arns),
            trace_id,
            client_context: job.request.client_context.as_deref(),
            payload: job.request.payload.clone(),
            streamed: job.caller.is_streamed(),
        };
        hand_over(&mut self.channel, &delivery)
    }

    async fn outcome(&mut self, job: &mut Job, limit: Duration) -> Outcome {
        loop {
            return match self.wake().await {
                Wake::Channel(ChannelEvent::Answer(answer)) => Outcome::Answered(answer),
                Wake::Channel(ChannelEvent::StreamBegin { content_type, first }) => {
                    self.stream(job, content_type, first, limit).await
                }
                Wake::Channel(ChannelEvent::StreamChunk(_) | ChannelEvent::StreamEnd(_)) => {
                    Outcome::Ended(Failure::BrokenChannel(STREAM_WITHOUT_BEGIN))
                }
                // asked for more before it answered: the channel refuses that where it can
                Wake::Channel(ChannelEvent::Ready) => continue,
                Wake::Channel(ChannelEvent::Closed { untouched: true }) => Outcome::Untouched,
                Wake::Channel(ChannelEvent::Closed { untouched: false }) => {
                    Outcome::Ended(self.exit_failure().await)
                }
                Wake::Channel(ChannelEvent::Broken(why)) => Outcome::Ended(Failure::BrokenChannel(why)),
                Wake::Channel(ChannelEvent::Prepared(_)) => {
                    Outcome::Ended(Failure::BrokenChannel(UNASKED_PREPARATION))
                }
                Wake::Channel(ChannelEvent::InitError(body)) => Outcome::Ended(Failure::Reported(body)),
                Wake::Channel(ChannelEvent::Fault(failure)) => Outcome::Ended(failure),
                Wake::Exited(status) => self.answer_of_the_dead(job, status, limit).await,
                Wake::Deadline => Outcome::Ended(Failure::TimedOut(limit)),
                Wake::Killed => Outcome::Ended(Failure::Node(InvokeError::ShuttingDown)),
                Wake::Ahead(job) => {
                    self.put_ahead(job);
                    continue;
                }
                Wake::AheadStuck => {
                    self.give_ahead_back();
                    continue;
                }
            };
        }
    }

    /// A process may answer with its last breath: what is in the channel counts.
    async fn answer_of_the_dead(&mut self, job: &mut Job, status: ExitStatus, limit: Duration) -> Outcome {
        match self.event_after_exit().await {
            Some(ChannelEvent::StreamBegin { content_type, first }) => {
                self.begin_stream(job, content_type, first);
                self.rest_of_stream(job, status, limit).await
            }
            Some(ChannelEvent::Answer(answer)) => Outcome::Answered(answer),
            Some(ChannelEvent::Closed { untouched: true }) => Outcome::Untouched,
            _ => Outcome::Ended(Failure::Exited(ExitReason::from(status))),
        }
    }

    /// What a process that ended while it initialised had to say.
    async fn last_words(&mut self, status: ExitStatus) -> Failure {
        match self.event_after_exit().await {
            Some(ChannelEvent::InitError(body)) => Failure::Reported(body),
            _ => Failure::Exited(ExitReason::from(status)),
        }
    }

    async fn event_after_exit(&mut self) -> Option<ChannelEvent> {
        let next = poll_fn(|cx| self.channel.poll_event(cx));
        tokio::time::timeout(AFTER_EXIT, next).await.ok()
    }

    /// The kernel killed something of it for memory: that is what the report shall say.
    fn note_used_up_memory(&mut self) {
        if self.process.oom_killed() {
            let spec = &self.pool.spec;
            self.memory.reached(u64::from(spec.memory.get()) * 1024 * 1024);
            tracing::info!(function = %spec.arn, "a function used up its memory");
        }
    }

    /// The channel is closed: the process ends now, by itself or by force.
    async fn exit_failure(&mut self) -> Failure {
        let exit = poll_fn(|cx| self.process.poll_exit(cx));
        let status = match tokio::time::timeout(AFTER_EXIT, exit).await {
            Ok(status) => status,
            Err(_still_running) => self.process.end().await,
        };
        Failure::Exited(ExitReason::from(status))
    }

    /// The warm path's end: the instance is free before its caller hears the answer, and the log is
    /// written after.
    async fn answered(&mut self, job: Box<Job>, started: Instant, answer: Result<Bytes, Failure>) -> Next {
        let duration = started.elapsed();
        self.deadline = None;
        self.output.drain_into(&mut self.journal).await;
        let traffic = traffic(&job, &answer);
        let printed = self.journal.printed();
        let tail = if job.request.log_tail {
            self.conclude(&job.id, duration, None, traffic)
        } else {
            None
        };
        let concluded = job.request.log_tail;
        let id = Arc::clone(&job.id);
        let next = self.pool.release(self.id, duration, printed);
        reply(&self.pool, *job, answer, tail);
        if !concluded {
            self.conclude(&id, duration, None, traffic);
        }
        self.journal.end();
        self.journal.flush();
        next
    }

    /// On the Runtime API the instance is free only when it asks for the next event; the answer does
    /// not wait for that, unless the caller wants the log, which is complete only then.
    async fn answered_until_ready(
        &mut self,
        job: Box<Job>,
        started: Instant,
        answer: Result<Bytes, Failure>,
    ) -> Option<Next> {
        let id = Arc::clone(&job.id);
        let traffic = traffic(&job, &answer);
        let mut waiting = Some((job, answer));
        if let Some((job, answer)) = waiting.take_if(|(job, _answer)| !job.request.log_tail) {
            reply(&self.pool, *job, answer, None);
        }
        let ready = self.ready_again().await;
        let duration = started.elapsed();
        self.deadline = None;
        self.output.drain_into(&mut self.journal).await;
        let tail = self.conclude(&id, duration, None, traffic);
        let next = ready.then(|| self.pool.release(self.id, duration, true));
        if let Some((job, answer)) = waiting {
            reply(&self.pool, *job, answer, tail);
        }
        self.journal.end();
        self.journal.flush();
        next
    }

    async fn ready_again(&mut self) -> bool {
        loop {
            match self.wake().await {
                Wake::Channel(ChannelEvent::Ready) => return true,
                Wake::Channel(ChannelEvent::Answer(_)) | Wake::AheadStuck => {}
                Wake::Ahead(job) => self.pool.give_back(job),
                Wake::Channel(_) | Wake::Exited(_) | Wake::Deadline | Wake::Killed => return false,
            }
        }
    }

    /// The instance ends with this invocation.
    pub(super) async fn failed(&mut self, job: Box<Job>, started: Instant, failure: Failure) {
        let duration = match &failure {
            Failure::TimedOut(limit) => *limit,
            _ => started.elapsed(),
        };
        self.memory.measure(|| self.process.usage(), Instant::now());
        self.note_used_up_memory();
        self.give_ahead_back();
        let timed_out = matches!(failure, Failure::TimedOut(_));
        self.shut_down(if timed_out { "timeout" } else { "failure" })
            .await;
        self.process.end().await;
        self.rest_of_output().await;
        if let Some(line) = failure.log_line(&job.id, &self.journal.now()) {
            self.journal.end_line();
            self.journal.complain(line);
        }
        let status = failure.report_status();
        let answer = Err(failure);
        let tail = self.conclude(&job.id, duration, status, traffic(&job, &answer));
        self.pool.lost(self.id);
        reply(&self.pool, *job, answer, tail);
        for ahead in std::mem::take(&mut self.ahead) {
            self.lost_ahead(*ahead.job);
        }
    }

    /// END and REPORT, after the last line.
    fn conclude(
        &mut self,
        id: &Arc<str>,
        duration: Duration,
        status: Option<String>,
        traffic: Traffic,
    ) -> Option<Vec<u8>> {
        if self.memory.measure(|| self.process.usage(), Instant::now()) {
            self.pool.learn_memory(self.memory.peak_bytes());
        }
        let report = Report {
            request_id: id,
            duration,
            memory_mib: self.pool.spec.memory.get(),
            peak_bytes: self.memory.peak_bytes(),
            cpu: self.memory.take_cpu(),
            init: self.init.take(),
            status,
            traffic,
        };
        conclude(&mut self.journal, &self.pool, &report);
        self.journal.take_tail()
    }

    async fn rest_of_output(&mut self) {
        let rest = poll_fn(|cx| self.output.poll_into(&mut self.journal, cx));
        // a child that left the group may hold the pipe for ever
        if tokio::time::timeout(AFTER_EXIT, rest).await.is_err() {
            tracing::debug!(function = %self.pool.spec.arn, "an instance's output stays open after its end");
        }
    }

    async fn wake(&mut self) -> Wake {
        poll_fn(|cx| {
            if let Poll::Ready(event) = self.poll_wake(cx) {
                return Poll::Ready(event);
            }
            // a closed queue means that the pool has let go: this invocation is the last
            match self.jobs.poll_recv(cx) {
                Poll::Ready(Some(job)) => Poll::Ready(Wake::Ahead(job)),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Everything that can happen to an instance. The channel comes first: an answer counts even if
    /// the process is gone or its time is up in the same moment.
    fn poll_wake(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        if let Poll::Ready(event) = self.channel.poll_event(cx) {
            return Poll::Ready(Wake::Channel(event));
        }
        self.poll_besides_channel(cx)
    }

    fn poll_besides_channel(&mut self, cx: &mut Context<'_>) -> Poll<Wake> {
        loop {
            // pending or ended: its end alone means nothing
            let (Poll::Ready(()) | Poll::Pending) = self.output.poll_into(&mut self.journal, cx);
            if let Some(failure) = self.extension_exit() {
                return Poll::Ready(Wake::Channel(ChannelEvent::Fault(failure)));
            }
            if let Poll::Ready(status) = self.process.poll_exit(cx) {
                return Poll::Ready(Wake::Exited(status));
            }
            if self.killed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Wake::Killed);
            }
            let flush_at = self.journal.flush_at();
            let stuck_at = self.ahead.iter().find_map(Ahead::stuck_at);
            let next = [self.deadline, flush_at, stuck_at].into_iter().flatten().min();
            if self.alarm.poll(next, cx).is_pending() {
                return Poll::Pending;
            }
            let now = Instant::now();
            if self.deadline.is_some_and(|deadline| deadline <= now) {
                return Poll::Ready(Wake::Deadline);
            }
            if stuck_at.is_some_and(|stuck_at| stuck_at <= now) {
                return Poll::Ready(Wake::AheadStuck);
            }
            self.journal.flush();
        }
    }
}
