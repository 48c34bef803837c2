//! What was deleted also leaves the write-ahead log: every few seconds what the log holds goes into the file,
//! and the log is cut to nothing.
//!
//! Most of it is copied on a connection of its own while everybody reads and writes; the rest, and the cut, by
//! the writer between two commits. A query that runs keeps the log; the writer waits for it only a moment, and
//! it is tried again soon.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::health::Health;
use super::open::{BUSY, open_for_checkpoints};
use super::writer::Work;
use crate::database::DatabaseError;

/// The pause between two looks at the log.
const EVERY: Duration = Duration::from_secs(5);
/// The pause while a query keeps the log.
const AGAIN: Duration = Duration::from_secs(1);
/// How long writes may wait for a query that keeps the log.
const PATIENCE: Duration = Duration::from_millis(50);
/// After so many tries in vain an operator should know.
const TOO_MANY: u32 = 60;

/// The thread that looks after the log. It ends when this is dropped.
pub(super) struct Scrubber {
    asked: Option<SyncSender<Asked>>,
    thread: Option<JoinHandle<()>>,
}

/// Who waits until the log is empty.
type Asked = oneshot::Sender<Result<(), DatabaseError>>;

struct Log {
    path: PathBuf,
    writer: mpsc::WeakSender<Work>,
    health: Arc<Health>,
    copying: Option<Connection>,
}

impl Scrubber {
    pub(super) fn start(database: PathBuf, writer: mpsc::WeakSender<Work>, health: Arc<Health>) -> Self {
        let (asked, asks) = sync_channel(16);
        let log = Log {
            path: database,
            writer,
            health,
            copying: None,
        };
        let thread = std::thread::Builder::new()
            .name("database-scrub".into())
            .spawn(move || run(log, &asks))
            .expect("a thread can be started while the node starts");
        Self {
            asked: Some(asked),
            thread: Some(thread),
        }
    }

    /// Returns when the log is empty of all that was deleted before.
    pub(super) async fn scrub(&self) -> Result<(), DatabaseError> {
        let (done, answer) = oneshot::channel();
        let asked = self.asked.as_ref().ok_or(DatabaseError::Closed)?;
        asked.try_send(done).map_err(|_many| DatabaseError::Closed)?;
        answer.await.map_err(|_gone| DatabaseError::Closed)?
    }
}

fn run(mut log: Log, asks: &Receiver<Asked>) {
    let (mut waiting, mut tries) = (Vec::new(), 0);
    let mut pause = EVERY;
    loop {
        match asks.recv_timeout(pause) {
            Ok(asked) => waiting.push(asked),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        match log.empty() {
            Ok(true) => {
                (pause, tries) = (EVERY, 0);
                answer(&mut waiting, || Ok(()));
            }
            Ok(false) => {
                (pause, tries) = (AGAIN, tries + 1);
                if tries % TOO_MANY == 0 {
                    tracing::warn!(
                        tries,
                        "queries that run long keep what was deleted in the database's log"
                    );
                }
            }
            Err(error) => {
                pause = EVERY;
                log.health.note(&error);
                tracing::warn!(%error, "the database's log could not be emptied and will be tried again");
                answer(&mut waiting, || Err(error.again()));
            }
        }
    }
}

fn answer(waiting: &mut Vec<Asked>, outcome: impl Fn() -> Result<(), DatabaseError>) {
    for asked in waiting.drain(..) {
        // who gave up has dropped its end
        asked.send(outcome()).unwrap_or_default();
    }
}

impl Log {
    /// False while a query keeps it.
    fn empty(&mut self) -> Result<bool, DatabaseError> {
        self.health.check()?;
        if self.is_empty() {
            return Ok(true);
        }
        self.copy()?;
        let Some(writer) = self.writer.upgrade() else {
            // closing empties it, too
            return Ok(true);
        };
        let (done, cut) = sync_channel(1);
        let sent = writer.blocking_send(Work::Cut(done));
        drop(writer);
        sent.map_err(|_gone| DatabaseError::Closed)?;
        cut.recv().map_err(|_gone| DatabaseError::Closed)?
    }

    fn is_empty(&self) -> bool {
        let log = self.path.with_extension("db-wal").metadata();
        log.map_or(true, |log| log.len() == 0)
    }

    /// Copies what can be copied without making anybody wait.
    fn copy(&mut self) -> Result<(), rusqlite::Error> {
        let connection = match self.copying.take() {
            Some(connection) => connection,
            None => open_for_checkpoints(&self.path)?,
        };
        checkpoint(&connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
        self.copying = Some(connection);
        Ok(())
    }
}

/// Copies the rest and cuts the log; on the writer's connection, outside of a transaction.
pub(super) fn cut(connection: &Connection) -> Result<bool, DatabaseError> {
    connection.busy_timeout(PATIENCE)?;
    let done = checkpoint(connection, "PRAGMA wal_checkpoint(TRUNCATE)");
    connection.busy_timeout(BUSY)?;
    Ok(done?)
}

/// Whether nothing kept it from being done whole.
fn checkpoint(connection: &Connection, how: &str) -> Result<bool, rusqlite::Error> {
    connection.query_row(how, [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        drop(self.asked.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that empties the database's log panicked");
        }
    }
}
