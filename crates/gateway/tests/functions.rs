//! Requests over a socket, through the gateway, to a real function and back.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tradewind_compute::{Engine, EngineConfig, FunctionSpec, Interpreters, PackageFile, SandboxChoice};
use tradewind_gateway::{
    Api, ApiKind, Cors, Gateway, GatewayConfig, Integration, LambdaIntegration, PayloadFormat, Route, Stage,
};
use tradewind_model::{AccountId, Clock, FunctionArn, Region, TimeoutSeconds};
use tradewind_observe::usage::{Meter, UsageSink};
use tradewind_observe::{LogOptions, LogStore};

/// Answers as `?wish=` or the last part of the path asks.
const HANDLER: &str = r"
import base64, json, time
def handler(event, context):
    wish = (event.get('queryStringParameters') or {}).get('wish', 'event')
    if wish == 'event':
        return {'statusCode': 201, 'headers': {'x-seen': 'yes'}, 'body': json.dumps(event)}
    if wish == 'bytes':
        body = base64.b64encode(bytes([0, 255, 254])).decode()
        return {'statusCode': 200, 'headers': {'content-type': 'image/png'}, 'body': body, 'isBase64Encoded': True}
    if wish == 'plain':
        return {'greeting': 'hello'}
    if wish == 'cookies':
        return {'statusCode': 200, 'cookies': ['a=1', 'b=2'], 'body': ''}
    if wish == 'slow':
        time.sleep(3600)
    raise ValueError('no such wish')
";

/// Longer than any start of an instance takes.
const PATIENT: Duration = Duration::from_secs(120);
/// Shorter than the slow function, however fast the machine.
const HASTY: Duration = Duration::from_millis(50);

struct Node {
    address: SocketAddr,
    meter: Meter,
    engine: Engine,
    server: JoinSet<()>,
    _folder: tempfile::TempDir,
}

impl Node {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = engine(folder.path());
        deploy(&engine, folder.path()).await;
        let config = GatewayConfig {
            base_domain: "localhost:4566".to_owned(),
            account: AccountId::default_account(),
            region: Region::default_region(),
            clock: Clock::system(),
        };
        let gateway = Gateway::new(engine.clone(), config);
        let meter = Meter::default();
        gateway.count_in(meter.clone());
        for (rest, http, timeout) in [("rest1", "http1", PATIENT), ("rest2", "http2", HASTY)] {
            gateway.put_api(api(rest, ApiKind::Rest, timeout));
            gateway.put_api(api(http, ApiKind::Http, timeout));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, gateway));
        Self {
            address,
            engine,
            server,
            meter,
            _folder: folder,
        }
    }

    /// Sends one request and reads the answer to its end.
    async fn send(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!(
            "{head}\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        Answer::parse(&answer)
    }

    async fn stop(mut self) {
        self.server.shutdown().await;
        self.engine.shutdown(Duration::from_secs(1)).await;
    }
}

fn engine(folder: &std::path::Path) -> Engine {
    let clock = Clock::system();
    let path = std::env::var_os("PATH").unwrap_or_default();
    Engine::start(EngineConfig {
        packages_dir: folder.join("packages"),
        run_dir: folder.join("run"),
        sandbox: SandboxChoice::Process,
        spawner: None,
        bootstraps_dir: folder.join("bootstraps"),
        account: AccountId::default_account(),
        region: Region::default_region(),
        endpoint_url: "http://127.0.0.1:4566".to_owned(),
        account_concurrency: 10,
        memory_budget_bytes: None,
        usage: UsageSink::default(),
        keep_alive: EngineConfig::KEEP_ALIVE,
        stems: 0,
        prepare: false,
        clock: clock.clone(),
        logs: LogStore::open(folder.join("logs"), clock, LogOptions::default()).unwrap(),
        interpreters: Interpreters::discover(&path),
    })
    .unwrap()
}

fn arn() -> FunctionArn {
    "arn:aws:lambda:us-east-1:000000000000:function:wishes"
        .parse()
        .unwrap()
}

async fn deploy(engine: &Engine, folder: &std::path::Path) {
    let source = folder.join("app.py");
    std::fs::write(&source, HANDLER).unwrap();
    let file = PackageFile {
        path_in_package: "app.py".to_owned(),
        source,
        executable: false,
    };
    let package = engine.packages().add_folder(&[file]).await.unwrap();
    engine.deploy(FunctionSpec {
        timeout: TimeoutSeconds::new(60).unwrap(),
        ..FunctionSpec::new(arn(), "python3.12".parse().unwrap(), "app.handler", package)
    });
}

/// A REST API with `ANY /items/{proxy+}` in stage `dev`, or an HTTP API with `ANY /items/{id}`.
fn api(id: &str, kind: ApiKind, timeout: Duration) -> Api {
    let (stage, key, payload_format) = match kind {
        ApiKind::Rest => ("dev", "ANY /items/{proxy+}", PayloadFormat::V1),
        ApiKind::Http | ApiKind::FunctionUrl(_) => ("$default", "ANY /items/{id}", PayloadFormat::V2),
    };
    let integration = LambdaIntegration {
        function: arn(),
        payload_format,
        timeout,
    };
    let route = Route {
        key: key.parse().unwrap(),
        resource_id: "r1s2t3".to_owned(),
        integration: Integration::Lambda(integration),
    };
    let cors = Cors {
        allow_origins: vec!["https://shop.example".to_owned()],
        ..Cors::default()
    };
    let served = Stage {
        deployment_id: "d1e2f3".to_owned(),
        routes: vec![route],
        cors: (kind == ApiKind::Http).then_some(cors),
        binary_media_types: vec!["image/png".to_owned()],
        variables: BTreeMap::new(),
    };
    Api {
        id: id.parse().unwrap(),
        kind,
        stages: [(stage.to_owned(), served)].into(),
    }
}

async fn serve(listener: TcpListener, gateway: Gateway) {
    let mut connections = JoinSet::new();
    while let Ok((stream, peer)) = listener.accept().await {
        let gateway = gateway.clone();
        connections.spawn(async move {
            let answer = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let gateway = gateway.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let target = gateway.claims(&parts).unwrap();
                    let request = hyper::Request::from_parts(parts, body);
                    Ok::<_, Infallible>(gateway.handle(target, request, peer).await)
                }
            });
            // A client that goes away early is no failure of the test.
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer)
                    .await,
            );
        });
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let (head, body) = bytes.split_at(end + 4);
        let head = String::from_utf8(head.to_vec()).unwrap().to_ascii_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head,
            body: body.to_vec(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

#[tokio::test]
async fn a_request_travels_to_a_function_and_back() {
    let node = Node::start().await;
    let answer = node
        .send(
            "POST /_api/rest1/dev/items/a/b?x=1 HTTP/1.1\r\ncontent-type: text/plain",
            b"hi",
        )
        .await;
    assert_eq!(
        (answer.status, answer.header("x-seen")),
        (201, Some("yes")),
        "{}",
        answer.text()
    );
    let event: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(event["pathParameters"]["proxy"], "a/b");
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&"hi".into(), &false.into())
    );
    assert_eq!(event["requestContext"]["identity"]["sourceIp"], "127.0.0.1");
    assert_eq!(
        event["requestContext"]["requestId"].as_str(),
        answer.header("x-amzn-requestid")
    );

    let answer = node
        .send("GET /_api/http1/items/7 HTTP/1.1\r\ncookie: s=1", b"")
        .await;
    let event: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(
        (&event["version"], &event["rawPath"]),
        (&"2.0".into(), &"/items/7".into())
    );
    assert_eq!(event["cookies"], serde_json::json!(["s=1"]));
    node.stop().await;
}

#[tokio::test]
async fn requests_are_counted_by_api() {
    let world = Node::start().await;
    world.send("GET /_api/rest1/dev/items/1 HTTP/1.1", b"").await;
    world.send("GET /_api/http1/items/1 HTTP/1.1", b"").await;
    world.send("GET /_api/http1/nothing/here HTTP/1.1", b"").await;
    world
        .send("POST /_api/http1/items/1 HTTP/1.1", &vec![b'x'; 600 * 1024])
        .await;
    world.send("GET /_api/unknown/items/1 HTTP/1.1", b"").await;
    let mut counted: Vec<_> = world
        .meter
        .take()
        .into_iter()
        .map(|c| (c.resource, c.quantity))
        .collect();
    counted.sort();
    let arn = |path: &str| format!("arn:aws:apigateway:us-east-1::/{path}").into();
    assert_eq!(counted, [(arn("apis/http1"), 4), (arn("restapis/rest1"), 1)]);
    world.stop().await;
}

#[tokio::test]
async fn answers_take_the_form_of_their_api() {
    let node = Node::start().await;
    let bytes = node
        .send("GET /_api/http1/items/7?wish=bytes HTTP/1.1", b"")
        .await;
    assert_eq!(
        (bytes.header("content-type"), bytes.body.as_slice()),
        (Some("image/png"), &[0u8, 255, 254][..])
    );
    let accepted = node
        .send(
            "GET /_api/rest1/dev/items/7?wish=bytes HTTP/1.1\r\naccept: image/png",
            b"",
        )
        .await;
    assert_eq!(accepted.body, [0, 255, 254]);
    let plain = node
        .send("GET /_api/http1/items/7?wish=plain HTTP/1.1", b"")
        .await;
    let greeting: Value = serde_json::from_slice(&plain.body).unwrap();
    assert_eq!((plain.status, &greeting["greeting"]), (200, &"hello".into()));
    let malformed = node
        .send("GET /_api/rest1/dev/items/7?wish=plain HTTP/1.1", b"")
        .await;
    assert_eq!(
        (malformed.status, malformed.text().as_str()),
        (502, r#"{"message": "Internal server error"}"#)
    );
    let cookies = node
        .send(
            "GET /_api/http1/items/7?wish=cookies HTTP/1.1\r\norigin: https://shop.example",
            b"",
        )
        .await;
    assert_eq!(cookies.head.matches("set-cookie: ").count(), 2);
    assert_eq!(
        cookies.header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    let head = node
        .send("HEAD /_api/http1/items/7?wish=bytes HTTP/1.1", b"")
        .await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    node.stop().await;
}

#[tokio::test]
async fn failures_are_worded_by_the_kind_of_api() {
    let node = Node::start().await;
    for (path, status, body) in [
        (
            "/_api/http1/items/7?wish=throw",
            500,
            r#"{"message":"Internal Server Error"}"#,
        ),
        (
            "/_api/rest1/dev/items/7?wish=throw",
            502,
            r#"{"message": "Internal server error"}"#,
        ),
        (
            "/_api/http2/items/7?wish=slow",
            503,
            r#"{"message":"Service Unavailable"}"#,
        ),
        (
            "/_api/rest2/dev/items/7?wish=slow",
            504,
            r#"{"message": "Endpoint request timed out"}"#,
        ),
    ] {
        let answer = node.send(&format!("GET {path} HTTP/1.1"), b"").await;
        assert_eq!((answer.status, answer.text().as_str()), (status, body), "{path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_gets_its_answer() {
    let node = Node::start().await;
    let body = vec![b'x'; 11 * 1024 * 1024];
    let answer = node.send("POST /_api/http1/items/7 HTTP/1.1", &body).await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (413, r#"{"message":"Request Entity Too Large"}"#)
    );
    node.stop().await;
}
