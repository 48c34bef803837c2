//! The CloudFormation types: queues, and policies of queues.

mod policy;
mod queue;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tradewind_model::resource::ResourceType;

use crate::service::SqsService;

/// `AWS::SQS::Queue` and `AWS::SQS::QueuePolicy`.
pub(crate) fn types(service: &SqsService) -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(queue::QueueType::new(service.clone())),
        Arc::new(policy::QueuePolicyType::new(service.clone())),
    ]
}
