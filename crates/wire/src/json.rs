//! Errors of the two JSON protocols: REST-JSON (Lambda, API Gateway) and awsJson 1.0 and 1.1.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response};
use serde_json::{Map, Value};
use tradewind_model::RequestId;

use crate::error::{insert_request_id, respond};
use crate::{Body, Fault, WireError};

/// A REST-JSON error: the code in `x-amzn-ErrorType`, the text under `message` and `Message`
/// (services differ, clients read either), and `Type` `User` or `Service`.
#[must_use]
pub fn rest_json_error(error: &WireError, request_id: &RequestId) -> Response<Body> {
    let origin = match error.fault {
        Fault::Sender => "User",
        Fault::Receiver => "Service",
    };
    let mut shape = Map::new();
    shape.insert("Type".into(), origin.into());
    shape.insert("message".into(), error.message.as_str().into());
    shape.insert("Message".into(), error.message.as_str().into());
    add_fields(&mut shape, error);
    let body = Value::Object(shape).to_string();
    let mut response = respond(error, "application/json", "x-amzn-requestid", request_id, body);
    if let Ok(code) = HeaderValue::from_str(&error.code) {
        let name = HeaderName::from_static("x-amzn-errortype");
        response.headers_mut().insert(name, code);
    }
    response
}

/// An awsJson error of `version` `1.0` or `1.1`: the code under `__type`, the text under `message`.
#[must_use]
pub fn aws_json_error(version: &str, error: &WireError, request_id: &RequestId) -> Response<Body> {
    let content_type = aws_json_type(version);
    let mut shape = Map::new();
    shape.insert("__type".into(), error.code.as_ref().into());
    shape.insert("message".into(), error.message.as_str().into());
    add_fields(&mut shape, error);
    let body = Value::Object(shape).to_string();
    respond(error, content_type, "x-amzn-requestid", request_id, body)
}

/// The answer of an awsJson operation of `version` `1.0` or `1.1`; `body` is JSON.
#[must_use]
pub fn aws_json_response(version: &str, body: impl Into<Bytes>, request_id: &RequestId) -> Response<Body> {
    let mut response = Response::new(Body::full(body));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(aws_json_type(version));
    headers.insert(http::header::CONTENT_TYPE, content_type);
    insert_request_id(headers, "x-amzn-requestid", request_id);
    response
}

fn aws_json_type(version: &str) -> &'static str {
    match version {
        "1.0" => "application/x-amz-json-1.0",
        _ => "application/x-amz-json-1.1",
    }
}

fn add_fields(shape: &mut Map<String, Value>, error: &WireError) {
    for (name, value) in &error.fields {
        shape.insert(name.clone().into_owned(), value.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_body;

    async fn json_of(response: Response<Body>) -> Value {
        let bytes = read_body(response.into_body(), 10_000).await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn rest_json_names_the_code_in_a_header() {
        let error = WireError::new(404, "ResourceNotFoundException", "Function not found: f");
        let response = rest_json_error(&error, &RequestId::from("r"));
        assert_eq!(response.status(), 404);
        assert_eq!(
            response.headers()["x-amzn-errortype"],
            "ResourceNotFoundException"
        );
        assert_eq!(response.headers()["x-amzn-requestid"], "r");
        assert_eq!(response.headers()["content-type"], "application/json");
        let body = json_of(response).await;
        assert_eq!(body["Type"], "User");
        assert_eq!(body["message"], "Function not found: f");
        assert_eq!(body["Message"], body["message"]);
    }

    #[tokio::test]
    async fn fields_of_the_shape_are_kept() {
        let error = WireError::new(429, "TooManyRequestsException", "Rate Exceeded.")
            .with_field("Reason", "ReservedFunctionConcurrentInvocationLimitExceeded");
        let body = json_of(rest_json_error(&error, &RequestId::from("r"))).await;
        assert_eq!(
            body["Reason"],
            "ReservedFunctionConcurrentInvocationLimitExceeded"
        );
    }

    #[tokio::test]
    async fn aws_json_names_the_code_in_the_body() {
        let error = WireError::new(400, "ValidationException", "no");
        let response = aws_json_error("1.0", &error, &RequestId::from("r"));
        assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.0");
        assert_eq!(json_of(response).await["__type"], "ValidationException");
    }

    #[tokio::test]
    async fn aws_json_answers_in_its_version() {
        let response = aws_json_response("1.1", "{}", &RequestId::from("r"));
        assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
        assert_eq!(response.headers()["x-amzn-requestid"], "r");
        assert_eq!(json_of(response).await, serde_json::json!({}));
    }
}
