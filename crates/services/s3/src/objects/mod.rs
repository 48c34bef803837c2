//! Objects: their versions as rows, and what changes them.
//!
//! A *version* is one row: an object, or a delete marker. Of the versions of a key at most one is the
//! *latest*: the one that a request without a version id means. A bucket that never had versioning has
//! one version a key, whose id is `null`; so has one where versioning is suspended, beside the others.
//!
//! # Invariants
//! - A write is one batch: rows, content kept, content dropped. It names the rows that it was decided on,
//!   and fails whole if they are not those any more; then it is decided again.
//! - At most one latest version a key: an index says so, not only this code.
//! - Keys are bytes (UTF-8) in the database, so that they sort as S3 sorts them, whatever the database.

mod delete;
pub(crate) mod list;
mod locks;
mod put;
mod read;
mod row;
pub(crate) mod versions;

pub(crate) use delete::{Removal, delete};
pub(crate) use locks::KeyLocks;
pub(crate) use put::{NewVersion, put, put_over};
pub(crate) use read::ObjectStream;
pub(crate) use row::{Checksum, Head, Lock, NULL, Version, Versioning, document, find};

#[cfg(test)]
pub(crate) mod tests;
