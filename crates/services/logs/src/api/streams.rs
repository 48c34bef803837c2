//! Making, listing and deleting streams.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tradewind_model::Timestamp;
use tradewind_observe::StreamSummary;
use tradewind_store::Batch;

use super::{Call, limit, required};
use crate::error::LogsError;
use crate::model::{Group, GroupKey, LogStreamName};
use crate::service::LogsService;
use crate::tables;
use crate::token::page;

const MAX_PAGE: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfStream {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DescribeLogStreams {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    #[serde(default)]
    order_by: OrderBy,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
enum OrderBy {
    #[default]
    LogStreamName,
    LastEventTime,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LogStreams {
    log_streams: Vec<Described>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    log_stream_name: String,
    creation_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_event_timestamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_timestamp: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ingestion_time: Option<Timestamp>,
    arn: String,
    /// Always 0, as on AWS since 2019.
    stored_bytes: u64,
}

impl LogsService {
    pub(super) async fn create_log_stream(&self, call: &Call, request: OfStream) -> Result<(), LogsError> {
        let (key, name) = of(call, request)?;
        let group = self.group(&key).await?;
        if self.has_stream(&group, name.as_str()).await? {
            return Err(LogsError::AlreadyExists("log stream"));
        }
        let batch = tables::put_stream(Batch::new(), &key, &name, self.now(), None);
        self.database().write(batch).await?;
        Ok(())
    }

    pub(super) async fn delete_log_stream(&self, call: &Call, request: OfStream) -> Result<(), LogsError> {
        let (key, name) = of(call, request)?;
        let group = self.group(&key).await?;
        if !self.has_stream(&group, name.as_str()).await? {
            return Err(LogsError::NotFound("log stream"));
        }
        self.remove_stream(&key, name.as_str()).await
    }

    /// Removes a stream's events, then its row.
    pub(crate) async fn remove_stream(&self, key: &GroupKey, name: &str) -> Result<(), LogsError> {
        self.logs().delete_stream(&self.stored_name(key), name).await?;
        self.database()
            .write(tables::delete_stream(Batch::new(), key, name))
            .await?;
        Ok(())
    }

    /// Whether a stream was made, or something logged to it.
    pub(crate) async fn has_stream(&self, group: &Group, name: &str) -> Result<bool, LogsError> {
        if tables::stream(self.database(), &group.key, name).await?.is_some() {
            return Ok(true);
        }
        let streams = self.logs().streams(&self.stored_name(&group.key)).await?;
        Ok(streams.iter().any(|stream| *stream.stream == *name))
    }

    pub(super) async fn describe_log_streams(
        &self,
        call: &Call,
        request: DescribeLogStreams,
    ) -> Result<LogStreams, LogsError> {
        let key = call.group_by(request.log_group_name, request.log_group_identifier)?;
        self.group(&key).await?;
        let by_time = request.order_by == OrderBy::LastEventTime;
        if by_time && request.log_stream_name_prefix.is_some() {
            return Err(LogsError::InvalidParameter(
                "Cannot order by LastEventTime with a logStreamNamePrefix.".into(),
            ));
        }
        let prefix = request.log_stream_name_prefix.unwrap_or_default();
        let mut streams = self.streams_of(&key).await?;
        streams.retain(|stream| stream.log_stream_name.starts_with(&prefix));
        let sort_key = |stream: &Described| match by_time {
            true => {
                let last = stream.last_event_timestamp.unwrap_or_default();
                format!("{:020}{}", last.as_millis().max(0), stream.log_stream_name)
            }
            false => stream.log_stream_name.clone(),
        };
        let descending = request.descending == Some(true);
        if descending {
            streams.sort_by_cached_key(|stream| Reverse(sort_key(stream)));
        } else {
            streams.sort_by_cached_key(sort_key);
        }
        let limit = limit(request.limit, MAX_PAGE)?;
        let token = request.next_token.as_deref();
        let later = |a: &str, b: &str| if descending { a < b } else { a > b };
        let (log_streams, next_token) = page(
            "DescribeLogStreams",
            streams.into_iter(),
            (token, limit),
            sort_key,
            later,
        )?;
        Ok(LogStreams {
            log_streams,
            next_token,
        })
    }

    async fn streams_of(&self, key: &GroupKey) -> Result<Vec<Described>, LogsError> {
        let mut streams = BTreeMap::new();
        for row in tables::streams(self.database(), key).await? {
            let stream = Described::new(key, &row.name, row.created);
            streams.insert(row.name, stream);
        }
        for summary in self.logs().streams(&self.stored_name(key)).await? {
            let new = || Described::new(key, &summary.stream, summary.first);
            let stream = streams.entry(summary.stream.to_string()).or_insert_with(new);
            stream.add(&summary);
        }
        Ok(streams.into_values().collect())
    }
}

impl Described {
    fn new(group: &GroupKey, name: &str, created: Timestamp) -> Self {
        Self {
            log_stream_name: name.to_owned(),
            creation_time: created,
            first_event_timestamp: None,
            last_event_timestamp: None,
            last_ingestion_time: None,
            arn: format!("{}:log-stream:{name}", group.arn()),
            stored_bytes: 0,
        }
    }

    fn add(&mut self, summary: &StreamSummary) {
        self.first_event_timestamp = Some(summary.first);
        self.last_event_timestamp = Some(summary.last);
        self.last_ingestion_time = Some(summary.ingested);
    }
}

fn of(call: &Call, request: OfStream) -> Result<(GroupKey, LogStreamName), LogsError> {
    let key = call.group(request.log_group_name)?;
    let name = required(request.log_stream_name, "logStreamName")?.parse()?;
    Ok((key, name))
}
