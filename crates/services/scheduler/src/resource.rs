//! The CloudFormation types: schedules and groups of them.

mod group;
mod schedule;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tradewind_model::resource::ResourceType;

use crate::service::SchedulerService;

/// `AWS::Scheduler::Schedule` and `AWS::Scheduler::ScheduleGroup`.
pub(crate) fn types(service: &SchedulerService) -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(schedule::ScheduleType::new(service.clone())),
        Arc::new(group::ScheduleGroupType::new(service.clone())),
    ]
}
