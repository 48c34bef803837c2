//! What a destination is told of the end of an asynchronous invocation: the invocation record of the
//! Developer Guide ("Capturing records of Lambda asynchronous invocations").
//!
//! The record is delivered in the transaction that ends the invocation, so it is sent exactly if that one
//! ended. A destination that is gone or has no room hears nothing, as with AWS; the log says so.

use bytes::Bytes;
use serde_json::json;
use tradewind_compute::InvokeResponse;
use tradewind_events::{Message, Router, Routing, Trace};
use tradewind_model::{Arn, FunctionArn, Timestamp};

use crate::dead_letter::letter;
use crate::event_invoke::EventInvoke;
use crate::queue::Leased;
use crate::schedule::Next;
use crate::service::LambdaService;

/// How an invocation ended.
pub(crate) struct Ending<'a> {
    pub(crate) leased: &'a Leased,
    pub(crate) next: Next,
    /// What the function answered in its last attempt; none if it did not run then.
    pub(crate) response: Option<&'a InvokeResponse>,
    /// The trace of what comes of it.
    pub(crate) trace: Trace,
    pub(crate) at: Timestamp,
}

impl Ending<'_> {
    /// Adds what the destination is told and what is a dead letter, if there are any.
    pub(crate) fn tell(&self, service: &LambdaService, routing: &mut Routing, config: Option<&EventInvoke>) {
        if let Next::Drop(reason) = self.next
            && let Some(target) = service.dead_letters_of(self.leased)
        {
            let letter = letter(self.leased, reason, self.response, self.message(Bytes::new()));
            self.deliver(service.router(), routing, &target, letter);
        }
        let Some((target, condition)) = config.and_then(|config| self.listener(config)) else {
            return;
        };
        let record = self.record(condition);
        let body = if &*target.service == "events" {
            self.event(target, record)
        } else {
            record
        };
        self.deliver(service.router(), routing, target, self.message(body.into()));
    }

    fn deliver(&self, router: &Router, routing: &mut Routing, target: &Arn, message: Message) {
        if let Err(error) = router.deliver(routing, target, message) {
            tracing::error!(
                function = %self.leased.arn, request_id = %self.leased.request_id, destination = %target, %error,
                "what became of an asynchronous invocation is not delivered"
            );
        }
    }

    /// Who hears of this ending, and the ending's name.
    fn listener<'a>(&self, config: &'a EventInvoke) -> Option<(&'a Arn, &'static str)> {
        match self.next {
            Next::Done => Some((config.on_success.as_ref()?, "Success")),
            Next::Drop(reason) => Some((config.on_failure.as_ref()?, reason.as_str())),
            Next::Again { .. } => None,
        }
    }

    fn message(&self, body: Bytes) -> Message {
        Message {
            body,
            sender: "lambda.amazonaws.com".to_owned(),
            source: self.function_arn().to_string(),
            trace: self.trace.clone(),
            ..Message::default()
        }
    }

    /// The record as the `detail` of an event for a bus.
    fn event(&self, bus: &Arn, record: Vec<u8>) -> Vec<u8> {
        let result = match self.next {
            Next::Done => "Success",
            Next::Drop(_) | Next::Again { .. } => "Failure",
        };
        let function = &self.leased.arn;
        let envelope = json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": format!("Lambda Function Invocation Result - {result}"),
            "source": "lambda",
            "account": function.account.as_str(),
            "time": to_the_second(self.at),
            "region": function.region.as_str(),
            "resources": [self.function_arn().to_string(), bus.to_string()],
        });
        let mut text = envelope.to_string().into_bytes();
        text.pop();
        text.extend_from_slice(br#","detail":"#);
        text.extend(record);
        text.push(b'}');
        text
    }

    /// The payloads go in as they are: numbers and keys stay to the letter.
    fn record(&self, condition: &str) -> Vec<u8> {
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

/// `2026-11-20T23:08:00Z`: how events of a bus write a time.
fn to_the_second(at: Timestamp) -> String {
    let seconds = Timestamp::from_millis(at.as_millis().div_euclid(1000) * 1000);
    seconds.to_rfc3339().replace(".000Z", "Z")
}

/// A payload as a member of a JSON text; what is no JSON becomes a string.
fn as_json(payload: &Bytes) -> Bytes {
    match serde_json::from_slice::<serde::de::IgnoredAny>(payload) {
        Ok(_json) => payload.clone(),
        Err(_no_json) => json!(String::from_utf8_lossy(payload)).to_string().into(),
    }
}
