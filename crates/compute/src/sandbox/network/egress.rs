//! The way out of one instance's network: reads what the function sends to its device, and carries it.
//!
//! TCP: the node dials first, and lets the function's connection request pass only when the remote has
//! accepted; a refusal reaches the function as one. Then bytes are relayed between the two connections.
//! UDP: a socket for each pair of ends, until it has been quiet for a while.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::datagrams::Datagrams;
use super::flows::{Flows, Outbound};
use super::link;
use super::namespace::{Device, FUNCTION_V4, FUNCTION_V6, NODE_V4, NODE_V6, RELAY_PORT};
use super::packet::{self, Packet, Transport, Unreachable};
use super::policy;
use super::relay::{BUFFER, Traffic, relay};
use super::world::World;

/// Packets read from a device before others have their turn.
const BATCH: usize = 32;
/// How long a remote may take to accept. A function's own patience may end earlier, or it asks again.
const DIAL_LIMIT: Duration = Duration::from_secs(60);
/// How long the function may take to complete a connection that the remote has accepted.
const TAKE_LIMIT: Duration = Duration::from_secs(10);
/// How long to wait when the node has no descriptor left.
const PAUSE: Duration = Duration::from_millis(50);

/// The node's end of an instance's device, and what passes through it.
#[derive(Debug)]
pub(super) struct Egress {
    tun: AsyncFd<File>,
    flows: Mutex<Flows>,
    pub(super) world: Arc<World>,
    pub(super) traffic: Arc<Traffic>,
}

/// Carries what the function sends, until it is dropped.
pub(super) async fn serve(device: Device, world: Arc<World>, traffic: Arc<Traffic>) -> io::Result<()> {
    let relay = TcpListener::from_std(device.relay)?;
    let tun = link::watch(device.tun)?;
    let egress = Arc::new(Egress {
        tun,
        flows: Mutex::default(),
        world,
        traffic,
    });
    let mut carrier = Carrier {
        datagrams: Datagrams::new(Arc::clone(&egress)),
        connections: JoinSet::new(),
        egress,
    };
    carrier.run(&relay).await
}

/// The owner of an egress and of the tasks of its connections.
struct Carrier {
    egress: Arc<Egress>,
    connections: JoinSet<()>,
    datagrams: Datagrams,
}

impl Carrier {
    async fn run(&mut self, relay: &TcpListener) -> io::Result<()> {
        let egress = Arc::clone(&self.egress);
        loop {
            tokio::select! {
                ready = egress.tun.ready(link::INCOMING) => {
                    self.read_batch(ready?)?;
                    tokio::task::yield_now().await;
                }
                accepted = relay.accept() => match accepted {
                    Ok((stream, from)) => egress.accepted(stream, from),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a function's connection");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                Some(ended) = self.connections.join_next() => log_panic(ended),
                ended = self.datagrams.join_next() => log_panic(ended),
            }
        }
    }

    fn read_batch(&mut self, mut ready: AsyncFdReadyGuard<'_, File>) -> io::Result<()> {
        BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..BATCH {
                match ready.try_io(|tun| tun.get_ref().read(buffer)) {
                    Ok(Ok(length)) => {
                        if let Some(packet) = buffer.get_mut(..length).and_then(Packet::parse) {
                            self.carry(packet);
                        }
                    }
                    Ok(Err(error)) => return Err(error),
                    Err(_would_block) => break,
                }
            }
            Ok(())
        })
    }

    fn carry(&mut self, packet: Packet<'_>) {
        let from = packet.source.ip();
        // a function may make up other addresses; no answer would reach them
        if from != FUNCTION_V4 && from != FUNCTION_V6 {
            return;
        }
        match packet.transport {
            Transport::Udp => self.datagrams.send(&packet),
            Transport::Tcp if packet.source.port() == RELAY_PORT => self.egress.answer(packet),
            Transport::Tcp => self.segment(packet),
        }
    }

    /// A segment that the function sends to a remote.
    fn segment(&mut self, mut packet: Packet<'_>) {
        let (function, remote) = (packet.source, packet.destination);
        let outbound = self.egress.flows().outbound(function, remote, packet.is_syn());
        match outbound {
            Outbound::Relay(port) => {
                packet.readdress(node_side(function, port), relay_side(function));
                self.egress.write(packet.bytes());
            }
            Outbound::Unknown if packet.is_syn() => self.connect(&packet),
            Outbound::Wait | Outbound::Unknown => {}
        }
    }

    fn connect(&mut self, syn: &Packet<'_>) {
        let egress = &self.egress;
        let Some(remote) = egress.allowed(syn) else {
            return;
        };
        // the function's kernel asks again when there was no room
        let Some(permit) = egress.world.permit(2) else {
            return;
        };
        let Some(port) = egress.flows().open(syn.source, syn.destination) else {
            return;
        };
        let connection = Connection {
            egress: Arc::clone(egress),
            port,
            syn: syn.bytes().into(),
            function: syn.source,
        };
        self.connections.spawn(async move {
            connection.run(remote).await;
            drop(permit);
        });
    }
}

impl Egress {
    pub(super) fn flows(&self) -> MutexGuard<'_, Flows> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom to talk to for the function. It is told when it may not.
    pub(super) fn allowed(&self, packet: &Packet<'_>) -> Option<SocketAddr> {
        let node = match self.world.node() {
            Ok(node) => node,
            Err(error) => {
                tracing::warn!(%error, "cannot tell the node's own addresses; a function is not let out");
                return None;
            }
        };
        let allowed = policy::destination(packet.destination, &node);
        if allowed.is_none() {
            self.refuse(packet.quoted(), packet.source.ip(), Unreachable::Prohibited);
        }
        allowed
    }

    /// Tells the function's kernel why a packet was not carried.
    pub(super) fn refuse(&self, quoted: &[u8], function: IpAddr, why: Unreachable) {
        let node = match function {
            IpAddr::V4(_) => NODE_V4.into(),
            IpAddr::V6(_) => NODE_V6.into(),
        };
        self.write(&packet::unreachable(quoted, node, function, why));
    }

    /// Hands a packet to the function's kernel. Like any network it may lose one.
    pub(super) fn write(&self, packet: &[u8]) {
        if let Err(error) = self.tun.get_ref().write(packet) {
            tracing::debug!(%error, bytes = packet.len(), "a function's kernel took no packet");
        }
    }

    /// What the relay's kernel sends goes to the function as if from the remote.
    fn answer(&self, mut packet: Packet<'_>) {
        let flows = self.flows();
        if let Some(flow) = flows.inbound(packet.destination.port()) {
            packet.readdress(flow.remote, flow.function);
            self.write(packet.bytes());
        }
    }

    /// The relay has taken a connection: its task goes on with it. What came by no request ends here.
    fn accepted(&self, stream: TcpStream, from: SocketAddr) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let is_ours = from.ip() == NODE_V4 || from.ip() == NODE_V6;
        let taker = is_ours.then(|| self.flows().accept(from.port())).flatten();
        if let Some(taker) = taker {
            // a task that has given up waiting has closed the other side
            drop(taker.send(stream));
        }
    }
}

/// One connection, from its request to its end.
struct Connection {
    egress: Arc<Egress>,
    port: u16,
    syn: Vec<u8>,
    function: SocketAddr,
}

impl Connection {
    async fn run(mut self, remote: SocketAddr) {
        if let Some((function, remote)) = self.establish(remote).await {
            relay(function, remote, &self.egress.traffic).await;
        }
        self.egress.flows().end(self.port);
    }

    async fn establish(&mut self, remote: SocketAddr) -> Option<(TcpStream, TcpStream)> {
        let dialled = within(DIAL_LIMIT, TcpStream::connect(remote)).await;
        let remote = match dialled {
            Ok(stream) => stream,
            Err(error) => {
                self.failed(&error);
                return None;
            }
        };
        let taken = self.egress.flows().offer(self.port);
        let mut syn = std::mem::take(&mut self.syn);
        let mut request = Packet::parse(&mut syn)?;
        request.readdress(node_side(self.function, self.port), relay_side(self.function));
        self.egress.write(request.bytes());
        let function = tokio::time::timeout(TAKE_LIMIT, taken).await.ok()?.ok()?;
        Some((function, remote))
    }

    /// The function is told what the node was told.
    fn failed(&mut self, error: &io::Error) {
        let syn = std::mem::take(&mut self.syn);
        match Unreachable::of(error) {
            Some(Unreachable::Port) => {
                let refusal = packet::refusal(&syn);
                self.egress.write(&refusal.unwrap_or_default());
            }
            Some(why) => {
                let mut syn = syn;
                if let Some(syn) = Packet::parse(&mut syn) {
                    self.egress.refuse(syn.quoted(), self.function.ip(), why);
                }
            }
            // it waits until its own patience ends
            None => tracing::debug!(%error, "a function's connection could not be made"),
        }
    }
}

async fn within<T>(limit: Duration, act: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = tokio::time::timeout(limit, act).await;
    done.unwrap_or_else(|_elapsed| Err(io::ErrorKind::TimedOut.into()))
}

/// A port of the node's address, of the function's family.
fn node_side(function: SocketAddr, port: u16) -> SocketAddr {
    match function {
        SocketAddr::V4(_) => (NODE_V4, port).into(),
        SocketAddr::V6(_) => (NODE_V6, port).into(),
    }
}

fn relay_side(function: SocketAddr) -> SocketAddr {
    SocketAddr::new(function.ip(), RELAY_PORT)
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a function's connection panicked");
    }
}
