//! Every operation of the CloudWatch Logs API in one table. The router, the "not implemented" answer and the
//! compatibility page come from it alone.

use tradewind_wire::{OperationSupport, Support, operations};

use Support::{Missing, Served};

operations! {
    /// An operation of the CloudWatch Logs API (version 2014-03-28).
    enum Operation in OPERATIONS;
    AssociateKmsKey => Missing,
    AssociateSourceToS3TableIntegration => Missing,
    CancelExportTask => Missing,
    CancelImportTask => Missing,
    CreateDelivery => Missing,
    CreateExportTask => Missing,
    CreateImportTask => Missing,
    CreateLogAnomalyDetector => Missing,
    CreateLogGroup => Served("`kmsKeyId`, classes other than `STANDARD` and `deletionProtectionEnabled` are refused"),
    CreateLogStream => Served(""),
    CreateLookupTable => Missing,
    CreateScheduledQuery => Missing,
    DeleteAccountPolicy => Missing,
    DeleteDataProtectionPolicy => Missing,
    DeleteDelivery => Missing,
    DeleteDeliveryDestination => Missing,
    DeleteDeliveryDestinationPolicy => Missing,
    DeleteDeliverySource => Missing,
    DeleteDestination => Missing,
    DeleteIndexPolicy => Missing,
    DeleteIntegration => Missing,
    DeleteLogAnomalyDetector => Missing,
    DeleteLogGroup => Served(""),
    DeleteLogStream => Served("erases its events"),
    DeleteLookupTable => Missing,
    DeleteMetricFilter => Missing,
    DeleteQueryDefinition => Missing,
    DeleteResourcePolicy => Missing,
    DeleteRetentionPolicy => Served(""),
    DeleteScheduledQuery => Missing,
    DeleteSubscriptionFilter => Served(""),
    DeleteSyslogConfiguration => Missing,
    DeleteTransformer => Missing,
    DescribeAccountPolicies => Missing,
    DescribeConfigurationTemplates => Missing,
    DescribeDeliveries => Missing,
    DescribeDeliveryDestinations => Missing,
    DescribeDeliverySources => Missing,
    DescribeDestinations => Missing,
    DescribeExportTasks => Missing,
    DescribeFieldIndexes => Missing,
    DescribeImportTaskBatches => Missing,
    DescribeImportTasks => Missing,
    DescribeIndexPolicies => Missing,
    DescribeLogGroups => Served("other accounts are refused; groups that functions log to are listed as soon as they do"),
    DescribeLogStreams => Served("times are exact; AWS's lag behind"),
    DescribeLookupTables => Missing,
    DescribeMetricFilters => Missing,
    DescribeQueries => Missing,
    DescribeQueryDefinitions => Missing,
    DescribeResourcePolicies => Missing,
    DescribeSubscriptionFilters => Served(""),
    DisassociateKmsKey => Missing,
    DisassociateSourceFromS3TableIntegration => Missing,
    FilterLogEvents => Served("always interleaved"),
    GetDataProtectionPolicy => Missing,
    GetDelivery => Missing,
    GetDeliveryDestination => Missing,
    GetDeliveryDestinationPolicy => Missing,
    GetDeliverySource => Missing,
    GetIntegration => Missing,
    GetLogAnomalyDetector => Missing,
    GetLogEvents => Served(""),
    GetLogFields => Missing,
    GetLogGroupFields => Missing,
    GetLogObject => Missing,
    GetLogRecord => Missing,
    GetLookupTable => Missing,
    GetQueryResults => Missing,
    GetScheduledQuery => Missing,
    GetScheduledQueryHistory => Missing,
    GetStorageTierPolicy => Missing,
    GetTransformer => Missing,
    ListAggregateLogGroupSummaries => Missing,
    ListAnomalies => Missing,
    ListIntegrations => Missing,
    ListLogAnomalyDetectors => Missing,
    ListLogGroups => Missing,
    ListLogGroupsForQuery => Missing,
    ListScheduledQueries => Missing,
    ListSourcesForS3TableIntegration => Missing,
    ListSyslogConfigurations => Missing,
    ListTagsForResource => Served("log groups only"),
    ListTagsLogGroup => Served(""),
    PutAccountPolicy => Missing,
    PutBearerTokenAuthentication => Missing,
    PutDataProtectionPolicy => Missing,
    PutDeliveryDestination => Missing,
    PutDeliveryDestinationPolicy => Missing,
    PutDeliverySource => Missing,
    PutDestination => Missing,
    PutDestinationPolicy => Missing,
    PutIndexPolicy => Missing,
    PutIntegration => Missing,
    PutLogEvents => Served("on the disk before it answers; no throughput quota; entities are rejected (`rejectedEntityInfo`)"),
    PutLogGroupDeletionProtection => Missing,
    PutMetricFilter => Missing,
    PutQueryDefinition => Missing,
    PutResourcePolicy => Missing,
    PutRetentionPolicy => Served("hides older events at once; the files go within the hour, segment by segment"),
    PutStorageTierPolicy => Missing,
    PutSubscriptionFilter => Served("destinations are functions; a function that would be fed with its own log is refused"),
    PutSyslogConfiguration => Missing,
    PutTransformer => Missing,
    StartLiveTail => Missing,
    StartQuery => Missing,
    StopQuery => Missing,
    TagLogGroup => Served(""),
    TagResource => Served("log groups only"),
    TestMetricFilter => Served("for filter patterns; there are no metric filters"),
    TestTransformer => Missing,
    UntagLogGroup => Served(""),
    UntagResource => Served("log groups only"),
    UpdateAnomaly => Missing,
    UpdateDeliveryConfiguration => Missing,
    UpdateLogAnomalyDetector => Missing,
    UpdateLookupTable => Missing,
    UpdateScheduledQuery => Missing,
}

impl Operation {
    /// The operation of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let found = OPERATIONS.iter().find(|(_, other, _)| *other == name);
        found.map(|(operation, _, _)| *operation)
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
        assert_eq!(Operation::named("PutLogEvent"), None);
    }
}
