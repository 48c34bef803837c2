//! The writer: one thread, and one commit for all that waits.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::health::Health;
use super::scrub;
use super::statement::execute;
use crate::database::DatabaseError;
use crate::database::batch::{Batch, Hook};

/// Jobs that share one commit at most.
const JOBS_A_COMMIT: usize = 256;

/// What the writer is sent.
pub(super) enum Work {
    /// To do within a commit.
    Job(Box<dyn Job>),
    /// To empty the log, between two commits; see [`scrub::cut`].
    Cut(std::sync::mpsc::SyncSender<Result<bool, DatabaseError>>),
}

/// What a job does: in the shared transaction first, after its commit then.
pub(super) trait Job: Send {
    /// Runs inside a savepoint of its own, so that a failure undoes only this job.
    fn run(&mut self, connection: &Connection) -> Result<(), DatabaseError>;
    /// Hands out the result, or says why there is none.
    fn answer(self: Box<Self>, outcome: Result<(), DatabaseError>);
}

/// A closure, and who waits for what it returns.
struct Call<F, T> {
    call: Option<F>,
    result: Option<T>,
    hooks: Vec<Hook>,
    done: oneshot::Sender<Result<T, DatabaseError>>,
}

impl<F, T> Job for Call<F, T>
where
    F: FnOnce(&Connection) -> Result<T, DatabaseError> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) -> Result<(), DatabaseError> {
        let call = self.call.take().ok_or(DatabaseError::Closed)?;
        self.result = Some(call(connection)?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), DatabaseError>) {
        let Self {
            result, hooks, done, ..
        } = *self;
        if outcome.is_ok() {
            hooks.iter().for_each(|hook| hook());
        }
        // what a hook holds is given back before anybody sees that the batch failed
        drop(hooks);
        let result = outcome.and_then(|()| result.ok_or(DatabaseError::Closed));
        if done.send(result).is_err() {
            tracing::trace!("a caller left before its work was committed");
        }
    }
}

/// A job for the closure, what follows its commit, and where its result will be.
pub(super) fn job<F, T>(
    call: F,
    hooks: Vec<Hook>,
) -> (Box<dyn Job>, oneshot::Receiver<Result<T, DatabaseError>>)
where
    F: FnOnce(&Connection) -> Result<T, DatabaseError> + Send + 'static,
    T: Send + 'static,
{
    let (done, answer) = oneshot::channel();
    let call = Call {
        call: Some(call),
        result: None,
        hooks,
        done,
    };
    (Box::new(call), answer)
}

/// Takes what waits, runs it in one transaction, answers after the commit.
pub(super) fn write_loop(mut connection: Connection, mut work: mpsc::Receiver<Work>, health: &Health) {
    let mut waiting = Vec::with_capacity(JOBS_A_COMMIT);
    let mut jobs = Vec::with_capacity(JOBS_A_COMMIT);
    while work.blocking_recv_many(&mut waiting, JOBS_A_COMMIT) > 0 {
        let mut cuts = Vec::new();
        for work in waiting.drain(..) {
            match work {
                Work::Job(job) => jobs.push(job),
                Work::Cut(done) => cuts.push(done),
            }
        }
        if !jobs.is_empty() {
            let outcome = health
                .check()
                .and_then(|()| commit_together(&mut connection, &mut jobs))
                .inspect_err(|error| health.note(error));
            answer(jobs.drain(..), outcome);
        }
        for done in cuts {
            // who asked waits until it is answered, or the node ends
            let cut = health.check().and_then(|()| scrub::cut(&connection));
            done.send(cut).unwrap_or_default();
        }
    }
}

type Outcomes = Vec<Result<(), DatabaseError>>;

pub(super) fn commit_together(
    connection: &mut Connection,
    jobs: &mut [Box<dyn Job>],
) -> Result<Outcomes, DatabaseError> {
    let transaction = connection.transaction()?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    for job in jobs {
        outcomes.push(run(&transaction, job.as_mut())?);
    }
    transaction.commit()?;
    Ok(outcomes)
}

const BEGIN: &str = "SAVEPOINT job";
const END: &str = "RELEASE job";
const UNDO: &str = "ROLLBACK TO job";

/// Runs a job, and undoes what it did if it fails. The outer error is of the whole transaction.
fn run(connection: &Connection, job: &mut dyn Job) -> Result<Result<(), DatabaseError>, DatabaseError> {
    // prepared once: there are two to each job
    let step = |sql| connection.prepare_cached(sql)?.execute([]);
    step(BEGIN)?;
    let outcome = job.run(connection);
    // A full disk or an I/O error makes SQLite undo the whole transaction, not this job alone:
    // what ran before is gone, and what ran after would commit outside of it.
    if connection.is_autocommit() {
        return Err(outcome.err().unwrap_or(DatabaseError::Closed));
    }
    if outcome.is_err() {
        step(UNDO)?;
    }
    step(END)?;
    Ok(outcome)
}

fn answer(jobs: std::vec::Drain<'_, Box<dyn Job>>, outcome: Result<Outcomes, DatabaseError>) {
    match outcome {
        Ok(outcomes) => jobs.zip(outcomes).for_each(|(job, outcome)| job.answer(outcome)),
        Err(error) => jobs.for_each(|job| job.answer(Err(error.again()))),
    }
}

/// The rows that each statement of the batch changed.
pub(super) fn run_batch(connection: &Connection, batch: &Batch) -> Result<Vec<u64>, DatabaseError> {
    let mut changed = Vec::with_capacity(batch.statements.len());
    for (position, statement) in batch.statements.iter().enumerate() {
        let rows = execute(connection, statement)? as u64;
        if !statement.accepts(rows) {
            return Err(DatabaseError::Unexpected {
                statement: position,
                rows,
            });
        }
        changed.push(rows);
    }
    Ok(changed)
}
