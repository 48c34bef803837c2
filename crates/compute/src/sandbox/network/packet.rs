//! IP packets: read, readdressed, and the few that are made.
//!
//! No state and no I/O. Only whole TCP segments and UDP datagrams without IPv6 extension headers are
//! understood; a function's kernel sends nothing else of use.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const ICMP_V6: u8 = 58;
const V4_HEADER: usize = 20;
const V6_HEADER: usize = 40;
const TCP_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
const HOPS: u8 = 64;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;
/// How much of a packet its ICMP error repeats, after the IP header.
const QUOTED: usize = 8;
/// Where the checksum stands in a TCP header.
const TCP_CHECKSUM: usize = 16;

/// The protocols that are carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
}

/// A packet that was checked to be as long as its headers say.
#[derive(Debug)]
pub(super) struct Packet<'a> {
    bytes: &'a mut [u8],
    /// Bytes of its IP header.
    header: usize,
    pub(super) transport: Transport,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
}

impl<'a> Packet<'a> {
    /// A TCP or UDP packet; nothing if it is neither, or not whole.
    pub(super) fn parse(bytes: &'a mut [u8]) -> Option<Self> {
        let (header, length, protocol, from, to) = match bytes.first()? >> 4 {
            4 => parse_v4(bytes)?,
            6 => parse_v6(bytes)?,
            _ => return None,
        };
        let bytes = bytes.get_mut(..length)?;
        let (transport, least) = match protocol {
            TCP => (Transport::Tcp, TCP_HEADER),
            UDP => (Transport::Udp, UDP_HEADER),
            _ => return None,
        };
        let segment = bytes.get(header..)?;
        if segment.len() < least {
            return None;
        }
        let source = SocketAddr::new(from, number(segment, 0)?);
        let destination = SocketAddr::new(to, number(segment, 2)?);
        Some(Self {
            bytes,
            header,
            transport,
            source,
            destination,
        })
    }

    /// The whole of it.
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes
    }

    /// Whether it asks for a TCP connection.
    pub(super) fn is_syn(&self) -> bool {
        let flags = self.bytes.get(self.header + 13).copied().unwrap_or_default();
        self.transport == Transport::Tcp && flags & (SYN | ACK | RST) == SYN
    }

    /// What a datagram carries.
    pub(super) fn payload(&self) -> &[u8] {
        self.bytes.get(self.header + UDP_HEADER..).unwrap_or_default()
    }

    /// The headers that an error about it repeats.
    pub(super) fn quoted(&self) -> &[u8] {
        let end = self.bytes.len().min(self.header + QUOTED);
        self.bytes.get(..end).unwrap_or_default()
    }

    /// Changes both addresses of a TCP segment, to others of the same family, and mends its checksums.
    pub(super) fn readdress(&mut self, source: SocketAddr, destination: SocketAddr) {
        let (from, to) = (octets(source.ip()), octets(destination.ip()));
        let (at_from, at_to) = match self.source {
            SocketAddr::V4(_) => (12, 16),
            SocketAddr::V6(_) => (8, 24),
        };
        let segment = self.header;
        let mut sum = Correction::default();
        sum.replace(self.bytes, at_from, from.as_slice());
        sum.replace(self.bytes, at_to, to.as_slice());
        if self.source.is_ipv4() {
            sum.mend(self.bytes, 10);
        }
        sum.replace(self.bytes, segment, &source.port().to_be_bytes());
        sum.replace(self.bytes, segment + 2, &destination.port().to_be_bytes());
        sum.mend(self.bytes, segment + TCP_CHECKSUM);
        (self.source, self.destination) = (source, destination);
    }
}

/// Bytes of header, bytes of packet, protocol, source, destination.
type Head = (usize, usize, u8, IpAddr, IpAddr);

fn parse_v4(bytes: &[u8]) -> Option<Head> {
    let header = usize::from(bytes.first()? & 0x0f) * 4;
    let fragment = number(bytes, 6)? & 0x3fff;
    if header < V4_HEADER || fragment != 0 {
        return None;
    }
    let address = |at| Some(IpAddr::from(*bytes.get(at..)?.first_chunk::<4>()?));
    let length = usize::from(number(bytes, 2)?);
    Some((header, length, *bytes.get(9)?, address(12)?, address(16)?))
}

fn parse_v6(bytes: &[u8]) -> Option<Head> {
    let address = |at| Some(IpAddr::from(*bytes.get(at..)?.first_chunk::<16>()?));
    let length = usize::from(number(bytes, 4)?) + V6_HEADER;
    Some((V6_HEADER, length, *bytes.get(6)?, address(8)?, address(24)?))
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// An address's bytes.
struct Octets([u8; 16], usize);

impl Octets {
    fn as_slice(&self) -> &[u8] {
        self.0.get(..self.1).unwrap_or_default()
    }
}

fn octets(address: IpAddr) -> Octets {
    match address {
        IpAddr::V4(v4) => {
            let mut padded = [0; 16];
            padded[..4].copy_from_slice(&v4.octets());
            Octets(padded, 4)
        }
        IpAddr::V6(v6) => Octets(v6.octets(), 16),
    }
}

/// What a change of some words does to a checksum over them (RFC 1624).
#[derive(Default)]
struct Correction(u32);

impl Correction {
    fn replace(&mut self, bytes: &mut [u8], at: usize, new: &[u8]) {
        let Some(old) = bytes.get_mut(at..at + new.len()) else {
            return;
        };
        for (old, new) in old.chunks_exact_mut(2).zip(new.chunks_exact(2)) {
            self.0 += u32::from(!word(old)) + u32::from(word(new));
            old.copy_from_slice(new);
        }
    }

    fn mend(&self, bytes: &mut [u8], at: usize) {
        if let Some(checksum) = bytes.get_mut(at..at + 2) {
            let mended = !fold(u32::from(!word(checksum)) + self.0);
            checksum.copy_from_slice(&mended.to_be_bytes());
        }
    }
}

fn word(two: &[u8]) -> u16 {
    two.first_chunk().copied().map_or(0, u16::from_be_bytes)
}

fn fold(mut sum: u32) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or_default()
}

/// The sum of all words; of at most 64 KiB, so that it cannot overflow.
fn sum(bytes: &[u8]) -> u32 {
    let words = bytes.chunks_exact(2);
    let odd = words.remainder().first().map_or(0, |&last| u32::from(last) << 8);
    words.map(|two| u32::from(word(two))).sum::<u32>() + odd
}

/// Why a packet is not carried, as its sender's kernel is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unreachable {
    Network,
    Host,
    Port,
    /// Not allowed.
    Prohibited,
}

impl Unreachable {
    /// What the failure of a connection means, if it is one to tell of.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => Some(Self::Network),
            io::ErrorKind::HostUnreachable => Some(Self::Host),
            io::ErrorKind::ConnectionRefused => Some(Self::Port),
            io::ErrorKind::PermissionDenied => Some(Self::Prohibited),
            _ => None,
        }
    }

    /// Type and code of ICMP and of ICMPv6.
    fn codes(self, v6: bool) -> [u8; 2] {
        match (self, v6) {
            (Self::Network, false) => [3, 0],
            (Self::Host, false) => [3, 1],
            (Self::Port, false) => [3, 3],
            (Self::Prohibited, false) => [3, 13],
            (Self::Network, true) => [1, 0],
            (Self::Prohibited, true) => [1, 1],
            (Self::Host, true) => [1, 3],
            (Self::Port, true) => [1, 4],
        }
    }
}

/// The ICMP error about a packet, of which `quoted` is what errors repeat, from `from` to `to`.
pub(super) fn unreachable(quoted: &[u8], from: IpAddr, to: IpAddr, why: Unreachable) -> Vec<u8> {
    let mut body = vec![0; 8];
    body[..2].copy_from_slice(&why.codes(from.is_ipv6()));
    body.extend_from_slice(quoted);
    let (protocol, pseudo) = if from.is_ipv6() {
        (ICMP_V6, pseudo_sum(from, to, ICMP_V6, body.len()))
    } else {
        (ICMP, 0)
    };
    let checksum = !fold(pseudo + sum(&body));
    body[2..4].copy_from_slice(&checksum.to_be_bytes());
    packet(from, to, protocol, &body)
}

/// The refusal of a connection that `syn` asks for; nothing if it is not whole.
pub(super) fn refusal(syn: &[u8]) -> Option<Vec<u8>> {
    let mut copy = syn.to_vec();
    let asked = Packet::parse(&mut copy)?;
    let header = asked.header;
    let sequence = u32::from_be_bytes(*asked.bytes().get(header + 4..)?.first_chunk()?);
    let (from, to) = (asked.destination, asked.source);
    let mut segment = vec![0; TCP_HEADER];
    segment[..2].copy_from_slice(&from.port().to_be_bytes());
    segment[2..4].copy_from_slice(&to.port().to_be_bytes());
    segment[8..12].copy_from_slice(&sequence.wrapping_add(1).to_be_bytes());
    segment[12] = 5 << 4;
    segment[13] = RST | ACK;
    let checksum = !fold(pseudo_sum(from.ip(), to.ip(), TCP, segment.len()) + sum(&segment));
    segment[TCP_CHECKSUM..TCP_CHECKSUM + 2].copy_from_slice(&checksum.to_be_bytes());
    Some(packet(from.ip(), to.ip(), TCP, &segment))
}

/// A datagram; nothing when it is too long for one.
pub(super) fn datagram(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(UDP_HEADER + payload.len()).ok()?;
    let mut body = Vec::with_capacity(UDP_HEADER + payload.len());
    body.extend_from_slice(&from.port().to_be_bytes());
    body.extend_from_slice(&to.port().to_be_bytes());
    body.extend_from_slice(&length.to_be_bytes());
    body.extend_from_slice(&[0, 0]);
    body.extend_from_slice(payload);
    // zero means no checksum
    let checksum = match !fold(pseudo_sum(from.ip(), to.ip(), UDP, body.len()) + sum(&body)) {
        0 => 0xffff,
        checksum => checksum,
    };
    body[6..8].copy_from_slice(&checksum.to_be_bytes());
    Some(packet(from.ip(), to.ip(), UDP, &body))
}

/// What transport checksums count besides the segment.
fn pseudo_sum(from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> u32 {
    let length = u32::try_from(length).unwrap_or_default();
    sum(octets(from).as_slice()) + sum(octets(to).as_slice()) + u32::from(protocol) + length
}

fn packet(from: IpAddr, to: IpAddr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => header_v4(from, to, protocol, body.len()),
        (IpAddr::V6(from), IpAddr::V6(to)) => header_v6(from, to, protocol, body.len()),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => Vec::new(),
    };
    bytes.extend_from_slice(body);
    bytes
}

fn header_v4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, body: usize) -> Vec<u8> {
    let length = u16::try_from(V4_HEADER + body).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(V4_HEADER + body);
    bytes.extend_from_slice(&[0x45, 0]);
    bytes.extend_from_slice(&length.to_be_bytes());
    // not to be fragmented, and never a fragment
    bytes.extend_from_slice(&[0, 0, 0x40, 0, HOPS, protocol, 0, 0]);
    bytes.extend_from_slice(&from.octets());
    bytes.extend_from_slice(&to.octets());
    let checksum = !fold(sum(&bytes));
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn header_v6(from: Ipv6Addr, to: Ipv6Addr, protocol: u8, body: usize) -> Vec<u8> {
    let length = u16::try_from(body).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(V6_HEADER + body);
    bytes.extend_from_slice(&[0x60, 0, 0, 0]);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&[protocol, HOPS]);
    bytes.extend_from_slice(&from.octets());
    bytes.extend_from_slice(&to.octets());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const V4: [&str; 4] = ["192.0.0.2:40000", "203.0.113.5:443", "192.0.0.1:7", "192.0.0.2:1"];
    const V6: [&str; 4] = [
        "[fd74::2]:40000",
        "[2001:db8::5]:443",
        "[fd74::1]:7",
        "[fd74::2]:1",
    ];

    fn addresses(v6: bool) -> [SocketAddr; 4] {
        (if v6 { V6 } else { V4 }).map(|text| text.parse().unwrap())
    }

    /// A TCP segment as a kernel would send it.
    fn segment(from: SocketAddr, to: SocketAddr, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut segment = vec![0; TCP_HEADER];
        segment[..2].copy_from_slice(&from.port().to_be_bytes());
        segment[2..4].copy_from_slice(&to.port().to_be_bytes());
        segment[4..8].copy_from_slice(&0xffff_ffffu32.to_be_bytes());
        segment[12] = 5 << 4;
        segment[13] = flags;
        segment.extend_from_slice(payload);
        let checksum = !fold(pseudo_sum(from.ip(), to.ip(), TCP, segment.len()) + sum(&segment));
        segment[16..18].copy_from_slice(&checksum.to_be_bytes());
        packet(from.ip(), to.ip(), TCP, &segment)
    }

    /// Whether all checksums of a packet hold.
    fn is_sound(bytes: &[u8]) -> bool {
        let v6 = bytes[0] >> 4 == 6;
        let (header, protocol) = if v6 { (40, bytes[6]) } else { (20, bytes[9]) };
        let addresses = if v6 { &bytes[8..40] } else { &bytes[12..20] };
        let pseudo = sum(addresses) + u32::from(protocol) + u32::try_from(bytes.len() - header).unwrap();
        let pseudo = if protocol == ICMP { 0 } else { pseudo };
        let body = fold(pseudo + sum(&bytes[header..])) == 0xffff;
        body && (v6 || fold(sum(&bytes[..20])) == 0xffff)
    }

    #[test]
    fn a_syn_is_read_and_refused() {
        for v6 in [false, true] {
            let [from, to, ..] = addresses(v6);
            let mut syn = segment(from, to, SYN, b"");
            let refusal = refusal(&syn).unwrap();
            let asked = Packet::parse(&mut syn).unwrap();
            assert!(asked.is_syn() && asked.transport == Transport::Tcp);
            assert_eq!((asked.source, asked.destination), (from, to));
            assert!(is_sound(&refusal));
            let mut copy = refusal.clone();
            let refused = Packet::parse(&mut copy).unwrap();
            assert_eq!((refused.source, refused.destination), (to, from));
            assert_eq!(refusal[refused.header + 13], RST | ACK);
            // one more than the sequence number, which wraps around
            assert_eq!(refusal[refused.header + 8..refused.header + 12], [0, 0, 0, 0]);
        }
        let [from, to, ..] = addresses(false);
        assert!(
            !Packet::parse(&mut segment(from, to, SYN | ACK, b""))
                .unwrap()
                .is_syn()
        );
    }

    #[test]
    fn errors_repeat_what_they_are_about() {
        for v6 in [false, true] {
            let [from, to, node, _] = addresses(v6);
            let mut bytes = datagram(from, to, b"hello").unwrap();
            let about = Packet::parse(&mut bytes).unwrap();
            let error = unreachable(about.quoted(), node.ip(), from.ip(), Unreachable::Prohibited);
            assert!(is_sound(&error));
            let header = if v6 { 40 } else { 20 };
            assert_eq!(error[header..header + 2], if v6 { [1, 1] } else { [3, 13] });
            assert_eq!(&error[header + 8..], &about.bytes()[..header + 8]);
        }
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        let [from, to, ..] = addresses(false);
        let whole = datagram(from, to, b"hello").unwrap();
        for length in 0..whole.len() {
            assert!(Packet::parse(&mut whole.clone()[..length]).is_none(), "{length}");
        }
        let mut fragment = whole.clone();
        fragment[6] = 0x20;
        assert!(Packet::parse(&mut fragment).is_none());
        let mut icmp = whole;
        icmp[9] = ICMP;
        assert!(Packet::parse(&mut icmp).is_none());
    }

    #[test]
    fn no_datagram_is_longer_than_its_header_can_say() {
        let [from, to, ..] = addresses(false);
        assert!(datagram(from, to, &[0; 65_507]).is_some());
        assert!(datagram(from, to, &[0; 65_528]).is_none());
    }

    proptest! {
        #[test]
        fn readdressed_segments_have_sound_checksums(v6: bool, payload: Vec<u8>, port: u16) {
            let [from, to, node, relay] = addresses(v6);
            let mut bytes = segment(from, to, ACK, &payload);
            prop_assert!(is_sound(&bytes));
            let mut packet = Packet::parse(&mut bytes).unwrap();
            packet.readdress(SocketAddr::new(node.ip(), port), relay);
            prop_assert!(is_sound(packet.bytes()));
            let again = Packet::parse(&mut bytes).unwrap();
            prop_assert_eq!((again.source.port(), again.destination), (port, relay));
        }

        #[test]
        fn datagrams_carry_their_payload(v6: bool, payload: Vec<u8>) {
            let [from, to, ..] = addresses(v6);
            let mut bytes = datagram(from, to, &payload).unwrap();
            prop_assert!(is_sound(&bytes));
            let packet = Packet::parse(&mut bytes).unwrap();
            prop_assert_eq!((packet.source, packet.destination), (from, to));
            prop_assert_eq!(packet.payload(), payload.as_slice());
        }

        #[test]
        fn nothing_a_function_sends_upsets_the_parser(mut bytes: Vec<u8>, version in 0u8..16) {
            if let Some(first) = bytes.first_mut() { *first = version << 4 | *first & 15; }
            if let Some(mut packet) = Packet::parse(&mut bytes) {
                let (from, to) = (packet.source, packet.destination);
                packet.readdress(to, from);
                let _quoted = packet.quoted();
                let _payload = packet.payload();
                drop(refusal(packet.bytes()));
            }
        }
    }
}
