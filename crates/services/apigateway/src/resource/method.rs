//! `AWS::ApiGateway::Method`: a method of a resource and its integration, Lambda proxy or mock.

use serde_json::Value;
use tradewind_gateway::RouteMethod;
use tradewind_model::limits;
use tradewind_model::resource::{
    Properties, PropertyProblem, ResourceError, optional_integer, required_text,
};

use super::check::Check;
use super::{Definition, Plan, Planning, invalid, mock};
use crate::model::{LambdaRecord, Record, RecordKind, RestIntegration, RestMethod};
use crate::state::method_key;
use crate::uri::function_of_rest_uri;

pub(super) const DEFINITION: Definition = Definition {
    name: "AWS::ApiGateway::Method",
    kind: RecordKind::Method,
    replaced_by: &["HttpMethod", "ResourceId", "RestApiId"],
    accepted: ACCEPTED,
    refused: &[("", REFUSED), ("Integration", INTEGRATION_REFUSED)],
    check,
    plan,
};

/// `MethodResponses`, `RequestModels` and `RequestParameters` describe the method to generators of
/// clients; without a request validator the service itself does nothing with them.
const ACCEPTED: &[&str] = &[
    "ApiKeyRequired",
    "AuthorizationType",
    "HttpMethod",
    "Integration",
    "MethodResponses",
    "OperationName",
    "RequestModels",
    "RequestParameters",
    "ResourceId",
    "RestApiId",
];
const REFUSED: &[(&str, &str)] = &[
    ("AuthorizationScopes", "authorizers are not enforced"),
    ("AuthorizerId", "authorizers are not enforced"),
    ("RequestValidatorId", "requests are not validated"),
];
const INTEGRATION_ACCEPTED: &[&str] = &[
    "ConnectionType",
    "ContentHandling",
    "IntegrationHttpMethod",
    "IntegrationResponses",
    "PassthroughBehavior",
    "RequestTemplates",
    "TimeoutInMillis",
    "Type",
    "Uri",
];
const INTEGRATION_REFUSED: &[(&str, &str)] = &[
    ("CacheKeyParameters", "responses are not cached"),
    ("CacheNamespace", "responses are not cached"),
    ("ConnectionId", "there are no VPC links"),
    ("Credentials", "functions are invoked by their permissions"),
    ("IntegrationTarget", "there are no VPC links"),
    ("RequestParameters", "request parameters are not mapped"),
    ("ResponseTransferMode", "responses are not streamed"),
];

fn check(properties: &Properties) -> Vec<PropertyProblem> {
    let mut check = Check::new(properties);
    check.known(ACCEPTED, REFUSED);
    check.required(&["HttpMethod", "Integration", "ResourceId", "RestApiId"]);
    check.only("AuthorizationType", &["NONE"], "authorizers are not enforced");
    check.only("ApiKeyRequired", &["false"], "API keys are not enforced");
    if let Some(method) = check.literal("HttpMethod")
        && let Err(error) = method.parse::<RouteMethod>()
    {
        check.problem(&["HttpMethod"], error.to_string());
    }
    check.nested("Integration", check_integration);
    check.finish()
}

fn check_integration(check: &mut Check<'_>) {
    check.known(INTEGRATION_ACCEPTED, INTEGRATION_REFUSED);
    check.required(&["Type"]);
    check.only("ConnectionType", &["INTERNET"], "there are no VPC links");
    check.within("TimeoutInMillis", 50, MAX_TIMEOUT_MS);
    match check.literal("Type").as_deref() {
        Some("AWS_PROXY") => {
            check.required(&["Uri"]);
            check.only(
                "IntegrationHttpMethod",
                &["POST"],
                "functions are invoked by POST",
            );
            check.empty("RequestTemplates", "requests are not mapped");
            check.empty("ContentHandling", "bodies pass as they are");
            if let Some(uri) = check
                .literal("Uri")
                .filter(|uri| function_of_rest_uri(uri).is_none())
            {
                check.problem(&["Uri"], not_a_function(&uri));
            }
        }
        Some("MOCK") => {
            if let Some((path, message)) = mock::problem(check.properties()) {
                check.problem(&[path], message);
            }
        }
        Some(other) => {
            check.problem(
                &["Type"],
                format!("`{other}` is not supported yet: use AWS_PROXY or MOCK"),
            );
        }
        None => {}
    }
}

#[expect(clippy::cast_possible_truncation, reason = "29 seconds are 29,000 ms")]
const MAX_TIMEOUT_MS: i64 = limits::REST_INTEGRATION.as_millis() as i64;

fn not_a_function(uri: &str) -> String {
    format!("`{uri}` is not supported yet: only Lambda functions can be integrated")
}

fn plan(planning: &Planning<'_>) -> Result<Plan, ResourceError> {
    let Planning {
        state, properties, ..
    } = planning;
    let api = required_text(properties, "RestApiId")?;
    let resource_id = required_text(properties, "ResourceId")?;
    let Some(rest_api) = state.rest_api(&api) else {
        return Err(invalid(format!("REST API `{api}` does not exist")));
    };
    if resource_id != rest_api.root_resource_id && state.resource(&api, &resource_id).is_none() {
        return Err(invalid(format!(
            "resource `{resource_id}` does not exist in REST API `{api}`"
        )));
    }
    let http_method = required_text(properties, "HttpMethod")?;
    http_method
        .parse::<RouteMethod>()
        .map_err(|error| invalid(error.to_string()))?;
    let method = RestMethod {
        resource_id,
        http_method,
        integration: integration(properties)?,
    };
    let key = method_key(&api, &method);
    Ok(Plan::part(
        RecordKind::Method,
        api,
        key.id,
        Record::Method(method),
    ))
}

fn integration(properties: &Properties) -> Result<RestIntegration, ResourceError> {
    let Some(Value::Object(integration)) = properties.get("Integration") else {
        return Err(invalid("property `Integration` must be an object"));
    };
    match required_text(integration, "Type")?.as_str() {
        "AWS_PROXY" => lambda(integration).map(RestIntegration::Lambda),
        "MOCK" => {
            let mock = mock::parse(integration);
            mock.map(RestIntegration::Mock)
                .map_err(|(path, message)| invalid(format!("{path}: {message}")))
        }
        other => Err(invalid(format!(
            "integration type `{other}` is not supported yet"
        ))),
    }
}

fn lambda(integration: &Properties) -> Result<LambdaRecord, ResourceError> {
    let uri = required_text(integration, "Uri")?;
    let function = function_of_rest_uri(&uri).ok_or_else(|| invalid(not_a_function(&uri)))?;
    let timeout = optional_integer(integration, "TimeoutInMillis")?.unwrap_or(MAX_TIMEOUT_MS);
    if !(50..=MAX_TIMEOUT_MS).contains(&timeout) {
        return Err(invalid(format!(
            "TimeoutInMillis {timeout} is not from 50 to {MAX_TIMEOUT_MS}"
        )));
    }
    Ok(LambdaRecord {
        function: function.to_string(),
        payload_format: "1.0".to_owned(),
        timeout_ms: timeout.unsigned_abs(),
    })
}
