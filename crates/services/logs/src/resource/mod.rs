//! The CloudFormation types: groups, streams, subscription filters.

mod filter;
mod group;
mod stream;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tradewind_model::resource::{ResourceContext, ResourceType};

use crate::model::{GroupKey, LogGroupName};
use crate::service::LogsService;

/// `AWS::Logs::LogGroup`, `AWS::Logs::LogStream` and `AWS::Logs::SubscriptionFilter`.
pub(crate) fn types(service: &LogsService) -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(group::LogGroupType::new(service.clone())),
        Arc::new(stream::LogStreamType::new(service.clone())),
        Arc::new(filter::SubscriptionFilterType::new(service.clone())),
    ]
}

fn group_key(context: &ResourceContext, name: LogGroupName) -> GroupKey {
    GroupKey {
        account: context.account.clone(),
        region: context.region.clone(),
        name,
    }
}
