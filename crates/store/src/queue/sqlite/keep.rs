//! Housekeeping: what is past its time goes, a bounded piece at a time.

use rusqlite::Connection;
use tradewind_model::Timestamp;

use super::{Result, execute};

/// Rows one step deletes at most, so that it holds up nobody for long.
const PIECE: i64 = 1_000;

const SWEEP: &[&str] = &[
    "DELETE FROM queue_messages WHERE sequence IN \
        (SELECT sequence FROM queue_messages WHERE queue = ?1 LIMIT ?2)",
    "DELETE FROM queue_groups WHERE (queue, message_group) IN \
        (SELECT queue, message_group FROM queue_groups WHERE queue = ?1 LIMIT ?2)",
];
/// A message is never visible before it was sent, so the index on visibility finds the old ones, too.
/// Those that came back late are dropped when somebody receives them.
const EXPIRE: &str = "DELETE FROM queue_messages WHERE sequence IN \
    (SELECT sequence FROM queue_messages WHERE queue = ?1 AND visible_at <= ?2 LIMIT ?3)";
const FORGET: &str = "DELETE FROM queue_deduplication WHERE (queue, scope, id) IN \
    (SELECT queue, scope, id FROM queue_deduplication WHERE expires_at <= ?1 LIMIT ?2)";

/// Deletes a piece of what purged and deleted queues left; true if there may be more.
pub(in crate::queue) fn sweep(connection: &Connection) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT number FROM queue_swept LIMIT 1")?;
    let numbers: Vec<i64> = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for number in &numbers {
        let mut swept = 0;
        for sql in SWEEP {
            swept += execute(connection, sql, [*number, PIECE])?;
        }
        if swept == 0 {
            execute(connection, "DELETE FROM queue_swept WHERE number = ?1", [number])?;
        }
    }
    Ok(!numbers.is_empty())
}

/// Deletes a piece of each queue's messages that are past their retention, and of the deduplication ids
/// whose window is over; true if there may be more.
pub(in crate::queue) fn expire(connection: &Connection, now: Timestamp) -> Result<bool> {
    let full = usize::try_from(PIECE).unwrap_or(usize::MAX);
    let mut more = execute(connection, FORGET, [now.as_millis(), PIECE])? == full;
    let mut statement = connection.prepare_cached("SELECT number, retention_ms FROM queue_queues")?;
    let mut queues = statement.query([])?;
    while let Some(row) = queues.next()? {
        let (number, retention): (i64, i64) = (row.get(0)?, row.get(1)?);
        let latest = now.plus_millis(-retention).as_millis();
        more |= execute(connection, EXPIRE, [number, latest, PIECE])? == full;
    }
    Ok(more)
}
