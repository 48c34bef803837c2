//! The handle of the database: what every service writes to and reads from.

mod batch;
mod error;
mod postgres;
mod sqlite;
mod testing;

use std::path::Path;
use std::sync::Arc;

pub use self::batch::Batch;
pub use self::error::DatabaseError;
use self::postgres::Postgres;
pub(crate) use self::postgres::{Parameter, Session};
use self::sqlite::Sqlite;
pub(crate) use self::sqlite::query_positional as query;
use crate::migrate::Migration;
use crate::value::{Row, SqlValue};

/// What is kept free on the disk of a database file, in bytes: messages are received and objects are deleted
/// on a full disk, too, and that takes space first.
pub(crate) const RESERVE: u64 = 64 * 1024 * 1024;

/// The database of this node. Clones are handles to the same one.
#[derive(Clone)]
pub struct Database {
    backend: Backend,
}

/// The address of a PostgreSQL database: `postgres://user:password@host:5432/name`, with the options that
/// tokio-postgres knows and `sslrootcert`, a file with the authorities to trust. It is read when the
/// database is opened, and never printed: it holds the password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(String);

impl PostgresUrl {
    /// Any text; [`Database::open_postgres`] says what is wrong with it.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresUrl(..)")
    }
}

/// Where the rows are. Most code asks [`Database`]; what must be fast is written once for each.
#[derive(Clone)]
pub(crate) enum Backend {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Database {
    /// Opens (or makes) the database file, checks it and migrates its schema.
    ///
    /// # Errors
    /// When the file cannot be opened, is damaged, or has a newer schema.
    pub fn open(path: &Path, migrations: &[&[Migration]]) -> Result<Self, DatabaseError> {
        Ok(Self::of(Sqlite::open(path, migrations)?))
    }

    /// Connects to a PostgreSQL server, takes the database for this node and migrates its schema.
    ///
    /// # Errors
    /// When the server cannot be reached or used, another node uses the database, or its schema is newer.
    pub async fn open_postgres(
        url: &PostgresUrl,
        migrations: &[&[Migration]],
    ) -> Result<Self, DatabaseError> {
        let postgres = Postgres::open(&url.0, migrations).await?;
        Ok(Self {
            backend: Backend::Postgres(Arc::new(postgres)),
        })
    }

    /// A database that lives and dies with its handles, for tests of services: in memory, or on the
    /// server of `TRADEWIND_TEST_POSTGRES` where `TRADEWIND_TEST_BACKEND` is `postgres`.
    ///
    /// # Panics
    /// When the migrations do not apply.
    #[must_use]
    pub fn in_memory_for_tests(migrations: &[&[Migration]]) -> Self {
        testing::on_the_server(migrations).unwrap_or_else(|| Self::of(Sqlite::in_memory(migrations)))
    }

    fn of(sqlite: Sqlite) -> Self {
        Self {
            backend: Backend::Sqlite(Arc::new(sqlite)),
        }
    }

    /// For statements that each backend has its own form of.
    pub(crate) fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Runs the batch in one transaction; on `Ok` it is on disk. Gives the rows each statement changed.
    ///
    /// # Errors
    /// When a statement fails or the disk is full: then nothing of the batch happened.
    ///
    /// # Cancel safety
    /// Once polled, the batch runs to its end even if this future is dropped.
    pub async fn write(&self, batch: Batch) -> Result<Vec<u64>, DatabaseError> {
        if batch.grows {
            self.room()?;
        }
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.write(batch).await,
            Backend::Postgres(postgres) => postgres.write(batch).await,
        }
    }

    /// Whether what is stored may grow: at least [`RESERVE`] bytes are free. Of its disk a server takes care
    /// itself.
    ///
    /// # Errors
    /// [`DatabaseError::DiskFull`].
    pub(crate) fn room(&self) -> Result<(), DatabaseError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.room(),
            Backend::Postgres(_) => Ok(()),
        }
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
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.read(sql, params).await,
            Backend::Postgres(postgres) => postgres.read(sql, params).await,
        }
    }
}

impl Database {
    /// Waits until the disk does not confirm a write of the data folder's database, and says so. Nothing is
    /// written from then on: who runs the node ends it. Never returns where the rows are on a server.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn failure(&self) -> DatabaseError {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.failure().await,
            Backend::Postgres(_) => std::future::pending().await,
        }
    }

    /// Returns when not a byte of what was deleted before is in the data folder's database: neither in its
    /// pages nor in its log. Without being asked that happens within seconds. False where the rows are on a
    /// server: what that keeps of deleted rows, and for how long, is its own affair.
    ///
    /// # Errors
    /// When the log cannot be emptied: the disk fails, or too many ask at once.
    ///
    /// # Cancel safety
    /// Cancel-safe.
    pub async fn scrub(&self) -> Result<bool, DatabaseError> {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.scrub().await.map(|()| true),
            Backend::Postgres(_) => Ok(false),
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
