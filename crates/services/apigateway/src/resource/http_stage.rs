//! `AWS::ApiGatewayV2::Stage`, deployed automatically.

use tradewind_model::resource::{
    Properties, PropertyProblem, ResourceError, optional_bool, optional_tags, required_text,
};

use super::check::Check;
use super::{Definition, Plan, Planning, invalid, stage_name};
use crate::model::{HttpStage, Record, RecordKind};

pub(super) const DEFINITION: Definition = Definition {
    name: "AWS::ApiGatewayV2::Stage",
    kind: RecordKind::HttpStage,
    replaced_by: &["ApiId", "StageName"],
    accepted: ACCEPTED,
    refused: &[("", REFUSED), ("DefaultRouteSettings", SETTINGS_REFUSED)],
    check,
    plan,
};

const ACCEPTED: &[&str] = &[
    "ApiId",
    "AutoDeploy",
    "DefaultRouteSettings",
    "Description",
    "StageName",
    "StageVariables",
    "Tags",
];
const REFUSED: &[(&str, &str)] = &[
    ("AccessLogSettings", "requests are not logged by the gateway"),
    ("AccessPolicyId", "requests are not authorised by policies"),
    ("ClientCertificateId", "there are no client certificates"),
    ("DeploymentId", "HTTP APIs deploy automatically; set AutoDeploy"),
    ("RouteSettings", "routes are not throttled or measured one by one"),
];
const SETTINGS_REFUSED: &[(&str, &str)] = &[
    ("DataTraceEnabled", "WebSocket APIs are not served"),
    ("LoggingLevel", "WebSocket APIs are not served"),
    (
        "ThrottlingBurstLimit",
        "requests are not throttled by the gateway",
    ),
    ("ThrottlingRateLimit", "requests are not throttled by the gateway"),
];
const AUTO_DEPLOY: &str = "HTTP APIs deploy automatically; set AutoDeploy to true";

fn check(properties: &Properties) -> Vec<PropertyProblem> {
    let mut check = Check::new(properties);
    check.known(ACCEPTED, REFUSED);
    check.required(&["ApiId", "AutoDeploy", "StageName"]);
    check.only("AutoDeploy", &["true"], AUTO_DEPLOY);
    check.nested("DefaultRouteSettings", |settings| {
        settings.known(&["DetailedMetricsEnabled"], SETTINGS_REFUSED);
        settings.only(
            "DetailedMetricsEnabled",
            &["false"],
            "the gateway has no metrics of its own",
        );
    });
    check.finish()
}

fn plan(planning: &Planning<'_>) -> Result<Plan, ResourceError> {
    let Planning {
        state, properties, ..
    } = planning;
    let api = required_text(properties, "ApiId")?;
    if state.http_api(&api).is_none() {
        return Err(invalid(format!("HTTP API `{api}` does not exist")));
    }
    if optional_bool(properties, "AutoDeploy")? != Some(true) {
        return Err(invalid(AUTO_DEPLOY));
    }
    let name = match required_text(properties, "StageName")? {
        name if name == "$default" => name,
        name => stage_name(name)?,
    };
    let variables = optional_tags(properties, "StageVariables")?;
    let record = HttpStage {
        variables,
        tags: optional_tags(properties, "Tags")?,
    };
    Ok(Plan::part(
        RecordKind::HttpStage,
        api,
        name,
        Record::HttpStage(record),
    ))
}
