//! Moves: one step of each that is due, in one transaction.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use tradewind_model::Timestamp;
use uuid::Uuid;

use super::look_up::{self, Queue};
use super::send::take_sequences;
use super::{Result, execute, group};
use crate::queue::model::{MessageId, QueueId};
use crate::queue::moves::{MoveId, MoveStatus, MoveTask};
use crate::queue::waiting::WaitingRoom;

/// Messages one step moves at most.
const STEP: u32 = 200;
/// With a limit, steps are this far apart, and each moves what the limit allows for that time.
const PACE_MS: i64 = 1_000;

macro_rules! tasks {
    ($rest:literal) => {
        concat!(
            "SELECT id, source, destination, max_per_second, status, failure, moved, to_move, started_at \
             FROM queue_moves WHERE ",
            $rest
        )
    };
}
const OF_QUEUE: &str = tasks!("source = ?1 ORDER BY started_at DESC, id LIMIT ?2");
const BY_ID: &str = tasks!("id = ?1");
const DUE: &str = tasks!("status = 'running' AND next_at <= ?1");
const NEXT: &str = "SELECT MIN(next_at) FROM queue_moves WHERE status = 'running'";
const RUNNING: &str = "SELECT 1 FROM queue_moves WHERE source = ?1 AND status = 'running'";
const INSERT: &str = "INSERT INTO queue_moves \
    (id, source, destination, max_per_second, status, moved, to_move, started_at, next_at) \
    VALUES (?1, ?2, ?3, ?4, 'running', 0, ?5, ?6, ?6)";
const PROGRESS: &str =
    "UPDATE queue_moves SET status = ?2, failure = ?3, moved = ?4, next_at = ?5 WHERE id = ?1";
const CANCEL: &str = "UPDATE queue_moves SET status = 'cancelled' WHERE id = ?1 AND status = 'running'";
const READY: &str = "SELECT COUNT(*) FROM queue_messages WHERE queue = ?1 AND visible_at <= ?2";
const CANDIDATES: &str = "SELECT sequence, death_source, message_group FROM queue_messages \
    WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, receives, sequence LIMIT ?3";
const MOVE: &str = "UPDATE queue_messages SET sequence = ?2, queue = ?3, id = ?4, visible_at = ?5, sent_at = ?5, \
    receives = 0, receives_before = 0, first_received_at = NULL, death_source = NULL, death_reason = NULL \
    WHERE sequence = ?1";

pub(in crate::queue) fn is_running(connection: &Connection, source: &QueueId) -> Result<bool> {
    Ok(connection.prepare_cached(RUNNING)?.exists([source.as_str()])?)
}

pub(in crate::queue) fn ready(connection: &Connection, queue: &Queue, now: Timestamp) -> Result<u64> {
    let mut statement = connection.prepare_cached(READY)?;
    let count: i64 = statement.query_row([queue.number, now.as_millis()], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

pub(in crate::queue) fn insert(connection: &Connection, task: &MoveTask) -> Result<()> {
    let params = params![
        task.id.to_string(),
        task.source.as_str(),
        task.destination.as_ref().map(QueueId::as_str),
        task.max_per_second,
        task.to_move.cast_signed(),
        task.started_at.as_millis(),
    ];
    execute(connection, INSERT, params)?;
    Ok(())
}

pub(in crate::queue) fn list(connection: &Connection, source: &QueueId, limit: u32) -> Result<Vec<MoveTask>> {
    let mut statement = connection.prepare_cached(OF_QUEUE)?;
    let tasks = statement.query_map(params![source.as_str(), limit], read)?;
    Ok(tasks.collect::<rusqlite::Result<_>>()?)
}

/// The move as it stood before.
pub(in crate::queue) fn cancel(connection: &Connection, id: MoveId) -> Result<Option<MoveTask>> {
    let id = id.to_string();
    let task = connection
        .prepare_cached(BY_ID)?
        .query_row([&id], read)
        .optional()?;
    execute(connection, CANCEL, [&id])?;
    Ok(task)
}

/// One step of every move that is due; when the next is.
pub(in crate::queue) fn step(
    connection: &Connection,
    room: &WaitingRoom,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let mut statement = connection.prepare_cached(DUE)?;
    let tasks = statement.query_map([now.as_millis()], read)?;
    for task in tasks.collect::<rusqlite::Result<Vec<_>>>()? {
        let (moved, status) = advance(connection, room, &task, now)?;
        progress(connection, &task, moved, &status, now)?;
    }
    let next: Option<i64> = connection.prepare_cached(NEXT)?.query_row([], |row| row.get(0))?;
    Ok(next.map(Timestamp::from_millis))
}

fn progress(
    connection: &Connection,
    task: &MoveTask,
    moved: u64,
    status: &MoveStatus,
    now: Timestamp,
) -> Result<()> {
    let failure = match status {
        MoveStatus::Failed { reason } => Some(reason),
        MoveStatus::Running | MoveStatus::Completed | MoveStatus::Cancelled => None,
    };
    let pause = task.max_per_second.map_or(0, |_limit| PACE_MS);
    let params = params![
        task.id.to_string(),
        word(status),
        failure,
        (task.moved + moved).cast_signed(),
        now.plus_millis(pause).as_millis(),
    ];
    execute(connection, PROGRESS, params)?;
    Ok(())
}

struct Candidate {
    sequence: i64,
    came_from: Option<String>,
    group: Option<String>,
}

/// Moves a piece; how many, and how the move stands then.
fn advance(
    connection: &Connection,
    room: &WaitingRoom,
    task: &MoveTask,
    now: Timestamp,
) -> Result<(u64, MoveStatus)> {
    let gone = |queue: &QueueId| MoveStatus::Failed {
        reason: format!("queue `{queue}` does not exist"),
    };
    let Some(source) = look_up::find(connection, &task.source)? else {
        return Ok((0, gone(&task.source)));
    };
    let candidates = candidates(connection, &source, task.max_per_second.unwrap_or(STEP), now)?;
    if candidates.is_empty() {
        return Ok((0, MoveStatus::Completed));
    }
    let mut moved = 0;
    for candidate in candidates {
        let came_from = || candidate.came_from.as_deref().map(QueueId::new);
        let Some(destination) = task.destination.clone().or_else(came_from) else {
            let reason = "a message came from no other queue, and the move names no destination".into();
            return Ok((moved, MoveStatus::Failed { reason }));
        };
        let Some(destination) = look_up::find(connection, &destination)? else {
            return Ok((moved, gone(&destination)));
        };
        if destination.settings.fifo != source.settings.fifo {
            let reason = format!("queue `{}` is of another kind, standard or FIFO", destination.id);
            return Ok((moved, MoveStatus::Failed { reason }));
        }
        move_one(connection, &source, &destination, &candidate, now)?;
        room.ready(&destination.id, 1);
        moved += 1;
    }
    Ok((moved, MoveStatus::Running))
}

fn candidates(connection: &Connection, source: &Queue, limit: u32, now: Timestamp) -> Result<Vec<Candidate>> {
    let mut statement = connection.prepare_cached(CANDIDATES)?;
    let candidates = statement.query_map(params![source.number, now.as_millis(), limit], |row| {
        Ok(Candidate {
            sequence: row.get(0)?,
            came_from: row.get(1)?,
            group: row.get(2)?,
        })
    })?;
    Ok(candidates.collect::<rusqlite::Result<_>>()?)
}

fn move_one(
    connection: &Connection,
    source: &Queue,
    destination: &Queue,
    candidate: &Candidate,
    now: Timestamp,
) -> Result<()> {
    let id = MessageId::random();
    let params = params![
        candidate.sequence,
        take_sequences(connection, 1, now)?,
        destination.number,
        id.0.as_bytes(),
        now.as_millis(),
    ];
    execute(connection, MOVE, params)?;
    let Some(group) = &candidate.group else {
        return Ok(());
    };
    if destination.settings.fifo {
        group::arrived(connection, destination.number, group, now)?;
    }
    if source.settings.fifo {
        group::refresh(connection, source.number, group, now)?;
    }
    Ok(())
}

fn word(status: &MoveStatus) -> &'static str {
    match status {
        MoveStatus::Running => "running",
        MoveStatus::Completed => "completed",
        MoveStatus::Cancelled => "cancelled",
        MoveStatus::Failed { .. } => "failed",
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<MoveTask> {
    let id: String = row.get(0)?;
    let source: String = row.get(1)?;
    let destination: Option<String> = row.get(2)?;
    let status: String = row.get(4)?;
    let failure: Option<String> = row.get(5)?;
    let status = match status.as_str() {
        "running" => MoveStatus::Running,
        "completed" => MoveStatus::Completed,
        "cancelled" => MoveStatus::Cancelled,
        _ => MoveStatus::Failed {
            reason: failure.unwrap_or_default(),
        },
    };
    let id: Uuid = id.parse().map_err(|error: uuid::Error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(MoveTask {
        id: MoveId(id),
        source: QueueId::new(&source),
        destination: destination.as_deref().map(QueueId::new),
        max_per_second: row.get(3)?,
        status,
        moved: row.get::<_, i64>(6)?.cast_unsigned(),
        to_move: row.get::<_, i64>(7)?.cast_unsigned(),
        started_at: Timestamp::from_millis(row.get(8)?),
    })
}
