//! `AWS::ApiGateway::Stage`: a name under which a deployment is served.

use tradewind_model::resource::{Properties, PropertyProblem, ResourceError, optional_tags, required_text};

use super::check::Check;
use super::deployment::STAGE_REFUSED;
use super::{Definition, Plan, Planning, invalid, stage_name};
use crate::model::{Record, RecordKind, RestStage};

pub(super) const DEFINITION: Definition = Definition {
    name: "AWS::ApiGateway::Stage",
    kind: RecordKind::Stage,
    replaced_by: &["RestApiId", "StageName"],
    accepted: ACCEPTED,
    refused: &[("", STAGE_REFUSED)],
    check,
    plan,
};

const ACCEPTED: &[&str] = &[
    "DeploymentId",
    "Description",
    "DocumentationVersion",
    "RestApiId",
    "StageName",
    "Tags",
    "TracingEnabled",
    "Variables",
];

fn check(properties: &Properties) -> Vec<PropertyProblem> {
    let mut check = Check::new(properties);
    check.known(ACCEPTED, STAGE_REFUSED);
    check.required(&["DeploymentId", "RestApiId", "StageName"]);
    check.only("TracingEnabled", &["false"], "traces are not recorded");
    check.finish()
}

fn plan(planning: &Planning<'_>) -> Result<Plan, ResourceError> {
    let Planning {
        state, properties, ..
    } = planning;
    let api = required_text(properties, "RestApiId")?;
    let deployment_id = required_text(properties, "DeploymentId")?;
    if !state.deployments(&api).any(|(id, _)| id == deployment_id) {
        return Err(invalid(format!(
            "deployment `{deployment_id}` does not exist in REST API `{api}`"
        )));
    }
    let name = stage_name(required_text(properties, "StageName")?)?;
    let variables = optional_tags(properties, "Variables")?;
    let record = RestStage {
        deployment_id,
        variables,
        tags: optional_tags(properties, "Tags")?,
    };
    Ok(Plan::part(RecordKind::Stage, api, name, Record::Stage(record)))
}
