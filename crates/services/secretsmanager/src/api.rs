//! The operations: awsJson 1.1 in and out.

mod list;
mod policies;
mod secrets;
mod tags;
mod values;

pub(crate) use policies::check_policy;
pub(crate) use secrets::{MAX_DESCRIPTION, new_secret};
pub(crate) use tags::check_tags;
pub(crate) use values::check_value;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tradewind_model::{AccountId, Region, RequestId, Timestamp};
use tradewind_wire::{Body, Caller, Protocol, ReadBodyError, aws_json_response, error_response, read_body};

use crate::error::SecretsManagerError;
use crate::model::Secret;
use crate::names::required;
use crate::operation::Operation;
use crate::password::PasswordRequest;
use crate::service::SecretsManagerService;

/// The longest request: the longest value, each byte escaped, and what is around it.
const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// Who calls.
pub(crate) struct Call {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

impl SecretsManagerService {
    /// Answers a request.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a change may be half made. Call it in a task that is not dropped.
    pub async fn handle<B>(&self, request: Request<B>, caller: Caller) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let id = RequestId::random();
        let (parts, body) = request.into_parts();
        let target = parts.headers.get("x-amz-target");
        let target = target.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let action = target.rsplit('.').next().unwrap_or_default();
        let call = Call {
            account: caller.account,
            region: caller.region,
        };
        let answer = match read(body).await {
            Ok(body) => self.perform(&call, action, &body).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => aws_json_response("1.1", answer.to_string(), &id),
            Err(error) => {
                if let SecretsManagerError::Internal(text) = &error {
                    tracing::error!(request_id = %id, operation = action, error = %text, "a Secrets Manager request failed");
                }
                error_response(Protocol::Json11, "", &error.to_wire(), &id)
            }
        }
    }

    #[rustfmt::skip]
    async fn perform(&self, call: &Call, action: &str, body: &[u8]) -> Result<Value, SecretsManagerError> {
        let Some(operation) = Operation::named(action) else {
            return Err(SecretsManagerError::UnknownOperation(action.to_owned()));
        };
        match operation {
            Operation::BatchGetSecretValue => self.batch_get_secret_value(call, &input(body)?),
            Operation::CreateSecret => self.create_secret(call, input(body)?).await,
            Operation::DeleteResourcePolicy => self.delete_resource_policy(call, input(body)?).await,
            Operation::DeleteSecret => self.delete_secret(call, input(body)?).await,
            Operation::DescribeSecret => self.describe_secret(call, input(body)?),
            Operation::GetRandomPassword => get_random_password(&input(body)?),
            Operation::GetResourcePolicy => self.get_resource_policy(call, input(body)?),
            Operation::GetSecretValue => self.get_secret_value(call, input(body)?),
            Operation::ListSecretVersionIds => self.list_secret_version_ids(call, input(body)?),
            Operation::ListSecrets => self.list_secrets(call, &input(body)?),
            Operation::PutResourcePolicy => self.put_resource_policy(call, input(body)?).await,
            Operation::PutSecretValue => self.put_secret_value(call, input(body)?).await,
            Operation::RestoreSecret => self.restore_secret(call, input(body)?).await,
            Operation::TagResource => self.tag_resource(call, input(body)?).await,
            Operation::UntagResource => self.untag_resource(call, input(body)?).await,
            Operation::UpdateSecret => self.update_secret(call, input(body)?).await,
            Operation::UpdateSecretVersionStage => self.update_secret_version_stage(call, input(body)?).await,
            Operation::AssociateCrossAccountReplica
            | Operation::CancelRotateSecret
            | Operation::DisassociateCrossAccountReplica
            | Operation::ListResourcePolicies
            | Operation::RemoveRegionsFromReplication
            | Operation::ReplicateSecretToRegions
            | Operation::RotateSecret
            | Operation::StopReplicationToReplica
            | Operation::ValidateResourcePolicy => Err(SecretsManagerError::NotImplemented(action.to_owned())),
        }
    }

    /// The secret that a request names.
    fn named(&self, call: &Call, id: Option<String>) -> Result<Arc<Secret>, SecretsManagerError> {
        self.find(&call.account, &call.region, &required(id, "secretId")?)
    }

    /// The same, unless it is scheduled for deletion.
    fn usable(&self, call: &Call, id: Option<String>) -> Result<Arc<Secret>, SecretsManagerError> {
        let secret = self.named(call, id)?;
        if secret.deletion.is_some() {
            let text = "You can't perform this operation on the secret because it was marked for deletion.";
            return Err(SecretsManagerError::InvalidRequest(text.into()));
        }
        Ok(secret)
    }
}

fn get_random_password(request: &PasswordRequest) -> Result<Value, SecretsManagerError> {
    Ok(json!({"RandomPassword": request.generate()?}))
}

async fn read<B>(body: B) -> Result<Bytes, SecretsManagerError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let read = read_body(body, MAX_REQUEST_BYTES).await;
    read.map_err(|error| match error {
        ReadBodyError::TooLarge { .. } => SecretsManagerError::Validation(error.to_string()),
        ReadBodyError::Interrupted { .. } => SecretsManagerError::Malformed(error.to_string()),
    })
}

/// What serde says of a value that is not what it should be may quote it; here it could be a secret.
fn input<R: DeserializeOwned>(body: &[u8]) -> Result<R, SecretsManagerError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        SecretsManagerError::Malformed(format!(
            "the request is not JSON of this operation's members at line {line}, column {column}"
        ))
    })
}

/// An answer without the members that say nothing.
pub(crate) fn answer(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}

/// A time as awsJson has it: seconds, with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit a double")]
pub(crate) fn seconds(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| json!(at.as_millis() as f64 / 1000.0))
}

#[cfg(test)]
mod tests;
