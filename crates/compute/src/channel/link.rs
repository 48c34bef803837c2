//! Two pipes: the way of frames to a function and back.
//!
//! A Unix socket would do with one descriptor, but its kernel side wakes the writer whenever the
//! other end has read, and a blocked reader whenever something it wrote was read: two wake-ups across
//! processors per event, for nothing. Pipes wake only who has something to do.

use std::io::{self, ErrorKind, IoSlice, Read};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::net::unix::pipe;

use crate::sandbox::ChannelEnds;

/// What is read at once while nothing larger is expected.
const READ_BYTES: usize = 4 * 1024;
/// What is read at once of something large: what a pipe holds.
const LARGE_READ_BYTES: usize = 64 * 1024;

/// The host's ends.
#[derive(Debug)]
pub(super) struct Link {
    to: pipe::Sender,
    from: pipe::Receiver,
    /// The function's end of `to`, opened once more to take back what it has not read. Where the
    /// system cannot do that, nothing is ever taken back.
    unread: Option<std::fs::File>,
}

impl Link {
    /// New pipes: the host's ends, and the function's to be inherited.
    pub(super) fn new() -> io::Result<(Self, ChannelEnds)> {
        let (input, to) = io::pipe()?;
        let (from, output) = io::pipe()?;
        let input = OwnedFd::from(input);
        let link = Self {
            to: pipe::Sender::from_owned_fd(to.into())?,
            from: pipe::Receiver::from_owned_fd(from.into())?,
            unread: second_reader(&input),
        };
        let output = OwnedFd::from(output);
        Ok((link, ChannelEnds { input, output }))
    }

    /// Adds to `received` what has come, of which `missing` more bytes are expected. Ready with 0 at
    /// the end.
    pub(super) fn poll_read(
        &self,
        received: &mut BytesMut,
        missing: usize,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let wanted = if missing > READ_BYTES {
            LARGE_READ_BYTES
        } else {
            READ_BYTES
        };
        loop {
            ready!(self.from.poll_read_ready(cx))?;
            received.reserve(wanted);
            match self.from.try_read_buf(received) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }

    /// Writes some of `parts`, in one system call unless the pipe is full.
    pub(super) fn poll_write(&self, parts: &[IoSlice<'_>], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        loop {
            match self.to.try_write_vectored(parts) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.to.poll_write_ready(cx))?,
                written => return Poll::Ready(written),
            }
        }
    }

    /// Whether the function has read all that was written. Never where that cannot be told.
    pub(super) fn is_read(&self) -> bool {
        let unread = self.unread.as_ref().map(rustix::io::ioctl_fionread);
        matches!(unread, Some(Ok(0)))
    }

    /// Writes both, which together are no more than `PIPE_BUF`, or nothing. Gives their length.
    pub(super) fn try_write_whole(&self, head: &[u8], payload: &[u8]) -> Option<usize> {
        let whole = head.len() + payload.len();
        let written = self
            .to
            .try_write_vectored(&[IoSlice::new(head), IoSlice::new(payload)]);
        (written.ok()? == whole).then_some(whole)
    }

    /// Takes what the function has not read out of the pipe again, at most `most` bytes, and counts it.
    pub(super) fn take_back(&mut self, most: usize) -> usize {
        let Some(unread) = &mut self.unread else { return 0 };
        let mut back = vec![0; most];
        let mut taken = 0;
        while let Some(rest @ [_, ..]) = back.get_mut(taken..) {
            match unread.read(rest) {
                Ok(0) => break,
                Ok(read) => taken += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // nothing is left, or it cannot be read: then it counts as read by the function
                Err(_) => break,
            }
        }
        taken
    }
}

/// A reader of the same pipe that does not block, whatever the function does with its own.
#[cfg(target_os = "linux")]
fn second_reader(input: &OwnedFd) -> Option<std::fs::File> {
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let path = format!("/proc/self/fd/{}", input.as_raw_fd());
    let opened = std::fs::File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    opened
        .inspect_err(|error| tracing::debug!(%error, "events cannot be taken back from instances"))
        .ok()
}

#[cfg(not(target_os = "linux"))]
fn second_reader(_input: &OwnedFd) -> Option<std::fs::File> {
    None
}
