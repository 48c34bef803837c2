//! API destinations.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use tradewind_model::{AccountId, Region};
use tradewind_store::Batch;

use super::buses::check_description;
use super::connections::{Named, name};
use super::{Call, answer, seconds};
use crate::connection::check_endpoint;
use crate::destination::{ApiDestination, DEFAULT_RATE};
use crate::error::EventBridgeError;
use crate::names::{Name, arn, required};
use crate::service::EventBridgeService;
use crate::tables;
use crate::token::Paging;

const METHODS: &[&str] = &["POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"];

/// What `CreateApiDestination` and `UpdateApiDestination` take.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DestinationRequest {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) connection_arn: Option<String>,
    pub(crate) invocation_endpoint: Option<String>,
    pub(crate) http_method: Option<String>,
    pub(crate) invocation_rate_limit_per_second: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListDestinations {
    name_prefix: Option<String>,
    connection_arn: Option<String>,
    #[serde(flatten)]
    paging: Paging,
}

impl DestinationRequest {
    fn check(&self) -> Result<(), EventBridgeError> {
        check_description(self.description.as_deref())?;
        if let Some(endpoint) = &self.invocation_endpoint {
            check_endpoint(endpoint, "InvocationEndpoint")?;
        }
        if let Some(method) = self
            .http_method
            .as_ref()
            .filter(|method| !METHODS.contains(&method.as_str()))
        {
            let rule = format!("Member must satisfy enum value set: [{}]", METHODS.join(", "));
            return Err(EventBridgeError::constraint(
                &format!("'{method}'"),
                "httpMethod",
                &rule,
            ));
        }
        self.rate().map(drop)
    }

    fn rate(&self) -> Result<Option<u32>, EventBridgeError> {
        let Some(given) = self.invocation_rate_limit_per_second else {
            return Ok(None);
        };
        let rate = u32::try_from(given).ok().filter(|rate| *rate >= 1);
        let rule = "Member must have value greater than or equal to 1";
        let refuse =
            || EventBridgeError::constraint(&format!("'{given}'"), "invocationRateLimitPerSecond", rule);
        rate.map(Some).ok_or_else(refuse)
    }

    /// A new destination.
    pub(crate) fn parse(
        self,
        account: &AccountId,
        region: &Region,
        service: &EventBridgeService,
    ) -> Result<ApiDestination, EventBridgeError> {
        self.check()?;
        let rate = self.rate()?;
        let name = name(self.name)?;
        let now = service.now();
        let resource = format!("api-destination/{name}/{}", crate::event::new_id());
        Ok(ApiDestination {
            arn: arn(account, region, &resource).to_string(),
            name,
            description: self.description,
            connection: required(self.connection_arn, "connectionArn")?,
            endpoint: required(self.invocation_endpoint, "invocationEndpoint")?,
            method: required(self.http_method, "httpMethod")?,
            rate: rate.unwrap_or(DEFAULT_RATE),
            created: now,
            modified: now,
            owner: None,
        })
    }

    /// Changes what the request says, and leaves the rest.
    fn apply(self, destination: &mut ApiDestination) -> Result<(), EventBridgeError> {
        self.check()?;
        destination.rate = self.rate()?.unwrap_or(destination.rate);
        if self.description.is_some() {
            destination.description = self.description;
        }
        for (given, member) in [
            (self.connection_arn, &mut destination.connection),
            (self.invocation_endpoint, &mut destination.endpoint),
            (self.http_method, &mut destination.method),
        ] {
            if let Some(given) = given {
                *member = given;
            }
        }
        Ok(())
    }
}

impl EventBridgeService {
    pub(super) async fn create_api_destination(
        &self,
        call: &Call,
        request: DestinationRequest,
    ) -> Result<Value, EventBridgeError> {
        let destination = request.parse(&call.account, &call.region, self)?;
        let _changing = self.changing().await;
        if self
            .api_destination(&call.account, &call.region, &destination.name)
            .is_ok()
        {
            let text = format!("An api-destination '{}' already exists.", destination.name);
            return Err(EventBridgeError::ResourceAlreadyExists(text));
        }
        let view = changed(&destination);
        self.store_destination(destination).await?;
        Ok(view)
    }

    pub(super) async fn update_api_destination(
        &self,
        call: &Call,
        request: DestinationRequest,
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        let found = self.api_destination(&call.account, &call.region, &name(request.name.clone())?)?;
        let mut destination = ApiDestination::clone(&found);
        request.apply(&mut destination)?;
        destination.modified = self.now();
        let view = changed(&destination);
        self.store_destination(destination).await?;
        Ok(view)
    }

    /// Stores a destination, new or changed. Called while [`Self::changing`] is held.
    pub(crate) async fn store_destination(
        &self,
        destination: ApiDestination,
    ) -> Result<(), EventBridgeError> {
        let connection = &destination.connection;
        if self.registry(|registry| registry.connection(connection).is_none()) {
            let text = format!("Connection '{connection}' does not exist.");
            return Err(EventBridgeError::ResourceNotFound(text));
        }
        let batch = tables::put(Batch::new(), &destination)?;
        self.commit(batch, |registry| registry.put_destination(destination))
            .await?;
        self.refresh_lanes();
        Ok(())
    }

    /// The destination, or AWS's words that it is not there.
    pub(crate) fn api_destination(
        &self,
        account: &AccountId,
        region: &Region,
        name: &Name,
    ) -> Result<Arc<ApiDestination>, EventBridgeError> {
        let all = self.registry(|registry| registry.destinations_in(account, region));
        let found = all.into_iter().find(|destination| destination.name == *name);
        found.ok_or_else(|| {
            let text = format!(
                "Failed to describe the api-destination(s). An api-destination '{name}' does not exist."
            );
            EventBridgeError::ResourceNotFound(text)
        })
    }

    pub(super) async fn delete_api_destination(
        &self,
        call: &Call,
        request: Named,
    ) -> Result<Value, EventBridgeError> {
        let _changing = self.changing().await;
        let destination = self.api_destination(&call.account, &call.region, &request.name()?)?;
        self.remove_destination(&destination.arn).await?;
        Ok(json!({}))
    }

    /// Removes a destination. Called while [`Self::changing`] is held.
    pub(crate) async fn remove_destination(&self, arn: &str) -> Result<(), EventBridgeError> {
        let batch = tables::delete(Batch::new(), arn);
        self.commit(batch, |registry| registry.delete_destination(arn))
            .await
    }

    pub(super) fn describe_api_destination(
        &self,
        call: &Call,
        request: Named,
    ) -> Result<Value, EventBridgeError> {
        let destination = self.api_destination(&call.account, &call.region, &request.name()?)?;
        let mut view = view(&destination);
        view["Description"] = json!(destination.description);
        Ok(answer(view))
    }

    pub(super) fn list_api_destinations(
        &self,
        call: &Call,
        request: ListDestinations,
    ) -> Result<Value, EventBridgeError> {
        let prefix = request.name_prefix.unwrap_or_default();
        let all = self.registry(|registry| registry.destinations_in(&call.account, &call.region));
        let wanted = |destination: &&Arc<ApiDestination>| {
            destination.name.as_str().starts_with(&prefix)
                && request
                    .connection_arn
                    .as_ref()
                    .is_none_or(|arn| destination.connection == *arn)
        };
        let mut views: Vec<_> = all
            .iter()
            .filter(wanted)
            .map(|destination| (destination.name.to_string(), view(destination)))
            .collect();
        views.sort_by(|(one, _), (other, _)| one.cmp(other));
        let (page, next) = request.paging.page("ListApiDestinations", views.into_iter())?;
        Ok(answer(json!({"ApiDestinations": page, "NextToken": next})))
    }
}

fn changed(destination: &ApiDestination) -> Value {
    json!({
        "ApiDestinationArn": destination.arn, "ApiDestinationState": "ACTIVE",
        "CreationTime": seconds(Some(destination.created)),
        "LastModifiedTime": seconds(Some(destination.modified)),
    })
}

fn view(destination: &ApiDestination) -> Value {
    let mut view = changed(destination);
    view["Name"] = json!(destination.name);
    view["ConnectionArn"] = json!(destination.connection);
    view["InvocationEndpoint"] = json!(destination.endpoint);
    view["HttpMethod"] = json!(destination.method);
    view["InvocationRateLimitPerSecond"] = json!(destination.rate);
    view
}
