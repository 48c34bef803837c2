//! A service over a database in memory, and requests to it.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tradewind_model::{AccountId, Clock, Region, Timestamp};
use tradewind_store::Database;
use tradewind_store::blobs::{self, Blobs, BlobsConfig, KeyFile, Place};
use tradewind_store::queue::Queues;
use tradewind_wire::{Body, Caller, read_body};

use crate::{SqsConfig, SqsService};

/// A service and its clock.
pub(crate) struct World {
    pub(crate) service: SqsService,
    pub(crate) clock: Clock,
    pub(crate) database: Database,
    blobs: Blobs,
    _folder: tempfile::TempDir,
}

/// An answer: status, headers, body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).unwrap()
    }
}

pub(crate) fn caller() -> Caller {
    Caller {
        account: AccountId::default_account(),
        region: Region::default_region(),
        access_key: Some("AKIDEXAMPLE".into()),
        service: Some("sqs".into()),
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let migrations = [
            crate::MIGRATIONS,
            tradewind_store::queue::MIGRATIONS,
            blobs::MIGRATIONS,
        ];
        let database = Database::in_memory_for_tests(&migrations);
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let folder = tempfile::tempdir().unwrap();
        let config = BlobsConfig {
            database: database.clone(),
            clock: clock.clone(),
            place: Place::Folder(folder.path().join("blobs")),
            keys: KeyFile::Own(folder.path().join("node.key")),
            reserve: 0,
        };
        let blobs = Blobs::open(config).await.unwrap();
        let service = open(&database, &clock, &blobs).await;
        Self {
            service,
            clock,
            database,
            blobs,
            _folder: folder,
        }
    }

    /// The same database, in a service that was just started.
    pub(crate) async fn restart(&mut self) {
        self.service = open(&self.database, &self.clock, &self.blobs).await;
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, seconds: i64) {
        self.clock.advance_millis(seconds * 1000);
        self.service.queues().clock_moved();
    }

    /// An operation in JSON.
    pub(crate) async fn call(&self, action: &str, parameters: Value) -> Answer {
        let request = Request::post("/")
            .header("host", "localhost:4566")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AmazonSQS.{action}"))
            .body(Body::full(parameters.to_string()))
            .unwrap();
        self.send(request, CancellationToken::new()).await
    }

    /// An operation in the query protocol.
    pub(crate) async fn query(&self, path: &str, form: &str) -> Answer {
        let request = Request::post(path)
            .header("host", "localhost:4566")
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Body::full(form.to_owned()))
            .unwrap();
        self.send(request, CancellationToken::new()).await
    }

    pub(crate) async fn send(&self, request: Request<Body>, gone: CancellationToken) -> Answer {
        let response = self.service.handle(request, caller(), gone).await;
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: read_body(body, 16 * 1024 * 1024).await.unwrap(),
        }
    }

    /// An operation in JSON that succeeds.
    pub(crate) async fn ok(&self, action: &str, parameters: Value) -> Value {
        let answer = self.call(action, parameters).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.text());
        answer.json()
    }

    /// An operation in JSON that is refused: its shape's name and text.
    pub(crate) async fn refused(&self, action: &str, parameters: Value) -> (String, String) {
        let answer = self.call(action, parameters).await;
        assert!(answer.status >= 400, "{action}: {}", answer.text());
        let body = answer.json();
        let shape = body["__type"].as_str().unwrap();
        let shape = shape.split_once('#').map_or(shape, |(_, shape)| shape);
        (shape.to_owned(), body["message"].as_str().unwrap().to_owned())
    }

    /// A new queue; its URL.
    pub(crate) async fn queue(&self, name: &str, attributes: Value) -> String {
        let answer = self
            .ok(
                "CreateQueue",
                json!({"QueueName": name, "Attributes": attributes}),
            )
            .await;
        answer["QueueUrl"].as_str().unwrap().to_owned()
    }

    /// The bodies and handles of what a receive of up to ten gives.
    pub(crate) async fn receive(&self, url: &str) -> Vec<(String, String)> {
        let answer = self
            .ok(
                "ReceiveMessage",
                json!({"QueueUrl": url, "MaxNumberOfMessages": 10}),
            )
            .await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let messages = answer["Messages"].as_array().into_iter().flatten();
        messages
            .map(|message| (text(&message["Body"]), text(&message["ReceiptHandle"])))
            .collect()
    }
}

async fn open(database: &Database, clock: &Clock, blobs: &Blobs) -> SqsService {
    let config = SqsConfig {
        database: database.clone(),
        queues: Queues::new(database.clone(), clock.clone()),
        blobs: blobs.clone(),
        clock: clock.clone(),
        base_url: "http://127.0.0.1:4566".into(),
    };
    SqsService::open(config).await.unwrap()
}
