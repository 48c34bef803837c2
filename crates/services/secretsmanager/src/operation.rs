//! Every operation of the Secrets Manager API in one table. The router, the "not implemented" answer and the
//! compatibility page come from it alone.

use tradewind_wire::{OperationSupport, Support, operations};

use Support::{Missing, Served};

operations! {
    /// An operation of the Secrets Manager API (version 2017-10-17).
    enum Operation in OPERATIONS;
    AssociateCrossAccountReplica => Missing,
    BatchGetSecretValue => Served(""),
    CancelRotateSecret => Missing,
    CreateSecret => Served("values are sealed with the node's own key: `KmsKeyId` other than `alias/aws/secretsmanager`, replicas and managed external secrets (`Type`) are refused"),
    DeleteResourcePolicy => Served("one policy a secret; `PolicyName` is refused"),
    DeleteSecret => Served("without recovery at once, else when the window ends"),
    DescribeSecret => Served(""),
    DisassociateCrossAccountReplica => Missing,
    GetRandomPassword => Served(""),
    GetResourcePolicy => Served("one policy a secret; `PolicyName` is refused"),
    GetSecretValue => Served("of the caller's own account and region"),
    ListResourcePolicies => Missing,
    ListSecretVersionIds => Served(""),
    ListSecrets => Served(""),
    PutResourcePolicy => Served("kept, not evaluated yet; `BlockPublicPolicy` and `PolicyName` are refused"),
    PutSecretValue => Served("`RotationToken` is refused"),
    RemoveRegionsFromReplication => Missing,
    ReplicateSecretToRegions => Missing,
    RestoreSecret => Served(""),
    RotateSecret => Missing,
    StopReplicationToReplica => Missing,
    TagResource => Served(""),
    UntagResource => Served(""),
    UpdateSecret => Served("refuses what `CreateSecret` refuses"),
    UpdateSecretVersionStage => Served(""),
    ValidateResourcePolicy => Missing,
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
        assert_eq!(Operation::named("GetSecret"), None);
    }
}
