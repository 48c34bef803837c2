//! The queues themselves.

use std::time::Duration;

use tradewind_model::Timestamp;

use super::{Result, send, small};
use crate::queue::model::{DeadLetter, DeduplicationScope, QueueId, QueueSettings};
use crate::queue::transaction::{Transaction, values};
use crate::value::Row;

/// A queue as it is now.
pub(in crate::queue) struct Queue {
    pub(in crate::queue) id: QueueId,
    pub(in crate::queue) number: i64,
    pub(in crate::queue) first_number: i64,
    pub(in crate::queue) settings: QueueSettings,
}

const FIND: &str = "SELECT number, fifo, content_based_deduplication, deduplicate_by_group, delay_ms, \
    retention_ms, dead_letter, max_receives, max_leased, first_number FROM queue_queues WHERE id = ?1";
const INSERT: &str = "INSERT INTO queue_queues (id, number, fifo, content_based_deduplication, \
    deduplicate_by_group, delay_ms, retention_ms, dead_letter, max_receives, max_leased, first_number) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?2) \
    ON CONFLICT (id) DO NOTHING";
const UPDATE: &str = "UPDATE queue_queues SET number = ?2, fifo = ?3, content_based_deduplication = ?4, \
    deduplicate_by_group = ?5, delay_ms = ?6, retention_ms = ?7, dead_letter = ?8, max_receives = ?9, \
    max_leased = ?10 WHERE id = ?1";
const LOCK: &str = "SELECT number FROM queue_queues WHERE id = ?1 FOR UPDATE";
/// Numbers are never used again: they grow with time, also when the highest are gone.
const HIGHEST_NUMBER: &str = "SELECT MAX(number) FROM (SELECT number FROM queue_queues \
    UNION ALL SELECT number FROM queue_swept) AS numbers";

/// The queue as it is. A FIFO queue is held until the end of the transaction.
pub(in crate::queue) fn find(tx: &Transaction<'_>, id: &QueueId) -> Result<Option<Queue>> {
    let found = read_one(tx, id)?;
    match found {
        Some(queue) if queue.settings.fifo && tx.is_postgres() => hold(tx, id),
        found => Ok(found),
    }
}

/// The queue, held until the end of the transaction: nobody else changes it, nor reads it to hold it.
pub(in crate::queue) fn hold(tx: &Transaction<'_>, id: &QueueId) -> Result<Option<Queue>> {
    if tx.is_postgres() {
        tx.query(LOCK, &values![id.as_str()])?;
    }
    read_one(tx, id)
}

fn read_one(tx: &Transaction<'_>, id: &QueueId) -> Result<Option<Queue>> {
    let rows = tx.query(FIND, &values![id.as_str()])?;
    rows.first().map(|row| read(id, row)).transpose()
}

fn read(id: &QueueId, row: &Row) -> Result<Queue> {
    let small = |column| match row.optional_integer(column)? {
        Some(_) => small(row, column).map(Some),
        None => Ok(None),
    };
    let dead_letter = row.optional_text(6)?.zip(small(7)?);
    let settings = QueueSettings {
        fifo: row.integer(1)? != 0,
        content_based_deduplication: row.integer(2)? != 0,
        deduplication_scope: match row.integer(3)? {
            0 => DeduplicationScope::Queue,
            _ => DeduplicationScope::Group,
        },
        delay: Duration::from_millis(row.integer(4)?.cast_unsigned()),
        retention: Duration::from_millis(row.integer(5)?.cast_unsigned()),
        dead_letter: dead_letter.map(|(queue, max_receives)| DeadLetter {
            queue: QueueId::new(queue),
            max_receives,
        }),
        max_leased: small(8)?,
    };
    Ok(Queue {
        id: id.clone(),
        number: row.integer(0)?,
        first_number: row.integer(9)?,
        settings,
    })
}

/// False: there is one.
pub(in crate::queue) fn create(
    tx: &Transaction<'_>,
    id: &QueueId,
    settings: &QueueSettings,
    now: Timestamp,
) -> Result<bool> {
    let number = next_number(tx, now)?;
    write(tx, INSERT, id, number, settings)
}

pub(in crate::queue) fn update(tx: &Transaction<'_>, queue: &Queue) -> Result<()> {
    write(tx, UPDATE, &queue.id, queue.number, &queue.settings).map(drop)
}

/// Empties the queue: it gets a new number, and the messages of the old one are swept away later.
pub(in crate::queue) fn purge(tx: &Transaction<'_>, mut queue: Queue, now: Timestamp) -> Result<()> {
    let old = queue.number;
    queue.number = next_number(tx, now)?;
    update(tx, &queue)?;
    sweep_later(tx, old)
}

pub(in crate::queue) fn delete(tx: &Transaction<'_>, queue: &Queue) -> Result<()> {
    let delete = "DELETE FROM queue_queues WHERE id = ?1";
    tx.execute(delete, &values![queue.id.as_str()])?;
    sweep_later(tx, queue.number)
}

fn sweep_later(tx: &Transaction<'_>, number: i64) -> Result<()> {
    tx.execute("INSERT INTO queue_swept (number) VALUES (?1)", &values![number])?;
    Ok(())
}

fn next_number(tx: &Transaction<'_>, now: Timestamp) -> Result<i64> {
    if tx.is_postgres() {
        let numbers = send::take_sequences(tx, 1, now)?;
        return numbers.first().copied().ok_or(crate::DatabaseError::Closed);
    }
    let rows = tx.query(HIGHEST_NUMBER, &[])?;
    let highest = rows.first().map_or(Ok(None), |row| row.optional_integer(0))?;
    Ok(now.as_millis().max(highest.unwrap_or(0) + 1))
}

/// Whether it was written.
fn write(
    tx: &Transaction<'_>,
    sql: &'static str,
    id: &QueueId,
    number: i64,
    settings: &QueueSettings,
) -> Result<bool> {
    let dead_letter = settings.dead_letter.as_ref();
    let values = values![
        id.as_str(),
        number,
        settings.fifo,
        settings.content_based_deduplication,
        settings.deduplication_scope == DeduplicationScope::Group,
        millis(settings.delay),
        millis(settings.retention),
        dead_letter.map(|dead| dead.queue.as_str()),
        dead_letter.map(|dead| dead.max_receives),
        settings.max_leased,
    ];
    Ok(tx.execute(sql, &values)? == 1)
}

/// A duration as the database holds it.
pub(in crate::queue) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

const NEXT_VISIBLE: &str = "SELECT MIN(visible_at) FROM queue_messages WHERE queue = ?1 AND visible_at > ?2";
const NEXT_GROUP: &str = "SELECT MIN(ready_at) FROM queue_groups WHERE queue = ?1 AND ready_at > ?2";

/// When the next message becomes ready by time.
pub(in crate::queue) fn next_due(
    tx: &Transaction<'_>,
    queue: &Queue,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let sql = if queue.settings.fifo {
        NEXT_GROUP
    } else {
        NEXT_VISIBLE
    };
    let rows = tx.query(sql, &values![queue.number, now])?;
    let at = rows.first().map_or(Ok(None), |row| row.optional_integer(0))?;
    Ok(at.map(Timestamp::from_millis))
}

const LEASED: &str =
    "SELECT COUNT(*) FROM queue_messages WHERE queue = ?1 AND visible_at > ?2 AND receives > 0";

pub(in crate::queue) fn leased(tx: &Transaction<'_>, queue: &Queue, now: Timestamp) -> Result<u64> {
    count(&tx.query(LEASED, &values![queue.number, now])?)
}

/// The one number of a `SELECT COUNT(*)`.
pub(super) fn count(rows: &[Row]) -> Result<u64> {
    rows.first()
        .map_or(Ok(0), |row| row.integer(0).map(i64::cast_unsigned))
}
