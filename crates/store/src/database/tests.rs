use super::*;

pub(super) const SCHEMA: &[Migration] = &[Migration {
    service: "shop",
    version: 1,
    sql: "CREATE TABLE shop_items (name TEXT PRIMARY KEY, stock BIGINT NOT NULL)",
}];
const INSERT: &str = "INSERT INTO shop_items (name, stock) VALUES ($1, $2)";
const TAKE: &str = "UPDATE shop_items SET stock = stock - 1 WHERE name = $1 AND stock > 0";
pub(super) const COUNT: &str = "SELECT COUNT(*) FROM shop_items";

pub(super) fn insert(name: &str) -> Batch {
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
