//! Numbered migrations, one series a service, forward only.

use rusqlite::Connection;

/// One step of one service's schema. Versions of a service count from 1 without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The service that owns the tables, for example `lambda`.
    pub service: &'static str,
    /// Its number.
    pub version: u32,
    /// The statements.
    pub sql: &'static str,
}

/// Why a schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer binary has used this database.
    #[error(
        "the database has schema version {found} of `{service}`, this binary knows up to {known}: \
         it was written by a newer tradewind"
    )]
    Newer {
        /// Whose schema.
        service: String,
        /// In the database.
        found: u32,
        /// In this binary.
        known: u32,
    },
    /// A statement failed.
    #[error("migration {version} of `{service}` failed: {source}")]
    Failed {
        /// Whose migration.
        service: &'static str,
        /// Which.
        version: u32,
        /// The database's words.
        source: rusqlite::Error,
    },
    /// The table of versions could not be read or written.
    #[error("cannot read the schema versions: {0}")]
    Versions(#[from] rusqlite::Error),
}

const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions \
    (service TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL)";

/// Brings the schema to the newest version of every service, each step in its own transaction.
pub(crate) fn migrate(connection: &mut Connection, migrations: &[&[Migration]]) -> Result<(), MigrateError> {
    connection.execute(VERSIONS, [])?;
    refuse_newer(connection, migrations)?;
    for migration in migrations.iter().copied().flatten() {
        if migration.version > version_of(connection, migration.service)? {
            step(connection, migration)?;
        }
    }
    Ok(())
}

fn refuse_newer(connection: &Connection, migrations: &[&[Migration]]) -> Result<(), MigrateError> {
    let mut rows = connection.prepare("SELECT service, version FROM schema_versions ORDER BY service")?;
    let found = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)))?;
    for entry in found {
        let (service, found) = entry?;
        let of_service = migrations
            .iter()
            .copied()
            .flatten()
            .filter(|m| m.service == service);
        let known = of_service.map(|m| m.version).max().unwrap_or(0);
        if found > known {
            return Err(MigrateError::Newer {
                service,
                found,
                known,
            });
        }
    }
    Ok(())
}

fn version_of(connection: &Connection, service: &str) -> Result<u32, rusqlite::Error> {
    let version = connection.query_row(
        "SELECT COALESCE(MAX(version), 0) FROM schema_versions WHERE service = $1",
        [service],
        |row| row.get(0),
    )?;
    Ok(version)
}

fn step(connection: &mut Connection, migration: &Migration) -> Result<(), MigrateError> {
    let failed = |source| MigrateError::Failed {
        service: migration.service,
        version: migration.version,
        source,
    };
    let transaction = connection.transaction().map_err(failed)?;
    transaction.execute_batch(migration.sql).map_err(failed)?;
    transaction
        .execute(
            "INSERT INTO schema_versions (service, version) VALUES ($1, $2) \
             ON CONFLICT (service) DO UPDATE SET version = excluded.version",
            (migration.service, migration.version),
        )
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Migration = Migration {
        service: "shop",
        version: 1,
        sql: "CREATE TABLE shop_a (id BIGINT)",
    };
    const TWO: Migration = Migration {
        service: "shop",
        version: 2,
        sql: "CREATE TABLE shop_b (id BIGINT)",
    };

    #[test]
    fn steps_run_once_and_in_order() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[&[ONE]]).unwrap();
        migrate(&mut connection, &[&[ONE, TWO]]).unwrap();
        migrate(&mut connection, &[&[ONE, TWO]]).unwrap();
        assert_eq!(version_of(&connection, "shop").unwrap(), 2);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[&[ONE, TWO]]).unwrap();
        let error = migrate(&mut connection, &[&[ONE]]).unwrap_err();
        assert!(
            matches!(
                error,
                MigrateError::Newer {
                    found: 2,
                    known: 1,
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn a_failed_step_leaves_the_version_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = Migration {
            service: "shop",
            version: 2,
            sql: "CREATE TABLE shop_b (id BIGINT); NONSENSE",
        };
        assert!(migrate(&mut connection, &[&[ONE, broken]]).is_err());
        assert_eq!(version_of(&connection, "shop").unwrap(), 1);
        assert!(connection.execute("INSERT INTO shop_b VALUES (1)", []).is_err());
    }
}
