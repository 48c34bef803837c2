//! Requests to a server, as it sees them.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tradewind_events::Routing;
use tradewind_events::api_destination::{ApiDestinations, DestinationRequest, HttpParameters};
use tradewind_events::delivery::{Deliverer as _, Delivery, LaneId, Outcome};
use tradewind_model::Timestamp;
use tradewind_store::Batch;

use super::LANES;
use crate::testing::{World, queue};

/// An HTTP server that gives the answers it is told, and `200` after them.
struct Server {
    url: String,
    answers: Arc<Mutex<VecDeque<String>>>,
    requests: Receiver<Seen>,
}

/// A request: its first line, its headers in lower case, its body.
#[derive(Debug)]
struct Seen {
    line: String,
    headers: Vec<String>,
    body: String,
}

impl Seen {
    fn has(&self, header: &str) -> bool {
        self.headers.iter().any(|line| line == header)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Arc::<Mutex<VecDeque<String>>>::default();
        let (sender, requests) = channel();
        let told = Arc::clone(&answers);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let seen = read(BufReader::new(&mut stream));
                let answer = told.lock().unwrap().pop_front();
                let answer = answer.unwrap_or_else(|| "200 OK\r\ncontent-length: 0\r\n\r\n".into());
                write!(
                    stream,
                    "HTTP/1.1 {}",
                    answer.replacen("\r\n", "\r\nconnection: close\r\n", 1)
                )
                .unwrap();
                if sender.send(seen).is_err() {
                    return;
                }
            }
        });
        Self {
            url,
            answers,
            requests,
        }
    }

    /// The next answer: a status and lines of headers.
    fn answer(&self, status: &str, headers: &str, body: &str) {
        let text = format!(
            "{status}\r\n{headers}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.answers.lock().unwrap().push_back(text);
    }

    fn seen(&self) -> Seen {
        self.requests.recv_timeout(Duration::from_secs(30)).unwrap()
    }
}

fn read(mut stream: BufReader<impl std::io::Read>) -> Seen {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let mut headers = Vec::new();
    loop {
        let header = line();
        match header.split_once(": ") {
            Some((name, value)) => headers.push(format!("{}: {value}", name.to_ascii_lowercase())),
            None => break,
        }
    }
    let length = headers
        .iter()
        .find_map(|header| header.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    Seen {
        line: first,
        headers,
        body: String::from_utf8(body).unwrap(),
    }
}

/// A rule that sends events of the shop to the destination.
async fn destination(world: &World, auth: Value, endpoint: &str, target: Value) -> String {
    let kind = if auth.get("OAuthParameters").is_some() {
        "OAUTH_CLIENT_CREDENTIALS"
    } else if auth.get("BasicAuthParameters").is_some() {
        "BASIC"
    } else {
        "API_KEY"
    };
    let connection = json!({"Name": "c", "AuthorizationType": kind, "AuthParameters": auth});
    let connection = world.ok("CreateConnection", connection).await["ConnectionArn"].clone();
    let made = json!({"Name": "d", "ConnectionArn": connection, "InvocationEndpoint": endpoint, "HttpMethod": "POST"});
    let arn = world.ok("CreateApiDestination", made).await["ApiDestinationArn"].clone();
    let mut target = target;
    (target["Id"], target["Arn"]) = (json!("1"), arn.clone());
    world
        .rule("default", "r", json!({"source": ["shop"]}), json!([target]))
        .await;
    arn.as_str().unwrap().to_owned()
}

fn api_key() -> Value {
    json!({"ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "hidden"}})
}

/// The worker, as long as this is kept.
fn deliver(world: &World) -> JoinSet<()> {
    let (deliveries, mut tasks) = (world.service.deliveries().clone(), JoinSet::new());
    tasks.spawn(async move { deliveries.run(CancellationToken::new()).await });
    tasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_becomes_a_request_of_all_its_parts() {
    let mut world = World::new().await;
    let server = Server::start();
    let mut auth = api_key();
    auth["InvocationHttpParameters"] = json!({
        "HeaderParameters": [{"Key": "x-shop", "Value": "north"}],
        "QueryStringParameters": [{"Key": "v", "Value": "1 2"}],
        "BodyParameters": [{"Key": "token", "Value": "t"}],
    });
    let target = json!({
        "HttpParameters": {
            "PathParameterValues": ["$.detail.id"], "HeaderParameters": {"x-type": "$.detail-type"},
            "QueryStringParameters": {"total": "$.detail.total"}},
        "InputPath": "$.detail",
    });
    destination(&world, auth, &format!("{}/orders/*/paid", server.url), target).await;
    world.restart().await;
    let _worker = deliver(&world);
    world.put("default", json!({"id": "a/b", "total": 7})).await;
    let seen = server.seen();
    assert_eq!(seen.line, "POST /orders/a%2Fb/paid?total=7&v=1%202 HTTP/1.1");
    for header in [
        "x-key: hidden",
        "x-shop: north",
        "x-type: order",
        "user-agent: Amazon/EventBridge/ApiDestinations",
        "content-type: application/json; charset=utf-8",
    ] {
        assert!(seen.has(header), "{header}: {seen:?}");
    }
    assert_eq!(seen.json(), json!({"id": "a/b", "total": 7, "token": "t"}));
    let stored = world
        .database
        .read("SELECT definition FROM eventbridge_resources", Vec::new())
        .await
        .unwrap();
    assert!(!format!("{stored:?}").contains("hidden"), "it is sealed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_can_ask_for_cloud_events() {
    let world = World::new().await;
    let server = Server::start();
    let auth = json!({"BasicAuthParameters": {"Username": "me", "Password": "pw"}});
    let target =
        json!({"HttpParameters": {"HeaderParameters": {"Content-Type": "application/cloudevents+json"}}});
    destination(&world, auth, &server.url, target).await;
    let _worker = deliver(&world);
    let id = world.put("default", json!({"n": 1})).await;
    let seen = server.seen();
    assert!(seen.has("authorization: Basic bWU6cHc="), "{seen:?}");
    assert!(seen.has("content-type: application/cloudevents+json"), "{seen:?}");
    let expected = json!({
        "specversion": "1.0", "id": id, "source": "shop", "type": "order", "time": "2023-11-14T22:13:20Z",
        "datacontenttype": "application/json", "data": {"n": 1},
    });
    assert_eq!(seen.json(), expected);
}

/// One attempt at an event for this destination.
async fn attempt(world: &World, destination: &str) -> Outcome {
    let owed = super::Owed {
        rule: "arn:r".into(),
        destination: destination.into(),
        body: "{}".into(),
        event: "{}".into(),
        http: HttpParameters::default(),
        key: None,
        trace: None,
    };
    let delivery = Delivery {
        lane: LaneId::new(LANES, "x"),
        id: "1".into(),
        payload: serde_json::to_vec(&owed).unwrap().into(),
        attempt: 1,
        owed_at: Timestamp::from_millis(0),
    };
    let mut routing = Routing::new(Batch::new());
    world.service.deliver(&delivery, &mut routing).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_say_whether_it_is_tried_again() {
    let world = World::new().await;
    let server = Server::start();
    let arn = destination(&world, api_key(), &server.url, json!({})).await;
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let date = "Retry-After: Tue, 14 Nov 2023 22:13:50 GMT\r\n";
    for (status, header, expected) in [
        (
            "503 Busy",
            "Retry-After: 7\r\n",
            Some(("INTERNAL_ERROR", seconds(7))),
        ),
        ("429 Slow", date, Some(("THROTTLING", seconds(30)))),
        ("401 Who", "", Some(("NO_PERMISSIONS", None))),
        ("409 Other", "", Some(("SDK_CLIENT_ERROR", None))),
        ("404 Gone", "", None),
        ("302 Moved", "Location: http://127.0.0.1:1/\r\n", None),
    ] {
        server.answer(status, header, "");
        match (attempt(&world, &arn).await, expected) {
            (Outcome::Retry { code, after, .. }, Some(expected)) => {
                assert_eq!((code.as_str(), after), expected)
            }
            (Outcome::GiveUp { .. }, None) => {}
            (outcome, _) => panic!("{status}: {outcome:?}"),
        }
    }
    assert_eq!(attempt(&world, &arn).await, Outcome::Done);
    world
        .ok(
            "UpdateApiDestination",
            json!({"Name": "d", "InvocationEndpoint": "http://127.0.0.1:1/"}),
        )
        .await;
    let unreachable = attempt(&world, &arn).await;
    assert!(
        matches!(&unreachable, Outcome::Retry { code, .. } if code == "CONNECTION_FAILURE"),
        "{unreachable:?}"
    );
    world.ok("DeauthorizeConnection", json!({"Name": "c"})).await;
    assert!(matches!(attempt(&world, &arn).await, Outcome::GiveUp { code, .. } if code == "NO_PERMISSIONS"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_kept_until_it_ends_or_is_refused() {
    let world = World::new().await;
    let (server, issuer) = (Server::start(), Server::start());
    let auth = json!({"OAuthParameters": {
        "ClientParameters": {"ClientID": "me", "ClientSecret": "s&s"}, "AuthorizationEndpoint": issuer.url,
        "HttpMethod": "POST", "OAuthHttpParameters": {"BodyParameters": [{"Key": "scope", "Value": "all"}]}}});
    let arn = destination(&world, auth, &server.url, json!({})).await;
    let token = |name: &str| {
        issuer.answer(
            "200 OK",
            "",
            &json!({"access_token": name, "expires_in": 600}).to_string(),
        )
    };
    token("one");
    for _ in 0..2 {
        assert_eq!(attempt(&world, &arn).await, Outcome::Done);
        assert!(server.seen().has("authorization: Bearer one"));
    }
    let asked = issuer.seen();
    assert_eq!(
        asked.body,
        "grant_type=client_credentials&client_id=me&client_secret=s%26s&scope=all"
    );
    server.answer("401 Old", "", "");
    assert!(matches!(attempt(&world, &arn).await, Outcome::Retry { .. }));
    token("two");
    assert_eq!(attempt(&world, &arn).await, Outcome::Done);
    world.clock.advance_millis(580_000);
    token("three");
    assert_eq!(attempt(&world, &arn).await, Outcome::Done);
    let used: Vec<bool> = ["one", "two", "three"]
        .map(|name| server.seen().has(&format!("authorization: Bearer {name}")))
        .into();
    assert_eq!(used, [true; 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_of_a_token_is_read_than_one_has() {
    let world = World::new().await;
    let (server, issuer) = (Server::start(), Server::start());
    let auth = json!({"OAuthParameters": {"ClientParameters": {"ClientID": "me", "ClientSecret": "s"},
        "AuthorizationEndpoint": issuer.url, "HttpMethod": "POST"}});
    let arn = destination(&world, auth, &server.url, json!({})).await;
    let endless = format!(
        "200 OK\r\ncontent-length: 1000000000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    issuer.answers.lock().unwrap().push_back(endless);
    let outcome = attempt(&world, &arn).await;
    let expected = "the authorization endpoint answered more than 65536 bytes";
    assert!(
        matches!(&outcome, Outcome::Retry { reason, .. } if reason == expected),
        "{outcome:?}"
    );
}

const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:busy";

/// A rule that sends events of the shop to a function that has no room.
async fn busy_function(world: &World, retries: u32) {
    let target = json!([{"Id": "1", "Arn": FUNCTION, "Input": "{\"n\":7}",
        "RetryPolicy": {"MaximumRetryAttempts": retries}, "DeadLetterConfig": {"Arn": queue("dead")}}]);
    world
        .rule("default", "r", json!({"source": ["shop"]}), target)
        .await;
    world.queues.fill(true);
}

async fn next(world: &World) -> (String, tradewind_events::Message) {
    loop {
        match world.queues.take().pop() {
            Some(got) => return got,
            None => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_is_full_gets_its_event_later() {
    let mut world = World::new().await;
    busy_function(&world, 1).await;
    world.put("default", json!({})).await;
    assert!(world.queues.take().is_empty(), "it is no dead letter yet");
    world.queues.fill(false);
    world.restart().await;
    let _worker = deliver(&world);
    let (name, message) = next(&world).await;
    assert_eq!(
        (&*name, &*message.body),
        ("function:busy", b"{\"n\":7}".as_slice())
    );
    assert_eq!(message.source, "arn:aws:events:us-east-1:000000000000:rule/r");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_stays_full_is_tried_as_its_policy_says() {
    for retries in [0, 1] {
        let world = World::new().await;
        busy_function(&world, retries).await;
        let id = world.put("default", json!({})).await;
        let _worker = deliver(&world);
        let (name, message) = next(&world).await;
        let event: Value = serde_json::from_slice(&message.body).unwrap();
        assert_eq!((&*name, &event["id"]), ("dead", &json!(id)));
        let attribute = |name: &str| {
            let found = message.attributes.iter().find(|one| one.name == name).unwrap();
            format!("{:?}", found.value)
        };
        for (name, value) in [
            ("ERROR_CODE", "THROTTLING"),
            ("RETRY_ATTEMPTS", &*retries.to_string()),
            ("EXHAUSTED_RETRY_CONDITION", "MaximumRetryAttempts"),
            ("TARGET_ARN", FUNCTION),
        ] {
            assert_eq!(attribute(name), format!("Text({value:?})"), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_up_goes_to_the_dead_letter_queue() {
    let world = World::new().await;
    let server = Server::start();
    let target =
        json!({"RetryPolicy": {"MaximumRetryAttempts": 0}, "DeadLetterConfig": {"Arn": queue("dead")}});
    destination(&world, api_key(), &server.url, target).await;
    let _worker = deliver(&world);
    server.answer("500 Broken", "", "");
    let id = world.put("default", json!({})).await;
    let mut dead = Vec::new();
    while dead.is_empty() {
        tokio::task::yield_now().await;
        dead = world.queues.take();
    }
    let message = &dead[0].1;
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(body["id"], json!(id));
    let text = format!("{:?}", message.attributes);
    for expected in ["INTERNAL_ERROR", "500", "MaximumRetryAttempts"] {
        assert!(text.contains(expected), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_changes_of_a_connection_what_it_names() {
    let world = World::new().await;
    let server = Server::start();
    let auth = json!({
        "BasicAuthParameters": {"Username": "me", "Password": "pw"},
        "InvocationHttpParameters": {"HeaderParameters": [{"Key": "x-shop", "Value": "north"}]}});
    let arn = destination(&world, auth, &server.url, json!({})).await;
    let update = |auth: Value| json!({"Name": "c", "AuthParameters": auth});
    let named = json!({"BasicAuthParameters": {"Password": "pw2"}});
    world.ok("UpdateConnection", update(named)).await;
    assert_eq!(attempt(&world, &arn).await, Outcome::Done);
    let seen = server.seen();
    for header in ["authorization: Basic bWU6cHcy", "x-shop: north"] {
        assert!(seen.has(header), "{header}: {seen:?}");
    }
    let named =
        json!({"InvocationHttpParameters": {"HeaderParameters": [{"Key": "x-shop", "Value": "south"}]}});
    world.ok("UpdateConnection", update(named)).await;
    assert_eq!(attempt(&world, &arn).await, Outcome::Done);
    let seen = server.seen();
    for header in ["authorization: Basic bWU6cHcy", "x-shop: south"] {
        assert!(seen.has(header), "{header}: {seen:?}");
    }
    let mut half = update(json!({"ApiKeyAuthParameters": {"ApiKeyName": "x-key"}}));
    half["AuthorizationType"] = json!("API_KEY");
    let (code, text) = world.refused("UpdateConnection", half.clone()).await;
    assert_eq!(code, "ValidationException");
    assert!(text.contains("missing field `ApiKeyValue`"), "{text}");
    half["AuthParameters"]["ApiKeyAuthParameters"]["ApiKeyValue"] = json!("key");
    world.ok("UpdateConnection", half).await;
    assert_eq!(attempt(&world, &arn).await, Outcome::Done);
    let seen = server.seen();
    assert!(seen.has("x-key: key") && seen.has("x-shop: south"), "{seen:?}");
    assert!(
        !seen.headers.iter().any(|line| line.starts_with("authorization")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn connections_and_destinations_are_described_without_secrets() {
    let world = World::new().await;
    let arn = destination(&world, api_key(), "https://a.example/*", json!({})).await;
    let connection = world.ok("DescribeConnection", json!({"Name": "c"})).await;
    assert_eq!(
        connection["AuthParameters"],
        json!({"ApiKeyAuthParameters": {"ApiKeyName": "x-key"}})
    );
    assert_eq!(connection["ConnectionState"], "AUTHORIZED");
    let described = world.ok("DescribeApiDestination", json!({"Name": "d"})).await;
    assert_eq!(
        (
            &described["ApiDestinationArn"],
            &described["InvocationRateLimitPerSecond"]
        ),
        (&json!(arn), &json!(300))
    );
    assert_eq!(
        world
            .refused(
                "CreateConnection",
                json!({"Name": "c", "AuthorizationType": "API_KEY", "AuthParameters": api_key()})
            )
            .await
            .0,
        "ResourceAlreadyExistsException"
    );
    let wrong = json!({"Name": "w", "AuthorizationType": "BASIC", "AuthParameters": api_key()});
    assert_eq!(
        world.refused("CreateConnection", wrong).await.0,
        "ValidationException"
    );
    let headers = json!({"HeaderParameters": {"Host": "x"}});
    let target = json!([{"Id": "1", "Arn": arn, "HttpParameters": headers}]);
    let (_, text) = world
        .refused("PutTargets", json!({"Rule": "r", "Targets": target}))
        .await;
    assert!(text.ends_with("The header Host cannot be set."), "{text}");
    world.ok("DeleteApiDestination", json!({"Name": "d"})).await;
    world.ok("DeleteConnection", json!({"Name": "c"})).await;
    assert_eq!(
        world.ok("ListConnections", json!({})).await["Connections"],
        json!([])
    );
    assert_eq!(
        world
            .refused("DescribeApiDestination", json!({"Name": "d"}))
            .await
            .0,
        "ResourceNotFoundException"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_calls_a_destination_gets_its_answer() {
    let (world, server) = (World::new().await, Server::start());
    let endpoint = format!("{}/orders/*", server.url);
    let arn = destination(&world, api_key(), &endpoint, json!({})).await;
    let _running = deliver(&world);
    server.answer("200 OK", "", r#"{"price": 5}"#);
    server.answer("503 Service Unavailable", "", "");
    let request = || DestinationRequest {
        destination: arn.parse().unwrap(),
        http: HttpParameters {
            path_parameter_values: vec!["7".into()],
            ..HttpParameters::default()
        },
        body: r#"{"n": 7}"#.into(),
        trace: None,
    };
    let answer = ApiDestinations::call(&world.service, request()).await.unwrap();
    assert_eq!(&*answer, br#"{"price": 5}"#);
    let seen = server.seen();
    assert_eq!(seen.line, "POST /orders/7 HTTP/1.1");
    assert!(
        seen.has("x-key: hidden") && seen.json() == json!({"n": 7}),
        "{seen:?}"
    );
    let failed = ApiDestinations::call(&world.service, request())
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("answered 503"), "{failed}");
    let other = "arn:aws:events:us-east-1:000000000000:api-destination/other/1";
    assert!(ApiDestinations::find(&world.service, &other.parse().unwrap()).is_err());
}
