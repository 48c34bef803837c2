//! A function on the official Rust client; `../README.md` says what all of these fixtures do.

use std::io::Write;

use lambda_runtime::{Diagnostic, Error, LambdaEvent, run, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
    if let Some(text) = event.payload["log"].as_str() {
        writeln!(std::io::stdout(), "{text}").map_err(|error| failure("log", &error))?;
    }
    if event.payload["fail"] == true {
        return Err(failure("boom", &"boom"));
    }
    Ok(json!({ "hello": event.payload["name"], "requestId": event.context.request_id }))
}

fn failure(error_type: &str, message: &dyn std::fmt::Display) -> Diagnostic {
    Diagnostic {
        error_type: error_type.to_owned(),
        error_message: message.to_string(),
    }
}
