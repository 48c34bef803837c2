//! A batch of a lane that keeps its order: attempted together, and settled in one transaction.
//!
//! The lane has one batch at a time. What is to be tried again goes back to where it was, and the lane rests until
//! then: nothing that was owed later is delivered before. A batch that cannot be settled goes back to where it was,
//! too, and all of it is delivered again.

use std::sync::Arc;
use std::time::Duration;

use tradewind_model::Timestamp;
use tradewind_store::queue::{QueueError, Receipt, Received};
use tradewind_store::{Batch, DatabaseError};

use super::attempt::{self, Next};
use crate::delivery::lanes::{Shared, queue_of};
use crate::delivery::model::{Deliverer, Delivery, LaneId, LaneSettings, Outcome};
use crate::delivery::retry::millis;
use crate::router::Routing;

/// How often a batch is settled that the database does not take. After that its deliveries are made again.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// A batch is still leased when nobody makes it any more.
pub(super) struct Unsettled;

/// A batch and what it is made with.
struct Made<'a> {
    shared: &'a Shared,
    settings: &'a LaneSettings,
    deliverer: &'a dyn Deliverer,
    lane: &'a LaneId,
}

/// Makes an attempt of each and settles them; when those are to be tried again that failed.
pub(super) async fn attempt(
    shared: &Arc<Shared>,
    lane: LaneId,
    messages: Vec<Received>,
) -> Result<Option<Timestamp>, Unsettled> {
    let Some(settings) = shared.settings(&lane) else {
        // closed meanwhile
        return Ok(None);
    };
    let deliverer = shared.deliverer(&lane).ok_or(Unsettled)?;
    let receipts: Vec<Receipt> = messages.iter().map(|message| message.receipt).collect();
    let deliveries = messages
        .iter()
        .map(|message| attempt::delivery(lane.clone(), message));
    let deliveries: Vec<Delivery> = deliveries.collect();
    drop(messages);
    let made = Made {
        shared,
        settings: &settings,
        deliverer: &*deliverer,
        lane: &lane,
    };
    let ends = made.try_once(&deliveries).await;
    let delay = ends.iter().filter_map(|end| match end {
        Next::Again(delay) => Some(*delay),
        Next::Done | Next::Dead(_) => None,
    });
    let retry = delay.max();
    let retry = retry.map(|delay| shared.config.clock.now().plus_millis(millis(delay)));
    made.settle(&deliveries, &receipts, &ends).await?;
    Ok(retry)
}

impl Made<'_> {
    /// Those that are not too old yet, in their order.
    async fn try_once(&self, deliveries: &[Delivery]) -> Vec<Next> {
        let dead: Vec<_> = deliveries
            .iter()
            .map(|delivery| attempt::too_old(self.shared, self.settings, delivery))
            .collect();
        let living = deliveries.iter().zip(&dead).filter(|(_, dead)| dead.is_none());
        let living: Vec<Delivery> = living.map(|(delivery, _)| delivery.clone()).collect();
        let mut outcomes = self.outcomes(&living).await.into_iter();
        let ends = deliveries.iter().zip(dead).map(|(delivery, dead)| match dead {
            Some(death) => Next::Dead(death),
            None => {
                let outcome = outcomes.next().unwrap_or_else(not_told);
                attempt::next(self.shared, self.settings, delivery, outcome)
            }
        });
        ends.collect()
    }

    async fn outcomes(&self, living: &[Delivery]) -> Vec<Outcome> {
        if living.is_empty() {
            return Vec::new();
        }
        let limit = self.deliverer.time_limit();
        let outcomes = tokio::time::timeout(limit, self.deliverer.deliver_in_order(living)).await;
        outcomes.unwrap_or_else(|_elapsed| living.iter().map(|_| attempt::no_answer(limit)).collect())
    }

    /// Until the database takes it: what was owed later must not be delivered before.
    async fn settle(
        &self,
        deliveries: &[Delivery],
        receipts: &[Receipt],
        ends: &[Next],
    ) -> Result<(), Unsettled> {
        for attempt in 1..=TRIES {
            let Err(error) = self.try_settle(deliveries, receipts, ends).await else {
                return Ok(());
            };
            // the lane was closed meanwhile, and what it owed is gone with it
            if self.shared.settings(self.lane).is_none() {
                return Ok(());
            }
            tracing::error!(lane = %self.lane, %error, attempt, "deliveries cannot be settled");
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        Err(Unsettled)
    }

    async fn try_settle(
        &self,
        deliveries: &[Delivery],
        receipts: &[Receipt],
        ends: &[Next],
    ) -> Result<(), DatabaseError> {
        let (queue, queues) = (queue_of(self.lane), &self.shared.config.queues);
        let mut routing = Routing::new(Batch::new());
        let mut back = Vec::new();
        for ((delivery, receipt), end) in deliveries.iter().zip(receipts).zip(ends) {
            if let Next::Again(_) = end {
                back.push(*receipt);
                continue;
            }
            routing.add(|batch| queues.end_within(batch, &queue, *receipt));
            if let Next::Dead(death) = end {
                let (settings, deliverer) = (self.settings, self.deliverer);
                attempt::bury(self.shared, settings, deliverer, &mut routing, (delivery, death));
            }
        }
        // first, because to do it twice is the same
        if let Err(QueueError::Database(error)) = queues.return_in_order(&queue, &back).await {
            return Err(error);
        }
        if back.len() == receipts.len() {
            return Ok(());
        }
        let batch = routing.into_batch().making_room();
        self.shared.config.database.write(batch).await.map(drop)
    }
}

fn not_told() -> Outcome {
    Outcome::Retry {
        code: "InternalError".into(),
        reason: "nothing is known of the attempt".into(),
        after: None,
    }
}
