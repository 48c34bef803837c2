//! Why the database refused or failed.

use std::path::PathBuf;

use crate::migrate::MigrateError;

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
    Sqlite(#[source] rusqlite::Error),
    /// The writer is gone: the node is stopping.
    #[error("the database is closed")]
    Closed,
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Sqlite(error),
        }
    }
}
