//! Making one namespace: interfaces, addresses, listeners.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::link::{self, LOOPBACK, Links};

/// The interface that leads out.
const DEVICE: &str = "eth0";
/// The largest packet an IPv4 header can tell of: the fewer packets, the less work.
const MTU: u16 = 65_535;
/// Packets that may wait for the node; more are dropped, and TCP sends them again.
const DEVICE_QUEUE: u16 = 128;

/// The function's address: of the network that RFC 7335 reserves for a host's own translation, so that it
/// hides no address of the world.
pub(super) const FUNCTION_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
/// The node's address as the function sees it.
pub(super) const NODE_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 1);
/// The function's address where the node has IPv6: unique local, as nobody else's should be.
pub(super) const FUNCTION_V6: Ipv6Addr = Ipv6Addr::new(0xfd74, 0x7261, 0x6465, 0, 0, 0, 0, 2);
/// The node's address as the function sees it.
pub(super) const NODE_V6: Ipv6Addr = Ipv6Addr::new(0xfd74, 0x7261, 0x6465, 0, 0, 0, 0, 1);
/// Where the node takes connections that the function makes to the world. Functions cannot bind it, nor
/// would the kernel choose it for them.
pub(super) const RELAY_PORT: u16 = 1;

/// What a namespace is to have.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Loopback ports on which the node listens.
    pub(super) ports: Vec<u16>,
    /// A device that leads out, and whether it does for IPv6.
    pub(super) device: Option<Ipv6>,
}

/// Whether the node itself reaches the world by IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ipv6 {
    Routed,
    Absent,
}

/// A namespace that nothing runs in yet.
#[derive(Debug)]
pub(super) struct Namespace {
    /// Keeps it in being.
    pub(super) handle: OwnedFd,
    /// On its loopback interface, in the layout's order of ports.
    pub(super) listeners: Vec<TcpListener>,
    pub(super) device: Option<Device>,
}

/// The way out.
#[derive(Debug)]
pub(super) struct Device {
    /// What the function sends is read from it, what it receives written to it.
    pub(super) tun: File,
    /// On [`RELAY_PORT`] of all the function's addresses.
    pub(super) relay: TcpListener,
}

/// Makes a namespace. The calling thread is inside it afterwards.
pub(super) fn make(layout: &Layout) -> io::Result<Namespace> {
    link::enter_new_namespace()?;
    let links = Links::open()?;
    links.up(LOOPBACK)?;
    let loopback = |&port: &u16| listen((Ipv4Addr::LOCALHOST, port).into());
    Ok(Namespace {
        handle: link::current_namespace()?.into(),
        listeners: layout.ports.iter().map(loopback).collect::<io::Result<_>>()?,
        device: layout.device.map(|ipv6| make_device(&links, ipv6)).transpose()?,
    })
}

fn make_device(links: &Links, ipv6: Ipv6) -> io::Result<Device> {
    let tun = link::create_tun(DEVICE)?;
    links.set_mtu(DEVICE, MTU)?;
    links.set_queue(DEVICE, DEVICE_QUEUE)?;
    quieten(ipv6)?;
    links.set_address(DEVICE, FUNCTION_V4)?;
    links.up(DEVICE)?;
    links.set_default_route(DEVICE)?;
    let any: IpAddr = match ipv6 {
        Ipv6::Absent => Ipv4Addr::UNSPECIFIED.into(),
        Ipv6::Routed => {
            links.set_ipv6(DEVICE, FUNCTION_V6)?;
            await_address(FUNCTION_V6)?;
            Ipv6Addr::UNSPECIFIED.into()
        }
    };
    link::leave_to_namespace(&tun)?;
    Ok(Device {
        tun,
        relay: listen((any, RELAY_PORT).into())?,
    })
}

/// Keeps the kernel from looking for routers and neighbours, of which there are none: each packet would
/// wake the node.
fn quieten(ipv6: Ipv6) -> io::Result<()> {
    let set = |name: &str, value: &str| {
        let path = format!("/proc/sys/net/ipv6/conf/{DEVICE}/{name}");
        match fs::write(path, value) {
            // a kernel without IPv6 is quiet
            Err(error) if error.kind() == io::ErrorKind::NotFound && ipv6 == Ipv6::Absent => Ok(()),
            written => written,
        }
    };
    match ipv6 {
        Ipv6::Absent => set("disable_ipv6", "1"),
        // no link-local address, no solicitations of routers
        Ipv6::Routed => set("addr_gen_mode", "1").and_then(|()| set("router_solicitations", "0")),
    }
}

/// Waits until an IPv6 address can be used. The kernel takes its time: until then, connections are made
/// from the loopback interface's, and answers to them are lost.
fn await_address(address: Ipv6Addr) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_millis(2);
    const TRIES: usize = 1000;
    let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let itself = SocketAddr::from((address, socket.local_addr()?.port()));
    for _ in 0..TRIES {
        socket.send_to(&[0], itself)?;
        if socket.recv(&mut [0]).is_ok() {
            return Ok(());
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
