//! Why the database refused or failed.

use std::error::Error;
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
    #[error("the disk of the data folder is full, up to what is kept free so that things can be deleted")]
    DiskFull,
    /// The disk failed a read or a write; nothing was changed.
    #[error("the disk of the database failed: {detail}; nothing was changed")]
    Disk {
        /// SQLite's words.
        detail: String,
    },
    /// The disk did not confirm a write. What it holds of the file is unknown, and asking once more would be
    /// answered with a success that means nothing: so nothing is written until the file is opened anew.
    #[error("the disk did not confirm a write to the database ({detail}): the node must be started again")]
    Unsynced {
        /// SQLite's words.
        detail: String,
    },
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
    /// The database's address cannot be read.
    #[error("the database URL is not understood: {reason}")]
    Url {
        /// What is wrong; never a part of the URL, which holds the password.
        reason: &'static str,
    },
    /// No connection could be made.
    #[error("cannot reach PostgreSQL at {server}: {detail}")]
    Unreachable {
        /// Host, port and database.
        server: String,
        /// What the connection failed at.
        detail: String,
    },
    /// The server does not let this user in.
    #[error("PostgreSQL at {server} refuses user `{user}`: {detail}")]
    Denied {
        /// Host, port and database.
        server: String,
        /// Who asked.
        user: String,
        /// The server's words.
        detail: String,
    },
    /// The server has no such database.
    #[error("PostgreSQL at {server} has no such database: {detail}")]
    NoSuchDatabase {
        /// Host, port and database.
        server: String,
        /// The server's words.
        detail: String,
    },
    /// The server is too old.
    #[error("PostgreSQL at {server} is version {version}; tradewind needs 15 or newer")]
    TooOld {
        /// Host, port and database.
        server: String,
        /// What it says of itself.
        version: String,
    },
    /// Another node uses it.
    #[error("the database {server} is in use by another tradewind ({holder})")]
    InUse {
        /// Host, port and database.
        server: String,
        /// Host and process of the other node.
        holder: String,
    },
    /// Another node has taken the database over: this one must not write any more.
    #[error("another tradewind has taken the database over; this node no longer writes to it")]
    Superseded,
    /// Others kept changing the same rows; nothing was changed.
    #[error("the write met others on the same rows again and again and was given up; it may be retried")]
    Contended,
    /// The connection broke before anything was committed; nothing was changed.
    #[error("the connection to the database broke: {detail}; nothing was changed")]
    Disconnected {
        /// What broke.
        detail: String,
    },
    /// The connection broke while a commit was under way.
    #[error(
        "the connection to the database broke during a commit: {detail}; the write may have happened or not"
    )]
    Uncertain {
        /// What broke.
        detail: String,
    },
    /// Any other failure of PostgreSQL.
    #[error("database error {code}: {message}")]
    Postgres {
        /// Its SQLSTATE, or `-` where the client itself refused.
        code: String,
        /// Its words.
        message: String,
    },
    /// The writer is gone: the node is stopping.
    #[error("the database is closed")]
    Closed,
}

impl DatabaseError {
    /// The same once more, for everyone who shared a commit that failed.
    pub(super) fn again(&self) -> Self {
        match self {
            Self::DiskFull => Self::DiskFull,
            Self::Closed => Self::Closed,
            Self::Disk { detail } => Self::Disk {
                detail: detail.clone(),
            },
            Self::Unsynced { detail } => Self::Unsynced {
                detail: detail.clone(),
            },
            Self::Superseded => Self::Superseded,
            Self::Contended => Self::Contended,
            Self::Disconnected { detail } => Self::Disconnected {
                detail: detail.clone(),
            },
            Self::Uncertain { detail } => Self::Uncertain {
                detail: detail.clone(),
            },
            Self::Postgres { code, message } => Self::Postgres {
                code: code.clone(),
                message: message.clone(),
            },
            Self::Sqlite(rusqlite::Error::SqliteFailure(code, text)) => {
                Self::Sqlite(rusqlite::Error::SqliteFailure(*code, text.clone()))
            }
            other => Self::Sqlite(rusqlite::Error::ToSqlConversionFailure(other.to_string().into())),
        }
    }
}

impl From<tokio_postgres::Error> for DatabaseError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(server) = error.as_db_error() else {
            let message = causes(&error);
            return if error.is_closed() || is_broken(&error) {
                Self::Disconnected { detail: message }
            } else {
                Self::Postgres {
                    code: "-".into(),
                    message,
                }
            };
        };
        match server.code().code() {
            "40001" | "40P01" => Self::Contended,
            "53100" => Self::DiskFull,
            code if code.starts_with("57P") || code.starts_with("08") => Self::Disconnected {
                detail: server.message().into(),
            },
            code => Self::Postgres {
                code: code.into(),
                message: server.message().into(),
            },
        }
    }
}

fn is_broken(error: &tokio_postgres::Error) -> bool {
    error.source().is_some_and(|cause| cause.is::<std::io::Error>())
}

/// The error and what caused it, in one line.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

impl DatabaseError {
    /// What a disk that is full or fails did; none for errors that are not of the disk.
    pub(super) fn of_disk(error: &rusqlite::Error) -> Option<Self> {
        use rusqlite::ErrorCode::{DiskFull, SystemIoFailure};
        use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC, SQLITE_IOERR_SHMSIZE};
        let code = error.sqlite_error()?;
        let detail = error.to_string();
        match (code.code, code.extended_code) {
            // the index of the log lies in a file, too
            (DiskFull, _) | (_, SQLITE_IOERR_SHMSIZE) => Some(Self::DiskFull),
            (_, SQLITE_IOERR_FSYNC | SQLITE_IOERR_DIR_FSYNC) => Some(Self::Unsynced { detail }),
            (SystemIoFailure, _) => Some(Self::Disk { detail }),
            (_, _) => None,
        }
    }
}

impl From<rusqlite::Error> for DatabaseError {
    fn from(error: rusqlite::Error) -> Self {
        Self::of_disk(&error).unwrap_or(Self::Sqlite(error))
    }
}
