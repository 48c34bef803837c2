//! The tables of buckets and their policies. No other crate reads them.

use serde_json::Value;
use tradewind_model::resource::ResourceContext;
use tradewind_store::{Batch, Database, DatabaseError, Migration};

use crate::error::BucketError;
use crate::model::Bucket;

/// The schema.
pub const MIGRATIONS: &[Migration] = &[Migration {
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
}];

/// Makes the bucket, or changes it where the context's resource has it already.
pub(crate) async fn put_bucket(
    database: &Database,
    context: &ResourceContext,
    name: &str,
    bucket: &Bucket,
) -> Result<(), BucketError> {
    let stored = |source| BucketError::Stored {
        name: name.to_owned(),
        source,
    };
    let bucket = serde_json::to_string(bucket).map_err(stored)?;
    let batch = Batch::new().require(
        "INSERT INTO s3_buckets (name, account, region, owner, bucket) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (name) DO UPDATE SET bucket = excluded.bucket
         WHERE s3_buckets.owner = excluded.owner",
        vec![
            name.into(),
            context.account.as_str().into(),
            context.region.as_str().into(),
            context.owner().into(),
            bucket.into(),
        ],
        1,
    );
    match database.write(batch).await {
        Ok(_) => Ok(()),
        Err(DatabaseError::Unexpected { .. }) => {
            let name = name.to_owned();
            Err(BucketError::AlreadyExists { kind: "bucket", name })
        }
        Err(error) => Err(error.into()),
    }
}

/// Removes the bucket and its policy, if the context's resource has it.
pub(crate) async fn delete_bucket(
    database: &Database,
    context: &ResourceContext,
    name: &str,
) -> Result<(), BucketError> {
    let key = || vec![name.into(), context.owner().into()];
    let batch = Batch::new()
        .run(
            "DELETE FROM s3_bucket_policies WHERE bucket IN
             (SELECT name FROM s3_buckets WHERE name = $1 AND owner = $2)",
            key(),
        )
        .run("DELETE FROM s3_buckets WHERE name = $1 AND owner = $2", key());
    database.write(batch).await?;
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
