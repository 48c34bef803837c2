//! `AWS::ApiGatewayV2::Integration`: a function behind routes of an HTTP API.

use tradewind_model::limits;
use tradewind_model::resource::{
    Properties, PropertyProblem, ResourceError, optional_integer, required_text,
};

use super::check::Check;
use super::{Definition, Plan, Planning, invalid};
use crate::ids;
use crate::model::{LambdaRecord, Record, RecordKind};
use crate::uri::function_of_http_uri;

pub(super) const DEFINITION: Definition = Definition {
    name: "AWS::ApiGatewayV2::Integration",
    kind: RecordKind::Integration,
    replaced_by: &["ApiId"],
    accepted: ACCEPTED,
    refused: &[("", REFUSED)],
    check,
    plan,
};

const ACCEPTED: &[&str] = &[
    "ApiId",
    "ConnectionType",
    "Description",
    "IntegrationMethod",
    "IntegrationType",
    "IntegrationUri",
    "PayloadFormatVersion",
    "TimeoutInMillis",
];
const WEBSOCKET: &str = "WebSocket APIs are not served";
const REFUSED: &[(&str, &str)] = &[
    ("ConnectionId", "there are no VPC links"),
    ("ContentHandlingStrategy", WEBSOCKET),
    ("CredentialsArn", "functions are invoked by their permissions"),
    ("IntegrationSubtype", "only Lambda functions can be integrated"),
    ("PassthroughBehavior", WEBSOCKET),
    ("RequestParameters", "request parameters are not mapped"),
    ("RequestTemplates", WEBSOCKET),
    ("ResponseParameters", "response parameters are not mapped"),
    ("TemplateSelectionExpression", WEBSOCKET),
    ("TlsConfig", "there are no VPC links"),
];

#[expect(clippy::cast_possible_truncation, reason = "30 seconds are 30,000 ms")]
const MAX_TIMEOUT_MS: i64 = limits::HTTP_INTEGRATION.as_millis() as i64;

fn check(properties: &Properties) -> Vec<PropertyProblem> {
    let mut check = Check::new(properties);
    check.known(ACCEPTED, REFUSED);
    check.required(&[
        "ApiId",
        "IntegrationType",
        "IntegrationUri",
        "PayloadFormatVersion",
    ]);
    check.only(
        "IntegrationType",
        &["AWS_PROXY"],
        "only Lambda functions can be integrated",
    );
    check.only("IntegrationMethod", &["POST"], "functions are invoked by POST");
    check.only("ConnectionType", &["INTERNET"], "there are no VPC links");
    check.only(
        "PayloadFormatVersion",
        &["1.0", "2.0", "1", "2"],
        "there are the formats 1.0 and 2.0",
    );
    check.within("TimeoutInMillis", 50, MAX_TIMEOUT_MS);
    if let Some(uri) = check
        .literal("IntegrationUri")
        .filter(|uri| function_of_http_uri(uri).is_none())
    {
        check.problem(&["IntegrationUri"], not_a_function(&uri));
    }
    check.finish()
}

fn not_a_function(uri: &str) -> String {
    format!("`{uri}` is not supported yet: only Lambda functions can be integrated")
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
    let uri = required_text(properties, "IntegrationUri")?;
    let function = function_of_http_uri(&uri).ok_or_else(|| invalid(not_a_function(&uri)))?;
    let timeout = optional_integer(properties, "TimeoutInMillis")?.unwrap_or(MAX_TIMEOUT_MS);
    if !(50..=MAX_TIMEOUT_MS).contains(&timeout) {
        return Err(invalid(format!(
            "TimeoutInMillis {timeout} is not from 50 to {MAX_TIMEOUT_MS}"
        )));
    }
    let record = LambdaRecord {
        function: function.to_string(),
        payload_format: payload_format(required_text(properties, "PayloadFormatVersion")?),
        timeout_ms: timeout.unsigned_abs(),
    };
    let id = ids::part_id(owner);
    let plan = Plan::part(
        RecordKind::Integration,
        api,
        id.clone(),
        Record::Integration(record),
    );
    Ok(plan.attribute("IntegrationId", id))
}

/// YAML reads an unquoted 2.0 as a number, which prints without its zero.
fn payload_format(text: String) -> String {
    match text.as_str() {
        "1" => "1.0".to_owned(),
        "2" => "2.0".to_owned(),
        _ => text,
    }
}
