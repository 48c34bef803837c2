//! What a function does with a batch of records; `consumer.rs` does the same without a platform.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

static SEEN: Mutex<Seen> = Mutex::new(Seen {
    records: 0,
    total: 0,
    latencies: Vec::new(),
});

struct Seen {
    records: u64,
    total: u64,
    latencies: Vec<i64>,
}

/// What it wants of an event: as everywhere in Rust, members that have no name here are not kept.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    report: bool,
    records: BTreeMap<String, Vec<Record>>,
}

#[derive(Deserialize)]
struct Record {
    value: String,
    timestamp: i64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Event>) -> Result<Value, Error> {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if event.payload.report {
        return Ok(json!({
            "records": seen.records, "total": seen.total, "latencies": seen.latencies,
        }));
    }
    let now = now_ms();
    for record in event.payload.records.into_values().flatten() {
        let value = STANDARD.decode(record.value)?;
        let value: Value = serde_json::from_slice(&value)?;
        seen.records += 1;
        seen.total += value["amount"].as_u64().unwrap_or_default();
        seen.latencies.push(now - record.timestamp);
    }
    let beyond = seen.latencies.len().saturating_sub(20_000);
    seen.latencies.drain(..beyond);
    Ok(Value::Null)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it measures by the clock of the machine"
)]
fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
