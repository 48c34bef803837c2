//! What the control plane tells the gateway: APIs, their stages, routes and integrations.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use http::Method;
use tradewind_model::FunctionArn;

use crate::cors::Cors;
use crate::mock::MockReply;
use crate::route_path::{InvalidRoutePath, RoutePath};

/// The id of an API and the first label of its host name: 1–63 of `a-z 0-9`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiId(Box<str>);

/// Text that is no API id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an API id: 1 to 63 of `a-z 0-9`")]
pub struct InvalidApiId(Box<str>);

impl ApiId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApiId {
    type Err = InvalidApiId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if plain && (1..=63).contains(&text.len()) {
            return Ok(Self(text.into()));
        }
        Err(InvalidApiId(text.into()))
    }
}

impl fmt::Display for ApiId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kinds of HTTP front that API Gateway and Lambda have; they route, fail and speak differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKind {
    /// `AWS::ApiGateway::RestApi`, the `http` event.
    Rest,
    /// `AWS::ApiGatewayV2::Api`, the `httpApi` event.
    Http,
    /// `AWS::Lambda::Url`, the `url` of a function.
    FunctionUrl(UrlSettings),
}

/// What a function URL is set to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UrlSettings {
    /// `AuthType`.
    pub auth: UrlAuth,
    /// `InvokeMode`.
    pub mode: InvokeMode,
}

/// `AuthType` of a function URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UrlAuth {
    /// `NONE`: anybody may call it.
    #[default]
    None,
    /// `AWS_IAM`: requests must be signed. The signature itself is not verified by a development node.
    Iam,
}

/// `InvokeMode` of a function URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvokeMode {
    /// `BUFFERED`: the answer is one event.
    #[default]
    Buffered,
    /// `RESPONSE_STREAM`: the answer goes out as the function writes it.
    ResponseStream,
}

/// An API as it is served.
#[derive(Clone, Debug)]
pub struct Api {
    /// Its id.
    pub id: ApiId,
    /// Which kind it is.
    pub kind: ApiKind,
    /// Its stages by name; an HTTP API's `$default` stage is served without a path segment.
    pub stages: BTreeMap<String, Stage>,
}

/// A stage: a deployed set of routes.
#[derive(Clone, Debug, Default)]
pub struct Stage {
    /// The deployment it serves, as REST events name it.
    pub deployment_id: String,
    /// Its routes.
    pub routes: Vec<Route>,
    /// HTTP APIs: the CORS configuration the gateway answers by.
    pub cors: Option<Cors>,
    /// REST APIs: the media types that travel base64-encoded.
    pub binary_media_types: Vec<String>,
    /// Stage variables.
    pub variables: BTreeMap<String, String>,
}

/// A method and path, and who answers it.
#[derive(Clone, Debug)]
pub struct Route {
    /// What it matches.
    pub key: RouteKey,
    /// REST APIs: the id of the resource, as events name it.
    pub resource_id: String,
    /// Who answers.
    pub integration: Integration,
}

/// What a route matches: `$default`, or a method and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteKey {
    /// HTTP APIs: whatever no other route matches.
    Default,
    /// A method and a path.
    Path(RouteMethod, RoutePath),
}

/// The method of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteMethod {
    /// `ANY`: every method that has no route of its own.
    Any,
    /// This one.
    Exact(Method),
}

/// Text that is no route key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRouteKey {
    /// It is neither `$default` nor a method and a path.
    #[error("`{0}` is not a route key: `$default`, or a method (or ANY), a space and a path")]
    Form(Box<str>),
    /// The method is not one that API Gateway knows.
    #[error("`{0}` is not a method: ANY, DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT")]
    Method(Box<str>),
    /// The path is wrong.
    #[error(transparent)]
    Path(#[from] InvalidRoutePath),
}

impl FromStr for RouteMethod {
    type Err = InvalidRouteKey;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let method = match text {
            "ANY" => return Ok(Self::Any),
            "DELETE" => Method::DELETE,
            "GET" => Method::GET,
            "HEAD" => Method::HEAD,
            "OPTIONS" => Method::OPTIONS,
            "PATCH" => Method::PATCH,
            "POST" => Method::POST,
            "PUT" => Method::PUT,
            _ => return Err(InvalidRouteKey::Method(text.into())),
        };
        Ok(Self::Exact(method))
    }
}

impl fmt::Display for RouteMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("ANY"),
            Self::Exact(method) => f.write_str(method.as_str()),
        }
    }
}

impl FromStr for RouteKey {
    type Err = InvalidRouteKey;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "$default" {
            return Ok(Self::Default);
        }
        let Some((method, path)) = text.split_once(' ') else {
            return Err(InvalidRouteKey::Form(text.into()));
        };
        Ok(Self::Path(method.parse()?, path.parse()?))
    }
}

impl fmt::Display for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("$default"),
            Self::Path(method, path) => write!(f, "{method} {path}"),
        }
    }
}

/// Who answers a route.
#[derive(Clone, Debug)]
pub enum Integration {
    /// A function, through the proxy integration.
    Lambda(LambdaIntegration),
    /// REST APIs: the gateway itself, as CORS preflights need it.
    Mock(MockReply),
}

/// A function behind a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LambdaIntegration {
    /// The function, version or alias.
    pub function: FunctionArn,
    /// The form of event and answer; REST APIs always speak 1.0.
    pub payload_format: PayloadFormat,
    /// How long the gateway waits for the answer.
    pub timeout: Duration,
}

/// `PayloadFormatVersion` of an integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadFormat {
    /// `1.0`
    V1,
    /// `2.0`
    V2,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_keys_print_what_was_parsed() {
        for text in ["$default", "GET /", "ANY /a/{id}", "POST /a/{proxy+}"] {
            assert_eq!(text.parse::<RouteKey>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_route_key_is_refused() {
        for text in [
            "",
            "GET",
            "/a",
            "get /a",
            "TRACE /a",
            "GET a",
            "GET /{a+}/b",
            "GET  /a",
        ] {
            assert!(text.parse::<RouteKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn api_ids_are_host_labels() {
        assert!("a1b2c3d4e5".parse::<ApiId>().is_ok());
        for text in ["", "A1", "a-b", "a.b"] {
            assert!(text.parse::<ApiId>().is_err(), "{text}");
        }
    }
}
