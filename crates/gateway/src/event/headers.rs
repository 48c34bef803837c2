//! The headers a function sees: the client's without those of the connection, and the gateway's own.

use std::borrow::Cow;
use std::net::IpAddr;

use http::header::{COOKIE, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::EventInput;
use super::json::{Object, array, string};
use crate::identity::TRACE_HEADER;

const FORWARDED_FOR: &str = "x-forwarded-for";
const FORWARDED_PORT: &str = "x-forwarded-port";
const FORWARDED_PROTO: &str = "x-forwarded-proto";

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

/// The headers of one request as functions see them: names and values, equal names together.
#[derive(Debug)]
pub(crate) struct EventHeaders<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> EventHeaders<'a> {
    pub(crate) fn new(input: &EventInput<'a>, spelling: Spelling) -> Self {
        let client = &input.parts.headers;
        let mut headers = Vec::with_capacity(client.len() + 5);
        for (name, value) in client {
            let name = name.as_str();
            // Format 2.0 has cookies in a place of their own.
            if passes(name) && !(spelling == Spelling::Lower && name == COOKIE.as_str()) {
                headers.push((spelled(name, spelling), text(value)));
            }
        }
        let proto = forwarded_proto(input.parts);
        let own = [
            (TRACE_HEADER, Cow::Borrowed(input.identity.trace.as_str())),
            (FORWARDED_FOR, forwarded_for(input.parts, input.peer)),
            (FORWARDED_PORT, forwarded_port(input.parts, proto)),
            (FORWARDED_PROTO, Cow::Borrowed(proto)),
        ];
        let length = || ("content-length", Cow::Owned(input.body.len().to_string()));
        let own = own.into_iter().chain((spelling != Spelling::Rest).then(length));
        headers.extend(own.map(|(name, value)| (spelled(name, spelling), value)));
        Self(headers)
    }

    /// `headers` of format 1.0: the last of several values. Names are tokens, so nothing in them
    /// needs escaping.
    pub(crate) fn write_last(&self, event: &mut Object<'_>) {
        event.object("headers", |object| {
            for (name, same) in self.by_name() {
                string(object.value(name), same.last().map_or("", |(_, value)| value));
            }
        });
    }

    /// `headers` of format 2.0: several values joined by commas.
    pub(crate) fn write_joined(&self, event: &mut Object<'_>) {
        event.object("headers", |object| {
            for (name, same) in self.by_name() {
                match same {
                    [(_, only)] => string(object.value(name), only),
                    several => {
                        let values: Vec<&str> = several.iter().map(|(_, value)| &**value).collect();
                        string(object.value(name), &values.join(","));
                    }
                }
            }
        });
    }

    /// `multiValueHeaders`
    pub(crate) fn write_multi(&self, event: &mut Object<'_>) {
        event.object("multiValueHeaders", |object| {
            for (name, same) in self.by_name() {
                array(object.value(name), same.iter().map(|(_, value)| value));
            }
        });
    }

    fn by_name(&self) -> impl Iterator<Item = (&'a str, &[(&'a str, Cow<'a, str>)])> {
        let same_name = |(a, _): &(&str, _), (b, _): &(&str, _)| a == b;
        self.0
            .chunk_by(same_name)
            .filter_map(|same| Some((same.first()?.0, same)))
    }
}

/// Not the headers of the connection, nor those the service keeps from functions, nor those that
/// the gateway writes itself.
fn passes(name: &str) -> bool {
    !matches!(
        name,
        "connection"
            | "content-length"
            | "content-md5"
            | "expect"
            | "keep-alive"
            | "max-forwards"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "server"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "www-authenticate"
            | TRACE_HEADER
            | FORWARDED_FOR
            | FORWARDED_PORT
            | FORWARDED_PROTO
    )
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
    match spelling {
        Spelling::Lower => name,
        Spelling::HttpV1 => spelled_by_http_apis(name),
        Spelling::Rest => spelled_by_senders(name),
    }
}

fn spelled_by_http_apis(name: &str) -> &str {
    match name {
        "content-length" => "Content-Length",
        "content-type" => "Content-Type",
        "host" => "Host",
        "user-agent" => "User-Agent",
        "x-amzn-trace-id" => "X-Amzn-Trace-Id",
        "x-forwarded-for" => "X-Forwarded-For",
        "x-forwarded-port" => "X-Forwarded-Port",
        "x-forwarded-proto" => "X-Forwarded-Proto",
        _ => name,
    }
}

fn spelled_by_senders(name: &str) -> &str {
    match name {
        "accept" => "Accept",
        "accept-encoding" => "Accept-Encoding",
        "accept-language" => "Accept-Language",
        "authorization" => "Authorization",
        "cache-control" => "Cache-Control",
        "content-encoding" => "Content-Encoding",
        "content-type" => "Content-Type",
        "cookie" => "Cookie",
        "host" => "Host",
        "if-match" => "If-Match",
        "if-modified-since" => "If-Modified-Since",
        "if-none-match" => "If-None-Match",
        "if-unmodified-since" => "If-Unmodified-Since",
        "origin" => "Origin",
        "pragma" => "Pragma",
        "range" => "Range",
        "referer" => "Referer",
        "stripe-signature" => "Stripe-Signature",
        "user-agent" => "User-Agent",
        "via" => "Via",
        "x-amz-date" => "X-Amz-Date",
        "x-amz-security-token" => "X-Amz-Security-Token",
        "x-amz-user-agent" => "X-Amz-User-Agent",
        "x-amzn-trace-id" => "X-Amzn-Trace-Id",
        "x-api-key" => "X-Api-Key",
        "x-forwarded-for" => "X-Forwarded-For",
        "x-forwarded-host" => "X-Forwarded-Host",
        "x-forwarded-port" => "X-Forwarded-Port",
        "x-forwarded-proto" => "X-Forwarded-Proto",
        "x-github-delivery" => "X-GitHub-Delivery",
        "x-github-event" => "X-GitHub-Event",
        "x-hub-signature" => "X-Hub-Signature",
        "x-hub-signature-256" => "X-Hub-Signature-256",
        "x-requested-with" => "X-Requested-With",
        "x-slack-request-timestamp" => "X-Slack-Request-Timestamp",
        "x-slack-signature" => "X-Slack-Signature",
        _ => name,
    }
}

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
            assert!(!passes(name), "{name}");
        }
        for name in ["host", "cookie", "authorization", "x-own", "content-type"] {
            assert!(passes(name), "{name}");
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
