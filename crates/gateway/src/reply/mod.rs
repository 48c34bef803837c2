//! Replies: from what a function answers to an HTTP response.

mod answer;
mod http_api;
mod rest;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use answer::{Status, Text};
pub(crate) use http_api::{v1 as http_api_v1, v2 as http_api_v2};
pub(crate) use rest::rest;

/// A response before it is sent.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// The function answered something that is no response in the format it has to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Standard base64, with or without the padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

fn status(status: Option<Status>) -> Result<StatusCode, Malformed> {
    let code = status.ok_or(Malformed)?.0;
    // 1xx are no final answers.
    StatusCode::from_u16(code)
        .ok()
        .filter(|status| !status.is_informational())
        .ok_or(Malformed)
}

/// The body's bytes. A body that JSON did not escape is taken out of `payload` without a copy.
fn body(payload: &Bytes, body: Option<Text<'_>>, base64: bool) -> Result<Bytes, Malformed> {
    let Some(text) = body else { return Ok(Bytes::new()) };
    if base64 {
        return BASE64
            .decode(text.0.as_bytes())
            .map(Bytes::from)
            .map_err(|_not_base64| Malformed);
    }
    Ok(match text.0 {
        std::borrow::Cow::Borrowed(text) => payload.slice_ref(text.as_bytes()),
        std::borrow::Cow::Owned(text) => Bytes::from(text),
    })
}
