//! `AWS::ApiGateway::Deployment`: a copy of the API's methods, for a stage it may name itself.

use std::collections::BTreeMap;

use serde_json::Value;
use tradewind_model::resource::{
    Properties, PropertyProblem, ResourceError, optional_tags, optional_text, required_text,
};

use super::check::Check;
use super::{Definition, Plan, Planning, invalid, stage_name};
use crate::ids;
use crate::model::{Deployment, Record, RecordKind};

pub(super) const DEFINITION: Definition = Definition {
    name: "AWS::ApiGateway::Deployment",
    kind: RecordKind::Deployment,
    replaced_by: &["RestApiId"],
    accepted: ACCEPTED,
    refused: &[("", REFUSED), ("StageDescription", STAGE_REFUSED)],
    check,
    plan,
};

const ACCEPTED: &[&str] = &["Description", "RestApiId", "StageDescription", "StageName"];
const REFUSED: &[(&str, &str)] = &[("DeploymentCanarySettings", "traffic is not split")];

pub(super) const STAGE_REFUSED: &[(&str, &str)] = &[
    ("AccessLogSetting", "requests are not logged by the gateway"),
    ("AccessLogSettings", "requests are not logged by the gateway"),
    ("CacheClusterEnabled", "responses are not cached"),
    ("CacheClusterSize", "responses are not cached"),
    ("CacheDataEncrypted", "responses are not cached"),
    ("CacheTtlInSeconds", "responses are not cached"),
    ("CachingEnabled", "responses are not cached"),
    ("CanarySetting", "traffic is not split"),
    ("CanarySettings", "traffic is not split"),
    ("ClientCertificateId", "there are no client certificates"),
    ("DataTraceEnabled", "requests are not logged by the gateway"),
    ("LoggingLevel", "requests are not logged by the gateway"),
    (
        "MethodSettings",
        "methods are not throttled, cached or logged one by one",
    ),
    ("MetricsEnabled", "the gateway has no metrics of its own"),
    (
        "ThrottlingBurstLimit",
        "requests are not throttled by the gateway",
    ),
    ("ThrottlingRateLimit", "requests are not throttled by the gateway"),
];

fn check(properties: &Properties) -> Vec<PropertyProblem> {
    let mut check = Check::new(properties);
    check.known(ACCEPTED, REFUSED);
    check.required(&["RestApiId"]);
    check.nested("StageDescription", |stage| {
        stage.known(
            &[
                "Description",
                "DocumentationVersion",
                "Tags",
                "TracingEnabled",
                "Variables",
            ],
            STAGE_REFUSED,
        );
        stage.only("TracingEnabled", &["false"], "traces are not recorded");
    });
    check.finish()
}

fn plan(planning: &Planning<'_>) -> Result<Plan, ResourceError> {
    let Planning {
        state,
        owner,
        properties,
        ..
    } = planning;
    let api = required_text(properties, "RestApiId")?;
    let Some(rest_api) = state.rest_api(&api) else {
        return Err(invalid(format!("REST API `{api}` does not exist")));
    };
    let id = ids::part_id(owner);
    let last = state
        .deployments(&api)
        .map(|(_, deployment)| deployment.sequence)
        .max()
        .unwrap_or_default();
    // A deployment that is there already keeps its copy, whatever the methods are by now.
    let earlier = state.deployments(&api).find(|(other, _)| *other == id);
    let copied = earlier.map_or_else(
        || (last + 1, rest_api.binary_media_types.clone(), state.methods(&api)),
        |(_, deployment)| {
            (
                deployment.sequence,
                deployment.binary_media_types.clone(),
                deployment.methods.clone(),
            )
        },
    );
    let (sequence, binary_media_types, methods) = copied;
    if methods.is_empty() {
        return Err(invalid("The REST API doesn't contain any methods"));
    }
    let record = Deployment {
        sequence,
        stage_name: optional_text(properties, "StageName")?
            .map(stage_name)
            .transpose()?,
        stage_variables: stage_variables(properties)?,
        binary_media_types,
        methods,
    };
    let plan = Plan::part(
        RecordKind::Deployment,
        api,
        id.clone(),
        Record::Deployment(record),
    );
    Ok(plan.attribute("DeploymentId", id))
}

fn stage_variables(properties: &Properties) -> Result<BTreeMap<String, String>, ResourceError> {
    match properties.get("StageDescription") {
        Some(Value::Object(description)) => optional_tags(description, "Variables"),
        _ => Ok(BTreeMap::new()),
    }
}
