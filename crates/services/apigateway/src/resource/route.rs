//! `AWS::ApiGatewayV2::Route`: a method and path of an HTTP API, and its integration.

use tradewind_gateway::RouteKey;
use tradewind_model::resource::{Properties, PropertyProblem, ResourceError, required_text};

use super::check::Check;
use super::{Definition, Plan, Planning, invalid};
use crate::ids;
use crate::model::{HttpRoute, Record, RecordKind};

pub(super) const DEFINITION: Definition = Definition {
    name: "AWS::ApiGatewayV2::Route",
    kind: RecordKind::Route,
    replaced_by: &["ApiId"],
    accepted: ACCEPTED,
    refused: &[("", REFUSED)],
    check,
    plan,
};

const ACCEPTED: &[&str] = &[
    "ApiId",
    "ApiKeyRequired",
    "AuthorizationType",
    "OperationName",
    "RouteKey",
    "Target",
];
const REFUSED: &[(&str, &str)] = &[
    ("AuthorizationScopes", "authorizers are not enforced"),
    ("AuthorizerId", "authorizers are not enforced"),
    ("ModelSelectionExpression", "WebSocket APIs are not served"),
    ("RequestModels", "WebSocket APIs are not served"),
    ("RequestParameters", "WebSocket APIs are not served"),
    (
        "RouteResponseSelectionExpression",
        "WebSocket APIs are not served",
    ),
];

fn check(properties: &Properties) -> Vec<PropertyProblem> {
    let mut check = Check::new(properties);
    check.known(ACCEPTED, REFUSED);
    check.required(&["ApiId", "RouteKey", "Target"]);
    check.only("AuthorizationType", &["NONE"], "authorizers are not enforced");
    check.only("ApiKeyRequired", &["false"], "API keys are not enforced");
    if let Some(key) = check.literal("RouteKey")
        && let Err(error) = key.parse::<RouteKey>()
    {
        check.problem(&["RouteKey"], error.to_string());
    }
    check.finish()
}

fn plan(planning: &Planning<'_>) -> Result<Plan, ResourceError> {
    let Planning {
        state,
        owner,
        properties,
        ..
    } = planning;
    let api = required_text(properties, "ApiId")?;
    if state.http_api(&api).is_none() {
        return Err(invalid(format!("HTTP API `{api}` does not exist")));
    }
    let route_key = required_text(properties, "RouteKey")?;
    route_key
        .parse::<RouteKey>()
        .map_err(|error| invalid(error.to_string()))?;
    let id = ids::part_id(owner);
    if state
        .routes(&api)
        .any(|(other, route)| other != id && route.route_key == route_key)
    {
        return Err(invalid(format!(
            "Route with key {route_key} already exists for this API"
        )));
    }
    let target = required_text(properties, "Target")?;
    let integration = target.strip_prefix("integrations/");
    let Some(integration_id) = integration.filter(|id| state.integration(&api, id).is_some()) else {
        return Err(invalid(format!(
            "Target `{target}` is not an integration of HTTP API `{api}`"
        )));
    };
    let record = HttpRoute {
        route_key,
        integration_id: integration_id.to_owned(),
    };
    let plan = Plan::part(RecordKind::Route, api, id.clone(), Record::Route(record));
    Ok(plan.attribute("RouteId", id))
}
