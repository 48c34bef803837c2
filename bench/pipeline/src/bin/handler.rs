//! What a function does with a batch of records; `consumer.rs` does the same without a platform.

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

static SEEN: Mutex<Seen> = Mutex::new(Seen {
    records: 0,
    total: 0,
    latencies: Vec::new(),
});

struct Seen {
    records: u64,
    total: u64,
    latencies: Vec<f64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    if event.payload.get("report").is_some() {
        return Ok(json!({"records": seen.records, "total": seen.total, "latencies": seen.latencies}));
    }
    let now = now_ms();
    let batches = event.payload["records"].as_object().into_iter().flatten();
    for record in batches.flat_map(|(_, records)| records.as_array().into_iter().flatten()) {
        let value = STANDARD.decode(record["value"].as_str().unwrap_or_default())?;
        let value: Value = serde_json::from_slice(&value)?;
        seen.records += 1;
        seen.total += value["amount"].as_u64().unwrap_or_default();
        seen.latencies
            .push(now - record["timestamp"].as_f64().unwrap_or_default());
    }
    let beyond = seen.latencies.len().saturating_sub(20_000);
    seen.latencies.drain(..beyond);
    Ok(Value::Null)
}

#[expect(
    clippy::disallowed_methods,
    reason = "it measures by the clock of the machine"
)]
fn now_ms() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs_f64() * 1000.0
}
