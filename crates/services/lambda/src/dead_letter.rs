//! The queue or topic that gets the events of a version that were given up (`DeadLetterConfig`; Developer
//! Guide, "Adding a dead-letter queue").
//!
//! It gets the event itself, with the reason in three attributes, in the transaction that ends the invocation.

use tradewind_compute::InvokeResponse;
use tradewind_events::{AttributeValue, Message, MessageAttribute};
use tradewind_model::Arn;

use crate::error::LambdaError;
use crate::model::Configuration;
use crate::queue::Leased;
use crate::schedule::DropReason;
use crate::service::LambdaService;

/// Longest `ErrorMessage`, in bytes.
const LONGEST_TEXT: usize = 1024;

impl LambdaService {
    /// Refuses dead letters that could not be delivered. Those that were configured before are not asked again:
    /// a queue that went may not stand in the way of another change.
    pub(crate) fn check_dead_letters(
        &self,
        before: Option<&Configuration>,
        after: &Configuration,
    ) -> Result<(), LambdaError> {
        let Some(target) = &after.dead_letters else {
            return Ok(());
        };
        if before.is_some_and(|before| before.dead_letters.as_ref() == Some(target)) {
            return Ok(());
        }
        let invalid = |reason: String| LambdaError::DeadLettersInvalid {
            arn: target.to_string(),
            reason,
        };
        if !matches!(&*target.service, "sqs" | "sns") {
            return Err(invalid("it is neither an SQS queue nor an SNS topic".to_owned()));
        }
        if target.resource.ends_with(".fifo") {
            return Err(invalid("FIFO queues and topics take no dead letters".to_owned()));
        }
        let found = self.router().find(target);
        found.map_err(|error| invalid(error.to_string()))
    }

    /// Where the events of the version that was asked for go when they are given up.
    pub(crate) fn dead_letters_of(&self, leased: &Leased) -> Option<Arn> {
        let function = self.find(&leased.arn)?;
        let version = function.version(&leased.asked_for()?)?;
        version.configuration.dead_letters.clone()
    }
}

/// The attributes that tell why an event was given up.
pub(crate) fn letter(
    leased: &Leased,
    reason: DropReason,
    response: Option<&InvokeResponse>,
    message: Message,
) -> Message {
    let (code, text) = cause(reason, response);
    let attribute = |name: &str, data_type: &str, value: String| MessageAttribute {
        name: name.to_owned(),
        data_type: data_type.to_owned(),
        value: AttributeValue::Text(value),
    };
    Message {
        body: leased.payload.clone(),
        attributes: vec![
            attribute("RequestID", "String", leased.request_id.to_string()),
            attribute("ErrorCode", "Number", code.to_string()),
            attribute("ErrorMessage", "String", cut(text)),
        ],
        ..message
    }
}

/// The status that a caller would have seen, and the words.
fn cause(reason: DropReason, response: Option<&InvokeResponse>) -> (u16, String) {
    if let Some(response) = response {
        let payload: Option<serde_json::Value> = serde_json::from_slice(&response.payload).ok();
        let text = payload.and_then(|payload| Some(payload.get("errorMessage")?.as_str()?.to_owned()));
        return (200, text.unwrap_or_else(|| reason.as_str().to_owned()));
    }
    match reason {
        DropReason::EventAgeExceeded => (429, "Rate Exceeded.".to_owned()),
        DropReason::SwitchedOff => (429, "Rate Exceeded.".to_owned()),
        DropReason::FunctionMissing => (404, "The function does not exist.".to_owned()),
        DropReason::Recursive => (400, LambdaError::Recursive.to_string()),
        DropReason::RetriesExhausted => (500, "The function could not be run.".to_owned()),
    }
}

/// What fits; an attribute is never empty.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST_TEXT));
    if text.is_empty() {
        text.push_str("the function gave no message");
    }
    text
}
