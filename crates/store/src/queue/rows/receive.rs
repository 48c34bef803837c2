//! Receiving: leases what is ready, and on the way drops what is too old and moves what was received too
//! often.

use std::time::Duration;

use tradewind_model::Timestamp;

use super::look_up::{self, Queue, millis};
use super::{Result, group, message_id, small};
use crate::queue::model::{Death, QueueId, Receipt, Received};
use crate::queue::transaction::{Transaction, Value, values};
use crate::value::Row;

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
const READY_AND_FREE: &str = candidates!(
    "queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, receives, sequence LIMIT ?3 FOR UPDATE SKIP LOCKED"
);
/// One receiver has one batch at a time, so nothing is locked by another.
const SIZES: &str = "SELECT LENGTH(body) FROM queue_messages WHERE queue = ?1 AND visible_at <= ?2 \
    ORDER BY visible_at, sequence LIMIT ?3";
const IN_ORDER: &str = candidates!("queue = ?1 AND visible_at <= ?2 ORDER BY visible_at, sequence LIMIT ?3");
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
    tx: &'q Transaction<'q>,
    queue: &'q Queue,
    now: Timestamp,
    lease: Duration,
    max: usize,
    dead_letter: Option<(Queue, u32)>,
    gone: usize,
    buried: usize,
    messages: Vec<Received>,
    leases: Vec<[Value<'static>; 4]>,
}

struct Candidate {
    message: Received,
    visible_at: Timestamp,
    receives_before: u32,
    /// None while nobody has received it.
    first_received_at: Option<Timestamp>,
}

pub(in crate::queue) fn receive(
    tx: &Transaction<'_>,
    queue: &Queue,
    max: usize,
    lease: Duration,
    now: Timestamp,
) -> Result<Found> {
    let mut look = Look::new(tx, queue, max, lease, now);
    look.dead_letter = dead_letter_of(tx, queue)?;
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

/// The first that are ready, in the order in which they were sent: as many as `max_bytes` hold, but one.
pub(in crate::queue) fn in_order(
    tx: &Transaction<'_>,
    queue: &Queue,
    (max, max_bytes): (usize, usize),
    lease: Duration,
    now: Timestamp,
) -> Result<Vec<Received>> {
    let max = fitting(tx, &values![queue.number, now, limit(max)], max_bytes)?;
    let mut look = Look::new(tx, queue, max, lease, now);
    for candidate in select(tx, IN_ORDER, &values![queue.number, now, limit(max)])? {
        look.lease(candidate);
    }
    look.write_leases()?;
    Ok(look.messages)
}

/// How many of the first messages have that many bytes together; one at least, if there is one.
fn fitting(tx: &Transaction<'_>, values: &[Value<'_>], max_bytes: usize) -> Result<usize> {
    let (mut count, mut bytes) = (0, 0_usize);
    for row in tx.query(SIZES, values)? {
        bytes = bytes.saturating_add(usize::try_from(row.integer(0)?).unwrap_or(usize::MAX));
        if count > 0 && bytes > max_bytes {
            break;
        }
        count += 1;
    }
    Ok(count)
}

/// The dead-letter queue, if it exists and is of the same kind, and how often a message may be received.
pub(in crate::queue) fn dead_letter_of(tx: &Transaction<'_>, queue: &Queue) -> Result<Option<(Queue, u32)>> {
    let Some(dead_letter) = &queue.settings.dead_letter else {
        return Ok(None);
    };
    let found = look_up::find(tx, &dead_letter.queue)?;
    let found = found.filter(|other| other.settings.fifo == queue.settings.fifo);
    Ok(found.map(|found| (found, dead_letter.max_receives)))
}

impl<'q> Look<'q> {
    fn new(tx: &'q Transaction<'q>, queue: &'q Queue, max: usize, lease: Duration, now: Timestamp) -> Self {
        Self {
            tx,
            queue,
            now,
            lease,
            max,
            dead_letter: None,
            gone: 0,
            buried: 0,
            messages: Vec::new(),
            leases: Vec::new(),
        }
    }

    fn room(&self) -> usize {
        self.max - self.messages.len()
    }

    /// Looks again only for what it dropped or moved. A lease of no time leaves messages where they are
    /// found again, but one receive gives a message once.
    fn ready(&mut self) -> Result<()> {
        loop {
            let gone = self.gone;
            let sql = if self.tx.is_postgres() {
                READY_AND_FREE
            } else {
                READY
            };
            let values = values![self.queue.number, self.now, limit(self.max)];
            for candidate in select(self.tx, sql, &values)? {
                if self.room() > 0 && !self.has(&candidate) {
                    self.take(candidate)?;
                }
            }
            self.write_leases()?;
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
            for group in group::ready(self.tx, self.queue.number, limit(self.max), self.now)? {
                if self.room() > 0 && !self.has_of(&group) {
                    self.of_group(&group)?;
                    let left = group::refresh(self.tx, self.queue.number, &group, self.now)?;
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
        let values = values![self.queue.number, group, limit];
        for candidate in select(self.tx, OF_GROUP, &values)? {
            if candidate.visible_at > self.now {
                break;
            }
            self.take(candidate)?;
        }
        self.write_leases()
    }

    fn take(&mut self, candidate: Candidate) -> Result<()> {
        if self.is_expired(&candidate) {
            self.gone += 1;
            self.tx
                .execute(DROP, &values![candidate.message.receipt.sequence])?;
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
                bury(self.tx, self.queue, dead, message, &reason, self.now)
            }
            Some(_) | None => {
                self.lease(candidate);
                Ok(())
            }
        }
    }

    fn is_expired(&self, candidate: &Candidate) -> bool {
        candidate
            .message
            .sent_at
            .plus_millis(millis(self.queue.settings.retention))
            <= self.now
    }

    fn lease(&mut self, candidate: Candidate) {
        let mut message = candidate.message;
        message.receives += 1;
        message.receipt.receives = message.receives;
        message.first_received_at = candidate.first_received_at.unwrap_or(self.now);
        self.leases.push(values![
            message.receipt.sequence,
            self.now.plus_millis(millis(self.lease)),
            message.receives,
            message.first_received_at,
        ]);
        self.messages.push(message);
    }

    fn write_leases(&mut self) -> Result<()> {
        self.tx.execute_many(LEASE, &std::mem::take(&mut self.leases))?;
        Ok(())
    }
}

fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Moves a message into the dead-letter queue, where it is ready. It keeps its id, its number and the time
/// it was sent.
pub(super) fn bury(
    tx: &Transaction<'_>,
    queue: &Queue,
    dead: &Queue,
    (sequence, group): (i64, Option<&str>),
    reason: &str,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        BURY,
        &values![sequence, dead.number, now, queue.id.as_str(), reason],
    )?;
    match group {
        Some(group) if dead.settings.fifo => group::arrived(tx, dead.number, group, now),
        Some(_) | None => Ok(()),
    }
}

fn select(tx: &Transaction<'_>, sql: &'static str, values: &[Value<'_>]) -> Result<Vec<Candidate>> {
    tx.query(sql, values)?.into_iter().map(read).collect()
}

fn read(mut row: Row) -> Result<Candidate> {
    let sequence = row.integer(0)?;
    let receives = small(&row, 2)?;
    let sent_at = Timestamp::from_millis(row.integer(4)?);
    let death = row
        .optional_text(9)?
        .map(QueueId::new)
        .zip(row.optional_text(10)?);
    let message = Received {
        id: message_id(&row, 6)?,
        death: death.map(|(source, reason)| Death {
            source,
            reason: reason.to_owned(),
        }),
        group: row.take_text(7)?,
        deduplication_id: row.take_text(8)?,
        attributes: row.take_blob(11)?,
        body: row.take_blob(12)?,
        sequence: sequence.cast_unsigned(),
        sent_at,
        first_received_at: sent_at,
        receives,
        receipt: Receipt { sequence, receives },
    };
    Ok(Candidate {
        message,
        visible_at: Timestamp::from_millis(row.integer(1)?),
        receives_before: small(&row, 3)?,
        first_received_at: row
            .optional_integer(5)?
            .filter(|_| receives > 0)
            .map(Timestamp::from_millis),
    })
}
