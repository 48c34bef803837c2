//! Transactions beside the lane, for code that decides between its statements: it runs on a thread of the
//! blocking pool, and each statement waits for its answer there. They hold the node's lease as the lane's do.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use deadpool_postgres::Object;
use futures_util::future::try_join_all;
use tokio::runtime::Handle;
use tokio_postgres::types::{ToSql, Type};

use super::Postgres;
use super::value::row_of;
use super::writer::HOLD_LEASE;
use crate::DatabaseError;
use crate::value::Row;

/// How often a transaction that met others on the same rows is run again.
const TRIES: u32 = 8;

/// A connection inside a transaction.
pub(crate) struct Session {
    client: Object,
    fence: i64,
    runtime: Handle,
}

/// A parameter and the type the server is told.
pub(crate) type Parameter<'p> = (&'p (dyn ToSql + Sync), Type);

impl Postgres {
    /// Runs `call` in a transaction of its own (READ COMMITTED) and answers after the commit. It is run again
    /// if others were in its way, so it must have no effects but its statements; what else there is to do
    /// does `committed`, which also happens if nobody waits any more.
    ///
    /// # Cancel safety
    /// Once begun, the call runs to its end even if this future is dropped.
    pub(crate) async fn transact<T, F, A>(&self, call: F, committed: A) -> Result<T, DatabaseError>
    where
        F: Fn(&Session) -> Result<T, DatabaseError> + Send + Sync + 'static,
        A: Fn(&T) + Send + Sync + 'static,
        T: Send + 'static,
    {
        let call = Arc::new((call, committed));
        let mut tries = 0;
        loop {
            let session = Session {
                client: self.client().await?,
                fence: self.fence,
                runtime: Handle::current(),
            };
            let call = Arc::clone(&call);
            let ran = tokio::task::spawn_blocking(move || session.run(&call.0).inspect(&call.1)).await;
            tries += 1;
            match ran.map_err(|_panicked| DatabaseError::Closed)? {
                Err(DatabaseError::Contended) if tries < TRIES => {}
                done => return done,
            }
        }
    }
}

impl Session {
    fn run<T>(self, call: &impl Fn(&Self) -> Result<T, DatabaseError>) -> Result<T, DatabaseError> {
        let called = match self.begin() {
            Ok(()) => catch_unwind(AssertUnwindSafe(|| call(&self))),
            Err(error) => Ok(Err(error)),
        };
        match called {
            Ok(Ok(done)) => self.commit().map(|()| done),
            Ok(Err(error)) => {
                self.roll_back();
                Err(error)
            }
            Err(panic) => {
                self.roll_back();
                resume_unwind(panic)
            }
        }
    }

    /// Begins, and holds the lease: a node that lost it changes nothing.
    fn begin(&self) -> Result<(), DatabaseError> {
        let held = self.runtime.block_on(async {
            let lease = self.client.prepare_cached(HOLD_LEASE).await?;
            let fence: [&(dyn ToSql + Sync); 1] = [&self.fence];
            let begin = self.client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED");
            let (begun, held) = tokio::join!(biased; begin, self.client.query(&lease, &fence));
            begun.and(held)
        })?;
        match held.is_empty() {
            true => Err(DatabaseError::Superseded),
            false => Ok(()),
        }
    }

    /// Only an answer makes a commit certain.
    fn commit(&self) -> Result<(), DatabaseError> {
        match self.statement("COMMIT").map_err(DatabaseError::from) {
            Err(DatabaseError::Disconnected { detail }) => Err(DatabaseError::Uncertain { detail }),
            committed => committed,
        }
    }

    fn roll_back(self) {
        if self.statement("ROLLBACK").is_err() {
            // Whoever got this connection next would be inside the transaction.
            drop(Object::take(self.client));
        }
    }

    fn statement(&self, sql: &str) -> Result<(), tokio_postgres::Error> {
        self.runtime.block_on(self.client.batch_execute(sql))
    }

    /// Runs a statement for each of these parameters, all in one round trip; how many rows each changed.
    pub(crate) fn execute(&self, sql: &str, sets: &[Vec<Parameter<'_>>]) -> Result<Vec<u64>, DatabaseError> {
        let all = async {
            let Some(first) = sets.first() else {
                return Ok(Vec::new());
            };
            let types: Vec<_> = first.iter().map(|(_, kind)| kind.clone()).collect();
            let statement = self.client.prepare_typed_cached(sql, &types).await?;
            let run = sets.iter().map(|set| {
                let values: Vec<_> = set.iter().map(|(value, _)| *value).collect();
                let (client, statement) = (&self.client, &statement);
                async move { client.execute_raw(statement, values).await }
            });
            try_join_all(run).await
        };
        Ok(self.runtime.block_on(all)?)
    }

    /// The rows a statement gives.
    pub(crate) fn query(&self, sql: &str, set: &[Parameter<'_>]) -> Result<Vec<Row>, DatabaseError> {
        let all = async {
            let types: Vec<_> = set.iter().map(|(_, kind)| kind.clone()).collect();
            let values: Vec<_> = set.iter().map(|(value, _)| *value).collect();
            let statement = self.client.prepare_typed_cached(sql, &types).await?;
            self.client.query(&statement, &values).await
        };
        self.runtime.block_on(all)?.iter().map(row_of).collect()
    }
}
