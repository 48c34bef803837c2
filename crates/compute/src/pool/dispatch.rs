//! What a pool decides under its lock: who gets an event, what a freed instance does next, and which idle
//! instance can go. No instance is started and nobody is answered here.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Job, Member, Next, QUEUE_LIMIT, State};
use crate::config::KeepAlive;

impl State {
    /// The least recently used of the idle instances that need not be kept warm: its place among them,
    /// and since when it has been idle.
    pub(super) fn dispensable(&self) -> Option<(usize, Instant)> {
        if self.spare() == 0 {
            return None;
        }
        let mut idle = self.idle.iter().enumerate();
        let (at, (_id, since)) = idle.find(|(_at, (id, _since))| self.is_ordinary(*id))?;
        Some((at, *since))
    }

    pub(super) fn reap(&mut self, now: Instant, bounds: KeepAlive) {
        while let Some((at, since)) = self.dispensable()
            && now.saturating_duration_since(since) > self.keep_alive(bounds)
        {
            self.let_go(at);
        }
    }

    /// How long the least recently used idle instance is kept.
    pub(super) fn keep_alive(&self, bounds: KeepAlive) -> Duration {
        match self.idle.len() {
            0 | 1 => self.idle_times.keep_alive(bounds),
            _ => bounds.least,
        }
    }

    /// Its driver ends it, now that the pool holds no way to it any more.
    pub(super) fn let_go(&mut self, at: usize) {
        let (id, _since) = self.idle.remove(at);
        self.instances.remove(&id);
    }

    /// Gives the job to an instance, or back.
    pub(super) fn place(&mut self, job: Box<Job>, takes_ahead: bool, cores: usize) -> Option<Box<Job>> {
        let busy = self.instances.len().saturating_sub(self.idle.len());
        let crowded = takes_ahead
            && self
                .ahead
                .better_than_waking(self.service_time.get(), busy, cores);
        if crowded {
            let job = self.dispatch_ahead(job, takes_ahead)?;
            return self.dispatch(job);
        }
        let job = self.dispatch(job)?;
        self.dispatch_ahead(job, takes_ahead)
    }

    /// Gives the job to the instance that was used last, or back.
    pub(super) fn dispatch(&mut self, mut job: Box<Job>) -> Option<Box<Job>> {
        while let Some((id, _since)) = self.idle.pop() {
            let Some(member) = self.instances.get_mut(&id) else {
                continue;
            };
            let since = job.submitted;
            match member.jobs.try_send(job) {
                Ok(()) => {
                    member.busy_since = Some(since);
                    return None;
                }
                // its driver has just ended, and is about to say so
                Err(mpsc::error::TrySendError::Closed(back) | mpsc::error::TrySendError::Full(back)) => {
                    job = back
                }
            }
        }
        Some(job)
    }

    /// Gives the job to the instance that has the fewest waiting behind the one it runs, or back.
    pub(super) fn dispatch_ahead(&mut self, job: Box<Job>, possible: bool) -> Option<Box<Job>> {
        let room = self.ahead.room(self.service_time.get());
        let next_in_line = self.queue.is_empty();
        let running = self
            .instances
            .values_mut()
            .filter(|member| member.busy_since.is_some());
        let fewest = running.min_by_key(|member| member.ahead);
        match fewest {
            Some(member) if possible && next_in_line && member.ahead < room => member.take_ahead(job),
            _ => Some(job),
        }
    }

    /// How many jobs wait behind others in instances.
    pub(super) fn ahead_in_all(&self) -> usize {
        self.instances.values().map(|member| member.ahead).sum()
    }

    /// The driver holds a job already: it goes on with that. What waits goes behind it, as far as there
    /// is room.
    fn go_on(&mut self, id: u64) -> Next {
        let room = if self.closed.is_some() {
            0
        } else {
            self.ahead.room(self.service_time.get())
        };
        let Some(member) = self.instances.get_mut(&id) else {
            return Next::GoOn(None);
        };
        member.busy_since = Some(Instant::now());
        member.ahead -= 1;
        let mut behind = None;
        while member.ahead < room
            && let Some(job) = self.queue.pop_front()
        {
            if behind.is_none() && member.nothing_on_its_way() {
                behind = Some(job);
                member.ahead += 1;
            } else if let Some(back) = member.take_ahead(job) {
                self.queue.push_front(back);
                break;
            }
        }
        self.mark_backlog();
        Next::GoOn(behind)
    }

    pub(super) fn next_for(&mut self, id: u64) -> Next {
        if self.instances.get(&id).is_some_and(|member| member.ahead > 0) {
            return self.go_on(id);
        }
        if self.closed.is_some() {
            self.instances.remove(&id);
            return Next::Stop;
        }
        let job = self.queue.pop_front();
        self.mark_backlog();
        let now = Instant::now();
        let Some(member) = self.instances.get_mut(&id) else {
            return Next::Stop;
        };
        match job {
            Some(job) => {
                member.busy_since = Some(now);
                Next::Serve(job)
            }
            None => {
                member.busy_since = None;
                self.idle.push((id, now));
                if self.idle.len() == self.instances.len() {
                    self.idle_times.quiet(now);
                }
                Next::Idle
            }
        }
    }

    pub(super) fn mark_backlog(&mut self) {
        if self.queue.is_empty() {
            self.backlog_since = None;
        } else if self.backlog_since.is_none() {
            self.backlog_since = Some(Instant::now());
        }
    }

    pub(super) fn take_expired(&mut self, now: Instant) -> VecDeque<Box<Job>> {
        let expired = |job: &Job| now.duration_since(job.submitted) > QUEUE_LIMIT;
        let count = self.queue.iter().take_while(|job| expired(job)).count();
        let jobs = self.queue.drain(..count).collect();
        self.mark_backlog();
        jobs
    }
}

impl Member {
    /// Sends a job to be run after those that the driver has, or gives it back.
    fn take_ahead(&mut self, job: Box<Job>) -> Option<Box<Job>> {
        match self.jobs.try_send(job) {
            Ok(()) => {
                self.ahead += 1;
                None
            }
            Err(mpsc::error::TrySendError::Closed(back) | mpsc::error::TrySendError::Full(back)) => {
                Some(back)
            }
        }
    }

    /// Whether the driver has taken every job that was sent.
    fn nothing_on_its_way(&self) -> bool {
        self.jobs.capacity() == self.jobs.max_capacity()
    }
}
