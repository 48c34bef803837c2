//! What the operations do to the rows: functions inside a transaction, the same on both databases.
//!
//! On SQLite transactions happen one after the other. On PostgreSQL they overlap: whoever touches a FIFO
//! queue holds its row ([`look_up::find`]) and so works alone; standard queues pass over messages that
//! others hold (`SKIP LOCKED`).

pub(super) mod group;
pub(super) mod keep;
pub(super) mod look_up;
pub(super) mod moves;
pub(super) mod receive;
pub(super) mod send;
pub(super) mod settle;

pub use send::content_hash;

use crate::DatabaseError;
use crate::queue::model::MessageId;
use crate::value::Row;

type Result<T> = std::result::Result<T, DatabaseError>;

/// A column that counts something small.
fn small(row: &Row, column: usize) -> Result<u32> {
    u32::try_from(row.integer(column)?).map_err(|_range| DatabaseError::Column {
        column,
        expected: "small count",
    })
}

fn message_id(row: &Row, column: usize) -> Result<MessageId> {
    let id = uuid::Uuid::from_slice(row.blob(column)?);
    id.map(MessageId).map_err(|_length| DatabaseError::Column {
        column,
        expected: "message id",
    })
}
