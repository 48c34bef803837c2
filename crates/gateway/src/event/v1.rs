//! Format 1.0, of REST APIs and of HTTP APIs. They differ in more than `version`: REST APIs leave
//! paths percent-encoded and out of `path` the stage, HTTP APIs decode them and keep it in.

use super::EventInput;
use super::body;
use super::headers::{EventHeaders, Spelling};
use super::json::{Object, object, string};
use super::query::Query;
use super::time::write_request_time;
use crate::routing::decoded;

pub(crate) fn write_rest(input: &EventInput<'_>, out: &mut Vec<u8>) {
    object(out, |event| {
        event.text("resource", &input.route.path);
        event.text("path", input.path);
        write_request(input, Spelling::Rest, event);
        event.texts_or_null("pathParameters", input.parameters());
        write_stage_variables(input, event);
        event.object("requestContext", |context| {
            context.text("resourceId", &input.route.resource_id);
            write_context(input, &input.full_path(), context);
            context.text("requestId", input.identity.request.as_str());
            context.text("deploymentId", &input.stage.deployment_id);
            write_identity(input, context);
        });
        body::write_rest(input, event);
    });
}

pub(crate) fn write_http(input: &EventInput<'_>, out: &mut Vec<u8>) {
    let full_path = input.full_path();
    let path = decoded(&full_path);
    object(out, |event| {
        event.text("version", "1.0");
        event.text("resource", &input.route.path);
        event.text("path", &path);
        write_request(input, Spelling::HttpV1, event);
        write_decoded_parameters(input, event);
        write_stage_variables(input, event);
        event.object("requestContext", |context| {
            context.text("resourceId", &input.route.key);
            write_context(input, &path, context);
            context.text("requestId", &input.identity.extended);
            write_identity(input, context);
        });
        body::write_http_v1(input, event);
    });
}

fn write_request(input: &EventInput<'_>, spelling: Spelling, event: &mut Object<'_>) {
    event.text("httpMethod", input.parts.method.as_str());
    let headers = EventHeaders::new(input, spelling);
    headers.write_last(event);
    headers.write_multi(event);
    Query::parse(input.parts.uri.query()).write_v1(event);
}

fn write_decoded_parameters(input: &EventInput<'_>, event: &mut Object<'_>) {
    if input.captures.is_empty() {
        return event.null("pathParameters");
    }
    event.object("pathParameters", |object| {
        for (name, raw) in input.parameters() {
            string(object.escaped(name), &decoded(raw));
        }
    });
}

fn write_stage_variables(input: &EventInput<'_>, event: &mut Object<'_>) {
    let variables = input.stage.variables.iter();
    event.texts_or_null(
        "stageVariables",
        variables.map(|(name, value)| (name.as_str(), value.as_str())),
    );
}

fn write_context(input: &EventInput<'_>, path: &str, context: &mut Object<'_>) {
    context.text("resourcePath", &input.route.path);
    context.text("httpMethod", input.parts.method.as_str());
    context.text("extendedRequestId", &input.identity.extended);
    write_request_time(context.value("requestTime"), input.identity.now);
    context.text("path", path);
    context.text("accountId", input.account);
    context.text("protocol", input.protocol());
    context.text("stage", &input.stage.name);
    context.text("domainPrefix", &input.api.id);
    context.number("requestTimeEpoch", input.identity.now.as_millis());
    context.text("domainName", input.domain);
    context.text("apiId", &input.api.id);
}

fn write_identity(input: &EventInput<'_>, context: &mut Object<'_>) {
    context.object("identity", |identity| {
        for name in [
            "cognitoIdentityPoolId",
            "accountId",
            "cognitoIdentityId",
            "caller",
            "principalOrgId",
            "accessKey",
            "cognitoAuthenticationType",
            "cognitoAuthenticationProvider",
            "userArn",
            "user",
        ] {
            identity.null(name);
        }
        identity.text("sourceIp", &input.peer.to_string());
        identity.text_or_null("userAgent", input.user_agent());
    });
}
