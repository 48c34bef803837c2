//! System calls on the calling thread's network namespace: interfaces, addresses, routes.
#![expect(
    unsafe_code,
    reason = "interfaces are set up by ioctl, namespaces by unshare and setns"
)]

use std::fs::File;
use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The loopback interface, which every namespace has from its beginning, down.
pub(super) const LOOPBACK: &str = "lo";

/// Moves the calling thread, and none but it, into a new network namespace of its own.
pub(super) fn enter_new_namespace() -> io::Result<()> {
    // SAFETY: takes flags only; CLONE_NEWNET changes the calling thread alone.
    checked(unsafe { libc::unshare(libc::CLONE_NEWNET) })
}

/// Moves the calling thread, and none but it, into the network namespace behind `namespace`.
pub(super) fn enter(namespace: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open; CLONE_NEWNET changes the calling thread alone.
    checked(unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) })
}

/// The calling thread's network namespace.
pub(super) fn current_namespace() -> io::Result<File> {
    File::open("/proc/thread-self/ns/net")
}

/// `struct in6_rtmsg` of linux/ipv6_route.h; the fields of libc's are private.
#[repr(C)]
#[derive(Default)]
struct RouteV6 {
    destination: [u8; 16],
    source: [u8; 16],
    gateway: [u8; 16],
    kind: u32,
    destination_bits: u16,
    source_bits: u16,
    metric: u32,
    info: libc::c_ulong,
    flags: u32,
    interface: libc::c_int,
}

/// A socket to ask the namespace's interfaces through.
pub(super) struct Links(UdpSocket);

impl Links {
    /// Of the calling thread's namespace. Its loopback interface must be up.
    pub(super) fn open() -> io::Result<Self> {
        // a socket that is bound to no address of an interface needs none to be up
        UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map(Self)
    }

    /// Brings an interface up.
    pub(super) fn up(&self, name: &str) -> io::Result<()> {
        let mut request = request(name);
        let flags = libc::IFF_UP | libc::IFF_RUNNING;
        request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).map_err(io::Error::other)?;
        self.ask(libc::SIOCSIFFLAGS, &mut request)
    }

    /// Sets the largest packet of an interface, bytes.
    pub(super) fn set_mtu(&self, name: &str, bytes: u16) -> io::Result<()> {
        let mut request = request(name);
        request.ifr_ifru.ifru_mtu = i32::from(bytes);
        self.ask(libc::SIOCSIFMTU, &mut request)
    }

    /// Sets how many packets may wait in an interface.
    pub(super) fn set_queue(&self, name: &str, packets: u16) -> io::Result<()> {
        let mut request = request(name);
        // the kernel reads the length where the metric stands
        request.ifr_ifru.ifru_metric = i32::from(packets);
        self.ask(libc::SIOCSIFTXQLEN, &mut request)
    }

    /// Gives an interface its only IPv4 address, of a network of that address alone.
    pub(super) fn set_address(&self, name: &str, address: Ipv4Addr) -> io::Result<()> {
        let mut request = request(name);
        request.ifr_ifru.ifru_addr = socket_address(address);
        self.ask(libc::SIOCSIFADDR, &mut request)?;
        request.ifr_ifru.ifru_netmask = socket_address(Ipv4Addr::BROADCAST);
        self.ask(libc::SIOCSIFNETMASK, &mut request)
    }

    /// Sends every IPv4 packet that has no better way to an interface.
    pub(super) fn set_default_route(&self, name: &str) -> io::Result<()> {
        let mut device = c_name(name);
        // SAFETY: rtentry is plain numbers, addresses and pointers, all of which may be zero.
        let mut route: libc::rtentry = unsafe { mem::zeroed() };
        route.rt_dst = socket_address(Ipv4Addr::UNSPECIFIED);
        route.rt_genmask = socket_address(Ipv4Addr::UNSPECIFIED);
        route.rt_flags = libc::RTF_UP;
        route.rt_dev = device.as_mut_ptr();
        self.ask(libc::SIOCADDRT, &mut route)
    }

    /// Gives an interface an IPv6 address and sends every IPv6 packet that has no better way to it.
    pub(super) fn set_ipv6(&self, name: &str, address: Ipv6Addr) -> io::Result<()> {
        // IPv6 is asked for through a socket of its own family
        let links = Self(UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?);
        let index = links.index(name)?;
        let mut request = libc::in6_ifreq {
            ifr6_addr: libc::in6_addr {
                s6_addr: address.octets(),
            },
            ifr6_prefixlen: 128,
            ifr6_ifindex: index,
        };
        links.ask(libc::SIOCSIFADDR, &mut request)?;
        let mut route = RouteV6 {
            metric: 1,
            flags: u32::from(libc::RTF_UP),
            interface: index,
            ..RouteV6::default()
        };
        links.ask(libc::SIOCADDRT, &mut route)
    }

    fn index(&self, name: &str) -> io::Result<libc::c_int> {
        let mut request = request(name);
        self.ask(libc::SIOCGIFINDEX, &mut request)?;
        // SAFETY: SIOCGIFINDEX has written this member of the union.
        Ok(unsafe { request.ifr_ifru.ifru_ifindex })
    }

    fn ask<T>(&self, what: libc::Ioctl, request: &mut T) -> io::Result<()> {
        ioctl(self.0.as_fd(), what, request)
    }
}

/// Makes a TUN interface in the calling thread's namespace: whoever holds the file reads what is sent to it.
pub(super) fn create_tun(name: &str) -> io::Result<File> {
    let tun = File::options().read(true).write(true).open("/dev/net/tun")?;
    let mut request = request(name);
    let flags = libc::IFF_TUN | libc::IFF_NO_PI;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).map_err(io::Error::other)?;
    ioctl(tun.as_fd(), libc::TUNSETIFF, &mut request)?;
    Ok(tun)
}

/// Lets the interface behind `tun` end with its namespace and not with the file. To end it with the file
/// takes whoever closes the file tens of milliseconds; namespaces are ended by the kernel, many at a time.
pub(super) fn leave_to_namespace(tun: &File) -> io::Result<()> {
    let persist: libc::c_int = 1;
    // SAFETY: the descriptor is a TUN device's; TUNSETPERSIST takes an integer.
    checked(unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETPERSIST, persist) })
}

/// What a watched file is watched for; an ICMP error is the second.
pub(super) const INCOMING: Interest = Interest::READABLE.add(Interest::ERROR);

/// Lets the runtime say when there is something to read, [`INCOMING`].
pub(super) fn watch<T: AsRawFd + AsFd>(file: T) -> io::Result<AsyncFd<T>> {
    set_nonblocking(file.as_fd())?;
    // SAFETY: callers hand over files and sockets of the standard library, which have the same open
    // descriptor from their making until they are dropped.
    unsafe { AsyncFd::register_with_interest(file, INCOMING) }.map_err(io::Error::from)
}

fn set_nonblocking(file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor is open; the call takes integers.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    checked(flags)?;
    // SAFETY: as above.
    checked(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) })
}

/// An unconnected IPv4 socket of the calling thread's namespace, for use by the runtime.
pub(super) fn tcp_socket() -> io::Result<TcpStream> {
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: takes integers.
    let socket = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    checked(socket)?;
    // SAFETY: the descriptor is new, and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) }.into())
}

/// Lets the calling thread, and none but it, stand back for others.
pub(super) fn stand_back() -> io::Result<()> {
    const NICE: libc::c_int = 5;
    // SAFETY: takes integers; on Linux 0 is the calling thread.
    checked(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) })
}

/// How many files this process may have open.
pub(super) fn open_files() -> io::Result<u64> {
    let mut limits = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limits` is a valid rlimit to write to.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits) })?;
    Ok(limits.rlim_cur)
}

/// The addresses of all interfaces of the calling thread's namespace.
pub(super) fn addresses() -> io::Result<Vec<IpAddr>> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `first` is a valid place for the list's head.
    checked(unsafe { libc::getifaddrs(&raw mut first) })?;
    let mut all = Vec::new();
    let mut next = first;
    // SAFETY: each element is valid until the list is freed; the last one's successor is null.
    while let Some(interface) = unsafe { next.as_ref() } {
        // SAFETY: the address belongs to the element, and is null or valid.
        all.extend(unsafe { address_of(interface.ifa_addr) });
        next = interface.ifa_next;
    }
    // SAFETY: the list came from getifaddrs and nothing refers to it any more.
    unsafe { libc::freeifaddrs(first) };
    Ok(all)
}

/// # Safety
/// `address` is null or points to a socket address as large as its family says.
unsafe fn address_of(address: *const libc::sockaddr) -> Option<IpAddr> {
    // SAFETY: the caller's promise.
    let family = libc::c_int::from(unsafe { address.as_ref() }?.sa_family);
    match family {
        libc::AF_INET => {
            // SAFETY: the family says what it is; read as it is aligned, wherever that is.
            let v4 = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)).into())
        }
        libc::AF_INET6 => {
            // SAFETY: as above.
            let v6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(Ipv6Addr::from(v6.sin6_addr.s6_addr).into())
        }
        _ => None,
    }
}

fn ioctl<T>(file: BorrowedFd<'_>, what: libc::Ioctl, request: &mut T) -> io::Result<()> {
    // SAFETY: the descriptor is open, and every request above is the type its number asks for.
    checked(unsafe { libc::ioctl(file.as_raw_fd(), what, std::ptr::from_mut(request)) })
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// A request about the interface `name`.
fn request(name: &str) -> libc::ifreq {
    // SAFETY: ifreq is plain numbers and addresses, all of which may be zero.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    request.ifr_name = c_name(name);
    request
}

fn c_name(name: &str) -> [libc::c_char; libc::IFNAMSIZ] {
    let mut padded = [0; libc::IFNAMSIZ];
    // the last byte stays zero
    for (to, from) in padded.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    padded
}

fn socket_address(address: Ipv4Addr) -> libc::sockaddr {
    let mut bytes = [0; 14];
    // after the family: a port of two bytes, then the address
    for (to, from) in bytes.iter_mut().skip(2).zip(address.octets()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    libc::sockaddr {
        sa_family: FAMILY_INET,
        sa_data: bytes,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the family is 2")]
const FAMILY_INET: libc::sa_family_t = libc::AF_INET as libc::sa_family_t;
