//! Numbered migrations, one series a service, forward only.

mod dialect;

use rusqlite::Connection;

use self::dialect::Dialect;

/// One step of one service's schema. Versions of a service count from 1 without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The service that owns the tables, for example `lambda`.
    pub service: &'static str,
    /// Its number.
    pub version: u32,
    /// The statements, in the common subset: `TEXT`, `BIGINT` and `BLOB`. Text is compared byte by byte on
    /// every database. What only one database understands stands below a line `-- only sqlite` or
    /// `-- only postgres`, and ends at the next such line or at `-- both`.
    pub sql: &'static str,
}

impl Migration {
    fn for_sqlite(&self) -> String {
        Dialect::Sqlite.text(self.sql)
    }

    pub(crate) fn for_postgres(&self) -> String {
        Dialect::Postgres.text(self.sql)
    }
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
        found: i64,
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
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The table of versions could not be read or written.
    #[error("cannot read the schema versions: {0}")]
    Versions(#[from] rusqlite::Error),
}

pub(crate) const VERSIONS: &str = "CREATE TABLE IF NOT EXISTS schema_versions \
    (service TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL)";
pub(crate) const SELECT_VERSIONS: &str = "SELECT service, version FROM schema_versions ORDER BY service";
pub(crate) const RECORD_VERSION: &str = "INSERT INTO schema_versions (service, version) VALUES ($1, $2) \
    ON CONFLICT (service) DO UPDATE SET version = excluded.version";

/// Brings an SQLite schema to the newest version of every service, in one transaction: a step that fails leaves
/// the schema of before all of them, which the binary of before still knows.
pub(crate) fn migrate(connection: &mut Connection, migrations: &[&[Migration]]) -> Result<(), MigrateError> {
    let transaction = connection.transaction()?;
    transaction.execute(VERSIONS, [])?;
    let found = versions(&transaction)?;
    for migration in pending(&found, migrations)? {
        step(&transaction, migration).map_err(|source| MigrateError::Failed {
            service: migration.service,
            version: migration.version,
            source: source.into(),
        })?;
    }
    Ok(transaction.commit()?)
}

fn versions(connection: &Connection) -> Result<Vec<(String, i64)>, rusqlite::Error> {
    let mut rows = connection.prepare(SELECT_VERSIONS)?;
    rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// The steps that a database with the versions `found` still needs, in order.
pub(crate) fn pending<'a>(
    found: &[(String, i64)],
    migrations: &[&'a [Migration]],
) -> Result<Vec<&'a Migration>, MigrateError> {
    let all = || migrations.iter().copied().flatten();
    for (service, found) in found {
        let of_service = all().filter(|m| m.service == service);
        let known = of_service.map(|m| m.version).max().unwrap_or(0);
        if *found > i64::from(known) {
            return Err(MigrateError::Newer {
                service: service.clone(),
                found: *found,
                known,
            });
        }
    }
    let done = |m: &Migration| {
        let of_service = found.iter().find(|(service, _)| service == m.service);
        of_service.is_some_and(|(_, version)| *version >= i64::from(m.version))
    };
    Ok(all().filter(|m| !done(m)).collect())
}

fn step(transaction: &Connection, migration: &Migration) -> Result<(), rusqlite::Error> {
    transaction.execute_batch(&migration.for_sqlite())?;
    transaction.execute(RECORD_VERSION, (migration.service, migration.version))?;
    Ok(())
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
        assert_eq!(versions(&connection).unwrap(), [("shop".into(), 2)]);
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
    fn a_failed_step_undoes_those_before_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &[&[ONE]]).unwrap();
        let broken = Migration {
            service: "shop",
            version: 3,
            sql: "CREATE TABLE shop_c (id BIGINT); NONSENSE",
        };
        assert!(migrate(&mut connection, &[&[ONE, TWO, broken]]).is_err());
        assert_eq!(versions(&connection).unwrap(), [("shop".into(), 1)]);
        assert!(connection.execute("INSERT INTO shop_b VALUES (1)", []).is_err());
    }
}
