//! The mock integration, as far as CORS preflights use it: a status in the request template, fixed
//! headers, and the response template that echoes the caller's origin. Other templates are refused.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tradewind_model::resource::is_intrinsic;

use crate::model::MockRecord;
use crate::state;

/// A property below `Integration` and what is wrong with it.
type Problem = (&'static str, String);

/// What `parse` would refuse, unless something is not known yet.
pub(super) fn problem(integration: &Map<String, Value>) -> Option<Problem> {
    let unknown = |name: &str| integration.get(name).is_some_and(has_intrinsic);
    if unknown("RequestTemplates") || unknown("IntegrationResponses") {
        return None;
    }
    parse(integration).err()
}

fn has_intrinsic(value: &Value) -> bool {
    is_intrinsic(value)
        || match value {
            Value::Array(items) => items.iter().any(has_intrinsic),
            Value::Object(map) => map.values().any(has_intrinsic),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        }
}

pub(super) fn parse(integration: &Map<String, Value>) -> Result<MockRecord, Problem> {
    let chosen = chosen_status(integration).map_err(|message| ("RequestTemplates", message))?;
    let answer = || -> Result<MockRecord, String> {
        let response = default_response(integration, chosen)?;
        let record = MockRecord {
            status: chosen,
            headers: headers(response)?,
            origins: origins(response)?,
        };
        state::mock(&record)?;
        Ok(record)
    };
    answer().map_err(|message| ("IntegrationResponses", message))
}

/// The number in the `{statusCode:200}` of the request template.
fn chosen_status(integration: &Map<String, Value>) -> Result<u16, String> {
    let template = integration
        .get("RequestTemplates")
        .and_then(|templates| templates.get("application/json"));
    let template = template.and_then(Value::as_str).unwrap_or_default();
    let compact: String = template
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '"' && *c != '\'')
        .collect();
    let digits = compact
        .strip_prefix("{statusCode:")
        .and_then(|rest| rest.strip_suffix('}'));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| "the template for `application/json` must be `{\"statusCode\": N}`".to_owned())
}

fn default_response(integration: &Map<String, Value>, status: u16) -> Result<&Map<String, Value>, String> {
    let responses = integration.get("IntegrationResponses").and_then(Value::as_array);
    let with_status = |response: &&Map<String, Value>| match response.get("StatusCode") {
        Some(Value::String(text)) => *text == status.to_string(),
        Some(Value::Number(number)) => number.as_u64() == Some(u64::from(status)),
        _ => false,
    };
    let mut objects = responses.into_iter().flatten().filter_map(Value::as_object);
    objects
        .find(with_status)
        .ok_or_else(|| format!("there is no response for status {status}"))
}

fn headers(response: &Map<String, Value>) -> Result<BTreeMap<String, String>, String> {
    let Some(Value::Object(parameters)) = response.get("ResponseParameters") else {
        return Ok(BTreeMap::new());
    };
    let header = |(target, source): (&String, &Value)| {
        let name = target.strip_prefix("method.response.header.");
        let value = source
            .as_str()
            .and_then(|text| text.strip_prefix('\'')?.strip_suffix('\''));
        match (name, value) {
            (Some(name), Some(value)) => Ok((name.to_owned(), value.to_owned())),
            _ => Err(format!(
                "`{target}`: only headers with a fixed value in quotes are supported yet"
            )),
        }
    };
    parameters.iter().map(header).collect()
}

/// The origins of the response template that osls and the Serverless Framework write for several
/// allowed origins.
fn origins(response: &Map<String, Value>) -> Result<Vec<String>, String> {
    let templates = response.get("ResponseTemplates").and_then(Value::as_object);
    let texts = templates
        .into_iter()
        .flat_map(Map::values)
        .filter_map(Value::as_str);
    let mut origins = Vec::new();
    for text in texts.filter(|text| !text.trim().is_empty()) {
        origins.extend(origins_of(text).ok_or("response templates are not supported yet")?);
    }
    Ok(origins)
}

fn origins_of(template: &str) -> Option<Vec<String>> {
    const BEFORE: &str = r##"#set($origin=$input.params("Origin"))#if($origin=="")#set($origin=$input.params("origin"))#end#if("##;
    const AFTER: &str = ")#set($context.responseOverride.header.Access-Control-Allow-Origin=$origin)#end";
    let compact: String = template.chars().filter(|c| !c.is_whitespace()).collect();
    let conditions = compact.strip_prefix(BEFORE)?.strip_suffix(AFTER)?;
    let origin = |condition: &str| {
        let regex = condition
            .strip_prefix("$origin.matches(\"")?
            .strip_suffix("\")")?;
        Some(regex.to_owned())
    };
    conditions.split("||").map(origin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn integration(response: Value) -> Map<String, Value> {
        let value = json!({
            "Type": "MOCK",
            "RequestTemplates": {"application/json": "{statusCode:200}"},
            "IntegrationResponses": [response],
        });
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_preflight_of_the_framework_is_understood() {
        let template = "#set($origin = $input.params(\"Origin\"))\n#if($origin == \"\") #set($origin = $input.params(\"origin\")) #end\n#if($origin.matches(\"https://a[.]shop\") || $origin.matches(\"https://.+[.]b\")) #set($context.responseOverride.header.Access-Control-Allow-Origin = $origin) #end";
        let record = parse(&integration(json!({
            "StatusCode": "200",
            "ResponseParameters": {
                "method.response.header.Access-Control-Allow-Origin": "'https://a.shop'",
                "method.response.header.Access-Control-Allow-Methods": "'OPTIONS,GET'",
            },
            "ResponseTemplates": {"application/json": template},
        })))
        .unwrap();
        assert_eq!(record.status, 200);
        assert_eq!(record.headers["Access-Control-Allow-Methods"], "OPTIONS,GET");
        assert_eq!(record.origins, ["https://a[.]shop", "https://.+[.]b"]);
    }

    #[test]
    fn a_preflight_for_one_origin_has_an_empty_template() {
        let response = json!({"StatusCode": 200, "ResponseTemplates": {"application/json": ""}});
        assert_eq!(
            parse(&integration(response)).unwrap().origins,
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for response in [
            json!({"StatusCode": "204"}),
            json!({"StatusCode": "200", "ResponseTemplates": {"application/json": "{\"a\":1}"}}),
            json!({"StatusCode": "200", "ResponseParameters": {"method.response.header.X": "context.requestId"}}),
            json!({"StatusCode": "200", "ResponseParameters": {"method.response.header.X Y": "'1'"}}),
        ] {
            let (path, _message) = parse(&integration(response.clone())).unwrap_err();
            assert_eq!(path, "IntegrationResponses", "{response}");
        }
        let mut without = integration(json!({"StatusCode": "200"}));
        without.remove("RequestTemplates");
        assert_eq!(parse(&without).unwrap_err().0, "RequestTemplates");
    }

    #[test]
    fn what_is_not_known_yet_passes_the_check() {
        let response = json!({"StatusCode": "200", "ResponseParameters": {"method.response.header.X": {"Fn::Sub": "'${A}'"}}});
        assert_eq!(problem(&integration(response)), None);
    }
}
