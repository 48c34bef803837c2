//! Frames over a pair of pipes: the channel of managed runtimes.

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tradewind_model::limits::SYNC_PAYLOAD_BYTES;

use super::decode::{Frame, decode, encode_invoke, encode_specialise, missing};
use super::link::Link;
use super::{ChannelEvent, Delivery};
use crate::failure::Failure;
use crate::sandbox::ChannelEnds;

/// What separates an HTTP integration's prelude from the body.
const PRELUDE_END: [u8; 8] = [0; 8];

/// The host's ends.
#[derive(Debug)]
pub(crate) struct Frames {
    link: Link,
    received: BytesMut,
    /// The head of the INVOKE frame being sent, and how much of it is out. Reused.
    head: Vec<u8>,
    sent: usize,
    payload: Bytes,
    /// What of the event, head and payload, has been written.
    written: usize,
    request_id: Box<str>,
    ahead: Option<Ahead>,
}

/// An event that waits in the pipe behind the one that runs.
#[derive(Debug)]
struct Ahead {
    request_id: Box<str>,
    written: usize,
}

/// The largest frame that is queued ahead: `PIPE_BUF`, up to which a pipe takes all or nothing.
const AHEAD_BYTES: usize = 4 * 1024;

impl Frames {
    /// New pipes: the host's ends, and the function's to be inherited.
    pub(crate) fn new() -> io::Result<(Self, ChannelEnds)> {
        let (link, theirs) = Link::new()?;
        let frames = Self {
            link,
            received: BytesMut::new(),
            head: Vec::with_capacity(256),
            sent: 0,
            payload: Bytes::new(),
            written: 0,
            request_id: "".into(),
            ahead: None,
        };
        Ok((frames, theirs))
    }

    /// See [`super::Channel::deliver`].
    pub(super) fn deliver(&mut self, delivery: &Delivery<'_>) {
        encode_invoke(delivery, &mut self.head);
        self.sent = 0;
        self.written = 0;
        self.payload = delivery.payload.clone();
        self.request_id = delivery.request_id.into();
    }

    /// See [`super::Channel::deliver_ahead`].
    pub(super) fn deliver_ahead(&mut self, delivery: &Delivery<'_>) -> bool {
        let sent = self.sent == self.head.len() && self.payload.is_empty();
        let small = delivery.payload.len() <= AHEAD_BYTES;
        // a function that has read the running event reads no further before it has answered
        if !sent || !small || self.ahead.is_some() || !self.link.is_read() {
            return false;
        }
        encode_invoke(delivery, &mut self.head);
        self.sent = self.head.len();
        if self.head.len() + delivery.payload.len() > AHEAD_BYTES {
            return false;
        }
        let written = self.link.try_write_whole(&self.head, &delivery.payload);
        self.ahead = written.map(|written| Ahead {
            request_id: delivery.request_id.into(),
            written,
        });
        self.ahead.is_some()
    }

    /// See [`super::Channel::take_back`].
    pub(super) fn take_back(&mut self) -> bool {
        let Some(ahead) = self.ahead.take() else {
            return false;
        };
        let untouched = self.link.take_back(ahead.written) == ahead.written;
        if !untouched {
            self.ahead = Some(ahead);
        }
        untouched
    }

    /// See [`super::Channel::advance`].
    pub(super) fn advance(&mut self) {
        if let Some(ahead) = self.ahead.take() {
            self.request_id = ahead.request_id;
            self.written = ahead.written;
        }
    }

    /// See [`super::Channel::specialise`].
    pub(super) fn specialise(&mut self, environment: &[(OsString, OsString)]) {
        encode_specialise(environment, &mut self.head);
        self.sent = 0;
        self.written = 0;
        self.payload = Bytes::new();
    }

    /// See [`super::Channel::poll_event`].
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<ChannelEvent> {
        // an answer may come before all was sent: from a function that does not read its events
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            tracing::debug!(%error, "an event could not be sent whole");
            return Poll::Ready(self.closed());
        }
        loop {
            match decode(&mut self.received) {
                Ok(Some(frame)) => return Poll::Ready(self.event_of(frame)),
                Ok(None) => {}
                Err(why) => return Poll::Ready(ChannelEvent::Broken(why)),
            }
            let missing = missing(&self.received);
            match ready!(self.link.poll_read(&mut self.received, missing, cx)) {
                Ok(0) | Err(_) => return Poll::Ready(self.closed()),
                Ok(_) => {}
            }
        }
    }

    fn event_of(&self, frame: Frame) -> ChannelEvent {
        match frame {
            Frame::Ready => ChannelEvent::Ready,
            Frame::InitError(body) => ChannelEvent::InitError(body),
            Frame::Response { request_id, .. }
            | Frame::Error { request_id, .. }
            | Frame::StreamBegin { request_id, .. }
            | Frame::StreamChunk { request_id, .. }
            | Frame::StreamEnd { request_id, .. }
                if *request_id != *self.request_id.as_bytes() =>
            {
                ChannelEvent::Broken("the runtime answered a request that it was not given")
            }
            Frame::Response { payload, .. } if payload.len() > SYNC_PAYLOAD_BYTES => {
                ChannelEvent::Answer(Err(Failure::ResponseTooLarge))
            }
            Frame::Response { payload, .. } => ChannelEvent::Answer(Ok(payload)),
            Frame::Error { payload, .. } => ChannelEvent::Answer(Err(Failure::Reported(payload))),
            Frame::StreamBegin {
                content_type,
                prelude,
                ..
            } => stream_begin(&content_type, &prelude),
            Frame::StreamChunk { payload, .. } => ChannelEvent::StreamChunk(payload),
            Frame::StreamEnd { error, .. } if error.is_empty() => ChannelEvent::StreamEnd(Ok(())),
            Frame::StreamEnd { error, .. } => ChannelEvent::StreamEnd(Err(Failure::Reported(error))),
        }
    }

    /// The function is gone. An event of which it read nothing may go to another instance.
    fn closed(&mut self) -> ChannelEvent {
        // what waits ahead does so because the running event was read
        let untouched = self.ahead.is_none() && self.link.take_back(self.written) == self.written;
        ChannelEvent::Closed { untouched }
    }

    /// Head and payload leave in one system call, unless the socket's buffer is full.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(head) = self.head.get(self.sent..)
            && !(head.is_empty() && self.payload.is_empty())
        {
            let parts = [IoSlice::new(head), IoSlice::new(&self.payload)];
            let written = ready!(self.link.poll_write(&parts, cx))?;
            let of_head = written.min(head.len());
            self.sent += of_head;
            self.written += written;
            self.payload.advance(written - of_head);
        }
        // the event is out: nothing of it is kept while the function works
        self.payload = Bytes::new();
        Poll::Ready(Ok(()))
    }
}

/// A stream as it looks on the Runtime API, where an HTTP integration's prelude is the first of the body
/// and ends in eight NUL bytes.
fn stream_begin(content_type: &[u8], prelude: &[u8]) -> ChannelEvent {
    let mut first = BytesMut::from(prelude);
    if !prelude.is_empty() && !prelude.ends_with(&PRELUDE_END) {
        first.extend_from_slice(&PRELUDE_END);
    }
    let content_type = (!content_type.is_empty()).then(|| String::from_utf8_lossy(content_type).into_owned());
    ChannelEvent::StreamBegin {
        content_type,
        first: first.freeze(),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read, Write};

    use super::super::decode::tests::{answer, frame};
    use super::super::decode::{MAX_FRAME_BYTES, READY};
    use super::*;

    /// The function's side.
    struct Function {
        input: std::fs::File,
        output: std::fs::File,
    }

    fn pair() -> (Frames, Function) {
        let (frames, ends) = Frames::new().unwrap();
        let function = Function {
            input: ends.input.into(),
            output: ends.output.into(),
        };
        (frames, function)
    }

    async fn event(frames: &mut Frames) -> ChannelEvent {
        poll_fn(|cx| frames.poll_event(cx)).await
    }

    /// Until the event is in the pipe.
    async fn send_all(frames: &mut Frames) {
        while frames.sent < frames.head.len() || !frames.payload.is_empty() {
            let polled = poll_fn(|cx| Poll::Ready(frames.poll_event(cx))).await;
            assert!(polled.is_pending());
            tokio::task::yield_now().await;
        }
    }

    fn delivery(payload: &Bytes) -> Delivery<'static> {
        Delivery {
            request_id: "r1",
            deadline_ms: 1,
            function_arn: "a",
            trace_id: "t",
            client_context: None,
            payload: payload.clone(),
            streamed: false,
        }
    }

    #[tokio::test]
    async fn an_event_goes_out_and_its_answer_comes_back() {
        let (mut frames, mut function) = pair();
        function.output.write_all(&frame(READY, b"")).unwrap();
        assert_eq!(event(&mut frames).await, ChannelEvent::Ready);
        let payload = Bytes::from_static(b"{\"a\":1}");
        frames.deliver(&delivery(&payload));
        function.output.write_all(&answer(18, "r1", b"\"ok\"")).unwrap();
        assert_eq!(
            event(&mut frames).await,
            ChannelEvent::Answer(Ok(Bytes::from_static(b"\"ok\"")))
        );
        let mut seen = vec![0; 64];
        let length = function.input.read(&mut seen).unwrap();
        assert!(seen[..length].ends_with(&payload));
    }

    #[tokio::test]
    async fn a_large_event_is_sent_as_the_function_reads() {
        let (mut frames, mut function) = pair();
        let payload = Bytes::from(vec![b'x'; SYNC_PAYLOAD_BYTES]);
        frames.deliver(&delivery(&payload));
        let reader = std::thread::spawn(move || {
            let mut length = [0; 4];
            function.input.read_exact(&mut length).unwrap();
            let mut rest = vec![0; u32::from_le_bytes(length) as usize];
            function.input.read_exact(&mut rest).unwrap();
            function.output.write_all(&answer(18, "r1", b"1")).unwrap();
            rest.len()
        });
        assert_eq!(
            event(&mut frames).await,
            ChannelEvent::Answer(Ok(Bytes::from_static(b"1")))
        );
        assert!(reader.join().unwrap() > SYNC_PAYLOAD_BYTES);
    }

    #[tokio::test]
    async fn too_large_answers_are_lambdas_error() {
        let (mut frames, mut function) = pair();
        frames.deliver(&delivery(&Bytes::new()));
        let writer = std::thread::spawn(move || {
            function
                .output
                .write_all(&answer(18, "r1", &vec![b'x'; SYNC_PAYLOAD_BYTES + 1]))
                .unwrap();
            function
        });
        assert_eq!(
            event(&mut frames).await,
            ChannelEvent::Answer(Err(Failure::ResponseTooLarge))
        );
        drop(writer.join().unwrap());
    }

    #[tokio::test]
    async fn a_streamed_answer_comes_in_chunks_after_its_prelude() {
        let (mut frames, mut function) = pair();
        frames.deliver(&delivery(&Bytes::new()));
        let begin = frame(20, b"\x02\0\0\0r1\x01\0\0\0t{}");
        let bytes = [begin, answer(21, "r1", b"abc"), answer(22, "r1", b"{\"e\":1}")].concat();
        function.output.write_all(&bytes).unwrap();
        let begun = ChannelEvent::StreamBegin {
            content_type: Some("t".into()),
            first: Bytes::from_static(b"{}\0\0\0\0\0\0\0\0"),
        };
        assert_eq!(event(&mut frames).await, begun);
        assert_eq!(
            event(&mut frames).await,
            ChannelEvent::StreamChunk(Bytes::from_static(b"abc"))
        );
        let failure = Failure::Reported(Bytes::from_static(b"{\"e\":1}"));
        assert_eq!(event(&mut frames).await, ChannelEvent::StreamEnd(Err(failure)));
    }

    #[tokio::test]
    async fn garbage_foreign_ids_and_endless_frames_break_the_channel() {
        let endless = u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_le_bytes();
        for bytes in [
            b"hello, world".to_vec(),
            answer(18, "other", b"1"),
            answer(21, "other", b"1"),
            endless.to_vec(),
        ] {
            let (mut frames, mut function) = pair();
            frames.deliver(&delivery(&Bytes::new()));
            function.output.write_all(&bytes).unwrap();
            assert!(
                matches!(event(&mut frames).await, ChannelEvent::Broken(_)),
                "{bytes:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_event_waits_ahead_only_behind_one_that_was_read_and_can_be_taken_back() {
        let (mut frames, mut function) = pair();
        let payload = Bytes::from_static(b"{}");
        frames.deliver(&delivery(&payload));
        send_all(&mut frames).await;
        let second = Delivery {
            request_id: "r2",
            ..delivery(&payload)
        };
        assert!(!frames.deliver_ahead(&second), "the first is not read yet");
        let mut buffer = [0; 512];
        let first = function.input.read(&mut buffer).unwrap();
        assert!(frames.deliver_ahead(&second));
        assert!(!frames.deliver_ahead(&second), "one at most");
        assert!(frames.take_back());
        assert!(!frames.take_back());
        assert!(frames.deliver_ahead(&second));
        function.output.write_all(&answer(18, "r1", b"1")).unwrap();
        let one = ChannelEvent::Answer(Ok(Bytes::from_static(b"1")));
        assert_eq!(event(&mut frames).await, one);
        frames.advance();
        assert_eq!(function.input.read(&mut buffer).unwrap(), first);
        function.output.write_all(&answer(18, "r2", b"1")).unwrap();
        assert_eq!(event(&mut frames).await, one);
    }

    #[tokio::test]
    async fn what_waits_ahead_does_not_make_the_running_event_look_untouched() {
        let (mut frames, mut function) = pair();
        let payload = Bytes::from_static(b"{}");
        frames.deliver(&delivery(&payload));
        send_all(&mut frames).await;
        assert!(function.input.read(&mut [0; 512]).unwrap() > 0);
        assert!(frames.deliver_ahead(&delivery(&payload)));
        drop(function);
        assert_eq!(
            event(&mut frames).await,
            ChannelEvent::Closed { untouched: false }
        );
        assert!(frames.take_back());
    }

    #[tokio::test]
    async fn a_function_that_died_before_it_read_the_event_did_not_run_it() {
        for reads in [false, true] {
            let (mut frames, mut function) = pair();
            frames.deliver(&delivery(&Bytes::from_static(b"{}")));
            send_all(&mut frames).await;
            if reads {
                assert!(function.input.read(&mut [0; 256]).unwrap() > 0);
            }
            drop(function);
            assert_eq!(
                event(&mut frames).await,
                ChannelEvent::Closed { untouched: !reads }
            );
        }
    }
}
