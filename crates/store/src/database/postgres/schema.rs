//! Bringing the schema up to date on PostgreSQL. The node's lease keeps others out.

use deadpool_postgres::Pool;

use super::connect::checkout;
use super::lease::Lease;
use crate::database::DatabaseError;
use crate::migrate::{MigrateError, Migration, RECORD_VERSION, SELECT_VERSIONS, VERSIONS, pending};

pub(super) async fn migrate(
    pool: &Pool,
    lease: &Lease,
    migrations: &[&[Migration]],
) -> Result<(), DatabaseError> {
    let mut client = checkout(pool).await?;
    client.batch_execute(VERSIONS).await?;
    let found = client.query(SELECT_VERSIONS, &[]).await?;
    let found = found
        .iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect::<Result<Vec<(String, i64)>, tokio_postgres::Error>>()?;
    for migration in pending(&found, migrations)? {
        step(&mut client, lease.fence(), migration)
            .await
            .map_err(|error| MigrateError::Failed {
                service: migration.service,
                version: migration.version,
                source: Box::new(error),
            })?;
    }
    Ok(())
}

/// One step in one transaction, with the lease held.
async fn step(
    client: &mut deadpool_postgres::Object,
    fence: i64,
    migration: &Migration,
) -> Result<(), DatabaseError> {
    let transaction = client.transaction().await?;
    let held = transaction.query(super::writer::HOLD_LEASE, &[&fence]).await?;
    if held.is_empty() {
        return Err(DatabaseError::Superseded);
    }
    transaction.batch_execute(&migration.for_postgres()).await?;
    let version = i64::from(migration.version);
    transaction
        .execute(RECORD_VERSION, &[&migration.service, &version])
        .await?;
    Ok(transaction.commit().await?)
}
