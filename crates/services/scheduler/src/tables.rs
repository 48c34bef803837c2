//! The tables of schedules and groups. When a schedule is due is with the timers.

use std::collections::BTreeMap;

use tradewind_model::Timestamp;
use tradewind_store::{Batch, Database, Migration, Row};

use crate::error::SchedulerError;
use crate::model::{Group, Schedule};
use crate::names::{GroupId, ScheduleId};
use crate::settings::Settings;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "scheduler",
    version: 1,
    sql: "CREATE TABLE scheduler_groups (
            arn TEXT NOT NULL PRIMARY KEY,
            tags TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            modified_at BIGINT NOT NULL,
            client_token TEXT,
            owner TEXT);
          CREATE TABLE scheduler_schedules (
            arn TEXT NOT NULL PRIMARY KEY,
            settings TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            modified_at BIGINT NOT NULL,
            revision TEXT NOT NULL,
            client_token TEXT,
            owner TEXT)",
}];

fn json<T: serde::Serialize>(value: &T) -> Result<String, SchedulerError> {
    serde_json::to_string(value).map_err(|error| SchedulerError::Internal(error.to_string()))
}

/// Stores a schedule, new or changed.
pub(crate) fn put_schedule(batch: Batch, schedule: &Schedule) -> Result<Batch, SchedulerError> {
    Ok(batch.run(
        "INSERT INTO scheduler_schedules
            (arn, settings, created_at, modified_at, revision, client_token, owner)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (arn) DO UPDATE SET settings = excluded.settings, modified_at = excluded.modified_at,
            revision = excluded.revision, client_token = excluded.client_token, owner = excluded.owner",
        vec![
            schedule.id.to_string().into(),
            json(&schedule.settings)?.into(),
            schedule.created.as_millis().into(),
            schedule.modified.as_millis().into(),
            schedule.revision.clone().into(),
            schedule.client_token.clone().into(),
            schedule.owner.clone().into(),
        ],
    ))
}

/// Removes a schedule.
pub(crate) fn delete_schedule(batch: Batch, id: &ScheduleId) -> Batch {
    batch.run(
        "DELETE FROM scheduler_schedules WHERE arn = $1",
        vec![id.to_string().into()],
    )
}

/// Stores a group, new or changed.
pub(crate) fn put_group(batch: Batch, group: &Group) -> Result<Batch, SchedulerError> {
    Ok(batch.run(
        "INSERT INTO scheduler_groups (arn, tags, created_at, modified_at, client_token, owner)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (arn) DO UPDATE SET tags = excluded.tags, modified_at = excluded.modified_at,
            client_token = excluded.client_token, owner = excluded.owner",
        vec![
            group.id.to_string().into(),
            json(&group.tags)?.into(),
            group.created.as_millis().into(),
            group.modified.as_millis().into(),
            group.client_token.clone().into(),
            group.owner.clone().into(),
        ],
    ))
}

/// Removes a group and its schedules.
pub(crate) fn delete_group(batch: Batch, id: &GroupId) -> Batch {
    let (first, end) = (id.prefix(), format!("{}{}", id.prefix(), char::MAX));
    batch
        .run(
            "DELETE FROM scheduler_groups WHERE arn = $1",
            vec![id.to_string().into()],
        )
        .run(
            "DELETE FROM scheduler_schedules WHERE arn >= $1 AND arn < $2",
            vec![first.into(), end.into()],
        )
}

/// All schedules.
pub(crate) async fn load_schedules(database: &Database) -> Result<Vec<Schedule>, SchedulerError> {
    let rows = database.read(
        "SELECT arn, settings, created_at, modified_at, revision, client_token, owner
         FROM scheduler_schedules ORDER BY arn",
        Vec::new(),
    );
    rows.await?.iter().map(schedule).collect()
}

fn schedule(row: &Row) -> Result<Schedule, SchedulerError> {
    let arn = row.text(0)?;
    let stored = |error: String| {
        SchedulerError::Internal(format!("{arn} is stored in a form that cannot be read: {error}"))
    };
    let settings: Settings = serde_json::from_str(row.text(1)?).map_err(|error| stored(error.to_string()))?;
    Ok(Schedule {
        id: arn.parse()?,
        plan: settings.plan().map_err(|error| stored(error.to_string()))?,
        settings,
        created: Timestamp::from_millis(row.integer(2)?),
        modified: Timestamp::from_millis(row.integer(3)?),
        revision: row.text(4)?.to_owned(),
        client_token: row.optional_text(5)?.map(str::to_owned),
        owner: row.optional_text(6)?.map(str::to_owned),
    })
}

/// All groups but the default ones.
pub(crate) async fn load_groups(database: &Database) -> Result<Vec<Group>, SchedulerError> {
    let rows = database.read(
        "SELECT arn, tags, created_at, modified_at, client_token, owner FROM scheduler_groups ORDER BY arn",
        Vec::new(),
    );
    rows.await?.iter().map(group).collect()
}

fn group(row: &Row) -> Result<Group, SchedulerError> {
    let stored = |error: serde_json::Error| SchedulerError::Internal(error.to_string());
    let tags: BTreeMap<String, String> = serde_json::from_str(row.text(1)?).map_err(stored)?;
    Ok(Group {
        id: row.text(0)?.parse()?,
        tags,
        created: Timestamp::from_millis(row.integer(2)?),
        modified: Timestamp::from_millis(row.integer(3)?),
        client_token: row.optional_text(4)?.map(str::to_owned),
        owner: row.optional_text(5)?.map(str::to_owned),
    })
}
