//! The operations: JSON in, JSON out (awsJson 1.1).

mod filter_events;
mod get_events;
mod groups;
mod put_events;
mod streams;
mod subscriptions;
mod tags;
mod test_filter;

use bytes::Bytes;
use http::{Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tradewind_model::{AccountId, Arn, Region, RequestId};
use tradewind_wire::{
    Body, Caller, Protocol, ReadBodyError, WireError, aws_json_response, error_response, read_body,
};

pub(crate) use subscriptions::FilterRequest;
pub(crate) use tags::check as check_tags;

use crate::error::LogsError;
use crate::model::GroupKey;
use crate::operation::Operation;
use crate::service::LogsService;

/// The longest request: a mebibyte of messages, each byte escaped (`\u0000`), and what is around 10,000 of
/// them.
const MAX_REQUEST_BYTES: usize = 8 * 1024 * 1024;

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
}

impl LogsService {
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
        let call = Call {
            account: caller.account,
            region: caller.region,
        };
        let (parts, body) = request.into_parts();
        let target = parts.headers.get("x-amz-target");
        let target = target.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let action = target.rsplit('.').next().unwrap_or_default();
        let answer = match read(body).await {
            Ok(body) => self.perform(&call, action, &body).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(answer) => aws_json_response("1.1", answer, &id),
            Err(error) => {
                if let LogsError::Internal(text) = &error {
                    tracing::error!(request_id = %id, error = %text, "a CloudWatch Logs request failed");
                }
                error_response(Protocol::Json11, "", &error.to_wire(), &id)
            }
        }
    }

    #[rustfmt::skip]
    async fn perform(&self, call: &Call, action: &str, body: &Bytes) -> Result<Vec<u8>, LogsError> {
        let Some(operation) = Operation::named(action) else {
            let text = format!("`{action}` is no operation of CloudWatch Logs");
            return Err(LogsError::Operation(WireError::new(400, "UnknownOperationException", text)));
        };
        match operation {
            Operation::CreateLogGroup => done(body, |r| self.create_log_group(call, r)).await,
            Operation::CreateLogStream => done(body, |r| self.create_log_stream(call, r)).await,
            Operation::DeleteLogGroup => done(body, |r| self.delete_log_group(call, r)).await,
            Operation::DeleteLogStream => done(body, |r| self.delete_log_stream(call, r)).await,
            Operation::DeleteRetentionPolicy => done(body, |r| self.delete_retention_policy(call, r)).await,
            Operation::DeleteSubscriptionFilter => done(body, |r| self.delete_subscription_filter(call, r)).await,
            Operation::DescribeLogGroups => run(body, |r| self.describe_log_groups(call, r)).await,
            Operation::DescribeLogStreams => run(body, |r| self.describe_log_streams(call, r)).await,
            Operation::DescribeSubscriptionFilters => run(body, |r| self.describe_subscription_filters(call, r)).await,
            Operation::FilterLogEvents => run(body, |r| self.filter_log_events(call, r)).await,
            Operation::GetLogEvents => run(body, |r| self.get_log_events(call, r)).await,
            Operation::ListTagsForResource => run(body, |r| self.list_tags_for_resource(call, r)).await,
            Operation::ListTagsLogGroup => run(body, |r| self.list_tags_log_group(call, r)).await,
            Operation::PutLogEvents => run(body, |r| self.put_log_events(call, r)).await,
            Operation::PutRetentionPolicy => done(body, |r| self.put_retention_policy(call, r)).await,
            Operation::PutSubscriptionFilter => done(body, |r| self.put_subscription_filter(call, r)).await,
            Operation::TagLogGroup => done(body, |r| self.tag_log_group(call, r)).await,
            Operation::TagResource => done(body, |r| self.tag_resource(call, r)).await,
            Operation::TestMetricFilter => run(body, |r| self.test_metric_filter(call, r)).await,
            Operation::UntagLogGroup => done(body, |r| self.untag_log_group(call, r)).await,
            Operation::UntagResource => done(body, |r| self.untag_resource(call, r)).await,
            _ => Err(LogsError::Operation(WireError::not_implemented("logs", action))),
        }
    }
}

async fn read<B>(body: B) -> Result<Bytes, LogsError>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: std::fmt::Display,
{
    let read = read_body(body, MAX_REQUEST_BYTES).await;
    read.map_err(|error| match error {
        ReadBodyError::TooLarge { .. } => LogsError::InvalidParameter(error.to_string()),
        ReadBodyError::Interrupted { .. } => LogsError::Malformed(error.to_string()),
    })
}

fn parse<R: DeserializeOwned>(body: &Bytes) -> Result<R, LogsError> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| LogsError::Malformed(error.to_string()))
}

/// An operation with a result.
async fn run<R, A, F>(body: &Bytes, work: impl FnOnce(R) -> F) -> Result<Vec<u8>, LogsError>
where
    R: DeserializeOwned,
    A: Serialize,
    F: Future<Output = Result<A, LogsError>>,
{
    let answer = work(parse(body)?).await?;
    serde_json::to_vec(&answer).map_err(|error| LogsError::Internal(error.to_string()))
}

/// An operation without one; the answer has no body, as AWS's has none.
async fn done<R, F>(body: &Bytes, work: impl FnOnce(R) -> F) -> Result<Vec<u8>, LogsError>
where
    R: DeserializeOwned,
    F: Future<Output = Result<(), LogsError>>,
{
    work(parse(body)?).await?;
    Ok(Vec::new())
}

impl Call {
    /// The group of a `logGroupName`.
    pub(crate) fn group(&self, name: Option<String>) -> Result<GroupKey, LogsError> {
        Ok(GroupKey {
            account: self.account.clone(),
            region: self.region.clone(),
            name: required(name, "logGroupName")?.parse()?,
        })
    }

    /// The group of a `logGroupName`, or of a `logGroupIdentifier`, which may be an ARN.
    fn group_by(&self, name: Option<String>, identifier: Option<String>) -> Result<GroupKey, LogsError> {
        match (name, identifier) {
            (Some(_), Some(_)) => Err(LogsError::InvalidParameter(
                "LogGroup name and LogGroup identifier are mutually exclusive parameters.".into(),
            )),
            (None, Some(identifier)) if identifier.starts_with("arn:") => self.group_of_arn(&identifier),
            (name, identifier) => self.group(name.or(identifier)),
        }
    }

    /// The group of an ARN, with or without the `:*` at its end.
    fn group_of_arn(&self, text: &str) -> Result<GroupKey, LogsError> {
        let group = text.parse().ok().and_then(|arn| group_at(&arn));
        let group = group
            .ok_or_else(|| LogsError::InvalidParameter(format!("`{text}` is not the ARN of a log group")))?;
        if group.account != self.account || group.region != self.region {
            return Err(LogsError::InvalidParameter(format!(
                "`{text}` is of another account or region than the request"
            )));
        }
        Ok(group)
    }
}

/// The group that an ARN names.
pub(crate) fn group_at(arn: &Arn) -> Option<GroupKey> {
    let name = arn
        .resource
        .strip_prefix("log-group:")
        .filter(|_| *arn.service == *"logs")?;
    Some(GroupKey {
        account: arn.account.parse().ok()?,
        region: arn.region.parse().ok()?,
        name: name.strip_suffix(":*").unwrap_or(name).parse().ok()?,
    })
}

/// A parameter that has to be there.
pub(crate) fn required<T>(parameter: Option<T>, name: &str) -> Result<T, LogsError> {
    parameter.ok_or_else(|| LogsError::missing(name))
}

/// A `limit` between one and `most`, which is also what is given without one.
fn limit(given: Option<i64>, most: usize) -> Result<usize, LogsError> {
    let Some(given) = given else { return Ok(most) };
    let limit = usize::try_from(given)
        .ok()
        .filter(|limit| (1..=most).contains(limit));
    let rule = if given < 1 {
        "Member must have value greater than or equal to 1".to_owned()
    } else {
        format!("Member must have value less than or equal to {most}")
    };
    limit.ok_or_else(|| LogsError::constraint(given, "limit", &rule))
}

#[cfg(test)]
mod tests;
