//! The node's own API below `/_tradewind/`: what the command line speaks to a node.
//! Its reference is `docs/management-api.md`.

mod logs;
mod packages;
mod stacks;
mod traces;
mod usage;

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use tradewind_apigateway::Url;
use tradewind_deploy::stack::EventSource;
use tradewind_lambda::FunctionSummary;
use tradewind_model::FunctionArn;
use tradewind_store::DatabaseError;
use tradewind_wire::Body;

use super::State;

/// Answers a request below `/_tradewind/`.
pub(crate) async fn handle(state: &Arc<State>, parts: &Parts, body: Incoming) -> Response<Body> {
    let path = parts.uri.path().trim_start_matches("/_tradewind/");
    let segments: Vec<&str> = path.split('/').collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["health"]) => health(state),
        (&Method::GET, ["sns", _]) => certificate(state, parts.uri.path()),
        (&Method::GET, ["functions"]) => match functions(state).await {
            Ok(functions) => json_response(StatusCode::OK, &functions),
            Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, &failure.to_string()),
        },
        (&Method::GET, ["usage"]) => usage::read(state, parts).await,
        (&Method::GET, ["logs"]) => logs::read(state, parts).await,
        (&Method::GET, ["traces", id]) => traces::describe(state, id).await,
        (&Method::PUT, ["packages"]) => packages::upload(state, body).await,
        (&Method::GET, ["packages", file]) => packages::download(state, file).await,
        (&Method::GET, ["stacks"]) => stacks::list(state).await,
        (&Method::GET, ["stacks", name]) => stacks::describe(state, name).await,
        (&Method::POST, ["stacks", name]) => stacks::apply(state, name, body).await,
        (&Method::DELETE, ["stacks", name]) => stacks::remove(state, name).await,
        (&Method::POST, ["scrub"]) => scrub(state).await,
        (&Method::POST, ["events", bus]) => put_cloud_events(state, bus, parts, body).await,
        (
            _,
            ["health" | "functions" | "usage" | "logs" | "scrub"] | ["packages" | "stacks" | "traces", ..],
        ) => error(
            StatusCode::METHOD_NOT_ALLOWED,
            &format!("{} is not allowed here", parts.method),
        ),
        _ => error(
            StatusCode::NOT_FOUND,
            &format!("there is nothing at `{}`", parts.uri.path()),
        ),
    }
}

/// Waits until nothing is left of what was deleted.
async fn scrub(state: &State) -> Response<Body> {
    match super::scrub::scrub(state).await {
        Ok(done) => json_response(
            StatusCode::OK,
            &json!({"contents": done.contents, "rows": done.rows}),
        ),
        Err(failure) => error(StatusCode::INTERNAL_SERVER_ERROR, &failure),
    }
}

/// What notifications of topics are verified with.
fn certificate(state: &State, path: &str) -> Response<Body> {
    match state.sns.certificate(path) {
        Some(certificate) => plain_text(StatusCode::OK, certificate),
        None => error(StatusCode::NOT_FOUND, &format!("there is nothing at `{path}`")),
    }
}

/// CloudEvents for a bus of the node's own account and region.
async fn put_cloud_events(state: &State, bus: &str, parts: &Parts, body: Incoming) -> Response<Body> {
    const MAX_BYTES: usize = 1024 * 1024;
    let body = match tradewind_wire::read_body(body, MAX_BYTES).await {
        Ok(body) => body,
        Err(failure) => return error(StatusCode::PAYLOAD_TOO_LARGE, &failure.to_string()),
    };
    let of = (&state.account, &state.region);
    let put = state
        .event_bridge
        .put_cloud_events(of, bus, &parts.headers, &body)
        .await;
    match put {
        Ok(()) => json_response(StatusCode::OK, &json!({})),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            error(status, &refusal.to_string())
        }
    }
}

fn health(state: &State) -> Response<Body> {
    let health = json!({
        "status": "ready",
        "version": env!("CARGO_PKG_VERSION"),
        "account": state.account.as_str(),
        "region": state.region.as_str(),
    });
    json_response(StatusCode::OK, &health)
}

/// Every function with its URLs, what else invokes it, and the stack that made it.
pub(crate) async fn functions(state: &State) -> Result<Value, DatabaseError> {
    let sources = state.stacks.event_sources().await?;
    let urls = state.api_gateway.urls();
    let document = |function: FunctionSummary| {
        let own = urls
            .iter()
            .filter(|url| url.function.unqualified() == function.arn);
        let of_itself = function
            .urls
            .iter()
            .map(|url| json!({"kind": "url", "method": "ANY", "url": url}));
        json!({
            "function": function.arn.name.as_str(),
            "arn": function.arn.to_string(),
            "runtime": function.runtime.as_str(),
            "handler": function.handler,
            "memoryMib": function.memory_mib,
            "timeoutSeconds": function.timeout_seconds,
            "codeSize": function.code_size_bytes,
            "lastModified": function.last_modified.to_rfc3339(),
            "state": function.state,
            "stack": function.stack,
            "sources": sources.iter().filter(|source| invokes(source, &function.arn)).collect::<Vec<_>>(),
            "urls": own.map(|url| url_document(state, url)).chain(of_itself).collect::<Vec<_>>(),
        })
    };
    let functions: Vec<Value> = state.lambda.list_functions().into_iter().map(document).collect();
    Ok(json!({ "functions": functions }))
}

/// Whether the source invokes the function: a version or an alias of it is the same to whoever looks. Templates may
/// also call the function by its name.
fn invokes(source: &EventSource, function: &FunctionArn) -> bool {
    let (arn, name) = (function.to_string(), function.name.as_str());
    let rest = source
        .function
        .strip_prefix(&arn)
        .or_else(|| source.function.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

fn url_document(state: &State, url: &Url) -> Value {
    let address = format!("{}{}", state.base_url, url.path_form());
    json!({"kind": url.kind.as_str(), "method": url.method, "url": address})
}

/// Every URL it answers, with its method, sorted.
pub(crate) fn urls(state: &State) -> Vec<String> {
    let url = |url: &Url| format!("{:6} {}{}", url.method, state.base_url, url.path_form());
    let mut urls: Vec<String> = state.api_gateway.urls().iter().map(url).collect();
    for function in state.lambda.list_functions() {
        urls.extend(function.urls.iter().map(|url| format!("{:6} {url}", "ANY")));
    }
    urls.sort();
    urls
}

pub(crate) fn plain_text(status: StatusCode, text: String) -> Response<Body> {
    with_type(status, "text/plain; charset=utf-8", Body::full(text))
}

/// `{"message": …}`.
pub(crate) fn error(status: StatusCode, message: &str) -> Response<Body> {
    json_response(status, &json!({ "message": message }))
}

pub(crate) fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    with_type(status, "application/json", Body::full(value.to_string()))
}

/// An answer of one JSON document a line, as they come.
pub(crate) fn lines(body: Body) -> Response<Body> {
    with_type(StatusCode::OK, "application/x-ndjson", body)
}

fn with_type(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// One line of such an answer.
pub(crate) fn line(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string(value).expect("answers have text keys only");
    text.push('\n');
    text
}
