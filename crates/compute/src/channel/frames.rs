//! Frames over a socket pair: the channel of managed runtimes.

use std::future::Future;
use std::io::{self, IoSlice};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tradewind_model::limits::SYNC_PAYLOAD_BYTES;

use super::decode::{Frame, decode, encode_invoke, missing};
use super::{ChannelEvent, Delivery};
use crate::failure::Failure;

/// What is read at once; also what an idle instance keeps.
const READ_BYTES: usize = 8 * 1024;

/// The host's end of the socket.
#[derive(Debug)]
pub(crate) struct Frames {
    socket: UnixStream,
    received: BytesMut,
    /// The head of the INVOKE frame being sent, and how much of it is out. Reused.
    head: Vec<u8>,
    sent: usize,
    payload: Bytes,
    request_id: Box<str>,
}

impl Frames {
    /// A new pair: the host's end, and the function's to be inherited.
    pub(crate) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let frames = Self {
            socket: UnixStream::from_std(ours)?,
            received: BytesMut::new(),
            head: Vec::with_capacity(256),
            sent: 0,
            payload: Bytes::new(),
            request_id: "".into(),
        };
        Ok((frames, theirs.into()))
    }

    /// See [`super::Channel::deliver`].
    pub(super) fn deliver(&mut self, delivery: &Delivery<'_>) {
        encode_invoke(delivery, &mut self.head);
        self.sent = 0;
        self.payload = delivery.payload.clone();
        self.request_id = delivery.request_id.into();
    }

    /// See [`super::Channel::poll_event`].
    pub(super) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<ChannelEvent> {
        // an answer may come before all was sent: from a function that does not read its events
        if let Poll::Ready(Err(error)) = self.poll_send(cx) {
            return Poll::Ready(closed(&error));
        }
        loop {
            match decode(&mut self.received) {
                Ok(Some(frame)) => match self.event_of(frame) {
                    Some(event) => return Poll::Ready(event),
                    None => continue,
                },
                Ok(None) => {}
                Err(why) => return Poll::Ready(ChannelEvent::Broken(why)),
            }
            match ready!(self.poll_receive(cx)) {
                Ok(0) => return Poll::Ready(ChannelEvent::Closed { untouched: false }),
                Ok(_) => {}
                Err(error) => return Poll::Ready(closed(&error)),
            }
        }
    }

    fn event_of(&mut self, frame: Frame) -> Option<ChannelEvent> {
        let event = match frame {
            Frame::Ready => ChannelEvent::Ready,
            Frame::InitError(body) => ChannelEvent::InitError(body),
            Frame::Log(_) => return None,
            Frame::Response { request_id, .. } | Frame::Error { request_id, .. }
                if *request_id != *self.request_id.as_bytes() =>
            {
                ChannelEvent::Broken("the runtime answered a request that it was not given")
            }
            Frame::Response { payload, .. } if payload.len() > SYNC_PAYLOAD_BYTES => {
                ChannelEvent::Answer(Err(Failure::ResponseTooLarge))
            }
            Frame::Response { payload, .. } => ChannelEvent::Answer(Ok(payload)),
            Frame::Error { payload, .. } => ChannelEvent::Answer(Err(Failure::Reported(payload))),
        };
        Some(event)
    }

    /// Head and payload leave in one system call, unless the socket's buffer is full.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(head) = self.head.get(self.sent..)
            && !(head.is_empty() && self.payload.is_empty())
        {
            match self
                .socket
                .try_write_vectored(&[IoSlice::new(head), IoSlice::new(&self.payload)])
            {
                Ok(written) => {
                    let of_head = written.min(head.len());
                    self.sent += of_head;
                    self.payload.advance(written - of_head);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(self.socket.poll_write_ready(cx))?;
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        // the event is out: nothing of it is kept while the function works
        self.payload = Bytes::new();
        Poll::Ready(Ok(()))
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.received.reserve(missing(&self.received).max(READ_BYTES / 2));
        // reads at once or not at all: nothing is lost with the future
        pin!(self.socket.read_buf(&mut self.received)).poll(cx)
    }
}

/// A peer that died with our bytes unread makes the kernel say so: such an event never reached its
/// function, and may go to another instance.
fn closed(error: &io::Error) -> ChannelEvent {
    let untouched = matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    );
    ChannelEvent::Closed { untouched }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read, Write};

    use super::super::decode::tests::{answer, frame};
    use super::super::decode::{MAX_FRAME_BYTES, READY};
    use super::*;

    fn pair() -> (Frames, std::os::unix::net::UnixStream) {
        let (frames, theirs) = Frames::pair().unwrap();
        (frames, theirs.into())
    }

    async fn event(frames: &mut Frames) -> ChannelEvent {
        poll_fn(|cx| frames.poll_event(cx)).await
    }

    fn delivery(payload: &Bytes) -> Delivery<'static> {
        Delivery {
            request_id: "r1",
            deadline_ms: 1,
            function_arn: "a",
            trace_id: "t",
            client_context: None,
            payload: payload.clone(),
        }
    }

    #[tokio::test]
    async fn an_event_goes_out_and_its_answer_comes_back() {
        let (mut frames, mut function) = pair();
        function.write_all(&frame(READY, b"")).unwrap();
        assert_eq!(event(&mut frames).await, ChannelEvent::Ready);
        let payload = Bytes::from_static(b"{\"a\":1}");
        frames.deliver(&delivery(&payload));
        function.write_all(&answer(18, "r1", b"\"ok\"")).unwrap();
        assert_eq!(
            event(&mut frames).await,
            ChannelEvent::Answer(Ok(Bytes::from_static(b"\"ok\"")))
        );
        let mut seen = vec![0; 64];
        let length = function.read(&mut seen).unwrap();
        assert!(seen[..length].ends_with(&payload));
    }

    #[tokio::test]
    async fn a_large_event_is_sent_as_the_function_reads() {
        let (mut frames, mut function) = pair();
        let payload = Bytes::from(vec![b'x'; SYNC_PAYLOAD_BYTES]);
        frames.deliver(&delivery(&payload));
        let reader = std::thread::spawn(move || {
            let mut length = [0; 4];
            function.read_exact(&mut length).unwrap();
            let mut rest = vec![0; u32::from_le_bytes(length) as usize];
            function.read_exact(&mut rest).unwrap();
            function.write_all(&answer(18, "r1", b"1")).unwrap();
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
    async fn garbage_foreign_ids_and_endless_frames_break_the_channel() {
        let endless = u32::try_from(MAX_FRAME_BYTES + 1).unwrap().to_le_bytes();
        for bytes in [
            b"hello, world".to_vec(),
            answer(18, "other", b"1"),
            endless.to_vec(),
        ] {
            let (mut frames, mut function) = pair();
            frames.deliver(&delivery(&Bytes::new()));
            function.write_all(&bytes).unwrap();
            assert!(
                matches!(event(&mut frames).await, ChannelEvent::Broken(_)),
                "{bytes:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_function_that_died_before_it_read_the_event_did_not_run_it() {
        for reads in [false, true] {
            let (mut frames, mut function) = pair();
            frames.deliver(&delivery(&Bytes::from_static(b"{}")));
            while frames.sent < frames.head.len() || !frames.payload.is_empty() {
                assert!(
                    poll_fn(|cx| Poll::Ready(frames.poll_event(cx)))
                        .await
                        .is_pending()
                );
                tokio::task::yield_now().await;
            }
            if reads {
                assert!(function.read(&mut [0; 256]).unwrap() > 0);
            }
            drop(function);
            assert_eq!(
                event(&mut frames).await,
                ChannelEvent::Closed { untouched: !reads }
            );
        }
    }
}
