//! Bringing the schema up to date on PostgreSQL. The node's lease keeps others out.

use deadpool_postgres::{Pool, Transaction};

use super::connect::checkout;
use super::lease::Lease;
use crate::database::DatabaseError;
use crate::migrate::{MigrateError, Migration, RECORD_VERSION, SELECT_VERSIONS, VERSIONS, pending};

/// Runs what is pending in one transaction, with the lease held: a step that fails leaves the schema of before.
pub(super) async fn migrate(
    pool: &Pool,
    lease: &Lease,
    migrations: &[&[Migration]],
) -> Result<(), DatabaseError> {
    let mut client = checkout(pool).await?;
    client.batch_execute(VERSIONS).await?;
    let transaction = client.transaction().await?;
    let held = transaction
        .query(super::writer::HOLD_LEASE, &[&lease.fence()])
        .await?;
    if held.is_empty() {
        return Err(DatabaseError::Superseded);
    }
    let found = transaction.query(SELECT_VERSIONS, &[]).await?;
    let found = found
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<Vec<(String, i64)>, tokio_postgres::Error>>()?;
    for migration in pending(&found, migrations)? {
        step(&transaction, migration)
            .await
            .map_err(|error| MigrateError::Failed {
                service: migration.service,
                version: migration.version,
                source: Box::new(error),
            })?;
    }
    Ok(transaction.commit().await?)
}

async fn step(transaction: &Transaction<'_>, migration: &Migration) -> Result<(), tokio_postgres::Error> {
    transaction.batch_execute(&migration.for_postgres()).await?;
    let version = i64::from(migration.version);
    transaction
        .execute(RECORD_VERSION, &[&migration.service, &version])
        .await?;
    Ok(())
}
