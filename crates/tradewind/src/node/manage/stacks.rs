//! Stacks over HTTP: apply, remove, look.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Response, StatusCode};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tradewind_deploy::stack::{ApplyError, ApplyRequest, RemoveError, StackEvent, StackName, StackOutcome};
use tradewind_wire::{Body, BodySender, ReadBodyError, read_body};

use super::{error, json_response, line, lines};
use crate::node::State;

/// CloudFormation takes templates up to 1 MB from a URL; ours come in the call, with room around.
const MAX_REQUEST_BYTES: usize = 4 * 1024 * 1024;
/// Events a slow reader may lag behind before it misses some.
const EVENTS: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    template: Value,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    artifacts: BTreeMap<String, String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct ResourceLine<'e> {
    event: &'static str,
    #[serde(flatten)]
    resource: &'e StackEvent,
}

pub(crate) async fn list(state: &State) -> Response<Body> {
    match state.stacks.list().await {
        Ok(stacks) => json_response(StatusCode::OK, &json!({ "stacks": stacks })),
        Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
    }
}

pub(crate) async fn describe(state: &State, name: &str) -> Response<Body> {
    let stack = match name.parse::<StackName>() {
        Ok(stack) => stack,
        Err(invalid) => return error(StatusCode::BAD_REQUEST, &invalid.to_string()),
    };
    match state.stacks.describe(&stack).await {
        Ok(Some(description)) => json_response(StatusCode::OK, &json!(description)),
        Ok(None) => error(StatusCode::NOT_FOUND, &format!("stack `{stack}` does not exist")),
        Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
    }
}

pub(crate) async fn apply(state: &Arc<State>, name: &str, body: Incoming) -> Response<Body> {
    let request = match read_request(name, body).await {
        Ok(request) => request,
        Err(refusal) => return *refusal,
    };
    // Problems are answered before the stream begins, so that nothing looks started that was not.
    if let Err(problems) = state.stacks.check(&request.template, &request.parameters) {
        return json_response(StatusCode::BAD_REQUEST, &json!({ "problems": problems }));
    }
    let worker = Arc::clone(state);
    stream(state, move |events| async move {
        match worker.stacks.apply(request, events).await {
            Ok(outcome) => done(&outcome),
            Err(ApplyError::Problems(problems)) => json!({"event": "failed", "problems": problems}),
            Err(failure @ (ApplyError::Busy(_) | ApplyError::Unforeseen(_) | ApplyError::Database(_))) => {
                failed(&failure.to_string())
            }
        }
    })
}

async fn read_request(name: &str, body: Incoming) -> Result<ApplyRequest, Box<Response<Body>>> {
    let refuse = |status, message: String| Box::new(error(status, &message));
    let stack = name
        .parse::<StackName>()
        .map_err(|invalid| refuse(StatusCode::BAD_REQUEST, invalid.to_string()))?;
    let body = read_body(body, MAX_REQUEST_BYTES).await.map_err(|failure| {
        let status = match failure {
            ReadBodyError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            ReadBodyError::Interrupted { .. } => StatusCode::BAD_REQUEST,
        };
        refuse(status, failure.to_string())
    })?;
    let apply: Apply = serde_json::from_slice(&body).map_err(|failure| {
        refuse(
            StatusCode::BAD_REQUEST,
            format!("the request is not valid: {failure}"),
        )
    })?;
    Ok(ApplyRequest {
        stack,
        template: apply.template,
        parameters: apply.parameters,
        artifacts: apply.artifacts,
        tags: apply.tags,
        prove_updates: false,
    })
}

pub(crate) async fn remove(state: &Arc<State>, name: &str) -> Response<Body> {
    let stack = match name.parse::<StackName>() {
        Ok(stack) => stack,
        Err(invalid) => return error(StatusCode::BAD_REQUEST, &invalid.to_string()),
    };
    match state.stacks.describe(&stack).await {
        Ok(Some(_)) => {}
        Ok(None) => return error(StatusCode::NOT_FOUND, &format!("stack `{stack}` does not exist")),
        Err(failure) => return error(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
    }
    let worker = Arc::clone(state);
    stream(state, move |events| async move {
        match worker.stacks.remove(&stack, events).await {
            Ok(outcome) => done(&outcome),
            Err(
                failure @ (RemoveError::NotFound(_)
                | RemoveError::Busy(_)
                | RemoveError::ExportInUse { .. }
                | RemoveError::Obstacles { .. }
                | RemoveError::Database(_)),
            ) => failed(&failure.to_string()),
        }
    })
}

fn done(outcome: &StackOutcome) -> Value {
    let status = if outcome.changed {
        outcome.status.as_str()
    } else {
        "NO_CHANGES"
    };
    json!({"event": "done", "status": status, "outputs": outcome.outputs, "reason": outcome.reason})
}

fn failed(message: &str) -> Value {
    json!({"event": "failed", "message": message})
}

/// Runs the work in a task of its own and answers with its events, then its last line. A client
/// that leaves misses the rest; the work goes on.
fn stream<W, F>(state: &State, work: W) -> Response<Body>
where
    W: FnOnce(mpsc::Sender<StackEvent>) -> F,
    F: Future<Output = Value> + Send + 'static,
{
    let (sender, body) = Body::channel(16);
    let (events, reader) = mpsc::channel(EVENTS);
    let work = work(events);
    state.detached.spawn(async move {
        let ((), last) = tokio::join!(forward(reader, &sender), work);
        if sender.send(line(&last)).await.is_err() {
            tracing::debug!("the client left before its stack was done");
        }
    });
    lines(body)
}

async fn forward(mut reader: mpsc::Receiver<StackEvent>, sender: &BodySender) {
    while let Some(event) = reader.recv().await {
        let text = line(&ResourceLine {
            event: "resource",
            resource: &event,
        });
        if sender.send(text).await.is_err() {
            return;
        }
    }
}
