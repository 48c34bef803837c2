//! Message groups of FIFO queues: `queue_groups.ready_at` says from when on the next message of a group
//! may be received.
//!
//! Only the oldest messages of a group are ever leased, and at most [`LEASED_OF_A_GROUP`] of them, so the
//! first few say it all: the group waits for the latest lease among them, else for its first message.

use tradewind_model::Timestamp;

use super::Result;
use crate::queue::transaction::{Transaction, values};

/// Messages of one group that one receive may lease.
pub(super) const LEASED_OF_A_GROUP: usize = 10;

const ARRIVED: &str = "INSERT INTO queue_groups (queue, message_group, ready_at) VALUES (?1, ?2, ?3) \
    ON CONFLICT (queue, message_group) DO NOTHING";
const READY_AT: &str = "SELECT MAX(visible_at) FROM (SELECT visible_at, receives, \
        ROW_NUMBER() OVER (ORDER BY sequence) AS place FROM \
        (SELECT visible_at, receives, sequence FROM queue_messages \
        WHERE fifo = 1 AND queue = ?1 AND message_group = ?2 ORDER BY sequence LIMIT 10) AS first) AS placed \
    WHERE place = 1 OR receives > 0";
const MOVE: &str = "UPDATE queue_groups SET ready_at = ?3 WHERE queue = ?1 AND message_group = ?2";
const EMPTY: &str = "DELETE FROM queue_groups WHERE queue = ?1 AND message_group = ?2";
const READY: &str = "SELECT message_group FROM queue_groups WHERE queue = ?1 AND ready_at <= ?2 \
    ORDER BY ready_at LIMIT ?3";

/// A message came to the group.
pub(super) fn arrived(tx: &Transaction<'_>, queue: i64, group: &str, visible_at: Timestamp) -> Result<()> {
    tx.execute(ARRIVED, &values![queue, group, visible_at])?;
    Ok(())
}

/// The groups whose turn it is: those that have been ready for longest.
pub(super) fn ready(tx: &Transaction<'_>, queue: i64, limit: i64, now: Timestamp) -> Result<Vec<String>> {
    let groups = tx.query(READY, &values![queue, now, limit])?;
    groups.iter().map(|row| row.text(0).map(str::to_owned)).collect()
}

/// Messages of the group changed: from when on it is ready; `None` if it is empty. A group that is ready
/// queues up behind those that were before.
pub(super) fn refresh(
    tx: &Transaction<'_>,
    queue: i64,
    group: &str,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let rows = tx.query(READY_AT, &values![queue, group])?;
    let ready_at = rows.first().map_or(Ok(None), |row| row.optional_integer(0))?;
    let Some(ready_at) = ready_at else {
        tx.execute(EMPTY, &values![queue, group])?;
        return Ok(None);
    };
    let ready_at = Timestamp::from_millis(ready_at).max(now);
    tx.execute(MOVE, &values![queue, group, ready_at])?;
    Ok(Some(ready_at))
}
