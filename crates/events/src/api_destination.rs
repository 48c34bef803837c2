//! API destinations, as services know them that only call them: HTTP endpoints that an ARN stands for.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tradewind_model::Arn;

use crate::transform::JsonPath;

/// Headers that are the connection's or the transport's.
const RESERVED_HEADERS: &[&str] = &[
    "authorization",
    "connection",
    "content-length",
    "host",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-amzn-trace-id",
];

/// What a request has beside its body (`HttpParameters`); a value that is a path (`$.detail.id`) stands for what the
/// event has there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct HttpParameters {
    /// What the `*` of the endpoint are, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_parameter_values: Vec<String>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header_parameters: BTreeMap<String, String>,
    /// By name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query_string_parameters: BTreeMap<String, String>,
}

impl HttpParameters {
    /// A header that is not for targets to set.
    #[must_use]
    pub fn reserved_header(&self) -> Option<&str> {
        let is_reserved = |name: &&String| RESERVED_HEADERS.contains(&name.to_ascii_lowercase().as_str());
        self.header_parameters
            .keys()
            .find(is_reserved)
            .map(String::as_str)
    }

    /// With what the event has where the paths lead; nothing where it has nothing.
    #[must_use]
    pub fn of_event(&self, event: &Value) -> Self {
        let value = |text: &String| -> String {
            let path = text.strip_prefix('$').and_then(|_| text.parse::<JsonPath>().ok());
            match path.map(|path| path.select(event)) {
                None => text.clone(),
                Some(None) => String::new(),
                Some(Some(found)) => found.as_str().map_or_else(|| found.to_string(), str::to_owned),
            }
        };
        let pairs = |all: &BTreeMap<String, String>| {
            all.iter()
                .map(|(name, text)| (name.clone(), value(text)))
                .collect()
        };
        Self {
            path_parameter_values: self.path_parameter_values.iter().map(value).collect(),
            header_parameters: pairs(&self.header_parameters),
            query_string_parameters: pairs(&self.query_string_parameters),
        }
    }
}

/// Whether an ARN is of an API destination.
#[must_use]
pub fn is_api_destination(arn: &Arn) -> bool {
    &*arn.service == "events" && arn.resource.starts_with("api-destination/")
}

/// A request to an API destination.
#[derive(Clone, Debug)]
pub struct DestinationRequest {
    /// Its ARN.
    pub destination: Arn,
    /// As they are sent: paths were replaced.
    pub http: HttpParameters,
    /// JSON.
    pub body: String,
    /// The journey that it is part of, as a header has it.
    pub trace: Option<String>,
}

/// Why a request came to nothing; another one later may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DestinationFailure(pub String);

/// Makes requests to API destinations.
#[async_trait::async_trait]
pub trait ApiDestinations: Send + Sync + fmt::Debug {
    /// Whether there is such a destination.
    ///
    /// # Errors
    /// That there is none.
    fn find(&self, destination: &Arn) -> Result<(), DestinationFailure>;

    /// Makes one request, when the destination's rate allows it, and gives its answer's body.
    ///
    /// # Errors
    /// Why there is no answer, or none that is a success.
    ///
    /// # Cancel safety
    /// Dropped, the endpoint may have had the request.
    async fn call(&self, request: DestinationRequest) -> Result<Bytes, DestinationFailure>;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_stand_for_what_the_event_has() {
        let parameters: HttpParameters = serde_json::from_value(json!({
            "PathParameterValues": ["$.body.id", "fixed"],
            "HeaderParameters": {"x-shop": "$.body.shop"},
            "QueryStringParameters": {"missing": "$.body.nothing"},
        }))
        .unwrap();
        let made = parameters.of_event(&json!({"body": {"id": 7, "shop": "north"}}));
        assert_eq!(made.path_parameter_values, ["7", "fixed"]);
        assert_eq!(made.header_parameters["x-shop"], "north");
        assert_eq!(made.query_string_parameters["missing"], "");
    }

    #[test]
    fn headers_of_the_connection_are_reserved() {
        let with = |name: &str| HttpParameters {
            header_parameters: [(name.to_owned(), String::new())].into(),
            ..HttpParameters::default()
        };
        assert_eq!(with("Authorization").reserved_header(), Some("Authorization"));
        assert_eq!(with("x-shop").reserved_header(), None);
    }
}
