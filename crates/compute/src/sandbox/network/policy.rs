//! Whom a function with egress may talk to.
//!
//! One pure function over what the node knows of itself. Everything is allowed but the node (its API
//! endpoint excepted), other instances, and addresses that mean "here", "near" or "many".

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::namespace::FUNCTION_V6;

/// Where functions find resolvers; as many as a resolver's client library looks at.
pub(super) const RESOLVERS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(192, 0, 0, 8),
    Ipv4Addr::new(192, 0, 0, 9),
    Ipv4Addr::new(192, 0, 0, 10),
];
const DOMAIN: u16 = 53;

/// Where clouds keep the credentials of their machines, besides 169.254.169.254: EC2, Google, Alibaba and
/// Azure. They are the node's, and not for functions.
const METADATA: [IpAddr; 4] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];

/// What the node knows of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct NodeAddresses {
    /// Of all its interfaces.
    pub(super) own: Vec<IpAddr>,
    /// Where its API endpoint listens.
    pub(super) api: Option<SocketAddr>,
    /// Whom it asks for names.
    pub(super) resolvers: Vec<SocketAddr>,
}

/// Whom the node has to talk to for a function that asks for `asked`; nobody if it may not.
pub(super) fn destination(asked: SocketAddr, node: &NodeAddresses) -> Option<SocketAddr> {
    let (ip, port) = (asked.ip().to_canonical(), asked.port());
    if let Some(resolver) = RESOLVERS.iter().position(|&resolver| ip == resolver) {
        return node
            .resolvers
            .get(resolver)
            .copied()
            .filter(|_resolver| port == DOMAIN);
    }
    let asked = SocketAddr::new(ip, port);
    if is_api(asked, node) {
        return Some(asked);
    }
    let meant = [Some(ip), translated(ip)];
    let allowed = |ip: &IpAddr| is_elsewhere(*ip) && !node.own.contains(ip) && !METADATA.contains(ip);
    (port != 0 && meant.iter().flatten().all(allowed)).then_some(asked)
}

/// The API endpoint, on whatever address of the node's it can be reached from elsewhere.
fn is_api(asked: SocketAddr, node: &NodeAddresses) -> bool {
    node.api.is_some_and(|api| {
        let listens = api.ip() == asked.ip() || api.ip().is_unspecified();
        api.port() == asked.port() && listens && node.own.contains(&asked.ip()) && !asked.ip().is_loopback()
    })
}

/// Addresses of one other machine.
fn is_elsewhere(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [first, second, third, _] = v4.octets();
            let here = first == 0 || v4.is_loopback() || v4.is_link_local();
            let ours = [first, second, third] == [192, 0, 0];
            // 224/4 is multicast, the rest reserved
            !(here || ours || first >= 224)
        }
        IpAddr::V6(v6) => {
            let [a, b, c, ..] = v6.segments();
            let here = v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local();
            // fec0::/10, site-local, deprecated; ::a.b.c.d likewise
            let outdated = a & 0xffc0 == 0xfec0 || v6.segments().iter().take(6).all(|&part| part == 0);
            let [x, y, z, ..] = FUNCTION_V6.segments();
            let ours = [a, b, c] == [x, y, z];
            !(here || outdated || ours || v6.is_multicast())
        }
    }
}

/// The IPv4 address that a translator would make of an IPv6 address: NAT64's well-known prefix, 6to4.
fn translated(ip: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = ip else { return None };
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Some(Ipv4Addr::new(a, b, c, d).into())
    };
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(api: &str) -> NodeAddresses {
        NodeAddresses {
            own: ["127.0.0.1", "::1", "192.168.1.7", "198.51.100.7", "2001:db8::7"]
                .map(|ip| ip.parse().unwrap())
                .to_vec(),
            api: Some(api.parse().unwrap()),
            resolvers: vec!["127.0.0.53:53".parse().unwrap(), "10.0.0.2:53".parse().unwrap()],
        }
    }

    fn allowed(asked: &str, api: &str) -> Option<String> {
        destination(asked.parse().unwrap(), &node(api)).map(|to| to.to_string())
    }

    const LOCAL: &str = "127.0.0.1:4566";

    #[test]
    fn the_world_is_allowed() {
        for asked in [
            "203.0.113.5:443",
            "192.168.1.8:5432",
            "10.0.0.2:53",
            "172.17.0.2:6379",
            "100.64.0.1:80",
            "[2001:db8::5]:443",
            "[fd12:3456::1]:5432",
        ] {
            assert_eq!(allowed(asked, LOCAL).as_deref(), Some(asked));
        }
        // an IPv4 address in the clothes of IPv6
        assert_eq!(
            allowed("[::ffff:203.0.113.5]:443", LOCAL).as_deref(),
            Some("203.0.113.5:443")
        );
    }

    #[test]
    fn the_node_other_instances_and_no_single_machine_are_denied() {
        for asked in [
            "127.0.0.1:22",
            "127.0.0.1:4566",
            "127.8.8.8:22",
            "0.0.0.0:22",
            "0.1.2.3:22",
            "192.168.1.7:22",
            "192.168.1.7:4566",
            "198.51.100.7:5432",
            "169.254.169.254:80",
            "224.0.0.1:5353",
            "240.0.0.1:1",
            "255.255.255.255:67",
            "192.0.0.1:1",
            "192.0.0.2:9001",
            "192.0.0.7:53",
            "203.0.113.5:0",
            "[::1]:22",
            "[::]:22",
            "[::ffff:127.0.0.1]:22",
            "[::ffff:192.168.1.7]:22",
            "[::127.0.0.1]:22",
            "[64:ff9b::127.0.0.1]:22",
            "[64:ff9b::192.168.1.7]:22",
            "[2002:7f00:1::]:22",
            "[2001:db8::7]:22",
            "[fe80::1]:22",
            "[fec0::1]:22",
            "[ff02::fb]:5353",
            "[fd74:7261:6465::1]:1",
            "[fd00:ec2::254]:80",
            "100.100.100.200:80",
            "168.63.129.16:80",
        ] {
            assert_eq!(allowed(asked, LOCAL), None, "{asked}");
        }
    }

    #[test]
    fn the_api_endpoint_is_allowed_where_it_listens_beyond_loopback() {
        let own = "192.168.1.7:4566";
        assert_eq!(allowed(own, "0.0.0.0:4566").as_deref(), Some(own));
        assert_eq!(allowed(own, own).as_deref(), Some(own));
        assert_eq!(allowed("198.51.100.7:4566", own), None);
        assert_eq!(allowed("192.168.1.7:4567", "0.0.0.0:4566"), None);
        assert_eq!(allowed("127.0.0.1:4566", "0.0.0.0:4566"), None);
    }

    #[test]
    fn resolvers_stand_for_the_nodes() {
        assert_eq!(allowed("192.0.0.8:53", LOCAL).as_deref(), Some("127.0.0.53:53"));
        assert_eq!(allowed("192.0.0.9:53", LOCAL).as_deref(), Some("10.0.0.2:53"));
        assert_eq!(allowed("192.0.0.10:53", LOCAL), None);
        assert_eq!(allowed("192.0.0.8:22", LOCAL), None);
    }
}
