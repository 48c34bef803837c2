//! What can go wrong with a request, and how each kind of API says so.
//!
//! Sources: API Gateway Developer Guide, "Gateway response types" (REST) and "Troubleshooting
//! issues with HTTP API Lambda integrations"; where the guide is silent, what users report of the
//! service: an HTTP API whose integration times out or whose function is throttled answers 503
//! "Service Unavailable", a REST API answers 504 and 500.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::api::ApiKind;
use crate::reply::Reply;

/// Why a request got no answer of its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// There is no such API, or no such stage of a REST API.
    Forbidden,
    /// No route matches.
    NoRoute,
    /// The request line and headers are larger than the service takes.
    HeadersTooLarge,
    /// The body is larger than the service or the function takes.
    BodyTooLarge,
    /// The body ended early.
    BodyInterrupted,
    /// The function failed, or answered something that is no response.
    BadReply,
    /// The function could not be called.
    NotInvoked,
    /// The function has no room for another invocation.
    Throttled,
    /// The node cannot run the function now.
    Unavailable,
    /// The function took longer than the integration waits.
    TimedOut,
}

/// A wording: status, body, and the `x-amzn-ErrorType` of REST APIs.
struct Wording(u16, &'static str, &'static str);

impl Failure {
    pub(crate) fn answer(self, kind: ApiKind) -> Reply {
        let Wording(status, body, error_type) = match kind {
            ApiKind::Rest => self.rest(),
            ApiKind::Http => self.http(),
            ApiKind::FunctionUrl(_) => self.function_url(),
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if kind == ApiKind::Rest {
            let name = HeaderName::from_static("x-amzn-errortype");
            headers.insert(name, HeaderValue::from_static(error_type));
        }
        let status = StatusCode::from_u16(status).expect("the table has valid statuses");
        Reply {
            status,
            headers,
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    fn rest(self) -> Wording {
        const INTERNAL: &str = "InternalServerErrorException";
        match self {
            Self::Forbidden => Wording(403, r#"{"message":"Forbidden"}"#, "ForbiddenException"),
            Self::NoRoute => Wording(
                403,
                r#"{"message":"Missing Authentication Token"}"#,
                "MissingAuthenticationTokenException",
            ),
            Self::HeadersTooLarge => Wording(
                431,
                r#"{"message":"Request Header Fields Too Large"}"#,
                "BadRequestException",
            ),
            Self::BodyTooLarge => Wording(
                413,
                r#"{"message":"Request Too Long"}"#,
                "RequestEntityTooLargeException",
            ),
            Self::BodyInterrupted => Wording(400, r#"{"message":"Bad Request"}"#, "BadRequestException"),
            Self::BadReply => Wording(502, r#"{"message": "Internal server error"}"#, INTERNAL),
            Self::NotInvoked | Self::Throttled => {
                Wording(500, r#"{"message": "Internal server error"}"#, INTERNAL)
            }
            Self::Unavailable => Wording(
                503,
                r#"{"message":"Service Unavailable"}"#,
                "ServiceUnavailableException",
            ),
            Self::TimedOut => Wording(504, r#"{"message": "Endpoint request timed out"}"#, INTERNAL),
        }
    }

    fn http(self) -> Wording {
        match self {
            Self::Forbidden => Wording(403, r#"{"message":"Forbidden"}"#, ""),
            Self::NoRoute => Wording(404, r#"{"message":"Not Found"}"#, ""),
            Self::HeadersTooLarge => Wording(431, r#"{"message":"Request Header Fields Too Large"}"#, ""),
            Self::BodyTooLarge => Wording(413, r#"{"message":"Request Entity Too Large"}"#, ""),
            Self::BodyInterrupted => Wording(400, r#"{"message":"Bad Request"}"#, ""),
            Self::BadReply | Self::NotInvoked => Wording(500, r#"{"message":"Internal Server Error"}"#, ""),
            Self::Throttled | Self::Unavailable | Self::TimedOut => {
                Wording(503, r#"{"message":"Service Unavailable"}"#, "")
            }
        }
    }

    fn function_url(self) -> Wording {
        match self {
            Self::Forbidden => Wording(403, r#"{"Message":"Forbidden"}"#, ""),
            Self::NoRoute => Wording(404, r#"{"Message":"Not Found"}"#, ""),
            Self::HeadersTooLarge => Wording(431, r#"{"Message":"Request Header Fields Too Large"}"#, ""),
            Self::BodyTooLarge => Wording(413, r#"{"Message":"Request Entity Too Large"}"#, ""),
            Self::BodyInterrupted => Wording(400, r#"{"Message":"Bad Request"}"#, ""),
            Self::BadReply | Self::NotInvoked => Wording(502, "Internal Server Error", ""),
            Self::Throttled => Wording(429, r#"{"Message":"Rate Exceeded."}"#, ""),
            Self::Unavailable => Wording(503, r#"{"Message":"Service Unavailable"}"#, ""),
            Self::TimedOut => Wording(504, r#"{"Message":"Gateway Timeout"}"#, ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_api_has_its_own_words() {
        for (failure, kind, status, body) in [
            (
                Failure::Forbidden,
                ApiKind::Rest,
                403,
                r#"{"message":"Forbidden"}"#,
            ),
            (
                Failure::NoRoute,
                ApiKind::Rest,
                403,
                r#"{"message":"Missing Authentication Token"}"#,
            ),
            (Failure::NoRoute, ApiKind::Http, 404, r#"{"message":"Not Found"}"#),
            (
                Failure::BadReply,
                ApiKind::Rest,
                502,
                r#"{"message": "Internal server error"}"#,
            ),
            (
                Failure::BadReply,
                ApiKind::Http,
                500,
                r#"{"message":"Internal Server Error"}"#,
            ),
            (
                Failure::BodyTooLarge,
                ApiKind::Rest,
                413,
                r#"{"message":"Request Too Long"}"#,
            ),
            (
                Failure::BodyTooLarge,
                ApiKind::Http,
                413,
                r#"{"message":"Request Entity Too Large"}"#,
            ),
            (
                Failure::TimedOut,
                ApiKind::Rest,
                504,
                r#"{"message": "Endpoint request timed out"}"#,
            ),
            (
                Failure::TimedOut,
                ApiKind::Http,
                503,
                r#"{"message":"Service Unavailable"}"#,
            ),
        ] {
            let reply = failure.answer(kind);
            assert_eq!(
                (reply.status.as_u16(), &*reply.body),
                (status, body.as_bytes()),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn rest_apis_name_the_type_of_the_error() {
        let reply = Failure::NoRoute.answer(ApiKind::Rest);
        assert_eq!(
            reply.headers["x-amzn-errortype"],
            "MissingAuthenticationTokenException"
        );
        assert!(
            !Failure::NoRoute
                .answer(ApiKind::Http)
                .headers
                .contains_key("x-amzn-errortype")
        );
    }
}
