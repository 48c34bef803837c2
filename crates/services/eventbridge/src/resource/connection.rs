//! `AWS::Events::Connection` and `AWS::Events::ApiDestination`.

use serde_json::{Map, json};
use tradewind_model::resource::{
    KnownProperties, Properties, ResourceContext, ResourceError, ResourceHandler, ResourceState,
    optional_integer, optional_text,
};

use super::request;
use crate::api::{ConnectionRequest, DestinationRequest};
use crate::connection::{Connection, ConnectionDefinition};
use crate::destination::ApiDestination;
use crate::error::EventBridgeError;
use crate::names::Name;
use crate::service::EventBridgeService;

const MAX_NAME: usize = 64;

/// Connections of stacks.
#[derive(Debug)]
pub(crate) struct ConnectionType {
    service: EventBridgeService,
}

/// API destinations of stacks.
#[derive(Debug)]
pub(crate) struct ApiDestinationType {
    service: EventBridgeService,
}

impl ConnectionType {
    pub(crate) fn new(service: EventBridgeService) -> Self {
        Self { service }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        name: String,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let mut wanted: ConnectionRequest = request(properties)?;
        wanted.name = Some(name);
        let Connection { definition, auth } =
            wanted.parse(&context.account, &context.region, &self.service)?;
        let owner = Some(context.owner());
        let _changing = self.service.changing().await;
        let existing = self
            .service
            .connection(&context.account, &context.region, &definition.name)
            .ok();
        let (arn, created) = match &existing {
            Some(found) if found.definition.owner != owner => {
                let name = definition.name.to_string();
                return Err(EventBridgeError::OfAnother {
                    kind: "connection",
                    name,
                }
                .into());
            }
            Some(found) => (found.definition.arn.clone(), found.definition.created),
            None => (definition.arn.clone(), definition.created),
        };
        let definition = ConnectionDefinition {
            arn,
            created,
            owner,
            ..definition
        };
        let state = state(&definition.name, &definition.arn);
        self.service
            .store_connection(Connection { definition, auth })
            .await?;
        Ok(state)
    }
}

fn state(name: &Name, arn: &str) -> ResourceState {
    // without the unique end: what policies name
    let for_policy = arn.rsplit_once('/').map_or(arn, |(stem, _)| stem);
    ResourceState {
        physical_id: name.to_string(),
        reference: None,
        attributes: Map::from_iter([
            ("Arn".into(), json!(arn)),
            ("ArnForPolicy".into(), json!(for_policy)),
        ]),
    }
}

fn name_of(context: &ResourceContext, properties: &Properties) -> Result<String, ResourceError> {
    let name = optional_text(properties, "Name")?;
    Ok(name.unwrap_or_else(|| context.generated_name_within(MAX_NAME)))
}

impl ResourceHandler for ConnectionType {
    fn type_name(&self) -> &'static str {
        "AWS::Events::Connection"
    }

    fn known_properties(&self) -> KnownProperties {
        const REFUSED: &[(&str, &str)] = &[
            (
                "InvocationConnectivityParameters",
                "this node reaches no private endpoints",
            ),
            ("KmsKeyIdentifier", "secrets are sealed with the node's own key"),
        ];
        KnownProperties::new(&["AuthParameters", "AuthorizationType", "Description", "Name"])
            .refusing("", REFUSED)
            .requiring(&["AuthParameters", "AuthorizationType"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["Name"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, name_of(context, properties)?, properties).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, current.physical_id.clone(), properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let name = Name::parse(Some(current.physical_id.clone()), "name", MAX_NAME)?;
        let _changing = self.service.changing().await;
        let found = self
            .service
            .connection(&context.account, &context.region, &name)
            .ok();
        match found.filter(|found| found.definition.owner == Some(context.owner())) {
            Some(found) => Ok(self.service.remove_connection(&found.definition.arn).await?),
            None => Ok(()),
        }
    }
}

impl ApiDestinationType {
    pub(crate) fn new(service: EventBridgeService) -> Self {
        Self { service }
    }

    async fn put(
        &self,
        context: &ResourceContext,
        name: String,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        const RATE: &str = "InvocationRateLimitPerSecond";
        let mut properties = properties.clone();
        if let Some(rate) = optional_integer(&properties, RATE)? {
            properties.insert(RATE.into(), rate.into());
        }
        let mut wanted: DestinationRequest = request(&properties)?;
        wanted.name = Some(name);
        let wanted = wanted.parse(&context.account, &context.region, &self.service)?;
        let owner = Some(context.owner());
        let _changing = self.service.changing().await;
        let existing = self
            .service
            .api_destination(&context.account, &context.region, &wanted.name)
            .ok();
        let (arn, created) = match &existing {
            Some(found) if found.owner != owner => {
                let name = wanted.name.to_string();
                return Err(EventBridgeError::OfAnother {
                    kind: "API destination",
                    name,
                }
                .into());
            }
            Some(found) => (found.arn.clone(), found.created),
            None => (wanted.arn.clone(), wanted.created),
        };
        let destination = ApiDestination {
            arn,
            created,
            owner,
            ..wanted
        };
        let state = state(&destination.name, &destination.arn);
        self.service.store_destination(destination).await?;
        Ok(state)
    }
}

impl ResourceHandler for ApiDestinationType {
    fn type_name(&self) -> &'static str {
        "AWS::Events::ApiDestination"
    }

    fn known_properties(&self) -> KnownProperties {
        const ACCEPTED: &[&str] = &[
            "ConnectionArn",
            "Description",
            "HttpMethod",
            "InvocationEndpoint",
            "InvocationRateLimitPerSecond",
            "Name",
        ];
        KnownProperties::new(ACCEPTED).requiring(&["ConnectionArn", "HttpMethod", "InvocationEndpoint"])
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["Name"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, name_of(context, properties)?, properties).await
    }

    async fn update(
        &self,
        context: &ResourceContext,
        current: &ResourceState,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        self.put(context, current.physical_id.clone(), properties).await
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let name = Name::parse(Some(current.physical_id.clone()), "name", MAX_NAME)?;
        let _changing = self.service.changing().await;
        let found = self
            .service
            .api_destination(&context.account, &context.region, &name)
            .ok();
        match found.filter(|found| found.owner == Some(context.owner())) {
            Some(found) => Ok(self.service.remove_destination(&found.arn).await?),
            None => Ok(()),
        }
    }
}
