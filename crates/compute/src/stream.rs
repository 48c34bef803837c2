//! Streamed answers: what a function writes reaches its caller while the function still works.
//!
//! ```text
//! function ── channel ── driver ── bounded queue ── StreamBody ── caller
//! ```
//!
//! A caller that reads slowly fills the queue; the driver then stops reading the channel and the
//! function's writes wait. AWS lets the first 6 MB through at full speed and the rest at 2 MB/s; here
//! nothing but the reader's own speed holds a stream back. The function's timeout goes on meanwhile.
//! A caller that goes away loses the rest; the invocation runs to its end.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::PollSender;
use tradewind_model::Qualifier;
use tradewind_model::limits::{STREAMED_PAYLOAD_BYTES, SYNC_PAYLOAD_BYTES};

use crate::error::InvokeError;
use crate::failure::{Failure, reported};
use crate::spec::{FunctionErrorKind, InvokeResponse};

/// Pieces that may wait for the caller.
const QUEUED_PIECES: usize = 16;
/// The largest piece; larger ones are cut, without copying.
const PIECE_BYTES: usize = 64 * 1024;

/// What a function answers as it comes.
#[derive(Debug)]
pub struct StreamedResponse {
    /// What the function says its body is. `application/vnd.awslambda.http-integration-response` means
    /// that the body begins with a JSON object (`statusCode`, `headers`, `cookies`) and eight NUL bytes.
    /// None when it answered in one piece.
    pub content_type: Option<String>,
    /// The version that runs (`X-Amz-Executed-Version`).
    pub executed_version: Qualifier,
    /// The body, and how it ends.
    pub body: StreamBody,
}

/// The events of a streamed answer: any number of chunks, then one completion. Dropping it loses what
/// is left, and does not disturb the invocation.
#[derive(Debug)]
pub struct StreamBody(mpsc::Receiver<StreamEvent>);

impl StreamBody {
    /// The next event. None after the completion; before it only when the instance was lost.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<StreamEvent> {
        self.0.recv().await
    }

    /// The same, for bodies that are polled.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<StreamEvent>> {
        self.0.poll_recv(cx)
    }
}

/// What comes of a streamed answer (`InvokeWithResponseStreamResponseEvent`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamEvent {
    /// Some of the body; never empty.
    Chunk(Bytes),
    /// There is no more.
    Complete {
        /// Why the body is not whole, or not there at all.
        error: Option<StreamError>,
        /// The last 4 KB of this invocation's log, when it was asked for.
        log_tail: Option<Vec<u8>>,
    },
}

/// What went wrong before or after a stream began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamError {
    /// As `X-Amz-Function-Error` has it.
    pub kind: FunctionErrorKind,
    /// Lambda's or the function's error type.
    pub error_type: String,
    /// The error object, JSON text.
    pub body: Bytes,
}

/// What the caller of a whole answer gets.
pub(crate) type Reply = Result<InvokeResponse, InvokeError>;
/// What the caller of a streamed one gets first.
pub(crate) type StreamReply = Result<StreamedResponse, InvokeError>;

/// Where an invocation's answer goes.
#[derive(Debug)]
pub(crate) enum Caller {
    /// To one who waits for all of it. What is streamed to it is collected.
    Whole {
        reply: oneshot::Sender<Reply>,
        collected: Collected,
    },
    /// To one who takes it as it comes, and waits for its begin.
    Waiting(oneshot::Sender<StreamReply>),
    /// To one who reads it.
    Reading(Box<Reading>),
}

/// A streamed answer on its way into one piece.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    content: BytesMut,
    too_large: bool,
}

/// A stream that has begun.
#[derive(Debug)]
pub(crate) struct Reading {
    pieces: PollSender<StreamEvent>,
    /// The place of the completion, kept free from the beginning: the end never waits.
    end: mpsc::OwnedPermit<StreamEvent>,
    /// What of the last chunk waits for room.
    rest: Bytes,
    bytes: usize,
}

impl Caller {
    pub(crate) fn whole(reply: oneshot::Sender<Reply>) -> Self {
        Self::Whole {
            reply,
            collected: Collected::default(),
        }
    }

    /// Whether it takes the answer as it comes.
    pub(crate) fn is_streamed(&self) -> bool {
        !matches!(self, Self::Whole { .. })
    }

    /// The function begins to write.
    pub(crate) fn begin(&mut self, content_type: Option<String>, executed_version: Qualifier) {
        if matches!(self, Self::Waiting(_)) {
            let (reading, body) = Reading::new();
            if let Self::Waiting(reply) = std::mem::replace(self, Self::Reading(reading)) {
                // a caller that went away is no trouble
                drop(reply.send(Ok(StreamedResponse {
                    content_type,
                    executed_version,
                    body,
                })));
            }
        }
    }

    /// Takes some of the body. Only when there is [room](Self::poll_room).
    pub(crate) fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Whole { collected, .. } => collected.push(&chunk),
            Self::Waiting(_) => {}
            Self::Reading(reading) => reading.push(chunk),
        }
    }

    /// Ready when the caller has taken so much that more may be read from the function.
    pub(crate) fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Reading(reading) => reading.poll_room(cx),
            Self::Whole { .. } | Self::Waiting(_) => Poll::Ready(()),
        }
    }

    /// What of a stream was passed on, besides what [`end`](Self::end) gives.
    pub(crate) fn streamed_bytes(&self) -> usize {
        match self {
            Self::Reading(reading) => reading.bytes,
            Self::Whole { .. } | Self::Waiting(_) => 0,
        }
    }

    /// What a stream that ended well amounts to: its content, when it was collected.
    pub(crate) fn end(&mut self) -> Result<Bytes, Failure> {
        match self {
            Self::Whole { collected, .. } if collected.too_large => Err(Failure::ResponseTooLarge),
            Self::Whole { collected, .. } => Ok(std::mem::take(&mut collected.content).freeze()),
            Self::Reading(reading) if reading.bytes > STREAMED_PAYLOAD_BYTES => {
                Err(Failure::ResponseTooLarge)
            }
            Self::Reading(_) | Self::Waiting(_) => Ok(Bytes::new()),
        }
    }

    /// Answers. After a stream this is its completion, and the payload is only that of an error.
    pub(crate) fn answer(self, reply: Reply) {
        match self {
            // callers that went away are no trouble, here and below
            Self::Whole { reply: caller, .. } => drop(caller.send(reply)),
            Self::Waiting(caller) => drop(caller.send(reply.map(in_one_piece))),
            Self::Reading(reading) => reading.complete(reply),
        }
    }
}

impl Collected {
    fn push(&mut self, chunk: &[u8]) {
        self.too_large |= self.content.len() + chunk.len() > SYNC_PAYLOAD_BYTES;
        if self.too_large {
            self.content = BytesMut::new();
        } else {
            self.content.extend_from_slice(chunk);
        }
    }
}

impl Reading {
    fn new() -> (Box<Self>, StreamBody) {
        let (sender, receiver) = mpsc::channel(QUEUED_PIECES + 1);
        let end = sender
            .clone()
            .try_reserve_owned()
            .expect("invariant: a new channel is open and has room");
        let reading = Self {
            pieces: PollSender::new(sender),
            end,
            rest: Bytes::new(),
            bytes: 0,
        };
        (Box::new(reading), StreamBody(receiver))
    }

    fn push(&mut self, chunk: Bytes) {
        self.bytes = self.bytes.saturating_add(chunk.len());
        if self.bytes <= STREAMED_PAYLOAD_BYTES {
            self.rest = chunk;
        }
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.rest.is_empty() {
            let open = ready!(self.pieces.poll_reserve(cx)).is_ok();
            let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
            if !open || self.pieces.send_item(StreamEvent::Chunk(piece)).is_err() {
                // nobody reads: the rest is for nobody
                self.rest = Bytes::new();
            }
        }
        Poll::Ready(())
    }

    fn complete(self, reply: Reply) {
        let (error, log_tail) = match reply {
            Ok(response) => (stream_error(&response), response.log_tail),
            Err(error) => (Some(lost(error)), None),
        };
        self.end.send(StreamEvent::Complete { error, log_tail });
    }
}

/// A whole answer for a caller that takes streams.
fn in_one_piece(response: InvokeResponse) -> StreamedResponse {
    let error = stream_error(&response);
    let (sender, receiver) = mpsc::channel(2);
    let chunk =
        (error.is_none() && !response.payload.is_empty()).then_some(StreamEvent::Chunk(response.payload));
    let complete = StreamEvent::Complete {
        error,
        log_tail: response.log_tail,
    };
    for event in chunk.into_iter().chain([complete]) {
        sender
            .try_send(event)
            .expect("invariant: there is room for two events");
    }
    StreamedResponse {
        content_type: None,
        executed_version: response.executed_version,
        body: StreamBody(receiver),
    }
}

fn stream_error(response: &InvokeResponse) -> Option<StreamError> {
    let kind = response.error?;
    let (error_type, _message) = reported(&response.payload);
    Some(StreamError {
        kind,
        error_type,
        body: response.payload.clone(),
    })
}

/// The node's own trouble in the middle of a stream.
fn lost(error: InvokeError) -> StreamError {
    let failure = Failure::Node(error);
    let body = failure.body("");
    let (error_type, _message) = reported(&body);
    StreamError {
        kind: FunctionErrorKind::Unhandled,
        error_type,
        body,
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn streamed() -> (Caller, oneshot::Receiver<StreamReply>) {
        let (sender, reply) = oneshot::channel();
        (Caller::Waiting(sender), reply)
    }

    fn whole() -> (Caller, oneshot::Receiver<Reply>) {
        let (sender, reply) = oneshot::channel();
        (Caller::whole(sender), reply)
    }

    fn response(payload: &'static [u8], error: Option<FunctionErrorKind>) -> InvokeResponse {
        InvokeResponse {
            payload: Bytes::from_static(payload),
            error,
            log_tail: None,
            executed_version: Qualifier::Latest,
        }
    }

    async fn room(caller: &mut Caller) -> bool {
        poll_fn(|cx| Poll::Ready(caller.poll_room(cx).is_ready())).await
    }

    const COMPLETE: StreamEvent = StreamEvent::Complete {
        error: None,
        log_tail: None,
    };

    #[tokio::test]
    async fn a_slow_reader_holds_the_writer_back_and_the_end_never_waits() {
        let (mut caller, reply) = streamed();
        caller.begin(Some("text/plain".into()), Qualifier::Latest);
        let mut response_seen = reply.await.unwrap().unwrap();
        assert_eq!(response_seen.content_type.as_deref(), Some("text/plain"));
        let chunk = Bytes::from(vec![7; (QUEUED_PIECES + 1) * PIECE_BYTES]);
        caller.push(chunk.clone());
        assert!(!room(&mut caller).await);
        let mut seen = Vec::new();
        let Some(StreamEvent::Chunk(first)) = response_seen.body.next().await else {
            panic!()
        };
        assert_eq!(first.len(), PIECE_BYTES);
        seen.extend_from_slice(&first);
        assert!(room(&mut caller).await);
        caller.push(Bytes::from_static(b"last"));
        assert!(!room(&mut caller).await);
        caller.answer(Ok(response(b"", None)));
        let mut events = Vec::new();
        while let Some(event) = response_seen.body.next().await {
            events.push(event);
        }
        assert_eq!(events.pop(), Some(COMPLETE));
        for event in events {
            let StreamEvent::Chunk(piece) = event else {
                panic!()
            };
            seen.extend_from_slice(&piece);
        }
        assert_eq!(seen, chunk);
    }

    #[tokio::test]
    async fn what_nobody_reads_is_dropped_at_once() {
        let (mut caller, reply) = streamed();
        caller.begin(None, Qualifier::Latest);
        drop(reply);
        for _ in 0..100 {
            caller.push(Bytes::from(vec![0; PIECE_BYTES]));
            assert!(room(&mut caller).await);
        }
        caller.answer(Ok(response(b"", None)));
    }

    #[tokio::test]
    async fn a_buffered_caller_gets_a_stream_in_one_piece_up_to_its_limit() {
        let (mut caller, _reply) = whole();
        caller.begin(None, Qualifier::Latest);
        caller.push(Bytes::from_static(b"one "));
        caller.push(Bytes::from_static(b"two"));
        assert_eq!(caller.end(), Ok(Bytes::from_static(b"one two")));
        let (mut caller, _reply) = whole();
        for _ in 0..7 {
            caller.push(Bytes::from(vec![0; 1024 * 1024]));
        }
        assert_eq!(caller.end(), Err(Failure::ResponseTooLarge));
    }

    #[tokio::test]
    async fn a_streaming_caller_gets_a_whole_answer_as_one_chunk() {
        let (caller, reply) = streamed();
        caller.answer(Ok(response(b"{}", None)));
        let mut seen = reply.await.unwrap().unwrap();
        assert_eq!(seen.content_type, None);
        assert_eq!(
            seen.body.next().await,
            Some(StreamEvent::Chunk(Bytes::from_static(b"{}")))
        );
        assert_eq!(seen.body.next().await, Some(COMPLETE));
        assert_eq!(seen.body.next().await, None);
    }

    #[tokio::test]
    async fn an_error_is_in_the_completion_only() {
        let (caller, reply) = streamed();
        let body = br#"{"errorType":"E","errorMessage":"m"}"#;
        caller.answer(Ok(response(body, Some(FunctionErrorKind::Unhandled))));
        let mut seen = reply.await.unwrap().unwrap();
        let Some(StreamEvent::Complete {
            error: Some(error), ..
        }) = seen.body.next().await
        else {
            panic!()
        };
        assert_eq!((error.error_type.as_str(), error.body.as_ref()), ("E", &body[..]));
    }

    #[tokio::test]
    async fn two_hundred_megabytes_are_the_limit() {
        let (mut caller, reply) = streamed();
        caller.begin(None, Qualifier::Latest);
        drop(reply);
        let megabyte = Bytes::from(vec![0; 1024 * 1024]);
        for _ in 0..200 {
            caller.push(megabyte.clone());
        }
        assert_eq!(caller.end(), Ok(Bytes::new()));
        caller.push(Bytes::from_static(b"x"));
        assert_eq!(caller.end(), Err(Failure::ResponseTooLarge));
    }
}
