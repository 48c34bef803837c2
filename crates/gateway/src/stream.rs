//! Answers of function URLs that go out as the function writes them.
//!
//! A function that sets its own status and headers begins with them as JSON, then eight NUL bytes
//! (`awslambda.HttpResponseStream.from`); of others the whole stream is the body.

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Map, Value};
use tradewind_compute::{StreamBody, StreamEvent, StreamedResponse};
use tradewind_wire::Body;

use crate::failure::Failure;
use crate::gateway::Answered;
use crate::reply;

/// The content type of a stream that begins with status and headers.
const WITH_PRELUDE: &str = "application/vnd.awslambda.http-integration-response";
const DELIMITER: [u8; 8] = [0; 8];
/// Status and headers together; the service takes no more headers than these either.
const PRELUDE_BYTES: usize = 128 * 1024;
const DEFAULT_TYPE: HeaderValue = HeaderValue::from_static("application/octet-stream");

/// The response, once its begin is there.
pub(crate) async fn answer(mut response: StreamedResponse) -> Result<Answered, Failure> {
    if response.content_type.as_deref() == Some(WITH_PRELUDE) {
        return with_prelude(response.body).await;
    }
    let first = next(&mut response.body).await?;
    let content_type = response
        .content_type
        .and_then(|text| HeaderValue::from_str(&text).ok());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, content_type.unwrap_or(DEFAULT_TYPE));
    Ok(Answered {
        status: StatusCode::OK,
        headers,
        body: match first {
            Some(chunk) => body(Some(chunk), response.body),
            None => Body::empty(),
        },
    })
}

/// The next piece; none at the end.
async fn next(stream: &mut StreamBody) -> Result<Option<Bytes>, Failure> {
    match stream.next().await {
        Some(StreamEvent::Chunk(chunk)) => Ok(Some(chunk)),
        Some(StreamEvent::Complete { error: None, .. }) => Ok(None),
        Some(StreamEvent::Complete { error: Some(_), .. }) | None => Err(Failure::BadReply),
    }
}

async fn with_prelude(mut stream: StreamBody) -> Result<Answered, Failure> {
    let mut begin = BytesMut::new();
    let end = loop {
        let chunk = next(&mut stream).await?.ok_or(Failure::BadReply)?;
        begin.extend_from_slice(&chunk);
        if let Some(end) = begin
            .windows(DELIMITER.len())
            .position(|bytes| bytes == DELIMITER)
        {
            break end;
        }
        if begin.len() > PRELUDE_BYTES {
            return Err(Failure::BadReply);
        }
    };
    let prelude = begin.split_to(end);
    let rest = begin.split_off(DELIMITER.len()).freeze();
    let (status, headers) = parse(&prelude).ok_or(Failure::BadReply)?;
    let first = (!rest.is_empty()).then_some(rest);
    Ok(Answered {
        status,
        headers,
        body: body(first, stream),
    })
}

/// Status and headers: an answer in format 2.0 without a body.
fn parse(prelude: &[u8]) -> Option<(StatusCode, HeaderMap)> {
    let mut answer: Map<String, Value> = serde_json::from_slice(prelude).ok()?;
    answer.entry("statusCode").or_insert(200.into());
    answer.remove("body");
    let typed = answer
        .get("headers")
        .and_then(Value::as_object)
        .is_some_and(|headers| {
            headers
                .keys()
                .any(|name| name.eq_ignore_ascii_case("content-type"))
        });
    let text = Bytes::from(Value::Object(answer).to_string());
    let mut reply = reply::http_api_v2(&text).ok()?;
    if !typed {
        reply.headers.insert(CONTENT_TYPE, DEFAULT_TYPE);
    }
    Some((reply.status, reply.headers))
}

/// The rest of the stream. One that does not end well ends broken, so that nobody takes it for whole.
fn body(mut first: Option<Bytes>, mut stream: StreamBody) -> Body {
    let broken = |reason: &str| Some(Err(std::io::Error::other(reason.to_owned())));
    Body::polled(move |cx| {
        if let Some(chunk) = first.take() {
            return std::task::Poll::Ready(Some(Ok(chunk)));
        }
        stream.poll_next(cx).map(|event| match event {
            Some(StreamEvent::Chunk(chunk)) => Some(Ok(chunk)),
            Some(StreamEvent::Complete { error: None, .. }) => None,
            Some(StreamEvent::Complete {
                error: Some(error), ..
            }) => broken(&error.error_type),
            None => broken("the instance was lost"),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prelude_is_status_headers_and_cookies() {
        let text =
            br#"{"statusCode":201,"headers":{"Content-Type":"text/html","X-A":"1"},"cookies":["a=1"]}"#;
        let (status, headers) = parse(text).unwrap();
        assert_eq!(status, 201);
        assert_eq!(
            (&headers["content-type"], &headers["x-a"]),
            (&"text/html".parse().unwrap(), &"1".parse().unwrap())
        );
        assert_eq!(headers["set-cookie"], "a=1");
        let (status, headers) = parse(b"{}").unwrap();
        assert_eq!((status.as_u16(), &headers["content-type"]), (200, &DEFAULT_TYPE));
        assert!(parse(b"[]").is_none() && parse(br#"{"statusCode":1}"#).is_none());
    }
}
