//! Runs the asynchronous invocations: leases what is due, invokes, and does what the schedule says.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tradewind_compute::{InvokeError, InvokeRequest};
use tradewind_model::Qualifier;

use crate::error::LambdaError;
use crate::queue::Leased;
use crate::schedule::{Next, Outcome, next};
use crate::service::LambdaService;

/// Asynchronous invocations that run at the same time, of all functions together.
const RUNNING: usize = 256;
/// How long to wait after the database failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// The longest sleep: a clock that was set back is noticed after it.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

impl LambdaService {
    /// Runs asynchronous invocations until cancelled, then waits for those that run.
    ///
    /// # Cancel safety
    /// Dropped, the running ones stop; they run again when the queue is next opened.
    pub async fn run(&self, cancelled: CancellationToken) {
        let mut running = JoinSet::new();
        loop {
            let healthy = self.start_due(&mut running).await;
            let has_room = running.len() < RUNNING;
            tokio::select! {
                () = cancelled.cancelled() => break,
                Some(ended) = running.join_next() => report(ended),
                () = self.queue().changed(), if healthy => {}
                () = tokio::time::sleep(self.sleep(healthy)), if has_room => {}
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

    fn sleep(&self, healthy: bool) -> Duration {
        if !healthy {
            return AFTER_FAILURE;
        }
        let Some(due) = self.queue().next_due() else {
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
    let outcome = attempt(&service, &leased).await;
    let next = next(leased.attempts, outcome, service.clock().now());
    if let Next::Drop(reason) = next {
        tracing::warn!(
            function = %leased.arn,
            request_id = %leased.request_id,
            reason = reason.as_str(),
            function_errors = leased.attempts.function_errors,
            "asynchronous invocation dropped"
        );
    }
    while let Err(error) = settle(&service, &leased, next).await {
        tracing::error!(?error, request_id = %leased.request_id, "cannot note how an invocation ended; trying again");
        tokio::time::sleep(AFTER_FAILURE).await;
    }
}

async fn settle(service: &LambdaService, leased: &Leased, next: Next) -> Result<(), LambdaError> {
    let settled = match next {
        Next::Done | Next::Drop(_) => service.queue().finish(leased).await,
        Next::Again { attempts, at } => service.queue().put_off(leased, attempts, at).await,
    };
    match settled {
        Err(LambdaError::ShuttingDown) => Ok(()),
        other => other,
    }
}

async fn attempt(service: &LambdaService, leased: &Leased) -> Outcome {
    let Some(function) = service.find(&leased.arn) else {
        return Outcome::Missing;
    };
    if function.reserved_concurrency == Some(0) {
        return Outcome::SwitchedOff;
    }
    let qualifier: Qualifier = match leased.qualifier.as_str() {
        "" => Qualifier::Latest,
        text => match text.parse() {
            Ok(qualifier) => qualifier,
            Err(_) => return Outcome::Missing,
        },
    };
    let Some(arn) = function.invocable(&qualifier) else {
        return Outcome::Missing;
    };
    let mut request = InvokeRequest::new(leased.request_id.clone(), leased.payload.clone());
    request.trace_id.clone_from(&leased.trace_id);
    match service.engine().invoke(&arn, request).await {
        Ok(response) if response.error.is_none() => Outcome::Succeeded,
        Ok(_function_error) => Outcome::FunctionFailed,
        Err(error) => outcome_of(&error),
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
