//! InvokeWithResponseStream: the answer as a stream of events.

use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, json};
use tradewind_compute::{StreamBody, StreamError, StreamEvent};
use tradewind_wire::Body;

use super::invoke::{InvocationType, deployed, invocation_type, log_tail, request, traced};
use super::{Answer, Call, empty};
use crate::error::LambdaError;
use crate::event_stream::{CONTENT_TYPE, event};
use crate::names::Shape;
use crate::payload::check_json;
use crate::service::LambdaService;

pub(super) async fn invoke(service: &LambdaService, call: Call) -> Answer {
    let target = call.target(Shape::Namespaced)?;
    let invocation_type = invocation_type(&call, &["RequestResponse", "DryRun"])?;
    let log_tail = log_tail(&call)?;
    let arn = deployed(service, &target)?;
    if !call.body.is_empty() {
        check_json(&call.body).map_err(|detail| LambdaError::InvalidPayload { detail })?;
    }
    if invocation_type == InvocationType::DryRun {
        return empty(StatusCode::NO_CONTENT);
    }
    let (request, begun) = request(service, &call, &arn, log_tail)?;
    let trace = begun.before().clone();
    let streaming = service.engine().invoke_streaming(&arn, request).await;
    let outcome = match &streaming {
        Ok(_) => "ok: its answer streams".to_owned(),
        Err(error) => error.to_string(),
    };
    begun.end(service, &arn, (&call.request_id, 1), &outcome);
    let stream = streaming.map_err(|error| LambdaError::of_invocation(error, &arn))?;
    let mut response = Response::new(events(stream.body));
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    if let Ok(version) = HeaderValue::from_str(&stream.executed_version.to_string()) {
        headers.insert("x-amz-executed-version", version);
    }
    Ok(traced(response, &trace))
}

/// The stream's events as messages; it ends with `InvokeComplete`, or as broken when the instance is lost.
fn events(mut stream: StreamBody) -> Body {
    let mut complete = false;
    Body::polled(move |cx: &mut Context<'_>| {
        if complete {
            return Poll::Ready(None);
        }
        stream.poll_next(cx).map(|next| match next {
            Some(StreamEvent::Chunk(chunk)) => {
                Some(Ok(event("PayloadChunk", "application/octet-stream", &chunk)))
            }
            Some(StreamEvent::Complete { error, log_tail }) => {
                complete = true;
                Some(Ok(completion(error, log_tail)))
            }
            None => Some(Err(std::io::Error::other("the instance was lost"))),
        })
    })
}

fn completion(error: Option<StreamError>, log_tail: Option<Vec<u8>>) -> Bytes {
    let mut members = Map::new();
    if let Some(error) = error {
        members.insert("ErrorCode".into(), json!(error.error_type));
        members.insert("ErrorDetails".into(), json!(String::from_utf8_lossy(&error.body)));
    }
    if let Some(log) = log_tail {
        members.insert("LogResult".into(), json!(STANDARD.encode(log)));
    }
    let payload = serde_json::Value::Object(members).to_string();
    event("InvokeComplete", "application/json", payload.as_bytes())
}
