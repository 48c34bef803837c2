//! The headers a function sees: the client's without those of the connection, and the gateway's own.

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::{
    CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    SERVER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::EventInput;
use super::json::{Object, array, string};
use crate::identity::TRACE_HEADER;

/// Headers of the connection, and those the service keeps from functions.
const DROPPED: [HeaderName; 11] = [
    CONNECTION,
    EXPECT,
    MAX_FORWARDS,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    SERVER,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    WWW_AUTHENTICATE,
];
const DROPPED_UNNAMED: [&str; 3] = ["content-md5", "keep-alive", "proxy-connection"];
const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PORT: &str = "x-forwarded-port";
const FORWARDED_PROTO: &str = "x-forwarded-proto";
const OWN: [&str; 4] = [TRACE_HEADER, FORWARDED_FOR, FORWARDED_PORT, FORWARDED_PROTO];

/// How header names are spelt in an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// REST APIs: well-known names as their senders write them. (The letter case of other names is
    /// not known any more here; they are lower-case, as clients that speak HTTP/2 send them.)
    Rest,
    /// HTTP APIs, format 1.0: capitals only for what the gateway touches.
    HttpV1,
    /// Lower case.
    Lower,
}

/// The headers of one request as functions see them.
#[derive(Debug)]
pub(crate) struct EventHeaders<'a> {
    client: &'a HeaderMap,
    own: [(&'static str, Cow<'a, str>); 4],
    content_length: Option<String>,
    cookies: bool,
    spelling: Spelling,
}

impl<'a> EventHeaders<'a> {
    pub(crate) fn new(input: &EventInput<'a>, spelling: Spelling) -> Self {
        let proto = forwarded_proto(input.parts);
        Self {
            client: &input.parts.headers,
            own: [
                (TRACE_HEADER, Cow::Borrowed(&input.identity.trace)),
                (FORWARDED_FOR, forwarded_for(input.parts, input.peer)),
                (FORWARDED_PORT, forwarded_port(input.parts, proto)),
                (FORWARDED_PROTO, Cow::Borrowed(proto)),
            ],
            content_length: (spelling != Spelling::Rest).then(|| input.body.len().to_string()),
            cookies: spelling != Spelling::Lower,
            spelling,
        }
    }

    /// `headers`, one text a name: of several values `join` makes one.
    pub(crate) fn write_single(&self, event: &mut Object<'_>, join: impl Fn(&[&HeaderValue]) -> String) {
        event.object("headers", |object| {
            for name in self.client_names() {
                let values: Vec<&HeaderValue> = self.client.get_all(name).iter().collect();
                let out = object.escaped(spelled(name.as_str(), self.spelling));
                match values.as_slice() {
                    [only] => string(out, &text(only)),
                    several => string(out, &join(several)),
                }
            }
            for (name, value) in self.own_headers() {
                string(object.escaped(spelled(name, self.spelling)), value);
            }
        });
    }

    /// `multiValueHeaders`
    pub(crate) fn write_multi(&self, event: &mut Object<'_>) {
        event.object("multiValueHeaders", |object| {
            for name in self.client_names() {
                let out = object.escaped(spelled(name.as_str(), self.spelling));
                array(out, self.client.get_all(name).iter().map(text));
            }
            for (name, value) in self.own_headers() {
                array(
                    object.escaped(spelled(name, self.spelling)),
                    std::iter::once(value),
                );
            }
        });
    }

    fn client_names(&self) -> impl Iterator<Item = &'a HeaderName> {
        let cookies = self.cookies;
        self.client
            .keys()
            .filter(move |name| passes(name) && (cookies || *name != COOKIE))
    }

    fn own_headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let length = self
            .content_length
            .as_deref()
            .map(|length| ("content-length", length));
        self.own
            .iter()
            .map(|(name, value)| (*name, &**value))
            .chain(length)
    }
}

fn passes(name: &HeaderName) -> bool {
    let text = name.as_str();
    name != CONTENT_LENGTH
        && !DROPPED.contains(name)
        && !DROPPED_UNNAMED.contains(&text)
        && !OWN.contains(&text)
}

/// Format 1.0 keeps the last of several values.
pub(crate) fn last_value(values: &[&HeaderValue]) -> String {
    values
        .last()
        .map(|value| text(value).into_owned())
        .unwrap_or_default()
}

/// Format 2.0 joins several values by commas.
pub(crate) fn joined_values(values: &[&HeaderValue]) -> String {
    values
        .iter()
        .map(|value| text(value))
        .collect::<Vec<_>>()
        .join(",")
}

/// Format 2.0: each cookie of all cookie headers; nothing when there are none.
pub(crate) fn write_cookies(event: &mut Object<'_>, headers: &HeaderMap) {
    if !headers.contains_key(COOKIE) {
        return;
    }
    let lines: Vec<Cow<'_, str>> = headers.get_all(COOKIE).iter().map(text).collect();
    let cookies = lines.iter().flat_map(|line| line.split(';')).map(str::trim);
    array(
        event.value("cookies"),
        cookies.filter(|cookie| !cookie.is_empty()),
    );
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

fn client_text<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

fn forwarded_for(parts: &Parts, peer: IpAddr) -> Cow<'_, str> {
    match client_text(parts, FORWARDED_FOR) {
        Some(before) => Cow::Owned(format!("{before}, {peer}")),
        None => Cow::Owned(peer.to_string()),
    }
}

/// `https` only when a proxy in front of this node says so.
fn forwarded_proto(parts: &Parts) -> &'static str {
    match client_text(parts, FORWARDED_PROTO) {
        Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
        _ => "http",
    }
}

fn forwarded_port<'a>(parts: &'a Parts, proto: &str) -> Cow<'a, str> {
    if let Some(port) = client_text(parts, FORWARDED_PORT) {
        return Cow::Borrowed(port);
    }
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let port = host.and_then(|host| host.rsplit_once(':')).map(|(_, port)| port);
    let port = port.filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    Cow::Borrowed(port.unwrap_or(if proto == "https" { "443" } else { "80" }))
}

/// The name as the event has it; names come in lower case.
fn spelled(name: &str, spelling: Spelling) -> &str {
    let known = match spelling {
        Spelling::Lower => return name,
        Spelling::HttpV1 => HTTP_V1_SPELLINGS,
        Spelling::Rest => REST_SPELLINGS,
    };
    known
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name))
        .copied()
        .unwrap_or(name)
}

const HTTP_V1_SPELLINGS: &[&str] = &[
    "Content-Length",
    "Content-Type",
    "Host",
    "User-Agent",
    "X-Amzn-Trace-Id",
    "X-Forwarded-For",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
];

const REST_SPELLINGS: &[&str] = &[
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Content-Encoding",
    "Content-Type",
    "Cookie",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Unmodified-Since",
    "Origin",
    "Pragma",
    "Range",
    "Referer",
    "Stripe-Signature",
    "User-Agent",
    "Via",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-User-Agent",
    "X-Amzn-Trace-Id",
    "X-Api-Key",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-GitHub-Delivery",
    "X-GitHub-Event",
    "X-Hub-Signature",
    "X-Hub-Signature-256",
    "X-Requested-With",
    "X-Slack-Request-Timestamp",
    "X-Slack-Signature",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_as_each_format_has_them() {
        for (spelling, name, expected) in [
            (Spelling::Rest, "content-type", "Content-Type"),
            (Spelling::Rest, "x-github-event", "X-GitHub-Event"),
            (Spelling::Rest, "x-own", "x-own"),
            (Spelling::HttpV1, "host", "Host"),
            (Spelling::HttpV1, "accept", "accept"),
            (Spelling::Lower, "host", "host"),
        ] {
            assert_eq!(spelled(name, spelling), expected);
        }
    }

    #[test]
    fn headers_of_the_connection_do_not_pass() {
        for name in [
            "connection",
            "keep-alive",
            "content-length",
            "te",
            "x-forwarded-for",
            "content-md5",
        ] {
            assert!(!passes(&name.parse().unwrap()), "{name}");
        }
        for name in ["host", "cookie", "authorization", "x-own", "content-type"] {
            assert!(passes(&name.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn cookies_are_told_apart() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; b=2"));
        headers.append(COOKIE, HeaderValue::from_static("c=3"));
        let mut out = Vec::new();
        crate::event::json::object(&mut out, |event| write_cookies(event, &headers));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"cookies":["a=1","b=2","c=3"]}"#
        );
    }
}
