//! What a destination is told of the end of an asynchronous invocation: the invocation record of the
//! Developer Guide ("Capturing records of Lambda asynchronous invocations").
//!
//! A record is itself an asynchronous invocation: it is queued in the transaction that ends the one it
//! tells of, so it is sent exactly if that one ended.

use bytes::Bytes;
use serde_json::json;
use tradewind_compute::InvokeResponse;
use tradewind_model::{FunctionArn, Qualifier, RequestId, Timestamp, limits};

use crate::event_invoke::EventInvoke;
use crate::queue::{Accepted, Leased};
use crate::schedule::Next;

/// How an invocation ended.
pub(crate) struct Ending<'a> {
    pub(crate) leased: &'a Leased,
    pub(crate) next: Next,
    /// What the function answered in its last attempt; none if it did not run then.
    pub(crate) response: Option<&'a InvokeResponse>,
    pub(crate) at: Timestamp,
}

impl Ending<'_> {
    /// The record to send; none if there is nobody to hear it, or if it is too large to be sent.
    pub(crate) fn record(&self, config: &EventInvoke) -> Option<Accepted> {
        let (target, condition) = match self.next {
            Next::Done => (config.on_success.as_ref()?, "Success"),
            Next::Drop(reason) => (config.on_failure.as_ref()?, reason.as_str()),
            Next::Again { .. } => return None,
        };
        let payload = self.text(condition);
        if payload.len() > limits::ASYNC_PAYLOAD_BYTES {
            tracing::error!(
                function = %self.leased.arn, request_id = %self.leased.request_id, destination = %target,
                bytes = payload.len(), "the record of an asynchronous invocation is too large to be sent"
            );
            return None;
        }
        let qualifier = target.qualifier.as_ref().map(Qualifier::to_string);
        Some(Accepted {
            request_id: RequestId::random(),
            arn: target.unqualified(),
            qualifier: qualifier.unwrap_or_default(),
            payload: payload.into(),
            trace_id: self.leased.trace_id.clone(),
        })
    }

    /// The payloads go in as they are: numbers and keys stay to the letter.
    fn text(&self, condition: &str) -> Vec<u8> {
        let context = json!({
            "requestId": self.leased.request_id.as_str(),
            "functionArn": self.function_arn().to_string(),
            "condition": condition,
            "approximateInvokeCount": self.leased.attempts.function_errors + u32::from(self.response.is_some()),
        });
        let head = format!(
            r#"{{"version":"1.0","timestamp":{},"requestContext":{context},"requestPayload":"#,
            json!(self.at.to_rfc3339())
        );
        let mut text = head.into_bytes();
        text.extend_from_slice(&as_json(&self.leased.payload));
        if let Some(response) = self.response {
            let mut context = json!({
                "statusCode": 200, "executedVersion": response.executed_version.to_string(),
            });
            if let Some(error) = response.error {
                context["functionError"] = error.as_str().into();
            }
            text.extend_from_slice(format!(r#","responseContext":{context},"responsePayload":"#).as_bytes());
            text.extend_from_slice(&as_json(&response.payload));
        }
        text.push(b'}');
        text
    }

    fn function_arn(&self) -> FunctionArn {
        self.leased
            .arn
            .qualified(self.leased.asked_for().unwrap_or_default())
    }
}

/// A payload as a member of a JSON text; what is no JSON becomes a string.
fn as_json(payload: &Bytes) -> Bytes {
    match serde_json::from_slice::<serde::de::IgnoredAny>(payload) {
        Ok(_json) => payload.clone(),
        Err(_no_json) => json!(String::from_utf8_lossy(payload)).to_string().into(),
    }
}
