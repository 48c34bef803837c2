//! Messages of a standard queue one batch after the other, in the order in which they were sent.
//!
//! For queues with one receiver, which has one batch at a time: what it does not end it gives back to where it
//! was, and receives no more before that. So order costs what a standard queue costs, and nothing is kept a group.

use std::time::Duration;

use super::error::QueueError;
use super::model::{QueueId, Receipt, Received};
use super::queues::Queues;
use super::rows::{receive, settle};

impl Queues {
    /// Leases the first `max` messages that are ready, in the order in which they were sent, or fewer of them that
    /// have `max_bytes` together; the first however large it is.
    ///
    /// # Errors
    /// When the queue does not exist, or the database fails.
    pub async fn receive_in_order(
        &self,
        id: &QueueId,
        max: usize,
        max_bytes: usize,
        lease: Duration,
    ) -> Result<Vec<Received>, QueueError> {
        let clock = self.clock.clone();
        self.on_queue(id, move |tx, queue, _wakes| {
            receive::in_order(tx, &queue, (max, max_bytes), lease, clock.now())
        })
        .await
    }

    /// Gives messages back to the places they had. Their receives count.
    ///
    /// # Errors
    /// As [`Queues::ack`].
    pub async fn return_in_order(&self, id: &QueueId, receipts: &[Receipt]) -> Result<(), QueueError> {
        let receipts = receipts.to_vec();
        self.on_queue(id, move |tx, queue, _wakes| {
            settle::return_in_order(tx, &queue, &receipts)
        })
        .await
    }

    /// Ends all leases, and puts what was leased back to where it was: what a receiver left that is gone.
    ///
    /// # Errors
    /// As [`Queues::ack`].
    pub async fn return_all_in_order(&self, id: &QueueId) -> Result<(), QueueError> {
        let now = self.clock.now();
        self.on_queue(id, move |tx, queue, _wakes| {
            settle::return_all_in_order(tx, &queue, now)
        })
        .await
    }
}
