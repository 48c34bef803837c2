//! The parts of uploads and of objects.

use std::collections::VecDeque;
use std::ops::Range;

use s3s::S3Result;
use tradewind_store::Batch;
use tradewind_store::blobs::Content;

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
    let rows = state.database.read(
        "SELECT content FROM s3_parts WHERE upload = $1",
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
