//! To Kafka, by the bus: a rule a topic, as `../MODEL.md` says.

use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpConnector as _, ReqwestConnector};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::settings::Endpoint;

/// As many entries a call takes.
const ENTRIES: usize = 10;
/// As often a call is tried.
const TRIES: usize = 3;

/// A record for a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who writes it: `resolve`, …
    pub step: &'static str,
    /// The topic.
    pub topic: &'static str,
    /// The record's key.
    pub key: String,
    /// Its value; null is a tombstone.
    pub value: Value,
}

/// The app's bus.
#[derive(Debug)]
pub struct Bus {
    client: HttpClient,
    endpoint: Endpoint,
    name: String,
}

impl Bus {
    /// The bus of this name.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(endpoint: Endpoint, name: &str) -> Result<Self, Failure> {
        let options = ClientOptions::new().with_allow_http(true);
        Ok(Self {
            client: ReqwestConnector::default().connect(&options)?,
            endpoint,
            name: name.to_owned(),
        })
    }

    /// Writes records, in order.
    ///
    /// # Errors
    /// When one is not taken; those before it are written.
    pub async fn put(&self, entries: &[Entry]) -> Result<(), Failure> {
        for some in entries.chunks(ENTRIES) {
            let entries: Vec<Value> = some.iter().map(|entry| self.entry(entry)).collect();
            self.put_some(entries).await?;
        }
        Ok(())
    }

    fn entry(&self, entry: &Entry) -> Value {
        json!({
            "EventBusName": self.name,
            "Source": format!("customer-view.{}", entry.step),
            "DetailType": entry.topic,
            "Detail": json!({"key": entry.key, "value": entry.value}).to_string(),
        })
    }

    /// Entries that were not taken are tried again, before any that follow.
    async fn put_some(&self, mut entries: Vec<Value>) -> Result<(), Failure> {
        let mut problem = String::new();
        for _ in 0..TRIES {
            let answer = match self.call(&json!({"Entries": entries})).await {
                Ok(answer) => answer,
                Err(error) => {
                    problem = error;
                    continue;
                }
            };
            let results = answer["Entries"].as_array().cloned().unwrap_or_default();
            let Some(first) = results
                .iter()
                .position(|result| result.get("ErrorCode").is_some())
            else {
                return Ok(());
            };
            problem = results[first].to_string();
            // From the first that failed on, so that the order holds: a record may come twice, never late.
            entries.drain(..first);
        }
        Err(Failure::Bus(problem))
    }

    async fn call(&self, body: &Value) -> Result<Value, String> {
        let mut request = http::Request::post(&self.endpoint.url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "AWSEvents.PutEvents");
        if let Ok(trace) = std::env::var("_X_AMZN_TRACE_ID") {
            request = request.header("x-amzn-trace-id", trace);
        }
        let mut request = request
            .body(body.to_string().into())
            .map_err(|error| error.to_string())?;
        let credential = AwsCredential {
            key_id: self.endpoint.key_id.clone(),
            secret_key: self.endpoint.secret_key.clone(),
            token: None,
        };
        AwsAuthorizer::new(&credential, "events", &self.endpoint.region)
            .try_authorize(&mut request, None)
            .map_err(|error| error.to_string())?;
        let response = self
            .client
            .execute(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = response.status();
        let body = response
            .into_body()
            .bytes()
            .await
            .map_err(|error| error.to_string())?;
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)));
        }
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}
