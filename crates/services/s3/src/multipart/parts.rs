//! The parts of uploads and of objects.

use std::collections::VecDeque;
use std::ops::Range;

use s3s::S3Result;
use tradewind_model::Timestamp;
use tradewind_store::blobs::Content;
use tradewind_store::{Batch, DatabaseError, Row};

use crate::refusal::{internal, of_database};
use crate::state::State;

/// Where the bytes of a range of an object are.
pub(crate) async fn pieces(
    state: &State,
    upload: &str,
    range: Range<u64>,
) -> S3Result<VecDeque<(Content, Range<u64>)>> {
    let rows = state.database.read(
        "SELECT start, size, content FROM s3_parts
         WHERE upload = $1 AND start < $2 AND start + size > $3 ORDER BY start",
        vec![
            upload.into(),
            range.end.cast_signed().into(),
            range.start.cast_signed().into(),
        ],
    );
    let rows = rows.await.map_err(of_database)?;
    let piece = |row: &tradewind_store::Row| -> Result<_, Box<dyn std::error::Error>> {
        let start = row.integer(0)?.cast_unsigned();
        let size = row.integer(1)?.cast_unsigned();
        let within = range.start.saturating_sub(start)..size.min(range.end - start);
        Ok((Content::from_column(row.blob(2)?)?, within))
    };
    rows.iter()
        .map(piece)
        .collect::<Result<_, _>>()
        .map_err(|error| internal(error.as_ref()))
}

/// Gives up the content of all parts, and their rows.
pub(crate) async fn drop_parts(state: &State, mut batch: Batch, upload: &str) -> S3Result<Batch> {
    // content that is in the row goes with it
    let rows = state.database.read(
        "SELECT content FROM s3_parts WHERE upload = $1 AND length(content) <= 17",
        vec![upload.into()],
    );
    for row in rows.await.map_err(of_database)? {
        let content = row.blob(0).map_err(|error| internal(&error))?;
        let content = Content::from_column(content).map_err(|error| internal(&error))?;
        batch = state.blobs.drop_in(batch, &content);
    }
    Ok(batch.run("DELETE FROM s3_parts WHERE upload = $1", vec![upload.into()]))
}

/// The bytes of an object that came as its n-th part, from 1.
pub(crate) async fn range_of_nth(state: &State, upload: &str, nth: i32) -> S3Result<Option<Range<u64>>> {
    let Ok(skip @ 0..) = i64::from(nth).checked_sub(1).ok_or(()) else {
        return Ok(None);
    };
    let rows = state.database.read(
        "SELECT start, size FROM s3_parts WHERE upload = $1 AND start >= 0 ORDER BY number LIMIT 1 OFFSET $2",
        vec![upload.into(), skip.into()],
    );
    let rows = rows.await.map_err(of_database)?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let start = row.integer(0).map_err(|error| internal(&error))?.cast_unsigned();
    let size = row.integer(1).map_err(|error| internal(&error))?.cast_unsigned();
    Ok(Some(start..start + size))
}

/// A part of an upload.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) number: i32,
    pub(crate) size: u64,
    pub(crate) etag: String,
    /// In base64, of the algorithm that the upload keeps.
    pub(crate) checksum: String,
    pub(crate) modified: Timestamp,
    /// Where its content is, when it was read and is not in the row: ten thousand small parts are not read into
    /// memory.
    pub(crate) blob: Option<Content>,
}

impl Part {
    fn of_row(row: &Row) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(Self {
            number: i32::try_from(row.integer(0)?)?,
            size: row.integer(1)?.cast_unsigned(),
            etag: row.text(2)?.to_owned(),
            checksum: row.optional_text(3)?.unwrap_or_default().to_owned(),
            modified: Timestamp::from_millis(row.integer(4)?),
            blob: row.optional_blob(5)?.map(Content::from_column).transpose()?,
        })
    }
}

/// Parts after a number, in order.
pub(crate) async fn after(state: &State, upload: &str, number: i32, limit: u32) -> S3Result<Vec<Part>> {
    let rows = state.database.read(
        "SELECT number, size, etag, checksum, modified, CASE WHEN length(content) <= 17 THEN content END
         FROM s3_parts WHERE upload = $1 AND number > $2 ORDER BY number LIMIT $3",
        vec![upload.into(), i64::from(number).into(), limit.into()],
    );
    let rows = rows.await.map_err(of_database)?;
    let parts: Result<Vec<_>, _> = rows.iter().map(Part::of_row).collect();
    parts.map_err(|error| internal(error.as_ref()))
}

/// Stores a part with its content; one of the same number gives way. `keep` makes its content exist.
///
/// # Errors
/// `NoSuchUpload` where it was aborted or completed meanwhile.
pub(crate) async fn put(
    state: &State,
    upload: &str,
    part: &Part,
    content: &Content,
    keep: impl Fn(Batch) -> Batch + Send + Sync,
) -> S3Result {
    let _turn = state.locks.turn(upload, &part.number.to_string()).await;
    for _ in 0..20 {
        let mut batch = keep(Batch::new().growing());
        if let Some(old) = content_of(state, upload, part.number).await? {
            batch = state.blobs.drop_in(batch, &old).require(
                "DELETE FROM s3_parts WHERE upload = $1 AND number = $2 AND content = $3",
                vec![
                    upload.into(),
                    i64::from(part.number).into(),
                    old.to_column().into(),
                ],
                1,
            );
        }
        match state.database.write(insert(batch, upload, part, content)).await {
            Ok(_) => return Ok(()),
            // the upload went, or the part changed
            Err(DatabaseError::Unexpected { .. } | DatabaseError::Contended) => {}
            Err(error) => return Err(of_database(error)),
        }
        if !super::exists(state, upload).await? {
            return Err(super::no_such_upload());
        }
    }
    Err(crate::refusal::conflict())
}

/// The content of one part.
async fn content_of(state: &State, upload: &str, number: i32) -> S3Result<Option<Content>> {
    let rows = state.database.read(
        "SELECT content FROM s3_parts WHERE upload = $1 AND number = $2",
        vec![upload.into(), i64::from(number).into()],
    );
    let rows = rows.await.map_err(of_database)?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let content = row.blob(0).map_err(|error| internal(&error))?;
    let content = Content::from_column(content).map_err(|error| internal(&error))?;
    Ok(Some(content))
}

fn insert(batch: Batch, upload: &str, part: &Part, content: &Content) -> Batch {
    // of an upload that is gone there is no row to insert
    batch.require(
        "INSERT INTO s3_parts (upload, number, size, etag, checksum, modified, content)
         SELECT id, $2, $3, $4, $5, $6, $7 FROM s3_uploads WHERE id = $1 ON CONFLICT DO NOTHING",
        vec![
            upload.into(),
            i64::from(part.number).into(),
            part.size.cast_signed().into(),
            part.etag.as_str().into(),
            part.checksum.as_str().into(),
            part.modified.as_millis().into(),
            content.to_column().into(),
        ],
        1,
    )
}
