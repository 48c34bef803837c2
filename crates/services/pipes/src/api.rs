//! The REST-JSON API: one request in, one operation, one answer or one error out.

mod pipes;
mod tags;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use serde_json::{Map, Value};
use tradewind_model::RequestId;
use tradewind_wire::{Body, Caller, Params, parse_query, read_body, rest_json_error};

pub(crate) use tags::check as check_tags;

use crate::error::PipesError;
use crate::model::PipeId;
use crate::operation::{Operation, route};
use crate::service::PipesService;

/// The longest request: two templates, five patterns, each character escaped, and the other settings.
const MAX_REQUEST_BYTES: usize = 512 * 1024;

/// A request whose operation is known and whose body is here.
struct Call {
    caller: Caller,
    operation: Operation,
    /// The label of the path: a name, or the ARN of a tag operation.
    label: String,
    params: Params,
    body: Bytes,
}

type Answer = Result<Value, PipesError>;

impl PipesService {
    /// Answers one request of the Pipes API.
    ///
    /// # Cancel safety
    /// If the future is dropped, a change it began is written whole or not at all.
    pub async fn handle<B>(&self, request: Request<B>, caller: Caller) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let id = RequestId::random();
        let answer = match read(request, caller).await {
            Ok(call) => self.perform(&call).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(value) => respond(&value, &id),
            Err(error) => {
                if let PipesError::Internal(text) = &error {
                    tracing::error!(request_id = %id, error = %text, "a Pipes request failed");
                }
                rest_json_error(&error.wire(), &id)
            }
        }
    }

    async fn perform(&self, call: &Call) -> Answer {
        match call.operation {
            Operation::CreatePipe => self.create_pipe(call).await,
            Operation::DeletePipe => self.delete_pipe(call).await,
            Operation::DescribePipe => self.describe_pipe(call),
            Operation::ListPipes => self.list_pipes(call),
            Operation::ListTagsForResource => self.list_tags_for_resource(call),
            Operation::StartPipe => self.start_pipe(call).await,
            Operation::StopPipe => self.stop_pipe(call).await,
            Operation::TagResource => self.tag_resource(call).await,
            Operation::UntagResource => self.untag_resource(call).await,
            Operation::UpdatePipe => self.update_pipe(call).await,
        }
    }
}

async fn read<B>(request: Request<B>, caller: Caller) -> Result<Call, PipesError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let found = route(parts.method.as_str(), parts.uri.path());
    let (operation, label) = found.ok_or(PipesError::UnknownOperation)?;
    let invalid = |error: &dyn std::fmt::Display| PipesError::Validation(error.to_string());
    let params = parse_query(parts.uri.query().unwrap_or_default(), b"").map_err(|error| invalid(&error))?;
    let body = read_body(body, MAX_REQUEST_BYTES).await;
    Ok(Call {
        caller,
        operation,
        label,
        params,
        body: body.map_err(|error| invalid(&error))?,
    })
}

fn respond(value: &Value, id: &RequestId) -> Response<Body> {
    let mut response = Response::new(Body::full(value.to_string()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

impl Call {
    /// The members of the request's body.
    fn input(&self) -> Result<Map<String, Value>, PipesError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| PipesError::Validation(error.to_string()))
    }

    /// The pipe that the path names.
    fn pipe(&self) -> Result<PipeId, PipesError> {
        PipeId::parse(
            self.caller.account.clone(),
            self.caller.region.clone(),
            &self.label,
        )
    }
}
