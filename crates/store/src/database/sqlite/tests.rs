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
