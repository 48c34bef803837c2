//! What every database must do, tried on each: a file of SQLite, and PostgreSQL where a server is given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::migrate::MigrateError;

pub(super) const SCHEMA: &[Migration] = &[Migration {
    service: "shop",
    version: 1,
    sql: "CREATE TABLE shop_items (name TEXT PRIMARY KEY, stock BIGINT NOT NULL, picture BLOB)",
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

/// A database that can be opened more than once.
pub(crate) enum TestDatabase {
    File(tempfile::TempDir),
    Server(PostgresUrl),
}

impl TestDatabase {
    fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    async fn server() -> Option<Self> {
        testing::fresh_schema().await.map(Self::Server)
    }

    async fn try_open(&self, migrations: &[&[Migration]]) -> Result<Database, DatabaseError> {
        match self {
            Self::File(folder) => Database::open(&folder.path().join("node.db"), migrations),
            Self::Server(url) => Database::open_postgres(url, migrations).await,
        }
    }

    pub(crate) async fn open(&self, migrations: &[&[Migration]]) -> Database {
        self.try_open(migrations).await.unwrap()
    }

    async fn shop(&self) -> Database {
        self.open(&[SCHEMA]).await
    }
}

macro_rules! on_every_database {
    ($($test:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(super::TestDatabase::file()).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(server) = super::TestDatabase::server().await {
                    super::$test(server).await;
                }
            })*
        }
    };
}

on_every_database! {
    what_was_written_is_there_after_reopening
    a_batch_is_all_or_nothing
    a_requirement_that_fails_undoes_its_batch
    failing_batches_leave_their_neighbours_alone
    parameters_are_bound_by_number
    values_come_back_as_they_went_in
    text_is_ordered_by_its_bytes
    sums_and_comparisons_are_integers
    hooks_follow_a_commit_and_only_a_commit
    writes_run_in_the_order_they_were_given
    nobody_takes_what_is_not_there
    what_the_database_does_not_understand_harms_nobody
    migrations_run_once_and_in_order
    a_newer_schema_is_refused
    a_failed_migration_leaves_the_schema_of_before
}

async fn what_was_written_is_there_after_reopening(test: TestDatabase) {
    let database = test.shop().await;
    database.write(insert("mug")).await.unwrap();
    drop(database);
    let database = test.shop().await;
    let rows = database
        .read("SELECT name, stock FROM shop_items", vec![])
        .await
        .unwrap();
    assert_eq!(rows[0].text(0).unwrap(), "mug");
    assert_eq!(rows[0].integer(1).unwrap(), 1);
}

async fn a_batch_is_all_or_nothing(test: TestDatabase) {
    let database = test.shop().await;
    database.write(insert("mug")).await.unwrap();
    let twice = insert("cup").run(INSERT, vec!["mug".into(), 1_i64.into()]);
    assert!(database.write(twice).await.is_err());
    assert_eq!(count(&database).await, 1);
    let two = insert("cup").run("DELETE FROM shop_items", vec![]);
    assert_eq!(database.write(two).await.unwrap(), [1, 2]);
}

async fn a_requirement_that_fails_undoes_its_batch(test: TestDatabase) {
    let database = test.shop().await;
    database.write(insert("mug")).await.unwrap();
    let take = |name: &str| insert(name).require(TAKE, vec!["mug".into()], 1);
    database.write(take("cup")).await.unwrap();
    let error = database.write(take("pot")).await.unwrap_err();
    assert!(
        matches!(
            error,
            DatabaseError::Unexpected {
                statement: 1,
                rows: 0
            }
        ),
        "{error}"
    );
    assert_eq!(count(&database).await, 2, "no pot");
}

async fn failing_batches_leave_their_neighbours_alone(test: TestDatabase) {
    let database = test.shop().await;
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

async fn parameters_are_bound_by_number(test: TestDatabase) {
    let database = test.shop().await;
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
    let too_few = Batch::new().run(set, vec!["mug".into()]);
    assert!(database.write(too_few).await.is_err());
}

async fn values_come_back_as_they_went_in(test: TestDatabase) {
    let database = test.shop().await;
    let put = "INSERT INTO shop_items (name, stock, picture) VALUES ($1, $2, $3)";
    let picture: Vec<u8> = (0..=255).collect();
    let rows = [
        ("Ünïcödé ☕ '\"\\", i64::MIN, SqlValue::Blob(picture)),
        ("nothing", i64::MAX, SqlValue::Null),
        ("empty", 0, SqlValue::Blob(vec![])),
    ];
    for (name, stock, picture) in rows {
        let given = vec![name.into(), stock.into(), picture];
        database
            .write(Batch::new().run(put, given.clone()))
            .await
            .unwrap();
        let get = "SELECT name, stock, picture FROM shop_items WHERE name = $1";
        let found = database.read(get, vec![name.into()]).await.unwrap();
        assert_eq!(found, [Row(given)]);
    }
}

/// Lists of keys depend on it, and a server may be set to any language.
async fn text_is_ordered_by_its_bytes(test: TestDatabase) {
    let database = test.shop().await;
    let names = ["B", "Z", "_", "a", "a/b", "aa", "b", "~", "é", "日本"];
    for name in names.iter().rev() {
        database.write(insert(name)).await.unwrap();
    }
    let list = "SELECT name FROM shop_items WHERE name > $1 ORDER BY name";
    let rows = database.read(list, vec!["".into()]).await.unwrap();
    let listed: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert_eq!(listed, names);
    let after = database.read(list, vec!["a0".into()]).await.unwrap();
    assert_eq!(after[0].text(0).unwrap(), "aa");
}

async fn sums_and_comparisons_are_integers(test: TestDatabase) {
    let database = test.shop().await;
    for name in ["mug", "cup"] {
        let batch = Batch::new().run(INSERT, vec![name.into(), 50_000_i64.into()]);
        database.write(batch).await.unwrap();
    }
    let sql = "SELECT SUM(stock), COUNT(*), MAX(stock) = 50000, COALESCE(SUM(stock), 0) - 1, \
               EXISTS (SELECT 1 FROM shop_items WHERE stock = $1) FROM shop_items";
    let row = &database.read(sql, vec![1_i64.into()]).await.unwrap()[0];
    let found: Vec<_> = (0..5).map(|column| row.integer(column).unwrap()).collect();
    assert_eq!(found, [100_000, 2, 1, 99_999, 0]);
}

async fn hooks_follow_a_commit_and_only_a_commit(test: TestDatabase) {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&calls);
    let database = test.shop().await;
    let batch = || {
        let counted = Arc::clone(&counted);
        insert("mug").after_commit(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        })
    };
    database.write(batch()).await.unwrap();
    assert!(database.write(batch()).await.is_err(), "there is a mug");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

async fn writes_run_in_the_order_they_were_given(test: TestDatabase) {
    let database = test.shop().await;
    database.write(insert("mug")).await.unwrap();
    let set = "UPDATE shop_items SET stock = $2 WHERE name = $1 AND stock = $2 - 1";
    let writes = (2..60_i64).map(|stock| {
        let batch = Batch::new().require(set, vec!["mug".into(), stock.into()], 1);
        database.write(batch)
    });
    for outcome in futures_util::future::join_all(writes).await {
        outcome.unwrap();
    }
}

async fn nobody_takes_what_is_not_there(test: TestDatabase) {
    let database = test.shop().await;
    let stock = Batch::new().run(INSERT, vec!["mug".into(), 30_i64.into()]);
    database.write(stock).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let database = database.clone();
        let take = Batch::new().require(TAKE, vec!["mug".into()], 1);
        tasks.spawn(async move { database.write(take).await.is_ok() });
    }
    let taken = tasks.join_all().await.into_iter().filter(|ok| *ok).count();
    assert_eq!(taken, 30);
}

async fn what_the_database_does_not_understand_harms_nobody(test: TestDatabase) {
    let database = test.shop().await;
    let wrong = database.write(insert("mug").run("UPDATE nothing SET x = 1", vec![]));
    let right = database.write(insert("cup"));
    let (wrong, right) = tokio::join!(wrong, right);
    assert!(wrong.is_err());
    right.unwrap();
    assert_eq!(count(&database).await, 1);
    assert!(database.read("SELECT nonsense", vec![]).await.is_err());
    assert_eq!(count(&database).await, 1);
}

fn later(version: u32, sql: &'static str) -> Migration {
    Migration {
        service: "shop",
        version,
        sql,
    }
}

async fn migrations_run_once_and_in_order(test: TestDatabase) {
    let add = later(
        2,
        "ALTER TABLE shop_items ADD COLUMN shelf TEXT NOT NULL DEFAULT 'TEXT'",
    );
    drop(test.shop().await);
    for _ in 0..2 {
        let database = test.open(&[&[SCHEMA[0], add]]).await;
        assert_eq!(count(&database).await, 0);
    }
    let database = test.open(&[&[SCHEMA[0], add]]).await;
    database.write(insert("mug")).await.unwrap();
    let shelf = database
        .read("SELECT shelf FROM shop_items", vec![])
        .await
        .unwrap();
    assert_eq!(shelf[0].text(0).unwrap(), "TEXT");
}

async fn a_newer_schema_is_refused(test: TestDatabase) {
    let two = later(2, "CREATE TABLE shop_more (id BIGINT)");
    drop(test.open(&[&[SCHEMA[0], two]]).await);
    let error = test.try_open(&[SCHEMA]).await.unwrap_err();
    let DatabaseError::Migrate(MigrateError::Newer { found, known, .. }) = error else {
        panic!("{error}");
    };
    assert_eq!((found, known), (2, 1));
}

async fn a_failed_migration_leaves_the_schema_of_before(test: TestDatabase) {
    drop(test.shop().await);
    let more = later(2, "CREATE TABLE shop_more (id BIGINT)");
    let broken = later(3, "CREATE TABLE shop_most (id BIGINT); NONSENSE");
    let error = test.try_open(&[&[SCHEMA[0], more, broken]]).await.unwrap_err();
    assert!(
        error.to_string().contains("migration 3 of `shop` failed"),
        "{error}"
    );
    drop(test.open(&[SCHEMA]).await);
    let mended = later(3, "CREATE TABLE shop_most (id BIGINT)");
    let database = test.open(&[&[SCHEMA[0], more, mended]]).await;
    assert_eq!(count(&database).await, 0);
}
