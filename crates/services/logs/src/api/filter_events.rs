//! `FilterLogEvents`: a group's events by time, of all or some streams, that match a pattern.

use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;
use tradewind_observe::{LogScan, MessageFilter, ScanOrder, StoredEvent, StreamChoice};

use super::get_events::{MAX_BYTES, MAX_EVENTS};
use super::{Call, limit};
use crate::error::LogsError;
use crate::pattern::FilterPattern;
use crate::service::LogsService;
use crate::token::{decode, encode, event_id, invalid, read_event_id};

const OPERATION: &str = "FilterLogEvents";
const MAX_STREAMS: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FilterLogEvents {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filtered {
    events: Vec<FilteredEvent>,
    /// Always empty, as on AWS since 2019.
    searched_log_streams: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FilteredEvent {
    log_stream_name: String,
    timestamp: Timestamp,
    message: Box<str>,
    ingestion_time: Timestamp,
    event_id: String,
}

impl LogsService {
    pub(super) async fn filter_log_events(
        &self,
        call: &Call,
        request: FilterLogEvents,
    ) -> Result<Filtered, LogsError> {
        let key = call.group_by(request.log_group_name, request.log_group_identifier)?;
        let pattern: FilterPattern = request.filter_pattern.unwrap_or_default().parse()?;
        let mut scan = LogScan {
            group: self.stored_name(&key),
            streams: streams(request.log_stream_names, request.log_stream_name_prefix)?,
            since: request.start_time.map(Timestamp::from_millis),
            until: request.end_time.map(Timestamp::from_millis),
            limit: limit(request.limit, MAX_EVENTS)?,
            max_bytes: MAX_BYTES,
            ..LogScan::default()
        };
        if !pattern.matches_all() {
            scan.filter = Some(MessageFilter::new(move |message| pattern.matches(message)));
        }
        if request.start_from_head == Some(false) {
            scan.order = ScanOrder::NewestFirst;
        }
        let place = request.next_token.map(|token| {
            let id = decode(OPERATION, &token)?;
            read_event_id(&id).ok_or_else(invalid)
        });
        match scan.order {
            ScanOrder::OldestFirst => scan.from = place.transpose()?,
            ScanOrder::NewestFirst => scan.before = place.transpose()?,
        }
        self.group(&key).await?;
        let order = scan.order;
        let found = self.logs().scan(scan).await?;
        let last = found.events.last().filter(|_| found.more).map(StoredEvent::key);
        let next = last.map(|last| match order {
            ScanOrder::OldestFirst => last.next(),
            ScanOrder::NewestFirst => last,
        });
        Ok(Filtered {
            events: found.events.into_iter().map(FilteredEvent::from).collect(),
            searched_log_streams: [],
            next_token: next.map(|place| encode(OPERATION, &event_id(place))),
        })
    }
}

fn streams(names: Option<Vec<String>>, prefix: Option<String>) -> Result<StreamChoice, LogsError> {
    match (names, prefix) {
        (Some(_), Some(_)) => Err(LogsError::InvalidParameter(
            "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.".into(),
        )),
        (Some(names), None) if names.is_empty() || names.len() > MAX_STREAMS => {
            let rule = "Member must have length between 1 and 100";
            Err(LogsError::constraint(
                format!("[{} names]", names.len()),
                "logStreamNames",
                rule,
            ))
        }
        (Some(names), None) => Ok(StreamChoice::Named(names)),
        (None, Some(prefix)) => Ok(StreamChoice::Prefix(prefix)),
        (None, None) => Ok(StreamChoice::All),
    }
}

impl From<StoredEvent> for FilteredEvent {
    fn from(stored: StoredEvent) -> Self {
        Self {
            event_id: event_id(stored.key()),
            log_stream_name: stored.event.stream.to_string(),
            timestamp: stored.event.timestamp,
            message: stored.event.message,
            ingestion_time: stored.ingested,
        }
    }
}
