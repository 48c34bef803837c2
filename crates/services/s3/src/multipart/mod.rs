//! Uploads in parts, and the parts that objects are made of.
//!
//! A part's content is stored when it comes and never moved: completing an upload writes rows only, and
//! the object's content *is* its parts. Their rows stay under the id of the upload, each with the byte
//! of the object that it starts at.

mod complete;
mod parts;
mod uploads;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use complete::{Listed, assemble};
pub(crate) use parts::{Part, after as parts_after, drop_parts, pieces, put as put_part, range_of_nth};
use uploads::exists;
pub(crate) use uploads::{Upload, abort, after as uploads_after, create, drop_all, find, no_such_upload};
