//! Resource policies: kept, evaluated by nobody yet.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, answer};
use crate::error::SecretsManagerError;
use crate::model::{Policy, Secret};
use crate::names::required;
use crate::service::SecretsManagerService;

const MAX_POLICY: usize = 20_480;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyOf {
    secret_id: Option<String>,
    policy_name: Option<String>,
    resource_policy: Option<String>,
    block_public_policy: Option<bool>,
}

impl PolicyOf {
    fn check(&self) -> Result<(), SecretsManagerError> {
        if self.policy_name.is_some() {
            let reason = "a secret has one policy here";
            return Err(SecretsManagerError::unsupported("PolicyName", reason));
        }
        if self.block_public_policy == Some(true) {
            let reason = "policies are kept and not evaluated yet";
            return Err(SecretsManagerError::unsupported("BlockPublicPolicy", reason));
        }
        Ok(())
    }
}

/// Refuses text that is no policy.
pub(crate) fn check_policy(document: &str) -> Result<(), SecretsManagerError> {
    let malformed = |reason: &str| Err(SecretsManagerError::MalformedPolicyDocument(reason.to_owned()));
    if document.len() > MAX_POLICY {
        return malformed("The policy is longer than 20480 bytes.");
    }
    match serde_json::from_str::<Value>(document) {
        Ok(Value::Object(policy)) if policy.contains_key("Statement") => Ok(()),
        Ok(_) => malformed("The policy has no Statement."),
        Err(_) => malformed("This resource policy contains invalid JSON."),
    }
}

fn view(secret: &Secret) -> Value {
    json!({"ARN": secret.arn, "Name": secret.name()})
}

impl SecretsManagerService {
    pub(super) async fn put_resource_policy(
        &self,
        call: &Call,
        request: PolicyOf,
    ) -> Result<Value, SecretsManagerError> {
        request.check()?;
        let document = required(request.resource_policy, "resourcePolicy")?;
        check_policy(&document)?;
        let policy = Policy {
            document,
            owner: None,
        };
        self.set_policy(call, request.secret_id, Some(policy)).await
    }

    pub(super) async fn delete_resource_policy(
        &self,
        call: &Call,
        request: PolicyOf,
    ) -> Result<Value, SecretsManagerError> {
        request.check()?;
        self.set_policy(call, request.secret_id, None).await
    }

    async fn set_policy(
        &self,
        call: &Call,
        id: Option<String>,
        policy: Option<Policy>,
    ) -> Result<Value, SecretsManagerError> {
        let _changing = self.changing().await;
        let mut secret = Secret::clone(&*self.usable(call, id)?);
        secret.policy = policy;
        let view = view(&secret);
        self.store(secret).await?;
        Ok(view)
    }

    pub(super) fn get_resource_policy(
        &self,
        call: &Call,
        request: PolicyOf,
    ) -> Result<Value, SecretsManagerError> {
        request.check()?;
        let secret = self.usable(call, request.secret_id)?;
        let mut view = view(&secret);
        view["ResourcePolicy"] = json!(secret.policy.as_ref().map(|policy| &policy.document));
        Ok(answer(view))
    }
}
