//! Events: what a function is given for an HTTP request.
//!
//! The text is written straight into one buffer; nothing is built in between. Formats: API Gateway
//! Developer Guide, "Set up Lambda proxy integrations" (REST) and "Create AWS Lambda proxy
//! integrations for HTTP APIs" (1.0 and 2.0).

mod body;
mod headers;
mod json;
mod query;
mod time;
mod v1;
mod v2;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use http::request::Parts;

use crate::api::{ApiKind, PayloadFormat};
use crate::compiled::{CompiledApi, CompiledRoute, CompiledStage};
use crate::identity::Identity;
use tradewind_wire::Caller;

/// All that an event is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventInput<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) body: &'a [u8],
    pub(crate) api: &'a CompiledApi,
    pub(crate) stage: &'a CompiledStage,
    pub(crate) route: &'a CompiledRoute,
    /// What the route's parameters matched, raw.
    pub(crate) captures: &'a [&'a str],
    /// The path inside the stage: raw, starting with `/`.
    pub(crate) path: &'a str,
    pub(crate) domain: &'a str,
    pub(crate) account: &'a str,
    pub(crate) identity: &'a Identity,
    /// Who signed the request, where it had to be signed.
    pub(crate) signer: Option<&'a Caller>,
    pub(crate) peer: IpAddr,
}

/// The event in the format that the route's integration asks for.
pub(crate) fn write_event(input: &EventInput<'_>, format: PayloadFormat) -> Vec<u8> {
    let mut out = Vec::with_capacity(3 * 1024 + input.body.len() + input.body.len() / 2);
    match (input.api.kind, format) {
        (ApiKind::Rest, _) => v1::write_rest(input, &mut out),
        (ApiKind::Http, PayloadFormat::V1) => v1::write_http(input, &mut out),
        (ApiKind::Http, PayloadFormat::V2) | (ApiKind::FunctionUrl(_), _) => v2::write(input, &mut out),
    }
    out
}

impl<'a> EventInput<'a> {
    /// The path with the stage in front, raw. The `$default` stage has no segment.
    fn full_path(&self) -> String {
        if self.stage.is_default() {
            return self.path.to_owned();
        }
        format!("/{}{}", self.stage.name, self.path)
    }

    fn header(&self, name: &http::HeaderName) -> Option<&'a str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn user_agent(&self) -> Option<&'a str> {
        self.header(&http::header::USER_AGENT)
    }

    fn parameters(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.route
            .parameters
            .iter()
            .map(|name| &**name)
            .zip(self.captures.iter().copied())
    }

    fn protocol(&self) -> &'static str {
        match self.parts.version {
            http::Version::HTTP_10 => "HTTP/1.0",
            http::Version::HTTP_2 => "HTTP/2.0",
            _ => "HTTP/1.1",
        }
    }
}
