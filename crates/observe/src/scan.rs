//! Reading one group: by time in pages, in the order of appending from a position, and by stream.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;

use tradewind_model::Timestamp;

use crate::event::Line;
use crate::position::{EventKey, LogPosition, StoredEvent};
use crate::queue::{GroupFiles, SegmentFile};
use crate::read::bytes_of;
use crate::{LogEvent, ReadLogsError};

/// Decides by an event's message.
#[derive(Clone)]
pub struct MessageFilter(Arc<dyn Fn(&str) -> bool + Send + Sync>);

/// Which streams to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StreamChoice {
    /// All.
    #[default]
    All,
    /// Those of these names.
    Named(Vec<String>),
    /// Those whose names begin so.
    Prefix(String),
}

/// From which end a page is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanOrder {
    /// The oldest first.
    #[default]
    OldestFirst,
    /// The newest first.
    NewestFirst,
}

/// A page of a group's events by time: those that meet every condition given.
#[derive(Clone, Debug, Default)]
pub struct LogScan {
    /// The group.
    pub group: String,
    /// Of these streams.
    pub streams: StreamChoice,
    /// Not before this instant.
    pub since: Option<Timestamp>,
    /// Not after this instant.
    pub until: Option<Timestamp>,
    /// Not before this place.
    pub from: Option<EventKey>,
    /// Before this place.
    pub before: Option<EventKey>,
    /// With a message that is accepted.
    pub filter: Option<MessageFilter>,
    /// The end from which `limit` and `max_bytes` count.
    pub order: ScanOrder,
    /// The most events.
    pub limit: usize,
    /// The most bytes of messages, about; one event is given in any case.
    pub max_bytes: usize,
}

/// What a [`LogScan`] finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The events, in the order of the scan.
    pub events: Vec<StoredEvent>,
    /// Whether more match, beyond the last one.
    pub more: bool,
}

/// What was appended from a position on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChunk {
    /// The events, in the order of appending.
    pub events: Vec<StoredEvent>,
    /// Where to go on.
    pub next: LogPosition,
    /// Whether nothing followed when it was read.
    pub is_end: bool,
}

/// What a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// Its name.
    pub stream: Box<str>,
    /// Its oldest event.
    pub first: Timestamp,
    /// Its newest event.
    pub last: Timestamp,
    /// When its latest event came.
    pub ingested: Timestamp,
}

impl MessageFilter {
    /// A filter that asks `accepts`.
    #[must_use]
    pub fn new(accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(accepts))
    }

    pub(crate) fn accepts(&self, message: &str) -> bool {
        (self.0)(message)
    }
}

/// Equal is what asks the same function.
impl PartialEq for MessageFilter {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for MessageFilter {}

impl std::fmt::Debug for MessageFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MessageFilter")
    }
}

impl StreamChoice {
    fn has(&self, stream: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == stream),
            Self::Prefix(prefix) => stream.starts_with(prefix),
        }
    }
}

/// See [`crate::LogStore::scan`].
pub(crate) fn scan(files: &GroupFiles, scan: &LogScan) -> Result<Scanned, ReadLogsError> {
    let since = scan.since.max(files.cutoff);
    let mut page = Page::new(scan);
    for segment in &files.segments {
        let outside = |(oldest, newest): (Timestamp, Timestamp)| {
            since.is_some_and(|since| newest < since) || scan.until.is_some_and(|until| oldest > until)
        };
        if segment.span.is_some_and(outside) {
            continue;
        }
        each_line(segment, 0, &bytes_of(&segment.path)?, |position, _, line| {
            let timestamp = line.timestamp;
            let key = EventKey { timestamp, position };
            let wanted = since.is_none_or(|since| timestamp >= since)
                && scan.until.is_none_or(|until| timestamp <= until)
                && scan.from.is_none_or(|from| key >= from)
                && scan.before.is_none_or(|before| key < before)
                && page.has_room_for(key)
                && scan.streams.has(&line.stream)
                && scan
                    .filter
                    .as_ref()
                    .is_none_or(|filter| filter.accepts(&line.message));
            if wanted {
                page.add(stored(&files.group, position, line));
            }
        });
    }
    Ok(page.finish())
}

/// The best events so far. What had to leave for want of room is a bound: nothing beyond it comes in, so
/// that the page has no holes.
struct Page {
    events: BTreeMap<EventKey, StoredEvent>,
    bytes: usize,
    bound: Option<EventKey>,
    order: ScanOrder,
    limit: usize,
    max_bytes: usize,
}

impl Page {
    fn new(scan: &LogScan) -> Self {
        Self {
            events: BTreeMap::new(),
            bytes: 0,
            bound: None,
            order: scan.order,
            limit: scan.limit,
            max_bytes: scan.max_bytes,
        }
    }

    fn has_room_for(&self, key: EventKey) -> bool {
        self.bound.is_none_or(|bound| match self.order {
            ScanOrder::OldestFirst => key < bound,
            ScanOrder::NewestFirst => key > bound,
        })
    }

    fn add(&mut self, event: StoredEvent) {
        self.bytes += event.event.message.len();
        self.events.insert(event.key(), event);
        while self.events.len() > self.limit || (self.bytes > self.max_bytes && self.events.len() > 1) {
            let worst = match self.order {
                ScanOrder::OldestFirst => self.events.pop_last(),
                ScanOrder::NewestFirst => self.events.pop_first(),
            };
            let Some((key, event)) = worst else { return };
            self.bytes -= event.event.message.len();
            self.bound = Some(key);
        }
    }

    fn finish(self) -> Scanned {
        let mut events: Vec<StoredEvent> = self.events.into_values().collect();
        if self.order == ScanOrder::NewestFirst {
            events.reverse();
        }
        Scanned {
            events,
            more: self.bound.is_some(),
        }
    }
}

/// See [`crate::LogStore::read_from`]. A position beyond the newest segment is one of a group that began
/// anew: all of it is later.
pub(crate) fn read_from(
    files: &GroupFiles,
    position: LogPosition,
    max_bytes: usize,
) -> Result<LogChunk, ReadLogsError> {
    let is_anew = files
        .segments
        .last()
        .is_some_and(|newest| newest.number < position.segment);
    let from = if is_anew { LogPosition::default() } else { position };
    let mut chunk = LogChunk {
        events: Vec::new(),
        next: from,
        is_end: true,
    };
    let mut read_bytes = 0;
    for segment in files.segments.iter().filter(|s| s.number >= from.segment) {
        if read_bytes >= max_bytes {
            chunk.is_end = false;
            break;
        }
        let start = if segment.number == from.segment {
            // a crash of the machine can take what was not synced
            from.offset.min(segment.bytes)
        } else {
            0
        };
        // most looks find nothing new
        let mut bytes = match segment.bytes > start {
            true => tail_of(&segment.path, start)?,
            false => Vec::new(),
        };
        let is_cut = cut(&mut bytes, max_bytes - read_bytes);
        read_bytes += bytes.len();
        let read = each_line(segment, start, &bytes, |position, _, line| {
            if files.cutoff.is_none_or(|cutoff| line.timestamp >= cutoff) {
                chunk.events.push(stored(&files.group, position, line));
            }
        });
        chunk.next = LogPosition {
            segment: segment.number,
            offset: read,
        };
        if is_cut {
            chunk.is_end = false;
            break;
        }
    }
    Ok(chunk)
}

/// The bytes of a segment from `start` on; none when it was rotated away since the list was made.
fn tail_of(path: &Path, start: u64) -> Result<Vec<u8>, ReadLogsError> {
    let read = || {
        let mut file = std::fs::File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    match read() {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(ReadLogsError::Unreadable {
            path: path.into(),
            source,
        }),
        read => Ok(read.unwrap_or_default()),
    }
}

/// Keeps whole lines of about `limit` bytes, at least one; true when there were more.
fn cut(bytes: &mut Vec<u8>, limit: usize) -> bool {
    let mut beyond = bytes.iter().enumerate().skip(limit);
    let Some((end, _)) = beyond.find(|(_, byte)| **byte == b'\n') else {
        return false;
    };
    let is_cut = end + 1 < bytes.len();
    bytes.truncate(end + 1);
    is_cut
}

/// See [`crate::LogStore::streams`].
pub(crate) fn streams(files: &GroupFiles) -> Result<Vec<StreamSummary>, ReadLogsError> {
    let mut streams = BTreeMap::<Box<str>, StreamSummary>::new();
    for segment in &files.segments {
        each_line(segment, 0, &bytes_of(&segment.path)?, |_, _, line| {
            let (time, ingested) = (line.timestamp, ingested(line));
            if files.cutoff.is_some_and(|cutoff| time < cutoff) {
                return;
            }
            if let Some(stream) = streams.get_mut(line.stream.as_ref()) {
                stream.first = stream.first.min(time);
                stream.last = stream.last.max(time);
                stream.ingested = stream.ingested.max(ingested);
                return;
            }
            let name: Box<str> = line.stream.as_ref().into();
            let summary = StreamSummary {
                stream: name.clone(),
                first: time,
                last: time,
                ingested,
            };
            streams.insert(name, summary);
        });
    }
    Ok(streams.into_values().collect())
}

/// Blanks the lines of a stream where they stand, so that all others keep their positions; and what a crash
/// left of a line, which nobody reads and which may have been one of the stream's.
pub(crate) fn erase(files: &GroupFiles, stream: &str) -> Result<(), ReadLogsError> {
    for segment in &files.segments {
        let bytes = bytes_of(&segment.path)?;
        let (mut lines, mut ends) = (Vec::new(), 0);
        let end = each_line(segment, 0, &bytes, |position, length, line| {
            torn(&bytes, ends..position.offset, &mut lines);
            ends = position.offset + length as u64 + 1;
            if line.stream == stream {
                lines.push((position.offset, length));
            }
        });
        torn(&bytes, ends..end, &mut lines);
        if lines.is_empty() {
            continue;
        }
        blank(&segment.path, &lines).map_err(|source| ReadLogsError::Unreadable {
            path: segment.path.as_path().into(),
            source,
        })?;
    }
    Ok(())
}

/// The lines of `range` that are neither events nor blank.
fn torn(bytes: &[u8], range: std::ops::Range<u64>, lines: &mut Vec<(u64, usize)>) {
    let (Ok(from), Ok(to)) = (usize::try_from(range.start), usize::try_from(range.end)) else {
        return;
    };
    let mut offset = range.start;
    for line in bytes
        .get(from..to)
        .unwrap_or_default()
        .split(|&byte| byte == b'\n')
    {
        if line.iter().any(|&byte| byte != b' ') {
            lines.push((offset, line.len()));
        }
        offset += line.len() as u64 + 1;
    }
}

fn blank(path: &Path, lines: &[(u64, usize)]) -> std::io::Result<()> {
    let mut file = match std::fs::OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    for (offset, length) in lines {
        file.seek(SeekFrom::Start(*offset))?;
        file.write_all(&vec![b' '; *length])?;
    }
    file.sync_data()
}

/// Hands on every line with where it starts and how long it is without its newline; gives where the last
/// whole line ends. `bytes` begin at `start` of the segment.
fn each_line(
    segment: &SegmentFile,
    start: u64,
    bytes: &[u8],
    mut see: impl FnMut(LogPosition, usize, &Line<'_>),
) -> u64 {
    let mut offset = start;
    // What follows the last newline is being written, or torn.
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let [line @ .., b'\n'] = line else { break };
        if let Ok(read) = serde_json::from_slice::<Line<'_>>(line) {
            let position = LogPosition {
                segment: segment.number,
                offset,
            };
            see(position, line.len(), &read);
        }
        offset += line.len() as u64 + 1;
    }
    offset
}

fn ingested(line: &Line<'_>) -> Timestamp {
    line.ingested.unwrap_or(line.timestamp)
}

fn stored(group: &Arc<str>, position: LogPosition, line: &Line<'_>) -> StoredEvent {
    StoredEvent {
        position,
        ingested: ingested(line),
        event: LogEvent {
            group: Arc::clone(group),
            stream: line.stream.as_ref().into(),
            timestamp: line.timestamp,
            request_id: line.request_id.as_deref().map(Arc::from),
            kind: line.kind,
            message: line.message.as_ref().into(),
        },
    }
}

#[cfg(test)]
mod tests;
