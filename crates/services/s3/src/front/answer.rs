//! Answers on their way out: request ids, errors in full, no body where none may be.

use std::pin::Pin;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use http_body::Body as _;
use s3s::S3Error;
use tradewind_model::RequestId;
use tradewind_wire::{Body, escape_xml};

use super::bucket_of;
use crate::refusal::internal;

/// What an answer repeats of its request.
#[derive(Debug)]
pub(super) struct Asked {
    head: bool,
    bucket: Option<String>,
    key: Option<String>,
    resource: String,
}

impl Asked {
    pub(super) fn of(parts: &Parts) -> Self {
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8_lossy()
                .into_owned()
        };
        let mut style = parts.uri.path();
        let bucket = bucket_of(parts);
        let path_style = format!("/{}", bucket.as_deref().unwrap_or_default());
        if let Some(rest) = style.strip_prefix(&path_style) {
            style = rest;
        }
        let key = style.strip_prefix('/').filter(|key| !key.is_empty());
        Self {
            head: parts.method == Method::HEAD,
            key: key.map(decode),
            resource: parts.uri.path().to_owned(),
            bucket,
        }
    }
}

/// An answer whose errors are pages for people, not XML for programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct AsItIs;

/// The answer of s3s as the node sends it.
pub(super) fn finish(response: s3s::HttpResponse, asked: &Asked) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let id = RequestId::random().as_str().replace('-', "").to_ascii_uppercase();
    let request_id: String = id.chars().take(16).collect();
    if let Ok(value) = HeaderValue::try_from(request_id.as_str()) {
        parts.headers.insert("x-amz-request-id", value);
    }
    if let Ok(value) = HeaderValue::try_from(id.as_str()) {
        parts.headers.insert("x-amz-id-2", value);
    }
    parts
        .headers
        .insert(header::SERVER, HeaderValue::from_static("AmazonS3"));
    let whole = body.bytes();
    let is_page = parts.extensions.remove::<AsItIs>().is_some() && !asked.head;
    let is_success = parts.status.is_success() || parts.status.is_informational();
    if !is_page && !is_success {
        if asked.head || parts.status == StatusCode::NOT_MODIFIED {
            parts.headers.remove(header::CONTENT_LENGTH);
            parts.headers.remove(header::CONTENT_TYPE);
            return Response::from_parts(parts, Body::empty());
        }
        if let Some(bytes) = whole.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok()) {
            let full = in_full(bytes, asked, &request_id, &id);
            parts.headers.remove(header::CONTENT_LENGTH);
            return Response::from_parts(parts, Body::full(full));
        }
    }
    let body = whole.map_or_else(|| streamed(body), Body::full);
    Response::from_parts(parts, body)
}

/// The answer to a request that s3s never saw.
pub(super) fn refusal(error: S3Error, asked: &Asked) -> Response<Body> {
    match error.to_http_response() {
        Ok(response) => finish(response, asked),
        Err(_unserialisable) => failed(asked),
    }
}

/// The answer when there is none.
pub(super) fn failed(asked: &Asked) -> Response<Body> {
    let error = internal(&std::io::Error::other("an answer could not be written"));
    match error.to_http_response() {
        Ok(response) => finish(response, asked),
        Err(_unserialisable) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

fn streamed(mut body: s3s::Body) -> Body {
    Body::polled(move |cx| {
        loop {
            let frame = match Pin::new(&mut body).poll_frame(cx) {
                std::task::Poll::Ready(frame) => frame,
                std::task::Poll::Pending => return std::task::Poll::Pending,
            };
            match frame {
                None => return std::task::Poll::Ready(None),
                Some(Err(error)) => {
                    tracing::warn!(%error, "an object could not be sent to its end");
                    return std::task::Poll::Ready(Some(Err(std::io::Error::other(error))));
                }
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return std::task::Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        }
    })
}

/// The error with all that S3 says: s3s writes code and message.
fn in_full(short: &str, asked: &Asked, request_id: &str, host_id: &str) -> Bytes {
    let code = between(short, "<Code>", "</Code>").unwrap_or("InternalError");
    let message = between(short, "<Message>", "</Message>").unwrap_or_else(|| default_message(code));
    let bucket = asked.bucket.as_deref().unwrap_or_default();
    let key = asked.key.as_deref().unwrap_or_default();
    let detail = match code {
        "NoSuchBucket"
        | "BucketAlreadyExists"
        | "BucketAlreadyOwnedByYou"
        | "BucketNotEmpty"
        | "InvalidBucketName" => {
            format!("<BucketName>{}</BucketName>", escape_xml(bucket))
        }
        "NoSuchKey" | "NoSuchVersion" => format!("<Key>{}</Key>", escape_xml(key)),
        _ => format!("<Resource>{}</Resource>", escape_xml(&asked.resource)),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{detail}\
         <RequestId>{request_id}</RequestId><HostId>{host_id}</HostId></Error>"
    )
    .into()
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.split_once(start)?.1.split_once(end).map(|(inner, _)| inner)
}

/// The words of S3 for the errors that s3s finds and leaves without any.
fn default_message(code: &str) -> &'static str {
    match code {
        "NotImplemented" => "A header you provided implies functionality that is not implemented",
        "InvalidBucketName" => "The specified bucket is not valid.",
        "KeyTooLongError" => "Your key is too long",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        "IncompleteBody" => {
            "You did not provide the number of bytes specified by the Content-Length HTTP header."
        }
        "MaxMessageLengthExceeded" => "Your request was too big.",
        "InternalError" => "We encountered an internal error. Please try again.",
        _ => "The request is not valid.",
    }
}
