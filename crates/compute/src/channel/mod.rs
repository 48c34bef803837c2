//! The runtime channel: how an instance is given an event and gives its answer.
//!
//! Managed runtimes speak frames over inherited pipes ([`Frames`]); executables that bring their
//! own runtime, and every official runtime client, speak the Lambda Runtime API ([`RuntimeApi`]).
//! Both are polled by the instance's driver and by nothing else.

mod decode;
mod extensions;
#[cfg(test)]
mod extensions_tests;
mod frames;
mod link;
mod responses;
mod runtime_api;
#[cfg(test)]
mod runtime_api_tests;

pub(crate) use extensions::{FunctionFacts, MAX_EXTENSIONS};
pub(crate) use frames::Frames;
pub(crate) use runtime_api::RuntimeApi;

use std::ffi::OsString;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;

use crate::failure::Failure;

/// An event on its way to the function.
#[derive(Clone, Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) request_id: &'a str,
    /// When the function must have answered, Unix milliseconds.
    pub(crate) deadline_ms: i64,
    pub(crate) function_arn: &'a str,
    pub(crate) trace_id: &'a str,
    pub(crate) client_context: Option<&'a str>,
    pub(crate) payload: Bytes,
    /// Whether the caller takes the answer as it comes.
    pub(crate) streamed: bool,
}

/// What comes back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ChannelEvent {
    /// The function has initialised or, on the Runtime API, asks for the next event.
    Ready,
    /// A part of the package's compiled code, from a process that was started to make it.
    Prepared(Bytes),
    /// It could not initialise, and says why.
    InitError(Bytes),
    /// The answer to the delivered event.
    Answer(Result<Bytes, Failure>),
    /// The answer begins to come, in chunks; the first of them are at hand.
    StreamBegin {
        content_type: Option<String>,
        first: Bytes,
    },
    /// More of it.
    StreamChunk(Bytes),
    /// It is whole, or broke off.
    StreamEnd(Result<(), Failure>),
    /// The other end is gone. `untouched` when it never read what was sent last.
    Closed { untouched: bool },
    /// An extension failed, and the instance with it.
    Fault(Failure),
    /// What came is not the protocol.
    Broken(&'static str),
}

/// One of the two channels.
#[derive(Debug)]
pub(crate) enum Channel {
    Frames(Frames),
    RuntimeApi(RuntimeApi),
    /// Frames for the runtime, HTTP for its extensions.
    Extended(Box<Extended>),
}

/// A managed runtime that may have extensions.
#[derive(Debug)]
pub(crate) struct Extended {
    frames: Frames,
    api: RuntimeApi,
    /// The runtime has answered; the extensions may be at work.
    answered: bool,
}

impl Extended {
    pub(crate) fn new(frames: Frames, api: RuntimeApi) -> Self {
        let api = api.for_extensions_only();
        Self {
            frames,
            api,
            answered: false,
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<ChannelEvent> {
        while let Poll::Ready(event) = self.frames.poll_event(cx) {
            match event {
                ChannelEvent::Ready if !self.api.runtime_ready() => {}
                ChannelEvent::Answer(_) | ChannelEvent::StreamEnd(_) => {
                    // what speaks frames is ready when it has answered
                    self.answered = true;
                    return Poll::Ready(event);
                }
                event => return Poll::Ready(event),
            }
        }
        if std::mem::take(&mut self.answered) && self.api.runtime_ready() {
            return Poll::Ready(ChannelEvent::Ready);
        }
        self.api.poll_event(cx)
    }
}

impl Channel {
    /// Hands over an event; it goes out as the channel is polled.
    pub(crate) fn deliver(&mut self, delivery: &Delivery<'_>) {
        match self {
            Self::Frames(frames) => frames.deliver(delivery),
            Self::RuntimeApi(api) => api.deliver(delivery),
            Self::Extended(extended) => {
                extended.frames.deliver(delivery);
                extended.api.runtime_runs(delivery);
            }
        }
    }

    /// Queues an event behind the one that runs, where the function finds it without waiting for us.
    /// False, and nothing happened, when that is not possible now.
    pub(crate) fn deliver_ahead(&mut self, delivery: &Delivery<'_>) -> bool {
        match self {
            Self::Frames(frames) => frames.deliver_ahead(delivery),
            Self::RuntimeApi(_) | Self::Extended(_) => false,
        }
    }

    /// Takes the events that were queued ahead out again, and counts them: the last ones, for what the
    /// function has read by then, after it has answered the one before, cannot be taken back.
    pub(crate) fn take_back(&mut self) -> usize {
        match self {
            Self::Frames(frames) => frames.take_back(),
            Self::RuntimeApi(_) | Self::Extended(_) => 0,
        }
    }

    /// The running event has been answered: answers belong to the one that was queued ahead now.
    pub(crate) fn advance(&mut self) {
        if let Self::Frames(frames) = self {
            frames.advance();
        }
    }

    /// Tells a stem the environment of the function that it becomes; it goes out as the channel is polled.
    pub(crate) fn specialise(&mut self, environment: &[(OsString, OsString)]) {
        match self {
            Self::Frames(frames) => frames.specialise(environment),
            Self::RuntimeApi(_) | Self::Extended(_) => {
                debug_assert!(false, "invariant: stems speak frames");
            }
        }
    }

    /// What came back next.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<ChannelEvent> {
        match self {
            Self::Frames(frames) => frames.poll_event(cx),
            Self::RuntimeApi(api) => api.poll_event(cx),
            Self::Extended(extended) => extended.poll_event(cx),
        }
    }

    /// What must go on while nobody takes events.
    pub(crate) fn poll_background(&mut self, cx: &mut Context<'_>) {
        if let Some(api) = self.api() {
            api.poll_connections(cx);
        }
    }

    /// The process of an external extension ended.
    pub(crate) fn extension_exited(&mut self, name: &str) {
        if let Some(api) = self.api() {
            api.extension_exited(name);
        }
    }

    /// Tells extensions that the instance ends, and why. Gives how long that may take: two seconds with
    /// external extensions, half a second with internal ones, no time without.
    pub(crate) fn shut_down(&mut self, reason: &str, now_ms: i64) -> Duration {
        let Some(api) = self.api() else {
            return Duration::ZERO;
        };
        let now = api.extensions();
        let (limit, limit_ms) = match (now.external, now.any) {
            (true, _) => (Duration::from_secs(2), 2_000),
            (false, true) => (Duration::from_millis(500), 500),
            (false, false) => return Duration::ZERO,
        };
        api.shut_down(reason, now_ms + limit_ms);
        limit
    }

    /// Whether no extension is at work after [`shut_down`](Self::shut_down).
    pub(crate) fn is_shut_down(&mut self) -> bool {
        self.api().is_none_or(|api| !api.extensions().shutting_down)
    }

    fn api(&mut self) -> Option<&mut RuntimeApi> {
        match self {
            Self::Frames(_) => None,
            Self::RuntimeApi(api) => Some(api),
            Self::Extended(extended) => Some(&mut extended.api),
        }
    }

    /// Whether the function says itself when it can take the next event, after its answer.
    pub(crate) fn announces_readiness(&self) -> bool {
        matches!(self, Self::RuntimeApi(_) | Self::Extended(_))
    }
}
