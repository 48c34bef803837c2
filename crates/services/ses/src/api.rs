//! The operations: the REST-JSON API v2 here, the older query API in `query.rs`.

mod identities;
mod query;
mod send;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tradewind_model::RequestId;
use tradewind_wire::{Body, Caller, read_body, rest_json_error};

use crate::error::SesError;
use crate::model::{IdentityKey, IdentityName};
use crate::operation::{Operation, route};
use crate::send::Call;
use crate::service::SesService;

/// The longest request: a mail of ten mebibytes in base64, each `+` and `/` of it escaped, and what is around it.
const MAX_REQUEST_BYTES: usize = 16 * 1024 * 1024;

impl SesService {
    /// Answers a request of the API v2.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a change may be half made. Call it in a task that is not dropped.
    pub async fn handle<B>(&self, request: Request<B>, caller: Caller) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let id = RequestId::random();
        match self.answer(request, caller).await {
            Ok(answer) => respond(&answer, &id),
            Err(error) => {
                tell(&error, &id);
                rest_json_error(&error.to_rest(), &id)
            }
        }
    }

    async fn answer<B>(&self, request: Request<B>, caller: Caller) -> Result<Value, SesError>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let (parts, body) = request.into_parts();
        let (method, path) = (parts.method.as_str(), parts.uri.path());
        let found = route(method, path);
        let (operation, name, label) =
            found.ok_or_else(|| SesError::UnknownOperation(format!("`{method} {path}`")))?;
        let call = Call {
            account: caller.account,
            region: caller.region,
        };
        let body = read_body(body, MAX_REQUEST_BYTES).await;
        let body = body.map_err(|error| SesError::BadRequest(error.to_string()))?;
        match operation {
            Operation::CreateEmailIdentity => self.create_email_identity(&call, input(&body)?).await,
            Operation::DeleteEmailIdentity => self.delete_email_identity(&call, &label).await,
            Operation::GetEmailIdentity => self.get_email_identity(&call, &label),
            Operation::ListEmailIdentities => self.list_email_identities(&call, &input(&body)?),
            Operation::SendEmail => self.send_email(&call, input(&body)?).await,
            _ => Err(SesError::NotImplemented(name.to_owned())),
        }
    }
}

/// The identity of the caller's that is called this.
fn identity(call: &Call, name: &str) -> Result<IdentityKey, SesError> {
    Ok(IdentityKey {
        account: call.account.clone(),
        region: call.region.clone(),
        name: IdentityName::parse(name)?,
    })
}

fn input<R: DeserializeOwned>(body: &[u8]) -> Result<R, SesError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| SesError::Malformed(error.to_string()))
}

fn respond(answer: &Value, id: &RequestId) -> Response<Body> {
    let mut response = Response::new(Body::full(answer.to_string()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

fn tell(error: &SesError, id: &RequestId) {
    if let SesError::Internal(text) = error {
        tracing::error!(request_id = %id, error = %text, "an SES request failed");
    }
}

#[cfg(test)]
mod tests;
