//! Moves: one step of each that is due, in one transaction.

use tradewind_model::Timestamp;
use uuid::Uuid;

use super::look_up::{self, Queue};
use super::send::take_sequences;
use super::{Result, group, small};
use crate::DatabaseError;
use crate::queue::model::{MessageId, QueueId};
use crate::queue::moves::{MoveId, MoveStatus, MoveTask};
use crate::queue::transaction::{Transaction, values};
use crate::queue::waiting::Wakes;
use crate::value::Row;

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
macro_rules! candidates {
    ($rest:literal) => {
        concat!(
            "SELECT sequence, death_source, message_group FROM queue_messages \
    WHERE queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, receives, sequence LIMIT ?3",
            $rest
        )
    };
}
const CANDIDATES: &str = candidates!("");
const FREE_CANDIDATES: &str = candidates!(" FOR UPDATE SKIP LOCKED");
const MOVE: &str = "UPDATE queue_messages SET sequence = ?2, queue = ?3, id = ?4, visible_at = ?5, sent_at = ?5, \
    receives = 0, receives_before = 0, first_received_at = ?5, death_source = NULL, death_reason = NULL \
    WHERE sequence = ?1";

pub(in crate::queue) fn is_running(tx: &Transaction<'_>, source: &QueueId) -> Result<bool> {
    Ok(!tx.query(RUNNING, &values![source.as_str()])?.is_empty())
}

pub(in crate::queue) fn ready(tx: &Transaction<'_>, queue: &Queue, now: Timestamp) -> Result<u64> {
    look_up::count(&tx.query(READY, &values![queue.number, now])?)
}

pub(in crate::queue) fn insert(tx: &Transaction<'_>, task: &MoveTask) -> Result<()> {
    let id = task.id.to_string();
    let values = values![
        &id,
        task.source.as_str(),
        task.destination.as_ref().map(QueueId::as_str),
        task.max_per_second,
        task.to_move.cast_signed(),
        task.started_at,
    ];
    tx.execute(INSERT, &values)?;
    Ok(())
}

pub(in crate::queue) fn list(tx: &Transaction<'_>, source: &QueueId, limit: u32) -> Result<Vec<MoveTask>> {
    tasks(tx.query(OF_QUEUE, &values![source.as_str(), limit])?)
}

/// The move as it stood before.
pub(in crate::queue) fn cancel(tx: &Transaction<'_>, id: MoveId) -> Result<Option<MoveTask>> {
    let id = id.to_string();
    let before = tasks(tx.query(BY_ID, &values![&id])?)?.pop();
    tx.execute(CANCEL, &values![&id])?;
    Ok(before)
}

/// One step of every move that is due; when the next is.
pub(in crate::queue) fn step(
    tx: &Transaction<'_>,
    wakes: &mut Wakes,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    for task in tasks(tx.query(DUE, &values![now])?)? {
        let (moved, status) = advance(tx, wakes, &task, now)?;
        progress(tx, &task, moved, &status, now)?;
    }
    let rows = tx.query(NEXT, &[])?;
    let next = rows.first().map_or(Ok(None), |row| row.optional_integer(0))?;
    Ok(next.map(Timestamp::from_millis))
}

fn progress(
    tx: &Transaction<'_>,
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
    let id = task.id.to_string();
    let next_at = now.plus_millis(pause);
    let moved = (task.moved + moved).cast_signed();
    tx.execute(PROGRESS, &values![&id, word(status), failure, moved, next_at])?;
    Ok(())
}

struct Candidate {
    sequence: i64,
    came_from: Option<String>,
    group: Option<String>,
}

/// Moves a piece; how many, and how the move stands then.
fn advance(
    tx: &Transaction<'_>,
    wakes: &mut Wakes,
    task: &MoveTask,
    now: Timestamp,
) -> Result<(u64, MoveStatus)> {
    let gone = |queue: &QueueId| MoveStatus::Failed {
        reason: format!("queue `{queue}` does not exist"),
    };
    let Some(source) = look_up::find(tx, &task.source)? else {
        return Ok((0, gone(&task.source)));
    };
    let candidates = candidates(tx, &source, task.max_per_second.unwrap_or(STEP), now)?;
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
        let Some(destination) = look_up::find(tx, &destination)? else {
            return Ok((moved, gone(&destination)));
        };
        if destination.settings.fifo != source.settings.fifo {
            let reason = format!("queue `{}` is of another kind, standard or FIFO", destination.id);
            return Ok((moved, MoveStatus::Failed { reason }));
        }
        move_one(tx, &source, &destination, &candidate, now)?;
        wakes.ready(&destination.id, 1);
        moved += 1;
    }
    Ok((moved, MoveStatus::Running))
}

fn candidates(tx: &Transaction<'_>, source: &Queue, limit: u32, now: Timestamp) -> Result<Vec<Candidate>> {
    let sql = if tx.is_postgres() {
        FREE_CANDIDATES
    } else {
        CANDIDATES
    };
    let rows = tx.query(sql, &values![source.number, now, limit])?;
    let candidate = |mut row: Row| {
        Ok(Candidate {
            sequence: row.integer(0)?,
            came_from: row.take_text(1)?,
            group: row.take_text(2)?,
        })
    };
    rows.into_iter().map(candidate).collect()
}

fn move_one(
    tx: &Transaction<'_>,
    source: &Queue,
    destination: &Queue,
    candidate: &Candidate,
    now: Timestamp,
) -> Result<()> {
    let id = MessageId::random();
    let sequences = take_sequences(tx, 1, now)?;
    let sequence = sequences.first().copied();
    let number = destination.number;
    tx.execute(
        MOVE,
        &values![candidate.sequence, sequence, number, id.0.as_bytes(), now],
    )?;
    let Some(group) = &candidate.group else {
        return Ok(());
    };
    if destination.settings.fifo {
        group::arrived(tx, destination.number, group, now)?;
    }
    if source.settings.fifo {
        group::refresh(tx, source.number, group, now)?;
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

fn tasks(rows: Vec<Row>) -> Result<Vec<MoveTask>> {
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<MoveTask> {
    let id: Uuid = row.text(0)?.parse().map_err(|_text| DatabaseError::Column {
        column: 0,
        expected: "move id",
    })?;
    let status = match row.text(4)? {
        "running" => MoveStatus::Running,
        "completed" => MoveStatus::Completed,
        "cancelled" => MoveStatus::Cancelled,
        _ => MoveStatus::Failed {
            reason: row.optional_text(5)?.unwrap_or_default().to_owned(),
        },
    };
    let max_per_second = row.optional_integer(3)?.map(|_| small(row, 3)).transpose()?;
    Ok(MoveTask {
        id: MoveId(id),
        source: QueueId::new(row.text(1)?),
        destination: row.optional_text(2)?.map(QueueId::new),
        max_per_second,
        status,
        moved: row.integer(6)?.cast_unsigned(),
        to_move: row.integer(7)?.cast_unsigned(),
        started_at: Timestamp::from_millis(row.integer(8)?),
    })
}
