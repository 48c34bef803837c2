//! What a node keeps: the database, SQLite in its data folder; on it the durable [`queue`]; and content
//! of any size as files: [`blobs`].
//!
//! Invariants:
//! - A [`Database::write`] that returned `Ok` survives `kill -9` and power loss: WAL with
//!   `synchronous=FULL`, one writer thread, and all batches that wait share one commit.
//! - A batch is all or nothing; a batch that fails leaves the others of its commit untouched.
//! - A data folder is open in one process at a time, and never with a schema newer than this binary's.
//!
//! Services own their tables and write SQL in the common subset (`$1` parameters, BIGINT, TEXT,
//! BLOB, JSON as TEXT, `ON CONFLICT`), so that the same statements can run on PostgreSQL.

pub mod blobs;
mod database;
mod folder;
mod migrate;
pub mod queue;
mod value;

pub use database::{Batch, Database, DatabaseError, PostgresUrl};
pub use folder::{DataFolder, OpenDataFolderError};
pub use migrate::{MigrateError, Migration};
pub use value::{Row, SqlValue};
