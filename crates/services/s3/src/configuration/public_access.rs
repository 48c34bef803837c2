//! The public access block of a bucket. A new bucket has all four, as in S3 since April 2023.

use s3s::S3Result;
use s3s::dto::{
    DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput, GetPublicAccessBlockInput,
    GetPublicAccessBlockOutput, PublicAccessBlockConfiguration, PutPublicAccessBlockInput,
    PutPublicAccessBlockOutput,
};

use super::document::Stored;
use super::{Configurations, Document};

impl Configurations {
    pub(crate) async fn put_public_access_block(
        &self,
        input: PutPublicAccessBlockInput,
    ) -> S3Result<PutPublicAccessBlockOutput> {
        let given = input.public_access_block_configuration;
        let all = PublicAccessBlockConfiguration {
            block_public_acls: given.block_public_acls.or(Some(false)),
            block_public_policy: given.block_public_policy.or(Some(false)),
            ignore_public_acls: given.ignore_public_acls.or(Some(false)),
            restrict_public_buckets: given.restrict_public_buckets.or(Some(false)),
        };
        self.put(&input.bucket, &all).await?;
        Ok(PutPublicAccessBlockOutput::default())
    }

    pub(crate) async fn get_public_access_block(
        &self,
        input: GetPublicAccessBlockInput,
    ) -> S3Result<GetPublicAccessBlockOutput> {
        let block = self
            .public_access_block(&input.bucket)
            .await?
            .ok_or_else(PublicAccessBlockConfiguration::absent)?;
        Ok(GetPublicAccessBlockOutput {
            public_access_block_configuration: Some(block),
        })
    }

    pub(crate) async fn delete_public_access_block(
        &self,
        input: DeletePublicAccessBlockInput,
    ) -> S3Result<DeletePublicAccessBlockOutput> {
        self.clear::<PublicAccessBlockConfiguration>(&input.bucket)
            .await?;
        Ok(DeletePublicAccessBlockOutput::default())
    }

    /// The block that holds for the bucket, if any.
    pub(super) async fn public_access_block(
        &self,
        bucket: &str,
    ) -> S3Result<Option<PublicAccessBlockConfiguration>> {
        Ok(match self.stored(bucket).await? {
            Stored::Default => Some(of_new_buckets()),
            Stored::Deleted => None,
            Stored::Put(block) => Some(block),
        })
    }
}

fn of_new_buckets() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration {
        block_public_acls: Some(true),
        block_public_policy: Some(true),
        ignore_public_acls: Some(true),
        restrict_public_buckets: Some(true),
    }
}
