//! The queues themselves.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, Row};
use tradewind_model::Timestamp;

use super::{Result, execute};
use crate::queue::model::{DeadLetter, DeduplicationScope, QueueId, QueueSettings};

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
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?2)";
const UPDATE: &str = "UPDATE queue_queues SET number = ?2, fifo = ?3, content_based_deduplication = ?4, \
    deduplicate_by_group = ?5, delay_ms = ?6, retention_ms = ?7, dead_letter = ?8, max_receives = ?9, \
    max_leased = ?10 WHERE id = ?1";
/// Numbers are never used again: they grow with time, also when the highest are gone.
const NEXT_NUMBER: &str = "SELECT MAX(?1, 1 + MAX((SELECT COALESCE(MAX(number), 0) FROM queue_queues), \
    (SELECT COALESCE(MAX(number), 0) FROM queue_swept)))";

pub(in crate::queue) fn find(connection: &Connection, id: &QueueId) -> Result<Option<Queue>> {
    let mut statement = connection.prepare_cached(FIND)?;
    let queue = statement.query_row([id.as_str()], |row| read(id, row));
    Ok(queue.optional()?)
}

fn read(id: &QueueId, row: &Row<'_>) -> rusqlite::Result<Queue> {
    let dead_letter: Option<String> = row.get(6)?;
    let max_receives: Option<u32> = row.get(7)?;
    let by_group: bool = row.get(3)?;
    let settings = QueueSettings {
        fifo: row.get(1)?,
        content_based_deduplication: row.get(2)?,
        deduplication_scope: if by_group {
            DeduplicationScope::Group
        } else {
            DeduplicationScope::Queue
        },
        delay: Duration::from_millis(row.get::<_, i64>(4)?.cast_unsigned()),
        retention: Duration::from_millis(row.get::<_, i64>(5)?.cast_unsigned()),
        dead_letter: dead_letter
            .zip(max_receives)
            .map(|(queue, max_receives)| DeadLetter {
                queue: QueueId::new(&queue),
                max_receives,
            }),
        max_leased: row.get(8)?,
    };
    Ok(Queue {
        id: id.clone(),
        number: row.get(0)?,
        first_number: row.get(9)?,
        settings,
    })
}

/// False: there is one.
pub(in crate::queue) fn create(
    connection: &Connection,
    id: &QueueId,
    settings: &QueueSettings,
    now: Timestamp,
) -> Result<bool> {
    if find(connection, id)?.is_some() {
        return Ok(false);
    }
    let number = next_number(connection, now)?;
    write(connection, INSERT, id, number, settings)?;
    Ok(true)
}

pub(in crate::queue) fn update(connection: &Connection, queue: &Queue) -> Result<()> {
    write(connection, UPDATE, &queue.id, queue.number, &queue.settings)
}

/// Empties the queue: it gets a new number, and the messages of the old one are swept away later.
pub(in crate::queue) fn purge(connection: &Connection, mut queue: Queue, now: Timestamp) -> Result<()> {
    let old = queue.number;
    queue.number = next_number(connection, now)?;
    update(connection, &queue)?;
    sweep_later(connection, old)
}

pub(in crate::queue) fn delete(connection: &Connection, queue: &Queue) -> Result<()> {
    execute(
        connection,
        "DELETE FROM queue_queues WHERE id = ?1",
        [queue.id.as_str()],
    )?;
    sweep_later(connection, queue.number)
}

fn sweep_later(connection: &Connection, number: i64) -> Result<()> {
    execute(
        connection,
        "INSERT INTO queue_swept (number) VALUES (?1)",
        [number],
    )?;
    Ok(())
}

fn next_number(connection: &Connection, now: Timestamp) -> Result<i64> {
    let mut statement = connection.prepare_cached(NEXT_NUMBER)?;
    Ok(statement.query_row([now.as_millis()], |row| row.get(0))?)
}

fn write(
    connection: &Connection,
    sql: &str,
    id: &QueueId,
    number: i64,
    settings: &QueueSettings,
) -> Result<()> {
    let dead_letter = settings.dead_letter.as_ref();
    let params = rusqlite::params![
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
    execute(connection, sql, params)?;
    Ok(())
}

/// A duration as the database holds it.
pub(in crate::queue) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

const NEXT_VISIBLE: &str = "SELECT MIN(visible_at) FROM queue_messages WHERE queue = ?1 AND visible_at > ?2";
const NEXT_GROUP: &str = "SELECT MIN(ready_at) FROM queue_groups WHERE queue = ?1 AND ready_at > ?2";

/// When the next message becomes ready by time.
pub(in crate::queue) fn next_due(
    connection: &Connection,
    queue: &Queue,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let sql = if queue.settings.fifo {
        NEXT_GROUP
    } else {
        NEXT_VISIBLE
    };
    let mut statement = connection.prepare_cached(sql)?;
    let at: Option<i64> = statement.query_row([queue.number, now.as_millis()], |row| row.get(0))?;
    Ok(at.map(Timestamp::from_millis))
}

const LEASED: &str =
    "SELECT COUNT(*) FROM queue_messages WHERE queue = ?1 AND visible_at > ?2 AND receives > 0";

pub(in crate::queue) fn leased(connection: &Connection, queue: &Queue, now: Timestamp) -> Result<u64> {
    let mut statement = connection.prepare_cached(LEASED)?;
    let leased: i64 = statement.query_row([queue.number, now.as_millis()], |row| row.get(0))?;
    Ok(leased.cast_unsigned())
}
