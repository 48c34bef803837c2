//! The files of one group: segments that are only appended to, the oldest deleted first.
//!
//! Only the writer thread uses this. A failed write loses what was staged, never the file: it is cut
//! back to its last good length, and the loss is noted in the group before the next event.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tradewind_model::Timestamp;

use crate::event::Line;
use crate::name::{NAME_FILE, directory_of, needs_name_file};
use crate::queue::{GroupFiles, SegmentFile};
use crate::{LogEvent, LogKind};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// What is staged is written at the latest at this size.
const STAGED_BYTES: u64 = 1024 * 1024;

/// The sizes a group keeps to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) group_bytes: u64,
    pub(crate) segment_bytes: u64,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    bytes: u64,
    /// The oldest and the newest event in it; `None` when nobody looked since the store was opened.
    span: Option<Span>,
}

type Span = (Timestamp, Timestamp);

/// Of no events.
const NO_SPAN: Span = (Timestamp::from_millis(i64::MAX), Timestamp::from_millis(i64::MIN));

/// Events that could not be written, and why.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) events: u64,
    pub(crate) error: io::Error,
    /// True for the first loss since the last success.
    pub(crate) is_first: bool,
}

/// One group: its files, and the events that are not in them yet.
#[derive(Debug)]
pub(crate) struct Group {
    name: Arc<str>,
    dir: PathBuf,
    limits: Limits,
    segments: VecDeque<Segment>,
    /// No segment had this number or a higher one.
    next_number: u64,
    file: Option<File>,
    staged: Vec<u8>,
    /// Of those that nobody waits for: whoever waits is told of a loss.
    staged_events: u64,
    staged_span: Span,
    /// What was written has to reach the disk before somebody is answered.
    durable: bool,
    /// The newest segment's name may not be on the disk.
    is_new: bool,
    /// The disk did not confirm what the newest segment holds: nothing is put behind it.
    is_doubtful: bool,
    /// Events lost since the last successful write, not noted yet.
    lost: u64,
    retention_days: Option<u32>,
}

impl Group {
    /// The group as it is on disk below `root`; nothing is created before the first write.
    pub(crate) fn open(root: &Path, name: Arc<str>, limits: Limits) -> Self {
        let dir = root.join(directory_of(&name));
        let segments = list_segments(&dir);
        let next_number = segments.back().map_or(0, |segment| segment.number + 1);
        Self {
            name,
            dir,
            limits,
            segments,
            next_number,
            file: None,
            staged: Vec::new(),
            staged_events: 0,
            staged_span: NO_SPAN,
            durable: false,
            is_new: false,
            is_doubtful: false,
            lost: 0,
            retention_days: None,
        }
    }

    /// Takes an event, `ingested` if it has to be durable; true when so much is staged that it should be
    /// written now.
    pub(crate) fn stage(&mut self, event: &LogEvent, ingested: Option<Timestamp>) -> bool {
        Line::write(event, ingested, &mut self.staged);
        self.staged_events += u64::from(ingested.is_none());
        self.durable |= ingested.is_some();
        let (oldest, newest) = self.staged_span;
        self.staged_span = (oldest.min(event.timestamp), newest.max(event.timestamp));
        self.staged.len() as u64 >= STAGED_BYTES.min(self.limits.segment_bytes)
    }

    pub(crate) fn has_staged(&self) -> bool {
        !self.staged.is_empty()
    }

    pub(crate) fn has_events(&self) -> bool {
        self.has_staged() || self.segments.iter().any(|segment| segment.bytes > 0)
    }

    /// Writes what is staged. True when a file was opened for it.
    pub(crate) fn write_out(&mut self, now: Timestamp) -> Result<bool, Lost> {
        if self.staged.is_empty() {
            return Ok(false);
        }
        let was_open = self.file.is_some();
        let written = self.append_staged(now);
        let events = std::mem::take(&mut self.staged_events);
        self.staged.clear();
        self.staged.shrink_to(64 * 1024);
        self.staged_span = NO_SPAN;
        match written {
            Ok(()) => {
                self.lost = 0;
                self.trim();
                Ok(!was_open)
            }
            Err(error) => {
                let is_first = self.lost == 0;
                self.lost += events;
                self.file = None;
                Err(Lost {
                    events,
                    error,
                    is_first,
                })
            }
        }
    }

    fn append_staged(&mut self, now: Timestamp) -> io::Result<()> {
        let note = self.note_of_loss(now);
        let adding = (note.len() + self.staged.len()) as u64;
        let full =
            |segment: &Segment| segment.bytes > 0 && segment.bytes + adding > self.limits.segment_bytes;
        if self.is_doubtful || self.segments.back().is_none_or(full) {
            self.start_segment(now)?;
        }
        self.open_newest()?;
        let (Some(file), Some(segment)) = (self.file.as_mut(), self.segments.back_mut()) else {
            return Err(io::Error::other("no segment is open"));
        };
        let result = file.write_all(&note).and_then(|()| file.write_all(&self.staged));
        if let Err(error) = result {
            // Best effort: a torn line that stays is skipped by readers.
            return Err(file.set_len(segment.bytes).err().unwrap_or(error));
        }
        segment.bytes += adding;
        let (oldest, newest) = self.staged_span;
        // a note of loss is of now
        let newest = if note.is_empty() { newest } else { newest.max(now) };
        segment.span = segment.span.map(|span| (span.0.min(oldest), span.1.max(newest)));
        Ok(())
    }

    /// Waits until all that was written durably is on the disk. A sync that failed is not tried again: the system
    /// would confirm it without having written anything.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        if !std::mem::take(&mut self.durable) {
            return Ok(());
        }
        let synced = self.sync_newest();
        if synced.is_err() {
            self.file = None;
            self.is_doubtful = true;
        }
        synced
    }

    fn sync_newest(&mut self) -> io::Result<()> {
        if let Some(file) = &self.file {
            file.sync_data()?;
        }
        if std::mem::take(&mut self.is_new) {
            File::open(&self.dir)?.sync_all()?;
            if let Some(root) = self.dir.parent() {
                File::open(root)?.sync_all()?;
            }
        }
        Ok(())
    }

    /// The line that tells readers of the group what is missing from it.
    fn note_of_loss(&self, now: Timestamp) -> Vec<u8> {
        let mut note = Vec::new();
        if self.lost > 0 {
            let event = LogEvent {
                group: Arc::clone(&self.name),
                stream: "tradewind".into(),
                timestamp: now,
                request_id: None,
                kind: LogKind::Platform,
                message: format!("{} log events could not be written and are lost", self.lost).into(),
            };
            Line::write(&event, None, &mut note);
        }
        note
    }

    /// A group that has no segment, or none any more, begins at the time of day: so no number is used
    /// twice, and a position that somebody remembers is never that of another event.
    fn start_segment(&mut self, now: Timestamp) -> io::Result<()> {
        if let Some(full) = self.file.take()
            && self.durable
        {
            full.sync_data()?;
        }
        let number = match self.segments.back() {
            Some(_) => self.next_number,
            None => self
                .next_number
                .max(u64::try_from(now.as_millis()).unwrap_or_default()),
        };
        self.create_dir()?;
        self.next_number = number + 1;
        self.is_new = true;
        self.is_doubtful = false;
        self.segments.push_back(Segment {
            number,
            bytes: 0,
            span: Some(NO_SPAN),
        });
        Ok(())
    }

    /// Opens the newest segment for appending, and closes a torn line at its end.
    fn open_newest(&mut self) -> io::Result<()> {
        let Some(segment) = self.segments.back_mut().filter(|_| self.file.is_none()) else {
            return Ok(());
        };
        let path = self.dir.join(file_name(segment.number));
        let open = || {
            OpenOptions::new()
                .read(true)
                .append(true)
                .create(true)
                .open(&path)
        };
        let mut file = match open() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.dir)?;
                open()?
            }
            other => other?,
        };
        segment.bytes = file.metadata()?.len();
        if segment.bytes > 0 && !ends_with_newline(&mut file)? {
            file.write_all(b"\n")?;
            segment.bytes += 1;
        }
        self.file = Some(file);
        Ok(())
    }

    fn create_dir(&self) -> io::Result<()> {
        std::fs::create_dir_all(&self.dir)?;
        let directory = directory_of(&self.name);
        if needs_name_file(&directory) {
            std::fs::write(self.dir.join(NAME_FILE), self.name.as_bytes())?;
        }
        Ok(())
    }

    /// Deletes the oldest segments until the group keeps to its size.
    fn trim(&mut self) {
        let mut bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        while bytes > self.limits.group_bytes && self.segments.len() > 1 {
            let Some(oldest) = self.segments.pop_front() else {
                return;
            };
            bytes -= oldest.bytes;
            remove(&self.dir.join(file_name(oldest.number)));
        }
    }

    pub(crate) fn set_retention(&mut self, days: Option<u32>) {
        self.retention_days = days;
    }

    /// The instant before which events are past the group's retention.
    fn cutoff(&self, now: Timestamp) -> Option<Timestamp> {
        self.retention_days
            .map(|days| now.plus_millis(-i64::from(days) * DAY_MS))
    }

    /// Deletes the segments in which every event is past the retention.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let Some(cutoff) = self.cutoff(now) else { return };
        while let Some(oldest) = self.segments.front_mut() {
            let path = self.dir.join(file_name(oldest.number));
            let (_, newest) = *oldest.span.get_or_insert_with(|| span_of(&path));
            if newest >= cutoff {
                return;
            }
            remove(&path);
            self.segments.pop_front();
            if self.segments.is_empty() {
                self.file = None;
            }
        }
    }

    pub(crate) fn files(&self, now: Timestamp) -> GroupFiles {
        let file = |segment: &Segment| SegmentFile {
            number: segment.number,
            path: self.dir.join(file_name(segment.number)),
            bytes: segment.bytes,
            span: segment.span,
        };
        GroupFiles {
            group: Arc::clone(&self.name),
            segments: self.segments.iter().map(file).collect(),
            cutoff: self.cutoff(now),
        }
    }

    pub(crate) fn close_file(&mut self) {
        self.file = None;
    }

    /// Deletes all that the group has on disk.
    pub(crate) fn delete(self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn file_name(number: u64) -> String {
    format!("{number:020}.log")
}

fn list_segments(dir: &Path) -> VecDeque<Segment> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return VecDeque::new();
    };
    let segment = |entry: std::fs::DirEntry| {
        let number = entry.file_name().to_str()?.strip_suffix(".log")?.parse().ok()?;
        let bytes = entry.metadata().ok()?.len();
        Some(Segment {
            number,
            bytes,
            span: None,
        })
    };
    let mut segments: Vec<Segment> = entries.flatten().filter_map(segment).collect();
    segments.sort_by_key(|segment| segment.number);
    segments.into()
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// The oldest and the newest event of a segment file; a file without any counts as old.
fn span_of(path: &Path) -> Span {
    let bytes = std::fs::read(path).unwrap_or_default();
    let lines = bytes.split(|&byte| byte == b'\n');
    let times = lines.filter_map(|line| {
        serde_json::from_slice::<Line<'_>>(line)
            .ok()
            .map(|line| line.timestamp)
    });
    times.fold(NO_SPAN, |span, time| (span.0.min(time), span.1.max(time)))
}

fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "a log segment could not be deleted");
    }
}
