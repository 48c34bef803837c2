//! One error for all protocols, and the choice of the protocol that words it.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, Response};
use serde_json::Value;
use tradewind_model::RequestId;

use crate::{Body, Protocol, aws_json_error, query_error, rest_json_error, rest_xml_error};

/// Whose mistake an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller's: repeating the same request will not help.
    Sender,
    /// The service's: the request may be repeated.
    Receiver,
}

/// An error as a client sees it: AWS's code and text with an HTTP status.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code} ({status}): {message}")]
pub struct WireError {
    /// The HTTP status, 400 to 599.
    pub status: u16,
    /// AWS's name of the error, for example `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// What the client's user reads.
    pub message: String,
    /// Whose mistake it is.
    pub fault: Fault,
    /// Further members of the error's shape, for example `Reason`; in the JSON protocols only.
    pub fields: Vec<(Cow<'static, str>, Value)>,
    /// Further headers, for example `Retry-After`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl WireError {
    /// An error that is the sender's fault below status 500, and the receiver's from there on.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let fault = if status < 500 {
            Fault::Sender
        } else {
            Fault::Receiver
        };
        Self {
            status,
            code: code.into(),
            message: message.into(),
            fault,
            fields: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// The same error with one more member.
    #[must_use]
    pub fn with_field(mut self, name: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.fields.push((name.into(), value.into()));
        self
    }

    /// The same error with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The answer that the protocol lacks for an operation that is known but not there yet.
    #[must_use]
    pub fn not_implemented(service: &str, operation: &str) -> Self {
        let message = format!("the operation `{operation}` of `{service}` is not implemented by this node");
        Self::new(501, "NotImplemented", message)
    }
}

/// The error in the words of `protocol`. `namespace` is the XML namespace of the query protocol.
#[must_use]
pub fn error_response(
    protocol: Protocol,
    namespace: &str,
    error: &WireError,
    request_id: &RequestId,
) -> Response<Body> {
    match protocol {
        Protocol::RestJson => rest_json_error(error, request_id),
        Protocol::Json10 => aws_json_error("1.0", error, request_id),
        Protocol::Json11 => aws_json_error("1.1", error, request_id),
        Protocol::Query => query_error(error, namespace, request_id),
        Protocol::RestXml => rest_xml_error(error, None, request_id),
    }
}

/// An answer with the error's status and headers, the request id under `id_header`, and a body.
pub(crate) fn respond(
    error: &WireError,
    content_type: &'static str,
    id_header: &'static str,
    request_id: &RequestId,
    body: String,
) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() =
        http::StatusCode::from_u16(error.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    insert_request_id(headers, id_header, request_id);
    for (name, value) in &error.headers {
        headers.append(name, value.clone());
    }
    response
}

/// Adds the request id; one that no header may carry is left out.
pub(crate) fn insert_request_id(headers: &mut http::HeaderMap, name: &'static str, id: &RequestId) {
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_decides_whose_fault_it_is() {
        assert_eq!(WireError::new(429, "X", "m").fault, Fault::Sender);
        assert_eq!(WireError::new(500, "X", "m").fault, Fault::Receiver);
    }

    #[test]
    fn every_protocol_keeps_status_headers_and_request_id() {
        let retry = (http::header::RETRY_AFTER, HeaderValue::from_static("1"));
        let error = WireError::new(429, "TooManyRequestsException", "slow").with_header(retry.0, retry.1);
        for protocol in [
            Protocol::RestJson,
            Protocol::Json10,
            Protocol::Json11,
            Protocol::Query,
            Protocol::RestXml,
        ] {
            let response = error_response(protocol, "urn:x", &error, &RequestId::from("id-1"));
            assert_eq!(response.status(), 429, "{protocol:?}");
            assert_eq!(response.headers()["retry-after"], "1", "{protocol:?}");
            let ids = ["x-amzn-requestid", "x-amz-request-id"];
            assert!(
                ids.iter()
                    .any(|id| response.headers().get(*id).is_some_and(|v| v == "id-1"))
            );
        }
    }
}
