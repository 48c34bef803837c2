//! `DeleteMessage` and `DeleteMessageBatch`.

use serde::Deserialize;
use tradewind_store::queue::Settled;

use super::batch::{Failed, Outcome, Succeeded, check_ids};
use super::{Call, required};
use crate::error::SqsError;
use crate::handle::Handle;
use crate::model::Queue;
use crate::service::{SqsService, id_of};

const ENTRY: &str = "DeleteMessageBatchRequestEntry";

/// A request of its own, with a queue, or an entry of a batch, with an id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Entry {
    queue_url: Option<String>,
    id: Option<String>,
    receipt_handle: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteMessageBatch {
    queue_url: Option<String>,
    entries: Option<Vec<Entry>>,
}

impl SqsService {
    pub(super) async fn delete_message(&self, call: &Call, request: Entry) -> Result<(), SqsError> {
        let queue = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        let handle = required(request.receipt_handle, "ReceiptHandle")?;
        let receipt = Handle::decode(&handle, &queue.arn)?.receipt;
        let settled = self.queues().ack(&id_of(&queue.arn), &[receipt]).await?;
        settled
            .iter()
            .try_for_each(|settled| judge(&queue, &handle, *settled))
    }

    pub(super) async fn delete_message_batch(
        &self,
        call: &Call,
        request: DeleteMessageBatch,
    ) -> Result<Outcome<Succeeded>, SqsError> {
        let queue = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        let entries = request.entries.unwrap_or_default();
        check_ids(ENTRY, entries.iter().map(|entry| entry.id.as_deref()))?;
        let mut outcome = Outcome::default();
        let (mut receipts, mut named) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = entry.id.unwrap_or_default();
            let handle = required(entry.receipt_handle, "ReceiptHandle");
            let decoded = handle.and_then(|handle| Ok((Handle::decode(&handle, &queue.arn)?, handle)));
            match decoded {
                Ok((decoded, handle)) => {
                    receipts.push(decoded.receipt);
                    named.push((id, handle));
                }
                Err(error) => outcome.failed.push(Failed::new(id, &error)),
            }
        }
        let settled = self.queues().ack(&id_of(&queue.arn), &receipts).await?;
        outcome.settle(named, settled, |handle, settled| judge(&queue, handle, settled));
        Ok(outcome)
    }
}

/// Deleting is idempotent: only a FIFO queue says when the handle came too late.
fn judge(queue: &Queue, handle: &str, settled: Settled) -> Result<(), SqsError> {
    match settled {
        Settled::Expired | Settled::Stale if queue.attributes.fifo.is_some() => Err(SqsError::value(
            handle,
            "ReceiptHandle",
            "The receipt handle has expired.",
        )),
        Settled::Done | Settled::Gone | Settled::Expired | Settled::Stale => Ok(()),
    }
}
