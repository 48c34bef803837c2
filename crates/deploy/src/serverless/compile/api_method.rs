//! `AWS::ApiGateway::Method` of an `http` event.

use serde_json::{Map, Value, json};

use super::intrinsics::{join, reference};
use crate::serverless::model::HttpEvent;

/// The properties of the method that invokes `function`, an ARN.
pub(super) fn properties(event: &HttpEvent, resource: Value, function: Value) -> Value {
    let parameters: Map<String, Value> = event
        .parameters
        .iter()
        .map(|(name, required)| (name.clone(), Value::Bool(*required)))
        .collect();
    let mut properties = Map::new();
    let mut set = |name: &str, value: Value| drop(properties.insert(name.to_owned(), value));
    set("HttpMethod", event.method.as_str().into());
    set("RequestParameters", Value::Object(parameters));
    set("ResourceId", resource);
    set("RestApiId", reference("ApiGatewayRestApi"));
    if let Some(operation) = &event.operation {
        set("OperationName", operation.as_str().into());
    }
    set("ApiKeyRequired", Value::Bool(false));
    set("AuthorizationType", "NONE".into());
    set("Integration", integration(event, function));
    set("MethodResponses", json!([]));
    Value::Object(properties)
}

fn integration(event: &HttpEvent, function: Value) -> Value {
    let uri = join(
        "",
        vec![
            json!("arn:"),
            reference("AWS::Partition"),
            json!(":apigateway:"),
            reference("AWS::Region"),
            json!(":lambda:path/2015-03-31/functions/"),
            function,
            json!("/invocations"),
        ],
    );
    let mut integration = Map::new();
    integration.insert("IntegrationHttpMethod".into(), "POST".into());
    integration.insert("Type".into(), "AWS_PROXY".into());
    integration.insert("Uri".into(), uri);
    if let Some(timeout_ms) = event.timeout_ms {
        integration.insert("TimeoutInMillis".into(), timeout_ms.into());
    }
    Value::Object(integration)
}
