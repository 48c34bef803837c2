//! All versions of a bucket's keys: keys in order, of each the latest first.

use s3s::S3Result;
use tradewind_model::Timestamp;
use tradewind_store::Row;

use super::list::{behind, key_of, rolled_up};
use super::row::{self, Checksum, Head};
use crate::refusal::{internal, of_database};
use crate::state::State;

/// What is listed.
#[derive(Clone, Debug)]
pub(crate) struct Listing<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// Only what comes after this key, or common prefix …
    pub(crate) after: &'a str,
    /// … or, where it is given, after this version of it.
    pub(crate) after_id: Option<&'a str>,
    pub(crate) limit: usize,
}

/// A version that is listed.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) key: String,
    sequence: i64,
    pub(crate) id: String,
    pub(crate) latest: bool,
    pub(crate) marker: bool,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    pub(crate) storage_class: Option<String>,
    pub(crate) checksum: Option<Checksum>,
}

/// A part of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) versions: Vec<Listed>,
    pub(crate) prefixes: Vec<String>,
    /// Key and version, or common prefix, of the last of this page, when there is another.
    pub(crate) next: Option<(String, Option<String>)>,
}

const READ: u32 = 500;

/// One page.
///
/// # Errors
/// When the database fails; `NoSuchVersion` for an id that is none.
pub(crate) async fn page(state: &State, listing: &Listing<'_>) -> S3Result<Page> {
    let mut page = Page::default();
    let mut last = None;
    let mut cursor = first(state, listing).await?;
    if listing.limit == 0 {
        return Ok(page);
    }
    while let Some(at) = cursor.take() {
        let rows = read(state, listing.bucket, &at).await?;
        cursor = next(&at, &rows);
        for listed in rows {
            if !listed.key.starts_with(listing.prefix) {
                return Ok(page);
            }
            let rolled = rolled_up(&listed.key, listing.prefix, listing.delimiter).map(str::to_owned);
            if rolled.is_some() && rolled.as_ref() == page.prefixes.last() {
                continue;
            }
            if page.versions.len() + page.prefixes.len() == listing.limit {
                page.next = last;
                return Ok(page);
            }
            match rolled {
                Some(prefix) => {
                    last = Some((prefix.clone(), None));
                    cursor = behind(prefix.as_bytes()).map(Cursor::From);
                    page.prefixes.push(prefix);
                    break;
                }
                None => {
                    last = Some((listed.key.clone(), Some(listed.id.clone())));
                    page.versions.push(listed);
                }
            }
        }
    }
    Ok(page)
}

/// Where the next read begins.
enum Cursor {
    /// At the latest version of this key, or the first after it.
    From(Vec<u8>),
    /// In this key, behind the version of this sequence.
    Within(Vec<u8>, i64),
}

async fn first(state: &State, listing: &Listing<'_>) -> S3Result<Option<Cursor>> {
    let prefix = listing.prefix.as_bytes().to_vec();
    if let Some(id) = listing.after_id {
        // the version may have been deleted since it was listed; its id says where it stood
        let found = row::find_any(state, listing.bucket, listing.after, Some(id)).await?;
        let stood = found.version.map(|version| version.sequence);
        let sequence = stood.or_else(|| row::sequence_of(id)).unwrap_or(i64::MAX);
        return Ok(Some(Cursor::Within(listing.after.as_bytes().to_vec(), sequence)));
    }
    let rolled = rolled_up(listing.after, listing.prefix, listing.delimiter);
    let after = match rolled {
        Some(prefix) if prefix == listing.after => behind(prefix.as_bytes()),
        _ if listing.after.is_empty() => Some(Vec::new()),
        _ => Some([listing.after.as_bytes(), &[0]].concat()),
    };
    Ok(after.map(|after| Cursor::From(after.max(prefix))))
}

/// The read after the one that gave these rows.
fn next(at: &Cursor, rows: &[Listed]) -> Option<Cursor> {
    match (at, rows.last()) {
        (_, Some(last)) => Some(Cursor::Within(last.key.as_bytes().to_vec(), last.sequence)),
        (Cursor::Within(key, _), None) => Some(Cursor::From([key.as_slice(), &[0]].concat())),
        (Cursor::From(_), None) => None,
    }
}

async fn read(state: &State, bucket: &str, at: &Cursor) -> S3Result<Vec<Listed>> {
    let rows = match at {
        Cursor::From(key) => state.database.read(
            "SELECT key, sequence, version_id, latest, marker, size, etag, modified, head FROM s3_objects
             WHERE bucket = $1 AND key >= $2 ORDER BY key, sequence DESC LIMIT $3",
            vec![bucket.into(), key.clone().into(), READ.into()],
        ),
        Cursor::Within(key, sequence) => state.database.read(
            "SELECT key, sequence, version_id, latest, marker, size, etag, modified, head FROM s3_objects
             WHERE bucket = $1 AND key = $2 AND sequence < $4 ORDER BY sequence DESC LIMIT $3",
            vec![bucket.into(), key.clone().into(), READ.into(), (*sequence).into()],
        ),
    };
    rows.await.map_err(of_database)?.iter().map(listed).collect()
}

fn listed(row: &Row) -> S3Result<Listed> {
    let failed = |error: tradewind_store::DatabaseError| internal(&error);
    let head: Head = serde_json::from_str(row.text(8).map_err(failed)?).map_err(|error| internal(&error))?;
    Ok(Listed {
        key: key_of(row.blob(0).map_err(failed)?)?,
        sequence: row.integer(1).map_err(failed)?,
        id: row.text(2).map_err(failed)?.to_owned(),
        latest: row.integer(3).map_err(failed)? != 0,
        marker: row.integer(4).map_err(failed)? != 0,
        size: row.integer(5).map_err(failed)?.cast_unsigned(),
        etag: row.text(6).map_err(failed)?.to_owned(),
        modified: Timestamp::from_millis(row.integer(7).map_err(failed)?),
        storage_class: head.storage_class,
        checksum: head.checksum,
    })
}
