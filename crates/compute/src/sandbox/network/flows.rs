//! The TCP connections of one instance, between the device and the relay.
//!
//! A connection that the function makes to `remote` ends at the node's relay: its packets are turned
//! around to look as if they came from a port of the node's address, a port for each connection, and
//! answers likewise. So the function's own kernel does all of TCP, and the node only readdresses.
//!
//! ```text
//! function:p → remote      becomes   node:port → relay
//! relay → node:port        becomes   remote → function:p
//! ```

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// Connections an instance may have through the node. A function has 1,024 descriptors.
const MAX_CONNECTIONS: usize = 1024;
/// Ended connections that are remembered for their last packets, the newest.
const MAX_ENDED: usize = 1024;

/// Which port stands for which connection.
#[derive(Debug, Default)]
pub(super) struct Flows {
    by_port: HashMap<u16, Flow>,
    by_ends: HashMap<(SocketAddr, SocketAddr), u16>,
    ended: VecDeque<u16>,
    last_port: u16,
}

#[derive(Debug)]
pub(super) struct Flow {
    pub(super) function: SocketAddr,
    pub(super) remote: SocketAddr,
    phase: Phase,
}

/// ```text
/// Dialling ──offer──▶ Offered ──accept──▶ Relaying ──end──▶ Ended
/// ```
#[derive(Debug)]
enum Phase {
    /// The remote has not answered: packets are held back.
    Dialling,
    /// The relay may take the connection.
    Offered(oneshot::Sender<TcpStream>),
    Relaying,
    /// What is on its way still passes.
    Ended,
}

/// What becomes of a packet that the function sends to `remote`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outbound {
    /// It goes to the relay, as if from this port.
    Relay(u16),
    /// It is dropped; its sender will send it again.
    Wait,
    /// It belongs to no connection.
    Unknown,
}

impl Flows {
    /// Where a packet of the function's goes; `opens` when it asks for a connection.
    pub(super) fn outbound(&self, function: SocketAddr, remote: SocketAddr, opens: bool) -> Outbound {
        let port = self.by_ends.get(&(function, remote)).copied();
        let flow = port.and_then(|port| Some((port, self.by_port.get(&port)?)));
        match flow {
            None => Outbound::Unknown,
            // the function's port is used again
            Some((_, flow)) if opens && matches!(flow.phase, Phase::Ended) => Outbound::Unknown,
            Some((_, flow)) if matches!(flow.phase, Phase::Dialling) => Outbound::Wait,
            Some((port, _)) => Outbound::Relay(port),
        }
    }

    /// Whose answer it is that the relay sends to `port`.
    pub(super) fn inbound(&self, port: u16) -> Option<&Flow> {
        self.by_port.get(&port)
    }

    /// A port for a new connection, in whose place none is left of the same ends; none when there are
    /// too many connections.
    pub(super) fn open(&mut self, function: SocketAddr, remote: SocketAddr) -> Option<u16> {
        if self.by_port.len() - self.ended.len() >= MAX_CONNECTIONS {
            return None;
        }
        let port = self.free_port();
        let flow = Flow {
            function,
            remote,
            phase: Phase::Dialling,
        };
        self.by_port.insert(port, flow);
        self.by_ends.insert((function, remote), port);
        Some(port)
    }

    /// The port that has been free longest: the kernel remembers ended connections for a while.
    fn free_port(&mut self) -> u16 {
        loop {
            self.last_port = self.last_port.checked_add(1).unwrap_or(1);
            if !self.by_port.contains_key(&self.last_port) {
                return self.last_port;
            }
        }
    }

    /// Lets packets through. The relay's side of the connection comes by the receiver.
    pub(super) fn offer(&mut self, port: u16) -> oneshot::Receiver<TcpStream> {
        let (taker, taken) = oneshot::channel();
        if let Some(flow) = self.by_port.get_mut(&port) {
            flow.phase = Phase::Offered(taker);
        }
        taken
    }

    /// Who waits for the connection that the relay has taken from `port`.
    pub(super) fn accept(&mut self, port: u16) -> Option<oneshot::Sender<TcpStream>> {
        let flow = self.by_port.get_mut(&port)?;
        match std::mem::replace(&mut flow.phase, Phase::Relaying) {
            Phase::Offered(taker) => Some(taker),
            other => {
                flow.phase = other;
                None
            }
        }
    }

    /// Nothing more will be said; what was may be on its way, so it is not forgotten at once.
    pub(super) fn end(&mut self, port: u16) {
        let Some(flow) = self.by_port.get_mut(&port) else {
            return;
        };
        flow.phase = Phase::Ended;
        self.ended.push_back(port);
        if self.ended.len() > MAX_ENDED
            && let Some(oldest) = self.ended.pop_front()
        {
            self.forget(oldest);
        }
    }

    fn forget(&mut self, port: u16) {
        let Some(flow) = self.by_port.remove(&port) else {
            return;
        };
        let ends = (flow.function, flow.remote);
        // a younger connection may have the same ends
        if self.by_ends.get(&ends) == Some(&port) {
            self.by_ends.remove(&ends);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(port: u16) -> (SocketAddr, SocketAddr) {
        (([192, 0, 0, 2], port).into(), "203.0.113.5:443".parse().unwrap())
    }

    #[test]
    fn packets_wait_until_the_remote_has_answered() {
        let mut flows = Flows::default();
        let (function, remote) = ends(40_000);
        assert_eq!(flows.outbound(function, remote, true), Outbound::Unknown);
        let port = flows.open(function, remote).unwrap();
        assert_eq!(flows.outbound(function, remote, true), Outbound::Wait);
        assert!(flows.accept(port).is_none());
        let _taken = flows.offer(port);
        assert_eq!(flows.outbound(function, remote, true), Outbound::Relay(port));
        assert!(flows.accept(port).is_some());
        assert!(flows.accept(port).is_none());
        assert_eq!(flows.inbound(port).unwrap().function, function);
    }

    #[test]
    fn a_port_that_is_used_again_is_a_new_connection() {
        let mut flows = Flows::default();
        let (function, remote) = ends(40_000);
        let old = flows.open(function, remote).unwrap();
        flows.end(old);
        assert_eq!(flows.outbound(function, remote, false), Outbound::Relay(old));
        assert_eq!(flows.outbound(function, remote, true), Outbound::Unknown);
        flows.open(function, remote).unwrap();
        flows.forget(old);
        assert_eq!(flows.outbound(function, remote, true), Outbound::Wait);
    }

    #[test]
    fn connections_are_limited_and_ended_ones_do_not_count() {
        let mut flows = Flows::default();
        let mut open = |port| {
            let (function, remote) = ends(port);
            flows
                .open(function, remote)
                .inspect(|&port| flows.last_port = port)
        };
        let first: Vec<_> = (0..1024).map(|port| open(port).unwrap()).collect();
        assert_eq!(open(5000), None);
        flows.end(first[0]);
        let (function, remote) = ends(5000);
        assert_eq!(flows.open(function, remote), Some(1025));
        assert_eq!(flows.open(function, remote), None);
    }

    #[test]
    fn only_the_newest_ended_connections_are_remembered() {
        let mut flows = Flows::default();
        for port in 0..2000 {
            let (function, remote) = ends(port);
            let port = flows.open(function, remote).unwrap();
            flows.end(port);
        }
        assert_eq!((flows.by_port.len(), flows.by_ends.len()), (1024, 1024));
        assert!(flows.inbound(2000).is_some() && flows.inbound(900).is_none());
    }

    #[test]
    fn ports_are_used_in_turn() {
        let mut flows = Flows {
            last_port: u16::MAX - 1,
            ..Flows::default()
        };
        let (function, remote) = ends(1);
        let ports: Vec<_> = (0..3).map(|_| flows.open(function, remote).unwrap()).collect();
        assert_eq!(ports, [u16::MAX, 1, 2]);
    }
}
