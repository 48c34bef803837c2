//! The operations: a request in either protocol in, an answer in the same one out.

mod attempts;
mod attributes;
mod batch;
mod delete;
mod move_tasks;
mod permissions;
mod queues;
mod receive;
mod send;
mod tags;
mod visibility;

use std::sync::OnceLock;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tradewind_model::{AccountId, Region, RequestId};
use tradewind_wire::{
    Body, Caller, Protocol, ReadBodyError, WireError, aws_json_response, error_response, parse_query,
    query_response, query_response_without_result, read_body,
};

pub(crate) use attempts::Attempts;
pub(crate) use receive::system_attributes;
pub(crate) use tags::check as check_tags;

use crate::error::SqsError;
use crate::names::QueueArn;
use crate::operation::Operation;
use crate::protocol::{self, NAMESPACE};
use crate::service::SqsService;

/// The longest request: a mebibyte of messages, each byte escaped in JSON (`\u00e4`) or in a form.
const MAX_REQUEST_BYTES: usize = 8 * 1024 * 1024;
/// Requests up to this size are read without waiting for others.
const SMALL_REQUEST_BYTES: u64 = 64 * 1024;

/// Who calls, and how the answer is to look.
pub(crate) struct Call {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// The access key, else the account.
    pub(crate) sender: String,
    /// The trace header of the request.
    pub(crate) trace: Option<String>,
    /// The start of queue URLs, as this client reaches the node.
    pub(crate) base_url: String,
    /// Cancelled when the client has hung up, or the node stops.
    pub(crate) gone: CancellationToken,
    /// The queue that the request named first.
    pub(crate) named: OnceLock<QueueArn>,
}

/// The parameters of a request: those of JSON are read straight into the operation's type.
enum Input {
    Json(Bytes),
    Form(Value),
}

/// What an operation answers.
enum Answer {
    Nothing,
    Json(Vec<u8>),
    Form(Value),
}

impl SqsService {
    /// Answers a request. `gone` is cancelled when the client hangs up: a receive that waits then takes
    /// no message.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a change may be half made. Call it in a task that is not dropped.
    pub async fn handle<B>(
        &self,
        request: Request<B>,
        caller: Caller,
        gone: CancellationToken,
    ) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let id = RequestId::random();
        let (parts, body) = request.into_parts();
        let protocol = protocol_of(&parts);
        let call = call_of(&parts, caller, self.base_url(), gone);
        let answer = match self.read(&parts, body, protocol).await {
            Ok((action, input)) => {
                let asked = input.bytes();
                let answer = self.perform(&call, &action, input).await;
                let answered = answer.as_ref().map_or(0, Answer::bytes);
                self.count(call.named.get(), asked.max(answered));
                answer.map(|answer| (action, answer))
            }
            Err(error) => Err(error),
        };
        match answer {
            Ok((action, answer)) => respond(&action, answer, protocol, &id),
            Err(error) => {
                if let SqsError::Internal(text) = &error {
                    tracing::error!(request_id = %id, error = %text, "an SQS request failed");
                }
                error_response(protocol, NAMESPACE, &error.to_wire(protocol), &id)
            }
        }
    }

    /// The name of the operation and its parameters.
    async fn read<B>(&self, parts: &Parts, body: B, protocol: Protocol) -> Result<(String, Input), SqsError>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let is_small = body
            .size_hint()
            .upper()
            .is_some_and(|bytes| bytes <= SMALL_REQUEST_BYTES);
        let _turn = if is_small {
            None
        } else {
            self.reads().acquire().await.ok()
        };
        let body = read_body(body, MAX_REQUEST_BYTES)
            .await
            .map_err(|error| match error {
                ReadBodyError::TooLarge { .. } => SqsError::InvalidParameterValue(error.to_string()),
                ReadBodyError::Interrupted { .. } => SqsError::Malformed(error.to_string()),
            })?;
        if protocol == Protocol::Json10 {
            let target = header(parts, "x-amz-target").unwrap_or_default();
            let action = target.rsplit('.').next().unwrap_or_default();
            return Ok((action.to_owned(), Input::Json(body)));
        }
        let params = parse_query(parts.uri.query().unwrap_or_default(), &body);
        let params = params.map_err(|error| SqsError::Malformed(error.to_string()))?;
        let action = params
            .action()
            .ok_or(SqsError::MissingParameter("Action"))?
            .to_owned();
        let mut value = protocol::from_form(&params)?;
        // the old protocol posts to the queue's own URL
        if value.get("QueueUrl").is_none() && parts.uri.path().len() > 1 {
            value["QueueUrl"] = parts.uri.path().into();
        }
        Ok((action, Input::Form(value)))
    }

    #[rustfmt::skip]
    async fn perform(&self, call: &Call, action: &str, input: Input) -> Result<Answer, SqsError> {
        let Some(operation) = Operation::named(action) else {
            let text = format!("Could not find operation {action} for version 2012-11-05");
            return Err(SqsError::Operation(WireError::new(400, "InvalidAction", text)));
        };
        match operation {
            Operation::AddPermission => input.done(|r| self.add_permission(call, r)).await,
            Operation::CancelMessageMoveTask => input.run(|r| self.cancel_message_move_task(call, r)).await,
            Operation::ChangeMessageVisibility => input.done(|r| self.change_message_visibility(call, r)).await,
            Operation::ChangeMessageVisibilityBatch => input.run(|r| self.change_message_visibility_batch(call, r)).await,
            Operation::CreateQueue => input.run(|r| self.create_queue(call, r)).await,
            Operation::DeleteMessage => input.done(|r| self.delete_message(call, r)).await,
            Operation::DeleteMessageBatch => input.run(|r| self.delete_message_batch(call, r)).await,
            Operation::DeleteQueue => input.done(|r| self.delete_queue(call, r)).await,
            Operation::GetQueueAttributes => input.run(|r| self.get_queue_attributes(call, r)).await,
            Operation::GetQueueUrl => input.run(|r| self.get_queue_url(call, r)).await,
            Operation::ListDeadLetterSourceQueues => input.run(|r| self.list_dead_letter_source_queues(call, r)).await,
            Operation::ListMessageMoveTasks => input.run(|r| self.list_message_move_tasks(call, r)).await,
            Operation::ListQueueTags => input.run(|r| self.list_queue_tags(call, r)).await,
            Operation::ListQueues => input.run(|r| self.list_queues(call, r)).await,
            Operation::PurgeQueue => input.done(|r| self.purge_queue(call, r)).await,
            Operation::ReceiveMessage => input.run(|r| self.receive_message(call, r)).await,
            Operation::RemovePermission => input.done(|r| self.remove_permission(call, r)).await,
            Operation::SendMessage => input.run(|r| self.send_message(call, r)).await,
            Operation::SendMessageBatch => input.run(|r| self.send_message_batch(call, r)).await,
            Operation::SetQueueAttributes => input.done(|r| self.set_queue_attributes(call, r)).await,
            Operation::StartMessageMoveTask => input.run(|r| self.start_message_move_task(call, r)).await,
            Operation::TagQueue => input.done(|r| self.tag_queue(call, r)).await,
            Operation::UntagQueue => input.done(|r| self.untag_queue(call, r)).await,
        }
    }
}

impl Answer {
    /// How large it is; of the old protocol, which few use, only that it is there.
    fn bytes(&self) -> usize {
        match self {
            Self::Json(body) => body.len(),
            Self::Nothing | Self::Form(_) => 0,
        }
    }
}

impl Input {
    /// How large it is.
    fn bytes(&self) -> usize {
        match self {
            Self::Json(body) => body.len(),
            Self::Form(value) => value.to_string().len(),
        }
    }

    fn read<R: DeserializeOwned>(self) -> Result<R, SqsError> {
        let read = match self {
            Self::Json(body) if body.is_empty() => serde_json::from_str("{}"),
            Self::Json(body) => serde_json::from_slice(&body),
            Self::Form(value) => serde_json::from_value(value),
        };
        read.map_err(|error| SqsError::Malformed(error.to_string()))
    }

    /// An operation with a result.
    async fn run<R, A, F>(self, work: impl FnOnce(R) -> F) -> Result<Answer, SqsError>
    where
        R: DeserializeOwned,
        A: Serialize,
        F: Future<Output = Result<A, SqsError>>,
    {
        let is_json = matches!(self, Self::Json(_));
        let answer = work(self.read()?).await?;
        let written = if is_json {
            serde_json::to_vec(&answer).map(Answer::Json)
        } else {
            serde_json::to_value(&answer).map(Answer::Form)
        };
        written.map_err(|error| SqsError::Internal(error.to_string()))
    }

    /// An operation without one.
    async fn done<R, F>(self, work: impl FnOnce(R) -> F) -> Result<Answer, SqsError>
    where
        R: DeserializeOwned,
        F: Future<Output = Result<(), SqsError>>,
    {
        work(self.read()?).await?;
        Ok(Answer::Nothing)
    }
}

fn respond(action: &str, answer: Answer, protocol: Protocol, id: &RequestId) -> Response<Body> {
    match (answer, protocol) {
        (Answer::Nothing, Protocol::Query) => query_response_without_result(action, NAMESPACE, id),
        (Answer::Nothing, _) => aws_json_response("1.0", "{}", id),
        (Answer::Json(body), _) => aws_json_response("1.0", body, id),
        (Answer::Form(value), _) => query_response(action, &protocol::to_xml(action, &value), NAMESPACE, id),
    }
}

/// A request without a target is one of the query protocol.
fn protocol_of(parts: &Parts) -> Protocol {
    if parts.headers.contains_key("x-amz-target") {
        Protocol::Json10
    } else {
        Protocol::Query
    }
}

fn call_of(parts: &Parts, caller: Caller, base_url: &str, gone: CancellationToken) -> Call {
    let host = header(parts, "host").filter(|host| !host.is_empty());
    let sender = caller
        .access_key
        .map_or_else(|| caller.account.to_string(), String::from);
    Call {
        account: caller.account,
        region: caller.region,
        sender,
        trace: header(parts, "x-amzn-trace-id").map(str::to_owned),
        base_url: host.map_or_else(|| base_url.to_owned(), |host| format!("http://{host}")),
        gone,
        named: OnceLock::new(),
    }
}

fn header<'a>(parts: &'a Parts, name: &str) -> Option<&'a str> {
    parts.headers.get(name)?.to_str().ok()
}

impl Call {
    /// The queue that a `QueueUrl` names.
    pub(crate) fn queue(&self, url: Option<&str>) -> Result<QueueArn, SqsError> {
        let url = required(url, "QueueUrl")?;
        let queue = QueueArn::of_url(url, &self.account, &self.region)?;
        self.named.get_or_init(|| queue.clone());
        Ok(queue)
    }
}

/// A parameter that has to be there.
pub(crate) fn required<T>(parameter: Option<T>, name: &'static str) -> Result<T, SqsError> {
    parameter.ok_or(SqsError::MissingParameter(name))
}

/// A request that names a queue and says nothing else.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct OfQueue {
    pub(crate) queue_url: Option<String>,
}

#[cfg(test)]
mod tests;
