//! What all networks with egress share: what the node knows of itself, and how much it may hold open.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::link;
use super::namespace::Ipv6;
use super::policy::{NodeAddresses, RESOLVERS};

/// For how long the node's addresses are taken to be the same.
const FRESH: Duration = Duration::from_secs(1);
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The part of the node's descriptors that functions' connections may have.
const SHARE: u64 = 4;
/// Descriptors for functions' connections that no machine needs more of.
const MOST_DESCRIPTORS: usize = 256 * 1024;

/// The node's side of egress.
#[derive(Debug)]
pub(super) struct World {
    api: Option<SocketAddr>,
    known: Mutex<Option<(Instant, Arc<NodeAddresses>)>>,
    descriptors: Arc<Semaphore>,
}

impl World {
    pub(super) fn new(api: Option<SocketAddr>) -> Self {
        let share = link::open_files().map_or(0, |limit| limit / SHARE);
        let descriptors = usize::try_from(share).unwrap_or(usize::MAX).min(MOST_DESCRIPTORS);
        Self {
            api,
            known: Mutex::default(),
            descriptors: Arc::new(Semaphore::new(descriptors)),
        }
    }

    /// What the node knew of itself no longer than a second ago.
    ///
    /// # Errors
    /// When the kernel does not tell the node's addresses: then nothing may be allowed.
    pub(super) fn node(&self) -> io::Result<Arc<NodeAddresses>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some((at, node)) = known.as_ref()
            && now.duration_since(*at) < FRESH
        {
            return Ok(Arc::clone(node));
        }
        let node = Arc::new(NodeAddresses {
            own: link::addresses()?,
            api: self.api,
            resolvers: ResolvConf::read().resolvers,
        });
        *known = Some((now, Arc::clone(&node)));
        Ok(node)
    }

    /// The right to have `count` descriptors open; none when too many are.
    pub(super) fn permit(&self, count: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.descriptors).try_acquire_many_owned(count).ok()
    }
}

/// Whether the node reaches the world by IPv6. Nothing is sent.
pub(super) fn ipv6() -> Ipv6 {
    let routed = || {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
        // any global address shows it; this one belongs to nobody
        socket.connect((Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1), 9))
    };
    if routed().is_ok() {
        Ipv6::Routed
    } else {
        Ipv6::Absent
    }
}

/// The node's `/etc/resolv.conf`.
#[derive(Debug, Default, PartialEq, Eq)]
struct ResolvConf {
    resolvers: Vec<SocketAddr>,
    /// The lines that are about names.
    rest: Vec<String>,
}

impl ResolvConf {
    fn read() -> Self {
        fs::read_to_string(RESOLV_CONF).map_or_else(|_none| Self::parse(""), |text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut parsed = Self::default();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("nameserver"), Some(address)) => {
                    let address = address.parse::<IpAddr>().ok();
                    parsed.resolvers.extend(address.map(|ip| SocketAddr::new(ip, 53)));
                }
                (Some("search" | "domain" | "options"), Some(_)) => parsed.rest.push(line.trim().to_owned()),
                _ => {}
            }
        }
        parsed.resolvers.truncate(RESOLVERS.len());
        if parsed.resolvers.is_empty() {
            // what a resolver's client library takes for granted
            parsed.resolvers.push((Ipv4Addr::LOCALHOST, 53).into());
        }
        parsed
    }

    /// The same with the addresses at which a function finds these resolvers.
    fn inside(&self) -> String {
        let servers = RESOLVERS.iter().take(self.resolvers.len());
        let servers = servers.map(|address| format!("nameserver {address}\n"));
        let rest = self.rest.iter().map(|line| format!("{line}\n"));
        servers.chain(rest).collect()
    }
}

/// The `/etc/resolv.conf` of functions with egress.
pub(super) fn resolv_conf() -> String {
    ResolvConf::read().inside()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_ask_the_nodes_resolvers_by_other_addresses() {
        let node = ResolvConf::parse(
            "# made by hand\nnameserver 10.0.0.2\nnameserver fe80::1%eth0\nnameserver 2001:db8::53\n\
             search corp.example\noptions ndots:2\nsortlist 1.2.3.4\n",
        );
        assert_eq!(
            node.resolvers,
            [
                "10.0.0.2:53".parse().unwrap(),
                "[2001:db8::53]:53".parse().unwrap()
            ]
        );
        assert_eq!(
            node.inside(),
            "nameserver 192.0.0.8\nnameserver 192.0.0.9\nsearch corp.example\noptions ndots:2\n"
        );
    }

    #[test]
    fn no_resolver_means_the_machine_itself() {
        let node = ResolvConf::parse("search corp.example\n");
        assert_eq!(node.resolvers, ["127.0.0.1:53".parse().unwrap()]);
        assert_eq!(node.inside(), "nameserver 192.0.0.8\nsearch corp.example\n");
    }

    #[test]
    fn the_nodes_addresses_are_known() {
        let node = World::new(None).node().unwrap();
        assert!(node.own.contains(&Ipv4Addr::LOCALHOST.into()), "{:?}", node.own);
    }

    #[test]
    fn descriptors_are_limited() {
        let world = World::new(None);
        let all = world.descriptors.available_permits();
        assert!(all > 0);
        let permit = world.permit(u32::try_from(all).unwrap()).unwrap();
        assert!(world.permit(1).is_none());
        drop(permit);
        assert!(world.permit(1).is_some());
    }
}
