//! `GetLogEvents`: one stream, page by page in both directions.
//!
//! A token names a place between events and a direction. Forward from it come the events that stand at it
//! or after it, backward those before it; where there are none, the same token comes back.

use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;
use tradewind_observe::{EventKey, LogScan, ScanOrder, StoredEvent, StreamChoice};

use super::{Call, limit, required};
use crate::error::LogsError;
use crate::model::LogStreamName;
use crate::service::LogsService;
use crate::token::{event_id, invalid, read_event_id};

pub(super) const MAX_EVENTS: usize = 10_000;
pub(super) const MAX_BYTES: usize = 1024 * 1024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Events {
    events: Vec<OutputEvent>,
    next_forward_token: String,
    next_backward_token: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OutputEvent {
    timestamp: Timestamp,
    message: Box<str>,
    ingestion_time: Timestamp,
}

/// From where to read, and which way.
#[derive(Clone, Copy, Debug)]
enum Start {
    Head,
    Tail,
    Forward(EventKey),
    Backward(EventKey),
}

impl LogsService {
    pub(super) async fn get_log_events(
        &self,
        call: &Call,
        request: GetLogEvents,
    ) -> Result<Events, LogsError> {
        let key = call.group_by(request.log_group_name, request.log_group_identifier)?;
        let stream: LogStreamName = required(request.log_stream_name, "logStreamName")?.parse()?;
        let start = Start::of(request.next_token.as_deref(), request.start_from_head)?;
        let limit = limit(request.limit, MAX_EVENTS)?;
        let group = self.group(&key).await?;
        let mut scan = LogScan {
            group: self.stored_name(&key),
            streams: StreamChoice::Named(vec![stream.to_string()]),
            since: request.start_time.map(Timestamp::from_millis),
            // events of the end itself are left out
            until: request.end_time.map(|end| Timestamp::from_millis(end - 1)),
            limit,
            max_bytes: MAX_BYTES,
            ..LogScan::default()
        };
        start.apply(&mut scan);
        let mut events = self.logs().scan(scan.clone()).await?.events;
        if events.is_empty() && !self.has_stream(&group, stream.as_str()).await? {
            return Err(LogsError::NotFound("log stream"));
        }
        if scan.order == ScanOrder::NewestFirst {
            events.reverse();
        }
        let (backward, forward) = start.around(&events);
        Ok(Events {
            events: events.into_iter().map(OutputEvent::from).collect(),
            next_forward_token: format!("f/{}/s", event_id(forward)),
            next_backward_token: format!("b/{}/s", event_id(backward)),
        })
    }
}

impl Start {
    fn of(token: Option<&str>, from_head: Option<bool>) -> Result<Self, LogsError> {
        let Some(token) = token else {
            return Ok(if from_head == Some(true) {
                Self::Head
            } else {
                Self::Tail
            });
        };
        let place = |text: &str| read_event_id(text.strip_suffix("/s")?);
        let forward = token.strip_prefix("f/").and_then(place).map(Self::Forward);
        let backward = || token.strip_prefix("b/").and_then(place).map(Self::Backward);
        forward.or_else(backward).ok_or_else(invalid)
    }

    fn apply(self, scan: &mut LogScan) {
        match self {
            Self::Head => {}
            Self::Tail => scan.order = ScanOrder::NewestFirst,
            Self::Forward(place) => scan.from = Some(place),
            Self::Backward(place) => {
                scan.before = Some(place);
                scan.order = ScanOrder::NewestFirst;
            }
        }
    }

    /// The places before and after the events that were found.
    fn around(self, events: &[StoredEvent]) -> (EventKey, EventKey) {
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            return (first.key(), last.key().next());
        }
        let place = match self {
            Self::Forward(place) | Self::Backward(place) => place,
            Self::Head | Self::Tail => EventKey {
                timestamp: Timestamp::default(),
                position: tradewind_observe::LogPosition::default(),
            },
        };
        (place, place)
    }
}

impl From<StoredEvent> for OutputEvent {
    fn from(stored: StoredEvent) -> Self {
        Self {
            timestamp: stored.event.timestamp,
            message: stored.event.message,
            ingestion_time: stored.ingested,
        }
    }
}
