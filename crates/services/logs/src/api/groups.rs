//! Making, listing and deleting groups, and how long they keep their events.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;

use super::{Call, limit, required};
use crate::error::LogsError;
use crate::model::{Group, GroupKey, LogGroupName, RetentionDays};
use crate::service::LogsService;
use crate::token::page;

const MAX_PAGE: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateLogGroup {
    log_group_name: Option<String>,
    kms_key_id: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    log_group_class: Option<String>,
    deletion_protection_enabled: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfGroup {
    pub(super) log_group_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutRetentionPolicy {
    log_group_name: Option<String>,
    retention_in_days: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeLogGroups {
    account_identifiers: Option<Vec<String>>,
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
    log_group_class: Option<String>,
    include_linked_accounts: Option<bool>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogGroups {
    log_groups: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    log_group_name: LogGroupText,
    creation_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_in_days: Option<u32>,
    metric_filter_count: u32,
    arn: String,
    stored_bytes: u64,
    log_group_class: &'static str,
    log_group_arn: String,
    deletion_protection_enabled: bool,
}

type LogGroupText = String;

/// A group with what the log store has of it.
struct Listed {
    group: Arc<Group>,
    bytes: u64,
    since: Option<Timestamp>,
}

impl LogsService {
    pub(super) async fn create_log_group(
        &self,
        call: &Call,
        request: CreateLogGroup,
    ) -> Result<(), LogsError> {
        let key = call.group(request.log_group_name)?;
        refuse(
            request.kms_key_id.is_some(),
            "kmsKeyId",
            "log events are not encrypted with keys of your own",
        )?;
        let class = request.log_group_class.as_deref().unwrap_or("STANDARD");
        refuse(
            class != "STANDARD",
            "logGroupClass",
            "all log groups are of the class STANDARD",
        )?;
        let protected = request.deletion_protection_enabled == Some(true);
        refuse(
            protected,
            "deletionProtectionEnabled",
            "log groups can always be deleted",
        )?;
        let tags = request.tags.unwrap_or_default();
        super::check_tags(&tags)?;
        let now = self.now();
        let decide = |existing: Option<&Group>| {
            if existing.is_some() {
                return Err(LogsError::AlreadyExists("log group"));
            }
            let mut group = Group::new(key.clone(), Some(now));
            group.settings.tags = tags;
            Ok(Some(group))
        };
        self.change(&key, decide).await
    }

    pub(super) async fn delete_log_group(&self, call: &Call, request: OfGroup) -> Result<(), LogsError> {
        let key = call.group(request.log_group_name)?;
        self.group(&key).await?;
        self.delete(&key, |_| true).await
    }

    pub(super) async fn put_retention_policy(
        &self,
        call: &Call,
        request: PutRetentionPolicy,
    ) -> Result<(), LogsError> {
        let key = call.group(request.log_group_name)?;
        let days = RetentionDays::new(required(request.retention_in_days, "retentionInDays")?)?;
        self.set(&key, |group| group.settings.retention = Some(days))
            .await
    }

    pub(super) async fn delete_retention_policy(
        &self,
        call: &Call,
        request: OfGroup,
    ) -> Result<(), LogsError> {
        let key = call.group(request.log_group_name)?;
        self.set(&key, |group| group.settings.retention = None).await
    }

    /// Changes a group that is there.
    pub(super) async fn set(&self, key: &GroupKey, change: impl FnOnce(&mut Group)) -> Result<(), LogsError> {
        let decide = |group: Option<&Group>| {
            let mut group = group.ok_or(LogsError::NotFound("log group"))?.clone();
            change(&mut group);
            Ok(Some(group))
        };
        self.change(key, decide).await
    }

    pub(super) async fn describe_log_groups(
        &self,
        call: &Call,
        request: DescribeLogGroups,
    ) -> Result<LogGroups, LogsError> {
        let others = request.account_identifiers.is_some_and(|list| !list.is_empty());
        let others = others || request.include_linked_accounts == Some(true);
        refuse(
            others,
            "accountIdentifiers",
            "only a caller's own groups are listed",
        )?;
        if request.log_group_name_prefix.is_some() && request.log_group_name_pattern.is_some() {
            return Err(LogsError::InvalidParameter(
                "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.".into(),
            ));
        }
        let prefix = request.log_group_name_prefix.unwrap_or_default();
        let pattern = request.log_group_name_pattern.unwrap_or_default();
        let is_class = request.log_group_class.is_none_or(|class| class == "STANDARD");
        let identifiers = request.log_group_identifiers.unwrap_or_default();
        let asked = |group: &Group| {
            let is = |text: &String| *text == *group.key.name.as_str() || *text == group.key.arn();
            identifiers.is_empty() || identifiers.iter().any(is)
        };
        let listed = self.listed(call).await;
        let wanted = listed.into_values().filter(|listed| {
            let name = listed.group.key.name.as_str();
            is_class && name.starts_with(&prefix) && name.contains(&pattern) && asked(&listed.group)
        });
        let name = |listed: &Listed| listed.group.key.name.to_string();
        let limit = limit(request.limit, MAX_PAGE)?;
        let token = request.next_token.as_deref();
        let (groups, next_token) = page("DescribeLogGroups", wanted, (token, limit), name, |a, b| a > b)?;
        Ok(LogGroups {
            log_groups: groups.into_iter().map(Described::from).collect(),
            next_token,
        })
    }

    /// The caller's groups: those that were made, and those that something logs to.
    async fn listed(&self, call: &Call) -> BTreeMap<LogGroupName, Listed> {
        let mut listed = BTreeMap::new();
        let made: Vec<Arc<Group>> =
            self.registry(|registry| registry.of(&call.account, &call.region).map(Arc::clone).collect());
        for group in made {
            let listing = Listed {
                group: Arc::clone(&group),
                bytes: 0,
                since: None,
            };
            listed.insert(group.key.name.clone(), listing);
        }
        for summary in self.logs().summaries().await {
            let Some((account, region, name)) = self.home().read(&summary.group) else {
                continue;
            };
            let Ok(name) = name.parse::<LogGroupName>() else {
                continue;
            };
            if account != call.account || region != call.region {
                continue;
            }
            let key = GroupKey {
                account,
                region,
                name: name.clone(),
            };
            let listing = listed.entry(name).or_insert_with(|| Listed {
                group: Arc::new(Group::new(key, None)),
                bytes: 0,
                since: None,
            });
            listing.bytes = summary.bytes;
            listing.since = summary.since;
        }
        listed
    }
}

impl From<Listed> for Described {
    fn from(listed: Listed) -> Self {
        let Group { key, settings, .. } = &*listed.group;
        let arn = key.arn();
        Self {
            log_group_name: key.name.to_string(),
            creation_time: settings.created.or(listed.since).unwrap_or_default(),
            retention_in_days: settings.retention.map(RetentionDays::get),
            metric_filter_count: 0,
            arn: format!("{arn}:*"),
            stored_bytes: listed.bytes,
            log_group_class: "STANDARD",
            log_group_arn: arn,
            deletion_protection_enabled: false,
        }
    }
}

fn refuse(asked: bool, parameter: &str, reason: &str) -> Result<(), LogsError> {
    if asked {
        let text = format!("`{parameter}` is not supported by this node: {reason}");
        return Err(LogsError::InvalidParameter(text));
    }
    Ok(())
}
