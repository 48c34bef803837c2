//! One batch: invoked until it finds room in the function's concurrency, then settled.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tradewind_compute::{InvokeError, InvokeRequest, InvokeResponse};
use tradewind_events::{Trace, Verdict, verdict};
use tradewind_model::RequestId;
use tradewind_observe::usage::Metered;
use tradewind_store::queue::{QueueError, QueueId, Receipt, Settled};

use super::batch::{Batch, Record};
use super::poller::{Place, Plan, Shared};
use crate::journey::{self, Begun};
use crate::recursion::visits;
use crate::service::LambdaService;

/// The first wait after a throttle; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait after a throttle.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often an ack is tried again when the database fails.
const ACK_TRIES: u32 = 5;
/// Records of a batch whose journeys are noted.
const NOTED: usize = 100;
const BETWEEN_ACKS: Duration = Duration::from_millis(200);
/// How long after a lease could not be extended that is tried again.
const BETWEEN_EXTENSIONS: Duration = Duration::from_secs(1);

/// A batch in its task.
#[derive(Debug)]
pub(super) struct BatchRun {
    shared: Arc<Shared>,
    plan: Plan,
    pub(super) batch: Batch,
    /// When the messages become visible, at the earliest.
    visible_at: Instant,
    /// When the receive made them visible.
    received_until: Instant,
    /// Not before this are the leases extended again.
    extend_after: Instant,
    /// Cancelled when it is to wait no longer. Taken when the batch is made: the poller's next one is for batches
    /// of a mapping that is switched on again.
    patience: CancellationToken,
    _place: Place,
}

/// How a batch ended.
#[derive(Debug)]
enum Outcome {
    /// The function's answer.
    Answered(Bytes),
    /// The function threw, crashed, timed out, or cannot take the event.
    Failed,
    /// It did not run, and is not to be tried again: by whom, in the words of `LastProcessingResult`.
    NotRun(Option<&'static str>),
}

impl BatchRun {
    pub(super) fn new(shared: &Arc<Shared>, plan: Plan, batch: Batch, place: Place) -> Self {
        let now = Instant::now();
        let leased_until = batch.leased_until().unwrap_or(now);
        Self {
            shared: Arc::clone(shared),
            visible_at: leased_until,
            received_until: leased_until,
            extend_after: now,
            patience: shared.patience(),
            plan,
            batch,
            _place: place,
        }
    }

    /// # Cancel safety
    /// Dropped, the messages become visible when their leases end.
    pub(super) async fn run(mut self) {
        let outcome = self.invoke().await;
        match outcome {
            Outcome::Answered(answer) => self.answered(&answer).await,
            Outcome::Failed => self.failed(&self.batch.records).await,
            Outcome::NotRun(None) => {
                put_back(
                    &self.shared.service,
                    &self.plan.queue.id,
                    &receipts(&self.batch.records),
                )
                .await;
            }
            Outcome::NotRun(Some(problem)) => {
                self.shared.tell_problem(&self.plan.mapping, problem);
                give_back(
                    &self.shared.service,
                    &self.plan.queue.id,
                    &self.batch.records,
                    Duration::ZERO,
                )
                .await;
            }
        }
    }

    /// Tries until the function ran.
    async fn invoke(&mut self) -> Outcome {
        // it may have waited in the poller's hand
        self.hold(self.plan.lease * 3 / 4).await;
        let mut event = self.batch.event();
        let mut wait = FIRST_WAIT;
        loop {
            if self.batch.records.is_empty() {
                return Outcome::NotRun(None);
            }
            match self.invoke_once(event.clone()).await {
                Ok(response) if response.error.is_none() => return Outcome::Answered(response.payload),
                Ok(_function_error) => return Outcome::Failed,
                Err(InvokeError::RequestTooLarge { .. }) => return Outcome::Failed,
                Err(InvokeError::ShuttingDown) => return Outcome::NotRun(None),
                Err(InvokeError::NotFound { .. }) => {
                    return Outcome::NotRun(Some("PROBLEM: Function not found"));
                }
                Err(InvokeError::Throttled { .. } | InvokeError::Unavailable { .. }) => {}
            }
            let now = self.shared.service.clock().now();
            self.shared.scale(|scale| scale.throttled(now));
            tokio::select! {
                () = self.patience.cancelled() => return Outcome::NotRun(None),
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT).min(self.plan.lease / 4);
            if self.hold(self.plan.lease * 3 / 4).await {
                event = self.batch.event();
            }
        }
    }

    /// One invocation. Its messages stay invisible for as long as it takes, though it may have to wait for an
    /// instance.
    async fn invoke_once(&mut self, event: Bytes) -> Result<InvokeResponse, InvokeError> {
        let request_id = RequestId::random();
        let mut request = InvokeRequest::new(request_id.clone(), event);
        let begun = self.begin();
        request.trace_id = begun.first().and_then(|(begun, _)| begun.trace().header());
        let (engine, function) = (
            self.shared.service.engine().clone(),
            self.plan.function.arn.clone(),
        );
        let mut invocation = pin!(engine.invoke(&function, request));
        let margin = self.plan.lease / 10;
        let ended = loop {
            let due = (self.visible_at - margin).max(self.extend_after);
            tokio::select! {
                ended = &mut invocation => break ended,
                () = tokio::time::sleep_until(due) => drop(self.extend().await),
            }
        };
        let outcome = match &ended {
            Ok(response) => journey::outcome_of(response),
            Err(error) => error.to_string(),
        };
        for (begun, attempt) in begun {
            begun.end(&self.shared.service, &function, (&request_id, attempt), &outcome);
        }
        ended
    }

    /// The steps of the records' journeys that this invocation is, with the attempt each of them is at. The function
    /// runs with the trace of the first: that whose journey ran it most often, so that one that goes round is
    /// noticed.
    fn begin(&self) -> Vec<(Begun, u32)> {
        let (service, function) = (&self.shared.service, &self.plan.function.function);
        let records = self.batch.records.iter();
        let traced = records.filter_map(|record| Some((record.trace.clone()?, record.receives)));
        let mut traces: Vec<_> = traced.collect();
        traces.sort_by_key(|(trace, _)| std::cmp::Reverse(visits(function, trace)));
        traces.truncate(NOTED);
        if traces.is_empty() {
            traces.push((Trace::new(service.clock().now()), 1));
        }
        let begun = traces.into_iter().map(|(trace, attempt)| {
            let mut begun = Begun::new(service, trace);
            if begun.enter(function).is_err() {
                tracing::debug!(function = %function.arn, "an event goes round; it was let in before its last visit");
            }
            (begun, attempt)
        });
        begun.collect()
    }

    /// Makes the messages invisible for another lease if less than `least` is left of this one. Those that are
    /// somebody else's by now leave the batch, and all do if their leases may have ended: then it gives true.
    async fn hold(&mut self, least: Duration) -> bool {
        if self.visible_at.saturating_duration_since(Instant::now()) >= least {
            return false;
        }
        let before = self.batch.records.len();
        if let Some(settled) = self.extend().await {
            let mut settled = settled.into_iter();
            self.batch
                .records
                .retain(|_| settled.next() == Some(Settled::Done));
        } else if self.visible_at <= Instant::now() {
            self.batch.records.clear();
        }
        self.batch.records.len() < before
    }

    /// Makes the messages invisible for another lease, and says which still were this batch's.
    async fn extend(&mut self) -> Option<Vec<Settled>> {
        let (now, lease) = (Instant::now(), self.plan.lease);
        let leases: Vec<_> = self
            .batch
            .records
            .iter()
            .map(|record| (record.receipt, lease))
            .collect();
        let settled = self
            .shared
            .service
            .queues()
            .extend(&self.plan.queue.id, &leases)
            .await;
        match settled {
            Ok(settled) => {
                self.visible_at = now + lease;
                Some(settled)
            }
            Err(error) => {
                self.extend_after = Instant::now() + BETWEEN_EXTENSIONS;
                tracing::warn!(queue = %self.plan.queue.id, %error, "messages cannot be kept invisible");
                None
            }
        }
    }

    async fn answered(&self, answer: &[u8]) {
        let records = &self.batch.records;
        let verdict = match self.plan.mapping.settings.reports_failures {
            true => verdict(answer, &records.iter().map(Record::named).collect::<Vec<_>>()),
            false => Verdict::Done,
        };
        match verdict {
            Verdict::Done => {
                self.shared.status.tell("OK");
                self.ack(records.iter()).await;
            }
            Verdict::Failed => self.failed(records).await,
            Verdict::Partly(failed) => {
                self.shared.status.tell("OK");
                let (failed, done): (Vec<_>, Vec<_>) = records
                    .iter()
                    .enumerate()
                    .partition(|(position, _)| failed.contains(position));
                self.ack(done.into_iter().map(|(_, record)| record)).await;
                let failed: Vec<Record> = failed.into_iter().map(|(_, record)| record.clone()).collect();
                self.leave(&failed).await;
            }
        }
    }

    async fn ack<'r>(&self, records: impl Iterator<Item = &'r Record>) {
        let receipts: Vec<Receipt> = records.map(|record| record.receipt).collect();
        ack(&self.shared.service, &self.plan.queue.id, &receipts).await;
    }

    async fn failed(&self, records: &[Record]) {
        self.shared.status.tell("PROBLEM: Function call failed");
        self.leave(records).await;
    }

    /// Messages that failed become visible at the end of the visibility timeout that they were received with.
    async fn leave(&self, records: &[Record]) {
        if self.visible_at > self.received_until {
            let left = self.received_until.saturating_duration_since(Instant::now());
            give_back(&self.shared.service, &self.plan.queue.id, records, left).await;
        }
    }
}

/// Ends messages. If the database does not allow it, they are delivered once more.
pub(super) async fn ack(service: &LambdaService, queue: &QueueId, receipts: &[Receipt]) {
    if receipts.is_empty() {
        return;
    }
    for attempt in 1..=ACK_TRIES {
        match service.queues().ack(queue, receipts).await {
            Ok(_) => return count(service, queue, receipts.len()),
            Err(QueueError::NotFound { .. }) => return,
            Err(error) if attempt == ACK_TRIES => {
                tracing::error!(%queue, %error, "messages cannot be deleted; the function gets them again");
            }
            Err(_again) => tokio::time::sleep(BETWEEN_ACKS).await,
        }
    }
}

/// Counts what SQS would have been asked: for each ten messages a receive and a deletion.
fn count(service: &LambdaService, queue: &QueueId, messages: usize) {
    let requests = u64::try_from(2 * messages.div_ceil(10)).unwrap_or(u64::MAX);
    let queue = queue.as_str();
    service
        .router()
        .count_now(Metered::requests_to(queue), queue, requests);
}

/// Makes messages visible after a while.
async fn give_back(service: &LambdaService, queue: &QueueId, records: &[Record], after: Duration) {
    let receipts: Vec<_> = records.iter().map(|record| (record.receipt, after)).collect();
    if let Err(error) = service.queues().nack(queue, &receipts).await {
        tracing::debug!(%queue, %error, "messages cannot be given back; they become visible with their leases");
    }
}

/// Makes messages visible at once that no function got: their receive does not count.
pub(super) async fn put_back(service: &LambdaService, queue: &QueueId, receipts: &[Receipt]) {
    if receipts.is_empty() {
        return;
    }
    if let Err(error) = service.queues().put_back(queue, receipts).await {
        tracing::debug!(%queue, %error, "messages cannot be put back; they become visible with their leases");
    }
}

pub(super) fn receipts(records: &[Record]) -> Vec<Receipt> {
    records.iter().map(|record| record.receipt).collect()
}

#[cfg(test)]
mod tests {
    use super::super::poller::tests::Still;
    use super::*;

    #[tokio::test]
    async fn what_lost_its_lease_in_the_hand_does_not_run() {
        let mut still = Still::new("async () => {}").await;
        let mut run = still.batch().await;
        let lease = i64::try_from(still.plan.lease.as_millis()).unwrap();
        still.world.clock.advance_millis(lease);
        still.world.config.queues.clock_moved();
        run.visible_at = Instant::now();
        assert!(matches!(run.invoke().await, Outcome::NotRun(None)));
        assert_eq!(still.depth().await.ready, 1);
    }

    #[tokio::test]
    async fn a_lease_that_cannot_be_extended_is_not_taken_for_longer() {
        let mut still = Still::new("async () => {}").await;
        let mut run = still.batch().await;
        let before = run.visible_at;
        still.world.config.queues.delete(&still.queue).await.unwrap();
        assert_eq!(run.extend().await, None);
        assert_eq!(run.visible_at, before);
        assert!(
            run.extend_after > Instant::now(),
            "it is tried again a little later"
        );
    }
}
