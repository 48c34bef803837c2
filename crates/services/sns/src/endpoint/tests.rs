//! Posts to an endpoint of the test's own.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::{World, queue_arn};

/// What an endpoint was sent: headers by their names in lower case, and the body.
type Request = (BTreeMap<String, String>, String);

struct Hook {
    listener: TcpListener,
    url: String,
}

impl Hook {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        Self { listener, url }
    }

    /// Takes a request and answers it.
    async fn answer(&self, answer: &str) -> Request {
        let (mut stream, _) = self.listener.accept().await.unwrap();
        let mut text = String::new();
        let request = loop {
            if let Some(request) = whole(&text) {
                break request;
            }
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap();
            text.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        };
        let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    }
}

fn whole(text: &str) -> Option<Request> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<_, _> = lines
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let is_whole = headers["content-length"] == body.len().to_string();
    is_whole.then(|| (headers, body.to_owned()))
}

/// A subscription that has confirmed, and its endpoint; deliveries run until the set is dropped.
async fn confirmed(world: &World, attributes: &[(&str, &str)]) -> (Hook, String, JoinSet<()>) {
    let mut running = JoinSet::new();
    let deliveries = world.deliveries.clone();
    running.spawn(async move { deliveries.run(CancellationToken::new()).await });
    let hook = Hook::new().await;
    let topic = world.topic("orders").await;
    let subscription = world.subscribe_to(&topic, ("http", &hook.url), attributes);
    let ((headers, body), subscription) = tokio::join!(hook.answer("200 OK"), subscription);
    assert_eq!(headers["x-amz-sns-message-type"], "SubscriptionConfirmation");
    assert_eq!(headers.get("x-amz-sns-subscription-arn"), None);
    let asked: serde_json::Value = serde_json::from_str(&body).unwrap();
    let token = asked["Token"].as_str().unwrap();
    world
        .ok("ConfirmSubscription", &[("TopicArn", &topic), ("Token", token)])
        .await;
    (hook, subscription, running)
}

async fn publish(world: &World, message: &str) {
    let topic = world.topic("orders").await;
    world
        .ok("Publish", &[("TopicArn", &topic), ("Message", message)])
        .await;
}

#[tokio::test]
async fn a_notification_has_the_headers_of_sns() {
    let world = World::new().await;
    let (hook, subscription, _running) = confirmed(&world, &[]).await;
    publish(&world, "paid").await;
    let (headers, body) = hook.answer("204 No Content").await;
    let message: serde_json::Value = serde_json::from_str(&body).unwrap();
    for (name, value) in [
        ("content-type", "text/plain; charset=UTF-8"),
        ("user-agent", AGENT),
        ("x-amz-sns-message-type", "Notification"),
        ("x-amz-sns-message-id", message["MessageId"].as_str().unwrap()),
        ("x-amz-sns-subscription-arn", &subscription),
        ("x-amz-sns-topic-arn", message["TopicArn"].as_str().unwrap()),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    assert!(headers["x-amzn-trace-id"].starts_with("Root=1-"));
    assert_eq!(message["Message"], "paid");
}

#[tokio::test]
async fn policies_of_subscriptions_are_honoured() {
    let world = World::new().await;
    let policy = r#"{"healthyRetryPolicy": {"numRetries": 1, "numNoDelayRetries": 1},
        "requestPolicy": {"headerContentType": "application/json"}}"#;
    let redrive = format!("{{\"deadLetterTargetArn\": \"{}\"}}", queue_arn("dead"));
    let attributes = [
        ("DeliveryPolicy", policy),
        ("RedrivePolicy", &redrive),
        ("RawMessageDelivery", "true"),
    ];
    let (hook, _, _running) = confirmed(&world, &attributes).await;
    publish(&world, "{}").await;
    let (headers, body) = hook.answer("500 Oh").await;
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!((&*headers["x-amz-sns-rawdelivery"], &*body), ("true", "{}"));
    assert_eq!(hook.answer("503 Busy").await.1, body);
    let dead = loop {
        match world.delivered().pop() {
            Some(dead) => break dead,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(
        (&*dead.0, dead.1.body),
        ("dead", bytes::Bytes::from_static(b"{}"))
    );
    assert_eq!(dead.1.attributes, reason("503", "the endpoint answered 503"));
}

#[tokio::test]
async fn a_function_that_is_busy_gets_its_event_later() {
    let world = World::new().await;
    let topic = world.topic("orders").await;
    let busy = "arn:aws:lambda:us-east-1:000000000000:function:busy";
    world.subscribe_to(&topic, ("lambda", busy), &[]).await;
    publish(&world, "paid").await;
    assert!(world.delivered().is_empty());
    world.is_busy_no_more();
    let mut running = JoinSet::new();
    let deliveries = world.deliveries.clone();
    running.spawn(async move { deliveries.run(CancellationToken::new()).await });
    let (name, message) = loop {
        match world.delivered().pop() {
            Some(delivered) => break delivered,
            None => tokio::task::yield_now().await,
        }
    };
    let event: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(name, "busy");
    assert_eq!(event["Records"][0]["Sns"]["Message"], "paid");
}

#[tokio::test]
async fn the_url_of_an_endpoint_is_in_no_dead_letter() {
    let world = World::new().await;
    let policy = r#"{"healthyRetryPolicy": {"numRetries": 0}}"#;
    let redrive = format!("{{\"deadLetterTargetArn\": \"{}\"}}", queue_arn("dead"));
    let attributes = [("DeliveryPolicy", policy), ("RedrivePolicy", &redrive)];
    let (hook, _, _running) = confirmed(&world, &attributes).await;
    drop(hook);
    publish(&world, "paid").await;
    let dead = loop {
        match world.delivered().pop() {
            Some(dead) => break dead,
            None => tokio::task::yield_now().await,
        }
    };
    let told = format!("{:?}", dead.1.attributes);
    assert!(told.contains("Connection") && !told.contains("/hook"), "{told}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let world = World::new().await;
    let redrive = format!("{{\"deadLetterTargetArn\": \"{}\"}}", queue_arn("dead"));
    let (hook, _, _running) = confirmed(&world, &[("RedrivePolicy", &redrive)]).await;
    publish(&world, "paid").await;
    let elsewhere = format!("302 Found\r\nlocation: {}", hook.url);
    hook.answer(&elsewhere).await;
    let dead = loop {
        match world.delivered().pop() {
            Some(dead) => break dead,
            None => tokio::task::yield_now().await,
        }
    };
    assert_eq!(dead.1.attributes, reason("302", "the endpoint answered 302"));
}

#[test]
fn statuses_are_judged_as_sns_does() {
    for status in [200, 204, 299] {
        assert_eq!(judge(status), Outcome::Done, "{status}");
    }
    for status in [429, 500, 503] {
        assert!(matches!(judge(status), Outcome::Retry { .. }), "{status}");
    }
    for status in [301, 400, 403, 404] {
        assert!(matches!(judge(status), Outcome::GiveUp { .. }), "{status}");
    }
}
