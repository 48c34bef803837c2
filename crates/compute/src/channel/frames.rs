//! Frames over a pair of pipes: the channel of managed runtimes.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tradewind_model::limits::SYNC_PAYLOAD_BYTES;

use super::decode::{Frame, decode, encode_invoke, encode_specialise, missing};
use super::link::{Link, PACKET_BYTES};
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
    /// Whether the event that runs is one packet.
    packet: bool,
    request_id: Box<str>,
    /// The request ids of the events that were written behind the one that runs, as packets.
    ahead: VecDeque<Box<str>>,
    /// How many of the last of them have been taken out of the pipe again.
    back: usize,
}

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
            packet: false,
            request_id: "".into(),
            ahead: VecDeque::new(),
            back: 0,
        };
        Ok((frames, theirs))
    }

    /// See [`super::Channel::deliver`].
    pub(super) fn deliver(&mut self, delivery: &Delivery<'_>) {
        encode_invoke(delivery, &mut self.head);
        let short = self.head.len() + delivery.payload.len() <= PACKET_BYTES;
        self.packet = self.link.use_packets(short);
        self.sent = 0;
        self.written = 0;
        self.payload = delivery.payload.clone();
        self.request_id = delivery.request_id.into();
    }

    /// See [`super::Channel::deliver_ahead`].
    pub(super) fn deliver_ahead(&mut self, delivery: &Delivery<'_>) -> bool {
        let sent = self.sent == self.head.len() && self.payload.is_empty();
        // behind an event that is no packet the function could read more than one
        if !self.packet || !sent || delivery.payload.len() > PACKET_BYTES {
            return false;
        }
        encode_invoke(delivery, &mut self.head);
        self.sent = self.head.len();
        let written = self.head.len() + delivery.payload.len() <= PACKET_BYTES
            && self.link.try_write_packet(&self.head, &delivery.payload);
        if written {
            self.ahead.push_back(delivery.request_id.into());
        }
        written
    }

    /// See [`super::Channel::take_back`].
    pub(super) fn take_back(&mut self) -> usize {
        let running = self.empty_pipe();
        if let Some(running) = running {
            // it is the function's to read; its end may be gone, which is seen elsewhere
            self.link.try_write_packet(&running, &[]);
        }
        let back = std::mem::take(&mut self.back);
        self.ahead.truncate(self.ahead.len() - back);
        back
    }

    /// Takes every packet that the function has not read out of the pipe, and gives the running event if
    /// that is among them.
    fn empty_pipe(&mut self) -> Option<Vec<u8>> {
        if !self.packet {
            return None;
        }
        let packets = self.link.take_packets_back();
        self.back += packets.len();
        if self.back <= self.ahead.len() {
            return None;
        }
        self.back = self.ahead.len();
        packets.into_iter().next()
    }

    /// See [`super::Channel::advance`].
    pub(super) fn advance(&mut self) {
        if let Some(request_id) = self.ahead.pop_front() {
            self.request_id = request_id;
        }
    }

    /// See [`super::Channel::specialise`].
    pub(super) fn specialise(&mut self, environment: &[(OsString, OsString)]) {
        encode_specialise(environment, &mut self.head);
        self.packet = self.link.use_packets(false);
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
            Frame::Prepared(part) => ChannelEvent::Prepared(part),
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
        let untouched = if self.packet {
            self.written == 0 || self.empty_pipe().is_some()
        } else {
            self.link.take_back(self.written) == self.written
        };
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

    fn numbered(id: &'static str) -> Delivery<'static> {
        Delivery {
            request_id: id,
            ..delivery(&Bytes::from_static(b"{}"))
        }
    }

    /// Reads one event and gives its request id.
    fn read_id(function: &mut Function) -> String {
        let mut packet = [0; 512];
        let length = function.input.read(&mut packet).unwrap();
        let is_id = |pair: &&[u8]| pair[0] == b'r' && pair[1].is_ascii_digit();
        let id = packet[..length].windows(2).find(is_id).unwrap();
        String::from_utf8_lossy(id).into_owned()
    }

    #[tokio::test]
    async fn events_wait_ahead_and_are_read_one_by_one() {
        let (mut frames, mut function) = pair();
        frames.deliver(&numbered("r1"));
        send_all(&mut frames).await;
        assert!(frames.deliver_ahead(&numbered("r2")));
        assert!(frames.deliver_ahead(&numbered("r3")));
        for id in ["r1", "r2", "r3"] {
            assert_eq!(read_id(&mut function), id);
            function.output.write_all(&answer(18, id, b"1")).unwrap();
            let one = ChannelEvent::Answer(Ok(Bytes::from_static(b"1")));
            assert_eq!(event(&mut frames).await, one);
            frames.advance();
        }
    }

    #[tokio::test]
    async fn what_was_not_read_is_taken_back_and_the_running_event_stays() {
        for read in 0..4 {
            let (mut frames, mut function) = pair();
            frames.deliver(&numbered("r1"));
            send_all(&mut frames).await;
            assert!(frames.deliver_ahead(&numbered("r2")));
            assert!(frames.deliver_ahead(&numbered("r3")));
            for id in ["r1", "r2", "r3"].into_iter().take(read) {
                assert_eq!(read_id(&mut function), id);
            }
            assert_eq!(frames.take_back(), [2, 2, 1, 0][read]);
            assert_eq!(frames.take_back(), 0);
            if read == 0 {
                assert_eq!(read_id(&mut function), "r1");
            }
            function.output.write_all(&answer(18, "r1", b"1")).unwrap();
            let one = ChannelEvent::Answer(Ok(Bytes::from_static(b"1")));
            assert_eq!(event(&mut frames).await, one);
        }
    }

    #[tokio::test]
    async fn what_is_read_while_events_are_taken_back_is_what_was_left() {
        let (mut frames, mut function) = pair();
        let reader = std::thread::spawn(move || {
            loop {
                let id = read_id(&mut function);
                function.output.write_all(&answer(18, &id, b"1")).unwrap();
                if id == "r9" {
                    return;
                }
            }
        });
        let one = ChannelEvent::Answer(Ok(Bytes::from_static(b"1")));
        for _ in 0..20_000 {
            frames.deliver(&numbered("r1"));
            // until the event is out; its answer may be there by then
            let first = poll_fn(|cx| Poll::Ready(frames.poll_event(cx))).await;
            let ahead = ["r2", "r3", "r4"].map(|id| frames.deliver_ahead(&numbered(id)));
            let left = ahead.into_iter().filter(|given| *given).count() - frames.take_back();
            if first.is_pending() {
                assert_eq!(event(&mut frames).await, one);
            }
            for _ in 0..left {
                frames.advance();
                assert_eq!(event(&mut frames).await, one);
            }
        }
        frames.deliver(&numbered("r9"));
        assert_eq!(event(&mut frames).await, one);
        reader.join().unwrap();
    }

    #[tokio::test]
    async fn nothing_waits_behind_a_large_event_and_a_small_one_follows_it() {
        let (mut frames, mut function) = pair();
        let large = Bytes::from(vec![b'x'; PACKET_BYTES]);
        frames.deliver(&delivery(&large));
        send_all(&mut frames).await;
        assert!(!frames.deliver_ahead(&numbered("r2")));
        let mut whole = vec![0; 2 * PACKET_BYTES];
        assert!(function.input.read(&mut whole).unwrap() > PACKET_BYTES);
        function.output.write_all(&answer(18, "r1", b"1")).unwrap();
        assert!(matches!(event(&mut frames).await, ChannelEvent::Answer(Ok(_))));
        frames.deliver(&numbered("r2"));
        send_all(&mut frames).await;
        assert!(frames.deliver_ahead(&numbered("r3")));
        assert_eq!(read_id(&mut function), "r2");
        assert!(
            !frames.deliver_ahead(&delivery(&large)),
            "what is large is never ahead"
        );
    }

    #[tokio::test]
    async fn what_waits_ahead_does_not_make_the_running_event_look_untouched() {
        for reads in [false, true] {
            let (mut frames, mut function) = pair();
            frames.deliver(&numbered("r1"));
            send_all(&mut frames).await;
            if reads {
                assert_eq!(read_id(&mut function), "r1");
            }
            assert!(frames.deliver_ahead(&numbered("r2")));
            drop(function);
            assert_eq!(
                event(&mut frames).await,
                ChannelEvent::Closed { untouched: !reads }
            );
            assert_eq!(frames.take_back(), 1);
        }
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
