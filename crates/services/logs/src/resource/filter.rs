//! `AWS::Logs::SubscriptionFilter`.

use serde_json::Map;
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, optional_text, problem, required_text,
};

use super::group_key;
use crate::api::{Call, FilterRequest};
use crate::error::LogsError;
use crate::model::Group;
use crate::pattern::FilterPattern;
use crate::service::LogsService;

const ACCEPTED: &[&str] = &[
    "DestinationArn",
    "Distribution",
    "FilterName",
    "FilterPattern",
    "LogGroupName",
];
const REQUIRED: &[&str] = &["DestinationArn", "FilterPattern", "LogGroupName"];
const REFUSED: &[(&str, &str)] = &[
    ("ApplyOnTransformedLogs", "log events are not transformed"),
    ("EmitSystemFields", "log events have no system fields"),
    ("FieldSelectionCriteria", "log events have no system fields"),
    ("RoleArn", "destinations are functions, which need no role"),
];

/// Subscription filters of stacks. Their physical id is `group:filter`.
#[derive(Debug)]
pub(crate) struct SubscriptionFilterType {
    service: LogsService,
}

impl SubscriptionFilterType {
    pub(crate) fn new(service: LogsService) -> Self {
        Self { service }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        group: &str,
        name: &str,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let key = group_key(context, group.parse().map_err(LogsError::from)?);
        let request = FilterRequest {
            filter_name: Some(name.to_owned()),
            filter_pattern: Some(required_text(properties, "FilterPattern")?),
            destination_arn: Some(required_text(properties, "DestinationArn")?),
            distribution: optional_text(properties, "Distribution")?,
            ..FilterRequest::default()
        };
        let call = Call {
            account: context.account.clone(),
            region: context.region.clone(),
        };
        let (name, mut filter) = self.service.parse_filter(&call, request)?;
        filter.owner = Some(context.owner());
        let existing = self.service.group(&key).await?;
        if let Some(other) = existing.filters.get(&name)
            && other.owner != filter.owner
        {
            let kind = "subscription filter";
            return Err(LogsError::OfAnother { kind, name }.into());
        }
        self.service.put_filter(&key, name.clone(), filter).await?;
        Ok(ResourceState {
            physical_id: format!("{group}:{name}"),
            reference: Some(name),
            attributes: Map::new(),
        })
    }

    async fn remove(&self, context: &ResourceContext, group: &str, name: &str) -> Result<(), LogsError> {
        let key = group_key(context, group.parse()?);
        let owner = context.owner();
        let decide = |group: Option<&Group>| {
            let Some(group) = group else { return Ok(None) };
            let mut group = group.clone();
            let owned = |filter: &crate::model::SubscriptionFilter| filter.owner.as_ref() == Some(&owner);
            if !group.filters.get(name).is_some_and(owned) {
                return Ok(None);
            }
            group.filters.remove(name);
            Ok(Some(group))
        };
        self.service.change(&key, decide).await
    }
}

impl ResourceHandler for SubscriptionFilterType {
    fn type_name(&self) -> &'static str {
        "AWS::Logs::SubscriptionFilter"
    }

    fn known_properties(&self) -> KnownProperties {
        KnownProperties::new(ACCEPTED)
            .requiring(REQUIRED)
            .refusing("", REFUSED)
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        if let Some(serde_json::Value::String(pattern)) = properties.get("FilterPattern")
            && let Err(error) = pattern.parse::<FilterPattern>()
        {
            problems.push(problem(&["FilterPattern"], error.to_string()));
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["FilterName", "LogGroupName"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let group = required_text(properties, "LogGroupName")?;
        let given = optional_text(properties, "FilterName")?;
        let name = given.unwrap_or_else(|| context.generated_name_within(512));
        self.put(context, &group, &name, properties).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let group = required_text(properties, "LogGroupName")?;
        let name = current.reference.clone().unwrap_or_default();
        self.put(context, &group, &name, properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let Some((group, name)) = current.physical_id.split_once(':') else {
            return Ok(());
        };
        Ok(self.remove(context, group, name).await?)
    }
}
