//! Lifecycle of a bucket's objects: what expires, when, and the worker that makes it go.
//!
//! ```text
//! PutBucketLifecycleConfiguration ──rules.rs──▶ [Rule] ──expiry.rs──▶ [Expiry] ──worker.rs──▶ deletes
//! ```
//!
//! # Invariants
//! - What a rule says is decided by one pure function ([`expiry::Judge`]) from the versions of a key
//!   and the time; the worker only reads and deletes.
//! - A version that is locked ([`crate::lock`]) is never removed.
//! - Transitions are refused when they are put: there is one storage class.

pub(crate) mod expiry;
pub(crate) mod rules;
pub(crate) mod worker;

use s3s::dto::{
    BucketLifecycleConfiguration, DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput, ExpirationStatus,
    GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput, LifecycleRule,
    PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput,
};
use s3s::{S3ErrorCode, S3Result};
use uuid::Uuid;

use crate::configuration::{Configurations, malformed, refused};
use rules::Rule;

impl Configurations {
    pub(crate) async fn put_bucket_lifecycle_configuration(
        &self,
        input: PutBucketLifecycleConfigurationInput,
    ) -> S3Result<PutBucketLifecycleConfigurationOutput> {
        let configuration = input.lifecycle_configuration.ok_or_else(malformed)?;
        if let Some(size) = &input.transition_default_minimum_object_size
            && size.as_str() != "all_storage_classes_128K"
        {
            return Err(refused(
                S3ErrorCode::NotImplemented,
                "transitions between storage classes are not implemented",
            ));
        }
        rules::check(&configuration)?;
        self.put(&input.bucket, &named(configuration)).await?;
        Ok(PutBucketLifecycleConfigurationOutput::default())
    }

    pub(crate) async fn get_bucket_lifecycle_configuration(
        &self,
        input: GetBucketLifecycleConfigurationInput,
    ) -> S3Result<GetBucketLifecycleConfigurationOutput> {
        let configuration: BucketLifecycleConfiguration = self.find(&input.bucket).await?;
        Ok(GetBucketLifecycleConfigurationOutput {
            rules: Some(configuration.rules),
            ..GetBucketLifecycleConfigurationOutput::default()
        })
    }

    pub(crate) async fn delete_bucket_lifecycle(
        &self,
        input: DeleteBucketLifecycleInput,
    ) -> S3Result<DeleteBucketLifecycleOutput> {
        self.delete::<BucketLifecycleConfiguration>(&input.bucket).await?;
        Ok(DeleteBucketLifecycleOutput::default())
    }

    /// The enabled rules of the bucket.
    pub(crate) async fn lifecycle(&self, bucket: &str) -> S3Result<Vec<Rule>> {
        let stored = self.stored::<BucketLifecycleConfiguration>(bucket).await?.put();
        Ok(stored.map(|stored| enabled(&stored)).unwrap_or_default())
    }
}

/// The rules that are enabled.
fn enabled(configuration: &BucketLifecycleConfiguration) -> Vec<Rule> {
    let rules = configuration.rules.iter();
    rules
        .filter(|rule| rule.status.as_str() == ExpirationStatus::ENABLED)
        .map(Rule::of)
        .collect()
}

/// Rules without an id get one, as S3 gives it.
pub(crate) fn named(mut configuration: BucketLifecycleConfiguration) -> BucketLifecycleConfiguration {
    let unnamed = |rule: &&mut LifecycleRule| rule.id.as_deref().is_none_or(str::is_empty);
    for rule in configuration.rules.iter_mut().filter(unnamed) {
        rule.id = Some(Uuid::new_v4().simple().to_string());
    }
    configuration
}
