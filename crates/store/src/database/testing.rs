//! Databases for tests, so that one suite runs on both kinds.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Runtime;

use super::{Database, PostgresUrl};
use crate::migrate::Migration;

/// Where the tests find a PostgreSQL server they may fill; `cargo xtask test` starts one.
pub(crate) const SERVER: &str = "TRADEWIND_TEST_POSTGRES";
/// Set to `postgres`, it puts the tests of services on that server.
const BACKEND: &str = "TRADEWIND_TEST_BACKEND";
/// Set by `cargo xtask test`, where a missing server is a failure.
const REQUIRED: &str = "TRADEWIND_TEST_POSTGRES_REQUIRED";

/// The address of a schema of its own on the test server; nothing if there is no server.
///
/// # Panics
/// When the server is required and absent, or does not let us in.
pub(crate) async fn fresh_schema() -> Option<PostgresUrl> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let Ok(server) = std::env::var(SERVER) else {
        assert!(std::env::var(REQUIRED).is_err(), "{SERVER} is not set");
        skipped();
        return None;
    };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    let (client, connection) = tokio_postgres::connect(&server, tokio_postgres::NoTls)
        .await
        .expect("the test server lets us in");
    let make = format!("DROP SCHEMA IF EXISTS {name} CASCADE; CREATE SCHEMA {name}");
    let made = async {
        client.batch_execute(&make).await.expect("a schema can be made");
        drop(client);
    };
    let (ended, ()) = tokio::join!(connection, made);
    ended.expect("the connection ends when it is told to");
    let mark = if server.contains('?') { '&' } else { '?' };
    Some(PostgresUrl::new(format!(
        "{server}{mark}options=-csearch_path%3D{name}"
    )))
}

#[expect(
    clippy::print_stdout,
    reason = "who runs the tests must see that some did not run"
)]
fn skipped() {
    println!("skipped: {SERVER} names no PostgreSQL server");
}

/// The database for a service's test, if it was asked to run on the server.
pub(super) fn on_the_server(migrations: &[&[Migration]]) -> Option<Database> {
    if std::env::var(BACKEND).is_ok_and(|backend| backend == "postgres") {
        // Also callers without a runtime, and callers inside one, get theirs.
        let open = || runtime().block_on(open(migrations));
        return std::thread::scope(|scope| scope.spawn(open).join().expect("the database opens"));
    }
    None
}

async fn open(migrations: &[&[Migration]]) -> Option<Database> {
    let url = fresh_schema().await?;
    let database = Database::open_postgres(&url, migrations).await;
    Some(database.expect("a fresh schema takes the migrations"))
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime starts")
    })
}
