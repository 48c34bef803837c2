//! The operations, a file each where they are of any size. `operation.rs` says which is where.

pub(crate) mod buckets;
pub(crate) mod conditions;
pub(crate) mod copy_object;
pub(crate) mod delete_object;
pub(crate) mod delete_objects;
pub(crate) mod describe;
pub(crate) mod get_object;
pub(crate) mod head_object;
pub(crate) mod heads;
pub(crate) mod list_objects;
pub(crate) mod list_uploads;
pub(crate) mod list_versions;
pub(crate) mod multipart;
pub(crate) mod object_attributes;
pub(crate) mod object_tagging;
pub(crate) mod put_object;
pub(crate) mod receive;
pub(crate) mod refused_input;
pub(crate) mod versioning;
