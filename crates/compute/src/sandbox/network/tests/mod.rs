//! What is and is not to be reached from inside, seen from a thread that goes inside.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use super::*;

mod egress;
pub(crate) mod world;

/// Does something inside a network, as a function would.
pub(super) async fn inside<T: Send + 'static>(
    network: &InstanceNetwork,
    act: impl FnOnce() -> T + Send + 'static,
) -> T {
    let namespace = network.namespace().try_clone_to_owned().unwrap();
    let went = thread::spawn(move || {
        link::enter(namespace.as_fd()).unwrap();
        act()
    });
    tokio::task::spawn_blocking(move || went.join().unwrap())
        .await
        .unwrap()
}

/// Answers each connection with one line, until the process ends.
pub(super) fn greeter(address: &str, line: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(address).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            stream.unwrap().write_all(line.as_bytes()).unwrap();
        }
    });
    address
}

pub(super) fn greeting(from: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&from, Duration::from_secs(20))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn refused(result: &io::Result<String>) -> bool {
    result
        .as_ref()
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[tokio::test]
async fn the_api_endpoint_is_on_the_functions_own_loopback_and_nothing_else_of_the_node() {
    let node = greeter("127.0.0.1:0", "node");
    let secret = greeter("127.0.0.1:0", "secret");
    let networks = Networks::start(Some(node)).unwrap();
    let network = networks.take(Egress::None).await.unwrap();
    let (api, other) = inside(&network, move || (greeting(node), greeting(secret))).await;
    assert_eq!(api.unwrap(), "node");
    assert!(refused(&other), "{other:?}");
}

#[tokio::test]
async fn the_runtime_api_is_served_by_the_node_inside() {
    let networks = Networks::start(None).unwrap();
    let mut network = networks.take(Egress::None).await.unwrap();
    let listener = network.runtime_api().unwrap();
    assert!(network.runtime_api().is_err());
    let address = listener.local_addr().unwrap();
    assert_eq!(address.to_string(), "127.0.0.1:9001");
    let said = inside(&network, move || {
        TcpStream::connect(address).unwrap().write_all(b"next").unwrap();
    });
    let heard = async {
        let (mut stream, _peer) = listener.accept().await.unwrap();
        let mut text = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut text)
            .await
            .unwrap();
        text
    };
    let ((), heard) = tokio::join!(said, heard);
    assert_eq!(heard, b"next");
}

#[tokio::test]
async fn an_instances_listener_is_out_of_reach_of_another() {
    let networks = Networks::start(None).unwrap();
    let (one, other) = (
        networks.take(Egress::None).await.unwrap(),
        networks.take(Egress::None).await.unwrap(),
    );
    let theirs = inside(&one, || greeter("0.0.0.0:0", "theirs")).await;
    let at_home = inside(&one, move || greeting(([127, 0, 0, 1], theirs.port()).into())).await;
    assert_eq!(at_home.unwrap(), "theirs");
    let away = inside(&other, move || greeting(([127, 0, 0, 1], theirs.port()).into())).await;
    assert!(refused(&away), "{away:?}");
}

#[tokio::test]
async fn a_network_that_is_dropped_takes_its_connections_along() {
    let node = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = node.local_addr().unwrap();
    let networks = Networks::start(Some(api)).unwrap();
    let network = networks.take(Egress::None).await.unwrap();
    let mut stream = inside(&network, move || TcpStream::connect(api).unwrap()).await;
    let (mut at_node, _peer) = node.accept().unwrap();
    drop(network);
    let ended = tokio::task::spawn_blocking(move || (at_node.read(&mut [0]), stream.read(&mut [0])));
    let (at_node, in_function) = ended.await.unwrap();
    assert!(matches!(at_node, Ok(0) | Err(_)), "{at_node:?}");
    assert!(matches!(in_function, Ok(0) | Err(_)), "{in_function:?}");
}

#[tokio::test]
async fn the_node_reaches_what_a_function_listens_on() {
    let networks = Networks::start(None).unwrap();
    let one = networks.take(Egress::None).await.unwrap();
    let other = networks.take(Egress::None).await.unwrap();
    let port = inside(&one, || greeter("127.0.0.1:0", "inside")).await.port();
    let mut stream = one.dialer().connect(port).await.unwrap();
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text)
        .await
        .unwrap();
    assert_eq!(text, "inside");
    let refused = other.dialer().connect(port).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn the_runtime_api_gives_way_to_the_api_endpoint() {
    assert_eq!(ports(None), [9001]);
    assert_eq!(ports(Some("127.0.0.1:4566".parse().unwrap())), [9001, 4566]);
    assert_eq!(ports(Some("127.0.0.1:9001".parse().unwrap())), [9002, 9001]);
}

#[tokio::test]
async fn without_a_device_functions_run_but_have_no_way_out() {
    let mut networks = Networks::start(None).unwrap();
    networks.no_way_out = Some("no device".to_owned());
    let network = networks.take(Egress::Internet).await.unwrap();
    let outside = inside(&network, || greeting(([203, 0, 113, 5], 80).into())).await;
    let kind = outside.unwrap_err().kind();
    assert_eq!(kind, io::ErrorKind::NetworkUnreachable);
    assert_eq!(network.resolv_conf(), "");
}
