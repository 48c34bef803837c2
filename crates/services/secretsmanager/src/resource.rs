//! The CloudFormation types.

mod policy;
mod secret;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tradewind_model::resource::ResourceType;

use crate::service::SecretsManagerService;

/// `AWS::SecretsManager::ResourcePolicy` and `Secret`.
pub(crate) fn types(service: &SecretsManagerService) -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(policy::ResourcePolicyType::new(service.clone())),
        Arc::new(secret::SecretType::new(service.clone())),
    ]
}
