//! What functions and the platform say, and what they use: log groups on disk, live tails of them, and
//! [usage](usage), and what that [costs](cost).
//!
//! A [`LogStore`] takes events from the hot path through a bounded queue. One writer thread owns
//! every file: it gathers what waits, appends it to the segment files of each group and hands it to
//! the live tails. Readers scan the segments, newest first.
//!
//! # Invariants
//! - Appending costs the caller one queue slot: no file, no formatting, no lock held long. It waits
//!   when the queue is full, by count or by bytes, and never fails.
//! - What was appended before a [`LogStore::read`] is seen by it, while the store runs.
//! - A group never holds more than [`LogOptions::group_bytes`] and one segment; its oldest segments
//!   go first. Nothing older than a group's retention is ever read.
//! - Whatever happens to the disk, the node stays up: events that cannot be written are counted
//!   ([`LogStore::dropped`]), announced once, and noted in their group as soon as it can be written.
//! - Logs are written behind: a crash of the process loses what the writer had not taken yet
//!   (about [`LogOptions::linger`]); a torn last line is skipped, never taken for an event. What
//!   [`LogStore::append_durably`] appends is on the disk when it returns.
//! - A [`LogPosition`] is that of one event for ever: segments are only appended to, what is erased leaves
//!   blanks of its length, and no number of a segment is used twice.
//!
//! # On disk
//! `<dir>/<group>/<number>.log`, one JSON object a line, so that `grep` and `jq` work when the node
//! does not. The group is the directory's name, percent-encoded (`name.rs`).

pub mod cost;
mod event;
mod home;
mod name;
mod position;
mod queue;
mod read;
mod scan;
mod segment;
mod store;
mod tail;
pub mod usage;
mod writer;

pub use event::{LogEvent, LogKind};
pub use home::Home;
pub use position::{EventKey, LogPosition, StoredEvent};
pub use read::{LogQuery, ReadLogsError};
pub use scan::{LogChunk, LogScan, MessageFilter, ScanOrder, Scanned, StreamChoice, StreamSummary};
pub use store::{AppendLogsError, DeleteLogsError, GroupSummary, LogOptions, LogStore, OpenLogsError};
pub use tail::{LogTail, TailItem};
