//! The ids and the time of one request.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use tradewind_model::{RequestId, Timestamp};

/// The header that carries the trace.
pub(crate) const TRACE_HEADER: &str = "x-amzn-trace-id";

/// What one request is known by. One UUID names it at the API, in the function and in the logs.
#[derive(Debug)]
pub(crate) struct Identity {
    /// REST APIs: `requestContext.requestId` and `x-amzn-RequestId`; the invocation's id for both kinds.
    pub(crate) request: RequestId,
    /// HTTP APIs: `requestContext.requestId` and `apigw-requestid`; REST APIs: `extendedRequestId`.
    pub(crate) extended: String,
    /// `Root=1-…`, the caller's own if it sent one.
    pub(crate) trace: String,
    /// When the request arrived.
    pub(crate) now: Timestamp,
}

impl Identity {
    pub(crate) fn new(now: Timestamp, headers: &HeaderMap) -> Self {
        let request = uuid::Uuid::new_v4();
        let (for_extended, _) = request.as_bytes().split_at(11);
        let mut text = uuid::Uuid::encode_buffer();
        Self {
            request: RequestId::from(&*request.as_hyphenated().encode_lower(&mut text)),
            extended: STANDARD.encode(for_extended),
            trace: caller_trace(headers).map_or_else(|| fresh_trace(now, &request), str::to_owned),
            now,
        }
    }
}

fn caller_trace(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(TRACE_HEADER)?
        .to_str()
        .ok()
        .filter(|trace| trace.contains("Root=1-"))
}

/// A trace id need not be hard to guess: it is made of the request's id, at no further system call.
fn fresh_trace(now: Timestamp, request: &uuid::Uuid) -> String {
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let (high, low) = (HASHER.hash_one((0, request)), HASHER.hash_one((1, request)));
    let mut text = String::with_capacity(35);
    text.push_str("Root=1-");
    push_hex(&mut text, now.as_millis().unsigned_abs() / 1000, 8);
    text.push('-');
    push_hex(&mut text, high, 16);
    push_hex(&mut text, low, 8);
    text
}

/// The lowest `digits` hexadecimal digits.
fn push_hex(text: &mut String, number: u64, digits: u32) {
    for place in (0..digits).rev() {
        let digit = (number >> (place * 4)) & 0xf;
        text.push(char::from(b"0123456789abcdef"[digit as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn ids_have_the_forms_of_aws() {
        let identity = Identity::new(Timestamp::from_millis(1_583_348_638_390), &HeaderMap::new());
        assert_eq!(identity.request.as_str().len(), 36);
        assert_eq!(identity.extended.len(), 16);
        assert!(identity.extended.ends_with('='));
        assert!(
            identity.trace.starts_with("Root=1-5e5ffb9e-"),
            "{}",
            identity.trace
        );
        assert_eq!(identity.trace.len(), "Root=1-5e5ffb9e-".len() + 24);
    }

    #[test]
    fn a_trace_goes_on() {
        let mut headers = HeaderMap::new();
        headers.insert(
            TRACE_HEADER,
            HeaderValue::from_static("Root=1-5759e988-bd862e3fe1be46a994272793"),
        );
        let identity = Identity::new(Timestamp::from_millis(0), &headers);
        assert_eq!(identity.trace, "Root=1-5759e988-bd862e3fe1be46a994272793");
    }
}
