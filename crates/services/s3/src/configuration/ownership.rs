//! Ownership controls. A new bucket has `BucketOwnerEnforced`, as in S3 since April 2023: its ACLs
//! are disabled.

use s3s::S3Result;
use s3s::dto::{
    DeleteBucketOwnershipControlsInput, DeleteBucketOwnershipControlsOutput, GetBucketOwnershipControlsInput,
    GetBucketOwnershipControlsOutput, ObjectOwnership, OwnershipControls, OwnershipControlsRule,
    PutBucketOwnershipControlsInput, PutBucketOwnershipControlsOutput,
};

use super::document::Stored;
use super::{Configurations, Document, malformed};

const KNOWN: &[&str] = &[
    ObjectOwnership::BUCKET_OWNER_ENFORCED,
    ObjectOwnership::BUCKET_OWNER_PREFERRED,
    ObjectOwnership::OBJECT_WRITER,
];

impl Configurations {
    pub(crate) async fn put_bucket_ownership_controls(
        &self,
        input: PutBucketOwnershipControlsInput,
    ) -> S3Result<PutBucketOwnershipControlsOutput> {
        check(&input.ownership_controls)?;
        self.put(&input.bucket, &input.ownership_controls).await?;
        Ok(PutBucketOwnershipControlsOutput::default())
    }

    pub(crate) async fn get_bucket_ownership_controls(
        &self,
        input: GetBucketOwnershipControlsInput,
    ) -> S3Result<GetBucketOwnershipControlsOutput> {
        let controls = self
            .ownership_controls(&input.bucket)
            .await?
            .ok_or_else(OwnershipControls::absent)?;
        Ok(GetBucketOwnershipControlsOutput {
            ownership_controls: Some(controls),
        })
    }

    pub(crate) async fn delete_bucket_ownership_controls(
        &self,
        input: DeleteBucketOwnershipControlsInput,
    ) -> S3Result<DeleteBucketOwnershipControlsOutput> {
        self.clear::<OwnershipControls>(&input.bucket).await?;
        Ok(DeleteBucketOwnershipControlsOutput::default())
    }

    async fn ownership_controls(&self, bucket: &str) -> S3Result<Option<OwnershipControls>> {
        Ok(match self.stored(bucket).await? {
            Stored::Default => Some(controls(ObjectOwnership::BUCKET_OWNER_ENFORCED)),
            Stored::Deleted => None,
            Stored::Put(controls) => Some(controls),
        })
    }

    /// Whether the bucket's ACLs are disabled.
    pub(super) async fn acls_are_disabled(&self, bucket: &str) -> S3Result<bool> {
        let controls = self.ownership_controls(bucket).await?;
        let rules = controls.iter().flat_map(|controls| &controls.rules);
        let mut ownership = rules.map(|rule| rule.object_ownership.as_str());
        Ok(ownership.any(|of| of == ObjectOwnership::BUCKET_OWNER_ENFORCED))
    }
}

/// The controls of an ownership that S3 knows.
pub(super) fn controls_of(name: &str) -> Option<OwnershipControls> {
    let known = KNOWN.iter().find(|known| **known == name)?;
    Some(controls(known))
}

/// Controls with one rule.
fn controls(ownership: &'static str) -> OwnershipControls {
    OwnershipControls {
        rules: vec![OwnershipControlsRule {
            object_ownership: ObjectOwnership::from_static(ownership),
        }],
    }
}

/// Exactly one rule, with an ownership that S3 knows.
pub(crate) fn check(controls: &OwnershipControls) -> S3Result<()> {
    match controls.rules.as_slice() {
        [rule] if KNOWN.contains(&rule.object_ownership.as_str()) => Ok(()),
        _ => Err(malformed()),
    }
}
