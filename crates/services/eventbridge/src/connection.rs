//! Connections: how an HTTP endpoint is told who calls.
//!
//! # Invariants
//! - Secrets are stored sealed under the node's master key, are never answered and never printed.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tradewind_model::Timestamp;

use crate::error::EventBridgeError;
use crate::names::Name;
use crate::tables::Stored;

/// A text that is not printed.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// How a connection authorises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum AuthorizationType {
    Basic,
    OauthClientCredentials,
    ApiKey,
}

/// What it authorises with, in the shape of the API.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AuthParameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) basic_auth_parameters: Option<Basic>,
    #[serde(rename = "OAuthParameters", skip_serializing_if = "Option::is_none")]
    pub(crate) oauth: Option<OAuth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) api_key_auth_parameters: Option<ApiKey>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invocation_http_parameters: Option<HttpParameters>,
    /// Private endpoints, which are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) connectivity_parameters: Option<Value>,
}

/// Members of [`AuthParameters`] that an update names, in the shape of the API.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct AuthChange(Map<String, Value>);

impl fmt::Debug for AuthChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl AuthChange {
    /// What there was, changed where the update says so; lists are replaced. What another type of
    /// authorisation had is gone.
    pub(crate) fn apply(
        self,
        before: Option<&AuthParameters>,
        authorization: AuthorizationType,
    ) -> Result<AuthParameters, EventBridgeError> {
        let mut before = before.cloned().unwrap_or_default();
        before.keep_only(authorization);
        let internal = |error: serde_json::Error| EventBridgeError::Internal(error.to_string());
        let mut merged = serde_json::to_value(before).map_err(internal)?;
        merge(&mut merged, Value::Object(self.0));
        let merged = AuthParameters::deserialize(merged)
            .map_err(|error| EventBridgeError::parameter("AuthParameters", &what_is_missing(&error)))?;
        merged.check(authorization)?;
        Ok(merged)
    }
}

/// What is wrong, without the text of a value, which may be a secret.
fn what_is_missing(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.starts_with("missing field") {
        true => format!("There is a {text}."),
        false => "A member has the wrong type.".to_owned(),
    }
}

/// Puts `change` over `base`: objects member by member, all else as a whole; null changes nothing.
fn merge(base: &mut Value, change: Value) {
    match (base, change) {
        (_, Value::Null) => {}
        (Value::Object(base), Value::Object(change)) => {
            for (name, change) in change {
                match base.get_mut(&name) {
                    Some(member) => merge(member, change),
                    None if change.is_null() => {}
                    None => drop(base.insert(name, change)),
                }
            }
        }
        (base, change) => *base = change,
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Basic {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ApiKey {
    pub(crate) api_key_name: String,
    pub(crate) api_key_value: Secret,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OAuth {
    pub(crate) client_parameters: OAuthClient,
    pub(crate) authorization_endpoint: String,
    /// GET, POST or PUT.
    pub(crate) http_method: String,
    #[serde(rename = "OAuthHttpParameters", skip_serializing_if = "Option::is_none")]
    pub(crate) http_parameters: Option<HttpParameters>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OAuthClient {
    #[serde(rename = "ClientID")]
    pub(crate) id: String,
    #[serde(rename = "ClientSecret")]
    pub(crate) secret: Secret,
}

/// What goes with every request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HttpParameters {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) header_parameters: Vec<Parameter>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) query_string_parameters: Vec<Parameter>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) body_parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Parameter {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: Secret,
    #[serde(default = "yes")]
    pub(crate) is_value_secret: bool,
}

/// A value is secret unless the request says otherwise.
fn yes() -> bool {
    true
}

/// A connection as it is stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct ConnectionDefinition {
    pub(crate) arn: String,
    pub(crate) name: Name,
    pub(crate) description: Option<String>,
    pub(crate) authorization: AuthorizationType,
    /// [`AuthParameters`], sealed and in base64; none when it was deauthorised.
    pub(crate) sealed: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    pub(crate) authorized: Timestamp,
    /// The resource of a stack that made it.
    pub(crate) owner: Option<String>,
}

/// A connection as it is used.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) definition: ConnectionDefinition,
    pub(crate) auth: Option<AuthParameters>,
}

impl Stored for ConnectionDefinition {
    const KIND: &'static str = "connection";
    fn key(&self) -> String {
        self.arn.clone()
    }
}

impl Connection {
    pub(crate) fn state(&self) -> &'static str {
        if self.auth.is_some() {
            "AUTHORIZED"
        } else {
            "DEAUTHORIZED"
        }
    }
}

impl AuthParameters {
    /// Forgets what other types of authorisation need.
    fn keep_only(&mut self, authorization: AuthorizationType) {
        if authorization != AuthorizationType::Basic {
            self.basic_auth_parameters = None;
        }
        if authorization != AuthorizationType::ApiKey {
            self.api_key_auth_parameters = None;
        }
        if authorization != AuthorizationType::OauthClientCredentials {
            self.oauth = None;
        }
    }

    /// Whether it has what the type needs, and nothing that a node does not honour.
    pub(crate) fn check(&self, authorization: AuthorizationType) -> Result<(), EventBridgeError> {
        if self.connectivity_parameters.is_some() {
            let reason = "it reaches no private endpoints";
            return Err(EventBridgeError::unsupported(
                "Parameter ConnectivityParameters",
                reason,
            ));
        }
        let (there, member) = match authorization {
            AuthorizationType::Basic => (self.basic_auth_parameters.is_some(), "BasicAuthParameters"),
            AuthorizationType::ApiKey => (self.api_key_auth_parameters.is_some(), "ApiKeyAuthParameters"),
            AuthorizationType::OauthClientCredentials => (self.oauth.is_some(), "OAuthParameters"),
        };
        if !there {
            let reason = format!("The authorization type needs {member}.");
            return Err(EventBridgeError::parameter("AuthParameters", &reason));
        }
        let Some(oauth) = &self.oauth else { return Ok(()) };
        check_endpoint(&oauth.authorization_endpoint, "AuthorizationEndpoint")?;
        if !["GET", "POST", "PUT"].contains(&oauth.http_method.as_str()) {
            let rule = "Member must satisfy enum value set: [GET, POST, PUT]";
            let value = format!("'{}'", oauth.http_method);
            return Err(EventBridgeError::constraint(
                &value,
                "oAuthParameters.httpMethod",
                rule,
            ));
        }
        Ok(())
    }

    /// What may be answered.
    pub(crate) fn view(&self) -> Value {
        let mut view = json!({});
        if let Some(basic) = &self.basic_auth_parameters {
            view["BasicAuthParameters"] = json!({"Username": basic.username});
        }
        if let Some(key) = &self.api_key_auth_parameters {
            view["ApiKeyAuthParameters"] = json!({"ApiKeyName": key.api_key_name});
        }
        if let Some(oauth) = &self.oauth {
            view["OAuthParameters"] = json!({
                "ClientParameters": {"ClientID": oauth.client_parameters.id},
                "AuthorizationEndpoint": oauth.authorization_endpoint, "HttpMethod": oauth.http_method,
            });
            if let Some(parameters) = &oauth.http_parameters {
                view["OAuthParameters"]["OAuthHttpParameters"] = parameters.view();
            }
        }
        if let Some(parameters) = &self.invocation_http_parameters {
            view["InvocationHttpParameters"] = parameters.view();
        }
        view
    }
}

impl HttpParameters {
    fn view(&self) -> Value {
        let parameter = |parameter: &Parameter| {
            let mut view = json!({"Key": parameter.key, "IsValueSecret": parameter.is_value_secret});
            if !parameter.is_value_secret {
                view["Value"] = json!(parameter.value.0);
            }
            view
        };
        let all = |parameters: &[Parameter]| parameters.iter().map(parameter).collect::<Vec<_>>();
        json!({
            "HeaderParameters": all(&self.header_parameters),
            "QueryStringParameters": all(&self.query_string_parameters),
            "BodyParameters": all(&self.body_parameters),
        })
    }
}

/// Refuses what is no address of an HTTP server. Unlike AWS plain HTTP is taken, for servers of one's own.
pub(crate) fn check_endpoint(url: &str, parameter: &str) -> Result<(), EventBridgeError> {
    const MAX: usize = 2048;
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let is_url = host.is_some_and(|host| !host.starts_with(['/', '?', '#']) && !host.is_empty());
    let printable = url.chars().all(|c| c.is_ascii_graphic());
    if is_url && printable && url.len() <= MAX {
        return Ok(());
    }
    Err(EventBridgeError::parameter(
        parameter,
        "It has to be a URL with http or https and a host.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_neither_printed_nor_answered() {
        let given = json!({
            "BasicAuthParameters": {"Username": "me", "Password": "hidden"},
            "OAuthParameters": {"ClientParameters": {"ClientID": "id", "ClientSecret": "hidden"},
                "AuthorizationEndpoint": "https://a", "HttpMethod": "POST"},
            "ApiKeyAuthParameters": {"ApiKeyName": "x-key", "ApiKeyValue": "hidden"},
            "InvocationHttpParameters": {"HeaderParameters": [
                {"Key": "a", "Value": "hidden"}, {"Key": "b", "Value": "shown", "IsValueSecret": false}]},
        });
        let parameters: AuthParameters = serde_json::from_value(given.clone()).unwrap();
        for text in [format!("{parameters:?}"), parameters.view().to_string()] {
            assert!(!text.contains("hidden"), "{text}");
        }
        assert_eq!(
            parameters.view()["InvocationHttpParameters"]["HeaderParameters"][1]["Value"],
            "shown"
        );
        let stored = serde_json::to_value(&parameters).unwrap();
        assert_eq!(stored["BasicAuthParameters"], given["BasicAuthParameters"]);
    }

    #[test]
    fn an_endpoint_is_a_url_of_a_server() {
        for good in ["https://a.example/x/*", "http://127.0.0.1:8080/"] {
            assert!(check_endpoint(good, "InvocationEndpoint").is_ok(), "{good}");
        }
        for wrong in ["", "ftp://a", "https://", "https:///x", "http://a b"] {
            assert!(check_endpoint(wrong, "InvocationEndpoint").is_err(), "{wrong}");
        }
    }
}
