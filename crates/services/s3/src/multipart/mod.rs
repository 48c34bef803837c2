//! Uploads in parts, and the parts that objects are made of.
//!
//! A part's content is stored when it comes and never moved: completing an upload writes rows only, and
//! the object's content *is* its parts. Their rows stay under the id of the upload, each with the byte
//! of the object that it starts at.

mod parts;

pub(crate) use parts::{drop_parts, pieces, range_of_nth};
