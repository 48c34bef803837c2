//! The handle that everyone holds.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use tradewind_model::{Clock, Timestamp};

use crate::queue::{Closed, Command, GroupFiles, Queue, bounded};
use crate::read::read;
use crate::scan::{self, LogChunk, LogScan, Scanned, StreamSummary};
use crate::segment::Limits;
use crate::tail::Tails;
use crate::usage::Meter;
use crate::writer::{Counters, LogMeter, Writer};
use crate::{Home, LogEvent, LogPosition, LogQuery, LogTail, ReadLogsError};

/// How many reads may hold segments in memory at once.
const CONCURRENT_READS: usize = 4;

/// The bounds of a store.
#[derive(Clone, Debug)]
pub struct LogOptions {
    /// What one group may hold on disk, in bytes. Default 64 MiB.
    pub group_bytes: u64,
    /// The size at which a segment file is closed, in bytes. Default 4 MiB.
    pub segment_bytes: u64,
    /// How many appends may wait for the writer. Default 16,384.
    pub queue_appends: usize,
    /// How many bytes may wait for the writer. Default 32 MiB.
    pub queue_bytes: usize,
    /// How long the writer gathers after each batch; also how long a live tail may lag under load.
    /// Default 5 ms.
    pub linger: Duration,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            group_bytes: 64 * 1024 * 1024,
            segment_bytes: 4 * 1024 * 1024,
            queue_appends: 16_384,
            queue_bytes: 32 * 1024 * 1024,
            linger: Duration::from_millis(5),
        }
    }
}

/// Why the logs could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("the log folder `{}` cannot be used: {source}", dir.display())]
pub struct OpenLogsError {
    /// The folder.
    pub dir: PathBuf,
    /// What the system said.
    pub source: std::io::Error,
}

/// Why events could not be appended durably. Some of them may be there; to append again is safe, and may
/// write those twice.
#[derive(Debug, thiserror::Error)]
pub enum AppendLogsError {
    /// The store was shut down.
    #[error("the logs are closed: the node is shutting down")]
    ShutDown,
    /// The files could not be written.
    #[error("the log events could not be written: {0}")]
    Unwritable(String),
}

/// What a group holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSummary {
    /// Its name.
    pub group: Arc<str>,
    /// Bytes of its segments.
    pub bytes: u64,
    /// When its first segment began, as far as that is known.
    pub since: Option<Timestamp>,
}

/// Why a group could not be deleted.
#[derive(Debug, thiserror::Error)]
pub enum DeleteLogsError {
    /// The store was shut down.
    #[error("the logs are closed: the node is shutting down")]
    ShutDown,
    /// Its files could not be removed.
    #[error("the files of log group `{group}` cannot be deleted: {source}")]
    Undeletable {
        /// The group.
        group: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// The logs of a node. A clone is the same store.
#[derive(Clone, Debug)]
pub struct LogStore(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Queue,
    tails: Arc<Tails>,
    counters: Arc<Counters>,
    changes: watch::Receiver<u64>,
    reads: Arc<Semaphore>,
    thread: std::thread::Thread,
    writer: Mutex<Option<JoinHandle<()>>>,
    meter: Arc<OnceLock<LogMeter>>,
}

impl LogStore {
    /// Opens the logs in `dir`, which is created if it is missing, and starts the writer.
    ///
    /// # Errors
    /// When the folder cannot be created or listed, or the system has no thread left.
    pub fn open(dir: PathBuf, clock: Clock, options: LogOptions) -> Result<Self, OpenLogsError> {
        Self::start(&dir, clock, &options).map_err(|source| OpenLogsError { dir, source })
    }

    fn start(dir: &std::path::Path, clock: Clock, options: &LogOptions) -> std::io::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let (queue, inbox) = bounded(options.queue_appends, options.queue_bytes);
        let (tails, counters) = (Arc::<Tails>::default(), Arc::<Counters>::default());
        let limits = Limits {
            group_bytes: options.group_bytes,
            segment_bytes: options.segment_bytes,
        };
        let (written, changes) = watch::channel(0);
        let shown = (Arc::clone(&tails), Arc::clone(&counters), written);
        let meter = Arc::<OnceLock<LogMeter>>::default();
        let mut writer = Writer::new(inbox, dir.to_owned(), (limits, options.linger), clock, shown);
        writer.count_in(Arc::clone(&meter));
        writer.load()?;
        let thread = std::thread::Builder::new().name("tradewind-logs".into());
        let handle = thread.spawn(move || writer.run())?;
        Ok(Self(Arc::new(Inner {
            queue,
            tails,
            counters,
            changes,
            reads: Arc::new(Semaphore::new(CONCURRENT_READS)),
            thread: handle.thread().clone(),
            writer: Mutex::new(Some(handle)),
            meter,
        })))
    }

    /// Bytes of events are counted by `meter`, under the ARNs of their groups; only the first call decides by which.
    pub fn count_in(&self, meter: Meter, home: Home) {
        self.0.meter.get_or_init(|| LogMeter { meter, home });
    }

    /// Appends events, waiting while the queue is full. After [`LogStore::shutdown`] they are
    /// counted as dropped.
    ///
    /// # Cancel safety
    /// Cancel-safe: either all events are appended or none.
    pub async fn append(&self, events: Vec<LogEvent>) {
        let Err(events) = self.try_append(events) else {
            return;
        };
        if let Err(Closed(events)) = self.0.queue.append(events, None).await {
            self.0
                .counters
                .dropped
                .fetch_add(events.len() as u64, Ordering::Relaxed);
        }
    }

    /// Appends events without waiting.
    ///
    /// # Errors
    /// Gives the events back when the queue is full, or the store shut down.
    pub fn try_append(&self, events: Vec<LogEvent>) -> Result<(), Vec<LogEvent>> {
        self.0.queue.try_append(events)
    }

    /// Appends events and waits until they are on the disk. Long messages are kept whole.
    ///
    /// # Errors
    /// When the store is shut down or the files cannot be written.
    ///
    /// # Cancel safety
    /// Not cancel-safe: the events may be appended when the caller has gone.
    pub async fn append_durably(&self, events: Vec<LogEvent>) -> Result<(), AppendLogsError> {
        let (done, written) = oneshot::channel();
        let sent = self.0.queue.append(events, Some(done)).await;
        if sent.is_err() {
            return Err(AppendLogsError::ShutDown);
        }
        self.0.thread.unpark();
        let result = written.await.ok().ok_or(AppendLogsError::ShutDown)?;
        result.map_err(AppendLogsError::Unwritable)
    }

    /// A number that changes whenever events were written, to any group.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.clone()
    }

    /// A live view of what is appended from now on.
    #[must_use]
    pub fn subscribe(&self) -> LogTail {
        self.0.tails.subscribe()
    }

    /// The newest events that match, oldest of them first. Sees all that was appended before.
    ///
    /// # Errors
    /// When the store is shut down or a file cannot be read.
    pub async fn read(&self, query: LogQuery) -> Result<Vec<LogEvent>, ReadLogsError> {
        let permit = Arc::clone(&self.0.reads).acquire_owned().await;
        let files = self
            .snapshot(query.groups.clone())
            .await
            .ok_or(ReadLogsError::ShutDown)?;
        let scan = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            read(&files, &query)
        });
        scan.await.unwrap_or(Err(ReadLogsError::Interrupted))
    }

    /// A page of a group's events by time.
    ///
    /// # Errors
    /// When the store is shut down or a file cannot be read.
    pub async fn scan(&self, scan: LogScan) -> Result<Scanned, ReadLogsError> {
        let group = scan.group.clone();
        self.on_files(group, move |files| scan::scan(files, &scan)).await
    }

    /// The events of a group from `position` on, in the order in which they were appended; about
    /// `max_bytes` of segments are read.
    ///
    /// # Errors
    /// When the store is shut down or a file cannot be read.
    pub async fn read_from(
        &self,
        group: &str,
        position: LogPosition,
        max_bytes: usize,
    ) -> Result<LogChunk, ReadLogsError> {
        self.on_files(group.to_owned(), move |files| {
            scan::read_from(files, position, max_bytes)
        })
        .await
    }

    /// Where the next event of a group will stand, or earlier.
    ///
    /// # Errors
    /// When the store is shut down.
    pub async fn end_of(&self, group: &str) -> Result<LogPosition, ReadLogsError> {
        let files = self.snapshot(vec![group.to_owned()]).await;
        let files = files.ok_or(ReadLogsError::ShutDown)?;
        let newest = files.iter().filter_map(|files| files.segments.last()).next();
        let end = newest.map(|segment| LogPosition {
            segment: segment.number,
            offset: segment.bytes,
        });
        Ok(end.unwrap_or_default())
    }

    /// The streams of a group that hold events, by name.
    ///
    /// # Errors
    /// When the store is shut down or a file cannot be read.
    pub async fn streams(&self, group: &str) -> Result<Vec<StreamSummary>, ReadLogsError> {
        self.on_files(group.to_owned(), scan::streams).await
    }

    /// Erases the events of one stream.
    ///
    /// # Errors
    /// When the store is shut down or a file cannot be written; what is left is erased by the next try.
    pub async fn delete_stream(&self, group: &str, stream: &str) -> Result<(), ReadLogsError> {
        let stream = stream.to_owned();
        self.on_files(group.to_owned(), move |files| scan::erase(files, &stream))
            .await
    }

    /// What each group holds that has events, by name; nothing once the store is shut down.
    pub async fn summaries(&self) -> Vec<GroupSummary> {
        let files = self.snapshot(Vec::new()).await.unwrap_or_default();
        files.iter().map(GroupFiles::summary).collect()
    }

    /// Reads the files of a group where blocking does no harm.
    async fn on_files<T: Send + 'static>(
        &self,
        group: String,
        work: impl FnOnce(&GroupFiles) -> Result<T, ReadLogsError> + Send + 'static,
    ) -> Result<T, ReadLogsError> {
        let permit = Arc::clone(&self.0.reads).acquire_owned().await;
        let files = self.snapshot(vec![group.clone()]).await;
        let mut files = files.ok_or(ReadLogsError::ShutDown)?;
        let files = files.pop().unwrap_or_else(|| GroupFiles::none(&group));
        let read = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work(&files)
        });
        read.await.unwrap_or(Err(ReadLogsError::Interrupted))
    }

    /// The names of the groups that hold events, sorted; none once the store is shut down.
    pub async fn groups(&self) -> Vec<String> {
        let files = self.snapshot(Vec::new()).await.unwrap_or_default();
        files
            .into_iter()
            .map(|files| files.group.as_ref().to_owned())
            .collect()
    }

    /// Keeps the events of `group` for so many days; `None` keeps them as long as there is room.
    /// Holds for every read at once; the files go within the hour, while the store is used. The
    /// store does not remember it: whoever owns the setting sets it again after each start.
    pub async fn set_retention(&self, group: &str, days: Option<u32>) {
        let group = group.to_owned();
        // A store that is shut down has nothing to expire.
        self.command(Command::SetRetention { group, days })
            .await
            .unwrap_or_default();
    }

    /// Deletes the segments that are past their retention now; else that happens within the hour, while
    /// the store is used.
    pub async fn sweep(&self) {
        // A store that is shut down sweeps when it is opened and used again.
        self.command(Command::Sweep).await.unwrap_or_default();
    }

    /// Deletes the events of `group` and forgets its retention. That there are none is success.
    ///
    /// # Errors
    /// When the store is shut down or the files cannot be removed.
    pub async fn delete_group(&self, group: &str) -> Result<(), DeleteLogsError> {
        let (done, deleted) = oneshot::channel();
        let command = Command::Delete {
            group: group.to_owned(),
            done,
        };
        self.command(command).await.ok_or(DeleteLogsError::ShutDown)?;
        let result = deleted.await.ok().ok_or(DeleteLogsError::ShutDown)?;
        result.map_err(|source| DeleteLogsError::Undeletable {
            group: group.to_owned(),
            source,
        })
    }

    /// How many accepted events are lost since the store was opened: disk full, or after shutdown.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.counters.dropped.load(Ordering::Relaxed)
    }

    /// Writes all that was appended, ends the tails and stops the writer. The second call does
    /// nothing.
    pub async fn shutdown(&self) {
        // When it is stopped already there is nobody to tell.
        self.command(Command::Stop).await.unwrap_or_default();
        let handle = self
            .0
            .writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(handle) = handle else { return };
        let joined = tokio::task::spawn_blocking(move || handle.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            tracing::error!("the log writer panicked; events are lost");
        }
    }

    async fn snapshot(&self, groups: Vec<String>) -> Option<Vec<GroupFiles>> {
        let (done, files) = oneshot::channel();
        self.command(Command::Snapshot { groups, done }).await?;
        files.await.ok()
    }

    /// Sends a command and ends the writer's linger, so that it is served at once.
    async fn command(&self, command: Command) -> Option<()> {
        let sent = self.0.queue.command(command).await;
        self.0.thread.unpark();
        sent.ok()
    }
}

#[cfg(test)]
mod tests;
