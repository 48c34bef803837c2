//! What a function with egress reaches, and what not.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use super::world::{NODE, REMOTE, REMOTE_V6, Remote};
use super::{greeter, greeting, inside};
use crate::sandbox::network::{InstanceNetwork, Networks};
use crate::spec::Egress;

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

async fn network(egress: Egress) -> (Networks, InstanceNetwork) {
    let networks = Networks::start(None).unwrap();
    let network = networks.take(egress).await.unwrap();
    (networks, network)
}

/// How a connection to an address fails.
async fn failure(network: &InstanceNetwork, address: SocketAddr) -> ErrorKind {
    let greeted = inside(network, move || greeting(address)).await;
    greeted.unwrap_err().kind()
}

#[tokio::test]
async fn the_world_is_reached_by_tcp() {
    let remote = Remote::connect();
    remote.run(|| greeter(&format!("{REMOTE}:443"), "hello"));
    remote.run(|| greeter(&format!("[{REMOTE_V6}]:443"), "hello by six"));
    let (_networks, network) = network(Egress::Internet).await;
    let greeted = inside(&network, || {
        (greeting(at(REMOTE, 443)), greeting(at(REMOTE_V6, 443)))
    })
    .await;
    assert_eq!(greeted.0.unwrap(), "hello");
    assert_eq!(greeted.1.unwrap(), "hello by six");
    assert_eq!(
        network
            .traffic()
            .received
            .load(std::sync::atomic::Ordering::Relaxed),
        17
    );
}

#[tokio::test]
async fn what_is_sent_arrives_whole_both_ways() {
    const LENGTH: usize = 20_000_000;
    let remote = Remote::connect();
    // sends back what it gets, and ends when that ends
    remote.run(|| {
        let listener = TcpListener::bind((REMOTE, 7)).unwrap();
        thread::spawn(move || {
            let (mut stream, _peer) = listener.accept().unwrap();
            io::copy(&mut stream.try_clone().unwrap(), &mut stream).unwrap();
        });
    });
    let (_networks, network) = network(Egress::Internet).await;
    let sent: Vec<u8> = (0..LENGTH)
        .map(|at| u8::try_from(at * at % 251).unwrap())
        .collect();
    let copy = sent.clone();
    let back = inside(&network, move || {
        let mut stream = TcpStream::connect((REMOTE, 7)).unwrap();
        let mut writer = stream.try_clone().unwrap();
        let write = thread::spawn(move || {
            writer.write_all(&copy).unwrap();
            writer.shutdown(Shutdown::Write).unwrap();
        });
        let mut back = Vec::new();
        stream.read_to_end(&mut back).unwrap();
        write.join().unwrap();
        back
    });
    assert!(back.await == sent, "not what was sent came back");
}

#[tokio::test]
async fn a_failed_connection_fails_inside_as_it_did_outside() {
    let remote = Remote::connect();
    let (_networks, network) = network(Egress::Internet).await;
    assert_eq!(
        failure(&network, at(REMOTE, 81)).await,
        ErrorKind::ConnectionRefused
    );
    assert_eq!(
        failure(&network, at(REMOTE_V6, 81)).await,
        ErrorKind::ConnectionRefused
    );
    assert_eq!(
        failure(&network, at("198.51.100.9", 80)).await,
        ErrorKind::NetworkUnreachable
    );
    drop(remote);
}

#[tokio::test]
async fn the_nodes_own_addresses_and_the_clouds_metadata_are_out_of_reach() {
    let _remote = Remote::connect();
    let secret = greeter("0.0.0.0:0", "secret").port();
    let (_networks, network) = network(Egress::Internet).await;
    assert_eq!(greeting(at(NODE, secret)).unwrap(), "secret");
    for address in [at(NODE, secret), at("169.254.169.254", 80)] {
        assert_eq!(
            failure(&network, address).await,
            ErrorKind::HostUnreachable,
            "{address}"
        );
    }
    let mapped = at(&format!("::ffff:{NODE}"), secret);
    assert_eq!(failure(&network, mapped).await, ErrorKind::HostUnreachable);
    // its own loopback, on which nobody listens there
    assert_eq!(
        failure(&network, at("127.0.0.1", secret)).await,
        ErrorKind::ConnectionRefused
    );
    // permission denied is how Linux tells of what an IPv6 network prohibits
    assert_eq!(
        failure(&network, at("2001:db8:5::1", 80)).await,
        ErrorKind::PermissionDenied
    );
}

#[tokio::test]
async fn the_relay_serves_nobody_directly() {
    let _remote = Remote::connect();
    let (_networks, network) = network(Egress::Internet).await;
    for address in [at("127.0.0.1", 1), at("192.0.0.2", 1)] {
        let said = inside(&network, move || greeting(address)).await;
        assert!(matches!(said.as_deref(), Ok("") | Err(_)), "{said:?}");
    }
    assert_eq!(
        failure(&network, at("192.0.0.1", 1)).await,
        ErrorKind::HostUnreachable
    );
}

#[tokio::test]
async fn without_egress_there_is_no_way_out() {
    let remote = Remote::connect();
    remote.run(|| greeter(&format!("{REMOTE}:443"), "hello"));
    let (_networks, network) = network(Egress::None).await;
    for ip in [REMOTE, REMOTE_V6, "192.0.0.1"] {
        assert_eq!(
            failure(&network, at(ip, 443)).await,
            ErrorKind::NetworkUnreachable,
            "{ip}"
        );
    }
    assert_eq!(network.resolv_conf(), "");
}

/// Answers each datagram with itself.
fn echo(address: SocketAddr) {
    let socket = UdpSocket::bind(address).unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 2000];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            socket.send_to(&buffer[..length], from).unwrap();
        }
    });
}

fn ask(address: SocketAddr, question: &'static str) -> io::Result<String> {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    socket.send(question.as_bytes())?;
    let mut buffer = [0; 100];
    let length = socket.recv(&mut buffer)?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into())
}

#[tokio::test]
async fn datagrams_go_and_come() {
    let remote = Remote::connect();
    remote.run(|| {
        echo(at(REMOTE, 7));
        echo(at(REMOTE_V6, 7));
    });
    let (_networks, network) = network(Egress::Internet).await;
    let answers = inside(&network, || {
        (ask(at(REMOTE, 7), "four"), ask(at(REMOTE_V6, 7), "six"))
    })
    .await;
    assert_eq!(
        (answers.0.unwrap(), answers.1.unwrap()),
        ("four".into(), "six".into())
    );
    let refused = inside(&network, || ask(at(REMOTE, 9), "nobody")).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let denied = inside(&network, || ask(at(NODE, 9), "nobody")).await;
    assert_eq!(denied.unwrap_err().kind(), ErrorKind::HostUnreachable);
}

#[tokio::test]
async fn names_are_asked_of_the_nodes_resolver() {
    let remote = Remote::connect();
    let (networks, network) = network(Egress::Internet).await;
    let resolver = networks.world.node().unwrap().resolvers[0];
    if resolver.ip().is_loopback() {
        echo(resolver);
    } else {
        remote.adopt(resolver);
        remote.run(move || echo(resolver));
    }
    assert!(network.resolv_conf().starts_with("nameserver 192.0.0.8\n"));
    let answer = inside(&network, || ask(at("192.0.0.8", 53), "who?")).await;
    assert_eq!(answer.unwrap(), "who?");
}

#[tokio::test]
async fn an_aborted_connection_is_aborted_at_the_other_end() {
    let remote = Remote::connect();
    let listener = remote.run(|| TcpListener::bind((REMOTE, 80)).unwrap());
    let (_networks, network) = network(Egress::Internet).await;
    let mut stream = inside(&network, || TcpStream::connect((REMOTE, 80)).unwrap()).await;
    let (mut other, _peer) = listener.accept().unwrap();
    stream.write_all(b"unread").unwrap();
    other.read_exact(&mut [0]).unwrap();
    // closed with something unread: the kernel resets it
    drop(other);
    let ended = tokio::task::spawn_blocking(move || stream.read(&mut [0; 10]));
    assert_eq!(
        ended.await.unwrap().unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
}

#[tokio::test]
async fn a_network_that_is_dropped_hangs_up_on_the_world() {
    let remote = Remote::connect();
    let listener = remote.run(|| TcpListener::bind((REMOTE, 80)).unwrap());
    let (_networks, network) = network(Egress::Internet).await;
    let stream = inside(&network, || TcpStream::connect((REMOTE, 80)).unwrap()).await;
    let (mut other, _peer) = listener.accept().unwrap();
    drop(network);
    let ended = tokio::task::spawn_blocking(move || other.read(&mut [0; 10]));
    assert!(matches!(ended.await.unwrap(), Ok(0) | Err(_)));
    drop(stream);
}
