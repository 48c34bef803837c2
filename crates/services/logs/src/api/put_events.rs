//! `PutLogEvents`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tradewind_model::Timestamp;
use tradewind_observe::{LogEvent, LogKind};

use super::{Call, required};
use crate::error::LogsError;
use crate::model::{Group, LogStreamName, RetentionDays};
use crate::service::LogsService;

/// API reference, "PutLogEvents".
const MAX_EVENTS: usize = 10_000;
const MAX_BATCH_BYTES: usize = 1_048_576;
/// What each event counts besides its message.
const EVENT_BYTES: usize = 26;
const HOUR_MS: i64 = 60 * 60 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
const MAX_AGE_MS: i64 = 14 * DAY_MS;
const MAX_AHEAD_MS: i64 = 2 * HOUR_MS;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutLogEvents {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
    log_events: Option<Vec<InputEvent>>,
    entity: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct InputEvent {
    timestamp: Option<i64>,
    message: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Put {
    next_sequence_token: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_log_events_info: Option<Rejected>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_entity_info: Option<RejectedEntity>,
}

/// Sequence tokens are ignored, as on AWS; old clients want to see one.
const SEQUENCE_TOKEN: &str = "00000000000000000000000000000000000000000000000000000000";

/// The ends are exclusive, the start is inclusive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rejected {
    #[serde(skip_serializing_if = "Option::is_none")]
    too_new_log_event_start_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    too_old_log_event_end_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_log_event_end_index: Option<usize>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct RejectedEntity {
    error_type: &'static str,
}

impl LogsService {
    pub(super) async fn put_log_events(&self, call: &Call, request: PutLogEvents) -> Result<Put, LogsError> {
        let key = call.group(request.log_group_name)?;
        let stream: LogStreamName = required(request.log_stream_name, "logStreamName")?.parse()?;
        let events = parsed(required(request.log_events, "logEvents")?)?;
        let group = self.group(&key).await?;
        if !self.has_stream(&group, stream.as_str()).await? {
            return Err(LogsError::NotFound("log stream"));
        }
        let (accepted, rejected) = accept(events, &group, self.now())?;
        let stored_group = self.stored_name(&key).into();
        let stored_stream = stream.as_str().into();
        let stored = |(timestamp, message): (Timestamp, String)| LogEvent {
            group: std::sync::Arc::clone(&stored_group),
            stream: std::sync::Arc::clone(&stored_stream),
            timestamp,
            request_id: None,
            kind: LogKind::Line,
            message: message.into(),
        };
        let accepted: Vec<LogEvent> = accepted.into_iter().map(stored).collect();
        if !accepted.is_empty() {
            self.logs().append_durably(accepted).await?;
        }
        Ok(Put {
            next_sequence_token: SEQUENCE_TOKEN,
            rejected_log_events_info: rejected,
            rejected_entity_info: request.entity.map(|_entity| RejectedEntity {
                error_type: "UnsupportedLogGroupType",
            }),
        })
    }
}

type Event = (Timestamp, String);

fn parsed(events: Vec<InputEvent>) -> Result<Vec<Event>, LogsError> {
    if events.is_empty() || events.len() > MAX_EVENTS {
        let rule = if events.is_empty() {
            "Member must have length greater than or equal to 1"
        } else {
            "Member must have length less than or equal to 10000"
        };
        return Err(LogsError::constraint(
            format!("[{} events]", events.len()),
            "logEvents",
            rule,
        ));
    }
    let mut bytes = 0;
    let mut parsed = Vec::with_capacity(events.len());
    for (index, event) in (1..).zip(events) {
        let place = |member: &str| format!("logEvents.{index}.member.{member}");
        let message = required(event.message, &place("message"))?;
        let timestamp = required(event.timestamp, &place("timestamp"))?;
        if message.is_empty() {
            let rule = "Member must have length greater than or equal to 1";
            return Err(LogsError::constraint("", &place("message"), rule));
        }
        if timestamp < 0 {
            let rule = "Member must have value greater than or equal to 0";
            return Err(LogsError::constraint(timestamp, &place("timestamp"), rule));
        }
        bytes += message.len() + EVENT_BYTES;
        parsed.push((Timestamp::from_millis(timestamp), message));
    }
    if bytes > MAX_BATCH_BYTES {
        let text = format!("Upload too large: {bytes} bytes exceeds limit of {MAX_BATCH_BYTES}");
        return Err(LogsError::InvalidParameter(text));
    }
    if !parsed.is_sorted_by_key(|(timestamp, _)| *timestamp) {
        return Err(LogsError::InvalidParameter(
            "Log events in a single PutLogEvents request must be in chronological order.".into(),
        ));
    }
    Ok(parsed)
}

/// Splits off what is too old or too new; `events` are in order.
fn accept(
    mut events: Vec<Event>,
    group: &Group,
    now: Timestamp,
) -> Result<(Vec<Event>, Option<Rejected>), LogsError> {
    let before = |limit: Timestamp| events.partition_point(|(timestamp, _)| *timestamp < limit);
    let too_old = before(now.plus_millis(-MAX_AGE_MS));
    let days = group.settings.retention.map(RetentionDays::get);
    let kept = days.map(|days| now.plus_millis(-i64::from(days) * DAY_MS));
    let expired = kept.map_or(0, before);
    let too_new = before(now.plus_millis(MAX_AHEAD_MS + 1));
    let rejected = Rejected {
        too_new_log_event_start_index: Some(too_new).filter(|start| *start < events.len()),
        too_old_log_event_end_index: Some(too_old).filter(|end| *end > 0),
        expired_log_event_end_index: Some(expired).filter(|end| *end > 0),
    };
    events.truncate(too_new);
    events.drain(..too_old.max(expired).min(events.len()));
    let span = events
        .first()
        .zip(events.last())
        .map_or(0, |(first, last)| last.0.as_millis() - first.0.as_millis());
    if span > DAY_MS {
        return Err(LogsError::InvalidParameter(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.".into(),
        ));
    }
    let rejected = Some(rejected).filter(|rejected| *rejected != Rejected::default());
    Ok((events, rejected))
}
