//! The lane of writes.
//!
//! What waits together is one transaction. First all of it goes out at once, in one round trip, and is
//! committed if every statement did what it requires. If not, it is undone and run again with a savepoint
//! for each batch, so that only those fail that must.

use std::time::Duration;

use deadpool_postgres::{Object, Pool};
use futures_util::future::join_all;
use tokio::sync::{mpsc, oneshot};

use super::connect::checkout;
use super::value::{check_count, parameter_type};
use crate::database::DatabaseError;
use crate::database::batch::{Batch, Statement};

/// Batches that share one commit at most.
const JOBS_A_COMMIT: usize = 64;
/// How often a transaction is begun again after a conflict or a lost connection.
const ATTEMPTS: u32 = 8;
/// The wait before the second attempt; doubled before each one after it.
const BACKOFF: Duration = Duration::from_millis(5);

const BEGIN: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE";
pub(super) const HOLD_LEASE: &str =
    "SELECT fence FROM tradewind_lease WHERE name = 'node' AND fence = $1 FOR KEY SHARE";

pub(super) struct Job {
    pub(super) batch: Batch,
    pub(super) done: oneshot::Sender<Outcome>,
}

type Outcome = Result<Vec<u64>, DatabaseError>;

pub(super) struct Writer {
    pool: Pool,
    fence: i64,
    client: Option<Object>,
}

/// Why a transaction did not commit.
enum Failure {
    /// Nothing of it happened, and it may be tried again.
    Again(DatabaseError),
    /// It is over for every batch of it.
    Final(DatabaseError),
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let error = DatabaseError::from(error);
        match error {
            DatabaseError::Contended | DatabaseError::Disconnected { .. } => Self::Again(error),
            _ => Self::Final(error),
        }
    }
}

impl Writer {
    pub(super) fn new(pool: Pool, fence: i64) -> Self {
        Self {
            pool,
            fence,
            client: None,
        }
    }

    /// Serves until every handle of the database is gone and nothing waits.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(JOBS_A_COMMIT);
        while jobs.recv_many(&mut waiting, JOBS_A_COMMIT).await > 0 {
            let batches: Vec<&Batch> = waiting.iter().map(|job| &job.batch).collect();
            let outcomes = self.commit(&batches).await;
            waiting
                .drain(..)
                .zip(outcomes)
                .for_each(|(job, outcome)| answer(job, outcome));
        }
    }

    async fn commit(&mut self, batches: &[&Batch]) -> Vec<Outcome> {
        let mut attempt = 0;
        loop {
            match self.attempt(batches).await {
                Ok(outcomes) => return outcomes,
                Err(Failure::Again(_)) if attempt < ATTEMPTS => {
                    tokio::time::sleep(BACKOFF * (1 << attempt)).await;
                    attempt += 1;
                }
                Err(Failure::Again(error) | Failure::Final(error)) => {
                    return batches.iter().map(|_| Err(error.again())).collect();
                }
            }
        }
    }

    async fn attempt(&mut self, batches: &[&Batch]) -> Result<Vec<Outcome>, Failure> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => checkout(&self.pool).await.map_err(Failure::Again)?,
        };
        let outcome = transact(&client, self.fence, batches).await;
        // Outside of a transaction ROLLBACK is only a warning. A connection that cannot even do that must
        // not get back among the others: it may still be inside of one.
        if outcome.is_ok() || client.batch_execute("ROLLBACK").await.is_ok() {
            self.client = Some(client);
        } else {
            drop(Object::take(client));
        }
        outcome
    }
}

async fn transact(client: &Object, fence: i64, batches: &[&Batch]) -> Result<Vec<Outcome>, Failure> {
    Transaction::new(client, fence).await?.run(batches).await
}

fn answer(job: Job, outcome: Outcome) {
    let Job { mut batch, done } = job;
    let hooks = batch.take_hooks();
    if outcome.is_ok() {
        hooks.iter().for_each(|hook| hook());
    }
    // as on SQLite: first what they hold, then the answer
    drop(hooks);
    if done.send(outcome).is_err() {
        tracing::trace!("a caller left before its batch was committed");
    }
}

/// A statement that the server has parsed.
struct Prepared<'a> {
    statement: &'a Statement,
    prepared: tokio_postgres::Statement,
}

struct Transaction<'a> {
    client: &'a Object,
    lease: tokio_postgres::Statement,
    fence: i64,
}

impl<'a> Transaction<'a> {
    async fn new(client: &'a Object, fence: i64) -> Result<Self, Failure> {
        let lease = client.prepare_cached(HOLD_LEASE).await?;
        Ok(Self { client, lease, fence })
    }

    async fn run(&self, batches: &[&Batch]) -> Result<Vec<Outcome>, Failure> {
        let mut prepared = Vec::with_capacity(batches.len());
        for batch in batches {
            prepared.push(self.prepare(batch).await?);
        }
        if let Some(outcomes) = self.at_once(&prepared).await? {
            return Ok(outcomes);
        }
        self.one_by_one(prepared).await
    }

    /// The statements of the batch, or why the server does not take one of them.
    async fn prepare<'b>(
        &self,
        batch: &'b Batch,
    ) -> Result<Result<Vec<Prepared<'b>>, DatabaseError>, Failure> {
        let mut all = Vec::with_capacity(batch.statements.len());
        for statement in &batch.statements {
            if let Err(error) = check_count(statement.sql, &statement.params) {
                return Ok(Err(error));
            }
            let types: Vec<_> = statement.params.iter().map(parameter_type).collect();
            match self.client.prepare_typed_cached(statement.sql, &types).await {
                Ok(prepared) => all.push(Prepared { statement, prepared }),
                Err(error) => return of_this_batch(error).map(Err),
            }
        }
        Ok(Ok(all))
    }

    /// All statements in one round trip and the commit in a second; nothing if any of them did not do
    /// what it should.
    async fn at_once(
        &self,
        batches: &[Result<Vec<Prepared<'_>>, DatabaseError>],
    ) -> Result<Option<Vec<Outcome>>, Failure> {
        let Some(batches) = batches
            .iter()
            .map(|batch| batch.as_ref().ok())
            .collect::<Option<Vec<_>>>()
        else {
            return Ok(None);
        };
        let statements = batches.iter().copied().flatten().map(|s| self.execute(s));
        let (begun, results) = tokio::join!(biased; self.begin(), join_all(statements));
        begun?;
        let good = results
            .iter()
            .zip(batches.iter().copied().flatten())
            .all(|(result, s)| result.as_ref().is_ok_and(|rows| s.statement.accepts(*rows)));
        if !good {
            self.undo(results).await?;
            return Ok(None);
        }
        self.commit().await?;
        let mut rows = results.into_iter().flatten();
        let outcomes = batches
            .iter()
            .map(|batch| Ok(rows.by_ref().take(batch.len()).collect()));
        Ok(Some(outcomes.collect()))
    }

    /// Undoes the transaction; an error that is not a statement's own is passed on.
    async fn undo(&self, results: Vec<Result<u64, tokio_postgres::Error>>) -> Result<(), Failure> {
        let first = results.into_iter().find_map(Result::err);
        self.client.batch_execute("ROLLBACK").await?;
        match first.map(of_this_batch) {
            Some(Err(failure)) => Err(failure),
            Some(Ok(_)) | None => Ok(()),
        }
    }

    async fn one_by_one(
        &self,
        batches: Vec<Result<Vec<Prepared<'_>>, DatabaseError>>,
    ) -> Result<Vec<Outcome>, Failure> {
        self.begin().await?;
        let mut outcomes = Vec::with_capacity(batches.len());
        for batch in batches {
            outcomes.push(match batch {
                Ok(batch) => self.in_savepoint(&batch).await?,
                Err(error) => Err(error),
            });
        }
        self.commit().await?;
        Ok(outcomes)
    }

    async fn in_savepoint(&self, batch: &[Prepared<'_>]) -> Result<Outcome, Failure> {
        let statements = batch.iter().map(|s| self.execute(s));
        let (begun, results) =
            tokio::join!(biased; self.client.batch_execute("SAVEPOINT batch"), join_all(statements));
        begun?;
        let outcome = outcome_of(batch, results)?;
        let end = match outcome {
            Ok(_) => "RELEASE SAVEPOINT batch",
            Err(_) => "ROLLBACK TO SAVEPOINT batch; RELEASE SAVEPOINT batch",
        };
        self.client.batch_execute(end).await?;
        Ok(outcome)
    }

    async fn begin(&self) -> Result<(), Failure> {
        let fence: [&(dyn tokio_postgres::types::ToSql + Sync); 1] = [&self.fence];
        let lease = self.client.query(&self.lease, &fence);
        let (begun, lease) = tokio::join!(biased; self.client.batch_execute(BEGIN), lease);
        begun?;
        match lease?.is_empty() {
            true => Err(Failure::Final(DatabaseError::Superseded)),
            false => Ok(()),
        }
    }

    async fn execute(&self, statement: &Prepared<'_>) -> Result<u64, tokio_postgres::Error> {
        let params = statement.statement.params.iter();
        self.client.execute_raw(&statement.prepared, params).await
    }

    /// Only an answer makes a commit certain.
    async fn commit(&self) -> Result<(), Failure> {
        let Err(error) = self.client.batch_execute("COMMIT").await else {
            return Ok(());
        };
        match Failure::from(error) {
            Failure::Again(DatabaseError::Disconnected { detail }) => {
                Err(Failure::Final(DatabaseError::Uncertain { detail }))
            }
            failure => Err(failure),
        }
    }
}

/// What the batch's own statements say; the first error counts, those after it only follow from it.
fn outcome_of(
    batch: &[Prepared<'_>],
    results: Vec<Result<u64, tokio_postgres::Error>>,
) -> Result<Outcome, Failure> {
    let mut changed = Vec::with_capacity(results.len());
    for (position, (result, prepared)) in results.into_iter().zip(batch).enumerate() {
        match result {
            Ok(rows) if prepared.statement.accepts(rows) => changed.push(rows),
            Ok(rows) => {
                return Ok(Err(DatabaseError::Unexpected {
                    statement: position,
                    rows,
                }));
            }
            Err(error) => return of_this_batch(error).map(Err),
        }
    }
    Ok(Ok(changed))
}

/// An error that a statement made itself, and that leaves the other batches alone.
fn of_this_batch(error: tokio_postgres::Error) -> Result<DatabaseError, Failure> {
    match Failure::from(error) {
        Failure::Final(error) => Ok(error),
        again @ Failure::Again(_) => Err(again),
    }
}
