//! `ChangeMessageVisibility` and `ChangeMessageVisibilityBatch`.

use std::time::Duration;

use serde::Deserialize;
use tradewind_store::queue::Settled;

use super::batch::{Failed, Outcome, Succeeded, check_ids};
use super::receive::{MAX_VISIBILITY_SECONDS, visibility};
use super::{Call, required};
use crate::error::SqsError;
use crate::handle::Handle;
use crate::model::Queue;
use crate::service::{SqsService, id_of};

const ENTRY: &str = "ChangeMessageVisibilityBatchRequestEntry";

/// A request of its own, with a queue, or an entry of a batch, with an id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    queue_url: Option<String>,
    id: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeMessageVisibilityBatch {
    queue_url: Option<String>,
    entries: Option<Vec<Entry>>,
}

impl SqsService {
    pub(super) async fn change_message_visibility(
        &self,
        call: &Call,
        request: Entry,
    ) -> Result<(), SqsError> {
        let queue = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        let handle = request.receipt_handle.clone().unwrap_or_default();
        required(request.visibility_timeout, "VisibilityTimeout")?;
        let (decoded, timeout) = self.read_change(&queue, request)?;
        let change = [(decoded.receipt, timeout)];
        let settled = self.queues().extend(&id_of(&queue.arn), &change).await?;
        settled
            .iter()
            .try_for_each(|settled| judge(&queue, &handle, *settled))
    }

    pub(super) async fn change_message_visibility_batch(
        &self,
        call: &Call,
        request: ChangeMessageVisibilityBatch,
    ) -> Result<Outcome<Succeeded>, SqsError> {
        let queue = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        let entries = request.entries.unwrap_or_default();
        check_ids(ENTRY, entries.iter().map(|entry| entry.id.as_deref()))?;
        let mut outcome = Outcome::default();
        let (mut changes, mut named) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = entry.id.clone().unwrap_or_default();
            let handle = entry.receipt_handle.clone().unwrap_or_default();
            match self.read_change(&queue, entry) {
                Ok((decoded, timeout)) => {
                    changes.push((decoded.receipt, timeout));
                    named.push((id, handle));
                }
                Err(error) => outcome.failed.push(Failed::new(id, &error)),
            }
        }
        let settled = self.queues().extend(&id_of(&queue.arn), &changes).await?;
        outcome.settle(named, settled, |handle, settled| judge(&queue, handle, settled));
        Ok(outcome)
    }

    /// Which lease is to end when; no lease is longer than twelve hours in all.
    fn read_change(&self, queue: &Queue, entry: Entry) -> Result<(Handle, Duration), SqsError> {
        let text = required(entry.receipt_handle, "ReceiptHandle")?;
        let timeout = visibility(entry.visibility_timeout)?;
        let timeout = timeout.unwrap_or(Duration::from_secs(queue.attributes.visibility_timeout.into()));
        let handle = Handle::decode(&text, &queue.arn)?;
        let held_ms = self
            .now()
            .as_millis()
            .saturating_sub(handle.received_at.as_millis());
        let held = Duration::from_millis(held_ms.max(0).unsigned_abs());
        if held + timeout > Duration::from_secs(MAX_VISIBILITY_SECONDS.unsigned_abs()) {
            let reason = "Total VisibilityTimeout for the message is beyond the limit [43200 seconds].";
            return Err(SqsError::value(timeout.as_secs(), "VisibilityTimeout", reason));
        }
        Ok((handle, timeout))
    }
}

/// A standard queue lets a handle change what is visible again; it stays visible then.
fn judge(queue: &Queue, handle: &str, settled: Settled) -> Result<(), SqsError> {
    match settled {
        Settled::Done => Ok(()),
        Settled::Expired if queue.attributes.fifo.is_none() => Ok(()),
        Settled::Expired => Err(SqsError::value(
            handle,
            "ReceiptHandle",
            "The receipt handle has expired.",
        )),
        Settled::Stale | Settled::Gone => {
            let reason = "Message does not exist or is not available for visibility timeout change.";
            Err(SqsError::value(handle, "ReceiptHandle", reason))
        }
    }
}
