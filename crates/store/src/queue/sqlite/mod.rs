//! The queue on SQLite: every operation is a function on the writer's connection, inside the transaction
//! that all who wait share.

pub(super) mod group;
pub(super) mod keep;
pub(super) mod look_up;
pub(super) mod moves;
pub(super) mod receive;
pub(super) mod send;
pub(super) mod settle;

use rusqlite::{Connection, Params};

use crate::DatabaseError;

type Result<T> = std::result::Result<T, DatabaseError>;

/// Runs a statement that gives no rows; how many rows it changed.
fn execute(connection: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    let changed = connection.prepare_cached(sql)?.execute(params)?;
    Ok(changed)
}
