//! The jobs behind the one that runs, and how an instance comes to them.

use std::time::Duration;

use tokio::time::Instant;

use super::Instance;
use super::conclude::{reply, traffic};
use crate::failure::{ExitReason, Failure};
use crate::pool::{Job, Next};

/// How long the running one may take before the waiting one goes elsewhere.
const PATIENCE: Duration = Duration::from_millis(5);

/// A job that waits in an instance.
#[derive(Debug)]
pub(super) struct Ahead {
    pub(super) job: Box<Job>,
    /// Whether it is in the channel; otherwise the driver keeps it.
    pub(super) delivered: bool,
    stuck_at: Option<Instant>,
}

impl Ahead {
    pub(super) fn new(job: Box<Job>, delivered: bool) -> Self {
        Self {
            job,
            delivered,
            stuck_at: Some(Instant::now() + PATIENCE),
        }
    }

    pub(super) fn undelivered(job: Box<Job>) -> Self {
        Self::new(job, false)
    }

    /// It cannot go elsewhere: the function has read it.
    fn stay(&mut self) {
        self.stuck_at = None;
    }

    /// When it goes elsewhere.
    pub(super) fn stuck_at(&self) -> Option<Instant> {
        self.stuck_at
    }
}

impl Instance {
    /// The invocation that waited behind the one just answered, and perhaps another behind them all.
    pub(super) async fn go_on(&mut self, behind: Option<Box<Job>>) -> Option<Next> {
        let started = Instant::now();
        let Some(Ahead { job, delivered, .. }) = self.take_ahead() else {
            tracing::error!(function = %self.pool.spec.arn, "an instance lost the event it was to run next");
            behind.into_iter().for_each(|job| self.pool.give_back(job));
            return None;
        };
        if delivered {
            self.channel.advance();
        } else {
            self.deliver(&job, started);
        }
        if let Some(behind) = behind {
            self.put_ahead(behind);
        }
        self.begin(&job);
        self.deadline = Some(started + self.pool.spec.timeout.as_duration());
        self.conclude_invocation(job, started).await
    }

    /// What is ahead; or on its way here from the pool, which knows that it was sent.
    fn take_ahead(&mut self) -> Option<Ahead> {
        let waiting = self.ahead.pop_front();
        waiting.or_else(|| Some(Ahead::undelivered(self.jobs.try_recv().ok()?)))
    }

    /// Queues a job behind the running one, in the instance itself if that takes it.
    pub(super) fn put_ahead(&mut self, job: Box<Job>) {
        let in_order = self.ahead.back().is_none_or(|last| last.delivered);
        let delivered = in_order
            && self.delivery(&job, Instant::now(), |channel, delivery| {
                channel.deliver_ahead(delivery)
            });
        self.ahead.push_back(Ahead::new(job, delivered));
    }

    /// Gives the waiting jobs to whoever is free, but for those that the function has already.
    pub(super) fn give_ahead_back(&mut self) {
        let delivered = self.ahead.iter().filter(|ahead| ahead.delivered).count();
        let read = delivered.saturating_sub(self.channel.take_back());
        let back = self.ahead.split_off(read);
        // the answer to the one before is on its way
        self.ahead.iter_mut().for_each(Ahead::stay);
        if !back.is_empty() {
            let jobs = back.into_iter().map(|ahead| ahead.job);
            self.pool.give_back_ahead(self.id, jobs);
        }
    }

    /// It was read in the moment in which the instance came to its end, and may have begun.
    pub(super) fn lost_ahead(&mut self, job: Job) {
        self.begin(&job);
        let failure = Failure::Exited(ExitReason::Signal(libc::SIGKILL));
        if let Some(line) = failure.log_line(&job.id, &self.journal.now()) {
            self.journal.complain(line);
        }
        let status = failure.report_status();
        let answer = Err(failure);
        let tail = self.conclude(&job.id, Duration::ZERO, status, traffic(&job, &answer));
        reply(&self.pool, job, answer, tail);
    }
}
