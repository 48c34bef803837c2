//! Whom functions reach from their jails.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use serde_json::{Value, json};
use tradewind_model::FunctionArn;

use super::node::{Node, Settings};
use crate::sandbox::network::tests::world::{NODE, REMOTE, Remote};
use crate::{Egress, SandboxChoice};

/// Says of each address in the event what came from there, or why nothing did.
const CALLER: &str = "
    import errno, socket
    def call(address):
        host, port = address
        try:
            with socket.create_connection((host, port), timeout=20) as connection:
                connection.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
                return connection.recv(100).decode()
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))
    def serve(port):
        import threading
        server = socket.create_server(('0.0.0.0', port))
        def answer():
            while True:
                connection, _ = server.accept()
                connection.sendall(b'mine')
                connection.close()
        threading.Thread(target=answer, daemon=True).start()
    def handler(event, context):
        if 'serve' in event:
            serve(event['serve'])
        return {'came': [call(address) for address in event['call']],
                'endpoint': os.environ['AWS_ENDPOINT_URL'],
                'resolvers': open('/etc/resolv.conf').read()}
";

/// Answers whoever connects.
fn answer(address: SocketAddr, with: &'static str) {
    let listener = TcpListener::bind(address).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _request = stream.read(&mut [0; 100]).unwrap();
            stream.write_all(with.as_bytes()).unwrap();
        }
    });
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

fn jails() -> Node {
    Node::start_with(Settings {
        sandbox: SandboxChoice::Jail,
        ..Settings::default()
    })
}

async fn caller(node: &Node, egress: Egress) -> FunctionArn {
    let mut spec = node.python_spec(CALLER).await;
    spec.egress = egress;
    node.deploy(spec)
}

async fn call(node: &Node, function: &FunctionArn, addresses: Value) -> Value {
    let event = json!({ "call": addresses }).to_string();
    node.invoke(function, &event).await
}

#[tokio::test]
async fn functions_reach_the_world_and_of_the_node_its_api_alone() {
    let remote = Remote::connect();
    remote.run(|| answer(at(REMOTE, 80), "world"));
    answer(at("127.0.0.1", 4566), "api");
    answer(at("0.0.0.0", 8000), "secret");
    let node = jails();
    let function = caller(&node, Egress::Internet).await;
    let addresses = json!([
        ["127.0.0.1", 4566],
        [REMOTE, 80],
        ["127.0.0.1", 8000],
        [NODE, 8000],
        ["169.254.169.254", 80]
    ]);
    let seen = call(&node, &function, addresses).await;
    let expected = json!(["api", "world", "ECONNREFUSED", "EHOSTUNREACH", "EHOSTUNREACH"]);
    assert_eq!(seen["came"], expected);
    assert_eq!(seen["endpoint"], "http://127.0.0.1:4566");
    assert!(
        seen["resolvers"]
            .as_str()
            .unwrap()
            .starts_with("nameserver 192.0.0.8\n")
    );
    node.stop().await;
}

#[tokio::test]
async fn functions_without_egress_reach_the_api_alone() {
    let remote = Remote::connect();
    remote.run(|| answer(at(REMOTE, 80), "world"));
    answer(at("127.0.0.1", 4566), "api");
    let node = jails();
    let function = caller(&node, Egress::None).await;
    let addresses = json!([["127.0.0.1", 4566], [REMOTE, 80], [NODE, 4566], ["192.0.0.8", 53]]);
    let seen = call(&node, &function, addresses).await;
    assert_eq!(
        seen["came"],
        json!(["api", "ENETUNREACH", "ENETUNREACH", "ENETUNREACH"])
    );
    assert_eq!(seen["resolvers"], "");
    node.stop().await;
}

#[tokio::test]
async fn functions_do_not_reach_each_other() {
    let _remote = Remote::connect();
    let node = jails();
    let (one, other) = (
        caller(&node, Egress::Internet).await,
        caller(&node, Egress::Internet).await,
    );
    let own = json!({"serve": 7000, "call": [["127.0.0.1", 7000], ["192.0.0.2", 7000]]});
    let seen = node.invoke(&one, &own.to_string()).await;
    assert_eq!(seen["came"], json!(["mine", "mine"]));
    let seen = call(&node, &other, json!([["127.0.0.1", 7000], ["192.0.0.2", 7000]])).await;
    assert_eq!(seen["came"], json!(["ECONNREFUSED", "ECONNREFUSED"]));
    node.stop().await;
}
