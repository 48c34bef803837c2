//! `GET /_tradewind/usage`: what was used.

use std::collections::HashMap;

use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::{Value, json};
use tradewind_model::Timestamp;
use tradewind_observe::usage::{FunctionUsage, UsageTotals, Used};
use tradewind_wire::{Body, parse_query};

use super::super::State;
use super::{error, json_response};

/// What every function version used since the node started; with `since` what is kept of that time.
pub(super) async fn read(state: &State, parts: &Parts) -> Response<Body> {
    let params = match parse_query(parts.uri.query().unwrap_or_default(), b"") {
        Ok(params) => params,
        Err(failure) => return error(StatusCode::BAD_REQUEST, &failure.to_string()),
    };
    let time = |name: &str| super::logs::number(&params, name).map(|ms| ms.map(Timestamp::from_millis));
    let kept = match (time("since"), time("until")) {
        (Ok(None), Ok(None)) => return json_response(StatusCode::OK, &since_start(state)),
        (Ok(since), Ok(until)) => kept(state, since.unwrap_or_default(), until).await,
        (Err(message), _) | (_, Err(message)) => return error(StatusCode::BAD_REQUEST, &message),
    };
    match kept {
        Ok(document) => json_response(StatusCode::OK, &document),
        Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
    }
}

fn since_start(state: &State) -> Value {
    let functions: Vec<Value> = state.usage.totals().iter().map(of_version).collect();
    json!({ "functions": functions, "droppedRecords": state.usage.dropped() })
}

fn of_version(usage: &FunctionUsage) -> Value {
    let mut document = json!({"function": &*usage.function, "version": &*usage.version});
    extend(&mut document, &usage.totals);
    document
}

fn extend(document: &mut Value, totals: &UsageTotals) {
    let used = json!({
        "invocations": totals.invocations,
        "errors": totals.errors,
        "timeouts": totals.timeouts,
        "coldStarts": totals.cold_starts,
        "initMs": thousandths(totals.init_us),
        "durationMs": thousandths(totals.duration_us),
        "billedMs": totals.billed_ms,
        "gbSeconds": thousandths(totals.billed_mib_ms) / 1024.0,
        "peakMemoryBytes": totals.peak_memory_bytes,
        "cpuMs": thousandths(totals.cpu_us),
        "bytesIn": totals.bytes_in,
        "bytesOut": totals.bytes_out,
    });
    if let (Value::Object(document), Value::Object(used)) = (document, used) {
        document.extend(used);
    }
}

/// What the database has from `since` to before `until`, else to now, the current minute included.
async fn kept(
    state: &State,
    since: Timestamp,
    until: Option<Timestamp>,
) -> Result<Value, tradewind_store::DatabaseError> {
    const MINUTE_MS: i64 = 60_000;
    state.ledger.flush().await?;
    let until = until.unwrap_or_else(|| state.clock.now().plus_millis(MINUTE_MS));
    let used = state.ledger.used(since, until).await?;
    let begins = state.ledger.begins().await?;
    let functions = state.lambda.list_functions().into_iter();
    let architectures: HashMap<String, &str> = functions
        .map(|function| (function.arn.to_string(), function.architecture))
        .collect();
    let (functions, counts): (Vec<Used>, Vec<Used>) =
        used.into_iter().partition(|used| used.item == "lambda");
    Ok(json!({
        "begins": begins.map(Timestamp::as_millis),
        "functions": functions.iter().map(|used| of_function(used, &architectures)).collect::<Vec<_>>(),
        "counts": counts.iter().map(of_item).collect::<Vec<_>>(),
    }))
}

/// A function that is gone is taken for one of the usual architecture.
fn of_function(used: &Used, architectures: &HashMap<String, &str>) -> Value {
    let architecture = architectures.get(&used.owner.resource).unwrap_or(&"x86_64");
    let mut document = json!({
        "function": used.owner.resource,
        "version": used.version,
        "stack": used.owner.stack,
        "memoryMib": used.memory_mib,
        "architecture": architecture,
        "billedMibMs": used.totals.billed_mib_ms,
    });
    extend(&mut document, &used.totals);
    document
}

fn of_item(used: &Used) -> Value {
    json!({
        "item": used.item,
        "resource": used.owner.resource,
        "stack": used.owner.stack,
        "quantity": used.quantity,
    })
}

/// Exact up to 2⁵³, which is 285 years of microseconds.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn thousandths(value: u64) -> f64 {
    value as f64 / 1000.0
}
