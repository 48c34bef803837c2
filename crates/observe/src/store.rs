//! The handle that everyone holds.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tradewind_model::Clock;

use crate::queue::{Closed, Command, GroupFiles, Queue, bounded};
use crate::read::read;
use crate::segment::Limits;
use crate::tail::Tails;
use crate::writer::{Counters, Writer};
use crate::{LogEvent, LogQuery, LogTail, ReadLogsError};

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
    reads: Arc<Semaphore>,
    thread: std::thread::Thread,
    writer: Mutex<Option<JoinHandle<()>>>,
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
        let shown = (Arc::clone(&tails), Arc::clone(&counters));
        let mut writer = Writer::new(inbox, dir.to_owned(), (limits, options.linger), clock, shown);
        writer.load()?;
        let thread = std::thread::Builder::new().name("tradewind-logs".into());
        let handle = thread.spawn(move || writer.run())?;
        Ok(Self(Arc::new(Inner {
            queue,
            tails,
            counters,
            reads: Arc::new(Semaphore::new(CONCURRENT_READS)),
            thread: handle.thread().clone(),
            writer: Mutex::new(Some(handle)),
        })))
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
        if let Err(Closed(events)) = self.0.queue.append(events).await {
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
