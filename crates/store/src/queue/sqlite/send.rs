//! Sending.

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use tradewind_model::Timestamp;

use super::look_up::{Queue, millis};
use super::{Result, execute, group};
use crate::queue::model::{DEDUPLICATION_WINDOW, DeduplicationScope, MessageId, NewMessage, Sent};

/// Sequence numbers are never used again: a receipt of a message that is gone must not fit another.
/// They grow with time, 2^20 a millisecond, so that they stay unique in a database restored from a copy.
const TAKE_SEQUENCES: &str = "UPDATE queue_sequence SET last = MAX(last + ?1, ?2 + ?1) RETURNING last";
const INSERT: &str = "INSERT INTO queue_messages (sequence, queue, visible_at, receives, receives_before, fifo, \
    sent_at, id, message_group, deduplication_id, attributes, body) \
    VALUES (?1, ?2, ?3, 0, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
const FIND_DUPLICATE: &str = "SELECT message_id, sequence FROM queue_deduplication \
    WHERE queue = ?1 AND scope = ?2 AND id = ?3 AND expires_at > ?4";
const REMEMBER: &str = "INSERT OR REPLACE INTO queue_deduplication \
    (queue, scope, id, message_id, sequence, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// What was sent, and when the first of it can be received.
pub(in crate::queue) struct Outcome {
    pub(in crate::queue) sent: Vec<Sent>,
    pub(in crate::queue) ready: usize,
    pub(in crate::queue) due: Option<Timestamp>,
}

/// The messages are fit for the queue: see `Queues::send`.
pub(in crate::queue) fn send(
    connection: &Connection,
    queue: &Queue,
    messages: &[(MessageId, NewMessage)],
    now: Timestamp,
) -> Result<Outcome> {
    let mut outcome = Outcome {
        sent: Vec::with_capacity(messages.len()),
        ready: 0,
        due: None,
    };
    let mut sequence = take_sequences(connection, messages.len(), now)?;
    for (id, message) in messages {
        let deduplication_id = deduplication_id(queue, message);
        if let Some(duplicate) = duplicate_of(connection, queue, message, deduplication_id.as_deref(), now)? {
            outcome.sent.push(duplicate);
            continue;
        }
        let draft = Draft {
            id: *id,
            sequence,
            visible_at: now.plus_millis(millis(message.delay.unwrap_or(queue.settings.delay))),
            deduplication_id,
            message,
        };
        insert(connection, queue, &draft, now)?;
        outcome.count(&draft, now);
        sequence += 1;
    }
    Ok(outcome)
}

struct Draft<'m> {
    id: MessageId,
    sequence: i64,
    visible_at: Timestamp,
    deduplication_id: Option<String>,
    message: &'m NewMessage,
}

impl Outcome {
    fn count(&mut self, draft: &Draft<'_>, now: Timestamp) {
        self.sent.push(Sent {
            id: draft.id,
            sequence: draft.sequence.cast_unsigned(),
            duplicate: false,
        });
        if draft.visible_at <= now {
            self.ready += 1;
        } else {
            self.due = Some(self.due.map_or(draft.visible_at, |due| due.min(draft.visible_at)));
        }
    }
}

/// What sequence numbers begin with at this time.
pub(in crate::queue) fn lowest_sequence(now: Timestamp) -> i64 {
    now.as_millis().saturating_mul(1 << 20)
}

/// The first of `count` sequence numbers nobody has had.
pub(super) fn take_sequences(connection: &Connection, count: usize, now: Timestamp) -> Result<i64> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(TAKE_SEQUENCES)?;
    let last: i64 = statement.query_row([count, lowest_sequence(now)], |row| row.get(0))?;
    Ok(last - count + 1)
}

fn insert(connection: &Connection, queue: &Queue, draft: &Draft<'_>, now: Timestamp) -> Result<()> {
    let message = draft.message;
    let params = params![
        draft.sequence,
        queue.number,
        draft.visible_at.as_millis(),
        queue.settings.fifo,
        now.as_millis(),
        draft.id.0.as_bytes(),
        message.group,
        draft.deduplication_id,
        message.attributes,
        message.body,
    ];
    execute(connection, INSERT, params)?;
    if !queue.settings.fifo {
        return Ok(());
    }
    group::arrived(connection, queue.number, group_of(message), draft.visible_at)?;
    let remember = params![
        queue.first_number,
        scope(queue, message),
        draft.deduplication_id,
        draft.id.0.as_bytes(),
        draft.sequence,
        now.plus_millis(millis(DEDUPLICATION_WINDOW)).as_millis(),
    ];
    execute(connection, REMEMBER, remember)?;
    Ok(())
}

fn duplicate_of(
    connection: &Connection,
    queue: &Queue,
    message: &NewMessage,
    deduplication_id: Option<&str>,
    now: Timestamp,
) -> Result<Option<Sent>> {
    if !queue.settings.fifo {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(FIND_DUPLICATE)?;
    let key = params![
        queue.first_number,
        scope(queue, message),
        deduplication_id,
        now.as_millis()
    ];
    let found = statement.query_row(key, |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)));
    Ok(found.optional()?.map(|(id, sequence)| Sent {
        id: MessageId(uuid::Uuid::from_bytes(id)),
        sequence: sequence.cast_unsigned(),
        duplicate: true,
    }))
}

fn deduplication_id(queue: &Queue, message: &NewMessage) -> Option<String> {
    let made = || {
        queue
            .settings
            .content_based_deduplication
            .then(|| content_hash(&message.body))
    };
    message.deduplication_id.clone().or_else(made)
}

/// The SHA-256 of a body in lower-case hexadecimal.
pub(in crate::queue) fn content_hash(body: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(body)
        .iter()
        .fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
            text
        })
}

fn group_of(message: &NewMessage) -> &str {
    message.group.as_deref().unwrap_or_default()
}

fn scope<'m>(queue: &Queue, message: &'m NewMessage) -> &'m str {
    match queue.settings.deduplication_scope {
        DeduplicationScope::Queue => "",
        DeduplicationScope::Group => group_of(message),
    }
}
