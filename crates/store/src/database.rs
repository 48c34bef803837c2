//! SQLite behind one writer thread with group commit, and a small pool of readers.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::{Connection, OpenFlags, Transaction};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::migrate::{MigrateError, Migration, migrate};
use crate::value::{Row, SqlValue};

/// Batches that may wait for the writer; a full queue makes callers wait.
const WAITING_BATCHES: usize = 1024;
/// Batches that share one commit at most.
const BATCHES_A_COMMIT: usize = 256;
const READERS: usize = 4;

/// The database of this node. Clones are handles to the same one.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    writer: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    path: Location,
    idle_readers: Mutex<Vec<Connection>>,
    reader_slots: Arc<Semaphore>,
}

#[derive(Clone)]
enum Location {
    File(PathBuf),
    Memory(String),
}

struct Job {
    batch: Batch,
    done: oneshot::Sender<Result<Vec<u64>, DatabaseError>>,
}

/// Statements that happen together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch(Vec<Statement>);

#[derive(Clone, Debug)]
struct Statement {
    sql: &'static str,
    params: Vec<SqlValue>,
    expected_rows: Option<u64>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a statement.
    #[must_use]
    pub fn run(mut self, sql: &'static str, params: Vec<SqlValue>) -> Self {
        self.0.push(Statement {
            sql,
            params,
            expected_rows: None,
        });
        self
    }

    /// Adds a statement that must change exactly `rows` rows, else the batch fails whole.
    #[must_use]
    pub fn require(mut self, sql: &'static str, params: Vec<SqlValue>, rows: u64) -> Self {
        self.0.push(Statement {
            sql,
            params,
            expected_rows: Some(rows),
        });
        self
    }
}

/// Why the database refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It could not be opened.
    #[error("cannot open the database {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        source: rusqlite::Error,
    },
    /// The file is not a sound database.
    #[error("the database {path} is damaged: {detail}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What the check found first.
        detail: String,
    },
    /// The schema could not be brought up to date.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The disk is full; nothing was changed.
    #[error("the disk of the data folder is full")]
    DiskFull,
    /// A required statement changed another number of rows; the batch was undone.
    #[error("statement {statement} of the batch changed {rows} rows, not what it requires")]
    Unexpected {
        /// Position in the batch, from 0.
        statement: usize,
        /// Rows it changed.
        rows: u64,
    },
    /// A column is not what the reader asked for.
    #[error("column {column} is not a {expected}")]
    Column {
        /// Position, from 0.
        column: usize,
        /// The type asked for.
        expected: &'static str,
    },
    /// Any other failure of SQLite.
    #[error("database error: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The writer is gone: the node is stopping.
    #[error("the database is closed")]
    Closed,
}

impl Database {
    /// Opens (or makes) the database file, checks it and migrates its schema.
    ///
    /// # Errors
    /// When the file cannot be opened, is damaged, or has a newer schema.
    pub fn open(path: &Path, migrations: &[&[Migration]]) -> Result<Self, DatabaseError> {
        let open = |source| DatabaseError::Open {
            path: path.into(),
            source,
        };
        refuse_other_files(path)?;
        let mut connection = Connection::open(path).map_err(open)?;
        check(&connection, path)?;
        configure(&connection)?;
        migrate(&mut connection, migrations)?;
        Ok(Self::start(connection, Location::File(path.into())))
    }

    /// A database that lives and dies with its handles, for tests of services.
    ///
    /// # Panics
    /// When the migrations do not apply.
    #[must_use]
    pub fn in_memory_for_tests(migrations: &[&[Migration]]) -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
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
        let (writer, jobs) = mpsc::channel(WAITING_BATCHES);
        let thread = std::thread::Builder::new()
            .name("database-writer".into())
            .spawn(move || write_loop(connection, jobs))
            .expect("a thread can be started while the node starts");
        let shared = Shared {
            writer: Some(writer),
            thread: Some(thread),
            path,
            idle_readers: Mutex::default(),
            reader_slots: Arc::new(Semaphore::new(READERS)),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Runs the batch in one transaction; on `Ok` it is on disk. Gives the rows each statement changed.
    ///
    /// # Errors
    /// When a statement fails or the disk is full: then nothing of the batch happened.
    ///
    /// # Cancel safety
    /// Once polled, the batch runs to its end even if this future is dropped.
    pub async fn write(&self, batch: Batch) -> Result<Vec<u64>, DatabaseError> {
        let (done, answer) = oneshot::channel();
        let writer = self.shared.writer.as_ref().ok_or(DatabaseError::Closed)?;
        writer
            .send(Job { batch, done })
            .await
            .map_err(|_gone| DatabaseError::Closed)?;
        answer.await.map_err(|_gone| DatabaseError::Closed)?
    }

    /// Runs a query on a reader.
    ///
    /// # Errors
    /// When the query fails.
    ///
    /// # Cancel safety
    /// A query that has begun runs to its end, and holds its reader until then, even if this future
    /// is dropped.
    pub async fn read(&self, sql: &'static str, params: Vec<SqlValue>) -> Result<Vec<Row>, DatabaseError> {
        let slot = Arc::clone(&self.shared.reader_slots)
            .acquire_owned()
            .await
            .map_err(|_closed| DatabaseError::Closed)?;
        let shared = Arc::clone(&self.shared);
        let query = move || {
            let _slot = slot;
            let connection = shared.reader()?;
            let rows = query(&connection, sql, &params)?;
            shared
                .idle_readers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
            Ok(rows)
        };
        tokio::task::spawn_blocking(query)
            .await
            .map_err(|_panicked| DatabaseError::Closed)?
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

impl Shared {
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

impl Drop for Shared {
    fn drop(&mut self) {
        drop(self.writer.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the database writer panicked");
        }
    }
}

fn open_reader(location: &Location) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match location {
        Location::File(path) => {
            let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            Ok(connection)
        }
        Location::Memory(name) => {
            let write = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            let connection = Connection::open_with_flags(name, flags | write | OpenFlags::SQLITE_OPEN_URI)?;
            connection.pragma_update(None, "read_uncommitted", true)?;
            Ok(connection)
        }
    }
}

/// SQLite takes a file of less than a page for a new database and would write over it. With a
/// write-ahead log beside it the file's own content does not matter: the log restores it.
fn refuse_other_files(path: &Path) -> Result<(), DatabaseError> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let has_log = path
        .with_extension("db-wal")
        .metadata()
        .is_ok_and(|log| log.len() > 0);
    let Ok(mut file) = std::fs::File::open(path) else {
        return Ok(());
    };
    let mut start = Vec::new();
    let read = std::io::Read::take(&mut file, MAGIC.len() as u64).read_to_end(&mut start);
    if has_log || read.is_err() || start.is_empty() || start == MAGIC {
        return Ok(());
    }
    Err(DatabaseError::Corrupt {
        path: path.into(),
        detail: "it is not an SQLite database".into(),
    })
}

/// A damaged file is found when the node starts, not when a row is first missed.
fn check(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    let corrupt = |detail: String| DatabaseError::Corrupt {
        path: path.into(),
        detail,
    };
    let answer = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
    match answer {
        Ok(text) if text == "ok" => Ok(()),
        Ok(text) => Err(corrupt(text)),
        Err(error) if is_corrupt(&error) => Err(corrupt(error.to_string())),
        Err(source) => Err(DatabaseError::Open {
            path: path.into(),
            source,
        }),
    }
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

fn configure(connection: &Connection) -> Result<(), DatabaseError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(())
}

/// Takes what waits, runs it in one transaction, answers after the commit.
fn write_loop(mut connection: Connection, mut jobs: mpsc::Receiver<Job>) {
    let mut waiting = Vec::with_capacity(BATCHES_A_COMMIT);
    while jobs.blocking_recv_many(&mut waiting, BATCHES_A_COMMIT) > 0 {
        let outcome = commit_together(&mut connection, &waiting);
        answer(waiting.drain(..), outcome);
    }
}

type Outcomes = Vec<Result<Vec<u64>, DatabaseError>>;

fn commit_together(connection: &mut Connection, jobs: &[Job]) -> Result<Outcomes, DatabaseError> {
    let mut transaction = connection.transaction().map_err(classify)?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        let outcome = run_batch(&mut transaction, &job.batch);
        // A full disk or an I/O error makes SQLite undo the whole transaction, not this batch alone:
        // what ran before is gone, and what ran after would commit outside of it.
        if transaction.is_autocommit() {
            return Err(outcome.err().unwrap_or(DatabaseError::Closed));
        }
        outcomes.push(outcome);
    }
    transaction.commit().map_err(classify)?;
    Ok(outcomes)
}

fn answer(jobs: std::vec::Drain<'_, Job>, outcome: Result<Outcomes, DatabaseError>) {
    match outcome {
        Ok(outcomes) => {
            for (job, outcome) in jobs.zip(outcomes) {
                reply(job, outcome);
            }
        }
        Err(error) => {
            for job in jobs {
                reply(job, Err(failure_again(&error)));
            }
        }
    }
}

fn reply(job: Job, outcome: Result<Vec<u64>, DatabaseError>) {
    if job.done.send(outcome).is_err() {
        tracing::trace!("a caller left before its batch was committed");
    }
}

/// The commit failed for everyone who shared it.
fn failure_again(error: &DatabaseError) -> DatabaseError {
    match error {
        DatabaseError::DiskFull => DatabaseError::DiskFull,
        DatabaseError::Sqlite(rusqlite::Error::SqliteFailure(code, text)) => {
            DatabaseError::Sqlite(rusqlite::Error::SqliteFailure(*code, text.clone()))
        }
        other => DatabaseError::Sqlite(rusqlite::Error::ToSqlConversionFailure(other.to_string().into())),
    }
}

fn classify(error: rusqlite::Error) -> DatabaseError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => DatabaseError::DiskFull,
        _ => DatabaseError::Sqlite(error),
    }
}

/// Runs one batch inside a savepoint, so that its failure undoes only itself.
fn run_batch(transaction: &mut Transaction<'_>, batch: &Batch) -> Result<Vec<u64>, DatabaseError> {
    let savepoint = transaction.savepoint().map_err(classify)?;
    let mut changed = Vec::with_capacity(batch.0.len());
    for (position, statement) in batch.0.iter().enumerate() {
        let rows = execute(&savepoint, statement).map_err(classify)?;
        let rows = rows as u64;
        if statement.expected_rows.is_some_and(|expected| expected != rows) {
            return Err(DatabaseError::Unexpected {
                statement: position,
                rows,
            });
        }
        changed.push(rows);
    }
    savepoint.commit().map_err(classify)?;
    Ok(changed)
}

fn execute(connection: &Connection, statement: &Statement) -> Result<usize, rusqlite::Error> {
    let mut prepared = connection.prepare_cached(statement.sql)?;
    bind(&mut prepared, &statement.params)?;
    prepared.raw_execute()
}

/// Binds `$1`, `$2`, … by their numbers, as PostgreSQL does; SQLite itself would take them for
/// names and count them by first appearance.
fn bind(prepared: &mut rusqlite::Statement<'_>, params: &[SqlValue]) -> Result<(), rusqlite::Error> {
    let expected = prepared.parameter_count();
    if expected != params.len() {
        return Err(rusqlite::Error::InvalidParameterCount(params.len(), expected));
    }
    for (position, value) in params.iter().enumerate() {
        let name = format!("${}", position + 1);
        let index = prepared
            .parameter_index(&name)?
            .ok_or(rusqlite::Error::InvalidParameterName(name))?;
        prepared.raw_bind_parameter(index, value)?;
    }
    Ok(())
}

fn query(connection: &Connection, sql: &str, params: &[SqlValue]) -> Result<Vec<Row>, DatabaseError> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    bind(&mut statement, params)?;
    let mut rows = statement.raw_query();
    let mut answer = Vec::new();
    while let Some(row) = rows.next()? {
        answer.push(Row((0..columns)
            .map(|i| column(row, i))
            .collect::<Result<_, _>>()?));
    }
    Ok(answer)
}

fn column(row: &rusqlite::Row<'_>, position: usize) -> Result<SqlValue, DatabaseError> {
    use rusqlite::types::Value;
    Ok(match row.get::<_, Value>(position)? {
        Value::Null => SqlValue::Null,
        Value::Integer(value) => SqlValue::Integer(value),
        Value::Text(text) => SqlValue::Text(text),
        Value::Blob(bytes) => SqlValue::Blob(bytes),
        Value::Real(_) => {
            return Err(DatabaseError::Column {
                column: position,
                expected: "BIGINT",
            });
        }
    })
}

#[cfg(test)]
mod tests;
