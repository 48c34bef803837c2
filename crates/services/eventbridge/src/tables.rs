//! The tables of the event bus. No other crate reads them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use tradewind_store::{Batch, Database, Migration, Row};

use crate::error::EventBridgeError;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "eventbridge",
    version: 1,
    // a resource's id is its ARN
    sql: "CREATE TABLE eventbridge_resources (
            id TEXT NOT NULL PRIMARY KEY,
            kind TEXT NOT NULL,
            definition TEXT NOT NULL)",
}];

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
