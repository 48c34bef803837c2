//! S3: buckets, objects and their versions, over HTTP and as resources of stacks.
//!
//! `front` makes a request of the wire one that s3s takes; s3s parses it and calls the function that
//! `operation.rs` names; that is in `api`, and works on `objects` and `multipart`, which own the rows.
//!
//! # Invariants
//! - A bucket's name is its own on the whole node, as it is in S3.
//! - A row says whose it is (`owner`): a stack never overwrites or deletes another's bucket or policy.
//! - A policy belongs to a bucket that is recorded, and goes with it.
//! - An object that was acknowledged is there, whole; one that was not leaves nothing (see `objects`).
//! - What a request asks for and nobody does is refused by name.

mod api;
mod bucket;
mod configuration;
mod digest;
mod error;
mod front;
mod instant;
mod lifecycle;
mod lock;
mod model;
mod multipart;
mod notification;
mod objects;
mod operation;
mod policy;
mod post;
mod refusal;
mod service;
mod state;
mod tables;
mod website;

pub use api::get_object::ReadObjectError;
pub use configuration::MIGRATIONS as CONFIGURATION_MIGRATIONS;
pub use error::BucketError;
pub use model::{Bucket, BucketName, InvalidBucketName};
pub use operation::operations;
pub use service::{S3Config, S3Service};
pub use tables::MIGRATIONS;
