//! The tables of Secrets Manager. No other crate reads them.

use std::collections::BTreeMap;
use std::sync::Arc;

use tradewind_store::{Batch, Database, Migration};

use crate::error::SecretsManagerError;
use crate::model::{Secret, Version};

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "secretsmanager",
    version: 1,
    // a secret's id is its ARN
    sql: "CREATE TABLE secretsmanager_secrets (
            id TEXT NOT NULL PRIMARY KEY,
            definition TEXT NOT NULL);
          CREATE TABLE secretsmanager_versions (
            secret TEXT NOT NULL,
            version TEXT NOT NULL,
            sealed BLOB NOT NULL,
            PRIMARY KEY (secret, version))",
}];

/// Stores a secret, new or changed, but for its values.
pub(crate) fn put(batch: Batch, secret: &Secret) -> Result<Batch, SecretsManagerError> {
    let definition =
        serde_json::to_string(secret).map_err(|error| SecretsManagerError::Internal(error.to_string()))?;
    Ok(batch.run(
        "INSERT INTO secretsmanager_secrets (id, definition) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET definition = excluded.definition",
        vec![secret.arn.to_string().into(), definition.into()],
    ))
}

/// Stores the value of a version.
pub(crate) fn put_value(batch: Batch, secret: &Secret, version: &Version) -> Batch {
    batch.run(
        "INSERT INTO secretsmanager_versions (secret, version, sealed) VALUES ($1, $2, $3)",
        vec![
            secret.arn.to_string().into(),
            version.id.clone().into(),
            version.sealed.to_vec().into(),
        ],
    )
}

/// Removes the value of a version.
pub(crate) fn delete_value(batch: Batch, secret: &Secret, version: &str) -> Batch {
    batch.run(
        "DELETE FROM secretsmanager_versions WHERE secret = $1 AND version = $2",
        vec![secret.arn.to_string().into(), version.into()],
    )
}

/// Removes a secret with its values.
pub(crate) fn delete(batch: Batch, secret: &Secret) -> Batch {
    let id = secret.arn.to_string();
    batch
        .run(
            "DELETE FROM secretsmanager_versions WHERE secret = $1",
            vec![id.clone().into()],
        )
        .run(
            "DELETE FROM secretsmanager_secrets WHERE id = $1",
            vec![id.into()],
        )
}

/// All secrets with their values.
pub(crate) async fn load(database: &Database) -> Result<Vec<Secret>, SecretsManagerError> {
    let mut values = BTreeMap::new();
    let rows = database.read(
        "SELECT secret, version, sealed FROM secretsmanager_versions",
        vec![],
    );
    for row in rows.await? {
        let key = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
        values.insert(key, Arc::<[u8]>::from(row.blob(2)?));
    }
    let rows = database.read(
        "SELECT id, definition FROM secretsmanager_secrets ORDER BY id",
        vec![],
    );
    let mut secrets = Vec::new();
    for row in rows.await? {
        let id = row.text(0)?;
        let mut secret: Secret =
            serde_json::from_str(row.text(1)?).map_err(|error| SecretsManagerError::stored(id, error))?;
        for version in &mut secret.versions {
            let value = values.remove(&(id.to_owned(), version.id.clone()));
            version.sealed =
                value.ok_or_else(|| SecretsManagerError::stored(id, "a version has no value"))?;
        }
        secrets.push(secret);
    }
    Ok(secrets)
}
