//! The UDP traffic of one instance: a socket of the node's for each pair of ends.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::task::{JoinError, JoinSet};

use super::egress::Egress;
use super::link;
use super::packet::{self, Packet, Unreachable};
use super::relay::BUFFER;

/// Sockets an instance may have open; datagrams for more are dropped.
const MAX_SOCKETS: usize = 512;
/// How long a socket may be quiet.
const IDLE: Duration = Duration::from_secs(60);
/// The same for questions of names: each comes from a port of its own, and is answered or not.
const IDLE_DOMAIN: Duration = Duration::from_secs(5);
const DOMAIN: u16 = 53;

type Ends = (SocketAddr, SocketAddr);

/// The sockets and the tasks that wait for their answers.
pub(super) struct Datagrams {
    egress: Arc<Egress>,
    sockets: HashMap<Ends, Arc<Socket>>,
    answers: JoinSet<Ends>,
}

struct Socket {
    socket: AsyncFd<UdpSocket>,
    /// Whether something was sent since this was last looked at.
    used: AtomicBool,
    /// The headers of the first datagram, for errors about it.
    quoted: Vec<u8>,
}

impl Datagrams {
    pub(super) fn new(egress: Arc<Egress>) -> Self {
        Self {
            egress,
            sockets: HashMap::new(),
            answers: JoinSet::new(),
        }
    }

    /// Sends what a function sends.
    pub(super) fn send(&mut self, packet: &Packet<'_>) {
        let ends = (packet.source, packet.destination);
        let known = self.sockets.get(&ends).map(Arc::clone);
        let Some(socket) = known.or_else(|| self.open(packet)) else {
            return;
        };
        socket.used.store(true, Ordering::Relaxed);
        match socket.socket.get_ref().send(packet.payload()) {
            Ok(sent) => self.egress.traffic.count_sent(sent),
            Err(error) => self.egress.undelivered(&error, packet.quoted(), packet.source),
        }
    }

    fn open(&mut self, packet: &Packet<'_>) -> Option<Arc<Socket>> {
        if self.sockets.len() >= MAX_SOCKETS {
            return None;
        }
        let remote = self.egress.allowed(packet)?;
        let permit = self.egress.world.permit(1)?;
        let socket = match connected(remote) {
            Ok(socket) => Arc::new(Socket {
                socket,
                used: AtomicBool::new(true),
                quoted: packet.quoted().into(),
            }),
            Err(error) => {
                self.egress.undelivered(&error, packet.quoted(), packet.source);
                return None;
            }
        };
        let ends = (packet.source, packet.destination);
        self.sockets.insert(ends, Arc::clone(&socket));
        let (egress, answering) = (Arc::clone(&self.egress), Arc::clone(&socket));
        self.answers.spawn(async move {
            egress.answers(&answering, ends).await;
            drop(permit);
            ends
        });
        Some(socket)
    }

    /// Waits until a socket has been quiet for long, and forgets it. Never ready when there is none.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub(super) async fn join_next(&mut self) -> Result<(), JoinError> {
        match self.answers.join_next().await {
            Some(Ok(ends)) => {
                self.sockets.remove(&ends);
                Ok(())
            }
            Some(Err(error)) => Err(error),
            None => std::future::pending().await,
        }
    }
}

fn connected(remote: SocketAddr) -> io::Result<AsyncFd<UdpSocket>> {
    let any: SocketAddr = match remote {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(remote)?;
    link::watch(socket)
}

impl Egress {
    /// Passes on what comes back, until nothing has come or gone for a while.
    async fn answers(&self, socket: &Socket, (function, remote): Ends) {
        let idle = if remote.port() == DOMAIN {
            IDLE_DOMAIN
        } else {
            IDLE
        };
        loop {
            match tokio::time::timeout(idle, socket.socket.ready(link::INCOMING)).await {
                Ok(Ok(ready)) => self.answer_datagram(ready, &socket.quoted, (function, remote)),
                Ok(Err(error)) => return self.undelivered(&error, &socket.quoted, function),
                Err(_elapsed) if socket.used.swap(false, Ordering::Relaxed) => {}
                Err(_elapsed) => return,
            }
        }
    }

    fn answer_datagram(
        &self,
        mut ready: AsyncFdReadyGuard<'_, UdpSocket>,
        quoted: &[u8],
        (function, remote): Ends,
    ) {
        let received = BUFFER.with_borrow_mut(|buffer| {
            let length = ready.try_io(|socket| socket.get_ref().recv(buffer)).ok()?;
            let packet = |length| {
                let payload = buffer.get(..length).unwrap_or_default();
                (length, packet::datagram(remote, function, payload))
            };
            Some(length.map(packet))
        });
        match received {
            Some(Ok((length, Some(packet)))) => {
                self.traffic.count_received(length);
                self.write(&packet);
            }
            Some(Err(error)) => self.undelivered(&error, quoted, function),
            Some(Ok((_, None))) | None => {}
        }
    }

    /// Tells the function that a datagram of its was not delivered, if that is known.
    fn undelivered(&self, error: &io::Error, quoted: &[u8], function: SocketAddr) {
        if let Some(why) = Unreachable::of(error) {
            self.refuse(quoted, function.ip(), why);
        }
    }
}
