//! One attempt, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use tradewind_model::Timestamp;
use tradewind_store::queue::Received;
use tradewind_store::{Batch, DatabaseError};

use super::AFTER_FAILURE_MS;
use crate::delivery::lanes::{Shared, queue_of};
use crate::delivery::model::{Death, Deliverer, Delivery, LaneId, LaneSettings, Outcome};
use crate::delivery::retry::{Exhausted, millis};
use crate::router::Routing;

/// Deaths that are kept until the database takes them; a delivery beyond them is made again.
const MAX_UNSETTLED: usize = 10_000;

/// What comes after an attempt.
pub(super) enum Next {
    Done,
    Again(Duration),
    Dead(Death),
}

/// What an attempt ends in.
enum End {
    /// With what the deliverer wants committed.
    Done(Routing),
    Again(Duration),
    Dead(Death),
}

/// Makes an attempt and settles it; when the delivery is to be tried again.
pub(super) async fn attempt(shared: &Arc<Shared>, lane: LaneId, message: Received) -> Option<Timestamp> {
    let (settings, deliverer) = (shared.settings(&lane)?, shared.deliverer(&lane)?);
    let delivery = delivery(lane, &message);
    let ended_before = shared.unsettled().remove(&message.id);
    let end = match ended_before {
        Some(death) => End::Dead(death),
        None => {
            let ended =
                shared
                    .config
                    .queues
                    .end_within(Batch::new(), &queue_of(&delivery.lane), message.receipt);
            try_once(shared, &settings, &*deliverer, (&delivery, Routing::new(ended))).await
        }
    };
    let death = match &end {
        End::Dead(death) => Some(death.clone()),
        End::Done(_) | End::Again(_) => None,
    };
    let retry = match &end {
        End::Again(delay) => Some(shared.config.clock.now().plus_millis(millis(*delay))),
        End::Done(_) | End::Dead(_) => None,
    };
    match settle(shared, &settings, &*deliverer, (&delivery, &message), end).await {
        Ok(()) => retry,
        Err(error) => {
            let lane = &delivery.lane;
            tracing::error!(%lane, %error, "a delivery cannot be settled; trying again after its lease");
            keep(shared, &message, death);
            Some(shared.config.clock.now().plus_millis(AFTER_FAILURE_MS))
        }
    }
}

/// What a message of a lane is.
pub(super) fn delivery(lane: LaneId, message: &Received) -> Delivery {
    Delivery {
        lane,
        id: message.id.to_string(),
        attempt: message.receives,
        owed_at: message.sent_at,
        payload: message.body.clone().into(),
    }
}

/// Keeps the death of a delivery that could not be settled: after its lease it is settled, not made again.
fn keep(shared: &Shared, message: &Received, death: Option<Death>) {
    let mut unsettled = shared.unsettled();
    if let Some(death) = death.filter(|_| unsettled.len() < MAX_UNSETTLED) {
        unsettled.insert(message.id, death);
    }
}

async fn try_once(
    shared: &Shared,
    settings: &LaneSettings,
    deliverer: &dyn Deliverer,
    (delivery, mut done): (&Delivery, Routing),
) -> End {
    if let Some(death) = too_old(shared, settings, delivery) {
        return End::Dead(death);
    }
    let limit = deliverer.time_limit();
    let outcome = tokio::time::timeout(limit, deliverer.deliver(delivery, &mut done)).await;
    let outcome = outcome.unwrap_or_else(|_elapsed| no_answer(limit));
    match next(shared, settings, delivery, outcome) {
        Next::Done => End::Done(done),
        Next::Again(delay) => End::Again(delay),
        Next::Dead(death) => End::Dead(death),
    }
}

/// The death of a delivery that no attempt may be made of any more.
pub(super) fn too_old(shared: &Shared, settings: &LaneSettings, delivery: &Delivery) -> Option<Death> {
    let is_too_old = settings
        .retry
        .is_too_old(delivery.owed_at, shared.config.clock.now());
    is_too_old.then(|| Death {
        code: "TooOld".into(),
        reason: "it waited for longer than its policy allows".into(),
        attempts: delivery.attempt.saturating_sub(1),
        exhausted: Exhausted::Age,
    })
}

/// What came of an attempt that reached its time limit.
pub(super) fn no_answer(limit: Duration) -> Outcome {
    Outcome::Retry {
        code: "Timeout".to_owned(),
        reason: format!("no answer within {} seconds", limit.as_secs()),
        after: None,
    }
}

/// What the lane's policy makes of an outcome.
pub(super) fn next(shared: &Shared, settings: &LaneSettings, delivery: &Delivery, outcome: Outcome) -> Next {
    let dead = |code: String, reason: String, exhausted: Exhausted| {
        Next::Dead(Death {
            code,
            reason,
            attempts: delivery.attempt,
            exhausted,
        })
    };
    let (code, reason, after) = match outcome {
        Outcome::Done => return Next::Done,
        Outcome::GiveUp { code, reason } => return dead(code, reason, Exhausted::GivenUp),
        Outcome::Retry { code, reason, after } => (code, reason, after),
    };
    let times = (delivery.owed_at, shared.config.clock.now());
    match settings
        .retry
        .next(delivery.attempt, after, times, &shared.config.jitter)
    {
        Ok(delay) => {
            let (lane, attempt) = (&delivery.lane, delivery.attempt);
            tracing::debug!(%lane, attempt, code, reason, ?delay, "a delivery is tried again");
            Next::Again(delay)
        }
        Err(exhausted) => dead(code, reason, exhausted),
    }
}

async fn settle(
    shared: &Shared,
    settings: &LaneSettings,
    deliverer: &dyn Deliverer,
    (delivery, message): (&Delivery, &Received),
    end: End,
) -> Result<(), DatabaseError> {
    let (queue, queues) = (queue_of(&delivery.lane), &shared.config.queues);
    let batch = match end {
        End::Again(delay) => {
            let settled = queues.nack(&queue, &[(message.receipt, delay)]).await;
            return match settled {
                Err(tradewind_store::queue::QueueError::Database(error)) => Err(error),
                // gone or received anew: somebody else settles it
                _ => Ok(()),
            };
        }
        End::Done(done) => done.into_batch(),
        End::Dead(death) => {
            let mut routing = Routing::new(queues.end_within(Batch::new(), &queue, message.receipt));
            bury(shared, settings, deliverer, &mut routing, (delivery, &death));
            routing.into_batch()
        }
    };
    match shared.config.database.write(batch.making_room()).await {
        Ok(_) => Ok(()),
        // the lane was closed meanwhile, and what it owed is gone with it
        Err(_) if shared.settings(&delivery.lane).is_none() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Adds the dead letter to the batch that ends the delivery.
pub(super) fn bury(
    shared: &Shared,
    settings: &LaneSettings,
    deliverer: &dyn Deliverer,
    routing: &mut Routing,
    (delivery, death): (&Delivery, &Death),
) {
    let lane = &delivery.lane;
    let (attempts, code, reason) = (death.attempts, &death.code, &death.reason);
    let Some(target) = &settings.dead_letter else {
        return tracing::warn!(%lane, attempts, code, reason, "a delivery is given up and dropped");
    };
    let Some(letter) = deliverer.dead_letter(delivery, death) else {
        return;
    };
    match shared.config.router.deliver(routing, target, letter) {
        Ok(()) => tracing::info!(%lane, attempts, code, reason, %target, "a delivery became a dead letter"),
        Err(why) => {
            tracing::warn!(%lane, attempts, code, reason, %why, "a delivery is given up, and its dead letter not taken");
        }
    }
}
