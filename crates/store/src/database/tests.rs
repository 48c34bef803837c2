use super::*;

const SCHEMA: &[Migration] = &[Migration {
    service: "shop",
    version: 1,
    sql: "CREATE TABLE shop_items (name TEXT PRIMARY KEY, stock BIGINT NOT NULL)",
}];
const INSERT: &str = "INSERT INTO shop_items (name, stock) VALUES ($1, $2)";
const TAKE: &str = "UPDATE shop_items SET stock = stock - 1 WHERE name = $1 AND stock > 0";
const COUNT: &str = "SELECT COUNT(*) FROM shop_items";

fn insert(name: &str) -> Batch {
    Batch::new().run(INSERT, vec![name.into(), 1_i64.into()])
}

async fn count(database: &Database) -> i64 {
    database.read(COUNT, vec![]).await.unwrap()[0].integer(0).unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("node.db");
    let database = Database::open(&path, &[SCHEMA]).unwrap();
    database.write(insert("mug")).await.unwrap();
    drop(database);
    let database = Database::open(&path, &[SCHEMA]).unwrap();
    let rows = database
        .read("SELECT name, stock FROM shop_items", vec![])
        .await
        .unwrap();
    assert_eq!(rows[0].text(0).unwrap(), "mug");
    assert_eq!(rows[0].integer(1).unwrap(), 1);
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let database = Database::in_memory_for_tests(&[SCHEMA]);
    database.write(insert("mug")).await.unwrap();
    let twice = insert("cup").run(INSERT, vec!["mug".into(), 1_i64.into()]);
    assert!(database.write(twice).await.is_err());
    assert_eq!(count(&database).await, 1);
}

#[tokio::test]
async fn a_requirement_that_fails_undoes_its_batch() {
    let database = Database::in_memory_for_tests(&[SCHEMA]);
    database.write(insert("mug")).await.unwrap();
    let take = || Batch::new().require(TAKE, vec!["mug".into()], 1);
    database.write(take()).await.unwrap();
    let error = database.write(take()).await.unwrap_err();
    assert!(
        matches!(
            error,
            DatabaseError::Unexpected {
                statement: 0,
                rows: 0
            }
        ),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_batches_leave_their_neighbours_alone() {
    let dir = tempfile::tempdir().unwrap();
    let database = Database::open(&dir.path().join("node.db"), &[SCHEMA]).unwrap();
    database.write(insert("taken")).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..200 {
        let database = database.clone();
        let name = if i % 5 == 0 {
            "taken".to_owned()
        } else {
            format!("item-{i}")
        };
        tasks.spawn(async move { database.write(insert(&name)).await.is_ok() });
    }
    let good = tasks.join_all().await.into_iter().filter(|ok| *ok).count();
    assert_eq!(good, 160);
    assert_eq!(count(&database).await, 161);
}

#[test]
fn what_a_full_disk_undoes_is_acknowledged_to_nobody() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection, &[SCHEMA]).unwrap();
    connection.pragma_update(None, "max_page_count", 8).unwrap();
    let huge = "x".repeat(64 * 1024);
    let job = |name: &str| Job {
        batch: insert(name),
        done: oneshot::channel().0,
    };
    let jobs = [job("before"), job(&huge), job("after")];
    let error = commit_together(&mut connection, &jobs).unwrap_err();
    assert!(matches!(error, DatabaseError::DiskFull), "{error}");
    let left: i64 = connection.query_row(COUNT, [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "what was refused must not be there");
    let small = commit_together(&mut connection, &[job("later")]).unwrap();
    assert!(small[0].is_ok());
}

#[tokio::test]
async fn a_query_nobody_waits_for_holds_its_reader() {
    let database = Database::in_memory_for_tests(&[SCHEMA]);
    let no_reader_yet = database.shared.idle_readers.lock().unwrap();
    {
        let mut reading = std::pin::pin!(database.read(COUNT, vec![]));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(reading.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(database.shared.reader_slots.available_permits(), READERS - 1);
    drop(no_reader_yet);
    assert_eq!(count(&database).await, 0);
}

#[tokio::test]
async fn parameters_are_bound_by_number() {
    let database = Database::in_memory_for_tests(&[SCHEMA]);
    database.write(insert("mug")).await.unwrap();
    let set = "UPDATE shop_items SET stock = $2 WHERE name = $1";
    database
        .write(Batch::new().require(set, vec!["mug".into(), 7_i64.into()], 1))
        .await
        .unwrap();
    let find = "SELECT $2 || name FROM shop_items WHERE stock = $1";
    let rows = database
        .read(find, vec![7_i64.into(), "a ".into()])
        .await
        .unwrap();
    assert_eq!(rows[0].text(0).unwrap(), "a mug");
    let too_many = Batch::new().run(set, vec!["mug".into(), 1_i64.into(), 2_i64.into()]);
    assert!(database.write(too_many).await.is_err());
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
    let error = Database::open(&path, &[SCHEMA]).unwrap_err();
    assert!(matches!(error, DatabaseError::Corrupt { .. }), "{error}");
}
