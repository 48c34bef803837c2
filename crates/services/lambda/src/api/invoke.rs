//! Invoke: now, later, or not at all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use tradewind_compute::{InvokeRequest, InvokeResponse};
use tradewind_events::Trace;
use tradewind_model::{FunctionArn, limits};
use tradewind_wire::Body;

use super::{Answer, Call, empty};
use crate::error::{LambdaError, Violations};
use crate::journey::{self, Begun};
use crate::names::{Shape, Target};
use crate::payload::check_json;
use crate::queue::Accepted;
use crate::service::LambdaService;

/// Largest `X-Amz-Client-Context`, in base64.
const CLIENT_CONTEXT_BYTES: usize = 3_583;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

pub(super) async fn invoke(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Namespaced)?;
    let invocation_type = invocation_type(&call, &["Event", "RequestResponse", "DryRun"])?;
    let log_tail = log_tail(&call)?;
    let arn = deployed(service, &target)?;
    if !call.body.is_empty() {
        check_json(&call.body).map_err(|detail| LambdaError::InvalidPayload { detail })?;
    }
    match invocation_type {
        InvocationType::DryRun => empty(StatusCode::NO_CONTENT),
        InvocationType::Event => enqueue(service, &call, arn, &target).await,
        InvocationType::RequestResponse => run(service, &call, arn, log_tail).await,
    }
}

/// What the header asks for, which must be among `known`.
pub(super) fn invocation_type(call: &Call, known: &[&str]) -> Result<InvocationType, LambdaError> {
    match call.header("x-amz-invocation-type") {
        None | Some("RequestResponse") => Ok(InvocationType::RequestResponse),
        Some("Event") if known.contains(&"Event") => Ok(InvocationType::Event),
        Some("DryRun") => Ok(InvocationType::DryRun),
        Some(other) => Err(not_one_of(&["InvocationType"], other, &known.join(", "))),
    }
}

pub(super) fn log_tail(call: &Call) -> Result<bool, LambdaError> {
    match call.header("x-amz-log-type") {
        None | Some("None") => Ok(false),
        Some("Tail") => Ok(true),
        Some(other) => Err(not_one_of(&["LogType"], other, "None, Tail")),
    }
}

fn not_one_of(path: &'static [&'static str], given: &str, known: &str) -> LambdaError {
    let mut violations = Violations::default();
    violations.add(
        path,
        given.to_owned(),
        format!("Member must satisfy enum value set: [{known}]"),
    );
    LambdaError::Validation(violations)
}

/// The ARN the engine knows the version or alias by.
pub(super) fn deployed(service: &LambdaService, target: &Target) -> Result<FunctionArn, LambdaError> {
    let not_found = || match target.qualifier_text() {
        Some(_) => target.not_found(),
        None => LambdaError::FunctionNotFound {
            arn: format!("{}:$LATEST", target.unqualified_text()),
        },
    };
    let arn = target.function_arn().map_err(|_too_long| not_found())?;
    let function = service.find(&arn).ok_or_else(not_found)?;
    let qualifier = target.qualifier().transpose()?.unwrap_or_default();
    function.invocable(&qualifier).ok_or_else(|| target.not_found())
}

async fn enqueue(service: &LambdaService, call: &Call, arn: FunctionArn, target: &Target) -> Answer {
    if call.body.len() > limits::ASYNC_PAYLOAD_BYTES {
        return Err(LambdaError::EventTooLarge {
            size: call.body.len(),
            limit: limits::ASYNC_PAYLOAD_BYTES,
        });
    }
    let trace = trace(service, call);
    let accepted = Accepted {
        request_id: call.request_id.clone(),
        arn: arn.unqualified(),
        qualifier: target.qualifier_text().unwrap_or_default().to_owned(),
        payload: payload(call),
        trace_id: trace.header(),
    };
    service.enqueue(accepted).await?;
    Ok(traced(empty(StatusCode::ACCEPTED)?, &trace))
}

/// The answer with the id of the journey that the invocation is a step of.
pub(super) fn traced(mut response: Response<Body>, trace: &Trace) -> Response<Body> {
    if let Ok(root) = HeaderValue::from_str(&format!("Root={}", trace.root())) {
        response.headers_mut().insert("x-amzn-trace-id", root);
    }
    response
}

/// The invocation as the engine takes it.
///
/// # Errors
/// When the client context is none, and when the function is invoked in a recursive loop.
pub(super) fn request(
    service: &LambdaService,
    call: &Call,
    arn: &FunctionArn,
    log_tail: bool,
) -> Result<(InvokeRequest, Begun), LambdaError> {
    let mut begun = Begun::new(service, trace(service, call));
    if let Some(function) = service.find(&arn.unqualified()) {
        begun
            .enter(&function)
            .map_err(|_goes_round| LambdaError::Recursive)?;
    }
    let request = InvokeRequest {
        request_id: call.request_id.clone(),
        payload: payload(call),
        client_context: client_context(call)?,
        trace_id: begun.trace().header(),
        log_tail,
    };
    Ok((request, begun))
}

async fn run(service: &LambdaService, call: &Call, arn: FunctionArn, log_tail: bool) -> Answer {
    let (request, begun) = request(service, call, &arn, log_tail)?;
    let trace = begun.before().clone();
    let ran = service.engine().invoke(&arn, request).await;
    let outcome = match &ran {
        Ok(response) => journey::outcome_of(response),
        Err(error) => error.to_string(),
    };
    begun.end(service, &arn, (&call.request_id, 1), &outcome);
    let response = ran.map_err(|error| LambdaError::of_invocation(error, &arn))?;
    Ok(traced(answer(response), &trace))
}

/// An invocation without a payload gets an empty object.
fn payload(call: &Call) -> Bytes {
    if call.body.is_empty() {
        Bytes::from_static(b"{}")
    } else {
        call.body.clone()
    }
}

fn trace(service: &LambdaService, call: &Call) -> Trace {
    Trace::from_header(call.header("x-amzn-trace-id"), service.clock().now())
}

fn client_context(call: &Call) -> Result<Option<String>, LambdaError> {
    let Some(encoded) = call.header("x-amz-client-context") else {
        return Ok(None);
    };
    if encoded.len() > CLIENT_CONTEXT_BYTES {
        return Err(LambdaError::InvalidClientContext);
    }
    let invalid = || LambdaError::InvalidClientContext;
    let bytes = STANDARD.decode(encoded).map_err(|_not_base64| invalid())?;
    let text = String::from_utf8(bytes).map_err(|_not_text| invalid())?;
    let object: serde_json::Value = serde_json::from_str(&text).map_err(|_not_json| invalid())?;
    object.is_object().then_some(Some(text)).ok_or_else(invalid)
}

fn answer(ran: InvokeResponse) -> Response<Body> {
    let mut response = Response::new(Body::full(ran.payload));
    let headers = response.headers_mut();
    headers.insert(
        http::header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if let Ok(version) = HeaderValue::from_str(&ran.executed_version.to_string()) {
        headers.insert("x-amz-executed-version", version);
    }
    if let Some(kind) = ran.error {
        headers.insert("x-amz-function-error", HeaderValue::from_static(kind.as_str()));
    }
    if let Some(log) = ran.log_tail
        && let Ok(encoded) = HeaderValue::from_str(&STANDARD.encode(log))
    {
        headers.insert("x-amz-log-result", encoded);
    }
    response
}
