//! The table of SES. No other crate reads it.

use tradewind_model::Arn;
use tradewind_store::{Batch, Database, Migration};

use crate::error::SesError;
use crate::model::{Identity, IdentityKey};

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "ses",
    version: 1,
    // an identity's id is its ARN
    sql: "CREATE TABLE ses_identities (
            id TEXT NOT NULL PRIMARY KEY,
            definition TEXT NOT NULL)",
}];

/// Stores an identity, new or changed.
pub(crate) fn put(key: &IdentityKey, identity: &Identity) -> Result<Batch, SesError> {
    let definition =
        serde_json::to_string(identity).map_err(|error| SesError::Internal(error.to_string()))?;
    Ok(Batch::new().run(
        "INSERT INTO ses_identities (id, definition) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET definition = excluded.definition",
        vec![key.arn().to_string().into(), definition.into()],
    ))
}

/// Removes an identity.
pub(crate) fn delete(key: &IdentityKey) -> Batch {
    let id = key.arn().to_string();
    Batch::new().run("DELETE FROM ses_identities WHERE id = $1", vec![id.into()])
}

/// All identities.
pub(crate) async fn load(database: &Database) -> Result<Vec<(IdentityKey, Identity)>, SesError> {
    let rows = database.read("SELECT id, definition FROM ses_identities", vec![]);
    let mut identities = Vec::new();
    for row in rows.await? {
        let id = row.text(0)?;
        let unreadable = |reason: &str| {
            SesError::Internal(format!(
                "`{id}` is stored in a form that cannot be read: {reason}"
            ))
        };
        let key = id.parse::<Arn>().ok().and_then(|arn| IdentityKey::of(&arn));
        let key = key.ok_or_else(|| unreadable("no ARN of an identity"))?;
        let identity = serde_json::from_str(row.text(1)?).map_err(|error| unreadable(&error.to_string()))?;
        identities.push((key, identity));
    }
    Ok(identities)
}
