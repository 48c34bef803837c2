//! The default encryption of a bucket: always SSE-S3 (`AES256`), as for every bucket of S3 since
//! January 2023. SSE-KMS is refused by name, since there is no KMS.

use s3s::dto::{
    DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput, GetBucketEncryptionInput,
    GetBucketEncryptionOutput, PutBucketEncryptionInput, PutBucketEncryptionOutput, ServerSideEncryption,
    ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
};
use s3s::{S3ErrorCode, S3Result};

use super::{Configurations, malformed, refused};

impl Configurations {
    pub(crate) async fn put_bucket_encryption(
        &self,
        input: PutBucketEncryptionInput,
    ) -> S3Result<PutBucketEncryptionOutput> {
        check(&input.server_side_encryption_configuration)?;
        self.put(&input.bucket, &input.server_side_encryption_configuration)
            .await?;
        Ok(PutBucketEncryptionOutput::default())
    }

    pub(crate) async fn get_bucket_encryption(
        &self,
        input: GetBucketEncryptionInput,
    ) -> S3Result<GetBucketEncryptionOutput> {
        let stored = self.stored(&input.bucket).await?.put();
        Ok(GetBucketEncryptionOutput {
            server_side_encryption_configuration: Some(stored.unwrap_or_else(of_all_buckets)),
        })
    }

    pub(crate) async fn delete_bucket_encryption(
        &self,
        input: DeleteBucketEncryptionInput,
    ) -> S3Result<DeleteBucketEncryptionOutput> {
        self.delete::<ServerSideEncryptionConfiguration>(&input.bucket)
            .await?;
        Ok(DeleteBucketEncryptionOutput::default())
    }
}

fn of_all_buckets() -> ServerSideEncryptionConfiguration {
    let by_default = ServerSideEncryptionByDefault {
        kms_master_key_id: None,
        sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
    };
    ServerSideEncryptionConfiguration {
        rules: vec![ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(by_default),
            bucket_key_enabled: Some(false),
        }],
    }
}

/// One rule, for `AES256` without a key.
pub(crate) fn check(configuration: &ServerSideEncryptionConfiguration) -> S3Result<()> {
    let [rule] = configuration.rules.as_slice() else {
        return Err(malformed());
    };
    let Some(by_default) = &rule.apply_server_side_encryption_by_default else {
        return Err(malformed());
    };
    match by_default.sse_algorithm.as_str() {
        ServerSideEncryption::AES256 if by_default.kms_master_key_id.is_some() => Err(refused(
            S3ErrorCode::InvalidArgument,
            "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse",
        )),
        ServerSideEncryption::AES256 => Ok(()),
        ServerSideEncryption::AWS_KMS | ServerSideEncryption::AWS_KMS_DSSE => Err(refused(
            S3ErrorCode::NotImplemented,
            "SSE-KMS is not implemented; use `AES256` (SSE-S3)",
        )),
        _ => Err(malformed()),
    }
}
