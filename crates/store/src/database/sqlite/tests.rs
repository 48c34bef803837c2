use super::writer::commit_together;
use super::*;
use crate::Database;
use crate::database::Backend;
use crate::database::tests::{COUNT, SCHEMA, insert};

#[test]
fn what_a_full_disk_undoes_is_acknowledged_to_nobody() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, &[SCHEMA]).unwrap();
    connection.pragma_update(None, "max_page_count", 8).unwrap();
    let huge = "x".repeat(64 * 1024);
    let job = |name: &str| {
        let batch = insert(name);
        job(move |connection| run_batch(connection, &batch), Vec::new()).0
    };
    let mut jobs = [job("before"), job(&huge), job("after")];
    let error = commit_together(&mut connection, &mut jobs).unwrap_err();
    assert!(matches!(error, DatabaseError::DiskFull), "{error}");
    let left: i64 = connection.query_row(COUNT, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "what was refused must not be there");
    let small = commit_together(&mut connection, &mut [job("later")]).unwrap();
    assert!(small[0].is_ok());
}

fn failed_with(code: std::ffi::c_int) -> DatabaseError {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None).into()
}

#[tokio::test]
async fn after_a_sync_that_failed_nothing_is_written_and_who_waits_for_that_is_told() {
    let database = Sqlite::in_memory(&[SCHEMA]);
    database
        .health
        .note(&failed_with(rusqlite::ffi::SQLITE_IOERR_WRITE));
    database.write(insert("mug")).await.unwrap();
    database
        .health
        .note(&failed_with(rusqlite::ffi::SQLITE_IOERR_FSYNC));
    let error = database.write(insert("jug")).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Unsynced { .. }), "{error}");
    let told = database.failure().await;
    assert!(matches!(told, DatabaseError::Unsynced { .. }), "{told}");
    let rows = Arc::new(database).read(COUNT, vec![]).await.unwrap();
    assert_eq!(rows[0].integer(0).unwrap(), 1);
}

#[test]
fn a_disk_that_fails_is_told_from_a_constraint_and_from_one_that_is_full() {
    use rusqlite::ffi;
    for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_SHMSIZE] {
        assert!(matches!(failed_with(code), DatabaseError::DiskFull), "{code}");
    }
    for code in [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_READ] {
        assert!(matches!(failed_with(code), DatabaseError::Disk { .. }), "{code}");
    }
    let unique = failed_with(ffi::SQLITE_CONSTRAINT_UNIQUE);
    assert!(matches!(unique, DatabaseError::Sqlite(_)), "{unique}");
}

#[tokio::test]
async fn a_query_nobody_waits_for_holds_its_reader() {
    let database = Arc::new(Sqlite::in_memory(&[SCHEMA]));
    let no_reader_yet = database.idle_readers.lock().unwrap();
    {
        let mut reading = std::pin::pin!(database.read(COUNT, vec![]));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(reading.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(database.reader_slots.available_permits(), READERS - 1);
    drop(no_reader_yet);
    let rows = database.read(COUNT, vec![]).await.unwrap();
    assert_eq!(rows[0].integer(0).unwrap(), 0);
}

#[test]
fn a_damaged_file_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.db");
    std::fs::write(
        &path,
        "this is not a database, and long enough to be one by mistake",
    )
    .unwrap();
    let error = Sqlite::open(&path, &[SCHEMA]).err().unwrap();
    assert!(matches!(error, DatabaseError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn a_call_that_fails_undoes_only_itself() {
    let database = Sqlite::in_memory(&[SCHEMA]);
    let add = |connection: &Connection, name: &str| {
        Ok(connection.execute("INSERT INTO shop_items (name, stock) VALUES ($1, 1)", [name])?)
    };
    let fails = database.transact(move |connection| {
        add(connection, "lost")?;
        add(connection, "lost")
    });
    let works = database.transact(move |connection| add(connection, "kept"));
    let (failed, worked) = tokio::join!(fails, works);
    assert!(failed.is_err());
    assert_eq!(worked.unwrap(), 1);
    let names = database
        .transact(|connection| Ok(connection.query_row(COUNT, [], |row| row.get::<_, i64>(0))?))
        .await
        .unwrap();
    assert_eq!(names, 1);
}

/// A file with a thousand rows, and the log merged into it.
async fn filled(path: &Path) {
    let database = Sqlite::open(path, &[SCHEMA]).unwrap();
    for round in 0..10 {
        let batch = (0..100).fold(Batch::new(), |batch, i| {
            let name = format!("{round}-{i}-{}", "x".repeat(200));
            batch.run(
                "INSERT INTO shop_items (name, stock) VALUES ($1, 1)",
                vec![name.into()],
            )
        });
        database.write(batch).await.unwrap();
    }
    // The last connection that closes merges the log into the file.
}

#[tokio::test]
async fn a_file_that_was_cut_off_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.db");
    filled(&path).await;
    let length = path.metadata().unwrap().len();
    assert!(length > 200_000, "{length}");
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(length - 4096).unwrap();
    let error = Sqlite::open(&path, &[SCHEMA]).err().unwrap();
    assert!(matches!(error, DatabaseError::Corrupt { .. }), "{error}");
}

#[test]
fn a_file_that_vacuums_itself_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.db");
    let foreign = rusqlite::Connection::open(&path).unwrap();
    foreign
        .execute_batch("PRAGMA auto_vacuum = INCREMENTAL; CREATE TABLE t (x); INSERT INTO t VALUES (1);")
        .unwrap();
    drop(foreign);
    let before = std::fs::read(&path).unwrap();
    let error = Sqlite::open(&path, &[SCHEMA]).err().unwrap();
    assert!(error.to_string().contains("auto_vacuum"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), before, "it is as it was");
}

#[tokio::test]
async fn a_damaged_table_is_refused_at_once_and_a_damaged_row_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.db");
    filled(&path).await;
    let sound = std::fs::read(&path).unwrap();
    let garble = |from: usize, to: usize| {
        let mut bytes = sound.clone();
        bytes[from..to].fill(0xAA);
        std::fs::write(&path, bytes).unwrap();
    };
    garble(4096, sound.len());
    let error = Sqlite::open(&path, &[SCHEMA]).err().unwrap();
    assert!(matches!(error, DatabaseError::Corrupt { .. }), "{error}");
    garble(sound.len() - 8192, sound.len());
    drop(Sqlite::open(&path, &[SCHEMA]).unwrap());
    let connection = open_reader(&Location::File(path.clone())).unwrap();
    assert!(open::check_all(&connection).is_ok_and(|damage| damage.is_some()));
}

#[tokio::test]
async fn what_is_kept_free_is_for_what_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("node.db"), &[SCHEMA]).unwrap();
    let Backend::Sqlite(sqlite) = database.backend() else {
        panic!("a file is SQLite's");
    };
    database.write(insert("mug").growing()).await.unwrap();
    sqlite.reserve.store(u64::MAX, Ordering::Relaxed);
    let error = database.write(insert("jug").growing()).await.unwrap_err();
    assert!(matches!(error, DatabaseError::DiskFull), "{error}");
    database.write(insert("note that the mug goes")).await.unwrap();
    let handed_on = insert("what the mug became").growing().making_room();
    database.write(handed_on).await.unwrap();
    let delete = Batch::new().require("DELETE FROM shop_items WHERE name = $1", vec!["mug".into()], 1);
    database.write(delete).await.unwrap();
}

#[test]
fn what_is_stored_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("node.db"), &[SCHEMA]).unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let file = entry.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{:?}", file.file_name());
    }
    drop(database);
}

/// Rows of which most are deleted or changed, in an order that moves the rest about; the canaries that are left.
async fn churned(database: &Database) -> std::collections::BTreeSet<String> {
    let mut live: Vec<(String, String)> = Vec::new();
    let mut seed = 1_u64;
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % below
    };
    for round in 0..40 {
        let mut batch = Batch::new();
        for i in 0..60 {
            let canary = format!("CANARY{:04}", round * 60 + i);
            // the index of the names has pages of its own
            let name = format!("{:08x}{}", random(1 << 31), canary.repeat(1 + random(90)));
            let picture = canary.repeat(1 + random(if i % 10 == 0 { 2000 } else { 90 }));
            batch = batch.run(
                "INSERT INTO shop_items (name, stock, picture) VALUES ($1, 1, $2)",
                vec![name.clone().into(), picture.into_bytes().into()],
            );
            live.push((name, canary));
        }
        database.write(batch).await.unwrap();
        let mut batch = Batch::new();
        for _ in 0..30 {
            let (changed, _) = live.swap_remove(random(live.len()));
            let to = format!("{:08x}{}", random(1 << 31), "x".repeat(random(900)));
            batch = batch.run(
                "UPDATE shop_items SET name = $2, picture = $3 WHERE name = $1",
                vec![changed.into(), to.into(), vec![b'x'; random(1500)].into()],
            );
        }
        for _ in 0..25 {
            let (gone, _) = live.swap_remove(random(live.len()));
            batch = batch.run("DELETE FROM shop_items WHERE name = $1", vec![gone.into()]);
        }
        database.write(batch).await.unwrap();
    }
    live.into_iter().map(|(_, canary)| canary).collect()
}

/// The canaries in all files of the folder.
fn canaries(folder: &Path) -> std::collections::BTreeSet<String> {
    let files = std::fs::read_dir(folder).unwrap();
    let bytes = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let found = bytes.flat_map(|bytes| {
        let canary = |at: &[u8]| {
            // one that goes on in another page is not whole
            let whole = at.starts_with(b"CANARY") && at[6..].iter().all(u8::is_ascii_digit);
            whole.then(|| String::from_utf8_lossy(at).into_owned())
        };
        bytes.windows(10).filter_map(canary).collect::<Vec<_>>()
    });
    found.collect()
}

#[tokio::test]
async fn not_a_byte_of_what_was_deleted_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("node.db"), &[SCHEMA]).unwrap();
    let live = churned(&database).await;
    assert!(database.scrub().await.unwrap());
    let found = canaries(folder.path());
    let left: Vec<_> = found.difference(&live).collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(found, live);
    let connection = open_reader(&Location::File(folder.path().join("node.db"))).unwrap();
    let check: String = connection
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn a_query_that_runs_keeps_the_log_and_its_end_lets_it_go() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.db");
    let database = Database::open(&path, &[SCHEMA]).unwrap();
    database.write(insert("mug")).await.unwrap();
    let reader = open_reader(&Location::File(path.clone())).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count: i64 = reader.query_row(COUNT, [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
    let mut scrub = std::pin::pin!(database.scrub());
    let early = tokio::time::timeout(std::time::Duration::from_millis(300), &mut scrub).await;
    assert!(early.is_err(), "the query still needs the log");
    database.write(insert("jug")).await.unwrap();
    reader.execute_batch("COMMIT").unwrap();
    assert!(scrub.await.unwrap());
    assert_eq!(path.with_extension("db-wal").metadata().unwrap().len(), 0);
}
