//! The outbox: a message in another crate's own transaction.

use std::sync::Arc;

use crate::database::Backend;
use crate::queue::model::{DEDUPLICATION_WINDOW, MessageId, NewMessage, QueueId, Receipt};
use crate::queue::queues::Queues;
use crate::queue::rows::look_up::millis;
use crate::queue::rows::send::{content_hash, lowest_sequence};
use crate::{Batch, Database, SqlValue};

/// $1 queue, $2 now, $3 hash of the content, $4 id, $5 group, $6 deduplication id, $7 delay, $8 attributes,
/// $9 body. What may be NULL says its type.
macro_rules! insert {
    ($sequence:literal) => {
        concat!(
            "INSERT INTO queue_messages (sequence, queue, visible_at, receives, receives_before, fifo, sent_at, \
                first_received_at, id, message_group, deduplication_id, attributes, body) \
            SELECT ",
            $sequence,
            ", q.number, $2 + COALESCE(CAST($7 AS BIGINT), q.delay_ms), 0, 0, q.fifo, $2, $2, $4, CAST($5 AS TEXT), \
                CASE WHEN q.fifo = 1 THEN COALESCE(CAST($6 AS TEXT), $3) END, $8, $9 \
            FROM queue_queues q WHERE q.id = $1 AND (q.fifo = 0 OR (CAST($5 AS TEXT) IS NOT NULL AND NOT EXISTS ( \
                SELECT 1 FROM queue_deduplication d WHERE d.queue = q.first_number AND d.expires_at > $2 \
                AND d.scope = CASE WHEN q.deduplicate_by_group = 1 THEN CAST($5 AS TEXT) ELSE '' END \
                AND d.id = COALESCE(CAST($6 AS TEXT), $3))))"
        )
    };
}
/// $1 queue, $2 now, $3 group, $4 deduplication id, $5 message id, $6 end of the window
macro_rules! remember {
    ($sequence:literal) => {
        concat!(
            "INSERT INTO queue_deduplication (queue, scope, id, message_id, sequence, expires_at) \
            SELECT first_number, CASE WHEN deduplicate_by_group = 1 THEN $3 ELSE '' END, $4, $5, ",
            $sequence,
            ", $6 FROM queue_queues WHERE id = $1 AND fifo = 1 \
            ON CONFLICT (queue, scope, id) DO UPDATE SET message_id = excluded.message_id, \
                sequence = excluded.sequence, expires_at = excluded.expires_at \
            WHERE queue_deduplication.expires_at <= $2"
        )
    };
}

/// One form for each database: they differ in where sequence numbers come from, and only PostgreSQL has to
/// hold a FIFO queue.
struct Forms {
    /// $1 queue
    hold: Option<&'static str>,
    take_sequence: &'static str,
    insert: &'static str,
    remember: &'static str,
}

const SQLITE: Forms = Forms {
    hold: None,
    // As in `rows/send.rs`, for one.
    take_sequence: "UPDATE queue_sequence SET last = CASE WHEN last < $1 THEN $1 ELSE last END + 1",
    insert: insert!("(SELECT last FROM queue_sequence)"),
    remember: remember!("(SELECT last FROM queue_sequence)"),
};
const POSTGRES: Forms = Forms {
    hold: Some("SELECT number FROM queue_queues WHERE id = $1 AND fifo = 1 FOR UPDATE"),
    take_sequence: "SELECT nextval('queue_sequence') WHERE $1 > 0",
    insert: insert!("currval('queue_sequence')"),
    remember: remember!("currval('queue_sequence')"),
};

/// $1 queue, $2 now, $3 group
const ARRIVED: &str = "INSERT INTO queue_groups (queue, message_group, ready_at) \
    SELECT number, $3, $2 + delay_ms FROM queue_queues WHERE id = $1 AND fifo = 1 \
    ON CONFLICT (queue, message_group) DO NOTHING";

/// $1 sequence, $2 receives, $3 queue
const END: &str = "DELETE FROM queue_messages WHERE sequence = $1 AND receives = $2 \
    AND queue = (SELECT number FROM queue_queues WHERE id = $3)";

impl Forms {
    fn of(database: &Database) -> &'static Self {
        match database.backend() {
            Backend::Sqlite(_) => &SQLITE,
            Backend::Postgres(_) => &POSTGRES,
        }
    }
}

impl Queues {
    /// Adds a message to a batch of the caller's own statements: it is sent if and only if they happen,
    /// and who waits for it is woken after the commit.
    ///
    /// A queue that is gone by then takes no message, and the batch happens all the same. In a FIFO queue
    /// the message needs a group; without a deduplication id it gets the hash of its body for one.
    #[must_use]
    pub fn send_within(&self, batch: Batch, id: &QueueId, message: NewMessage) -> Batch {
        let now = self.clock.now();
        let message_id = MessageId::random();
        let hash = content_hash(&message.body);
        let forms = Forms::of(&self.database);
        let batch = match &message.group {
            Some(group) => {
                let deduplication_id = message.deduplication_id.clone().unwrap_or_else(|| hash.clone());
                let remember = vec![
                    id.as_str().into(),
                    now.as_millis().into(),
                    group.as_str().into(),
                    deduplication_id.into(),
                    message_id.0.as_bytes().to_vec().into(),
                    now.plus_millis(millis(DEDUPLICATION_WINDOW)).as_millis().into(),
                ];
                let arrived = vec![id.as_str().into(), now.as_millis().into(), group.as_str().into()];
                let batch = match forms.hold {
                    Some(hold) => batch.run(hold, vec![id.as_str().into()]),
                    None => batch,
                };
                self.insert_within(batch, id, message_id, message, hash)
                    .run(ARRIVED, arrived)
                    .run(forms.remember, remember)
            }
            None => self.insert_within(batch, id, message_id, message, hash),
        };
        let (room, queue) = (Arc::clone(&self.room), id.clone());
        batch.growing().after_commit(move || room.ready(&queue, 1))
    }

    /// Adds the end of a message that was received from a standard queue to a batch of the caller's own
    /// statements. If somebody else has received it meanwhile, or it is gone, nothing of the batch happens.
    #[must_use]
    pub fn end_within(&self, batch: Batch, id: &QueueId, receipt: Receipt) -> Batch {
        let params = vec![
            receipt.sequence.into(),
            i64::from(receipt.receives).into(),
            id.as_str().into(),
        ];
        batch.require(END, params, 1)
    }

    fn insert_within(
        &self,
        batch: Batch,
        id: &QueueId,
        message_id: MessageId,
        message: NewMessage,
        hash: String,
    ) -> Batch {
        let now = self.clock.now();
        let params = vec![
            id.as_str().into(),
            now.as_millis().into(),
            hash.into(),
            message_id.0.as_bytes().to_vec().into(),
            message.group.into(),
            message.deduplication_id.into(),
            message.delay.map_or(SqlValue::Null, |delay| millis(delay).into()),
            message.attributes.into(),
            message.body.into(),
        ];
        let forms = Forms::of(&self.database);
        batch
            .run(forms.take_sequence, vec![lowest_sequence(now).into()])
            .run(forms.insert, params)
    }
}
