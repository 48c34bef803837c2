//! A service over a database in memory, queues, and functions and buses that remember what they get.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tradewind_connect::{NamedCluster, Topics};
use tradewind_events::api_destination::{ApiDestinations, DestinationFailure, DestinationRequest};
use tradewind_events::{Message, Receiver, Router, Routing, Undeliverable};
use tradewind_model::{AccountId, Arn, Clock, Region, SecretError, SecretText, Secrets, Timestamp};
use tradewind_sqs::{SqsConfig, SqsService};
use tradewind_store::blobs::{Blobs, BlobsConfig, KeyFile, Place};
use tradewind_store::queue::{Queues, Received};
use tradewind_store::{Batch, Database};
use tradewind_wire::{Body, Caller, read_body};

use crate::{FunctionFailure, Functions, PipesConfig, PipesService};

/// Longer than anything here takes; whoever waits so long failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn queue(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

pub(crate) const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";
pub(crate) const BUS: &str = "arn:aws:events:us-east-1:000000000000:event-bus/default";
pub(crate) const DESTINATION: &str = "arn:aws:events:us-east-1:000000000000:api-destination/shop/4711";
pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/pipes";

/// Functions that answer what they are told to, in this order, and then `null`; and remember their events.
#[derive(Debug, Default)]
pub(crate) struct Called {
    pub(crate) answers: Mutex<VecDeque<Result<Value, FunctionFailure>>>,
    pub(crate) events: Mutex<Vec<(String, Value)>>,
}

#[async_trait::async_trait]
impl Functions for Called {
    async fn call(&self, function: &Arn, payload: Bytes, _trace: String) -> Result<Bytes, FunctionFailure> {
        let event = serde_json::from_slice(&payload).unwrap();
        self.events.lock().unwrap().push((function.to_string(), event));
        let answer = self.answers.lock().unwrap().pop_front();
        answer
            .unwrap_or(Ok(Value::Null))
            .map(|value| value.to_string().into())
    }
}

/// API destinations that answer what they are told to, in this order, and then nothing; and remember their requests. Those
/// whose name has `missing` in it are not there.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) answers: Mutex<VecDeque<Result<Value, DestinationFailure>>>,
    pub(crate) requests: Mutex<Vec<DestinationRequest>>,
}

#[async_trait::async_trait]
impl ApiDestinations for Asked {
    fn find(&self, destination: &Arn) -> Result<(), DestinationFailure> {
        match destination.resource.contains("missing") {
            true => Err(DestinationFailure("it does not exist".into())),
            false => Ok(()),
        }
    }

    async fn call(&self, request: DestinationRequest) -> Result<Bytes, DestinationFailure> {
        self.requests.lock().unwrap().push(request);
        match self.answers.lock().unwrap().pop_front() {
            Some(answer) => answer.map(|value| value.to_string().into()),
            None => Ok(Bytes::new()),
        }
    }
}

/// Nobody logs in here.
#[derive(Debug)]
struct NoSecrets;

impl Secrets for NoSecrets {
    fn text(&self, _: &AccountId, _: &Region, _: &str) -> Result<SecretText, SecretError> {
        Err(SecretError::NotFound)
    }
}

/// The topics of a cluster `shop` where nobody answers.
fn topics() -> Topics {
    let shop = NamedCluster {
        servers: "127.0.0.1:1".parse().unwrap(),
        tls: None,
        login: None,
    };
    let clusters = [("shop".to_owned(), shop)].into_iter().collect();
    Topics::new(clusters, Arc::new(NoSecrets))
}

/// Takes everything, and hands it on to a queue, so that tests can wait for it.
#[derive(Debug)]
struct Forwarding {
    router: Router,
    to: Arn,
}

impl Receiver for Forwarding {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        if target.resource.contains("missing") {
            return Err(Undeliverable::NotFound {
                target: target.to_string(),
            });
        }
        Ok(())
    }

    fn accept(&self, routing: &mut Routing, _target: &Arn, message: Message) -> Result<(), Undeliverable> {
        self.router.deliver(routing, &self.to, message)
    }
}

/// A service and its surroundings, with the queues `source`, `source.fifo`, `target` and `taken`; what functions that are
/// not waited for and buses get is in the last.
pub(crate) struct World {
    pub(crate) service: PipesService,
    pub(crate) functions: Arc<Called>,
    pub(crate) destinations: Arc<Asked>,
    config: PipesConfig,
    tasks: TaskTracker,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let migrations = [
            crate::MIGRATIONS,
            tradewind_store::blobs::MIGRATIONS,
            tradewind_sqs::MIGRATIONS,
            tradewind_store::queue::MIGRATIONS,
        ];
        let database = Database::in_memory_for_tests(&migrations);
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let queues = Queues::new(database.clone(), clock.clone());
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(BlobsConfig {
            database: database.clone(),
            clock: clock.clone(),
            place: Place::Folder(folder.path().join("blobs")),
            keys: KeyFile::Own(folder.path().join("node.key")),
            reserve: 0,
        });
        let sqs = SqsService::open(SqsConfig {
            database: database.clone(),
            queues: queues.clone(),
            blobs: blobs.await.unwrap(),
            clock: clock.clone(),
            base_url: "http://localhost:4566".into(),
        });
        let sqs = sqs.await.unwrap();
        for name in ["source", "source.fifo", "target", "taken"] {
            create_queue(&sqs, name).await;
        }
        let router = Router::new();
        router.connect("sqs", Arc::new(sqs.clone()));
        for service in ["events", "lambda"] {
            let (router, to) = (router.clone(), queue("taken").parse().unwrap());
            let forwarding = Forwarding {
                router: router.clone(),
                to,
            };
            router.connect(service, Arc::new(forwarding));
        }
        let functions = Arc::new(Called::default());
        let destinations = Arc::new(Asked::default());
        let config = PipesConfig {
            database,
            queues,
            source: Arc::new(sqs),
            functions: functions.clone(),
            destinations: destinations.clone(),
            topics: topics(),
            router,
            clock,
        };
        Self {
            service: PipesService::open(config.clone()).await.unwrap(),
            functions,
            destinations,
            config,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            _folder: folder,
        }
    }

    /// The same database, in a service that was just started.
    pub(crate) async fn restart(&mut self) {
        self.service = PipesService::open(self.config.clone()).await.unwrap();
    }

    /// Starts the pipes.
    pub(crate) fn run(&self) {
        let (service, stop) = (self.service.clone(), self.stop.clone());
        self.tasks.spawn(async move { service.run(stop).await });
    }

    /// Stops the pipes, when their batches have ended.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        tokio::time::timeout(PATIENCE, self.tasks.wait()).await.unwrap();
    }

    /// Creates the pipe `p` from `source` to the target, with more members.
    pub(crate) async fn pipe(&self, target: &str, more: Value) -> (u16, Value) {
        let mut members = json!({"Source": queue("source"), "Target": target, "RoleArn": ROLE});
        let more = more.as_object().unwrap().clone();
        members.as_object_mut().unwrap().extend(more);
        self.call("POST", "/v1/pipes/p", members).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, members: Value) -> (u16, Value) {
        let body = if members.is_null() {
            String::new()
        } else {
            members.to_string()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::full(body))
            .unwrap();
        let response = self.service.handle(request, caller("pipes")).await;
        let status = response.status().as_u16();
        let body = read_body(response.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Sends messages to `source`.
    pub(crate) async fn send(&self, bodies: &[&str]) {
        let message = |body: &&str| Message {
            body: body.as_bytes().to_vec().into(),
            ..Message::default()
        };
        self.send_all("source", bodies.iter().map(message)).await;
    }

    /// Sends messages to `source.fifo`, each with its group.
    pub(crate) async fn send_ordered(&self, bodies: &[(&str, &str)]) {
        let message = |(group, body): &(&str, &str)| Message {
            body: body.as_bytes().to_vec().into(),
            group: Some((*group).to_owned()),
            deduplication_id: Some(uuid::Uuid::new_v4().to_string()),
            ..Message::default()
        };
        self.send_all("source.fifo", bodies.iter().map(message)).await;
    }

    async fn send_all(&self, name: &str, messages: impl Iterator<Item = Message>) {
        let mut routing = Routing::new(Batch::new());
        for message in messages {
            self.config
                .router
                .deliver(&mut routing, &queue(name).parse().unwrap(), message)
                .unwrap();
        }
        self.config.database.write(routing.into_batch()).await.unwrap();
    }

    /// Waits for so many messages of a queue.
    pub(crate) async fn receive(&self, name: &str, count: usize) -> Vec<Value> {
        let id = self
            .config
            .source
            .queue(&queue(name).parse().unwrap())
            .unwrap()
            .id;
        let mut all: Vec<Received> = Vec::new();
        while all.len() < count {
            let received = self
                .config
                .queues
                .receive(&id, 10, PATIENCE, PATIENCE)
                .await
                .unwrap();
            assert!(!received.is_empty(), "{name} got {} messages only", all.len());
            all.extend(received);
        }
        let body = |received: &Received| serde_json::from_slice(&received.body).unwrap();
        all.iter().map(body).collect()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.config.clock.advance_millis(seconds * 1000);
        self.config.queues.clock_moved();
    }

    /// How many messages a queue has, those included that somebody has received.
    pub(crate) async fn depth(&self, name: &str) -> u64 {
        let id = self
            .config
            .source
            .queue(&queue(name).parse().unwrap())
            .unwrap()
            .id;
        let depth = self.config.queues.depth(&id).await.unwrap();
        depth.ready + depth.leased
    }
}

fn caller(service: &str) -> Caller {
    Caller {
        account: AccountId::default_account(),
        region: Region::default_region(),
        access_key: Some("AKIDEXAMPLE".into()),
        service: Some(service.into()),
    }
}

async fn create_queue(sqs: &SqsService, name: &str) {
    let attributes = match name.ends_with(".fifo") {
        true => json!({"FifoQueue": "true"}),
        false => json!({}),
    };
    let request = Request::post("/")
        .header("host", "localhost:4566")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AmazonSQS.CreateQueue")
        .body(Body::full(
            json!({"QueueName": name, "Attributes": attributes}).to_string(),
        ))
        .unwrap();
    let answer = sqs.handle(request, caller("sqs"), CancellationToken::new()).await;
    assert_eq!(answer.status(), 200);
}
