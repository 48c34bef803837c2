//! Housekeeping: what is past its time goes, a bounded piece at a time.

use tradewind_model::Timestamp;

use super::Result;
use crate::queue::transaction::{Transaction, values};

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
pub(in crate::queue) fn sweep(tx: &Transaction<'_>) -> Result<bool> {
    let rows = tx.query("SELECT number FROM queue_swept LIMIT 1", &[])?;
    let Some(row) = rows.first() else {
        return Ok(false);
    };
    let number = row.integer(0)?;
    let mut swept = 0;
    for sql in SWEEP {
        swept += tx.execute(sql, &values![number, PIECE])?;
    }
    if swept == 0 {
        tx.execute("DELETE FROM queue_swept WHERE number = ?1", &values![number])?;
    }
    Ok(true)
}

/// Deletes a piece of each queue's messages that are past their retention, and of the deduplication ids
/// whose window is over; true if there may be more.
pub(in crate::queue) fn expire(tx: &Transaction<'_>, now: Timestamp) -> Result<bool> {
    let full = PIECE.cast_unsigned();
    let mut more = tx.execute(FORGET, &values![now, PIECE])? == full;
    for queue in tx.query("SELECT number, retention_ms FROM queue_queues", &[])? {
        let latest = now.plus_millis(-queue.integer(1)?);
        more |= tx.execute(EXPIRE, &values![queue.integer(0)?, latest, PIECE])? == full;
    }
    Ok(more)
}
