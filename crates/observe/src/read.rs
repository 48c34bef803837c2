//! Reading the past: the segments of the asked groups, newest first, within bounds.

use std::path::Path;
use std::sync::Arc;

use tradewind_model::Timestamp;

use crate::event::Line;
use crate::queue::GroupFiles;
use crate::{LogEvent, MessageFilter};

/// The most events one read returns.
const MAX_EVENTS: usize = 10_000;
/// The most bytes one read returns, about.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Events may be appended this much later than they happened (the longest invocation), so a segment
/// ends the search only when it is older by so much.
const OUT_OF_ORDER_MS: i64 = 15 * 60 * 1000;

/// Which events to read: those that meet every condition given. By default the newest 1,000.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// The groups to read; all of them when empty.
    pub groups: Vec<String>,
    /// Not before this instant.
    pub since: Option<Timestamp>,
    /// Not after this instant.
    pub until: Option<Timestamp>,
    /// Of this invocation.
    pub request_id: Option<String>,
    /// With this text in the message.
    pub contains: Option<String>,
    /// With a message that is accepted.
    pub filter: Option<MessageFilter>,
    /// The newest so many (at most 10,000 events and about 16 MiB are returned in any case).
    pub limit: usize,
}

impl Default for LogQuery {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            since: None,
            until: None,
            request_id: None,
            contains: None,
            filter: None,
            limit: 1_000,
        }
    }
}

/// Why logs could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadLogsError {
    /// The store was shut down.
    #[error("the logs are closed: the node is shutting down")]
    ShutDown,
    /// The reader was stopped.
    #[error("reading the logs was interrupted; try again")]
    Interrupted,
    /// A file exists and cannot be read.
    #[error("log file `{path}` cannot be read: {source}")]
    Unreadable {
        /// Which file.
        path: Box<Path>,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The newest matching events of all groups, by time; events of one time stay as appended.
pub(crate) fn read(groups: &[GroupFiles], query: &LogQuery) -> Result<Vec<LogEvent>, ReadLogsError> {
    let limit = query.limit.min(MAX_EVENTS);
    let mut found = Vec::new();
    for group in groups {
        found.extend(read_group(group, query, limit)?);
        found.sort_by_key(|event: &LogEvent| event.timestamp);
        keep_newest(&mut found, limit);
    }
    Ok(found)
}

fn keep_newest(events: &mut Vec<LogEvent>, limit: usize) {
    let mut bytes = 0;
    let fits = |event: &&LogEvent| {
        bytes += event.weight();
        bytes <= MAX_BYTES
    };
    let kept = events.iter().rev().take(limit).take_while(fits).count();
    events.drain(..events.len() - kept);
}

/// The newest matching events of one group, oldest first.
fn read_group(group: &GroupFiles, query: &LogQuery, limit: usize) -> Result<Vec<LogEvent>, ReadLogsError> {
    let filter = Filter {
        since: query.since.max(group.cutoff),
        query,
    };
    let mut found = Found::new(&group.group, limit);
    for segment in group.segments.iter().rev() {
        let newest = match segment.span {
            Some((_, newest)) if filter.since.is_some_and(|since| newest < since) => Some(newest),
            _ => read_segment(&segment.path, &filter, &mut found)?,
        };
        let horizon = filter.since.map(|since| since.plus_millis(-OUT_OF_ORDER_MS));
        let is_past = newest
            .zip(horizon)
            .is_some_and(|(newest, horizon)| newest < horizon);
        if found.is_full() || is_past {
            break;
        }
    }
    found.events.reverse();
    Ok(found.events)
}

/// Adds the matching events of a segment, newest first, and returns its newest time, if it has one.
fn read_segment(
    path: &Path,
    filter: &Filter<'_>,
    found: &mut Found,
) -> Result<Option<Timestamp>, ReadLogsError> {
    let bytes = bytes_of(path)?;
    let mut newest = None;
    // What follows the last newline is being written, or torn.
    for line in bytes.rsplit(|&byte| byte == b'\n').skip(1) {
        let Ok(line) = serde_json::from_slice::<Line<'_>>(line) else {
            continue;
        };
        newest = newest.max(Some(line.timestamp));
        if filter.accepts(&line) {
            found.add(&line);
        }
        if found.is_full() {
            break;
        }
    }
    Ok(newest)
}

/// The bytes of a segment; none when it was rotated away since the list was made.
pub(crate) fn bytes_of(path: &Path) -> Result<Vec<u8>, ReadLogsError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(ReadLogsError::Unreadable {
            path: path.into(),
            source,
        }),
    }
}

struct Filter<'a> {
    since: Option<Timestamp>,
    query: &'a LogQuery,
}

impl Filter<'_> {
    fn accepts(&self, line: &Line<'_>) -> bool {
        let query = self.query;
        self.since.is_none_or(|since| line.timestamp >= since)
            && query.until.is_none_or(|until| line.timestamp <= until)
            && query
                .request_id
                .as_ref()
                .is_none_or(|id| line.request_id.as_deref() == Some(id))
            && query
                .contains
                .as_ref()
                .is_none_or(|text| line.message.contains(text.as_str()))
            && query
                .filter
                .as_ref()
                .is_none_or(|filter| filter.accepts(&line.message))
    }
}

/// Events found so far, newest first; neighbours share the text of stream and request id.
struct Found {
    group: Arc<str>,
    events: Vec<LogEvent>,
    bytes: usize,
    limit: usize,
}

impl Found {
    fn new(group: &Arc<str>, limit: usize) -> Self {
        Self {
            group: Arc::clone(group),
            events: Vec::new(),
            bytes: 0,
            limit,
        }
    }

    fn is_full(&self) -> bool {
        self.events.len() >= self.limit || self.bytes >= MAX_BYTES
    }

    fn add(&mut self, line: &Line<'_>) {
        let last = self.events.last();
        let last_id = last.and_then(|event| event.request_id.as_ref());
        let event = LogEvent {
            group: Arc::clone(&self.group),
            stream: shared(last.map(|event| &event.stream), &line.stream),
            timestamp: line.timestamp,
            request_id: line.request_id.as_deref().map(|id| shared(last_id, id)),
            kind: line.kind,
            message: line.message.as_ref().into(),
        };
        self.bytes += event.weight();
        self.events.push(event);
    }
}

fn shared(known: Option<&Arc<str>>, text: &str) -> Arc<str> {
    known
        .filter(|known| ***known == *text)
        .map_or_else(|| text.into(), Arc::clone)
}
