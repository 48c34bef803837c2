//! The body in an event: text, or base64 where the kind of API takes it for binary.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;

use super::EventInput;
use super::json::{Object, string};

/// Format 1.0 of REST APIs: binary by the API's `binaryMediaTypes`. What is not, is text, and bytes
/// that are no UTF-8 are replaced, as the service does.
pub(crate) fn write_rest(input: &EventInput<'_>, event: &mut Object<'_>) {
    let binary = input.stage.binary.contain(input.header(&CONTENT_TYPE));
    write_v1(input.body, binary, event);
}

/// Format 1.0 of HTTP APIs.
pub(crate) fn write_http_v1(input: &EventInput<'_>, event: &mut Object<'_>) {
    write_v1(input.body, http_api_binary(input), event);
}

/// Format 2.0: nothing when there is no body.
pub(crate) fn write_v2(input: &EventInput<'_>, event: &mut Object<'_>) {
    let binary = !input.body.is_empty() && http_api_binary(input);
    if !input.body.is_empty() {
        write_body(input.body, binary, event);
    }
    event.truth("isBase64Encoded", binary);
}

fn write_v1(body: &[u8], binary: bool, event: &mut Object<'_>) {
    if body.is_empty() {
        event.null("body");
    } else {
        write_body(body, binary, event);
    }
    event.truth("isBase64Encoded", binary && !body.is_empty());
}

fn write_body(body: &[u8], binary: bool, event: &mut Object<'_>) {
    let out = event.value("body");
    if !binary {
        return string(out, &String::from_utf8_lossy(body));
    }
    out.push(b'"');
    let start = out.len();
    let length = base64::encoded_len(body.len(), true).expect("bodies are at most 10 MB");
    out.resize(start + length, 0);
    let (_, room) = out.split_at_mut(start);
    STANDARD
        .encode_slice(body, room)
        .expect("the room is as long as the text");
    out.push(b'"');
}

fn http_api_binary(input: &EventInput<'_>) -> bool {
    !is_text(input.header(&CONTENT_TYPE)) || std::str::from_utf8(input.body).is_err()
}

/// What HTTP APIs take for text. Forms are not in it, nor is a body without a type: measured on the
/// service by several projects, the guide does not list the types.
fn is_text(content_type: Option<&str>) -> bool {
    let essence = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let essence = essence.to_ascii_lowercase();
    essence.starts_with("text/")
        || matches!(
            essence.as_str(),
            "application/json" | "application/javascript" | "application/xml"
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_apis_know_few_types_of_text() {
        for (content_type, expected) in [
            (Some("application/json; charset=utf-8"), true),
            (Some("Text/HTML"), true),
            (Some("application/xml"), true),
            (Some("application/javascript"), true),
            (Some("application/x-www-form-urlencoded"), false),
            (Some("image/png"), false),
            (None, false),
        ] {
            assert_eq!(is_text(content_type), expected, "{content_type:?}");
        }
    }
}
