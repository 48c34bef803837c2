//! A service over a database in memory, requests to it, and targets that keep what they get.

use std::sync::{Arc, Mutex};

use http::Request;
use serde_json::{Value, json};
use tradewind_events::schedule::timer::{self, Timers};
use tradewind_events::{AttributeValue, Message, Receiver, Router, Routing, Undeliverable};
use tradewind_model::{AccountId, Arn, Clock, Region, Timestamp};
use tradewind_store::{Database, Migration};
use tradewind_wire::{Body, Caller, read_body};

use crate::{SchedulerConfig, SchedulerService};

/// A Friday: 2026-11-20T10:00:30Z.
pub(crate) const START: &str = "2026-11-20T10:00:30Z";
pub(crate) const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:orders";
pub(crate) const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";
pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/scheduler";

const TARGETS: Migration = Migration {
    service: "test",
    version: 1,
    sql: "CREATE TABLE received (number BIGINT, target TEXT NOT NULL, body TEXT NOT NULL, more TEXT NOT NULL)",
};

/// A service, its clock and its targets.
pub(crate) struct World {
    pub(crate) service: SchedulerService,
    pub(crate) clock: Clock,
    pub(crate) targets: Arc<Targets>,
    database: Database,
    timers: Timers,
}

/// Takes every event into a table in the event's own transaction.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    /// The names of targets that are full.
    pub(crate) full: Mutex<Vec<&'static str>>,
}

impl Receiver for Targets {
    fn find(&self, _target: &Arn) -> Result<(), Undeliverable> {
        Ok(())
    }

    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        let target = target.to_string();
        if target.ends_with("missing") {
            return Err(Undeliverable::NotFound { target });
        }
        if self
            .full
            .lock()
            .unwrap()
            .iter()
            .any(|name| target.ends_with(name))
        {
            return Err(Undeliverable::Full { target });
        }
        let text = |value: &AttributeValue| match value {
            AttributeValue::Text(text) => text.clone(),
            AttributeValue::Binary(_) => String::new(),
        };
        let attributes = message.attributes.iter();
        let attributes: serde_json::Map<String, Value> = attributes
            .map(|given| (given.name.clone(), json!(text(&given.value))))
            .collect();
        let more = json!({
            "group": message.group, "subject": message.subject, "sender": message.sender,
            "source": message.source, "attributes": attributes,
        });
        let body = String::from_utf8(message.body.to_vec()).unwrap();
        routing.add(|batch| {
            let row = vec![target.into(), body.into(), more.to_string().into()];
            batch.run(
                "INSERT INTO received (target, body, more) VALUES ($1, $2, $3)",
                row,
            )
        });
        Ok(())
    }
}

/// An event that a target got.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) target: String,
    pub(crate) body: String,
    pub(crate) more: Value,
}

pub(crate) fn time(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(instant.as_millisecond())
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = Database::in_memory_for_tests(&[crate::MIGRATIONS, timer::MIGRATIONS, &[TARGETS]]);
        let clock = Clock::manual(time(START));
        let targets = Arc::new(Targets::default());
        let (service, timers) = open(&database, &clock, &targets).await;
        Self {
            service,
            clock,
            targets,
            database,
            timers,
        }
    }

    /// The same database, in a node that was just started.
    pub(crate) async fn restart(&mut self) {
        (self.service, self.timers) = open(&self.database, &self.clock, &self.targets).await;
    }

    /// Moves the clock, without anybody looking at it.
    pub(crate) fn at(&self, text: &str) {
        let to = time(text).as_millis();
        self.clock.advance_millis(to - self.clock.now().as_millis());
    }

    /// Fires what is due, and gives what targets got since the last time.
    pub(crate) async fn fire(&self) -> Vec<Received> {
        self.timers.fire_due().await.unwrap();
        let rows = self
            .database
            .read("SELECT target, body, more FROM received", Vec::new());
        let rows = rows.await.unwrap();
        let delete = tradewind_store::Batch::new().run("DELETE FROM received", Vec::new());
        self.database.write(delete).await.unwrap();
        rows.iter()
            .map(|row| Received {
                target: row.text(0).unwrap().to_owned(),
                body: row.text(1).unwrap().to_owned(),
                more: serde_json::from_str(row.text(2).unwrap()).unwrap(),
            })
            .collect()
    }

    /// Moves the clock second by second up to the time, firing; the times at which something came.
    pub(crate) async fn run_until(&self, text: &str, step_ms: i64) -> Vec<String> {
        let mut times = Vec::new();
        while self.clock.now() < time(text) {
            self.clock.advance_millis(step_ms);
            let now = format!("{:.0}", self.clock.now().to_jiff());
            times.extend(self.fire().await.iter().map(|_| now.clone()));
        }
        times
    }

    /// How many timers there are.
    pub(crate) async fn timers(&self) -> i64 {
        let rows = self
            .database
            .read("SELECT COUNT(*) FROM event_timers", Vec::new());
        rows.await.unwrap()[0].integer(0).unwrap()
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: Value) -> (u16, String, Value) {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::full(body))
            .unwrap();
        let caller = Caller {
            account: AccountId::default_account(),
            region: Region::default_region(),
            access_key: Some("AKIDEXAMPLE".into()),
            service: Some("scheduler".into()),
        };
        let (parts, body) = self.service.handle(request, caller).await.into_parts();
        let code = parts.headers.get("x-amzn-errortype");
        let code = code
            .map(|code| code.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let body = read_body(body, 1 << 20).await.unwrap();
        (
            parts.status.as_u16(),
            code,
            serde_json::from_slice(&body).unwrap(),
        )
    }

    /// A request that succeeds.
    pub(crate) async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, _, answer) = self.call(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer
    }

    /// A request that is refused: code and text.
    pub(crate) async fn refused(&self, method: &str, path: &str, body: Value) -> (String, String) {
        let (status, code, answer) = self.call(method, path, body).await;
        assert!(status >= 400, "{method} {path}: {answer}");
        (code, answer["Message"].as_str().unwrap().to_owned())
    }

    /// Makes the schedule `s` with a queue as its target.
    pub(crate) async fn create(&self, expression: &str, more: Value) {
        self.ok("POST", "/schedules/s", schedule(expression, more)).await;
    }
}

/// The settings of a schedule that sends `paid` to a queue, with `more` in their place.
pub(crate) fn schedule(expression: &str, more: Value) -> Value {
    let mut settings = json!({
        "ScheduleExpression": expression,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": QUEUE, "RoleArn": ROLE, "Input": "paid"},
    });
    let more = more.as_object().cloned().unwrap_or_default();
    for (name, value) in more {
        match (name.as_str(), value) {
            ("Target", Value::Object(members)) => members
                .into_iter()
                .for_each(|(name, value)| settings["Target"][name] = value),
            (_, value) => settings[name] = value,
        }
    }
    settings
}

async fn open(database: &Database, clock: &Clock, targets: &Arc<Targets>) -> (SchedulerService, Timers) {
    let router = Router::new();
    for service in ["events", "lambda", "sns", "sqs"] {
        router.connect(service, Arc::clone(targets) as Arc<dyn Receiver>);
    }
    let timers = Timers::new(database.clone(), clock.clone());
    let config = SchedulerConfig {
        database: database.clone(),
        timers: timers.clone(),
        router,
        clock: clock.clone(),
    };
    (SchedulerService::open(config).await.unwrap(), timers)
}
