//! `AWS::ApiGateway::Resource`: one segment of a path.

use tradewind_gateway::RoutePath;
use tradewind_model::resource::{Properties, PropertyProblem, ResourceError, required_text};

use super::check::Check;
use super::{Definition, Plan, Planning, invalid};
use crate::ids;
use crate::model::{Record, RecordKind, RestResource};

pub(super) const DEFINITION: Definition = Definition {
    name: "AWS::ApiGateway::Resource",
    kind: RecordKind::Resource,
    replaced_by: &["ParentId", "PathPart", "RestApiId"],
    accepted: PROPERTIES,
    refused: &[],
    check,
    plan,
};

const PROPERTIES: &[&str] = &["ParentId", "PathPart", "RestApiId"];

fn check(properties: &Properties) -> Vec<PropertyProblem> {
    let mut check = Check::new(properties);
    check.known(PROPERTIES, &[]);
    check.required(PROPERTIES);
    if let Some(part) = check.literal("PathPart")
        && let Err(message) = path_part(part)
    {
        check.problem(&["PathPart"], message);
    }
    check.finish()
}

fn path_part(part: String) -> Result<String, String> {
    match format!("/{part}").parse::<RoutePath>() {
        Ok(path) if path.segments().len() == 1 && !part.is_empty() => Ok(part),
        Ok(_) => Err(format!("`{part}` is not one segment of a path")),
        Err(error) => Err(error.to_string()),
    }
}

fn plan(planning: &Planning<'_>) -> Result<Plan, ResourceError> {
    let Planning {
        state,
        owner,
        properties,
        ..
    } = planning;
    let api = required_text(properties, "RestApiId")?;
    let parent_id = required_text(properties, "ParentId")?;
    let Some(rest_api) = state.rest_api(&api) else {
        return Err(invalid(format!("REST API `{api}` does not exist")));
    };
    if parent_id != rest_api.root_resource_id && state.resource(&api, &parent_id).is_none() {
        return Err(invalid(format!(
            "parent resource `{parent_id}` does not exist in REST API `{api}`"
        )));
    }
    let path_part = path_part(required_text(properties, "PathPart")?).map_err(invalid)?;
    let id = ids::part_id(owner);
    let record = Record::Resource(RestResource { parent_id, path_part });
    Ok(Plan::part(RecordKind::Resource, api, id.clone(), record).attribute("ResourceId", id))
}
