//! The tables of buckets and their policies. No other crate reads them.

use std::collections::BTreeMap;

use serde_json::Value;
use tradewind_model::Timestamp;
use tradewind_model::resource::ResourceContext;
use tradewind_store::{Batch, Database, DatabaseError, Migration, Row};

use crate::configuration;
use crate::error::BucketError;
use crate::model::Bucket;
use crate::objects::Versioning;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[
    Migration {
        service: "s3",
        version: 1,
        sql: "CREATE TABLE s3_buckets (
            name TEXT NOT NULL PRIMARY KEY,
            account TEXT NOT NULL,
            region TEXT NOT NULL,
            owner TEXT NOT NULL,
            bucket TEXT NOT NULL);
          CREATE TABLE s3_bucket_policies (
            bucket TEXT NOT NULL PRIMARY KEY,
            owner TEXT NOT NULL,
            document TEXT NOT NULL)",
    },
    Migration {
        service: "s3",
        version: 2,
        sql: OBJECTS,
    },
];

/// Versions of objects, uploads and their parts. Keys are bytes, so that every database sorts them alike.
const OBJECTS: &str = "
    ALTER TABLE s3_buckets ADD COLUMN created BIGINT NOT NULL DEFAULT 0;
    ALTER TABLE s3_buckets ADD COLUMN versioning BIGINT NOT NULL DEFAULT 0;
    CREATE TABLE s3_objects (
        bucket TEXT NOT NULL,
        key BLOB NOT NULL,
        sequence BIGINT NOT NULL,
        version_id TEXT NOT NULL,
        latest BIGINT NOT NULL,
        marker BIGINT NOT NULL,
        size BIGINT NOT NULL,
        etag TEXT NOT NULL,
        modified BIGINT NOT NULL,
        head TEXT NOT NULL,
        tags TEXT NOT NULL,
        lock_mode TEXT,
        lock_until BIGINT,
        legal_hold BIGINT NOT NULL,
        upload TEXT,
        content BLOB NOT NULL,
        PRIMARY KEY (bucket, key, sequence));
    CREATE UNIQUE INDEX s3_objects_latest ON s3_objects (bucket, key) WHERE latest = 1;
    CREATE TABLE s3_uploads (
        id TEXT NOT NULL PRIMARY KEY,
        bucket TEXT NOT NULL,
        key BLOB NOT NULL,
        account TEXT NOT NULL,
        started BIGINT NOT NULL,
        algorithm TEXT,
        composite BIGINT NOT NULL,
        head TEXT NOT NULL,
        tags TEXT NOT NULL,
        lock_mode TEXT,
        lock_until BIGINT,
        legal_hold BIGINT NOT NULL);
    CREATE INDEX s3_uploads_by_key ON s3_uploads (bucket, key, id);
    CREATE TABLE s3_parts (
        upload TEXT NOT NULL,
        number BIGINT NOT NULL,
        size BIGINT NOT NULL,
        etag TEXT NOT NULL,
        checksum TEXT,
        modified BIGINT NOT NULL,
        start BIGINT,
        content BLOB NOT NULL,
        PRIMARY KEY (upload, number))";

/// A bucket as its row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BucketRow {
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) created: Timestamp,
    pub(crate) versioning: Versioning,
}

/// Makes a bucket that belongs to no stack. False when there is one of this name.
pub(crate) async fn create_bucket(
    database: &Database,
    bucket: &BucketRow,
    documents: &[(&'static str, String)],
) -> Result<bool, DatabaseError> {
    let batch = Batch::new().require(
        "INSERT INTO s3_buckets (name, account, region, owner, bucket, created, versioning)
         VALUES ($1, $2, $3, '', '{\"tags\":{},\"settings\":{}}', $4, $5) ON CONFLICT (name) DO NOTHING",
        vec![
            bucket.name.as_str().into(),
            bucket.account.as_str().into(),
            bucket.region.as_str().into(),
            bucket.created.as_millis().into(),
            bucket.versioning.to_column().into(),
        ],
        1,
    );
    match database
        .write(configuration::replace_in(batch, &bucket.name, documents, &[]))
        .await
    {
        Ok(_) => Ok(true),
        Err(DatabaseError::Unexpected { statement: 0, .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The bucket of this name.
pub(crate) async fn find_bucket(database: &Database, name: &str) -> Result<Option<BucketRow>, DatabaseError> {
    let rows = database.read(
        "SELECT name, account, region, created, versioning FROM s3_buckets WHERE name = $1",
        vec![name.into()],
    );
    rows.await?.first().map(bucket_row).transpose()
}

/// Buckets of an account in order of their names, after `after`.
pub(crate) async fn list_buckets(
    database: &Database,
    account: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<BucketRow>, DatabaseError> {
    let rows = database.read(
        "SELECT name, account, region, created, versioning FROM s3_buckets
         WHERE account = $1 AND name > $2 ORDER BY name LIMIT $3",
        vec![account.into(), after.into(), limit.into()],
    );
    rows.await?.iter().map(bucket_row).collect()
}

fn bucket_row(row: &Row) -> Result<BucketRow, DatabaseError> {
    Ok(BucketRow {
        name: row.text(0)?.to_owned(),
        account: row.text(1)?.to_owned(),
        region: row.text(2)?.to_owned(),
        created: Timestamp::from_millis(row.integer(3)?),
        versioning: Versioning::of_column(row.integer(4)?),
    })
}

/// Sets whether a bucket keeps versions. False when there is no such bucket.
pub(crate) async fn set_versioning(
    database: &Database,
    name: &str,
    versioning: Versioning,
) -> Result<bool, DatabaseError> {
    let batch = Batch::new().run(
        "UPDATE s3_buckets SET versioning = $2 WHERE name = $1",
        vec![name.into(), versioning.to_column().into()],
    );
    Ok(database.write(batch).await? == [1])
}

/// What became of a bucket that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    Done,
    NotEmpty,
    Absent,
}

/// Removes an empty bucket with all that belongs to it; `batch` gives up the uploads to it.
pub(crate) async fn remove_bucket(
    database: &Database,
    batch: Batch,
    name: &str,
) -> Result<Removed, DatabaseError> {
    let key = || vec![name.into()];
    let batch = configuration::drop_all(batch, name)
        .run("DELETE FROM s3_bucket_policies WHERE bucket = $1", key())
        .require(
            "DELETE FROM s3_buckets WHERE name = $1
             AND NOT EXISTS (SELECT 1 FROM s3_objects WHERE s3_objects.bucket = s3_buckets.name)
             AND NOT EXISTS (SELECT 1 FROM s3_uploads WHERE s3_uploads.bucket = s3_buckets.name)",
            key(),
            1,
        );
    match database.write(batch).await {
        Ok(_) => Ok(Removed::Done),
        Err(DatabaseError::Unexpected { .. }) => match find_bucket(database, name).await? {
            Some(_) => Ok(Removed::NotEmpty),
            None => Ok(Removed::Absent),
        },
        Err(error) => Err(error),
    }
}

/// A bucket as a stack wants it.
#[derive(Debug)]
pub(crate) struct StackBucket {
    pub(crate) bucket: Bucket,
    /// When it is made; a bucket that is there keeps its date.
    pub(crate) created: Timestamp,
    /// None: as it is.
    pub(crate) versioning: Option<Versioning>,
    /// Kind and document.
    pub(crate) documents: Vec<(&'static str, String)>,
    /// Kinds that the stack wants no longer.
    pub(crate) gone: Vec<&'static str>,
}

/// Makes the bucket, or changes it where the context's resource has it already.
pub(crate) async fn put_bucket(
    database: &Database,
    context: &ResourceContext,
    name: &str,
    wanted: &StackBucket,
) -> Result<(), BucketError> {
    let stored = |source| BucketError::Stored {
        name: name.to_owned(),
        source,
    };
    let bucket = serde_json::to_string(&wanted.bucket).map_err(stored)?;
    let batch = Batch::new().require(
        "INSERT INTO s3_buckets (name, account, region, owner, bucket, created, versioning)
         VALUES ($1, $2, $3, $4, $5, $6, COALESCE(CAST($7 AS BIGINT), 0))
         ON CONFLICT (name) DO UPDATE SET bucket = excluded.bucket,
         versioning = COALESCE(CAST($7 AS BIGINT), s3_buckets.versioning)
         WHERE s3_buckets.owner = excluded.owner",
        vec![
            name.into(),
            context.account.as_str().into(),
            context.region.as_str().into(),
            context.owner().into(),
            bucket.into(),
            wanted.created.as_millis().into(),
            wanted.versioning.map(Versioning::to_column).into(),
        ],
        1,
    );
    let batch = configuration::replace_in(batch, name, &wanted.documents, &wanted.gone);
    match database.write(batch).await {
        Ok(_) => Ok(()),
        Err(DatabaseError::Unexpected { .. }) => {
            let name = name.to_owned();
            Err(BucketError::AlreadyExists { kind: "bucket", name })
        }
        Err(error) => Err(error.into()),
    }
}

/// The settings that a stack gave the bucket; none where there is no such bucket.
pub(crate) async fn settings(
    database: &Database,
    name: &str,
) -> Result<BTreeMap<String, Value>, BucketError> {
    let rows = database
        .read("SELECT bucket FROM s3_buckets WHERE name = $1", vec![name.into()])
        .await?;
    let Some(row) = rows.first() else {
        return Ok(BTreeMap::new());
    };
    let bucket: Bucket = serde_json::from_str(row.text(0)?).map_err(|source| BucketError::Stored {
        name: name.to_owned(),
        source,
    })?;
    Ok(bucket.settings)
}

/// Removes the bucket and all that is configured of it, if the context's resource has it; `batch` gives up the
/// uploads to it.
///
/// # Errors
/// [`BucketError::NotEmpty`] while it has objects.
pub(crate) async fn delete_bucket(
    database: &Database,
    batch: Batch,
    context: &ResourceContext,
    name: &str,
) -> Result<(), BucketError> {
    if !is_owned(database, context, name).await? {
        return Ok(());
    }
    match remove_bucket(database, batch, name).await? {
        Removed::Done | Removed::Absent => Ok(()),
        Removed::NotEmpty => Err(BucketError::NotEmpty {
            name: name.to_owned(),
        }),
    }
}

/// Whether the bucket is the one of the context's resource.
async fn is_owned(database: &Database, context: &ResourceContext, name: &str) -> Result<bool, DatabaseError> {
    let rows = database
        .read(
            "SELECT name FROM s3_buckets WHERE name = $1 AND owner = $2",
            vec![name.into(), context.owner().into()],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Whether nothing is in the bucket; uploads that have not ended go with it.
async fn is_empty(database: &Database, name: &str) -> Result<bool, DatabaseError> {
    let rows = database
        .read(
            "SELECT name FROM s3_buckets WHERE name = $1
             AND NOT EXISTS (SELECT 1 FROM s3_objects WHERE s3_objects.bucket = s3_buckets.name)",
            vec![name.into()],
        )
        .await?;
    Ok(!rows.is_empty())
}

/// Fails where [`delete_bucket`] would, as things stand.
pub(crate) async fn check_delete_bucket(
    database: &Database,
    context: &ResourceContext,
    name: &str,
) -> Result<(), BucketError> {
    if is_owned(database, context, name).await? && !is_empty(database, name).await? {
        return Err(BucketError::NotEmpty {
            name: name.to_owned(),
        });
    }
    Ok(())
}

/// Makes the policy of a bucket, or changes it where the context's resource has it already.
pub(crate) async fn put_policy(
    database: &Database,
    context: &ResourceContext,
    bucket: &str,
    document: &Value,
) -> Result<(), BucketError> {
    let name = bucket.to_owned();
    // The first statement changes nothing; it fails the batch when there is no such bucket.
    let batch = Batch::new()
        .require(
            "UPDATE s3_buckets SET name = name WHERE name = $1",
            vec![bucket.into()],
            1,
        )
        .require(
            "INSERT INTO s3_bucket_policies (bucket, owner, document) VALUES ($1, $2, $3)
             ON CONFLICT (bucket) DO UPDATE SET document = excluded.document
             WHERE s3_bucket_policies.owner = excluded.owner",
            vec![bucket.into(), context.owner().into(), document.to_string().into()],
            1,
        );
    match database.write(batch).await {
        Ok(_) => Ok(()),
        Err(DatabaseError::Unexpected { statement: 0, .. }) => Err(BucketError::NoSuchBucket { name }),
        Err(DatabaseError::Unexpected { .. }) => {
            let kind = "bucket policy";
            Err(BucketError::AlreadyExists { kind, name })
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes the policy of a bucket, if the context's resource has it.
pub(crate) async fn delete_policy(
    database: &Database,
    context: &ResourceContext,
    bucket: &str,
) -> Result<(), BucketError> {
    let batch = Batch::new().run(
        "DELETE FROM s3_bucket_policies WHERE bucket = $1 AND owner = $2",
        vec![bucket.into(), context.owner().into()],
    );
    database.write(batch).await?;
    Ok(())
}

/// What is recorded of a bucket, and its policy.
#[cfg(test)]
pub(crate) async fn get(database: &Database, name: &str) -> Option<(Bucket, Option<String>)> {
    let rows = database
        .read(
            "SELECT s3_buckets.bucket, document FROM s3_buckets
             LEFT JOIN s3_bucket_policies ON s3_bucket_policies.bucket = name WHERE name = $1",
            vec![name.into()],
        )
        .await
        .unwrap();
    let row = rows.first()?;
    let bucket = serde_json::from_str(row.text(0).unwrap()).unwrap();
    Some((bucket, row.optional_text(1).unwrap().map(str::to_owned)))
}
