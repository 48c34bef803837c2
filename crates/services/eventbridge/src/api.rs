//! The operations: awsJson 1.1 in and out.

mod archives;
mod buses;
mod connections;
mod destinations;
mod events;
mod partners;
mod permissions;
mod replays;
mod rules;
mod tags;
mod targets;

pub(crate) use archives::ArchiveRequest;
pub(crate) use buses::BusRequest;
pub(crate) use connections::ConnectionRequest;
pub(crate) use destinations::DestinationRequest;
pub(crate) use permissions::{PutPermission, statements};
pub(crate) use rules::RuleRequest;
pub(crate) use tags::TagList;

use bytes::Bytes;
use http::{Request, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tradewind_model::{AccountId, Region, RequestId, Timestamp};
use tradewind_wire::{Body, Caller, Protocol, ReadBodyError, aws_json_response, error_response, read_body};

use crate::error::EventBridgeError;
use crate::names::BusArn;
use crate::operation::Operation;
use crate::service::EventBridgeService;

/// The longest request: a mebibyte of events, each byte escaped.
const MAX_REQUEST_BYTES: usize = 8 * 1024 * 1024;

/// Who calls.
pub(crate) struct Call {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    /// The trace header of the request.
    pub(crate) trace: Option<String>,
}

impl Call {
    /// The bus that a request names, by name or ARN.
    pub(crate) fn bus(&self, given: Option<&str>) -> Result<BusArn, EventBridgeError> {
        BusArn::parse(given, &self.account, &self.region)
    }
}

impl EventBridgeService {
    /// Answers a request.
    ///
    /// # Cancel safety
    /// Not cancel-safe: a change may be half made. Call it in a task that is not dropped.
    pub async fn handle<B>(&self, request: Request<B>, caller: Caller) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes>,
        B::Error: std::fmt::Display,
    {
        let id = RequestId::random();
        let (parts, body) = request.into_parts();
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let action = header("x-amz-target")
            .and_then(|target| target.rsplit('.').next())
            .unwrap_or_default();
        let call = Call {
            account: caller.account,
            region: caller.region,
            trace: header("x-amzn-trace-id").map(str::to_owned),
        };
        let answer = match read(body).await {
            Ok(body) => self.perform(&call, action, &body).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => aws_json_response("1.1", answer.to_string(), &id),
            Err(error) => {
                if let EventBridgeError::Internal(text) = &error {
                    tracing::error!(request_id = %id, operation = action, error = %text, "an EventBridge request failed");
                }
                error_response(Protocol::Json11, "", &error.to_wire(), &id)
            }
        }
    }

    #[rustfmt::skip]
    async fn perform(&self, call: &Call, action: &str, body: &[u8]) -> Result<Value, EventBridgeError> {
        let Some(operation) = Operation::named(action) else {
            return Err(EventBridgeError::UnknownOperation(action.to_owned()));
        };
        match operation {
            Operation::ActivateEventSource => self.activate_event_source(call, input(body)?).await,
            Operation::CancelReplay => self.cancel_replay(call, input(body)?).await,
            Operation::CreateApiDestination => self.create_api_destination(call, input(body)?).await,
            Operation::CreateArchive => self.create_archive(call, input(body)?).await,
            Operation::CreateConnection => self.create_connection(call, input(body)?).await,
            Operation::CreateEventBus => self.create_event_bus(call, input(body)?).await,
            Operation::CreatePartnerEventSource => self.create_partner_event_source(call, input(body)?).await,
            Operation::DeactivateEventSource => self.deactivate_event_source(call, input(body)?).await,
            Operation::DeauthorizeConnection => self.deauthorize_connection(call, input(body)?).await,
            Operation::DeleteApiDestination => self.delete_api_destination(call, input(body)?).await,
            Operation::DeleteArchive => self.delete_archive(call, input(body)?).await,
            Operation::DeleteConnection => self.delete_connection(call, input(body)?).await,
            Operation::DeleteEventBus => self.delete_event_bus(call, input(body)?).await,
            Operation::DeletePartnerEventSource => self.delete_partner_event_source(call, input(body)?).await,
            Operation::DeleteRule => self.delete_rule(call, input(body)?).await,
            Operation::DescribeApiDestination => self.describe_api_destination(call, input(body)?),
            Operation::DescribeArchive => self.describe_archive(call, input(body)?).await,
            Operation::DescribeConnection => self.describe_connection(call, input(body)?),
            Operation::DescribeEventBus => self.describe_event_bus(call, input(body)?),
            Operation::DescribeEventSource => self.describe_event_source(call, input(body)?),
            Operation::DescribePartnerEventSource => self.describe_partner_event_source(call, input(body)?),
            Operation::DescribeReplay => self.describe_replay(call, input(body)?),
            Operation::DescribeRule => self.describe_rule(call, input(body)?),
            Operation::DisableRule => self.disable_rule(call, input(body)?).await,
            Operation::EnableRule => self.enable_rule(call, input(body)?).await,
            Operation::ListApiDestinations => self.list_api_destinations(call, input(body)?),
            Operation::ListArchives => self.list_archives(call, input(body)?).await,
            Operation::ListConnections => self.list_connections(call, input(body)?),
            Operation::ListEventBuses => self.list_event_buses(call, input(body)?),
            Operation::ListEventSources => self.list_event_sources(call, input(body)?),
            Operation::ListPartnerEventSourceAccounts => self.list_partner_event_source_accounts(call, input(body)?),
            Operation::ListPartnerEventSources => self.list_partner_event_sources(call, input(body)?),
            Operation::ListReplays => self.list_replays(call, input(body)?),
            Operation::ListRuleNamesByTarget => self.list_rule_names_by_target(call, input(body)?),
            Operation::ListRules => self.list_rules(call, input(body)?),
            Operation::ListTagsForResource => self.list_tags(input(body)?),
            Operation::ListTargetsByRule => self.list_targets_by_rule(call, input(body)?),
            Operation::PutEvents => self.put_events(call, input(body)?).await,
            Operation::PutPartnerEvents => self.put_partner_events(call, input(body)?).await,
            Operation::PutPermission => self.put_permission(call, input(body)?).await,
            Operation::PutRule => self.put_rule(call, input(body)?).await,
            Operation::PutTargets => self.put_targets(call, input(body)?).await,
            Operation::RemovePermission => self.remove_permission(call, input(body)?).await,
            Operation::RemoveTargets => self.remove_targets(call, input(body)?).await,
            Operation::StartReplay => self.start_replay(call, input(body)?).await,
            Operation::TagResource => self.tag_resource(input(body)?).await,
            Operation::TestEventPattern => test_event_pattern(input(body)?),
            Operation::UntagResource => self.untag_resource(input(body)?).await,
            Operation::UpdateApiDestination => self.update_api_destination(call, input(body)?).await,
            Operation::UpdateArchive => self.update_archive(call, input(body)?).await,
            Operation::UpdateConnection => self.update_connection(call, input(body)?).await,
            Operation::UpdateEventBus => self.update_event_bus(call, input(body)?).await,
            _ => Err(EventBridgeError::NotImplemented(action.to_owned())),
        }
    }
}

use events::test_event_pattern;

async fn read<B>(body: B) -> Result<Bytes, EventBridgeError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    read_body(body, MAX_REQUEST_BYTES)
        .await
        .map_err(|error| match error {
            ReadBodyError::TooLarge { .. } => EventBridgeError::Validation(error.to_string()),
            ReadBodyError::Interrupted { .. } => EventBridgeError::Malformed(error.to_string()),
        })
}

fn input<R: DeserializeOwned>(body: &[u8]) -> Result<R, EventBridgeError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| EventBridgeError::Malformed(error.to_string()))
}

/// An answer without the members that say nothing.
pub(crate) fn answer(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    value
}

/// A time as awsJson has it: seconds, with a fraction.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit a double")]
pub(crate) fn seconds(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| json!(at.as_millis() as f64 / 1000.0))
}

#[cfg(test)]
mod tests;
