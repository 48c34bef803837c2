//! The table of buckets' configurations. No other module reads it.

use s3s::S3Result;
use tradewind_store::{Batch, Database, DatabaseError, Migration, Row};

use crate::refusal::{no_such_bucket, of_database};

/// The schema. A document that is NULL was deleted, and S3's default with it.
pub const MIGRATIONS: &[Migration] = &[Migration {
    service: "s3-configuration",
    version: 1,
    sql: "CREATE TABLE s3_bucket_configuration (
            bucket TEXT NOT NULL,
            kind TEXT NOT NULL,
            document TEXT,
            PRIMARY KEY (bucket, kind))",
}];

/// Keeps a document for a bucket that exists.
pub(super) async fn put(
    database: &Database,
    bucket: &str,
    kind: &'static str,
    document: Option<String>,
) -> S3Result<()> {
    let batch = of_bucket(bucket).run(
        "INSERT INTO s3_bucket_configuration (bucket, kind, document) VALUES ($1, $2, $3)
         ON CONFLICT (bucket, kind) DO UPDATE SET document = excluded.document",
        vec![bucket.into(), kind.into(), document.into()],
    );
    write(database, batch).await
}

/// Forgets a bucket's document, if it has one.
pub(super) async fn delete(database: &Database, bucket: &str, kind: &'static str) -> S3Result<()> {
    let batch = of_bucket(bucket).run(
        "DELETE FROM s3_bucket_configuration WHERE bucket = $1 AND kind = $2",
        vec![bucket.into(), kind.into()],
    );
    write(database, batch).await
}

/// The row of a bucket: absent, or with a document, or with none.
pub(super) async fn get(
    database: &Database,
    bucket: &str,
    kind: &'static str,
) -> S3Result<Option<Option<String>>> {
    let rows = database
        .read(
            "SELECT s3_bucket_configuration.kind, document FROM s3_buckets
             LEFT JOIN s3_bucket_configuration ON s3_bucket_configuration.bucket = name
             AND s3_bucket_configuration.kind = $2
             WHERE name = $1",
            vec![bucket.into(), kind.into()],
        )
        .await
        .map_err(of_database)?;
    let row = rows.first().ok_or_else(no_such_bucket)?;
    let found = row.optional_text(0).map_err(of_database)?;
    let document = row.optional_text(1).map_err(of_database)?;
    Ok(found.map(|_kind| document.map(str::to_owned)))
}

/// Forgets all of a bucket, in the batch that removes the bucket.
pub(crate) fn drop_all(batch: Batch, bucket: &str) -> Batch {
    batch.run(
        "DELETE FROM s3_bucket_configuration WHERE bucket = $1",
        vec![bucket.into()],
    )
}

/// A batch that fails where there is no such bucket.
fn of_bucket(bucket: &str) -> Batch {
    Batch::new().require(
        "UPDATE s3_buckets SET name = name WHERE name = $1",
        vec![bucket.into()],
        1,
    )
}

async fn write(database: &Database, batch: Batch) -> S3Result<()> {
    match database.write(batch).await {
        Ok(_) => Ok(()),
        Err(DatabaseError::Unexpected { statement: 0, .. }) => Err(no_such_bucket()),
        Err(error) => Err(of_database(error)),
    }
}

/// The account whose bucket it is.
pub(super) async fn account(database: &Database, bucket: &str) -> S3Result<String> {
    let rows = database
        .read(
            "SELECT account FROM s3_buckets WHERE name = $1",
            vec![bucket.into()],
        )
        .await
        .map_err(of_database)?;
    let row = rows.first().ok_or_else(no_such_bucket)?;
    Ok(row.text(0).map_err(of_database)?.to_owned())
}

/// Keeps a bucket's policy; one that a stack made stays that stack's.
pub(super) async fn put_policy(database: &Database, bucket: &str, document: &str) -> S3Result<()> {
    let batch = of_bucket(bucket).run(
        "INSERT INTO s3_bucket_policies (bucket, owner, document) VALUES ($1, '', $2)
         ON CONFLICT (bucket) DO UPDATE SET document = excluded.document",
        vec![bucket.into(), document.into()],
    );
    write(database, batch).await
}

/// Removes a bucket's policy.
pub(super) async fn delete_policy(database: &Database, bucket: &str) -> S3Result<()> {
    let batch = of_bucket(bucket).run(
        "DELETE FROM s3_bucket_policies WHERE bucket = $1",
        vec![bucket.into()],
    );
    write(database, batch).await
}

/// A bucket's policy.
pub(super) async fn policy(database: &Database, bucket: &str) -> S3Result<Option<String>> {
    let rows = database
        .read(
            "SELECT document FROM s3_buckets LEFT JOIN s3_bucket_policies ON s3_bucket_policies.bucket = name
             WHERE name = $1",
            vec![bucket.into()],
        )
        .await
        .map_err(of_database)?;
    let row = rows.first().ok_or_else(no_such_bucket)?;
    let document = row.optional_text(0).map_err(of_database)?;
    Ok(document.map(str::to_owned))
}

/// A bucket and those of its documents that a write obeys.
#[derive(Debug)]
pub(super) struct OfWriteRow {
    pub(super) account: String,
    pub(super) region: String,
    documents: Vec<(String, String)>,
}

impl OfWriteRow {
    pub(super) fn document(&self, kind: &str) -> Option<&str> {
        let found = self.documents.iter().find(|(given, _)| given == kind);
        found.map(|(_, document)| document.as_str())
    }
}

/// What a write to the bucket obeys.
pub(super) async fn of_write(database: &Database, bucket: &str) -> S3Result<OfWriteRow> {
    let rows = database
        .read(
            "SELECT account, region, kind, document FROM s3_buckets
             LEFT JOIN s3_bucket_configuration ON s3_bucket_configuration.bucket = name
             AND kind IN ('notification', 'object-lock')
             WHERE name = $1",
            vec![bucket.into()],
        )
        .await
        .map_err(of_database)?;
    let first = rows.first().ok_or_else(no_such_bucket)?;
    let mut found = OfWriteRow {
        account: row_text(first, 0)?.unwrap_or_default().to_owned(),
        region: row_text(first, 1)?.unwrap_or_default().to_owned(),
        documents: vec![],
    };
    for row in &rows {
        if let (Some(kind), Some(document)) = (row_text(row, 2)?, row_text(row, 3)?) {
            found.documents.push((kind.to_owned(), document.to_owned()));
        }
    }
    Ok(found)
}

fn row_text(row: &Row, column: usize) -> S3Result<Option<&str>> {
    row.optional_text(column).map_err(of_database)
}

/// Puts documents of a bucket, and forgets those of other kinds, in a batch that makes sure of the bucket.
pub(crate) fn replace_in(
    batch: Batch,
    bucket: &str,
    documents: &[(&'static str, String)],
    gone: &[&'static str],
) -> Batch {
    let batch = documents.iter().fold(batch, |batch, (kind, document)| {
        batch.run(
            "INSERT INTO s3_bucket_configuration (bucket, kind, document) VALUES ($1, $2, $3)
             ON CONFLICT (bucket, kind) DO UPDATE SET document = excluded.document",
            vec![bucket.into(), (*kind).into(), document.as_str().into()],
        )
    });
    gone.iter().fold(batch, |batch, kind| {
        batch.run(
            "DELETE FROM s3_bucket_configuration WHERE bucket = $1 AND kind = $2",
            vec![bucket.into(), (*kind).into()],
        )
    })
}
