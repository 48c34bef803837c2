//! The Runtime API's responses, in the words of Lambda's.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body_util::Full;
use tradewind_model::limits::SYNC_PAYLOAD_BYTES;

use super::Delivery;
use super::runtime_api::Phase;

pub(super) fn next_response(delivery: &Delivery<'_>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(delivery.payload.clone()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut set = |name: &'static str, value: &str| {
        // what cannot stand in a header was refused at the edge; here it is left out
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set("lambda-runtime-aws-request-id", delivery.request_id);
    set("lambda-runtime-deadline-ms", &delivery.deadline_ms.to_string());
    set("lambda-runtime-invoked-function-arn", delivery.function_arn);
    set("lambda-runtime-trace-id", delivery.trace_id);
    if let Some(context) = delivery.client_context {
        set("lambda-runtime-client-context", context);
    }
    response
}

pub(super) fn accepted() -> Response<Full<Bytes>> {
    json(StatusCode::ACCEPTED, Bytes::from_static(b"{\"status\":\"OK\"}\n"))
}

pub(super) fn too_large() -> Response<Full<Bytes>> {
    let message = format!("Exceeded maximum allowed payload size ({SYNC_PAYLOAD_BYTES} bytes).");
    error(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", &message)
}

pub(super) fn truncated() -> Response<Full<Bytes>> {
    error(
        StatusCode::BAD_REQUEST,
        "TruncatedHTTPRequest",
        "HTTP request detected as truncated",
    )
}

pub(super) fn wrong_state(from: &Phase, to: &str) -> Response<Full<Bytes>> {
    let from = from.name();
    let message = format!(
        "State transition from {from} to {to} failed for runtime. Error: State transition is not allowed"
    );
    error(StatusCode::FORBIDDEN, "InvalidStateTransition", &message)
}

pub(super) fn error(status: StatusCode, error_type: &str, message: &str) -> Response<Full<Bytes>> {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type });
    json(status, format!("{body}\n").into())
}

/// The Telemetry API and its predecessor are not here: they say so as AWS's own emulator does.
pub(super) fn telemetry_refused(parts: &Parts) -> Option<Response<Full<Bytes>>> {
    let (error_type, message) = match (&parts.method, parts.uri.path()) {
        (&Method::PUT, "/2022-07-01/telemetry") => {
            ("Telemetry.NotSupported", "Telemetry API is not supported")
        }
        (&Method::PUT, "/2020-08-15/logs") => ("Logs.NotSupported", "Logs API is not supported"),
        _ => return None,
    };
    Some(error(StatusCode::ACCEPTED, error_type, message))
}

pub(super) fn not_found() -> Response<Full<Bytes>> {
    with_status(StatusCode::NOT_FOUND, Bytes::from_static(b"404 page not found\n"))
}

pub(super) fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = with_status(status, body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub(super) fn with_status(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}
