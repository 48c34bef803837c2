//! The keys of a bucket, in order, rolled up at a delimiter.
//!
//! Nothing here costs time in proportion to what is rolled up: after a common prefix the next read
//! begins behind everything that has it.

use s3s::S3Result;
use s3s::{S3Error, S3ErrorCode};
use tradewind_model::Timestamp;

use super::row::{Checksum, Head};
use crate::refusal::{internal, of_database, refused};
use crate::state::State;

/// What is listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing<'a> {
    pub(crate) bucket: &'a str,
    pub(crate) prefix: &'a str,
    pub(crate) delimiter: Option<&'a str>,
    /// Only what comes after it: a key, or a common prefix with all that has it.
    pub(crate) after: &'a str,
    /// Keys and common prefixes together.
    pub(crate) limit: usize,
}

/// A key that is listed.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    pub(crate) key: String,
    pub(crate) size: u64,
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    pub(crate) storage_class: Option<String>,
    pub(crate) checksum: Option<Checksum>,
}

/// A part of a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    pub(crate) keys: Vec<Listed>,
    pub(crate) prefixes: Vec<String>,
    /// Where the next page begins, when there is one: the last key or common prefix of this one.
    pub(crate) next: Option<String>,
}

/// Rows that are read at first, and at most, at a time.
const READ: std::ops::RangeInclusive<u32> = 64..=1001;

/// One page of the latest objects.
///
/// # Errors
/// When the database fails. That the bucket exists is the caller's to know.
pub(crate) async fn page(state: &State, listing: &Listing<'_>) -> S3Result<Page> {
    let mut page = Page::default();
    let mut cursor = Cursor::new(listing);
    let mut last = None;
    if listing.limit == 0 {
        return Ok(page);
    }
    while let Some(keys) = cursor.read(state).await? {
        for listed in keys {
            let prefix = common_prefix(listing, &listed.key);
            if prefix.is_some_and(|prefix| page.prefixes.last().is_some_and(|known| known == prefix)) {
                continue;
            }
            if page.keys.len() + page.prefixes.len() == listing.limit {
                page.next = last;
                return Ok(page);
            }
            match prefix.map(str::to_owned) {
                Some(prefix) => {
                    last = Some(prefix.clone());
                    cursor.skip(&prefix);
                    page.prefixes.push(prefix);
                    break;
                }
                None => {
                    last = Some(listed.key.clone());
                    page.keys.push(listed);
                }
            }
        }
    }
    Ok(page)
}

/// The part of a key up to the first delimiter after the prefix.
pub(crate) fn rolled_up<'k>(key: &'k str, prefix: &str, delimiter: Option<&str>) -> Option<&'k str> {
    let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty())?;
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

fn common_prefix<'k>(listing: &Listing<'_>, key: &'k str) -> Option<&'k str> {
    rolled_up(key, listing.prefix, listing.delimiter)
}

/// The least text of bytes behind all that begin with `prefix`; none when there is none.
pub(crate) fn behind(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut behind = prefix.to_vec();
    while let Some(last) = behind.pop() {
        if last < u8::MAX {
            behind.push(last + 1);
            return Some(behind);
        }
    }
    None
}

/// Where in the bucket the next read begins and all of them end.
struct Cursor {
    bucket: String,
    /// Inclusive. None when everything was read.
    from: Option<Vec<u8>>,
    until: Option<Vec<u8>>,
    read: u32,
    most: u32,
}

impl Cursor {
    fn new(listing: &Listing<'_>) -> Self {
        let prefix = listing.prefix.as_bytes();
        let rolled = rolled_up(listing.after, listing.prefix, listing.delimiter);
        let after = match rolled {
            Some(prefix) if prefix == listing.after => behind(prefix.as_bytes()),
            _ if listing.after.is_empty() => Some(Vec::new()),
            _ => Some([listing.after.as_bytes(), &[0]].concat()),
        };
        let most = u32::try_from(listing.limit.saturating_add(1)).unwrap_or(*READ.end());
        let most = most.min(*READ.end());
        Self {
            bucket: listing.bucket.to_owned(),
            from: after.map(|after| after.max(prefix.to_vec())),
            until: behind(prefix),
            read: if listing.delimiter.is_some() {
                most.min(*READ.start())
            } else {
                most
            },
            most,
        }
    }

    fn skip(&mut self, prefix: &str) {
        self.from = behind(prefix.as_bytes());
        self.read = self.most.min(*READ.start());
    }

    /// The next keys; none at the end.
    async fn read(&mut self, state: &State) -> S3Result<Option<Vec<Listed>>> {
        let Some(from) = self.from.take() else {
            return Ok(None);
        };
        let mut params = vec![self.bucket.as_str().into(), from.into(), self.read.into()];
        let rows = match &self.until {
            Some(until) => {
                params.push(until.clone().into());
                state.database.read(
                    "SELECT key, size, etag, modified, head FROM s3_objects
                     WHERE bucket = $1 AND key >= $2 AND key < $4 AND latest = 1 AND marker = 0
                     ORDER BY key LIMIT $3",
                    params,
                )
            }
            None => state.database.read(
                "SELECT key, size, etag, modified, head FROM s3_objects
                 WHERE bucket = $1 AND key >= $2 AND latest = 1 AND marker = 0 ORDER BY key LIMIT $3",
                params,
            ),
        };
        let rows = rows.await.map_err(of_database)?;
        if rows.is_empty() {
            return Ok(None);
        }
        let whole = rows.len() == self.read as usize;
        self.read = self.read.saturating_mul(2).min(self.most);
        let keys: Vec<Listed> = rows.iter().map(listed).collect::<Result<_, _>>()?;
        if let Some(last) = keys.last().filter(|_| whole) {
            self.from = Some([last.key.as_bytes(), &[0]].concat());
        }
        Ok(Some(keys))
    }
}

fn listed(row: &tradewind_store::Row) -> S3Result<Listed> {
    let failed = |error: tradewind_store::DatabaseError| internal(&error);
    let head: Head = serde_json::from_str(row.text(4).map_err(failed)?).map_err(|error| internal(&error))?;
    Ok(Listed {
        key: key_of(row.blob(0).map_err(failed)?)?,
        size: row.integer(1).map_err(failed)?.cast_unsigned(),
        etag: row.text(2).map_err(failed)?.to_owned(),
        modified: Timestamp::from_millis(row.integer(3).map_err(failed)?),
        storage_class: head.storage_class,
        checksum: head.checksum,
    })
}

/// A key from its column.
pub(crate) fn key_of(column: &[u8]) -> S3Result<String> {
    String::from_utf8(column.to_vec()).map_err(|error| internal(&error))
}

/// The most keys of a page: what was asked for, and no more than S3 gives.
///
/// # Errors
/// `InvalidArgument` for a negative number.
pub(crate) fn limit_of(asked: Option<i32>, what: &str) -> Result<usize, S3Error> {
    let asked = asked.unwrap_or(1000);
    let limit = usize::try_from(asked).map_err(|_negative| {
        refused(
            S3ErrorCode::InvalidArgument,
            format!("Argument {what} must be an integer between 0 and 2147483647"),
        )
    })?;
    Ok(limit.min(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_roll_up_at_the_first_delimiter_after_the_prefix() {
        for (key, prefix, delimiter, expected) in [
            ("a/b/c", "", Some("/"), Some("a/")),
            ("a/b/c", "a/", Some("/"), Some("a/b/")),
            ("a/b/c", "a/b/", Some("/"), None),
            ("a/b/c", "", None, None),
            ("a/b/c", "", Some(""), None),
            ("a--b", "a", Some("--"), Some("a--")),
            ("é/x", "é", Some("/"), Some("é/")),
        ] {
            assert_eq!(rolled_up(key, prefix, delimiter), expected, "{key} {prefix}");
        }
    }

    #[test]
    fn behind_a_prefix_nothing_has_it() {
        assert_eq!(behind(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(behind(b"a\xff"), Some(b"b".to_vec()));
        assert_eq!(behind(b"\xff\xff"), None);
        assert_eq!(behind(b""), None);
    }
}
