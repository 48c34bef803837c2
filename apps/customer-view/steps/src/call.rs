//! Signed calls of the platform's JSON protocols.

use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredential};
use object_store::client::{HttpClient, HttpConnector as _, ReqwestConnector};
use serde_json::Value;

use crate::failure::Failure;
use crate::settings::Endpoint;

/// Which operation, and how it is spoken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    /// What is signed for: `events`, `sqs`.
    pub(crate) service: &'static str,
    /// `X-Amz-Target`.
    pub(crate) target: &'static str,
    /// `Content-Type`.
    pub(crate) content: &'static str,
}

/// Who calls.
#[derive(Debug)]
pub(crate) struct Caller {
    client: HttpClient,
    endpoint: Endpoint,
}

impl Caller {
    pub(crate) fn new(endpoint: Endpoint) -> Result<Self, Failure> {
        let options = ClientOptions::new().with_allow_http(true);
        Ok(Self {
            client: ReqwestConnector::default().connect(&options)?,
            endpoint,
        })
    }

    pub(crate) async fn call(&self, operation: Operation, body: &Value) -> Result<Value, String> {
        let mut request = http::Request::post(&self.endpoint.url)
            .header("content-type", operation.content)
            .header("x-amz-target", operation.target);
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
        AwsAuthorizer::new(&credential, operation.service, &self.endpoint.region)
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
