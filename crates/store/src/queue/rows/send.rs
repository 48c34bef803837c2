//! Sending.

use sha2::{Digest as _, Sha256};
use tradewind_model::Timestamp;

use super::look_up::{Queue, millis};
use super::{Result, group, message_id};
use crate::queue::model::{DEDUPLICATION_WINDOW, DeduplicationScope, MessageId, NewMessage, Sent};
use crate::queue::transaction::{Transaction, Value, values};

/// Sequence numbers are never used again: a receipt of a message that is gone must not fit another.
/// They grow with time, 2^20 a millisecond, so that they stay unique in a database restored from a copy.
const TAKE_SEQUENCES: &str = "UPDATE queue_sequence SET last = MAX(last + ?1, ?2 + ?1) RETURNING last";
const NEXT_SEQUENCES: &str = "SELECT nextval('queue_sequence') FROM generate_series(1, ?1)";
/// The first receive has a value before there was one (what it is, nobody asks): so a lease changes no row's size,
/// and is written over the row where it stands.
const INSERT: &str = "INSERT INTO queue_messages (sequence, queue, visible_at, receives, receives_before, fifo, \
    sent_at, first_received_at, id, message_group, deduplication_id, attributes, body) \
    VALUES (?1, ?2, ?3, 0, 0, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10)";
const FIND_DUPLICATE: &str = "SELECT message_id, sequence FROM queue_deduplication \
    WHERE queue = ?1 AND scope = ?2 AND id = ?3 AND expires_at > ?4";
const REMEMBER: &str = "INSERT INTO queue_deduplication \
    (queue, scope, id, message_id, sequence, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
    ON CONFLICT (queue, scope, id) DO UPDATE SET message_id = excluded.message_id, \
    sequence = excluded.sequence, expires_at = excluded.expires_at";

/// What was sent, and when the first of it can be received.
pub(in crate::queue) struct Outcome {
    pub(in crate::queue) sent: Vec<Sent>,
    pub(in crate::queue) ready: usize,
    pub(in crate::queue) due: Option<Timestamp>,
}

/// The messages are fit for the queue: see `Queues::send`.
pub(in crate::queue) fn send(
    tx: &Transaction<'_>,
    queue: &Queue,
    messages: &[(MessageId, NewMessage)],
    now: Timestamp,
) -> Result<Outcome> {
    let sequences = take_sequences(tx, messages.len(), now)?;
    let drafts: Vec<_> = messages
        .iter()
        .zip(sequences)
        .map(|((id, message), sequence)| Draft {
            id: *id,
            sequence,
            visible_at: now.plus_millis(millis(message.delay.unwrap_or(queue.settings.delay))),
            deduplication_id: deduplication_id(queue, message),
            message,
        })
        .collect();
    let mut outcome = Outcome {
        sent: Vec::with_capacity(messages.len()),
        ready: 0,
        due: None,
    };
    if queue.settings.fifo {
        for draft in &drafts {
            outcome.count(draft, send_in_order(tx, queue, draft, now)?, now);
        }
    } else {
        let rows: Vec<_> = drafts.iter().map(|draft| draft.values(queue, now)).collect();
        tx.execute_many(INSERT, &rows)?;
        drafts.iter().for_each(|draft| outcome.count(draft, None, now));
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

impl Draft<'_> {
    fn values(&self, queue: &Queue, now: Timestamp) -> [Value<'_>; 10] {
        values![
            self.sequence,
            queue.number,
            self.visible_at,
            queue.settings.fifo,
            now,
            self.id.0.as_bytes(),
            self.message.group.as_ref(),
            self.deduplication_id.as_ref(),
            &self.message.attributes,
            &self.message.body,
        ]
    }
}

impl Outcome {
    fn count(&mut self, draft: &Draft<'_>, duplicate_of: Option<Sent>, now: Timestamp) {
        if let Some(first) = duplicate_of {
            self.sent.push(first);
            return;
        }
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

/// Sequence numbers nobody has had, in order.
pub(super) fn take_sequences(tx: &Transaction<'_>, count: usize, now: Timestamp) -> Result<Vec<i64>> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if tx.is_postgres() {
        let rows = tx.query(NEXT_SEQUENCES, &values![count])?;
        let mut numbers: Vec<_> = rows.iter().map(|row| row.integer(0)).collect::<Result<_>>()?;
        numbers.sort_unstable();
        return Ok(numbers);
    }
    let rows = tx.query(TAKE_SEQUENCES, &values![count, lowest_sequence(now)])?;
    let last = rows.first().map_or(Ok(0), |row| row.integer(0))?;
    Ok((last - count + 1..=last).collect())
}

/// Sends the message unless it is a duplicate: then, of which.
fn send_in_order(
    tx: &Transaction<'_>,
    queue: &Queue,
    draft: &Draft<'_>,
    now: Timestamp,
) -> Result<Option<Sent>> {
    let scope = scope(queue, draft.message);
    let deduplication_id = draft.deduplication_id.as_ref();
    let key = values![queue.first_number, scope, deduplication_id, now];
    if let Some(row) = tx.query(FIND_DUPLICATE, &key)?.first() {
        return Ok(Some(Sent {
            id: message_id(row, 0)?,
            sequence: row.integer(1)?.cast_unsigned(),
            duplicate: true,
        }));
    }
    tx.execute(INSERT, &draft.values(queue, now))?;
    group::arrived(tx, queue.number, group_of(draft.message), draft.visible_at)?;
    let expires_at = now.plus_millis(millis(DEDUPLICATION_WINDOW));
    let id = draft.id.0.as_bytes();
    let remember = values![
        queue.first_number,
        scope,
        deduplication_id,
        id,
        draft.sequence,
        expires_at
    ];
    tx.execute(REMEMBER, &remember)?;
    Ok(None)
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

/// The deduplication id that a message gets by its content: the SHA-256 of its body in lower-case hexadecimal.
#[must_use]
pub fn content_hash(body: &[u8]) -> String {
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
