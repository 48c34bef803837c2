//! A service over a database in memory and logs in a folder, and requests to it.

use std::sync::{Arc, Mutex};

use http::Request;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tradewind_events::{Message, Receiver, Router, Routing, Undeliverable};
use tradewind_model::{AccountId, Arn, Clock, Region, Timestamp};
use tradewind_observe::{Home, LogEvent, LogKind, LogOptions, LogStore};
use tradewind_store::Database;
use tradewind_wire::{Body, Caller, read_body};

use crate::{LogGroupOf, LogsConfig, LogsService};

pub(crate) const NOW: i64 = 1_700_000_000_000;
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A service, its clock, and the functions that it can deliver to.
pub(crate) struct World {
    pub(crate) service: LogsService,
    pub(crate) clock: Clock,
    pub(crate) logs: LogStore,
    pub(crate) functions: Arc<Functions>,
    database: Database,
    dir: TempDir,
}

/// Functions `f`, `g` and `h` that note what they get, and log to `/aws/lambda/…`.
#[derive(Debug, Default)]
pub(crate) struct Functions {
    pub(crate) taken: Mutex<Vec<(Arn, Message)>>,
    pub(crate) refusal: Mutex<Option<Undeliverable>>,
}

impl Receiver for Functions {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        let known = log_group_of(target).is_some();
        known.then_some(()).ok_or_else(|| Undeliverable::NotFound {
            target: target.to_string(),
        })
    }

    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        if let Some(refusal) = self.refusal.lock().unwrap().clone() {
            return Err(refusal);
        }
        self.taken.lock().unwrap().push((target.clone(), message));
        // changes nothing, and has to be committed
        routing.add(|batch| batch.run("DELETE FROM logs_groups WHERE account = ''", Vec::new()));
        Ok(())
    }
}

fn log_group_of(function: &Arn) -> Option<String> {
    let name = function.resource.strip_prefix("function:")?;
    let is_known = ["f", "g", "h"].contains(&name);
    is_known.then(|| format!("/aws/lambda/{name}"))
}

pub(crate) fn function(name: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let database = Database::in_memory_for_tests(&[crate::MIGRATIONS]);
        let clock = Clock::manual(Timestamp::from_millis(NOW));
        let functions = Arc::<Functions>::default();
        let logs = open_logs(&dir, &clock);
        let service = open(&database, &clock, &logs, &functions).await;
        Self {
            service,
            clock,
            logs,
            functions,
            database,
            dir,
        }
    }

    /// The same data, in a service that was just started.
    pub(crate) async fn restart(&mut self) {
        self.logs.shutdown().await;
        self.logs = open_logs(&self.dir, &self.clock);
        self.service = open(&self.database, &self.clock, &self.logs, &self.functions).await;
    }

    pub(crate) async fn call_in(&self, region: &str, action: &str, parameters: Value) -> (u16, Value) {
        let request = Request::post("/")
            .header("x-amz-target", format!("Logs_20140328.{action}"))
            .body(Body::full(parameters.to_string()))
            .unwrap();
        let caller = Caller {
            account: AccountId::default_account(),
            region: region.parse().unwrap(),
            access_key: None,
            service: Some("logs".into()),
        };
        let response = self.service.handle(request, caller).await;
        let status = response.status().as_u16();
        let body = read_body(response.into_body(), 16 * 1024 * 1024).await.unwrap();
        let body = match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body).unwrap(),
        };
        (status, body)
    }

    /// An operation that succeeds.
    pub(crate) async fn ok(&self, action: &str, parameters: Value) -> Value {
        let (status, body) = self.call_in("us-east-1", action, parameters).await;
        assert_eq!(status, 200, "{action}: {body}");
        body
    }

    /// An operation that is refused: its code and text.
    pub(crate) async fn refused(&self, action: &str, parameters: Value) -> (String, String) {
        let (status, body) = self.call_in("us-east-1", action, parameters).await;
        assert!(status >= 400, "{action}: {body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (text("__type"), text("message"))
    }

    /// A group with a stream `s`.
    pub(crate) async fn group(&self, name: &str) {
        self.ok("CreateLogGroup", json!({"logGroupName": name})).await;
        self.ok(
            "CreateLogStream",
            json!({"logGroupName": name, "logStreamName": "s"}),
        )
        .await;
    }

    /// Puts messages at times relative to now, in milliseconds.
    pub(crate) async fn put(&self, group: &str, stream: &str, events: &[(i64, &str)]) -> Value {
        let events: Vec<Value> = events
            .iter()
            .map(|(ms, message)| json!({"timestamp": NOW + ms, "message": message}))
            .collect();
        let parameters = json!({"logGroupName": group, "logStreamName": stream, "logEvents": events});
        self.ok("PutLogEvents", parameters).await
    }

    /// What a function says now.
    pub(crate) async fn says(&self, function: &str, message: &str) {
        let event = LogEvent {
            group: format!("/aws/lambda/{function}").into(),
            stream: "2023/11/14/[$LATEST]0a".into(),
            timestamp: self.clock.now(),
            request_id: None,
            kind: LogKind::Line,
            message: message.into(),
        };
        self.logs.append(vec![event]).await;
    }

    /// Delivers what subscription filters have to.
    pub(crate) async fn pump(&self) -> crate::worker::Pumped {
        self.service.pump_all(&CancellationToken::new()).await
    }
}

/// The messages of an answer with `events`.
pub(crate) fn messages(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["message"].as_str().unwrap())
        .collect()
}

fn open_logs(dir: &TempDir, clock: &Clock) -> LogStore {
    let options = LogOptions {
        linger: std::time::Duration::ZERO,
        ..LogOptions::default()
    };
    LogStore::open(dir.path().join("logs"), clock.clone(), options).unwrap()
}

async fn open(
    database: &Database,
    clock: &Clock,
    logs: &LogStore,
    functions: &Arc<Functions>,
) -> LogsService {
    let router = Router::new();
    router.connect("lambda", Arc::clone(functions) as Arc<dyn Receiver>);
    let config = LogsConfig {
        database: database.clone(),
        logs: logs.clone(),
        clock: clock.clone(),
        home: Home {
            account: AccountId::default_account(),
            region: Region::default_region(),
        },
        router,
        log_group_of: LogGroupOf::new(log_group_of),
    };
    LogsService::open(config).await.unwrap()
}
