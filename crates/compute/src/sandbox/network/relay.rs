//! Copies between two TCP connections until both have said all.
//!
//! Connections of functions are idle most of their life, so an idle one has no buffer: all that run on a
//! thread share one.

use std::cell::RefCell;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// What is copied at a time.
const BUFFER_BYTES: usize = 64 * 1024;

thread_local! {
    /// Room for the largest packet. Borrowed between awaits, never across one.
    pub(super) static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
}

/// What went through, bytes of content.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// From the function.
    pub(crate) sent: AtomicU64,
    /// To the function.
    pub(crate) received: AtomicU64,
}

impl Traffic {
    pub(super) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// Copies both ways. An end of one direction is passed on while the other goes on; a connection that is
/// reset resets its peer.
pub(super) async fn relay(function: TcpStream, remote: TcpStream, traffic: &Traffic) {
    for stream in [&function, &remote] {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    }
    let (mut from_function, mut to_function) = function.into_split();
    let (mut from_remote, mut to_remote) = remote.into_split();
    let copied = tokio::try_join!(
        pump(&mut from_function, &mut to_remote, &traffic.sent),
        pump(&mut from_remote, &mut to_function, &traffic.received),
    );
    if let Err(error) = copied {
        tracing::trace!(%error, "a relayed connection broke");
        for stream in [from_function.as_ref(), from_remote.as_ref()] {
            reset(stream);
        }
        // dropped, they would say first that all is well
        to_function.forget();
        to_remote.forget();
    }
}

/// Copies one way, and ends the way when there is no more.
async fn pump(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, count: &AtomicU64) -> io::Result<()> {
    loop {
        from.readable().await?;
        let step = BUFFER.with_borrow_mut(|buffer| step(from, to, buffer));
        let rest = match step? {
            Step::Nothing => continue,
            Step::End => return tokio::io::AsyncWriteExt::shutdown(to).await,
            Step::Copied { bytes, rest } => {
                count.fetch_add(bytes, Ordering::Relaxed);
                rest
            }
        };
        write_all(to, &rest).await?;
    }
}

enum Step {
    Nothing,
    End,
    /// So much was read; what could not be written at once is left.
    Copied {
        bytes: u64,
        rest: Vec<u8>,
    },
}

fn step(from: &OwnedReadHalf, to: &OwnedWriteHalf, buffer: &mut [u8]) -> io::Result<Step> {
    let read = match from.try_read(buffer) {
        Ok(0) => return Ok(Step::End),
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Nothing),
        Err(error) => return Err(error),
    };
    let data = buffer.get(..read).unwrap_or_default();
    let written = match to.try_write(data) {
        Ok(written) => written,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        Err(error) => return Err(error),
    };
    Ok(Step::Copied {
        bytes: read as u64,
        rest: data.get(written..).unwrap_or_default().to_vec(),
    })
}

async fn write_all(to: &OwnedWriteHalf, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        to.writable().await?;
        match to.try_write(rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes the end of a connection an abortion of it.
pub(super) fn reset(stream: &TcpStream) {
    if let Err(error) = stream.set_zero_linger() {
        tracing::debug!(%error, "cannot reset a connection");
    }
}
