//! S3, its first part: buckets and bucket policies as resources of stacks.
//!
//! A bucket is *recorded*: its name, its settings, whose it is. It holds no objects, since the S3
//! service itself is not there yet; what would need it (notifications, websites, …) is refused by
//! name. The deployment bucket of the Serverless Framework needs no more than this.
//!
//! # Invariants
//! - A bucket's name is its own on the whole node, as it is in S3.
//! - A row says whose it is (`owner`): a stack never overwrites or deletes another's bucket or policy.
//! - A policy belongs to a bucket that is recorded, and goes with it.

mod bucket;
mod error;
mod model;
mod policy;
mod tables;

use std::sync::Arc;

use tradewind_model::resource::ResourceType;
use tradewind_store::Database;

pub use error::BucketError;
pub use model::{Bucket, BucketName, InvalidBucketName};
pub use tables::MIGRATIONS;

/// The buckets of a node. A clone is the same service.
#[derive(Clone, Debug)]
pub struct S3Service {
    database: Database,
}

impl S3Service {
    /// The service over its tables.
    #[must_use]
    pub fn open(database: Database) -> Self {
        Self { database }
    }

    /// `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        vec![
            Arc::new(bucket::BucketType::new(self.database.clone())),
            Arc::new(policy::BucketPolicyType::new(self.database.clone())),
        ]
    }
}
