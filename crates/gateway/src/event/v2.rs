//! Format 2.0, of HTTP APIs: what is not there is left out, and paths are decoded (only
//! `rawQueryString` is raw).

use super::EventInput;
use super::body;
use super::headers::{EventHeaders, Spelling, write_cookies};
use super::json::{Object, object, string};
use super::query::Query;
use super::time::write_request_time;
use crate::routing::decoded;
use tradewind_wire::Caller;

pub(crate) fn write(input: &EventInput<'_>, out: &mut Vec<u8>) {
    let full_path = input.full_path();
    let path = decoded(&full_path);
    let raw_query = input.parts.uri.query();
    object(out, |event| {
        event.text("version", "2.0");
        event.text("routeKey", &input.route.key);
        event.text("rawPath", &path);
        event.text("rawQueryString", raw_query.unwrap_or_default());
        write_cookies(event, &input.parts.headers);
        EventHeaders::new(input, Spelling::Lower).write_joined(event);
        Query::parse(raw_query).write_v2(event);
        event.object("requestContext", |context| write_context(input, &path, context));
        write_parameters(input, event);
        write_stage_variables(input, event);
        body::write_v2(input, event);
    });
}

fn write_context(input: &EventInput<'_>, path: &str, context: &mut Object<'_>) {
    context.text("accountId", input.account);
    context.text("apiId", &input.api.id);
    if let Some(signer) = input.signer {
        write_signer(signer, context);
    }
    context.text("domainName", input.domain);
    context.text("domainPrefix", &input.api.id);
    context.object("http", |http| {
        http.text("method", input.parts.method.as_str());
        http.text("path", path);
        http.text("protocol", input.protocol());
        http.text("sourceIp", &input.peer.to_string());
        http.text("userAgent", input.user_agent().unwrap_or_default());
    });
    context.text("requestId", &input.identity.extended);
    context.text("routeKey", &input.route.key);
    context.text("stage", &input.stage.name);
    write_request_time(context.value("time"), input.identity.now);
    context.number("timeEpoch", input.identity.now.as_millis());
}

/// Who signed the request to a function URL (Developer Guide, "Invoking Lambda function URLs").
fn write_signer(signer: &Caller, context: &mut Object<'_>) {
    let account = signer.account.as_str();
    context.object("authorizer", |authorizer| {
        authorizer.object("iam", |iam| {
            iam.text("accessKey", signer.access_key.as_deref().unwrap_or_default());
            iam.text("accountId", account);
            iam.text("callerId", account);
            iam.text("userArn", &format!("arn:aws:iam::{account}:root"));
            iam.text("userId", account);
        });
    });
}

fn write_parameters(input: &EventInput<'_>, event: &mut Object<'_>) {
    if input.captures.is_empty() {
        return;
    }
    event.object("pathParameters", |object| {
        for (name, raw) in input.parameters() {
            string(object.escaped(name), &decoded(raw));
        }
    });
}

fn write_stage_variables(input: &EventInput<'_>, event: &mut Object<'_>) {
    if input.stage.variables.is_empty() {
        return;
    }
    event.object("stageVariables", |object| {
        for (name, value) in &input.stage.variables {
            string(object.escaped(name), value);
        }
    });
}
