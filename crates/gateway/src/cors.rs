//! CORS of HTTP APIs: the gateway answers preflights itself and replaces the headers of functions
//! (API Gateway Developer Guide, "Configure CORS for HTTP APIs").

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, ORIGIN,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::reply::Reply;

/// `CorsConfiguration` of an HTTP API.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Cors {
    /// `AllowCredentials`
    pub allow_credentials: bool,
    /// `AllowHeaders`
    pub allow_headers: Vec<String>,
    /// `AllowMethods`
    pub allow_methods: Vec<String>,
    /// `AllowOrigins`: `*`, `http://*`, `https://*` or whole origins.
    pub allow_origins: Vec<String>,
    /// `ExposeHeaders`
    pub expose_headers: Vec<String>,
    /// `MaxAge` in seconds.
    pub max_age_seconds: Option<i64>,
}

/// The configuration with its header values made once.
#[derive(Debug)]
pub(crate) struct CompiledCors {
    origins: Vec<String>,
    credentials: bool,
    allow_headers: Option<HeaderValue>,
    allow_methods: Option<HeaderValue>,
    expose_headers: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

const HEADERS: [HeaderName; 6] = [
    ACCESS_CONTROL_ALLOW_CREDENTIALS,
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
];

impl CompiledCors {
    pub(crate) fn new(cors: &Cors) -> Self {
        Self {
            origins: cors.allow_origins.clone(),
            credentials: cors.allow_credentials,
            allow_headers: joined(&cors.allow_headers),
            allow_methods: joined(&cors.allow_methods),
            expose_headers: joined(&cors.expose_headers),
            max_age: cors.max_age_seconds.map(HeaderValue::from),
        }
    }

    /// The answer to a preflight, if the request is one.
    pub(crate) fn preflight(&self, method: &Method, request: &HeaderMap) -> Option<Reply> {
        let asks = method == Method::OPTIONS && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !request.contains_key(ORIGIN) {
            return None;
        }
        let mut headers = HeaderMap::new();
        if self.insert_common(request, &mut headers) {
            let rest = [
                (ACCESS_CONTROL_ALLOW_METHODS, &self.allow_methods),
                (ACCESS_CONTROL_ALLOW_HEADERS, &self.allow_headers),
                (ACCESS_CONTROL_MAX_AGE, &self.max_age),
            ];
            for (name, value) in rest {
                headers.extend(value.clone().map(|value| (name, value)));
            }
        }
        Some(Reply {
            status: StatusCode::NO_CONTENT,
            headers,
            body: Bytes::new(),
        })
    }

    /// Replaces the CORS headers of an answer by those of the configuration.
    pub(crate) fn apply(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        for name in &HEADERS {
            answer.remove(name);
        }
        self.insert_common(request, answer);
    }

    fn insert_common(&self, request: &HeaderMap, answer: &mut HeaderMap) -> bool {
        let Some(origin) = request.get(ORIGIN).and_then(|origin| self.allowed(origin)) else {
            return false;
        };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if let Some(exposed) = &self.expose_headers {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        true
    }

    fn allowed(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.origins.iter().any(|allowed| allowed == "*") {
            return Some(HeaderValue::from_static("*"));
        }
        let text = origin.to_str().ok()?;
        let allows = |allowed: &String| match allowed.strip_suffix('*') {
            Some(scheme) => text.starts_with(scheme),
            None => allowed.eq_ignore_ascii_case(text),
        };
        self.origins.iter().any(allows).then(|| origin.clone())
    }
}

fn joined(values: &[String]) -> Option<HeaderValue> {
    if values.is_empty() {
        return None;
    }
    HeaderValue::try_from(values.join(",")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str]) -> CompiledCors {
        CompiledCors::new(&Cors {
            allow_credentials: true,
            allow_headers: vec!["content-type".into(), "x-a".into()],
            allow_methods: vec!["GET".into(), "OPTIONS".into()],
            allow_origins: origins.iter().map(|&origin| origin.to_owned()).collect(),
            expose_headers: vec!["x-b".into()],
            max_age_seconds: Some(300),
        })
    }

    fn request(origin: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(ORIGIN, HeaderValue::from_static(origin));
        headers.insert(ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static("GET"));
        headers
    }

    #[test]
    fn a_preflight_from_an_allowed_origin_gets_the_configuration() {
        let answer = cors(&["https://shop"])
            .preflight(&Method::OPTIONS, &request("https://shop"))
            .unwrap();
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        for (name, value) in [
            ("access-control-allow-origin", "https://shop"),
            ("access-control-allow-methods", "GET,OPTIONS"),
            ("access-control-allow-headers", "content-type,x-a"),
            ("access-control-expose-headers", "x-b"),
            ("access-control-allow-credentials", "true"),
            ("access-control-max-age", "300"),
        ] {
            assert_eq!(answer.headers[name], value);
        }
    }

    #[test]
    fn a_preflight_from_elsewhere_gets_no_headers() {
        let answer = cors(&["https://shop"])
            .preflight(&Method::OPTIONS, &request("https://evil"))
            .unwrap();
        assert_eq!((answer.status, answer.headers.len()), (StatusCode::NO_CONTENT, 0));
    }

    #[test]
    fn only_options_with_origin_and_requested_method_is_a_preflight() {
        let cors = cors(&["*"]);
        assert!(cors.preflight(&Method::GET, &request("https://a")).is_none());
        let mut plain = request("https://a");
        plain.remove(ACCESS_CONTROL_REQUEST_METHOD);
        assert!(cors.preflight(&Method::OPTIONS, &plain).is_none());
    }

    #[test]
    fn the_configuration_replaces_what_the_function_says() {
        let mut answer = HeaderMap::new();
        answer.insert(
            ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("https://function"),
        );
        answer.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("PUT"));
        cors(&["*"]).apply(&request("https://a"), &mut answer);
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!answer.contains_key(ACCESS_CONTROL_ALLOW_METHODS));
    }

    #[test]
    fn a_scheme_wildcard_echoes_the_origin() {
        let cors = cors(&["https://*"]);
        assert!(cors.allowed(&HeaderValue::from_static("http://a")).is_none());
        assert_eq!(
            cors.allowed(&HeaderValue::from_static("https://a")).unwrap(),
            "https://a"
        );
    }
}
