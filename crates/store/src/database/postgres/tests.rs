//! What only a server can do: be away, refuse, cut connections, and serve another node.

use tokio_postgres::{Client, NoTls};

use super::*;
use crate::database::testing::{SERVER, fresh_schema};
use crate::database::tests::{COUNT, SCHEMA, insert};
use crate::database::{Backend, Database, PostgresUrl};

async fn open(url: &PostgresUrl) -> Result<Database, DatabaseError> {
    Database::open_postgres(url, &[SCHEMA]).await
}

/// A connection of somebody else to the same schema, which ends with the test's runtime.
async fn somebody(url: &PostgresUrl) -> (Client, tokio::task::JoinSet<()>) {
    let (client, connection) = tokio_postgres::connect(&url.0, NoTls).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { drop(connection.await) });
    (client, tasks)
}

/// A transaction beside the lane.
async fn rename(database: &Database, name: &'static str) -> Result<(), DatabaseError> {
    let Backend::Postgres(postgres) = database.backend() else {
        panic!("the database is on a server")
    };
    let call = move |session: &Session| {
        assert_ne!(name, "panic", "as asked");
        let set: Vec<Parameter<'_>> = vec![(&name, tokio_postgres::types::Type::TEXT)];
        session
            .execute("UPDATE shop_items SET name = $1", &[set])
            .map(drop)
    };
    postgres.transact(call, |()| ()).await
}

/// Whoever gets the connection next is not inside the transaction.
#[tokio::test]
async fn a_panic_inside_a_transaction_undoes_it() {
    let Some(url) = fresh_schema().await else { return };
    let database = open(&url).await.unwrap();
    database.write(insert("mug")).await.unwrap();
    for _ in 0..20 {
        assert!(rename(&database, "panic").await.is_err());
    }
    rename(&database, "cup").await.unwrap();
    let rows = database
        .read("SELECT name FROM shop_items", vec![])
        .await
        .unwrap();
    assert_eq!(rows[0].text(0).unwrap(), "cup");
}

fn refusal(outcome: Result<Database, DatabaseError>) -> (DatabaseError, String) {
    let error = outcome.unwrap_err();
    let text = error.to_string();
    assert!(!text.contains("hunter2"), "{text}");
    (error, text)
}

#[tokio::test]
async fn a_server_that_is_away_is_named() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let url = PostgresUrl::new(format!("postgres://me:hunter2@{address}/shop"));
    let (error, text) = refusal(open(&url).await);
    assert!(matches!(error, DatabaseError::Unreachable { .. }), "{error:?}");
    assert!(text.contains(&format!("{address}/shop")), "{text}");
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_are_told_apart() {
    let Some(url) = fresh_schema().await else { return };
    let (admin, _tasks) = somebody(&url).await;
    let role = format!("guest_{}", std::process::id());
    let make = format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD 'right'");
    admin.batch_execute(&make).await.unwrap();
    let server = std::env::var(SERVER).unwrap();
    let (_, place) = server.split_once('@').unwrap();
    let wrong = PostgresUrl::new(format!("postgres://{role}:hunter2@{place}"));
    let (error, text) = refusal(open(&wrong).await);
    assert!(matches!(error, DatabaseError::Denied { .. }), "{error:?}");
    assert!(text.contains(&role), "{text}");
    admin.batch_execute(&format!("DROP ROLE {role}")).await.unwrap();

    let nowhere = PostgresUrl::new(server.replace("/postgres", "/no_such_database"));
    let (error, text) = refusal(open(&nowhere).await);
    assert!(matches!(error, DatabaseError::NoSuchDatabase { .. }), "{error:?}");
    assert!(text.contains("no_such_database"), "{text}");
}

#[tokio::test]
async fn a_second_node_is_kept_out_until_the_first_has_gone() {
    let Some(url) = fresh_schema().await else { return };
    let first = open(&url).await.unwrap();
    let (error, text) = refusal(open(&url).await);
    assert!(matches!(error, DatabaseError::InUse { .. }), "{error:?}");
    assert!(
        text.contains(&format!("process {}", std::process::id())),
        "{text}"
    );
    first.write(insert("mug")).await.unwrap();
    drop(first);
    let second = open(&url).await.unwrap();
    assert_eq!(
        second.read(COUNT, vec![]).await.unwrap()[0].integer(0).unwrap(),
        1
    );
}

/// The first node was cut off for long enough, or its machine slept: it finds out when it writes.
#[tokio::test]
async fn a_node_that_lost_its_lease_writes_no_more() {
    let Some(url) = fresh_schema().await else { return };
    let first = open(&url).await.unwrap();
    first.write(insert("mug")).await.unwrap();
    let (admin, _tasks) = somebody(&url).await;
    let lapse = "UPDATE tradewind_lease SET expires_at = 0";
    admin.batch_execute(lapse).await.unwrap();
    let second = open(&url).await.unwrap();
    let error = first.write(insert("cup")).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Superseded), "{error:?}");
    let error = rename(&first, "bowl").await.unwrap_err();
    assert!(matches!(error, DatabaseError::Superseded), "{error:?}");
    second.write(insert("pot")).await.unwrap();
    let rows = second
        .read("SELECT name FROM shop_items ORDER BY name", vec![])
        .await
        .unwrap();
    let names: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert_eq!(names, ["mug", "pot"]);
}

#[tokio::test]
async fn connections_that_are_cut_are_made_anew() {
    let Some(url) = fresh_schema().await else { return };
    let (admin, _tasks) = somebody(&url).await;
    let name = format!("cut_{}", std::process::id());
    let database = open(&PostgresUrl::new(format!("{}&application_name={name}", url.0)))
        .await
        .unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
    for round in 0..5 {
        database.write(insert(&format!("item-{round}"))).await.unwrap();
        let rows = database.read(COUNT, vec![]).await.unwrap();
        assert_eq!(rows[0].integer(0).unwrap(), round + 1);
        assert!(admin.execute(cut, &[&name]).await.unwrap() > 1);
    }
}

/// Rows that others change at the same time make a transaction run again, not fail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicts_with_others_are_tried_again() {
    let Some(url) = fresh_schema().await else { return };
    let database = open(&url).await.unwrap();
    database.write(insert("mug")).await.unwrap();
    let (other, _tasks) = somebody(&url).await;
    let add = "UPDATE shop_items SET stock = stock + 1 WHERE name = 'mug'";
    let theirs = async {
        for _ in 0..50 {
            other.batch_execute(add).await.unwrap();
        }
    };
    let ours = async {
        for _ in 0..50 {
            database
                .write(Batch::new().require(add, vec![], 1))
                .await
                .unwrap();
        }
    };
    tokio::join!(theirs, ours);
    let stock = "SELECT stock FROM shop_items";
    assert_eq!(
        database.read(stock, vec![]).await.unwrap()[0].integer(0).unwrap(),
        101
    );
}
