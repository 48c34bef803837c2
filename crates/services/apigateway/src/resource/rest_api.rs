//! `AWS::ApiGateway::RestApi`

use tradewind_model::resource::{
    Properties, PropertyProblem, ResourceError, optional_bool, optional_tags, optional_text, required_text,
};

use super::check::Check;
use super::{Definition, Plan, Planning, texts};
use crate::ids;
use crate::model::{Record, RecordKey, RecordKind, RestApi};

pub(super) const DEFINITION: Definition = Definition {
    name: "AWS::ApiGateway::RestApi",
    kind: RecordKind::RestApi,
    replaced_by: &[],
    accepted: ACCEPTED,
    refused: &[
        ("", REFUSED),
        ("", &[POLICY]),
        ("EndpointConfiguration", ENDPOINT_REFUSED),
    ],
    check,
    plan,
};

const ACCEPTED: &[&str] = &[
    "Name",
    "Description",
    "BinaryMediaTypes",
    "DisableExecuteApiEndpoint",
    "EndpointConfiguration",
    "FailOnWarnings",
    "Policy",
    "Tags",
];
const OPENAPI: &str = "declare resources and methods instead of an OpenAPI document";
const REFUSED: &[(&str, &str)] = &[
    ("ApiKeySourceType", "API keys are not enforced"),
    ("Body", OPENAPI),
    ("BodyS3Location", OPENAPI),
    ("CloneFrom", OPENAPI),
    ("Mode", OPENAPI),
    ("Parameters", OPENAPI),
    ("MinimumCompressionSize", "responses are not compressed"),
];
/// An empty one asks for nothing.
const POLICY: (&str, &str) = ("Policy", "requests are not authorised by resource policies");
const ENDPOINT_REFUSED: &[(&str, &str)] = &[("VpcEndpointIds", "there are no VPC endpoints")];

fn check(properties: &Properties) -> Vec<PropertyProblem> {
    let mut check = Check::new(properties);
    check.known(ACCEPTED, REFUSED);
    check.required(&["Name"]);
    check.empty(POLICY.0, POLICY.1);
    check.nested("EndpointConfiguration", |endpoint| {
        endpoint.known(&["Types", "IpAddressType"], ENDPOINT_REFUSED);
        let types = endpoint
            .properties()
            .get("Types")
            .and_then(|types| types.as_array());
        if types.is_some_and(|types| types.iter().any(|text| text == "PRIVATE")) {
            endpoint.problem(
                &["Types"],
                "`PRIVATE` is not supported yet: there are no VPC endpoints",
            );
        }
    });
    check.finish()
}

fn plan(planning: &Planning<'_>) -> Result<Plan, ResourceError> {
    let Planning {
        owner, properties, ..
    } = planning;
    let root_resource_id = ids::root_resource_id(owner);
    let record = RestApi {
        name: required_text(properties, "Name")?,
        description: optional_text(properties, "Description")?,
        root_resource_id: root_resource_id.clone(),
        binary_media_types: texts(properties, "BinaryMediaTypes")?,
        endpoint_disabled: optional_bool(properties, "DisableExecuteApiEndpoint")?.unwrap_or_default(),
        tags: optional_tags(properties, "Tags")?,
    };
    let id = ids::api_id(owner);
    Ok(Plan::api(
        RecordKey::of_api(RecordKind::RestApi, &id),
        Record::RestApi(record),
    )
    .attribute("RestApiId", id)
    .attribute("RootResourceId", root_resource_id))
}
