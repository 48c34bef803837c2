//! What is configured of a bucket besides its name: CORS, tags, policy, ACL, public access block,
//! ownership controls, encryption, lifecycle, object lock, website, notifications.
//!
//! Each is one *document*: parsed and checked when it is put, kept as the XML that AWS defines for
//! it, and returned as it was put. A document belongs to a bucket that exists and goes with it.
//!
//! Nobody evaluates policies, ACLs, grants and public access blocks yet, since the node authorises no
//! request; what AWS refuses when they are *put* is refused here too.

mod acl;
mod cors;
mod document;
mod encryption;
pub(crate) mod object_acl;
mod of_new;
mod of_write;
pub(crate) mod operations;
mod ownership;
mod policy;
mod public_access;
mod tables;
mod tagging;

use s3s::{S3Error, S3ErrorCode};
use tradewind_store::Database;

pub(crate) use crate::instant::{to_model, to_wire as to_dto};
pub(crate) use crate::refusal::{custom, refused};

pub(crate) use acl::{AclRequest, bucket_canned, given as given_grants, owner_of};
pub(crate) use cors::check as check_cors;
pub(crate) use document::{Document, print};
pub(crate) use encryption::check as check_encryption;
pub(crate) use of_new::of_new_bucket;
pub(crate) use ownership::check as check_ownership;
pub use tables::MIGRATIONS;
pub(crate) use tables::{drop_all, replace_in};
pub(crate) use tagging::{check_bucket_tags, check_tags};

/// The configuration of all buckets of a node. A clone is the same configuration.
#[derive(Clone, Debug)]
pub(crate) struct Configurations {
    database: Database,
}

impl Configurations {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

/// A document that breaks its schema, in S3's words.
pub(crate) fn malformed() -> S3Error {
    refused(
        S3ErrorCode::MalformedXML,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}

/// `BadRequest`, with which S3 answers where it has no other code.
pub(crate) fn bad_request(message: impl Into<std::borrow::Cow<'static, str>>) -> S3Error {
    custom("BadRequest", http::StatusCode::BAD_REQUEST, message)
}
