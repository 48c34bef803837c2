//! The CloudFormation types.

use std::sync::Arc;

use tradewind_model::resource::ResourceType;

use crate::service::EventBridgeService;

/// None yet.
pub(crate) fn types(_service: &EventBridgeService) -> Vec<Arc<dyn ResourceType>> {
    Vec::new()
}
