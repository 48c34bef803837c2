//! An answer that comes in chunks: from the channel to its caller, at the pace of the slower one.

use std::future::{Future, poll_fn};
use std::process::ExitStatus;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::{AFTER_EXIT, Instance, Outcome, Wake};
use crate::channel::ChannelEvent;
use crate::error::InvokeError;
use crate::failure::{ExitReason, Failure};
use crate::pool::Job;

impl Instance {
    /// From the first chunk to the last. `limit` is what a timeout names.
    pub(super) async fn stream(
        &mut self,
        job: &mut Job,
        content_type: Option<String>,
        first: Bytes,
        limit: Duration,
    ) -> Outcome {
        self.begin_stream(job, content_type, first);
        loop {
            match poll_fn(|cx| self.poll_streaming(job, cx)).await {
                Wake::Channel(event) => {
                    if let Some(outcome) = self.streamed(job, event).await {
                        return outcome;
                    }
                }
                Wake::Exited(status) => return self.rest_of_stream(job, status, limit).await,
                Wake::Deadline => return Outcome::Ended(Failure::TimedOut(limit)),
                Wake::Killed => return Outcome::Ended(Failure::Node(InvokeError::ShuttingDown)),
                Wake::Ahead(job) => self.put_ahead(job),
                Wake::AheadStuck => self.give_ahead_back(),
            }
        }
    }

    pub(super) fn begin_stream(&self, job: &mut Job, content_type: Option<String>, first: Bytes) {
        job.caller.begin(content_type, self.pool.spec.version());
        job.caller.push(first);
    }

    /// The process ended with a part of its answer still in the channel.
    pub(super) async fn rest_of_stream(
        &mut self,
        job: &mut Job,
        status: ExitStatus,
        limit: Duration,
    ) -> Outcome {
        let ended = || Outcome::Ended(Failure::Exited(ExitReason::from(status)));
        let deadline = self.deadline.unwrap_or_else(Instant::now);
        loop {
            if timeout(deadline.saturating_duration_since(Instant::now()), self.room(job))
                .await
                .is_err()
            {
                return Outcome::Ended(Failure::TimedOut(limit));
            }
            match self.event_after_exit().await {
                Some(ChannelEvent::StreamEnd(Err(Failure::TruncatedResponse))) | None => return ended(),
                Some(event) => match self.streamed(job, event).await {
                    Some(Outcome::Answered(answer)) => return Outcome::Answered(answer),
                    Some(Outcome::Ended(_) | Outcome::Untouched) => return ended(),
                    None => {}
                },
            }
        }
    }

    /// What an event in the middle of a stream means. None when the stream goes on.
    async fn streamed(&mut self, job: &mut Job, event: ChannelEvent) -> Option<Outcome> {
        match event {
            ChannelEvent::StreamChunk(chunk) => {
                job.caller.push(chunk);
                None
            }
            ChannelEvent::StreamEnd(Ok(())) => Some(Outcome::Answered(job.caller.end())),
            ChannelEvent::StreamEnd(Err(Failure::TruncatedResponse)) => Some(self.broken_off().await),
            ChannelEvent::StreamEnd(Err(failure)) | ChannelEvent::Answer(Err(failure)) => {
                Some(Outcome::Answered(Err(failure)))
            }
            ChannelEvent::Ready => None,
            ChannelEvent::Closed { .. } => Some(Outcome::Ended(self.exit_failure().await)),
            ChannelEvent::Fault(failure) => Some(Outcome::Ended(failure)),
            ChannelEvent::Broken(why) => Some(Outcome::Ended(Failure::BrokenChannel(why))),
            ChannelEvent::StreamBegin { .. }
            | ChannelEvent::Answer(Ok(_))
            | ChannelEvent::InitError(_)
            | ChannelEvent::Prepared(_) => {
                let why = "the runtime answered a second time in the middle of its stream";
                Some(Outcome::Ended(Failure::BrokenChannel(why)))
            }
        }
    }

    /// The connection of a stream is gone: with its process, or without.
    async fn broken_off(&mut self) -> Outcome {
        let exit = poll_fn(|cx| self.process.poll_exit(cx));
        match timeout(AFTER_EXIT, exit).await {
            Ok(status) => Outcome::Ended(Failure::Exited(ExitReason::from(status))),
            Err(_still_running) => Outcome::Answered(Err(Failure::TruncatedResponse)),
        }
    }

    /// Waits for the caller, or until the engine stops.
    async fn room(&mut self, job: &mut Job) {
        poll_fn(|cx| {
            if self.killed.as_mut().poll(cx).is_ready() {
                return Poll::Ready(());
            }
            job.caller.poll_room(cx)
        })
        .await;
    }

    /// As [`Instance::poll_wake`], but the channel is read only while the caller has room.
    fn poll_streaming(&mut self, job: &mut Job, cx: &mut Context<'_>) -> Poll<Wake> {
        if job.caller.poll_room(cx).is_pending() {
            self.channel.poll_background(cx);
        } else if let Poll::Ready(event) = self.channel.poll_event(cx) {
            return Poll::Ready(Wake::Channel(event));
        }
        self.poll_besides_channel(cx)
    }
}
