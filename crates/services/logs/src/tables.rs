//! The table of log groups. No other crate reads it.

use tradewind_model::resource::ResourceContext;
use tradewind_store::{Batch, Database, DatabaseError, Migration, SqlValue};

use crate::error::LogGroupError;
use crate::model::LogGroup;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "logs",
    version: 1,
    sql: "CREATE TABLE logs_groups (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            owner TEXT NOT NULL,
            log_group TEXT NOT NULL,
            PRIMARY KEY (account, region, name))",
}];

/// Makes the group, or changes it where the context's resource has it already.
pub(crate) async fn put(
    database: &Database,
    context: &ResourceContext,
    name: &str,
    group: &LogGroup,
) -> Result<(), LogGroupError> {
    let stored = |source| LogGroupError::Stored {
        name: name.to_owned(),
        source,
    };
    let mut params = key(context, name);
    params.push(serde_json::to_string(group).map_err(stored)?.into());
    let batch = Batch::new().require(
        "INSERT INTO logs_groups (account, region, name, owner, log_group) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account, region, name) DO UPDATE SET log_group = excluded.log_group
         WHERE logs_groups.owner = excluded.owner",
        params,
        1,
    );
    match database.write(batch).await {
        Ok(_) => Ok(()),
        Err(DatabaseError::Unexpected { .. }) => Err(LogGroupError::AlreadyExists {
            name: name.to_owned(),
        }),
        Err(error) => Err(error.into()),
    }
}

/// True unless the group belongs to another resource; also when it is gone already.
pub(crate) async fn may_delete(
    database: &Database,
    context: &ResourceContext,
    name: &str,
) -> Result<bool, LogGroupError> {
    let others = database
        .read(
            "SELECT 1 FROM logs_groups WHERE account = $1 AND region = $2 AND name = $3 AND owner <> $4",
            key(context, name),
        )
        .await?;
    Ok(others.is_empty())
}

/// Removes the group if the context's resource has it.
pub(crate) async fn delete(
    database: &Database,
    context: &ResourceContext,
    name: &str,
) -> Result<(), LogGroupError> {
    let batch = Batch::new().run(
        "DELETE FROM logs_groups WHERE account = $1 AND region = $2 AND name = $3 AND owner = $4",
        key(context, name),
    );
    database.write(batch).await?;
    Ok(())
}

/// Every group by name.
pub(crate) async fn all(database: &Database) -> Result<Vec<(String, LogGroup)>, LogGroupError> {
    let rows = database
        .read(
            "SELECT name, log_group FROM logs_groups ORDER BY account, region, name",
            Vec::new(),
        )
        .await?;
    let mut groups = Vec::with_capacity(rows.len());
    for row in rows {
        let name = row.text(0)?.to_owned();
        match serde_json::from_str(row.text(1)?) {
            Ok(group) => groups.push((name, group)),
            Err(source) => return Err(LogGroupError::Stored { name, source }),
        }
    }
    Ok(groups)
}

fn key(context: &ResourceContext, name: &str) -> Vec<SqlValue> {
    vec![
        context.account.as_str().into(),
        context.region.as_str().into(),
        name.into(),
        context.owner().into(),
    ]
}
