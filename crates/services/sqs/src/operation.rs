//! Every operation of the SQS API in one table. The router, the "not implemented" answer and the
//! compatibility page come from it alone.

use tradewind_wire::{OperationSupport, Support, operations};

use Support::Served;

operations! {
    /// An operation of the SQS API (version 2012-11-05).
    enum Operation in OPERATIONS;
    AddPermission => Served("kept in the queue's policy, which is not evaluated yet"),
    CancelMessageMoveTask => Served(""),
    ChangeMessageVisibility => Served(""),
    ChangeMessageVisibilityBatch => Served(""),
    CreateQueue => Served("`SqsManagedSseEnabled` encrypts under a key of the node, and is off unless asked for; `KmsMasterKeyId` is refused; policies are kept and not evaluated yet"),
    DeleteMessage => Served(""),
    DeleteMessageBatch => Served(""),
    DeleteQueue => Served(""),
    GetQueueAttributes => Served("the counts of messages are exact"),
    GetQueueUrl => Served(""),
    ListDeadLetterSourceQueues => Served(""),
    ListMessageMoveTasks => Served(""),
    ListQueueTags => Served(""),
    ListQueues => Served(""),
    PurgeQueue => Served("at once; AWS takes up to 60 seconds"),
    ReceiveMessage => Served("every waiting message is seen, with and without long polling; a `ReceiveRequestAttemptId` is forgotten when the node stops"),
    RemovePermission => Served(""),
    SendMessage => Served("no throughput quota is enforced, nor that of FIFO queues; a group on a standard queue does not make its receives fair"),
    SendMessageBatch => Served(""),
    SetQueueAttributes => Served("in force at once; refuses what `CreateQueue` refuses"),
    StartMessageMoveTask => Served("without `MaxNumberOfMessagesPerSecond` as fast as the disk allows"),
    TagQueue => Served(""),
    UntagQueue => Served(""),
}

impl Operation {
    /// The operation of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let found = OPERATIONS.iter().find(|(_, found, _)| *found == name);
        found.map(|(operation, ..)| *operation)
    }
}

/// Every operation and whether it is served, by name; the compatibility page is made of it.
pub fn operations() -> impl Iterator<Item = OperationSupport> {
    OPERATIONS.iter().map(|(_, name, support)| (*name, *support))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_by_name() {
        assert!(OPERATIONS.is_sorted_by_key(|(_, name, _)| *name));
    }

    #[test]
    fn every_line_is_found_by_its_name() {
        for (operation, name, _) in OPERATIONS {
            assert_eq!(Operation::named(name), Some(*operation));
        }
        assert_eq!(Operation::named("SendMessages"), None);
    }
}
