//! `GET /_tradewind/usage`: what functions used.

use serde_json::{Value, json};
use tradewind_observe::usage::FunctionUsage;

use super::super::State;

/// What every function version used since the node started.
pub(super) fn document(state: &State) -> Value {
    let functions: Vec<Value> = state.usage.totals().iter().map(of_function).collect();
    json!({ "functions": functions, "droppedRecords": state.usage.dropped() })
}

fn of_function(usage: &FunctionUsage) -> Value {
    let totals = &usage.totals;
    json!({
        "function": &*usage.function,
        "version": &*usage.version,
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
    })
}

/// Exact up to 2⁵³, which is 285 years of microseconds.
#[expect(clippy::cast_precision_loss, reason = "see above")]
fn thousandths(value: u64) -> f64 {
    value as f64 / 1000.0
}
