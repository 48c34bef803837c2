//! `AddPermission` and `RemovePermission`.

use serde::Deserialize;

use super::{Call, required};
use crate::error::SqsError;
use crate::model::Queue;
use crate::policy;
use crate::service::SqsService;

const MAX_LABEL: usize = 80;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddPermission {
    queue_url: Option<String>,
    label: Option<String>,
    #[serde(rename = "AWSAccountIds")]
    accounts: Option<Vec<String>>,
    actions: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemovePermission {
    queue_url: Option<String>,
    label: Option<String>,
}

impl SqsService {
    pub(super) async fn add_permission(&self, call: &Call, request: AddPermission) -> Result<(), SqsError> {
        let label = required(request.label, "Label")?;
        check_label(&label)?;
        let filled = |list: Option<Vec<String>>| list.filter(|list| !list.is_empty());
        let accounts = required(filled(request.accounts), "AWSAccountIds")?;
        let actions = required(filled(request.actions), "Actions")?;
        self.change_policy(call, request.queue_url, |queue| {
            let policy = queue.attributes.policy.as_deref();
            policy::with_statement(policy, &queue.arn, &label, &accounts, &actions).map(Some)
        })
        .await
    }

    pub(super) async fn remove_permission(
        &self,
        call: &Call,
        request: RemovePermission,
    ) -> Result<(), SqsError> {
        let label = required(request.label, "Label")?;
        self.change_policy(call, request.queue_url, |queue| {
            policy::without_statement(queue.attributes.policy.as_deref(), &queue.arn, &label)
        })
        .await
    }

    async fn change_policy(
        &self,
        call: &Call,
        url: Option<String>,
        change: impl FnOnce(&Queue) -> Result<Option<String>, SqsError>,
    ) -> Result<(), SqsError> {
        let arn = call.queue(url.as_deref())?;
        let decide = |queue: Option<&Queue>| {
            let mut queue = queue.ok_or(SqsError::QueueDoesNotExist)?.clone();
            queue.attributes.policy = change(&queue)?;
            Ok(Some(queue))
        };
        self.change(&arn, decide).await?;
        Ok(())
    }
}

fn check_label(label: &str) -> Result<(), SqsError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(plain) {
        return Ok(());
    }
    let reason = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.";
    Err(SqsError::value(label, "Label", reason))
}
