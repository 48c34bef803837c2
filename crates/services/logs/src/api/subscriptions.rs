//! Subscription filters: which events of a group go to which function.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tradewind_events::Undeliverable;
use tradewind_model::{Arn, Timestamp};

use super::{Call, limit, required};
use crate::error::LogsError;
use crate::model::{Group, GroupKey, SubscriptionFilter};
use crate::service::LogsService;
use crate::token::page;

/// Filters that a group may have.
const MAX_FILTERS: usize = 2;
const MAX_PAGE: usize = 50;
const MAX_NAME: usize = 512;

/// What a filter is asked to be, by the API or by a stack.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FilterRequest {
    pub(crate) log_group_name: Option<String>,
    pub(crate) filter_name: Option<String>,
    pub(crate) filter_pattern: Option<String>,
    pub(crate) destination_arn: Option<String>,
    pub(crate) role_arn: Option<String>,
    pub(crate) distribution: Option<String>,
    pub(crate) apply_on_transformed_logs: Option<bool>,
    pub(crate) field_selection_criteria: Option<String>,
    pub(crate) emit_system_fields: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfFilter {
    log_group_name: Option<String>,
    filter_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeSubscriptionFilters {
    log_group_name: Option<String>,
    filter_name_prefix: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubscriptionFilters {
    subscription_filters: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    filter_name: String,
    log_group_name: String,
    filter_pattern: String,
    destination_arn: String,
    distribution: String,
    creation_time: Timestamp,
}

impl LogsService {
    pub(super) async fn put_subscription_filter(
        &self,
        call: &Call,
        request: FilterRequest,
    ) -> Result<(), LogsError> {
        let key = call.group(request.log_group_name.clone())?;
        let (name, filter) = self.parse_filter(call, request)?;
        self.put_filter(&key, name, filter).await
    }

    /// Reads what was asked for; what a node does not honour is refused.
    pub(crate) fn parse_filter(
        &self,
        call: &Call,
        request: FilterRequest,
    ) -> Result<(String, SubscriptionFilter), LogsError> {
        let name = required(request.filter_name, "filterName")?;
        if !(1..=MAX_NAME).contains(&name.chars().count()) || name.contains([':', '*']) {
            let rule = "Member must have 1 to 512 characters, neither ':' nor '*'";
            return Err(LogsError::constraint(name, "filterName", rule));
        }
        for (is_asked, parameter, reason) in [
            (
                request.role_arn.is_some(),
                "roleArn",
                "destinations are functions, which need no role",
            ),
            (
                request.apply_on_transformed_logs == Some(true),
                "applyOnTransformedLogs",
                "log events are not transformed",
            ),
            (
                request
                    .field_selection_criteria
                    .is_some_and(|text| !text.is_empty()),
                "fieldSelectionCriteria",
                "log events have no system fields",
            ),
            (
                request
                    .emit_system_fields
                    .is_some_and(|fields| !fields.is_empty()),
                "emitSystemFields",
                "log events have no system fields",
            ),
        ] {
            if is_asked {
                let text = format!("`{parameter}` is not supported by this node: {reason}");
                return Err(LogsError::InvalidParameter(text));
            }
        }
        let distribution = request.distribution.as_deref();
        if !matches!(distribution, None | Some("ByLogStream" | "Random")) {
            let rule = "Member must satisfy enum value set: [ByLogStream, Random]";
            return Err(LogsError::constraint(
                distribution.unwrap_or_default(),
                "distribution",
                rule,
            ));
        }
        let filter = SubscriptionFilter {
            pattern: required(request.filter_pattern, "filterPattern")?.parse()?,
            destination: self.destination(call, &required(request.destination_arn, "destinationArn")?)?,
            distribution: request.distribution,
            created: self.now(),
            owner: None,
        };
        Ok((name, filter))
    }

    /// A function of the caller's account that is there.
    fn destination(&self, call: &Call, text: &str) -> Result<Arn, LogsError> {
        let arn: Arn = text.parse().map_err(|error: tradewind_model::InvalidArn| {
            LogsError::InvalidParameter(format!("destinationArn: {error}"))
        })?;
        if *arn.service != *"lambda" {
            return Err(LogsError::InvalidParameter(format!(
                "`{text}` is not supported by this node as a destination: only functions are, not Kinesis, \
                 Firehose or logical destinations"
            )));
        }
        if *arn.account != *call.account.as_str() {
            let text = format!("destinationArn `{text}` is of another account");
            return Err(LogsError::InvalidParameter(text));
        }
        let found = self.router().find(&arn);
        found.map_err(|error: Undeliverable| {
            LogsError::InvalidParameter(format!(
                "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission \
                 to execute your function. ({error})"
            ))
        })?;
        Ok(arn)
    }

    /// Gives a filter to a group, instead of one of the same name.
    pub(crate) async fn put_filter(
        &self,
        key: &GroupKey,
        name: String,
        filter: SubscriptionFilter,
    ) -> Result<(), LogsError> {
        if let Some(way) = self.circle(key, &filter.destination) {
            return Err(LogsError::InvalidParameter(format!(
                "the function would be fed with its own log, without end: {way}"
            )));
        }
        let decide = |group: Option<&Group>| {
            let mut group = group.ok_or(LogsError::NotFound("log group"))?.clone();
            let mut filter = filter;
            if let Some(old) = group.filters.get(&name) {
                if old.owner.is_some() && old.owner != filter.owner {
                    return Err(LogsError::OfAnother {
                        kind: "subscription filter",
                        name,
                    });
                }
                filter.created = old.created;
            } else if group.filters.len() >= MAX_FILTERS {
                return Err(LogsError::LimitExceeded);
            }
            group.filters.insert(name, filter);
            Ok(Some(group))
        };
        self.change(key, decide).await
    }

    /// The way on which a function's own log comes back to it, if it does: from a group to a function to the
    /// group it logs to, and on.
    pub(crate) fn circle(&self, key: &GroupKey, destination: &Arn) -> Option<String> {
        let mut seen = BTreeSet::new();
        self.circle_from(destination, &mut vec![key.clone()], &mut seen)
    }

    fn circle_from(
        &self,
        function: &Arn,
        way: &mut Vec<GroupKey>,
        seen: &mut BTreeSet<GroupKey>,
    ) -> Option<String> {
        let group = GroupKey {
            account: function.account.parse().ok()?,
            region: function.region.parse().ok()?,
            name: self.log_group_of().find(function)?.parse().ok()?,
        };
        if way.first() == Some(&group) {
            let names = way.iter().chain([&group]).map(|key| key.name.to_string());
            return Some(names.collect::<Vec<_>>().join(" → "));
        }
        // what leads back from it was seen, or is being looked for
        if !seen.insert(group.clone()) {
            return None;
        }
        way.push(group.clone());
        let filters = self.registry(|registry| registry.get(&group))?.filters.clone();
        let found = filters
            .values()
            .find_map(|filter| self.circle_from(&filter.destination, way, seen));
        way.pop();
        found
    }

    pub(super) async fn delete_subscription_filter(
        &self,
        call: &Call,
        request: OfFilter,
    ) -> Result<(), LogsError> {
        let key = call.group(request.log_group_name)?;
        let name = required(request.filter_name, "filterName")?;
        if !self.group(&key).await?.filters.contains_key(&name) {
            return Err(LogsError::NotFound("subscription filter"));
        }
        self.set(&key, |group| {
            group.filters.remove(&name);
        })
        .await
    }

    pub(super) async fn describe_subscription_filters(
        &self,
        call: &Call,
        request: DescribeSubscriptionFilters,
    ) -> Result<SubscriptionFilters, LogsError> {
        let key = call.group(request.log_group_name)?;
        let group = self.group(&key).await?;
        let prefix = request.filter_name_prefix.unwrap_or_default();
        let filters = group
            .filters
            .iter()
            .filter(|(name, _)| name.starts_with(&prefix))
            .map(|(name, filter)| Described {
                filter_name: name.clone(),
                log_group_name: key.name.to_string(),
                filter_pattern: filter.pattern.to_string(),
                destination_arn: filter.destination.to_string(),
                distribution: filter
                    .distribution
                    .clone()
                    .unwrap_or_else(|| "ByLogStream".into()),
                creation_time: filter.created,
            });
        let limit = limit(request.limit, MAX_PAGE)?;
        let token = request.next_token.as_deref();
        let name = |filter: &Described| filter.filter_name.clone();
        let (subscription_filters, next_token) = page(
            "DescribeSubscriptionFilters",
            filters,
            (token, limit),
            name,
            |a, b| a > b,
        )?;
        Ok(SubscriptionFilters {
            subscription_filters,
            next_token,
        })
    }
}
