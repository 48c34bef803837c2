//! Making, finding, listing, purging and deleting queues.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tradewind_model::AccountId;

use super::{Call, OfQueue, required};
use crate::attributes::Given;
use crate::error::SqsError;
use crate::model::{Queue, QueueAttributes};
use crate::names::{QueueArn, QueueName};
use crate::service::{SqsService, id_of};
use crate::token::page;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateQueue {
    queue_name: Option<String>,
    attributes: Option<Given>,
    /// AWS writes this one member in lower case.
    #[serde(alias = "tags")]
    tags: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetQueueUrl {
    queue_name: Option<String>,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrl {
    queue_url: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListQueues {
    queue_name_prefix: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrls {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListSources {
    queue_url: Option<String>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

#[derive(Debug, Serialize)]
pub(super) struct SourceUrls {
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(rename = "NextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl SqsService {
    pub(super) async fn create_queue(&self, call: &Call, request: CreateQueue) -> Result<QueueUrl, SqsError> {
        let name: QueueName = required(request.queue_name, "QueueName")?.parse()?;
        let given = request.attributes.unwrap_or_default();
        let tags = request.tags.unwrap_or_default();
        super::tags::check(&tags)?;
        let arn = QueueArn {
            account: call.account.clone(),
            region: call.region.clone(),
            name,
        };
        let now = self.now();
        let wanted = QueueAttributes::of_new(arn.name.is_fifo(), &given)?;
        let gone_lately = self.registry(|registry| registry.was_deleted_recently(&arn, now));
        let decide = |existing: Option<&Queue>| match existing {
            Some(queue) => match queue.attributes.difference(&wanted, &given) {
                Some(attribute) => Err(SqsError::QueueNameExists(attribute)),
                None => Ok(None),
            },
            None if gone_lately => Err(SqsError::QueueDeletedRecently),
            None => Ok(Some(Queue {
                arn: arn.clone(),
                attributes: wanted.clone(),
                tags: tags.clone(),
                created: now,
                modified: now,
                owner: None,
            })),
        };
        let queue = self.change(&arn, decide).await?;
        Ok(QueueUrl {
            queue_url: queue.arn.url(&call.base_url),
        })
    }

    pub(super) async fn get_queue_url(
        &self,
        call: &Call,
        request: GetQueueUrl,
    ) -> Result<QueueUrl, SqsError> {
        let name = required(request.queue_name, "QueueName")?;
        let account: AccountId = match request.owner {
            Some(owner) => owner
                .parse()
                .map_err(|_not_an_account| SqsError::QueueDoesNotExist)?,
            None => call.account.clone(),
        };
        let arn = QueueArn {
            account,
            region: call.region.clone(),
            name: name.parse().map_err(|_not_a_name| SqsError::QueueDoesNotExist)?,
        };
        Ok(QueueUrl {
            queue_url: self.queue(&arn)?.arn.url(&call.base_url),
        })
    }

    pub(super) async fn list_queues(&self, call: &Call, request: ListQueues) -> Result<QueueUrls, SqsError> {
        let prefix = request.queue_name_prefix.unwrap_or_default();
        let (names, next_token) = self.registry(|registry| {
            let own = registry.of(&call.account, &call.region);
            let names = own
                .map(|queue| queue.arn.name.to_string())
                .filter(|name| name.starts_with(&prefix));
            page(
                "ListQueues",
                names,
                request.next_token.as_deref(),
                request.max_results,
            )
        })?;
        let url = |name: String| format!("{}/{}/{name}", call.base_url, call.account);
        Ok(QueueUrls {
            queue_urls: names.into_iter().map(url).collect(),
            next_token,
        })
    }

    pub(super) async fn list_dead_letter_source_queues(
        &self,
        call: &Call,
        request: ListSources,
    ) -> Result<SourceUrls, SqsError> {
        let target = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        let (names, next_token) = self.registry(|registry| {
            let names = registry
                .sources_of(&target.arn)
                .map(|queue| queue.arn.name.to_string());
            page(
                "ListDeadLetterSourceQueues",
                names,
                request.next_token.as_deref(),
                request.max_results,
            )
        })?;
        let url = |name: String| format!("{}/{}/{name}", call.base_url, target.arn.account);
        Ok(SourceUrls {
            queue_urls: names.into_iter().map(url).collect(),
            next_token,
        })
    }

    pub(super) async fn delete_queue(&self, call: &Call, request: OfQueue) -> Result<(), SqsError> {
        let arn = call.queue(request.queue_url.as_deref())?;
        self.queue(&arn)?;
        self.delete(&arn, |_queue| true).await
    }

    pub(super) async fn purge_queue(&self, call: &Call, request: OfQueue) -> Result<(), SqsError> {
        let queue = self.queue(&call.queue(request.queue_url.as_deref())?)?;
        if !self.may_purge(&queue.arn) {
            return Err(SqsError::PurgeQueueInProgress(queue.arn.name.to_string()));
        }
        Ok(self.queues().purge(&id_of(&queue.arn)).await?)
    }
}
