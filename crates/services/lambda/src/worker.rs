//! Runs the asynchronous invocations: leases what is due, invokes, and does what the schedule says.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tradewind_compute::{InvokeError, InvokeRequest, InvokeResponse};
use tradewind_events::{Routing, Trace};
use tradewind_store::Batch;

use crate::destination::Ending;
use crate::error::LambdaError;
use crate::event_invoke::EventInvoke;
use crate::journey::{self, Begun};
use crate::queue::{Leased, RUNNING};
use crate::schedule::{DropReason, Next, Outcome, is_expired, next};
use crate::service::LambdaService;

/// How long to wait after the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The longest sleep: that the clock was set, or the machine slept, is noticed after it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

impl LambdaService {
    /// Runs asynchronous invocations until cancelled, then waits for those that run.
    ///
    /// # Cancel safety
    /// Dropped, the running ones stop; they run again when the queue is next opened.
    pub async fn run(&self, cancelled: CancellationToken) {
        let mut running = JoinSet::new();
        loop {
            let healthy = self.start_due(&mut running).await;
            let room = RUNNING - running.len();
            tokio::select! {
                () = cancelled.cancelled() => break,
                Some(ended) = running.join_next() => report(ended),
                () = self.queue().changed(), if healthy => {}
                () = tokio::time::sleep(self.sleep(healthy, room)), if room > 0 => {}
            }
        }
        while let Some(ended) = running.join_next().await {
            report(ended);
        }
    }

    /// Starts what is due; false if the database failed.
    pub(crate) async fn start_due(&self, running: &mut JoinSet<()>) -> bool {
        let room = RUNNING - running.len();
        let (leased, result) = self.queue().lease(room).await;
        for invocation in leased {
            running.spawn(run_once(self.clone(), invocation));
        }
        if let Err(error) = &result {
            tracing::error!(?error, "asynchronous invocations cannot be read; trying again");
        }
        result.is_ok()
    }

    fn sleep(&self, healthy: bool, room: usize) -> Duration {
        if !healthy {
            return AFTER_FAILURE;
        }
        let Some(due) = self.queue().next_due(room) else {
            return LONGEST_SLEEP;
        };
        let ms = due.as_millis().saturating_sub(self.clock().now().as_millis());
        Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(LONGEST_SLEEP)
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "an asynchronous invocation panicked; it runs again when the node starts");
    }
}

/// One attempt, and what follows from it.
async fn run_once(service: LambdaService, leased: Leased) {
    let config = config_of(&service, &leased);
    let patience = config.as_ref().map(EventInvoke::patience).unwrap_or_default();
    let before = Trace::from_header(leased.trace_id.as_deref(), leased.attempts.enqueued_at);
    let mut begun = Begun::new(&service, before);
    let (next, response, outcome) = if is_expired(leased.attempts, patience, service.clock().now()) {
        let reason = DropReason::EventAgeExceeded;
        (Next::Drop(reason), None, "it waited too long".to_owned())
    } else {
        let (outcome, response) = attempt(&service, &leased, &mut begun).await;
        let next = next(leased.attempts, outcome, patience, service.clock().now());
        let text = response.as_ref().map(journey::outcome_of);
        (
            next,
            response,
            text.unwrap_or_else(|| outcome.as_str().to_owned()),
        )
    };
    if let Next::Drop(reason) = next {
        tracing::warn!(
            function = %leased.arn,
            request_id = %leased.request_id,
            reason = reason.as_str(),
            earlier_errors = leased.attempts.function_errors,
            "an asynchronous invocation is given up; its dead letter and record go where they are configured to"
        );
    }
    let ending = Ending {
        leased: &leased,
        next,
        response: response.as_ref(),
        trace: begun.trace().clone(),
        at: service.clock().now(),
    };
    while let Err(error) = settle(&service, &ending, config.as_ref()).await {
        tracing::error!(?error, request_id = %leased.request_id, "cannot note how an invocation ended; trying again");
        tokio::time::sleep(AFTER_FAILURE).await;
    }
    let outcome = match next {
        Next::Done => outcome,
        Next::Again { at, .. } => format!("{outcome}; again at {}", at.to_rfc3339()),
        Next::Drop(reason) => format!("{outcome}; given up: {}", reason.as_str()),
    };
    let attempt = leased.attempts.function_errors + leased.attempts.system_errors + 1;
    let function = leased.arn.qualified(leased.asked_for().unwrap_or_default());
    begun.end(&service, &function, (&leased.request_id, attempt), &outcome);
}

/// What the owner of the function wants, as it is now.
fn config_of(service: &LambdaService, leased: &Leased) -> Option<EventInvoke> {
    let function = service.find(&leased.arn)?;
    function.event_invoke.get(&leased.asked_for()?).cloned()
}

/// Notes what follows, and tells the destination if it is the end: both or neither.
async fn settle(
    service: &LambdaService,
    ending: &Ending<'_>,
    config: Option<&EventInvoke>,
) -> Result<(), LambdaError> {
    let settled = if let Next::Again { attempts, at } = ending.next {
        service.queue().put_off(ending.leased, attempts, at).await
    } else {
        let mut routing = Routing::new(Batch::new());
        ending.tell(service, &mut routing, config);
        service
            .queue()
            .finish_with(ending.leased, routing.into_batch())
            .await
    };
    match settled {
        Err(LambdaError::ShuttingDown) => Ok(()),
        other => other,
    }
}

/// Runs the function; its response comes along if it ran to an end.
async fn attempt(
    service: &LambdaService,
    leased: &Leased,
    begun: &mut Begun,
) -> (Outcome, Option<InvokeResponse>) {
    let Some(function) = service.find(&leased.arn) else {
        return (Outcome::Missing, None);
    };
    if function.reserved_concurrency == Some(0) {
        return (Outcome::SwitchedOff, None);
    }
    let qualifier = leased.asked_for();
    let Some(arn) = qualifier.and_then(|qualifier| function.invocable(&qualifier)) else {
        return (Outcome::Missing, None);
    };
    if begun.enter(&function).is_err() {
        return (Outcome::Recursive, None);
    }
    let mut request = InvokeRequest::new(leased.request_id.clone(), leased.payload.clone());
    request.trace_id = begun.trace().header();
    match service.engine().invoke(&arn, request).await {
        Ok(response) if response.error.is_none() => (Outcome::Succeeded, Some(response)),
        Ok(function_error) => (Outcome::FunctionFailed, Some(function_error)),
        Err(error) => (outcome_of(&error), None),
    }
}

fn outcome_of(error: &InvokeError) -> Outcome {
    match error {
        // The function is in memory, so the engine is about to be told of it: this is no reason to drop.
        InvokeError::NotFound { .. } | InvokeError::Unavailable { .. } => Outcome::SystemFailed,
        InvokeError::RequestTooLarge { .. } => Outcome::FunctionFailed,
        InvokeError::Throttled { .. } => Outcome::Throttled,
        InvokeError::ShuttingDown => Outcome::Interrupted,
    }
}

#[cfg(test)]
mod tests;
