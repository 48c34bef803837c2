//! Every operation of the EventBridge API in one table. The router, the "not implemented" answer and the
//! compatibility page come from it alone.

use tradewind_wire::{OperationSupport, Support, operations};

use Support::{Missing, Served};

operations! {
    /// An operation of the EventBridge API (version 2015-10-07).
    enum Operation in OPERATIONS;
    ActivateEventSource => Served(""),
    CancelReplay => Served(""),
    CreateApiDestination => Served("endpoints may be plain HTTP, too"),
    CreateArchive => Served("in force at once; without the rule that AWS makes for it; `KmsKeyIdentifier` is refused"),
    CreateConnection => Served("`AUTHORIZED` at once; a token is asked for by the first delivery. Private endpoints and `KmsKeyIdentifier` are refused"),
    CreateEndpoint => Missing,
    CreateEventBus => Served("`KmsKeyIdentifier` and `LogConfig` are refused"),
    CreatePartnerEventSource => Served("any account may be a partner"),
    DeactivateEventSource => Served(""),
    DeauthorizeConnection => Served(""),
    DeleteApiDestination => Served(""),
    DeleteArchive => Served(""),
    DeleteConnection => Served(""),
    DeleteEndpoint => Missing,
    DeleteEventBus => Served(""),
    DeletePartnerEventSource => Served(""),
    DeleteRule => Served(""),
    DescribeApiDestination => Served(""),
    DescribeArchive => Served("the counts are exact"),
    DescribeConnection => Served("without `SecretArn`: the secret is sealed in the database"),
    DescribeEndpoint => Missing,
    DescribeEventBus => Served(""),
    DescribeEventSource => Served(""),
    DescribePartnerEventSource => Served(""),
    DescribeReplay => Served(""),
    DescribeRule => Served(""),
    DisableRule => Served(""),
    EnableRule => Served(""),
    ListApiDestinations => Served(""),
    ListArchives => Served(""),
    ListConnections => Served(""),
    ListEndpoints => Missing,
    ListEventBuses => Served(""),
    ListEventSources => Served(""),
    ListPartnerEventSourceAccounts => Served(""),
    ListPartnerEventSources => Served(""),
    ListReplays => Served(""),
    ListRuleNamesByTarget => Served(""),
    ListRules => Served(""),
    ListTagsForResource => Served(""),
    ListTargetsByRule => Served(""),
    PutEvents => Served("an entry for a bus that is not there fails; AWS drops it in silence. No quota of requests is enforced; `EndpointId` is refused"),
    PutPartnerEvents => Served("events for a source without an active bus are dropped, as by AWS"),
    PutPermission => Served("kept in the bus's policy, which is not evaluated yet"),
    PutRule => Served("in force at once; the state `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS` is refused"),
    PutTargets => Served("functions, queues, topics, buses, log groups and API destinations; other targets and their parameters are refused. `RoleArn` is kept and not evaluated yet"),
    RemovePermission => Served(""),
    RemoveTargets => Served(""),
    StartReplay => Served("events come in the order of their times; within a minute AWS promises none"),
    TagResource => Served(""),
    TestEventPattern => Served(""),
    UntagResource => Served(""),
    UpdateApiDestination => Served(""),
    UpdateArchive => Served(""),
    UpdateConnection => Served(""),
    UpdateEndpoint => Missing,
    UpdateEventBus => Served("refuses what `CreateEventBus` refuses"),
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
        assert_eq!(Operation::named("PutEvent"), None);
    }
}
