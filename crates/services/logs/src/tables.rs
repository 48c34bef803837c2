//! The tables of groups, streams and subscription filters. No other crate reads them.

use std::collections::BTreeMap;

use tradewind_model::Timestamp;
use tradewind_observe::LogPosition;
use tradewind_store::{Batch, Database, Migration, Row, SqlValue};

use crate::error::LogsError;
use crate::model::{Group, GroupKey, LogStreamName, SubscriptionFilter};

/// The schema.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        service: "logs",
        version: 1,
        sql: "CREATE TABLE logs_groups (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            name TEXT NOT NULL,
            owner TEXT NOT NULL,
            log_group TEXT NOT NULL,
            PRIMARY KEY (account, region, name))",
    },
    Migration {
        service: "logs",
        version: 2,
        sql: "CREATE TABLE logs_streams (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            log_group TEXT NOT NULL,
            name TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            owner TEXT,
            PRIMARY KEY (account, region, log_group, name));
          CREATE TABLE logs_subscription_filters (
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            log_group TEXT NOT NULL,
            name TEXT NOT NULL,
            filter TEXT NOT NULL,
            segment BIGINT NOT NULL,
            byte_offset BIGINT NOT NULL,
            PRIMARY KEY (account, region, log_group, name));
          CREATE TABLE logs_owed (
            id TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            log_group TEXT NOT NULL,
            stream TEXT NOT NULL,
            said_at BIGINT NOT NULL,
            message TEXT NOT NULL)",
    },
];

/// A subscription filter in its row: members may be added, never renamed.
#[derive(serde::Serialize, serde::Deserialize)]
struct StoredFilter {
    pattern: String,
    destination: String,
    distribution: Option<String>,
    created: Timestamp,
    owner: Option<String>,
}

/// A stream that was created, rather than begun by logging.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamRow {
    pub(crate) name: String,
    pub(crate) created: Timestamp,
    pub(crate) owner: Option<String>,
}

/// An event of another service that is not in the log store yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owed {
    /// Sorts by time.
    pub(crate) id: String,
    pub(crate) group: GroupKey,
    pub(crate) stream: String,
    pub(crate) timestamp: Timestamp,
    pub(crate) message: String,
}

/// Stores an event that is owed to the log store.
pub(crate) fn owe(batch: Batch, owed: &Owed) -> Batch {
    let mut params = vec![SqlValue::from(owed.id.as_str())];
    params.extend(key(&owed.group));
    params.extend([
        owed.stream.as_str().into(),
        owed.timestamp.as_millis().into(),
        owed.message.as_str().into(),
    ]);
    batch.run(
        "INSERT INTO logs_owed (id, account, region, log_group, stream, said_at, message)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params,
    )
}

/// The oldest so many events that are owed.
pub(crate) async fn owed(database: &Database, limit: u32) -> Result<Vec<Owed>, LogsError> {
    let rows = database.read(
        "SELECT account, region, log_group, id, stream, said_at, message FROM logs_owed
         ORDER BY id LIMIT $1",
        vec![i64::from(limit).into()],
    );
    let owed = |row: &Row| {
        Ok(Owed {
            group: key_of(row)?,
            id: row.text(3)?.to_owned(),
            stream: row.text(4)?.to_owned(),
            timestamp: Timestamp::from_millis(row.integer(5)?),
            message: row.text(6)?.to_owned(),
        })
    };
    rows.await?.iter().map(owed).collect()
}

/// How many events are owed.
pub(crate) async fn count_owed(database: &Database) -> Result<usize, LogsError> {
    let rows = database
        .read("SELECT COUNT(*) FROM logs_owed", Vec::new())
        .await?;
    let count = rows.first().map(|row| row.integer(0)).transpose()?;
    Ok(usize::try_from(count.unwrap_or_default()).unwrap_or_default())
}

/// Removes what was owed.
pub(crate) fn settle(batch: Batch, id: &str) -> Batch {
    batch.run("DELETE FROM logs_owed WHERE id = $1", vec![id.into()])
}

/// Stores a group, new or changed, without its filters.
pub(crate) fn put_group(batch: Batch, group: &Group) -> Result<Batch, LogsError> {
    let mut params = key(&group.key);
    // a row of nobody's stack has an empty owner
    params.push(group.owner.clone().unwrap_or_default().into());
    params.push(json(&group.settings)?.into());
    Ok(batch.run(
        "INSERT INTO logs_groups (account, region, name, owner, log_group) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (account, region, name) DO UPDATE SET owner = excluded.owner,
            log_group = excluded.log_group",
        params,
    ))
}

/// Removes a group with its streams and filters.
pub(crate) fn delete_group(batch: Batch, group: &GroupKey) -> Batch {
    batch
        .run(
            "DELETE FROM logs_subscription_filters WHERE account = $1 AND region = $2 AND log_group = $3",
            key(group),
        )
        .run(
            "DELETE FROM logs_streams WHERE account = $1 AND region = $2 AND log_group = $3",
            key(group),
        )
        .run(
            "DELETE FROM logs_groups WHERE account = $1 AND region = $2 AND name = $3",
            key(group),
        )
}

/// Every group with its filters.
pub(crate) async fn load(
    database: &Database,
) -> Result<(Vec<Group>, BTreeMap<FilterKey, LogPosition>), LogsError> {
    let rows = database.read(
        "SELECT account, region, name, owner, log_group FROM logs_groups ORDER BY account, region, name",
        Vec::new(),
    );
    let mut groups = BTreeMap::new();
    for row in rows.await? {
        let group = group(&row)?;
        groups.insert(group.key.clone(), group);
    }
    let rows = database.read(
        "SELECT account, region, log_group, name, filter, segment, byte_offset
         FROM logs_subscription_filters",
        Vec::new(),
    );
    let mut cursors = BTreeMap::new();
    for row in rows.await? {
        let (key, name) = (key_of(&row)?, row.text(3)?.to_owned());
        let Some(group) = groups.get_mut(&key) else {
            continue;
        };
        group.filters.insert(name.clone(), filter(&name, row.text(4)?)?);
        let position = LogPosition {
            segment: unsigned(row.integer(5)?),
            offset: unsigned(row.integer(6)?),
        };
        cursors.insert((key, name), position);
    }
    Ok((groups.into_values().collect(), cursors))
}

/// A filter by its group and name.
pub(crate) type FilterKey = (GroupKey, String);

fn group(row: &Row) -> Result<Group, LogsError> {
    let key = key_of(row)?;
    let settings = serde_json::from_str(row.text(4)?)
        .map_err(|error| unreadable("log group", key.name.as_str(), &error))?;
    Ok(Group {
        key,
        settings,
        owner: Some(row.text(3)?.to_owned()).filter(|owner| !owner.is_empty()),
        filters: BTreeMap::new(),
    })
}

fn filter(name: &str, text: &str) -> Result<SubscriptionFilter, LogsError> {
    const KIND: &str = "subscription filter";
    let stored: StoredFilter = serde_json::from_str(text).map_err(|error| unreadable(KIND, name, &error))?;
    let destination = stored.destination.parse();
    Ok(SubscriptionFilter {
        pattern: stored.pattern.parse()?,
        destination: destination.map_err(|error| unreadable(KIND, name, &error))?,
        distribution: stored.distribution,
        created: stored.created,
        owner: stored.owner,
    })
}

/// Stores a filter; a new one begins at `position`, and a changed one is to see nothing before it: what went by
/// unmatched is not stored each time. One that has come further meanwhile stays there.
pub(crate) fn put_filter(
    batch: Batch,
    group: &GroupKey,
    name: &str,
    filter: &SubscriptionFilter,
    position: LogPosition,
) -> Result<Batch, LogsError> {
    let stored = StoredFilter {
        pattern: filter.pattern.to_string(),
        destination: filter.destination.to_string(),
        distribution: filter.distribution.clone(),
        created: filter.created,
        owner: filter.owner.clone(),
    };
    let mut params = named(group, name);
    params.push(json(&stored)?.into());
    params.extend([signed(position.segment).into(), signed(position.offset).into()]);
    Ok(batch.run(
        "INSERT INTO logs_subscription_filters
            (account, region, log_group, name, filter, segment, byte_offset)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (account, region, log_group, name) DO UPDATE SET filter = excluded.filter,
            segment = CASE WHEN logs_subscription_filters.segment < excluded.segment
                THEN excluded.segment ELSE logs_subscription_filters.segment END,
            byte_offset = CASE WHEN logs_subscription_filters.segment < excluded.segment
                    OR (logs_subscription_filters.segment = excluded.segment
                        AND logs_subscription_filters.byte_offset < excluded.byte_offset)
                THEN excluded.byte_offset ELSE logs_subscription_filters.byte_offset END",
        params,
    ))
}

/// Notes how far a filter has come.
pub(crate) fn advance_filter(batch: Batch, group: &GroupKey, name: &str, position: LogPosition) -> Batch {
    let mut params = named(group, name);
    params.extend([signed(position.segment).into(), signed(position.offset).into()]);
    batch.run(
        "UPDATE logs_subscription_filters SET segment = $5, byte_offset = $6
         WHERE account = $1 AND region = $2 AND log_group = $3 AND name = $4",
        params,
    )
}

/// Removes a filter.
pub(crate) fn delete_filter(batch: Batch, group: &GroupKey, name: &str) -> Batch {
    batch.run(
        "DELETE FROM logs_subscription_filters
         WHERE account = $1 AND region = $2 AND log_group = $3 AND name = $4",
        named(group, name),
    )
}

/// Stores a stream unless one of its name is there.
pub(crate) fn put_stream(
    batch: Batch,
    group: &GroupKey,
    name: &LogStreamName,
    created: Timestamp,
    owner: Option<String>,
) -> Batch {
    let mut params = named(group, name.as_str());
    params.extend([created.as_millis().into(), owner.into()]);
    batch.run(
        "INSERT INTO logs_streams (account, region, log_group, name, created_at, owner)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, region, log_group, name) DO NOTHING",
        params,
    )
}

/// Removes a stream.
pub(crate) fn delete_stream(batch: Batch, group: &GroupKey, name: &str) -> Batch {
    batch.run(
        "DELETE FROM logs_streams WHERE account = $1 AND region = $2 AND log_group = $3 AND name = $4",
        named(group, name),
    )
}

/// A stream of that name.
pub(crate) async fn stream(
    database: &Database,
    group: &GroupKey,
    name: &str,
) -> Result<Option<StreamRow>, LogsError> {
    let rows = database.read(
        "SELECT name, created_at, owner FROM logs_streams
         WHERE account = $1 AND region = $2 AND log_group = $3 AND name = $4",
        named(group, name),
    );
    rows.await?.first().map(stream_row).transpose()
}

/// The streams of a group, by name.
pub(crate) async fn streams(database: &Database, group: &GroupKey) -> Result<Vec<StreamRow>, LogsError> {
    let rows = database.read(
        "SELECT name, created_at, owner FROM logs_streams
         WHERE account = $1 AND region = $2 AND log_group = $3 ORDER BY name",
        key(group),
    );
    rows.await?.iter().map(stream_row).collect()
}

fn stream_row(row: &Row) -> Result<StreamRow, LogsError> {
    Ok(StreamRow {
        name: row.text(0)?.to_owned(),
        created: Timestamp::from_millis(row.integer(1)?),
        owner: row.optional_text(2)?.map(str::to_owned),
    })
}

fn key(group: &GroupKey) -> Vec<SqlValue> {
    vec![
        group.account.as_str().into(),
        group.region.as_str().into(),
        group.name.as_str().into(),
    ]
}

fn named(group: &GroupKey, name: &str) -> Vec<SqlValue> {
    let mut params = key(group);
    params.push(name.into());
    params
}

fn key_of(row: &Row) -> Result<GroupKey, LogsError> {
    let wrong = |error: tradewind_model::InvalidArn| LogsError::Internal(error.to_string());
    Ok(GroupKey {
        account: row.text(0)?.parse().map_err(wrong)?,
        region: row.text(1)?.parse().map_err(wrong)?,
        name: row.text(2)?.parse()?,
    })
}

fn json(value: &impl serde::Serialize) -> Result<String, LogsError> {
    serde_json::to_string(value).map_err(|error| LogsError::Internal(error.to_string()))
}

fn unreadable(kind: &str, name: &str, error: &dyn std::error::Error) -> LogsError {
    LogsError::Internal(format!(
        "{kind} `{name}` is stored in a form that cannot be read: {error}"
    ))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
