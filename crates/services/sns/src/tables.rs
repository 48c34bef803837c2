//! The tables of topics and subscriptions. No other crate reads them.

use std::collections::BTreeMap;

use tradewind_model::Timestamp;
use tradewind_store::{Batch, Database, DatabaseError, Migration, Row, SqlValue};
use uuid::Uuid;

use crate::attributes::{Given, SubscriptionAttributes, TopicAttributes};
use crate::error::SnsError;
use crate::model::{Confirmation, Endpoint, Subscription, Topic};
use crate::names::{SubscriptionArn, TopicArn};
use crate::signing::Identity;

/// The schema. A subscription has a token as long as it waits for its endpoint to agree.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "sns",
    version: 1,
    sql: "CREATE TABLE sns_topics (
            arn TEXT NOT NULL PRIMARY KEY,
            attributes TEXT NOT NULL,
            tags TEXT NOT NULL,
            owner TEXT,
            policy_owner TEXT);
          CREATE TABLE sns_subscriptions (
            arn TEXT NOT NULL PRIMARY KEY,
            topic TEXT NOT NULL,
            protocol TEXT NOT NULL,
            endpoint TEXT NOT NULL,
            attributes TEXT NOT NULL,
            authenticated BIGINT NOT NULL,
            token TEXT,
            token_until BIGINT,
            owner TEXT);
          CREATE INDEX sns_subscriptions_topic ON sns_subscriptions (topic);
          CREATE TABLE sns_deduplication (
            topic TEXT NOT NULL,
            scope TEXT NOT NULL,
            id TEXT NOT NULL,
            message_id TEXT NOT NULL,
            sequence BIGINT NOT NULL,
            expires_at BIGINT NOT NULL,
            PRIMARY KEY (topic, scope, id));
          CREATE INDEX sns_deduplication_expiry ON sns_deduplication (expires_at);
          CREATE TABLE sns_identity (
            name TEXT NOT NULL PRIMARY KEY,
            key BLOB NOT NULL,
            certificate TEXT NOT NULL)",
}];

fn json(value: &impl serde::Serialize) -> Result<SqlValue, SnsError> {
    let text = serde_json::to_string(value).map_err(|error| SnsError::Internal(error.to_string()))?;
    Ok(text.into())
}

/// Stores a topic, new or changed.
pub(crate) fn put_topic(batch: Batch, topic: &Topic) -> Result<Batch, SnsError> {
    Ok(batch.run(
        "INSERT INTO sns_topics (arn, attributes, tags, owner, policy_owner) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (arn) DO UPDATE SET attributes = excluded.attributes, tags = excluded.tags,
            owner = excluded.owner, policy_owner = excluded.policy_owner",
        vec![
            topic.arn.to_string().into(),
            json(topic.attributes.given())?,
            json(&topic.tags)?,
            topic.owner.clone().into(),
            topic.policy_owner.clone().into(),
        ],
    ))
}

/// Removes a topic with all that belongs to it.
pub(crate) fn delete_topic(batch: Batch, arn: &TopicArn) -> Batch {
    let arn = || vec![arn.to_string().into()];
    batch
        .run("DELETE FROM sns_topics WHERE arn = $1", arn())
        .run("DELETE FROM sns_subscriptions WHERE topic = $1", arn())
        .run("DELETE FROM sns_deduplication WHERE topic = $1", arn())
}

/// Stores a subscription, new or changed.
pub(crate) fn put_subscription(batch: Batch, subscription: &Subscription) -> Result<Batch, SnsError> {
    let (authenticated, token, until) = match &subscription.confirmation {
        Confirmation::Confirmed { authenticated } => (*authenticated, None, None),
        Confirmation::Pending { token, until } => (false, Some(token.clone()), Some(until.as_millis())),
    };
    Ok(batch.run(
        "INSERT INTO sns_subscriptions
            (arn, topic, protocol, endpoint, attributes, authenticated, token, token_until, owner)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (arn) DO UPDATE SET attributes = excluded.attributes,
            authenticated = excluded.authenticated, token = excluded.token,
            token_until = excluded.token_until, owner = excluded.owner",
        vec![
            subscription.arn.to_string().into(),
            subscription.arn.topic.to_string().into(),
            subscription.endpoint.protocol.as_str().into(),
            subscription.endpoint.text.as_str().into(),
            json(subscription.attributes.given())?,
            i64::from(authenticated).into(),
            token.into(),
            until.into(),
            subscription.owner.clone().into(),
        ],
    ))
}

/// Removes a subscription.
pub(crate) fn delete_subscription(batch: Batch, arn: &SubscriptionArn) -> Batch {
    let sql = "DELETE FROM sns_subscriptions WHERE arn = $1";
    batch.run(sql, vec![arn.to_string().into()])
}

fn stored(what: &str, error: impl std::fmt::Display) -> SnsError {
    SnsError::Internal(format!(
        "`{what}` is stored in a form that cannot be read: {error}"
    ))
}

/// All topics.
pub(crate) async fn load_topics(database: &Database) -> Result<Vec<Topic>, SnsError> {
    let sql = "SELECT arn, attributes, tags, owner, policy_owner FROM sns_topics ORDER BY arn";
    database.read(sql, Vec::new()).await?.iter().map(topic).collect()
}

fn topic(row: &Row) -> Result<Topic, SnsError> {
    let text = row.text(0)?;
    let arn: TopicArn = text.parse()?;
    let given: Given = serde_json::from_str(row.text(1)?).map_err(|error| stored(text, error))?;
    let tags: BTreeMap<String, String> =
        serde_json::from_str(row.text(2)?).map_err(|error| stored(text, error))?;
    Ok(Topic {
        attributes: TopicAttributes::new(arn.name.is_fifo(), &given).map_err(|error| stored(text, error))?,
        arn,
        tags,
        owner: row.optional_text(3)?.map(str::to_owned),
        policy_owner: row.optional_text(4)?.map(str::to_owned),
    })
}

/// All subscriptions.
pub(crate) async fn load_subscriptions(database: &Database) -> Result<Vec<Subscription>, SnsError> {
    let sql = "SELECT arn, protocol, endpoint, attributes, authenticated, token, token_until, owner
        FROM sns_subscriptions ORDER BY arn";
    let rows = database.read(sql, Vec::new()).await?;
    rows.iter().map(subscription).collect()
}

fn subscription(row: &Row) -> Result<Subscription, SnsError> {
    let text = row.text(0)?;
    let endpoint = Endpoint::parse(row.text(1)?, row.text(2)?).map_err(|error| stored(text, error))?;
    let given: Given = serde_json::from_str(row.text(3)?).map_err(|error| stored(text, error))?;
    let confirmation = match (row.optional_text(5)?, row.optional_integer(6)?) {
        (Some(token), Some(until)) => Confirmation::Pending {
            token: token.to_owned(),
            until: Timestamp::from_millis(until),
        },
        _ => Confirmation::Confirmed {
            authenticated: row.integer(4)? != 0,
        },
    };
    Ok(Subscription {
        arn: text.parse()?,
        attributes: SubscriptionAttributes::new(&endpoint, &given).map_err(|error| stored(text, error))?,
        endpoint,
        confirmation,
        owner: row.optional_text(7)?.map(str::to_owned),
    })
}

/// A deduplication id that is taken, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) topic: TopicArn,
    /// The message group where ids are taken in groups, else empty.
    pub(crate) scope: String,
    pub(crate) id: String,
    pub(crate) message_id: Uuid,
    pub(crate) sequence: u64,
    pub(crate) expires_at: Timestamp,
}

/// Notes that a deduplication id is taken.
pub(crate) fn take(batch: Batch, taken: &Taken) -> Batch {
    batch.run(
        "INSERT INTO sns_deduplication (topic, scope, id, message_id, sequence, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (topic, scope, id) DO UPDATE SET message_id = excluded.message_id,
            sequence = excluded.sequence, expires_at = excluded.expires_at",
        vec![
            taken.topic.to_string().into(),
            taken.scope.as_str().into(),
            taken.id.as_str().into(),
            taken.message_id.to_string().into(),
            taken.sequence.cast_signed().into(),
            taken.expires_at.as_millis().into(),
        ],
    )
}

/// Deduplication ids that are taken after `now`.
pub(crate) async fn load_taken(database: &Database, now: Timestamp) -> Result<Vec<Taken>, SnsError> {
    let sql = "SELECT topic, scope, id, message_id, sequence, expires_at FROM sns_deduplication
        WHERE expires_at > $1";
    let rows = database.read(sql, vec![now.as_millis().into()]).await?;
    let taken = |row: &Row| {
        let message_id = row.text(3)?;
        Ok(Taken {
            topic: row.text(0)?.parse()?,
            scope: row.text(1)?.to_owned(),
            id: row.text(2)?.to_owned(),
            message_id: message_id.parse().map_err(|error| stored(message_id, error))?,
            sequence: row.integer(4)?.cast_unsigned(),
            expires_at: Timestamp::from_millis(row.integer(5)?),
        })
    };
    rows.iter().map(taken).collect()
}

/// Forgets deduplication ids whose time is over.
pub(crate) fn forget_taken(batch: Batch, now: Timestamp) -> Batch {
    batch.run(
        "DELETE FROM sns_deduplication WHERE expires_at <= $1",
        vec![now.as_millis().into()],
    )
}

/// Stores the signing key, unless there is one.
pub(crate) fn put_identity(batch: Batch, identity: &Identity) -> Batch {
    batch.run(
        "INSERT INTO sns_identity (name, key, certificate) VALUES ('signing', $1, $2)
         ON CONFLICT (name) DO NOTHING",
        vec![identity.key.clone().into(), identity.certificate.as_str().into()],
    )
}

/// The signing key, if it was made.
pub(crate) async fn load_identity(database: &Database) -> Result<Option<Identity>, DatabaseError> {
    let sql = "SELECT key, certificate FROM sns_identity WHERE name = 'signing'";
    let rows = database.read(sql, Vec::new()).await?;
    let identity = |row: &Row| {
        Ok(Identity {
            key: row.blob(0)?.to_vec(),
            certificate: row.text(1)?.to_owned(),
        })
    };
    rows.first().map(identity).transpose()
}
