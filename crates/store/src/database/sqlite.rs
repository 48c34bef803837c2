//! SQLite behind one writer thread with group commit, and a small pool of readers.

mod checker;
mod health;
mod open;
mod page;
mod scrub;
mod statement;
mod vfs;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{Semaphore, mpsc};

use self::checker::Checker;
use self::health::Health;
use self::open::{open_reader, open_writer};
use self::scrub::Scrubber;
use self::statement::query;
pub(crate) use self::statement::query_positional;
use self::writer::{Work, job, run_batch, write_loop};
use super::batch::{Batch, Hook};
use super::{DatabaseError, RESERVE};
use crate::migrate::{Migration, migrate};
use crate::value::{Row, SqlValue};

/// Jobs that may wait for the writer; a full queue makes callers wait.
const WAITING_JOBS: usize = 1024;
const READERS: usize = 4;

/// The writer and the readers of one file. The last handle waits for the writer to end.
pub(crate) struct Sqlite {
    writer: Option<mpsc::Sender<Work>>,
    thread: Option<JoinHandle<()>>,
    checker: Option<Checker>,
    scrubber: Option<Scrubber>,
    health: Arc<Health>,
    path: Location,
    /// Bytes that batches that grow leave free.
    reserve: AtomicU64,
    idle_readers: Mutex<Vec<Connection>>,
    reader_slots: Arc<Semaphore>,
}

#[derive(Clone)]
enum Location {
    File(PathBuf),
    Memory(String),
}

impl Sqlite {
    pub(super) fn open(path: &Path, migrations: &[&[Migration]]) -> Result<Self, DatabaseError> {
        let connection = open_writer(path, migrations)?;
        let mut sqlite = Self::start(connection, Location::File(path.into()));
        sqlite.checker = Some(Checker::start(open_reader(&sqlite.path)?, path.into()));
        let writer = sqlite.writer.as_ref().ok_or(DatabaseError::Closed)?;
        sqlite.scrubber = Some(Scrubber::start(
            path.into(),
            writer.downgrade(),
            Arc::clone(&sqlite.health),
        ));
        Ok(sqlite)
    }

    pub(super) fn in_memory(migrations: &[&[Migration]]) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "file:test-{}?mode=memory&cache=shared",
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let mut connection = open_reader(&Location::Memory(name.clone())).expect("memory databases open");
        migrate(&mut connection, migrations).expect("the migrations apply to an empty database");
        Self::start(connection, Location::Memory(name))
    }

    fn start(connection: Connection, path: Location) -> Self {
        let (writer, jobs) = mpsc::channel(WAITING_JOBS);
        let health = Arc::new(Health::default());
        let writers = Arc::clone(&health);
        let thread = std::thread::Builder::new()
            .name("database-writer".into())
            .spawn(move || write_loop(connection, jobs, &writers))
            .expect("a thread can be started while the node starts");
        Self {
            writer: Some(writer),
            thread: Some(thread),
            checker: None,
            scrubber: None,
            health,
            path,
            reserve: AtomicU64::new(RESERVE),
            idle_readers: Mutex::default(),
            reader_slots: Arc::new(Semaphore::new(READERS)),
        }
    }

    pub(super) fn room(&self) -> Result<(), DatabaseError> {
        let Location::File(path) = &self.path else {
            return Ok(());
        };
        // a disk that cannot be asked fails by itself soon enough
        let Ok(disk) = rustix::fs::statvfs(path) else {
            return Ok(());
        };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free < self.reserve.load(Ordering::Relaxed) {
            return Err(DatabaseError::DiskFull);
        }
        Ok(())
    }

    /// Returns when what was deleted before is no longer in the file or its log.
    pub(super) async fn scrub(&self) -> Result<(), DatabaseError> {
        match &self.scrubber {
            Some(scrubber) => scrubber.scrub().await,
            None => Ok(()),
        }
    }

    /// Waits until the disk does not confirm a write.
    pub(super) async fn failure(&self) -> DatabaseError {
        self.health.failure().await
    }

    pub(super) async fn write(&self, mut batch: Batch) -> Result<Vec<u64>, DatabaseError> {
        let hooks = batch.take_hooks();
        self.submit(move |connection| run_batch(connection, &batch), hooks)
            .await
    }

    /// Runs `call` on the writer's thread in a savepoint of the shared transaction, and answers after
    /// the commit. It sees what was written before it, also by others of the same commit.
    ///
    /// # Cancel safety
    /// Once polled, the call runs to its end even if this future is dropped.
    pub(crate) async fn transact<T, F>(&self, call: F) -> Result<T, DatabaseError>
    where
        F: FnOnce(&Connection) -> Result<T, DatabaseError> + Send + 'static,
        T: Send + 'static,
    {
        self.submit(call, Vec::new()).await
    }

    async fn submit<T, F>(&self, call: F, hooks: Vec<Hook>) -> Result<T, DatabaseError>
    where
        F: FnOnce(&Connection) -> Result<T, DatabaseError> + Send + 'static,
        T: Send + 'static,
    {
        let (job, answer) = job(call, hooks);
        let writer = self.writer.as_ref().ok_or(DatabaseError::Closed)?;
        writer
            .send(Work::Job(job))
            .await
            .map_err(|_gone| DatabaseError::Closed)?;
        answer.await.map_err(|_gone| DatabaseError::Closed)?
    }

    pub(super) async fn read(
        self: &Arc<Self>,
        sql: &'static str,
        params: Vec<SqlValue>,
    ) -> Result<Vec<Row>, DatabaseError> {
        let slot = Arc::clone(&self.reader_slots)
            .acquire_owned()
            .await
            .map_err(|_closed| DatabaseError::Closed)?;
        let this = Arc::clone(self);
        let query = move || {
            let _slot = slot;
            let connection = this.reader()?;
            let rows = query(&connection, sql, &params)?;
            this.idle_readers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            Ok(rows)
        };
        tokio::task::spawn_blocking(query)
            .await
            .map_err(|_panicked| DatabaseError::Closed)?
    }

    fn reader(&self) -> Result<Connection, DatabaseError> {
        let idle = self
            .idle_readers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        match idle {
            Some(connection) => Ok(connection),
            None => Ok(open_reader(&self.path)?),
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        drop(self.writer.take());
        drop(self.scrubber.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the database writer panicked");
        }
    }
}

#[cfg(test)]
mod tests;
