//! Two pipes: the way of frames to a function and back.
//!
//! A Unix socket would do with one descriptor, but its kernel side wakes the writer whenever the
//! other end has read, and a blocked reader whenever something it wrote was read: two wake-ups across
//! processors per event, for nothing. Pipes wake only who has something to do.
//!
//! What is short goes to the function as a *packet*: a read returns one packet and never parts of two.
//! So several events can wait in the pipe, and what the function has not read can be taken out again,
//! event by event.

use std::io::{self, ErrorKind, IoSlice, Read};
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::net::unix::pipe;

use crate::sandbox::ChannelEnds;

/// The longest packet: `PIPE_BUF`, up to which a pipe takes all or nothing.
pub(super) const PACKET_BYTES: usize = 4 * 1024;
/// What is read at once while nothing larger is expected.
const READ_BYTES: usize = 4 * 1024;
/// What is read at once of something large: what a pipe holds.
const LARGE_READ_BYTES: usize = 64 * 1024;

/// The host's ends.
#[derive(Debug)]
pub(super) struct Link {
    to: pipe::Sender,
    /// Whether what is written to `to` becomes packets now.
    packets: bool,
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
            packets: false,
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

    /// Whether what is written next is to be a packet. False when it cannot be.
    pub(super) fn use_packets(&mut self, wanted: bool) -> bool {
        if self.packets != wanted && self.unread.is_some() && set_packets(&self.to, wanted) {
            self.packets = wanted;
        }
        self.packets
    }

    /// Writes both, which together are no more than [`PACKET_BYTES`], or nothing.
    pub(super) fn try_write_packet(&self, head: &[u8], payload: &[u8]) -> bool {
        let written = self
            .to
            .try_write_vectored(&[IoSlice::new(head), IoSlice::new(payload)]);
        written.is_ok_and(|written| written == head.len() + payload.len())
    }

    /// Takes all packets that the function has not read out of the pipe again, in one step: one by one,
    /// the function could read the second after the first was taken. None is taken where the system
    /// cannot do that.
    pub(super) fn take_packets_back(&mut self) -> Vec<Vec<u8>> {
        let Some(unread) = &self.unread else {
            return Vec::new();
        };
        move_packets(unread).unwrap_or_else(|error| {
            tracing::debug!(%error, "events cannot be taken back from an instance");
            Vec::new()
        })
    }

    /// Takes what the function has not read out of the pipe again, at most `most` bytes, and counts it.
    pub(super) fn take_back(&mut self, most: usize) -> usize {
        let mut back = vec![0; most];
        let mut taken = 0;
        while let Some(rest @ [_, ..]) = back.get_mut(taken..) {
            match self.read_back(rest) {
                0 => break,
                read => taken += read,
            }
        }
        taken
    }

    /// 0 when nothing is left, or it cannot be read: then it counts as read by the function.
    fn read_back(&mut self, into: &mut [u8]) -> usize {
        let Some(unread) = &mut self.unread else { return 0 };
        loop {
            match unread.read(into) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => return read.unwrap_or(0),
            }
        }
    }
}

/// Packets are what pipes call direct: pipe(2), `O_DIRECT`.
#[cfg(target_os = "linux")]
fn set_packets(pipe: &pipe::Sender, wanted: bool) -> bool {
    use rustix::fs::{OFlags, fcntl_setfl};

    let flags = OFlags::WRONLY | OFlags::NONBLOCK;
    let direct = if wanted { OFlags::DIRECT } else { OFlags::empty() };
    fcntl_setfl(pipe, flags | direct)
        .inspect_err(|error| tracing::debug!(%error, "events cannot wait in the pipes of instances"))
        .is_ok()
}

#[cfg(not(target_os = "linux"))]
fn set_packets(_pipe: &pipe::Sender, _wanted: bool) -> bool {
    false
}

/// Moves what is in a pipe to another with splice(2), which holds the locks of both until all is moved,
/// and reads it there. Packets stay packets.
#[cfg(target_os = "linux")]
fn move_packets(unread: &std::fs::File) -> io::Result<Vec<Vec<u8>>> {
    use rustix::pipe::{SpliceFlags, fcntl_getpipe_size, splice};

    let (mut taken, aside) = io::pipe()?;
    // one who has very many pipes gets small ones, which take a part only
    if fcntl_getpipe_size(&aside)? < fcntl_getpipe_size(unread)? {
        return Err(io::Error::other("the pipe to put events aside is too small"));
    }
    match splice(
        unread,
        None,
        &aside,
        None,
        LARGE_READ_BYTES,
        SpliceFlags::NONBLOCK,
    ) {
        // the pipe is empty
        Err(rustix::io::Errno::AGAIN) => return Ok(Vec::new()),
        moved => moved?,
    };
    drop(aside);
    let mut packets = Vec::new();
    loop {
        let mut packet = vec![0; PACKET_BYTES];
        match taken.read(&mut packet) {
            Ok(0) => return Ok(packets),
            Ok(length) => packet.truncate(length),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        packets.push(packet);
    }
}

#[cfg(not(target_os = "linux"))]
fn move_packets(_unread: &std::fs::File) -> io::Result<Vec<Vec<u8>>> {
    Ok(Vec::new())
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
