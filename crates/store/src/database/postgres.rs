//! PostgreSQL 15 or newer: one lane of writes with group commit, and a pool for reads.
//!
//! Invariants:
//! - A node's batches run in the order of their commits, as on SQLite: one lane writes them, and what
//!   waits together shares one transaction. Across nodes the isolation is SERIALIZABLE.
//! - A transaction of the lane holds the node's lease row: once another node has taken the lease, nothing
//!   of this node commits any more.
//! - A commit whose answer was lost is never reported as done nor as undone, but as
//!   [`DatabaseError::Uncertain`]; everything before a commit is tried again.

mod connect;
mod lease;
mod schema;
mod session;
mod value;
mod writer;

use deadpool_postgres::{Object, Pool};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::connect::Server;
use self::lease::Lease;
pub(crate) use self::session::{Parameter, Session};
use self::value::row_of;
use self::writer::{Job, Writer};
use super::DatabaseError;
use super::batch::Batch;
use crate::migrate::Migration;
use crate::value::{Row, SqlValue};

/// Batches that may wait for the writer; a full queue makes callers wait.
const WAITING_JOBS: usize = 1024;

/// A server, the lane that writes to it and the lease that allows it to. When the last handle goes, the
/// lane finishes what it was given and the lease ends.
pub(crate) struct Postgres {
    pool: Pool,
    fence: i64,
    writer: mpsc::Sender<Job>,
    _tasks: TaskTracker,
    _renewing: DropGuard,
}

impl Postgres {
    pub(super) async fn open(url: &str, migrations: &[&[Migration]]) -> Result<Self, DatabaseError> {
        let server = Server::parse(url)?;
        let pool = server.pool()?;
        server.check(&pool).await?;
        let lease = Lease::take(&server, &pool).await?;
        schema::migrate(&pool, &lease, migrations).await?;
        Ok(Self::start(pool, lease))
    }

    fn start(pool: Pool, lease: Lease) -> Self {
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let (writer, jobs) = mpsc::channel(WAITING_JOBS);
        let fence = lease.fence();
        tasks.spawn(Writer::new(pool.clone(), fence).run(jobs));
        tasks.spawn(lease.keep(pool.clone(), stop.clone()));
        Self {
            pool,
            fence,
            writer,
            _tasks: tasks,
            _renewing: stop.drop_guard(),
        }
    }

    pub(super) async fn write(&self, batch: Batch) -> Result<Vec<u64>, DatabaseError> {
        let (done, answer) = oneshot::channel();
        let sent = self.writer.send(Job { batch, done }).await;
        sent.map_err(|_gone| DatabaseError::Closed)?;
        answer.await.map_err(|_gone| DatabaseError::Closed)?
    }

    pub(super) async fn read(
        &self,
        sql: &'static str,
        params: Vec<SqlValue>,
    ) -> Result<Vec<Row>, DatabaseError> {
        value::check_count(sql, &params)?;
        let client = self.client().await?;
        let types: Vec<_> = params.iter().map(value::parameter_type).collect();
        let statement = client.prepare_typed_cached(sql, &types).await?;
        let references = value::references(&params);
        let rows = client.query(&statement, &references).await?;
        rows.iter().map(row_of).collect()
    }

    /// A connection for statements of a hot path that has its own form on PostgreSQL. They run beside
    /// the lane.
    async fn client(&self) -> Result<Object, DatabaseError> {
        connect::checkout(&self.pool).await
    }
}

#[cfg(test)]
mod tests;
