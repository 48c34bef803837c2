//! One request to an endpoint, and what its answer means.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tradewind_events::delivery::Outcome;

use super::call::Call;
use super::{ApiDestination, give_up, retry};
use crate::connection::{AuthParameters, ConnectionDefinition, HttpParameters, Parameter};
use crate::service::EventBridgeService;

/// What stands in paths and queries as it is: RFC 3986's unreserved characters.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

impl EventBridgeService {
    /// Sends a call once; its answer, if that is a success.
    pub(super) async fn attempt(
        &self,
        call: Call<'_>,
        destination: &ApiDestination,
        (connection, auth): (&ConnectionDefinition, &AuthParameters),
    ) -> Result<reqwest::Response, Outcome> {
        let mut headers = headers(call, auth).map_err(|reason| give_up("INVALID_PARAMETER", &reason))?;
        if let Some(oauth) = &auth.oauth {
            let token = self.destinations().token(&connection.arn, oauth, self.now());
            let token = token
                .await
                .map_err(|reason| retry("NO_PERMISSIONS", reason, None))?;
            let bearer = secret_header(&format!("Bearer {}", token.0));
            let bearer =
                bearer.ok_or_else(|| give_up("NO_PERMISSIONS", "the access token fits no header"))?;
            headers.insert(reqwest::header::AUTHORIZATION, bearer);
        }
        let Ok(method) = destination.method.parse::<reqwest::Method>() else {
            return Err(give_up("INVALID_PARAMETER", "the method is none"));
        };
        let body = body(call, auth.invocation_http_parameters.as_ref());
        let url = url(call, destination, auth.invocation_http_parameters.as_ref());
        let mut request = self
            .destinations()
            .client
            .request(method.clone(), url)
            .headers(headers);
        if ![
            reqwest::Method::GET,
            reqwest::Method::HEAD,
            reqwest::Method::OPTIONS,
        ]
        .contains(&method)
        {
            request = request.body(body);
        }
        match request.send().await {
            Ok(response) => match self.judge(&response, connection, auth.oauth.is_some()) {
                Outcome::Done => Ok(response),
                failed => Err(failed),
            },
            Err(error) if error.is_builder() => Err(give_up(
                "INVALID_PARAMETER",
                &format!("no request can be made: {}", error.without_url()),
            )),
            Err(error) => {
                let what = if error.is_timeout() {
                    "does not answer in time"
                } else {
                    "cannot be reached"
                };
                Err(retry(
                    "CONNECTION_FAILURE",
                    format!("the endpoint {what}: {}", error.without_url()),
                    None,
                ))
            }
        }
    }

    /// 401, 407, 409, 429 and what is the server's fault are tried again. EventBridge User Guide, "API
    /// destinations", "Retry behavior".
    fn judge(
        &self,
        response: &reqwest::Response,
        connection: &ConnectionDefinition,
        has_token: bool,
    ) -> Outcome {
        let status = response.status();
        let reason = format!("the endpoint answered {status}");
        match status.as_u16() {
            200..=299 => Outcome::Done,
            401 | 407 => {
                if has_token {
                    self.destinations().forget_token(&connection.arn);
                }
                retry("NO_PERMISSIONS", reason, None)
            }
            409 => retry("SDK_CLIENT_ERROR", reason, None),
            429 => retry("THROTTLING", reason, self.retry_after(response)),
            500..=599 => retry("INTERNAL_ERROR", reason, self.retry_after(response)),
            _ => give_up("SDK_CLIENT_ERROR", &reason),
        }
    }

    /// What `Retry-After` asks for: seconds, or a date.
    fn retry_after(&self, response: &reqwest::Response) -> Option<Duration> {
        let text = response.headers().get("retry-after")?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
        let wait = at.saturating_sub(self.now().as_millis());
        u64::try_from(wait).ok().map(Duration::from_millis)
    }
}

/// The endpoint with its path parameters, and all queries.
fn url(call: Call<'_>, destination: &ApiDestination, connection: Option<&HttpParameters>) -> String {
    let mut values = call.http.path_parameter_values.iter();
    let mut url = String::new();
    for (index, part) in destination.endpoint.split('*').enumerate() {
        if index > 0 {
            let value = values.next().map_or("", String::as_str);
            url.extend(utf8_percent_encode(value, PLAIN));
        }
        url.push_str(part);
    }
    let of_target = call
        .http
        .query_string_parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let mut queries: Vec<(&str, &str)> = of_target.collect();
    queries.extend(pairs(
        connection.map(|parameters| &*parameters.query_string_parameters),
    ));
    with_query(&url, &queries)
}

fn pairs(parameters: Option<&[Parameter]>) -> impl Iterator<Item = (&str, &str)> {
    let all = parameters.into_iter().flatten();
    all.map(|parameter| (parameter.key.as_str(), parameter.value.0.as_str()))
}

/// `a=1&b=2`, encoded.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let encode = |text| utf8_percent_encode(text, PLAIN);
    let fields = fields
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    fields.collect::<Vec<_>>().join("&")
}

/// The URL with more queries.
pub(super) fn with_query(url: &str, queries: &[(&str, &str)]) -> String {
    if queries.is_empty() {
        return url.to_owned();
    }
    let mark = if url.contains('?') { '&' } else { '?' };
    format!("{url}{mark}{}", form(queries))
}

/// The target's headers, then the connection's, which win.
fn headers(call: Call<'_>, auth: &AuthParameters) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    let mut insert = |name: &str, value: &str| {
        let parsed = name.parse::<HeaderName>().ok().zip(secret_header(value));
        let (name, value) = parsed.ok_or_else(|| format!("`{name}` is no header, or its value fits none"))?;
        headers.insert(name, value);
        Ok::<(), String>(())
    };
    if let Some(trace) = call.trace {
        insert("x-amzn-trace-id", trace)?;
    }
    for (name, value) in &call.http.header_parameters {
        insert(name, value)?;
    }
    let connection = auth.invocation_http_parameters.as_ref();
    for (name, value) in pairs(connection.map(|parameters| &*parameters.header_parameters)) {
        insert(name, value)?;
    }
    if let Some(key) = &auth.api_key_auth_parameters {
        insert(&key.api_key_name, &key.api_key_value.0)?;
    }
    if let Some(basic) = &auth.basic_auth_parameters {
        use base64::Engine as _;
        let pair = format!("{}:{}", basic.username, basic.password.0);
        let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
        insert("authorization", &format!("Basic {encoded}"))?;
    }
    Ok(headers)
}

fn secret_header(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The body, with the connection's parameters where it is an object.
fn body(call: Call<'_>, connection: Option<&HttpParameters>) -> String {
    let parameters = connection
        .map(|parameters| &*parameters.body_parameters)
        .unwrap_or_default();
    if parameters.is_empty() {
        return call.body.to_owned();
    }
    match serde_json::from_str::<Value>(call.body) {
        Ok(Value::Object(mut object)) => {
            let more = parameters
                .iter()
                .map(|parameter| (parameter.key.clone(), parameter.value.0.as_str().into()));
            object.extend(more);
            Value::Object(object).to_string()
        }
        _ => call.body.to_owned(),
    }
}
