//! The one thread that owns the files: gathers, appends, publishes, deletes.
//!
//! After each batch it lingers for a few milliseconds, so that under load many invocations share
//! one write and senders wake nobody; alone, an event is written at once.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tradewind_model::{Clock, Timestamp};

use crate::queue::{Command, GroupFiles, Inbox, Written};
use crate::segment::{Group, Limits, Lost};
use crate::tail::Tails;
use crate::usage::{Counter, Meter, Metered};
use crate::{Home, LogEvent, name};

/// How many commands one batch takes.
const BATCH: usize = 4_096;
/// How many files stay open.
const OPEN_FILES: usize = 128;
/// How often retention is enforced.
const EXPIRE_EVERY_MS: i64 = 60 * 60 * 1000;

/// Counters that the store shows.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Events that were accepted and are lost.
    pub(crate) dropped: AtomicU64,
}

#[derive(Debug)]
pub(crate) struct Writer {
    inbox: Inbox,
    root: PathBuf,
    limits: Limits,
    linger: Duration,
    clock: Clock,
    /// The time of the batch.
    now: Timestamp,
    tails: Arc<Tails>,
    counters: Arc<Counters>,
    groups: HashMap<Arc<str>, Group>,
    /// Groups with staged events.
    dirty: Vec<Arc<str>>,
    /// Groups whose events of this batch could not be written, and why.
    failed: HashMap<Arc<str>, String>,
    /// Told after every batch that wrote.
    changes: watch::Sender<u64>,
    opened_files: usize,
    next_expiry: Timestamp,
    meter: Arc<OnceLock<LogMeter>>,
    /// Groups whose bytes are counted.
    counted: HashMap<Arc<str>, Counter>,
}

/// Counts the bytes of events.
#[derive(Debug)]
pub(crate) struct LogMeter {
    pub(crate) meter: Meter,
    pub(crate) home: Home,
}

/// What CloudWatch Logs counts each event as besides its message, in bytes.
const EVENT_BYTES: u64 = 26;

impl LogMeter {
    /// The counter of a group.
    fn counter(&self, key: &str) -> Counter {
        let arn = self
            .home
            .read(key)
            .map(|(account, region, group)| format!("arn:aws:logs:{region}:{account}:log-group:{group}"));
        self.meter.counter(Metered::LogBytes, &arn.unwrap_or_default())
    }
}

/// What a batch owes once its events are written.
#[derive(Debug, Default)]
struct Owed {
    units: usize,
    published: Vec<Arc<LogEvent>>,
    /// Who waits until the events of which groups are on the disk.
    durable: Vec<(Vec<Arc<str>>, Written)>,
    snapshots: Vec<(Vec<String>, oneshot::Sender<Vec<GroupFiles>>)>,
}

impl Writer {
    pub(crate) fn new(
        inbox: Inbox,
        root: PathBuf,
        (limits, linger): (Limits, Duration),
        clock: Clock,
        (tails, counters, changes): (Arc<Tails>, Arc<Counters>, watch::Sender<u64>),
    ) -> Self {
        let now = clock.now();
        Self {
            inbox,
            root,
            limits,
            linger,
            clock,
            now,
            next_expiry: now.plus_millis(EXPIRE_EVERY_MS),
            tails,
            counters,
            groups: HashMap::new(),
            dirty: Vec::new(),
            failed: HashMap::new(),
            changes,
            opened_files: 0,
            meter: Arc::default(),
            counted: HashMap::new(),
        }
    }

    /// Counts in `meter` once it is set.
    pub(crate) fn count_in(&mut self, meter: Arc<OnceLock<LogMeter>>) {
        self.meter = meter;
    }

    /// Finds the groups that are on disk already.
    pub(crate) fn load(&mut self) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.root)? {
            if let Some(group) = name::group_of(&entry?.path()) {
                self.group(&Arc::from(group));
            }
        }
        Ok(())
    }

    /// Serves until the store is shut down or forgotten, and all that was accepted is written.
    pub(crate) fn run(mut self) {
        let mut commands = Vec::with_capacity(BATCH);
        while self.inbox.take(&mut commands, BATCH) > 0 {
            self.serve(&mut commands);
            std::thread::park_timeout(self.linger);
        }
    }

    fn serve(&mut self, commands: &mut Vec<Command>) {
        self.now = self.clock.now();
        let watched = self.tails.is_watched();
        let mut owed = Owed::default();
        for command in commands.drain(..) {
            self.apply(command, watched, &mut owed);
        }
        self.write_out();
        for (groups, written) in owed.durable {
            // Who gave up has dropped its end.
            written.send(self.sync(&groups)).unwrap_or_default();
        }
        self.failed.clear();
        self.close_files();
        self.tails.publish(&owed.published);
        self.inbox.release(owed.units);
        self.expire_if_due();
        for (groups, done) in owed.snapshots {
            // A reader that gave up has dropped its end.
            done.send(self.snapshot(&groups)).unwrap_or_default();
        }
    }

    fn apply(&mut self, command: Command, watched: bool, owed: &mut Owed) {
        match command {
            Command::Append {
                events,
                units,
                durable,
            } => {
                owed.units += units as usize;
                let ingested = durable.is_some().then_some(self.now);
                if let Some(written) = durable {
                    let mut groups: Vec<_> = events.iter().map(|event| Arc::clone(&event.group)).collect();
                    groups.dedup();
                    owed.durable.push((groups, written));
                }
                for event in events {
                    self.accept(event, ingested, watched, owed);
                }
            }
            Command::SetRetention { group, days } => {
                let now = self.now;
                let group = self.group(&Arc::from(group));
                group.set_retention(days);
                group.expire(now);
            }
            Command::Sweep => self.next_expiry = self.now,
            Command::Delete { group, done } => {
                self.counted.remove(&*group);
                let deleted = self.groups.remove(&*group).map_or(Ok(()), Group::delete);
                done.send(deleted).unwrap_or_default();
            }
            Command::Snapshot { groups, done } => owed.snapshots.push((groups, done)),
            Command::Stop => self.inbox.close(),
        }
    }

    /// An event with a time of its ingestion is to be durable, and whole.
    fn accept(&mut self, event: LogEvent, ingested: Option<Timestamp>, watched: bool, owed: &mut Owed) {
        if ingested.is_none() && event.is_too_long() {
            let pieces = event.split();
            return pieces
                .into_iter()
                .for_each(|piece| self.accept(piece, ingested, watched, owed));
        }
        self.stage(&event, ingested);
        self.count(&event);
        if watched {
            owed.published.push(Arc::new(event));
        }
    }

    fn count(&mut self, event: &LogEvent) {
        let Some(meter) = self.meter.get() else { return };
        let counter = match self.counted.get(&event.group) {
            Some(counter) => counter,
            None => self
                .counted
                .entry(Arc::clone(&event.group))
                .or_insert_with_key(|group| meter.counter(group)),
        };
        counter.add(event.message.len() as u64 + EVENT_BYTES);
    }

    fn stage(&mut self, event: &LogEvent, ingested: Option<Timestamp>) {
        let now = self.now;
        let group = self.group(&event.group);
        let was_clean = !group.has_staged();
        let lost = group.stage(event, ingested).then(|| group.write_out(now));
        if was_clean {
            self.dirty.push(Arc::clone(&event.group));
        }
        if let Some(result) = lost {
            self.note_written(&event.group, result);
        }
    }

    fn write_out(&mut self) {
        let now = self.now;
        let dirty = std::mem::take(&mut self.dirty);
        if !dirty.is_empty() {
            self.changes.send_modify(|batches| *batches += 1);
        }
        for name in dirty {
            if let Some(group) = self.groups.get_mut(&name) {
                let result = group.write_out(now);
                self.note_written(&name, result);
            }
        }
    }

    /// What of these groups is to be durable reaches the disk.
    fn sync(&mut self, groups: &[Arc<str>]) -> Result<(), String> {
        for name in groups {
            if let Some(error) = self.failed.get(name) {
                return Err(error.clone());
            }
            let Some(group) = self.groups.get_mut(name) else {
                continue;
            };
            if let Err(error) = group.sync() {
                self.failed.insert(Arc::clone(name), error.to_string());
                return Err(error.to_string());
            }
        }
        Ok(())
    }

    fn close_files(&mut self) {
        if self.opened_files > OPEN_FILES {
            self.groups.values_mut().for_each(Group::close_file);
            self.opened_files = 0;
        }
    }

    fn note_written(&mut self, group: &Arc<str>, result: Result<bool, Lost>) {
        match result {
            Ok(opened) => self.opened_files += usize::from(opened),
            Err(Lost {
                events,
                error,
                is_first,
            }) => {
                self.failed.insert(Arc::clone(group), error.to_string());
                let dropped = self.counters.dropped.fetch_add(events, Ordering::Relaxed) + events;
                if is_first && events > 0 {
                    tracing::warn!(%group, %error, dropped, "log events cannot be written and are dropped");
                }
            }
        }
    }

    fn expire_if_due(&mut self) {
        let now = self.now;
        if now >= self.next_expiry {
            self.groups.values_mut().for_each(|group| group.expire(now));
            self.next_expiry = now.plus_millis(EXPIRE_EVERY_MS);
        }
    }

    fn snapshot(&self, groups: &[String]) -> Vec<GroupFiles> {
        let now = self.now;
        let asked = |name: &str| groups.is_empty() || groups.iter().any(|group| group == name);
        let matching = self
            .groups
            .iter()
            .filter(|(name, group)| asked(name) && group.has_events());
        let mut files: Vec<GroupFiles> = matching.map(|(_, group)| group.files(now)).collect();
        files.sort_by(|a, b| a.group.cmp(&b.group));
        files
    }

    fn group(&mut self, name: &Arc<str>) -> &mut Group {
        let open = || Group::open(&self.root, Arc::clone(name), self.limits);
        self.groups.entry(Arc::clone(name)).or_insert_with(open)
    }
}

impl Drop for Writer {
    /// Whatever ends the writer also ends the tails.
    fn drop(&mut self) {
        self.tails.close();
    }
}
