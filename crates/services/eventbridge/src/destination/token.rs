//! Access tokens of OAuth's client credentials grant (RFC 6749, section 4.4), kept until they end.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use tradewind_model::Timestamp;

use super::Destinations;
use crate::connection::{OAuth, Secret};

/// A token is asked for anew so long before it ends.
const MARGIN_MS: i64 = 30_000;
/// What a server that does not say gives.
const DEFAULT_LIFE_SECONDS: i64 = 3600;
/// The longest answer that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// The tokens of connections, by their ARNs.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<String, (Secret, Timestamp)>>);

#[derive(Deserialize)]
struct Answer {
    access_token: Secret,
    expires_in: Option<i64>,
}

impl Tokens {
    fn get(&self, connection: &str, now: Timestamp) -> Option<Secret> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, ends) = tokens.get(connection)?;
        (now.plus_millis(MARGIN_MS) < *ends).then(|| token.clone())
    }

    fn put(&self, connection: &str, token: Secret, ends: Timestamp) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(connection.to_owned(), (token, ends));
    }

    pub(super) fn forget(&self, connection: &str) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.remove(connection);
    }
}

impl Destinations {
    /// The connection's token, from before or from its authorisation server.
    ///
    /// # Errors
    /// Why there is none; another attempt may get one.
    pub(super) async fn token(
        &self,
        connection: &str,
        oauth: &OAuth,
        now: Timestamp,
    ) -> Result<Secret, String> {
        if let Some(token) = self.tokens.get(connection, now) {
            return Ok(token);
        }
        let answer = self.ask(oauth).await?;
        let life = answer
            .expires_in
            .unwrap_or(DEFAULT_LIFE_SECONDS)
            .saturating_mul(1000);
        self.tokens
            .put(connection, answer.access_token.clone(), now.plus_millis(life));
        Ok(answer.access_token)
    }

    async fn ask(&self, oauth: &OAuth) -> Result<Answer, String> {
        let parameters = oauth.http_parameters.clone().unwrap_or_default();
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", oauth.client_parameters.id.as_str()),
            ("client_secret", oauth.client_parameters.secret.0.as_str()),
        ];
        fields.extend(
            parameters
                .body_parameters
                .iter()
                .map(|pair| (pair.key.as_str(), pair.value.0.as_str())),
        );
        let form = super::request::form(&fields);
        let queries: Vec<_> = parameters
            .query_string_parameters
            .iter()
            .map(|pair| (pair.key.as_str(), pair.value.0.as_str()))
            .collect();
        let mut url = super::request::with_query(&oauth.authorization_endpoint, &queries);
        let method = oauth
            .http_method
            .parse()
            .map_err(|_unknown| "the method is none".to_owned())?;
        let in_query = method == reqwest::Method::GET;
        if in_query {
            url = super::request::with_query(&url, &fields);
        }
        let mut request = self
            .client
            .request(method, url)
            .header("accept", "application/json");
        for header in &parameters.header_parameters {
            request = request.header(&header.key, &header.value.0);
        }
        if !in_query {
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form);
        }
        let failed = |error: reqwest::Error| {
            format!(
                "the authorization endpoint does not answer: {}",
                error.without_url()
            )
        };
        let mut response = request.send().await.map_err(failed)?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("the authorization endpoint answered {status}"));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(format!(
                    "the authorization endpoint answered more than {MAX_ANSWER} bytes"
                ));
            }
            body.extend_from_slice(&chunk);
        }
        serde_json::from_slice(&body)
            .map_err(|_other| "the authorization endpoint answered no access token".to_owned())
    }
}
