//! A service over a database in memory, and requests to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use http::Request;
use serde_json::{Value, json};
use tradewind_connect::{NamedCluster, Topics};
use tradewind_events::delivery::{Deliveries, DeliveriesConfig, Jitter};
use tradewind_events::schedule::timer::{self, Timers};
use tradewind_events::{Message, Receiver, Router, Routing, Undeliverable};
use tradewind_model::{AccountId, Arn, Clock, Region, SecretError, SecretText, Secrets, Timestamp};
use tradewind_store::blobs::{self, Blobs, BlobsConfig, KeyFile, Place};
use tradewind_store::{Database, queue as store_queue};
use tradewind_wire::{Body, Caller, read_body};

use crate::{EventBridgeConfig, EventBridgeService};

/// A service, its clock, and queues that note what they get.
pub(crate) struct World {
    pub(crate) service: EventBridgeService,
    pub(crate) clock: Clock,
    pub(crate) queues: Arc<Queues>,
    pub(crate) database: Database,
    pub(crate) blobs: Blobs,
    _folder: tempfile::TempDir,
}

/// Queues of any name but `missing`, and functions; what they get counts when it commits.
#[derive(Debug, Default)]
pub(crate) struct Queues(Arc<Mutex<Vec<(String, Message)>>>, AtomicBool);

impl Receiver for Queues {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        if &*target.resource == "missing" {
            let target = target.to_string();
            return Err(Undeliverable::NotFound { target });
        }
        Ok(())
    }

    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        self.find(target)?;
        if &*target.service == "lambda" && self.1.load(Ordering::Relaxed) {
            let target = target.to_string();
            return Err(Undeliverable::Full { target });
        }
        let (all, name) = (Arc::clone(&self.0), target.resource.to_string());
        routing.add(|batch| {
            batch.after_commit(move || all.lock().unwrap().push((name.clone(), message.clone())))
        });
        Ok(())
    }
}

impl Queues {
    /// Whether functions have room.
    pub(crate) fn fill(&self, are_full: bool) {
        self.1.store(are_full, Ordering::Relaxed);
    }

    /// What came since the last call, by the queues' names.
    pub(crate) fn take(&self) -> Vec<(String, Message)> {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap());
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// The same, as JSON.
    pub(crate) fn bodies(&self) -> Vec<(String, Value)> {
        let json = |(name, message): (String, Message)| {
            (name, serde_json::from_slice(&message.body).unwrap_or(Value::Null))
        };
        self.take().into_iter().map(json).collect()
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = Database::in_memory_for_tests(&[
            crate::MIGRATIONS,
            timer::MIGRATIONS,
            store_queue::MIGRATIONS,
            blobs::MIGRATIONS,
        ]);
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let queues = Arc::new(Queues::default());
        let folder = tempfile::tempdir().unwrap();
        let config = BlobsConfig {
            database: database.clone(),
            clock: clock.clone(),
            place: Place::Folder(folder.path().join("blobs")),
            keys: KeyFile::Own(folder.path().join("node.key")),
            reserve: 0,
        };
        let blobs = Blobs::open(config).await.unwrap();
        let service = open(&database, &clock, &queues, &blobs).await;
        Self {
            service,
            clock,
            queues,
            database,
            blobs,
            _folder: folder,
        }
    }

    /// The same database, in a service that was just started.
    pub(crate) async fn restart(&mut self) {
        self.service = open(&self.database, &self.clock, &self.queues, &self.blobs).await;
    }

    async fn call(&self, action: &str, parameters: Value) -> (u16, Value) {
        self.call_as(&AccountId::default_account(), action, parameters)
            .await
    }

    /// An operation of another account that succeeds.
    pub(crate) async fn ok_as(&self, account: &str, action: &str, parameters: Value) -> Value {
        let (status, answer) = self.call_as(&account.parse().unwrap(), action, parameters).await;
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    async fn call_as(&self, account: &AccountId, action: &str, parameters: Value) -> (u16, Value) {
        let request = Request::post("/")
            .header("x-amz-target", format!("AWSEvents.{action}"))
            .body(Body::full(parameters.to_string()))
            .unwrap();
        let caller = Caller {
            account: account.clone(),
            region: Region::default_region(),
            access_key: Some("AKIDEXAMPLE".into()),
            service: Some("events".into()),
        };
        let (parts, body) = self.service.handle(request, caller).await.into_parts();
        let body = read_body(body, 16 * 1024 * 1024).await.unwrap();
        (parts.status.as_u16(), serde_json::from_slice(&body).unwrap())
    }

    /// An operation that succeeds.
    pub(crate) async fn ok(&self, action: &str, parameters: Value) -> Value {
        let (status, answer) = self.call(action, parameters).await;
        assert_eq!(status, 200, "{action}: {answer}");
        answer
    }

    /// An operation that is refused: its code and text.
    pub(crate) async fn refused(&self, action: &str, parameters: Value) -> (String, String) {
        let (status, answer) = self.call(action, parameters).await;
        assert!(status >= 400, "{action}: {answer}");
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("__type"), text("message"))
    }

    /// A rule of the bus that sends what `pattern` matches to the targets.
    pub(crate) async fn rule(&self, bus: &str, name: &str, pattern: Value, targets: Value) {
        let rule = json!({"Name": name, "EventBusName": bus, "EventPattern": pattern.to_string()});
        self.ok("PutRule", rule).await;
        self.ok(
            "PutTargets",
            json!({"Rule": name, "EventBusName": bus, "Targets": targets}),
        )
        .await;
    }

    /// Puts one event of the source `shop`; gives its id.
    pub(crate) async fn put(&self, bus: &str, detail: Value) -> String {
        let entry = json!({
            "EventBusName": bus, "Source": "shop", "DetailType": "order", "Detail": detail.to_string(),
        });
        let answer = self.ok("PutEvents", json!({"Entries": [entry]})).await;
        assert_eq!(answer["FailedEntryCount"], 0, "{answer}");
        answer["Entries"][0]["EventId"].as_str().unwrap().to_owned()
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

/// The ARN of a queue.
pub(crate) fn queue(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

async fn open(database: &Database, clock: &Clock, queues: &Arc<Queues>, blobs: &Blobs) -> EventBridgeService {
    let router = Router::new();
    router.connect("sqs", Arc::clone(queues) as Arc<dyn Receiver>);
    router.connect("lambda", Arc::clone(queues) as Arc<dyn Receiver>);
    let config = EventBridgeConfig {
        database: database.clone(),
        deliveries: Deliveries::new(DeliveriesConfig {
            database: database.clone(),
            queues: store_queue::Queues::new(database.clone(), clock.clone()),
            router: router.clone(),
            clock: clock.clone(),
            jitter: Jitter::fixed(1.0),
        }),
        topics: topics(),
        blobs: blobs.clone(),
        router,
        timers: Timers::new(database.clone(), clock.clone()),
        clock: clock.clone(),
    };
    let service = EventBridgeService::open(config).await.unwrap();
    service.connect();
    service
}
