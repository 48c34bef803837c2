//! The table of timers.

use tradewind_model::Timestamp;
use tradewind_store::{Batch, Database, DatabaseError, Migration, Row};

use super::Timer;

/// The schema of timers.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "timers",
    version: 1,
    sql: "CREATE TABLE event_timers (
            owner TEXT NOT NULL,
            key TEXT NOT NULL,
            due_at BIGINT NOT NULL,
            state TEXT NOT NULL,
            PRIMARY KEY (owner, key));
          CREATE INDEX event_timers_due ON event_timers (due_at, owner, key)",
}];

/// Stores a timer, new or changed.
pub(super) fn put(batch: Batch, timer: &Timer) -> Batch {
    batch.run(
        "INSERT INTO event_timers (owner, key, due_at, state) VALUES ($1, $2, $3, $4)
         ON CONFLICT (owner, key) DO UPDATE SET due_at = excluded.due_at, state = excluded.state",
        vec![
            timer.owner.clone().into(),
            timer.key.clone().into(),
            timer.due.as_millis().into(),
            timer.state.clone().into(),
        ],
    )
}

/// Removes the timer, which has to be as it is here.
pub(super) fn take(batch: Batch, timer: &Timer) -> Batch {
    batch.require(
        "DELETE FROM event_timers WHERE owner = $1 AND key = $2 AND due_at = $3 AND state = $4",
        vec![
            timer.owner.clone().into(),
            timer.key.clone().into(),
            timer.due.as_millis().into(),
            timer.state.clone().into(),
        ],
        1,
    )
}

pub(super) fn delete(batch: Batch, owner: &str, key: &str) -> Batch {
    batch.run(
        "DELETE FROM event_timers WHERE owner = $1 AND key = $2",
        vec![owner.into(), key.into()],
    )
}

pub(super) fn delete_all(batch: Batch, owner: &str, prefix: &str) -> Batch {
    // the text compares byte by byte, and no character's code is greater than the last
    let end = format!("{prefix}{}", char::MAX);
    batch.run(
        "DELETE FROM event_timers WHERE owner = $1 AND key >= $2 AND key < $3",
        vec![owner.into(), prefix.into(), end.into()],
    )
}

pub(super) async fn get(database: &Database, owner: &str, key: &str) -> Result<Option<Timer>, DatabaseError> {
    let rows = database.read(
        "SELECT owner, key, due_at, state FROM event_timers WHERE owner = $1 AND key = $2",
        vec![owner.into(), key.into()],
    );
    rows.await?.first().map(timer).transpose()
}

pub(super) async fn all(database: &Database, owner: &str) -> Result<Vec<Timer>, DatabaseError> {
    let rows = database.read(
        "SELECT owner, key, due_at, state FROM event_timers WHERE owner = $1 ORDER BY key",
        vec![owner.into()],
    );
    rows.await?.iter().map(timer).collect()
}

/// The timers that are due, in order, `after` the last that was seen.
pub(super) async fn due(
    database: &Database,
    now: Timestamp,
    after: Option<&Timer>,
    limit: u32,
) -> Result<Vec<Timer>, DatabaseError> {
    let (due, owner, key) = after.map_or((i64::MIN, "", ""), |timer| {
        (timer.due.as_millis(), timer.owner.as_str(), timer.key.as_str())
    });
    let rows = database.read(
        "SELECT owner, key, due_at, state FROM event_timers
         WHERE due_at <= $1 AND (due_at > $2 OR (due_at = $2 AND (owner > $3 OR (owner = $3 AND key > $4))))
         ORDER BY due_at, owner, key LIMIT $5",
        vec![
            now.as_millis().into(),
            due.into(),
            owner.into(),
            key.into(),
            limit.into(),
        ],
    );
    rows.await?.iter().map(timer).collect()
}

/// When the next timer is due.
pub(super) async fn next_due(database: &Database) -> Result<Option<Timestamp>, DatabaseError> {
    let rows = database.read("SELECT MIN(due_at) FROM event_timers", Vec::new());
    let rows = rows.await?;
    let due = rows.first().map(|row| row.optional_integer(0)).transpose()?;
    Ok(due.flatten().map(Timestamp::from_millis))
}

fn timer(row: &Row) -> Result<Timer, DatabaseError> {
    Ok(Timer {
        owner: row.text(0)?.to_owned(),
        key: row.text(1)?.to_owned(),
        due: Timestamp::from_millis(row.integer(2)?),
        state: row.text(3)?.to_owned(),
    })
}
