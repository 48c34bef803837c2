//! The pipe behind a function's standard output and error.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe;

use super::journal::Journal;

const CHUNK_BYTES: usize = 16 * 1024;
/// What is read at most when an answer has come: more than the pipe can have held by then. A thread
/// that goes on printing must not keep its invocation from ending.
const DRAIN_BYTES: usize = 1024 * 1024;

/// The reading end. Reads only while the journal has room.
#[derive(Debug)]
pub(crate) struct Output {
    /// None after its end.
    pipe: Option<pipe::Receiver>,
    /// Allocated when something is printed.
    chunk: Vec<u8>,
}

impl Output {
    /// A new pipe: the reading end, and the writing end to be inherited.
    pub(crate) fn pipe() -> io::Result<(Self, OwnedFd)> {
        let (reader, writer) = io::pipe()?;
        let pipe = pipe::Receiver::from_owned_fd(reader.into())?;
        Ok((
            Self {
                pipe: Some(pipe),
                chunk: Vec::new(),
            },
            writer.into(),
        ))
    }

    /// Moves what was printed into the journal until there is no more for now. Ready at the end.
    pub(crate) fn poll_into(&mut self, journal: &mut Journal, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(journal.poll_room(cx));
            if ready!(self.poll_chunk(journal, cx)) == 0 {
                return Poll::Ready(());
            }
        }
    }

    /// Moves what is in the pipe now, waiting for room but not for more output.
    pub(crate) async fn drain_into(&mut self, journal: &mut Journal) {
        let mut total = 0;
        while total < DRAIN_BYTES {
            poll_fn(|cx| journal.poll_room(cx)).await;
            match poll_fn(|cx| Poll::Ready(self.poll_chunk(journal, cx))).await {
                Poll::Ready(read) if read > 0 => total += read,
                Poll::Ready(_) | Poll::Pending => return,
            }
        }
    }

    /// Moves one chunk; nothing at the end of the pipe.
    fn poll_chunk(&mut self, journal: &mut Journal, cx: &mut Context<'_>) -> Poll<usize> {
        let Some(pipe) = &mut self.pipe else {
            return Poll::Ready(0);
        };
        // before the buffer is made: most functions print nothing most of the time
        if let Err(error) = ready!(pipe.poll_read_ready(cx)) {
            tracing::debug!(%error, "cannot wait for an instance's output");
        }
        self.chunk.resize(CHUNK_BYTES, 0);
        let mut buffer = ReadBuf::new(&mut self.chunk);
        let result = ready!(Pin::new(pipe).poll_read(cx, &mut buffer));
        let read = buffer.filled();
        if result.is_err() || read.is_empty() {
            self.pipe = None;
            return Poll::Ready(0);
        }
        journal.output(read);
        Poll::Ready(read.len())
    }
}
