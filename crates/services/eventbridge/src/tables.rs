//! The tables of the event bus. No other crate reads them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tradewind_model::Timestamp;
use tradewind_store::{Batch, Database, Migration, Row};

use crate::error::EventBridgeError;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        service: "eventbridge",
        version: 1,
        // a resource's id is its ARN
        sql: "CREATE TABLE eventbridge_resources (
            id TEXT NOT NULL PRIMARY KEY,
            kind TEXT NOT NULL,
            definition TEXT NOT NULL)",
    },
    Migration {
        service: "eventbridge",
        version: 2,
        // ids begin with the time of their making, so their order is that of age
        sql: "CREATE TABLE eventbridge_archived_events (
                archive TEXT NOT NULL,
                id TEXT NOT NULL,
                event_time BIGINT NOT NULL,
                event BLOB NOT NULL,
                PRIMARY KEY (archive, id));
              CREATE INDEX eventbridge_archived_by_time
                ON eventbridge_archived_events (archive, event_time, id)",
    },
];

/// A kind of resource, kept as one row of JSON each.
pub(crate) trait Stored: Serialize + DeserializeOwned {
    /// What the rows call it.
    const KIND: &'static str;
    /// What it is known by: its ARN.
    fn key(&self) -> String;
}

/// Stores a resource, new or changed.
pub(crate) fn put<T: Stored>(batch: Batch, resource: &T) -> Result<Batch, EventBridgeError> {
    let definition =
        serde_json::to_string(resource).map_err(|error| EventBridgeError::Internal(error.to_string()))?;
    Ok(batch.run(
        "INSERT INTO eventbridge_resources (id, kind, definition) VALUES ($1, $2, $3)
         ON CONFLICT (id) DO UPDATE SET definition = excluded.definition",
        vec![resource.key().into(), T::KIND.into(), definition.into()],
    ))
}

/// Removes a resource.
pub(crate) fn delete(batch: Batch, key: &str) -> Batch {
    batch.run(
        "DELETE FROM eventbridge_resources WHERE id = $1",
        vec![key.into()],
    )
}

/// All resources of a kind.
pub(crate) async fn load<T: Stored>(database: &Database) -> Result<Vec<T>, EventBridgeError> {
    let rows = database.read(
        "SELECT id, definition FROM eventbridge_resources WHERE kind = $1 ORDER BY id",
        vec![T::KIND.into()],
    );
    let read = |row: &Row| {
        let key = row.text(0)?;
        serde_json::from_str(row.text(1)?).map_err(|error| EventBridgeError::stored(key, error))
    };
    rows.await?.iter().map(read).collect()
}

/// An event in an archive.
#[derive(Debug)]
pub(crate) struct ArchivedEvent {
    /// Unique in its archive; begins with the time of its making, 14 digits of milliseconds.
    pub(crate) id: String,
    /// The event's own.
    pub(crate) time: Timestamp,
    /// With its envelope.
    pub(crate) text: Vec<u8>,
}

/// Rows that are deleted in one transaction.
const CHUNK: u64 = 500;

/// Archives an event. `archive` is what its rows are marked with, here and below.
pub(crate) fn archive(batch: Batch, archive: &str, event: ArchivedEvent) -> Batch {
    batch.run(
        "INSERT INTO eventbridge_archived_events (archive, id, event_time, event) VALUES ($1, $2, $3, $4)",
        vec![
            archive.into(),
            event.id.into(),
            event.time.as_millis().into(),
            event.text.into(),
        ],
    )
}

/// How many events there are, and how many bytes.
pub(crate) async fn archived(database: &Database, archive: &str) -> Result<(i64, i64), EventBridgeError> {
    let rows = database.read(
        "SELECT COUNT(*), CAST(COALESCE(SUM(LENGTH(event)), 0) AS BIGINT)
         FROM eventbridge_archived_events WHERE archive = $1",
        vec![archive.into()],
    );
    let rows = rows.await?;
    let row = rows
        .first()
        .ok_or_else(|| EventBridgeError::stored(archive, "no count"))?;
    Ok((row.integer(0)?, row.integer(1)?))
}

/// Events in the order of their times, from the one that follows `after` to before `until`.
pub(crate) async fn archived_page(
    database: &Database,
    archive: &str,
    (time, id): (Timestamp, &str),
    until: Timestamp,
    limit: i64,
) -> Result<Vec<ArchivedEvent>, EventBridgeError> {
    let rows = database.read(
        "SELECT id, event_time, event FROM eventbridge_archived_events
         WHERE archive = $1 AND event_time >= $2 AND (event_time > $2 OR id > $3) AND event_time < $4
         ORDER BY event_time, id LIMIT $5",
        vec![
            archive.into(),
            time.as_millis().into(),
            id.into(),
            until.as_millis().into(),
            limit.into(),
        ],
    );
    let read = |row: &Row| {
        Ok(ArchivedEvent {
            id: row.text(0)?.to_owned(),
            time: Timestamp::from_millis(row.integer(1)?),
            text: row.blob(2)?.to_vec(),
        })
    };
    rows.await?.iter().map(read).collect()
}

/// Deletes events that were archived before `end`, a few at a time.
pub(crate) async fn expire(
    database: &Database,
    archive: &str,
    end: Timestamp,
) -> Result<(), EventBridgeError> {
    let end = format!("{:014}", end.as_millis().max(0));
    loop {
        let batch = Batch::new().run(
            "DELETE FROM eventbridge_archived_events WHERE archive = $1 AND id IN (
                SELECT id FROM eventbridge_archived_events WHERE archive = $1 AND id < $2 ORDER BY id LIMIT $3)",
            vec![archive.into(), end.clone().into(), CHUNK.cast_signed().into()],
        );
        let deleted = database.write(batch).await?;
        if deleted.first().is_none_or(|rows| *rows < CHUNK) {
            return Ok(());
        }
    }
}

/// What the rows of archives are marked with, also of those that are gone.
pub(crate) async fn archives_with_rows(database: &Database) -> Result<Vec<String>, EventBridgeError> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let rows = database.read(
            "SELECT MIN(archive) FROM eventbridge_archived_events WHERE archive > $1",
            vec![found.last().map_or("", String::as_str).into()],
        );
        match rows
            .await?
            .first()
            .map(|row| row.optional_text(0))
            .transpose()?
            .flatten()
        {
            Some(next) => found.push(next.to_owned()),
            None => return Ok(found),
        }
    }
}
