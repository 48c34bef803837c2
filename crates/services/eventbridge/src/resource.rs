//! The CloudFormation types.

mod archive;
mod bus;
mod connection;
mod policy;
mod rule;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tradewind_model::resource::{Properties, ResourceError, ResourceType};

use crate::service::EventBridgeService;

/// `AWS::Events::ApiDestination`, `Archive`, `Connection`, `EventBus`, `EventBusPolicy` and `Rule`.
pub(crate) fn types(service: &EventBridgeService) -> Vec<Arc<dyn ResourceType>> {
    vec![
        Arc::new(connection::ApiDestinationType::new(service.clone())),
        Arc::new(connection::ConnectionType::new(service.clone())),
        Arc::new(archive::ArchiveType::new(service.clone())),
        Arc::new(bus::EventBusType::new(service.clone())),
        Arc::new(policy::EventBusPolicyType::new(service.clone())),
        Arc::new(rule::RuleType::new(service.clone())),
    ]
}

/// The properties as the API's request, which has the same members.
fn request<R: DeserializeOwned>(properties: &Properties) -> Result<R, ResourceError> {
    let request = serde_json::from_value(Value::Object(properties.clone()));
    request.map_err(|error| ResourceError::Invalid {
        message: format!("a property has a value of a wrong type: {error}"),
    })
}

/// A document's text, where it is an object and where it is text already.
fn document(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
