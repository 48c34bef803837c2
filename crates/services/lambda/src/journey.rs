//! Invocations as steps of the journeys of their events.

use tradewind_compute::InvokeResponse;
use tradewind_events::Trace;
use tradewind_events::journey::Step;
use tradewind_model::{FunctionArn, RequestId, Timestamp};

use crate::model::Function;
use crate::recursion::{GoesRound, enter};
use crate::service::LambdaService;

/// An invocation that began.
#[derive(Debug)]
pub(crate) struct Begun {
    before: Trace,
    within: Trace,
    at: Timestamp,
}

impl Begun {
    /// One that comes after `before`.
    pub(crate) fn new(service: &LambdaService, before: Trace) -> Self {
        Self {
            within: before.after(&Trace::step_id()),
            before,
            at: service.clock().now(),
        }
    }

    /// The trace of what happens within it.
    pub(crate) fn trace(&self) -> &Trace {
        &self.within
    }

    /// The trace that it came with.
    pub(crate) fn before(&self) -> &Trace {
        &self.before
    }

    /// It runs `function`: once more, if events of this journey ran it already.
    ///
    /// # Errors
    /// [`GoesRound`] if that is too often.
    pub(crate) fn enter(&mut self, function: &Function) -> Result<(), GoesRound> {
        self.within = enter(function, self.within.clone())?;
        Ok(())
    }

    /// Notes how it ended.
    pub(crate) fn end(
        self,
        service: &LambdaService,
        function: &FunctionArn,
        (request_id, attempt): (&RequestId, u32),
        outcome: &str,
    ) {
        let Some(journal) = service.router().journal() else {
            return;
        };
        let took = service.clock().now().as_millis() - self.at.as_millis();
        let step = Step {
            id: self.within.parent().unwrap_or_default().into(),
            took_ms: Some(u64::try_from(took).unwrap_or(0)),
            attempt,
            request: Some(request_id.as_str().into()),
            outcome: outcome.into(),
            ..Step::after(&self.before, "invocation", "", &function.to_string(), self.at)
        };
        journal.note([(self.before.root().into(), step)]);
    }
}

/// How an invocation that ran to an end ended: the type of its error. The error's message is in the function's
/// log, where it can be deleted; it may quote what the function was given.
pub(crate) fn outcome_of(response: &InvokeResponse) -> String {
    const LONGEST: usize = 200;
    if response.error.is_none() {
        return Step::OK.to_owned();
    }
    let payload: Option<serde_json::Value> = serde_json::from_slice(&response.payload).ok();
    let error_type = payload
        .as_ref()
        .and_then(|payload| payload.get("errorType")?.as_str());
    let mut text = error_type.unwrap_or_default().to_owned();
    text.truncate(text.floor_char_boundary(LONGEST));
    if text.is_empty() {
        text.push_str("the function failed");
    }
    text
}
