//! `AWS::ApiGatewayV2::Api`: an HTTP API.

use tradewind_model::resource::{
    Properties, PropertyProblem, ResourceError, optional_bool, optional_tags, optional_text, required_text,
};

use super::check::Check;
use super::{Definition, Plan, Planning, cors};
use crate::ids;
use crate::model::{HttpApi, Record, RecordKey, RecordKind};

pub(super) const DEFINITION: Definition = Definition {
    name: "AWS::ApiGatewayV2::Api",
    kind: RecordKind::HttpApi,
    replaced_by: &["ProtocolType"],
    accepted: ACCEPTED,
    refused: &[("", REFUSED)],
    check,
    plan,
};

const ACCEPTED: &[&str] = &[
    "CorsConfiguration",
    "Description",
    "DisableExecuteApiEndpoint",
    "FailOnWarnings",
    "IpAddressType",
    "Name",
    "ProtocolType",
    "RouteSelectionExpression",
    "Tags",
    "Version",
];
const OPENAPI: &str = "declare routes and integrations instead of an OpenAPI document";
const QUICK_CREATE: &str = "declare routes and integrations instead of a quick create";
const REFUSED: &[(&str, &str)] = &[
    ("ApiKeySelectionExpression", "WebSocket APIs are not served"),
    ("BasePath", OPENAPI),
    ("Body", OPENAPI),
    ("BodyS3Location", OPENAPI),
    ("CredentialsArn", QUICK_CREATE),
    ("DisableSchemaValidation", "WebSocket APIs are not served"),
    ("RouteKey", QUICK_CREATE),
    ("Target", QUICK_CREATE),
];

fn check(properties: &Properties) -> Vec<PropertyProblem> {
    let mut check = Check::new(properties);
    check.known(ACCEPTED, REFUSED);
    check.required(&["Name", "ProtocolType"]);
    check.only("ProtocolType", &["HTTP"], "WebSocket APIs are not served");
    let expression = [
        "$request.method $request.path",
        "${request.method} ${request.path}",
    ];
    check.only(
        "RouteSelectionExpression",
        &expression,
        "HTTP APIs select by method and path",
    );
    check.nested("CorsConfiguration", cors::check);
    check.finish()
}

fn plan(planning: &Planning<'_>) -> Result<Plan, ResourceError> {
    let Planning {
        owner,
        properties,
        base_domain,
        ..
    } = planning;
    let record = HttpApi {
        name: required_text(properties, "Name")?,
        description: optional_text(properties, "Description")?,
        cors: cors::parse(properties)?,
        endpoint_disabled: optional_bool(properties, "DisableExecuteApiEndpoint")?.unwrap_or_default(),
        tags: optional_tags(properties, "Tags")?,
    };
    let id = ids::api_id(owner);
    let endpoint = format!("http://{id}.execute-api.{base_domain}");
    Ok(Plan::api(
        RecordKey::of_api(RecordKind::HttpApi, &id),
        Record::HttpApi(record),
    )
    .attribute("ApiId", id)
    .attribute("ApiEndpoint", endpoint))
}
