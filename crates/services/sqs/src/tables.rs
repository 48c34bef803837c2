//! The tables of queues, as far as SQS knows more of them than the store does. No other crate reads them.

use std::collections::BTreeMap;

use tradewind_model::Timestamp;
use tradewind_store::{Batch, Database, Migration, Row};

use crate::error::SqsError;
use crate::model::Queue;
use crate::names::QueueArn;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "sqs",
    version: 1,
    sql: "CREATE TABLE sqs_queues (
            arn TEXT NOT NULL PRIMARY KEY,
            attributes TEXT NOT NULL,
            tags TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            modified_at BIGINT NOT NULL,
            owner TEXT);
          CREATE TABLE sqs_deleted_queues (
            arn TEXT NOT NULL PRIMARY KEY,
            deleted_at BIGINT NOT NULL)",
}];

/// Stores a queue, new or changed.
pub(crate) fn put(batch: Batch, queue: &Queue) -> Result<Batch, SqsError> {
    let json = |error: serde_json::Error| SqsError::Internal(error.to_string());
    Ok(batch.run(
        "INSERT INTO sqs_queues (arn, attributes, tags, created_at, modified_at, owner)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (arn) DO UPDATE SET attributes = excluded.attributes, tags = excluded.tags,
            modified_at = excluded.modified_at, owner = excluded.owner",
        vec![
            queue.arn.to_string().into(),
            serde_json::to_string(&queue.attributes).map_err(json)?.into(),
            serde_json::to_string(&queue.tags).map_err(json)?.into(),
            queue.created.as_millis().into(),
            queue.modified.as_millis().into(),
            queue.owner.clone().into(),
        ],
    ))
}

/// Removes a queue and notes when.
pub(crate) fn delete(batch: Batch, arn: &QueueArn, now: Timestamp) -> Batch {
    batch
        .run(
            "DELETE FROM sqs_queues WHERE arn = $1",
            vec![arn.to_string().into()],
        )
        .run(
            "INSERT INTO sqs_deleted_queues (arn, deleted_at) VALUES ($1, $2)
             ON CONFLICT (arn) DO UPDATE SET deleted_at = excluded.deleted_at",
            vec![arn.to_string().into(), now.as_millis().into()],
        )
}

/// Forgets queues that were deleted before `time`.
pub(crate) fn forget_deleted(batch: Batch, time: Timestamp) -> Batch {
    batch.run(
        "DELETE FROM sqs_deleted_queues WHERE deleted_at < $1",
        vec![time.as_millis().into()],
    )
}

/// All queues.
pub(crate) async fn load(database: &Database) -> Result<Vec<Queue>, SqsError> {
    let rows = database.read(
        "SELECT arn, attributes, tags, created_at, modified_at, owner FROM sqs_queues ORDER BY arn",
        Vec::new(),
    );
    rows.await?.iter().map(queue).collect()
}

fn queue(row: &Row) -> Result<Queue, SqsError> {
    let arn = row.text(0)?;
    let stored = |error: serde_json::Error| {
        SqsError::Internal(format!(
            "queue `{arn}` is stored in a form that cannot be read: {error}"
        ))
    };
    let tags: BTreeMap<String, String> = serde_json::from_str(row.text(2)?).map_err(stored)?;
    Ok(Queue {
        arn: arn.parse()?,
        attributes: serde_json::from_str(row.text(1)?).map_err(stored)?,
        tags,
        created: Timestamp::from_millis(row.integer(3)?),
        modified: Timestamp::from_millis(row.integer(4)?),
        owner: row.optional_text(5)?.map(str::to_owned),
    })
}

/// When queues were deleted.
pub(crate) async fn load_deleted(database: &Database) -> Result<Vec<(QueueArn, Timestamp)>, SqsError> {
    let rows = database.read("SELECT arn, deleted_at FROM sqs_deleted_queues", Vec::new());
    let deleted = |row: &Row| Ok((row.text(0)?.parse()?, Timestamp::from_millis(row.integer(1)?)));
    rows.await?.iter().map(deleted).collect()
}
