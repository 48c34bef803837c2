//! The table of roles. No other crate reads it.

use tradewind_model::AccountId;
use tradewind_store::{Batch, Database, DatabaseError, Migration};

use crate::error::RoleError;
use crate::model::{Role, RoleName};

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "iam",
    version: 1,
    sql: "CREATE TABLE iam_roles (
            account TEXT NOT NULL,
            name TEXT NOT NULL,
            owner TEXT NOT NULL,
            role_id TEXT NOT NULL,
            role TEXT NOT NULL,
            PRIMARY KEY (account, name))",
}];

/// Makes the role, or changes it where `owner` has it already; its id stays. Returns the id.
pub(crate) async fn put(
    database: &Database,
    (account, name): (&AccountId, &RoleName),
    owner: &str,
    new_id: String,
    role: &Role,
) -> Result<String, RoleError> {
    let stored = |source| RoleError::Stored {
        name: name.to_string(),
        source,
    };
    let role = serde_json::to_string(role).map_err(stored)?;
    let batch = Batch::new().require(
        "INSERT INTO iam_roles (account, name, owner, role_id, role) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account, name) DO UPDATE SET role = excluded.role
         WHERE iam_roles.owner = excluded.owner",
        vec![
            account.as_str().into(),
            name.to_string().into(),
            owner.into(),
            new_id.into(),
            role.into(),
        ],
        1,
    );
    match database.write(batch).await {
        Ok(_) => {}
        Err(DatabaseError::Unexpected { .. }) => {
            return Err(RoleError::AlreadyExists {
                name: name.to_string(),
            });
        }
        Err(error) => return Err(error.into()),
    }
    let rows = database
        .read(
            "SELECT role_id FROM iam_roles WHERE account = $1 AND name = $2",
            vec![account.as_str().into(), name.to_string().into()],
        )
        .await?;
    let gone = DatabaseError::Unexpected {
        statement: 0,
        rows: 0,
    };
    let row = rows.first().ok_or(gone)?;
    Ok(row.text(0)?.to_owned())
}

/// Removes the role if `owner` has it.
pub(crate) async fn delete(
    database: &Database,
    account: &AccountId,
    name: &str,
    owner: &str,
) -> Result<(), RoleError> {
    let batch = Batch::new().run(
        "DELETE FROM iam_roles WHERE account = $1 AND name = $2 AND owner = $3",
        vec![account.as_str().into(), name.into(), owner.into()],
    );
    database.write(batch).await?;
    Ok(())
}

/// The role of that name.
#[cfg(test)]
pub(crate) async fn get(
    database: &Database,
    account: &AccountId,
    name: &str,
) -> Result<Option<Role>, RoleError> {
    let rows = database
        .read(
            "SELECT role FROM iam_roles WHERE account = $1 AND name = $2",
            vec![account.as_str().into(), name.into()],
        )
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let stored = |source| RoleError::Stored {
        name: name.to_owned(),
        source,
    };
    serde_json::from_str(row.text(0)?).map(Some).map_err(stored)
}
