//! The queue of asynchronous invocations: rows that are leased, run, and deleted or put off.
//!
//! In memory stands only the agenda (`agenda.rs`): for each function with rows when the next of them is due, how
//! many there are, and how many run. A function that is slow or throttled so never stands before
//! another one's rows. What may run at once is handed to the worker when it is committed. A row comes with the
//! batch of who sends it ([`Queue::accept_within`]). Leases name the worker that holds them; the data folder is
//! open in one process at a time, so the leases found when the queue opens belong to a process that is dead, and
//! are released.

mod agenda;

use bytes::Bytes;
use tradewind_events::share_of;
use tradewind_model::{Clock, FunctionArn, Qualifier, RequestId, Timestamp};
use tradewind_store::{Batch, Database, Row, SqlValue};

use self::agenda::Agenda;
pub(crate) use self::agenda::RUNNING;
use crate::error::LambdaError;
use crate::schedule::Attempts;
use crate::tables::{LoadFunctionsError, arn_of};

/// An invocation that is to run.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    pub(crate) request_id: RequestId,
    /// The function, without qualifier.
    pub(crate) arn: FunctionArn,
    /// The qualifier as it was asked for; empty for none.
    pub(crate) qualifier: String,
    pub(crate) payload: Bytes,
    pub(crate) trace_id: Option<String>,
    pub(crate) attempts: Attempts,
}

impl Leased {
    /// An invocation that runs as soon as it is committed.
    fn of(accepted: &Accepted, now: Timestamp) -> Self {
        Self {
            arn: accepted.arn.clone(),
            request_id: accepted.request_id.clone(),
            qualifier: accepted.qualifier.clone(),
            payload: accepted.payload.clone(),
            trace_id: accepted.trace_id.clone(),
            attempts: Attempts {
                enqueued_at: now,
                function_errors: 0,
                system_errors: 0,
            },
        }
    }

    /// The qualifier that was asked for; none for what can be none.
    pub(crate) fn asked_for(&self) -> Option<Qualifier> {
        match self.qualifier.as_str() {
            "" => Some(Qualifier::Latest),
            text => text.parse().ok(),
        }
    }
}

/// An invocation as it is accepted.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) request_id: RequestId,
    pub(crate) arn: FunctionArn,
    pub(crate) qualifier: String,
    pub(crate) payload: Bytes,
    pub(crate) trace_id: Option<String>,
}

/// As many invocations of the function wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// See the module.
#[derive(Debug)]
pub(crate) struct Queue {
    database: Database,
    clock: Clock,
    worker: String,
    agenda: Agenda,
}

const RELEASE_ALL: &str = "UPDATE lambda_async_invocations SET leased_by = NULL WHERE leased_by IS NOT NULL";
const AGENDA: &str = "SELECT account, region, name, COUNT(*), MIN(due_at) FROM lambda_async_invocations \
    GROUP BY account, region, name";
const INSERT: &str = "INSERT INTO lambda_async_invocations (request_id, account, region, name, qualifier, \
    payload, trace_id, enqueued_at, due_at, leased_by, function_errors, system_errors) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, 0)";
const DUE: &str = "SELECT account, region, name, request_id, qualifier, payload, trace_id, enqueued_at, \
    function_errors, system_errors FROM lambda_async_invocations \
    WHERE account = $1 AND region = $2 AND name = $3 AND due_at <= $4 AND leased_by IS NULL \
    ORDER BY due_at, request_id LIMIT $5";
const LEASE: &str =
    "UPDATE lambda_async_invocations SET leased_by = $1 WHERE request_id = $2 AND leased_by IS NULL";
const NEXT_DUE: &str = "SELECT due_at FROM lambda_async_invocations \
    WHERE account = $1 AND region = $2 AND name = $3 AND leased_by IS NULL ORDER BY due_at LIMIT 1";
const PUT_OFF: &str = "UPDATE lambda_async_invocations SET leased_by = NULL, due_at = $1, \
    function_errors = $2, system_errors = $3 WHERE request_id = $4";
const LEFT: &str = "SELECT COUNT(*), COALESCE(MIN(due_at), 0) FROM lambda_async_invocations \
    WHERE account = $1 AND region = $2 AND name = $3";
const RELEASE: &str = "UPDATE lambda_async_invocations SET leased_by = NULL WHERE request_id = $1";
const FREE: &str =
    "UPDATE lambda_async_invocations SET leased_by = NULL WHERE request_id = $1 AND leased_by = $2";
const DELETE: &str = "DELETE FROM lambda_async_invocations WHERE request_id = $1";

impl Queue {
    /// Reads what waits, and releases what a dead process held.
    pub(crate) async fn open(database: Database, clock: Clock) -> Result<Self, LoadFunctionsError> {
        database.write(Batch::new().run(RELEASE_ALL, vec![])).await?;
        let agenda = Agenda::default();
        for row in database.read(AGENDA, vec![]).await? {
            let rows = u64::try_from(row.integer(3)?).unwrap_or_default();
            agenda.load(arn_of(&row)?, rows, Timestamp::from_millis(row.integer(4)?));
        }
        Ok(Self {
            database,
            clock,
            worker: uuid::Uuid::new_v4().to_string(),
            agenda,
        })
    }

    /// Keeps an invocation; on `Ok` it is durable.
    pub(crate) async fn accept(&self, accepted: Accepted) -> Result<(), LambdaError> {
        let mut batch = Batch::new();
        self.accept_within(&mut batch, &accepted)
            .map_err(|_full| LambdaError::Throttled {
                reason: "FunctionInvocationRateLimitExceeded".to_owned(),
            })?;
        self.database.write(batch).await?;
        Ok(())
    }

    /// Adds an invocation to a batch of the caller's own statements: it is kept if and only if they happen, and
    /// the worker learns of it then. Room for it is taken at once, and given back if the batch fails.
    pub(crate) fn accept_within(&self, batch: &mut Batch, accepted: &Accepted) -> Result<(), Full> {
        let now = self.clock.now();
        let place = self
            .agenda
            .place(&accepted.arn, &accepted.request_id, now)
            .ok_or(Full)?;
        let worker = place.is_leased().then_some(self.worker.as_str());
        let row = row_of(accepted, now, worker);
        let leased = Leased::of(accepted, now);
        *batch = std::mem::take(batch)
            .growing()
            .run(INSERT, row)
            .after_commit(move || place.taken(&leased, now));
        Ok(())
    }

    /// Takes back an invocation that was accepted for a function that is gone. That it ran already is fine.
    pub(crate) async fn withdraw(
        &self,
        arn: &FunctionArn,
        request_id: &RequestId,
    ) -> Result<(), LambdaError> {
        let delete = Batch::new().run(DELETE, vec![request_id.as_str().into()]);
        if self.database.write(delete).await?.first() == Some(&1) {
            self.agenda.withdrawn(arn, request_id);
        }
        Ok(())
    }

    /// Leases what is due, at most `room` rows; they count as running until they are settled. No function gets
    /// more than are left for others.
    ///
    /// A function whose rows cannot be read or marked does not hold up the others: what was leased
    /// comes back beside the first failure.
    pub(crate) async fn lease(&self, room: usize) -> (Vec<Leased>, Result<(), LambdaError>) {
        let now = self.clock.now();
        let (mut leased, mut result) = (self.agenda.handed_over(room), self.free_doubtful(now).await);
        let due = self.agenda.due_functions(now);
        let others = (0..due.len()).rev();
        for (due, others) in due.into_iter().zip(others) {
            let share = share_of(room - leased.len(), due.running, others);
            let limit = due.free.min(share);
            if limit == 0 {
                continue;
            }
            let arn = due.arn;
            match self.lease_of(&arn, limit, now).await {
                Ok(rows) => leased.extend(rows),
                Err(error) => result = result.and(Err(error)),
            }
        }
        (leased, result)
    }

    /// Frees rows whose commit was not answered, where it happened all the same: nobody was handed them.
    async fn free_doubtful(&self, now: Timestamp) -> Result<(), LambdaError> {
        while let Some((arn, request_id)) = self.agenda.doubtful() {
            let row = vec![request_id.as_str().into(), self.worker.as_str().into()];
            let freed = self.database.write(Batch::new().run(FREE, row)).await?;
            self.agenda.clear_doubt(&arn, freed.first() == Some(&1), now);
        }
        Ok(())
    }

    /// When the next row is due that may run then, with room for so many; none if nothing waits but for running
    /// ones.
    pub(crate) fn next_due(&self, room: usize) -> Option<Timestamp> {
        self.agenda.next_due(room)
    }

    /// A function's events keep to its reserved concurrency: those beyond it would only be throttled, and
    /// wait longer and longer. With none at all they are not held back, but given up.
    pub(crate) fn bound(&self, arn: &FunctionArn, reserved: Option<u32>) {
        let bound = reserved.filter(|reserved| *reserved > 0);
        let bound = bound.and_then(|reserved| usize::try_from(reserved).ok());
        self.agenda.bound(arn, bound);
    }

    /// Completes when rows were added, or when running ones made room.
    ///
    /// # Cancel safety
    /// Cancel-safe: a wake-up that nobody saw is kept for the next call.
    pub(crate) async fn changed(&self) {
        self.agenda.changed().await;
    }

    /// Ends a lease: the invocation is done or given up. `told` says so to others, both or neither, also while
    /// little is free on the disk.
    pub(crate) async fn finish_with(&self, leased: &Leased, told: Batch) -> Result<(), LambdaError> {
        let batch = told.run(DELETE, vec![leased.request_id.as_str().into()]);
        let batch = batch.making_room();
        self.database.write(batch).await?;
        self.agenda.settle(&leased.arn, None);
        Ok(())
    }

    /// Ends a lease: the invocation runs again at `due`.
    pub(crate) async fn put_off(
        &self,
        leased: &Leased,
        attempts: Attempts,
        due: Timestamp,
    ) -> Result<(), LambdaError> {
        let row = vec![
            due.as_millis().into(),
            attempts.function_errors.into(),
            attempts.system_errors.into(),
            leased.request_id.as_str().into(),
        ];
        let changed = self.database.write(Batch::new().run(PUT_OFF, row)).await?;
        let deleted_meanwhile = changed.first() == Some(&0);
        self.agenda
            .settle(&leased.arn, (!deleted_meanwhile).then_some(due));
        Ok(())
    }

    /// The function is deleted, and with it what waited for it. What was committed for it in the meantime is
    /// found, so the worker gives it up.
    pub(crate) async fn forget(&self, arn: &FunctionArn) {
        self.release(&self.agenda.forget(arn)).await;
        let found = match self.database.read(LEFT, function_key(arn)).await {
            Ok(rows) => rows.first().map(|row| (row.integer(0), row.integer(1))),
            Err(_) => None,
        };
        match found {
            Some((Ok(0), _)) => {}
            Some((Ok(rows), Ok(due))) => {
                let rows = u64::try_from(rows).unwrap_or_default();
                self.agenda.found(arn, rows, Timestamp::from_millis(due));
            }
            // the worker is to look itself
            _ => self.agenda.found(arn, 1, self.clock.now()),
        }
    }

    /// What nobody has taken yet is not leased any more, where it is still there.
    async fn release(&self, back: &[Leased]) {
        if back.is_empty() {
            return;
        }
        let release = back.iter().fold(Batch::new(), |batch, leased| {
            batch.run(RELEASE, vec![leased.request_id.as_str().into()])
        });
        if let Err(error) = self.database.write(release).await {
            tracing::warn!(%error, "what a deleted function left is given up at the next start");
        }
    }

    async fn lease_of(
        &self,
        arn: &FunctionArn,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Leased>, LambdaError> {
        self.agenda.clear_due(arn);
        let rows = self.read_due(arn, limit, now).await;
        let leased = match rows {
            Ok(rows) => self.mark(rows).await,
            Err(error) => Err(error),
        };
        // The rows this call did not take are noted again, also after a failure.
        let next = self.read_next_due(arn).await;
        match next {
            Ok(Some(due)) => self.agenda.note_due(arn, due),
            Ok(None) => self.agenda.none_due(arn),
            Err(_) => self.agenda.note_due(arn, now),
        }
        leased
    }

    async fn read_due(
        &self,
        arn: &FunctionArn,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<Leased>, LambdaError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut params = function_key(arn);
        params.extend([now.as_millis().into(), limit.into()]);
        let rows = self.database.read(DUE, params).await?;
        rows.iter()
            .map(leased_of)
            .collect::<Result<_, _>>()
            .map_err(LambdaError::internal)
    }

    /// Marks the rows as leased, all together.
    async fn mark(&self, rows: Vec<Leased>) -> Result<Vec<Leased>, LambdaError> {
        if rows.is_empty() {
            return Ok(rows);
        }
        let batch = rows.iter().fold(Batch::new(), |batch, leased| {
            batch.run(
                LEASE,
                vec![self.worker.as_str().into(), leased.request_id.as_str().into()],
            )
        });
        let taken = self.database.write(batch).await?;
        let ours: Vec<Leased> = rows
            .into_iter()
            .zip(taken)
            .filter(|(_, taken)| *taken == 1)
            .map(|(l, _)| l)
            .collect();
        if let Some(first) = ours.first() {
            self.agenda.leased(&first.arn, ours.len());
        }
        Ok(ours)
    }

    async fn read_next_due(&self, arn: &FunctionArn) -> Result<Option<Timestamp>, LambdaError> {
        let rows = self.database.read(NEXT_DUE, function_key(arn)).await?;
        let due = rows
            .first()
            .map(|row| row.integer(0))
            .transpose()
            .map_err(LambdaError::from)?;
        Ok(due.map(Timestamp::from_millis))
    }
}

fn row_of(accepted: &Accepted, now: Timestamp, worker: Option<&str>) -> Vec<SqlValue> {
    let Accepted {
        request_id,
        arn,
        qualifier,
        payload,
        trace_id,
    } = accepted;
    vec![
        request_id.as_str().into(),
        arn.account.as_str().into(),
        arn.region.as_str().into(),
        arn.name.as_str().into(),
        qualifier.as_str().into(),
        payload.to_vec().into(),
        trace_id.clone().into(),
        now.as_millis().into(),
        now.as_millis().into(),
        worker.into(),
    ]
}

fn function_key(arn: &FunctionArn) -> Vec<SqlValue> {
    vec![
        arn.account.as_str().into(),
        arn.region.as_str().into(),
        arn.name.as_str().into(),
    ]
}

fn leased_of(row: &Row) -> Result<Leased, LoadFunctionsError> {
    let count = |column: usize| -> Result<u32, LoadFunctionsError> {
        Ok(u32::try_from(row.integer(column)?).unwrap_or(u32::MAX))
    };
    Ok(Leased {
        arn: arn_of(row)?,
        request_id: row.text(3)?.into(),
        qualifier: row.text(4)?.to_owned(),
        payload: Bytes::copy_from_slice(row.blob(5)?),
        trace_id: row.optional_text(6)?.map(str::to_owned),
        attempts: Attempts {
            enqueued_at: Timestamp::from_millis(row.integer(7)?),
            function_errors: count(8)?,
            system_errors: count(9)?,
        },
    })
}

#[cfg(test)]
mod tests;
