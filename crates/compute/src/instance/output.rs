//! The pipe behind a function's standard output and error.
//!
//! It is read at a pace: a function that floods its log is slowed down by its full pipe, instead of
//! taking the node's time from other functions.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe;
use tokio::time::{Instant, Sleep};

use super::journal::Journal;

const CHUNK_BYTES: usize = 16 * 1024;
/// What is read at most when an answer has come: more than the pipe can have held by then. A thread
/// that goes on printing must not keep its invocation from ending.
const DRAIN_BYTES: usize = 1024 * 1024;

/// So much is read of one instance in each [`PACE`].
const PACE_BYTES: usize = 1024 * 1024;
const PACE: Duration = Duration::from_millis(100);

/// The reading end. Reads only while the journal has room.
#[derive(Debug)]
pub(crate) struct Output {
    /// None after its end.
    pipe: Option<pipe::Receiver>,
    /// Allocated when something is printed.
    chunk: Vec<u8>,
    /// What was read since when.
    read: usize,
    since: Instant,
    /// Until when nothing more is read.
    pause: Option<Pin<Box<Sleep>>>,
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
                read: 0,
                since: Instant::now(),
                pause: None,
            },
            writer.into(),
        ))
    }

    /// Moves what was printed into the journal until there is no more for now. Ready at the end.
    pub(crate) fn poll_into(&mut self, journal: &mut Journal, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.poll_pace(cx));
            ready!(journal.poll_room(cx));
            let read = ready!(self.poll_chunk(journal, cx));
            if read == 0 {
                return Poll::Ready(());
            }
            self.read += read;
        }
    }

    /// Pending when enough was read for now.
    fn poll_pace(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.read < PACE_BYTES {
            return Poll::Ready(());
        }
        let until = self.since + PACE;
        let pause = self
            .pause
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        ready!(pause.as_mut().poll(cx));
        self.pause = None;
        self.read = 0;
        self.since = Instant::now();
        Poll::Ready(())
    }

    /// Moves what is in the pipe now, waiting for room but not for more output.
    pub(crate) async fn drain_into(&mut self, journal: &mut Journal) {
        let mut total = 0;
        while total < DRAIN_BYTES {
            poll_fn(|cx| journal.poll_room(cx)).await;
            match self.read_now(journal) {
                0 => return,
                read => total += read,
            }
        }
    }

    /// Moves one chunk if there is one; gives its length. The pipe itself is asked, since the news that it
    /// can be read may come later than the answer that was written after it.
    fn read_now(&mut self, journal: &mut Journal) -> usize {
        let Some(pipe) = &self.pipe else { return 0 };
        self.chunk.clear();
        self.chunk.reserve(CHUNK_BYTES);
        let read = rustix::io::read(pipe, rustix::buffer::spare_capacity(&mut self.chunk));
        if read.is_ok_and(|read| read > 0) {
            journal.output(&self.chunk);
        }
        read.unwrap_or(0)
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tradewind_model::Clock;
    use tradewind_observe::{LogOptions, LogStore};

    use super::*;
    use crate::spec::LoggingConfig;

    fn journal(dir: &tempfile::TempDir) -> Journal {
        let logs = LogStore::open(dir.path().join("logs"), Clock::system(), LogOptions::default()).unwrap();
        Journal::new(
            logs,
            Clock::system(),
            LoggingConfig::default(),
            "/g".into(),
            "s".into(),
        )
    }

    #[tokio::test]
    async fn what_was_printed_is_there_before_anybody_was_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal(&dir);
        let (mut output, writer) = Output::pipe().unwrap();
        let pending = poll_fn(|cx| Poll::Ready(output.poll_into(&mut journal, cx))).await;
        assert!(pending.is_pending());
        std::fs::File::from(writer).write_all(b"late\n").unwrap();
        // no turn of the event loop in between
        output.drain_into(&mut journal).await;
        assert!(journal.printed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_read_at_a_pace() {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = journal(&dir);
        let (mut output, writer) = Output::pipe().unwrap();
        let flood = std::thread::spawn(move || {
            let mut writer = std::fs::File::from(writer);
            writer.write_all(&vec![b'x'; 4 * PACE_BYTES]).unwrap();
        });
        let begun = Instant::now();
        poll_fn(|cx| output.poll_into(&mut journal, cx)).await;
        flood.join().unwrap();
        assert!(begun.elapsed() >= PACE * 3, "{:?}", begun.elapsed());
    }
}
