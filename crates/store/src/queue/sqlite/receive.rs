//! Receiving: leases what is ready, and on the way drops what is too old and moves what was received too
//! often.

use std::time::Duration;

use rusqlite::{Connection, Row, params};
use tradewind_model::Timestamp;
use uuid::Uuid;

use super::look_up::{self, Queue, millis};
use super::{Result, execute, group};
use crate::queue::model::{Death, MessageId, QueueId, Receipt, Received};

/// Messages one receive drops or moves at most, so that it holds up nobody for long.
const BURIED: usize = 1_000;

macro_rules! candidates {
    ($rest:literal) => {
        concat!(
            "SELECT sequence, visible_at, receives, receives_before, sent_at, first_received_at, id, \
             message_group, deduplication_id, death_source, death_reason, attributes, body \
             FROM queue_messages WHERE ",
            $rest
        )
    };
}
const READY: &str =
    candidates!("queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, receives, sequence LIMIT ?3");
const OF_GROUP: &str =
    candidates!("fifo = 1 AND queue = ?1 AND message_group = ?2 ORDER BY sequence LIMIT ?3");
const LEASE: &str = "UPDATE queue_messages SET visible_at = ?2, receives = ?3, first_received_at = ?4 \
    WHERE sequence = ?1";
const DROP: &str = "DELETE FROM queue_messages WHERE sequence = ?1";
const BURY: &str = "UPDATE queue_messages SET queue = ?2, visible_at = ?3, receives_before = receives, \
    death_source = ?4, death_reason = ?5 WHERE sequence = ?1";

/// What one look found.
pub(in crate::queue) struct Found {
    pub(in crate::queue) messages: Vec<Received>,
    /// The dead-letter queue, and how many came to it.
    pub(in crate::queue) buried: Option<(QueueId, usize)>,
}

struct Look<'q> {
    connection: &'q Connection,
    queue: &'q Queue,
    now: Timestamp,
    lease: Duration,
    max: usize,
    dead_letter: Option<(Queue, u32)>,
    gone: usize,
    buried: usize,
    messages: Vec<Received>,
}

struct Candidate {
    message: Received,
    visible_at: Timestamp,
    receives_before: u32,
    first_received_at: Option<i64>,
}

pub(in crate::queue) fn receive(
    connection: &Connection,
    queue: &Queue,
    max: usize,
    lease: Duration,
    now: Timestamp,
) -> Result<Found> {
    let mut look = Look {
        connection,
        queue,
        now,
        lease,
        max,
        dead_letter: dead_letter_of(connection, queue)?,
        gone: 0,
        buried: 0,
        messages: Vec::new(),
    };
    if queue.settings.fifo {
        look.in_turn()?;
    } else {
        look.ready()?;
    }
    let Look {
        messages,
        buried,
        dead_letter,
        ..
    } = look;
    let buried = dead_letter
        .filter(|_| buried > 0)
        .map(|(queue, _)| (queue.id, buried));
    Ok(Found { messages, buried })
}

/// The dead-letter queue, if it exists and is of the same kind, and how often a message may be received.
pub(in crate::queue) fn dead_letter_of(
    connection: &Connection,
    queue: &Queue,
) -> Result<Option<(Queue, u32)>> {
    let Some(dead_letter) = &queue.settings.dead_letter else {
        return Ok(None);
    };
    let found = look_up::find(connection, &dead_letter.queue)?;
    let found = found.filter(|other| other.settings.fifo == queue.settings.fifo);
    Ok(found.map(|found| (found, dead_letter.max_receives)))
}

impl Look<'_> {
    fn room(&self) -> usize {
        self.max - self.messages.len()
    }

    /// Looks again only for what it dropped or moved. A lease of no time leaves messages where they are
    /// found again, but one receive gives a message once.
    fn ready(&mut self) -> Result<()> {
        loop {
            let gone = self.gone;
            let params = params![self.queue.number, self.now.as_millis(), limit(self.max)];
            for candidate in select(self.connection, READY, params)? {
                if self.room() > 0 && !self.has(&candidate) {
                    self.take(candidate)?;
                }
            }
            if self.room() == 0 || self.gone == gone || self.gone >= BURIED {
                return Ok(());
            }
        }
    }

    fn has(&self, candidate: &Candidate) -> bool {
        let sequence = candidate.message.sequence;
        self.messages.iter().any(|message| message.sequence == sequence)
    }

    /// Group by group, from each as much as there is room for.
    fn in_turn(&mut self) -> Result<()> {
        loop {
            let gone = self.gone;
            for group in group::ready(self.connection, self.queue.number, limit(self.max), self.now)? {
                if self.room() > 0 && !self.has_of(&group) {
                    self.of_group(&group)?;
                    let left = group::refresh(self.connection, self.queue.number, &group, self.now)?;
                    // A group that turned out to be empty made room for another.
                    self.gone += usize::from(left.is_none());
                }
            }
            if self.room() == 0 || self.gone == gone || self.gone >= BURIED {
                return Ok(());
            }
        }
    }

    fn has_of(&self, group: &str) -> bool {
        self.messages
            .iter()
            .any(|message| message.group.as_deref() == Some(group))
    }

    fn of_group(&mut self, group: &str) -> Result<()> {
        let limit = limit(self.room().min(group::LEASED_OF_A_GROUP));
        let params = params![self.queue.number, group, limit];
        for candidate in select(self.connection, OF_GROUP, params)? {
            if candidate.visible_at > self.now {
                break;
            }
            self.take(candidate)?;
        }
        Ok(())
    }

    fn take(&mut self, candidate: Candidate) -> Result<()> {
        if self.is_expired(&candidate) {
            self.gone += 1;
            execute(self.connection, DROP, [candidate.message.receipt.sequence])?;
            return Ok(());
        }
        match &self.dead_letter {
            Some((dead, max)) if candidate.message.receives - candidate.receives_before >= *max => {
                self.gone += 1;
                self.buried += 1;
                let message = (
                    candidate.message.receipt.sequence,
                    candidate.message.group.as_deref(),
                );
                let reason = format!("received {max} times, the most that `{}` allows", self.queue.id);
                bury(self.connection, self.queue, dead, message, &reason, self.now)
            }
            Some(_) | None => self.lease(candidate),
        }
    }

    fn is_expired(&self, candidate: &Candidate) -> bool {
        candidate
            .message
            .sent_at
            .plus_millis(millis(self.queue.settings.retention))
            <= self.now
    }

    fn lease(&mut self, candidate: Candidate) -> Result<()> {
        let mut message = candidate.message;
        message.receives += 1;
        message.receipt.receives = message.receives;
        message.first_received_at = candidate
            .first_received_at
            .map_or(self.now, Timestamp::from_millis);
        let params = params![
            message.receipt.sequence,
            self.now.plus_millis(millis(self.lease)).as_millis(),
            message.receives,
            message.first_received_at.as_millis(),
        ];
        execute(self.connection, LEASE, params)?;
        self.messages.push(message);
        Ok(())
    }
}

fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Moves a message into the dead-letter queue, where it is ready. It keeps its id, its number and the time
/// it was sent.
pub(super) fn bury(
    connection: &Connection,
    queue: &Queue,
    dead: &Queue,
    (sequence, group): (i64, Option<&str>),
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    let params = params![sequence, dead.number, now.as_millis(), queue.id.as_str(), reason];
    execute(connection, BURY, params)?;
    match group {
        Some(group) if dead.settings.fifo => group::arrived(connection, dead.number, group, now),
        Some(_) | None => Ok(()),
    }
}

fn select(connection: &Connection, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Candidate>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(params, read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    let sequence: i64 = row.get(0)?;
    let receives = row.get(2)?;
    let source: Option<String> = row.get(9)?;
    let reason: Option<String> = row.get(10)?;
    let sent_at = Timestamp::from_millis(row.get(4)?);
    let message = Received {
        id: MessageId(Uuid::from_bytes(row.get(6)?)),
        body: row.get(12)?,
        attributes: row.get(11)?,
        group: row.get(7)?,
        deduplication_id: row.get(8)?,
        sequence: sequence.cast_unsigned(),
        sent_at,
        first_received_at: sent_at,
        receives,
        receipt: Receipt { sequence, receives },
        death: source.zip(reason).map(|(source, reason)| Death {
            source: QueueId::new(&source),
            reason,
        }),
    };
    Ok(Candidate {
        message,
        visible_at: Timestamp::from_millis(row.get(1)?),
        receives_before: row.get(3)?,
        first_received_at: row.get(5)?,
    })
}
