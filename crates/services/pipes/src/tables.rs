//! The table of pipes.

use tradewind_model::Timestamp;
use tradewind_store::{Batch, Database, Migration, Row};

use crate::error::PipesError;
use crate::model::{Pipe, PipeId};
use crate::settings::Settings;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "pipes",
    version: 1,
    sql: "CREATE TABLE pipes_pipes (
            arn TEXT NOT NULL PRIMARY KEY,
            settings TEXT NOT NULL,
            tags TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            modified_at BIGINT NOT NULL,
            owner TEXT)",
}];

fn json<T: serde::Serialize>(value: &T) -> Result<String, PipesError> {
    serde_json::to_string(value).map_err(|error| PipesError::Internal(error.to_string()))
}

/// Stores a pipe, new or changed.
pub(crate) fn put(batch: Batch, pipe: &Pipe) -> Result<Batch, PipesError> {
    Ok(batch.run(
        "INSERT INTO pipes_pipes (arn, settings, tags, created_at, modified_at, owner)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (arn) DO UPDATE SET settings = excluded.settings, tags = excluded.tags,
            modified_at = excluded.modified_at, owner = excluded.owner",
        vec![
            pipe.id.to_string().into(),
            json(&pipe.settings)?.into(),
            json(&pipe.tags)?.into(),
            pipe.created.as_millis().into(),
            pipe.modified.as_millis().into(),
            pipe.owner.clone().into(),
        ],
    ))
}

/// Removes a pipe.
pub(crate) fn delete(batch: Batch, id: &PipeId) -> Batch {
    batch.run(
        "DELETE FROM pipes_pipes WHERE arn = $1",
        vec![id.to_string().into()],
    )
}

/// All pipes.
pub(crate) async fn load(database: &Database) -> Result<Vec<Pipe>, PipesError> {
    let rows = database.read(
        "SELECT arn, settings, tags, created_at, modified_at, owner FROM pipes_pipes ORDER BY arn",
        Vec::new(),
    );
    rows.await?.iter().map(pipe).collect()
}

fn pipe(row: &Row) -> Result<Pipe, PipesError> {
    let arn = row.text(0)?;
    let stored = |error: &dyn std::fmt::Display| {
        PipesError::Internal(format!("{arn} is stored in a form that cannot be read: {error}"))
    };
    let settings: Settings = serde_json::from_str(row.text(1)?).map_err(|error| stored(&error))?;
    Ok(Pipe {
        id: arn.parse()?,
        plan: settings.plan().map_err(|error| stored(&error))?,
        settings,
        tags: serde_json::from_str(row.text(2)?).map_err(|error| stored(&error))?,
        created: Timestamp::from_millis(row.integer(3)?),
        modified: Timestamp::from_millis(row.integer(4)?),
        owner: row.optional_text(5)?.map(str::to_owned),
    })
}
