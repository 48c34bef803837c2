//! The REST-JSON API: one request in, one operation, one answer or one error out.

mod groups;
mod schedules;
mod tags;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tradewind_model::RequestId;
use tradewind_wire::{Body, Caller, Params, parse_query, read_body, rest_json_error};

pub(crate) use tags::check as check_tags;

use crate::error::SchedulerError;
use crate::names::{GroupId, Name, ScheduleId, Scope};
use crate::operation::{Operation, route};
use crate::service::SchedulerService;

/// The longest request: an input of 256 KB, each byte escaped, and the other settings.
const MAX_REQUEST_BYTES: usize = 2 * 1024 * 1024;

/// A request whose operation is known and whose body is here.
struct Call {
    scope: Scope,
    operation: Operation,
    /// The label of the path: a name, or the ARN of a tag operation.
    label: String,
    params: Params,
    body: Bytes,
}

type Answer = Result<Value, SchedulerError>;

impl SchedulerService {
    /// Answers one request of the Scheduler API.
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
                if let SchedulerError::Internal(text) = &error {
                    tracing::error!(request_id = %id, error = %text, "a Scheduler request failed");
                }
                rest_json_error(&error.wire(), &id)
            }
        }
    }

    async fn perform(&self, call: &Call) -> Answer {
        match call.operation {
            Operation::CreateSchedule => self.create_schedule(call).await,
            Operation::CreateScheduleGroup => self.create_schedule_group(call).await,
            Operation::DeleteSchedule => self.delete_schedule_of(call).await,
            Operation::DeleteScheduleGroup => self.delete_schedule_group(call).await,
            Operation::GetSchedule => self.get_schedule(call),
            Operation::GetScheduleGroup => self.get_schedule_group(call),
            Operation::ListScheduleGroups => self.list_schedule_groups(call),
            Operation::ListSchedules => self.list_schedules(call),
            Operation::ListTagsForResource => self.list_tags_for_resource(call),
            Operation::TagResource => self.tag_resource(call).await,
            Operation::UntagResource => self.untag_resource(call).await,
            Operation::UpdateSchedule => self.update_schedule(call).await,
        }
    }
}

async fn read<B>(request: Request<B>, caller: Caller) -> Result<Call, SchedulerError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let found = route(parts.method.as_str(), parts.uri.path());
    let (operation, label) = found.ok_or(SchedulerError::UnknownOperation)?;
    let invalid = |error: &dyn std::fmt::Display| SchedulerError::Validation(error.to_string());
    let params = parse_query(parts.uri.query().unwrap_or_default(), b"").map_err(|error| invalid(&error))?;
    let body = read_body(body, MAX_REQUEST_BYTES).await;
    Ok(Call {
        scope: Scope {
            account: caller.account,
            region: caller.region,
        },
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
    fn input<T: DeserializeOwned>(&self) -> Result<T, SchedulerError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| SchedulerError::Validation(error.to_string()))
    }

    /// The group of that name, else the default one.
    fn group(&self, name: Option<&str>) -> Result<GroupId, SchedulerError> {
        let name = match name {
            Some(name) => Name::parse("groupName", name)?,
            None => Name::default_group(),
        };
        Ok(GroupId {
            scope: self.scope.clone(),
            name,
        })
    }

    /// The schedule that the path names, in that group.
    fn schedule(&self, group: Option<&str>) -> Result<ScheduleId, SchedulerError> {
        Ok(ScheduleId {
            group: self.group(group)?,
            name: Name::parse("name", &self.label)?,
        })
    }

    /// The group that the path names.
    fn named_group(&self) -> Result<GroupId, SchedulerError> {
        Ok(GroupId {
            scope: self.scope.clone(),
            name: Name::parse("name", &self.label)?,
        })
    }

    /// A prefix of names; none is that of all.
    fn prefix(&self) -> Result<String, SchedulerError> {
        let given = self.params.get("NamePrefix");
        let prefix = given
            .map(|prefix| Name::parse("namePrefix", prefix))
            .transpose()?;
        Ok(prefix.map_or_else(String::new, |prefix| prefix.to_string()))
    }
}

/// A client token: 1–64 of `A-Z a-z 0-9 - _`.
fn check_token(token: Option<&str>) -> Result<(), SchedulerError> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    match token {
        Some(token) if !(1..=64).contains(&token.len()) || !token.bytes().all(is_allowed) => {
            let rule = "Member must satisfy regular expression pattern: [a-zA-Z0-9-_]+";
            Err(SchedulerError::violation("clientToken", token, rule))
        }
        _ => Ok(()),
    }
}
