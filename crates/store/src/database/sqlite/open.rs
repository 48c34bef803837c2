//! Opening an SQLite file: what is refused, and how its connections are set.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::{Location, Migration, vfs};
use crate::database::DatabaseError;
use crate::migrate::{MigrateError, migrate};

/// How long a statement waits for another connection's lock.
pub(super) const BUSY: Duration = Duration::from_secs(10);
/// Prepared statements a connection keeps.
const STATEMENTS: usize = 128;
/// Pages that the writer keeps in memory, in KiB. What a busy queue touches fits: its first and last messages, and
/// the pages above them.
const CACHE_KIB: i64 = 16 * 1024;
/// Pages in the log after which the writer itself merges it into the file: 16 MiB. Pages that change again and again
/// are merged once then, and two more syncs are shared by more commits.
const LOG_PAGES: i64 = 4_096;

/// Opens (or makes) the file, checks it and migrates its schema.
pub(super) fn open_writer(path: &Path, migrations: &[&[Migration]]) -> Result<Connection, DatabaseError> {
    let open = |source| DatabaseError::Open {
        path: path.into(),
        source,
    };
    refuse_other_files(path)?;
    make_private(path);
    let mut connection = open_file(path, OpenFlags::default()).map_err(open)?;
    check(&connection, path)?;
    configure(&connection)?;
    take_over_log(&connection)?;
    migrate(&mut connection, migrations).map_err(of_migration)?;
    Ok(connection)
}

/// A full or failing disk is none of the migration's faults.
fn of_migration(error: MigrateError) -> DatabaseError {
    let source = match &error {
        MigrateError::Versions(source) => Some(source),
        MigrateError::Failed { source, .. } => source.downcast_ref::<rusqlite::Error>(),
        MigrateError::Newer { .. } => None,
    };
    match source.and_then(DatabaseError::of_disk) {
        Some(of_disk) => of_disk,
        None => error.into(),
    }
}

/// A connection that only merges the log into the file. It waits for nobody.
pub(super) fn open_for_checkpoints(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_WRITE;
    let connection = open_file(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

/// What is deleted is blanked where it stood, and nothing is written to files beside the database: neither by
/// large transactions nor by large sorts.
fn open_file(path: &Path, flags: OpenFlags) -> Result<Connection, rusqlite::Error> {
    let way = vfs::name().expect("SQLite takes one more way to its files, as long as there is memory");
    let connection = Connection::open_with_flags_and_vfs(path, flags, way)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

pub(super) fn open_reader(location: &Location) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX;
    match location {
        Location::File(path) => {
            let connection = open_file(path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(BUSY)?;
            Ok(connection)
        }
        Location::Memory(name) => {
            let write = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
            let connection = Connection::open_with_flags(name, flags | write | OpenFlags::SQLITE_OPEN_URI)?;
            connection.pragma_update(None, "read_uncommitted", true)?;
            Ok(connection)
        }
    }
}

/// A new file is for this user alone, and with it what SQLite puts beside it: it holds environments of
/// functions, messages and small objects. If it cannot be made, opening it says why.
fn make_private(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let new = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    if let Err(error) = new {
        tracing::trace!(%error, "the database is there, or cannot be made");
    }
}

/// SQLite takes a file of less than a page for a new database and would write over it. With a
/// write-ahead log beside it the file's own content does not matter: the log restores it.
fn refuse_other_files(path: &Path) -> Result<(), DatabaseError> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let has_log = path
        .with_extension("db-wal")
        .metadata()
        .is_ok_and(|log| log.len() > 0);
    let Ok(mut file) = std::fs::File::open(path) else {
        return Ok(());
    };
    let mut start = Vec::new();
    let read = std::io::Read::take(&mut file, MAGIC.len() as u64).read_to_end(&mut start);
    if has_log || read.is_err() || start.is_empty() || start == MAGIC {
        return Ok(());
    }
    Err(corrupt(path, "it is not an SQLite database".into()))
}

/// What damage shows itself without reading all rows: the header, the schema, a file that was cut off,
/// and the first page of every table. The rest is [`check_all`]'s.
fn check(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    let told = |error: rusqlite::Error| match is_corrupt(&error) {
        true => corrupt(path, error.to_string()),
        false => DatabaseError::Open {
            path: path.into(),
            source: error,
        },
    };
    let tables = tables(connection).map_err(told)?;
    refuse_cut_off(connection, path)?;
    refuse_auto_vacuum(connection, path)?;
    for table in tables {
        let first = format!("SELECT 1 FROM \"{}\" LIMIT 1", table.replace('"', "\"\""));
        connection
            .query_row(&first, [], |_| Ok(()))
            .optional()
            .map_err(told)?;
    }
    Ok(())
}

fn tables(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut tables = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    tables.query_map([], |row| row.get(0))?.collect()
}

/// SQLite itself would notice only when it needs a page that is no longer there. What the log holds may
/// be missing from the file.
fn refuse_cut_off(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, u32>(0));
    let expected = u64::from(number("page_count")?) * u64::from(number("page_size")?);
    let there = [path.into(), path.with_extension("db-wal")]
        .iter()
        .filter_map(|file: &std::path::PathBuf| file.metadata().ok())
        .map(|file| file.len())
        .sum::<u64>();
    match there < expected {
        true => Err(corrupt(path, format!("{there} bytes are left of {expected}"))),
        false => Ok(()),
    }
}

/// Pages that say where others belong: what blanks stale pages would blank them, too. No file of a node has them.
fn refuse_auto_vacuum(connection: &Connection, path: &Path) -> Result<(), DatabaseError> {
    let mode: u32 = connection.pragma_query_value(None, "auto_vacuum", |row| row.get(0))?;
    match mode {
        0 => Ok(()),
        _ => Err(corrupt(
            path,
            "it has `PRAGMA auto_vacuum` on, which no node does".into(),
        )),
    }
}

/// Reads the whole file and says what is wrong with it; nothing if it is sound.
pub(super) fn check_all(connection: &Connection) -> Result<Option<String>, rusqlite::Error> {
    let answer: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok(Some(answer).filter(|answer| answer != "ok"))
}

fn corrupt(path: &Path, detail: String) -> DatabaseError {
    DatabaseError::Corrupt {
        path: path.into(),
        detail,
    }
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// What another process left in the log goes into the file and is synced there, before anything is added
/// behind it: after a sync that failed, what can be read of the log need not be on the disk.
fn take_over_log(connection: &Connection) -> Result<(), DatabaseError> {
    let blocked = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
    match blocked.map_err(DatabaseError::from) {
        Ok(0_i64) => Ok(()),
        Ok(_) => {
            let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
            let why = "another program reads the database; end that first".to_owned();
            Err(rusqlite::Error::SqliteFailure(busy, Some(why)).into())
        }
        // what makes room must be possible; the log is copied as soon as there is some
        Err(DatabaseError::DiskFull) => Ok(()),
        Err(other) => Err(other),
    }
}

fn configure(connection: &Connection) -> Result<(), DatabaseError> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}
