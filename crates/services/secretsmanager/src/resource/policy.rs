//! `AWS::SecretsManager::ResourcePolicy`: kept with its secret, evaluated by nobody yet.

use serde_json::{Map, Value, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    required_text,
};

use crate::api::check_policy;
use crate::error::SecretsManagerError;
use crate::model::{Policy, Secret};
use crate::service::SecretsManagerService;

/// Policies of stacks.
#[derive(Debug)]
pub(crate) struct ResourcePolicyType {
    service: SecretsManagerService,
}

impl ResourcePolicyType {
    pub(crate) fn new(service: SecretsManagerService) -> Self {
        Self { service }
    }
}

impl ResourceHandler for ResourcePolicyType {
    fn type_name(&self) -> &'static str {
        "AWS::SecretsManager::ResourcePolicy"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(&["ResourcePolicy", "SecretId"])
            .refusing(
                "",
                &[("BlockPublicPolicy", "policies are kept and not evaluated yet")],
            )
            .requiring(&["ResourcePolicy", "SecretId"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["SecretId"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let id = required_text(properties, "SecretId")?;
        let document = match properties.get("ResourcePolicy") {
            Some(Value::String(text)) => text.clone(),
            other => other.map(Value::to_string).unwrap_or_default(),
        };
        check_policy(&document)?;
        let _changing = self.service.changing().await;
        let found = self.service.find(&context.account, &context.region, &id)?;
        let owner = Some(context.owner());
        if found.policy.as_ref().is_some_and(|policy| policy.owner != owner) {
            return Err(ResourceError::AlreadyExists {
                kind: "policy of secret",
                name: found.name().to_owned(),
            });
        }
        let mut secret = Secret::clone(&found);
        secret.policy = Some(Policy { document, owner });
        let arn = secret.arn.to_string();
        self.service.store(secret).await?;
        Ok(ResourceState {
            physical_id: arn.clone(),
            reference: None,
            attributes: Map::from_iter([("Id".into(), json!(arn))]),
        })
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let _changing = self.service.changing().await;
        let found = match self
            .service
            .find(&context.account, &context.region, &current.physical_id)
        {
            // the stack deletes secrets and policies in any order
            Err(SecretsManagerError::ResourceNotFound(_)) => return Ok(()),
            found => found?,
        };
        let owner = Some(context.owner());
        if found.policy.as_ref().is_none_or(|policy| policy.owner != owner) {
            return Ok(());
        }
        let mut secret = Secret::clone(&found);
        secret.policy = None;
        Ok(self.service.store(secret).await?)
    }
}
