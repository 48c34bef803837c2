//! What services put into buckets, and take out of them, themselves.

use async_trait::async_trait;
use bytes::Bytes;
use tradewind_lambda::{ObjectError, ObjectName, Objects};
use tradewind_model::AccountId;
use tradewind_s3::{ReadObjectError, S3Service};

/// The node's buckets, for services.
#[derive(Debug)]
pub(super) struct Buckets(pub(super) S3Service);

#[async_trait]
impl Objects for Buckets {
    async fn put(&self, account: &AccountId, bucket: &str, key: &str, body: Bytes) -> Result<(), String> {
        self.0.put(account, bucket, key, body).await
    }

    async fn get(&self, object: &ObjectName, most: u64) -> Result<Bytes, ObjectError> {
        let version = object.version.as_deref();
        let read = self.0.get(&object.bucket, &object.key, version, most).await;
        read.map_err(|error| match error {
            ReadObjectError::TooLarge => ObjectError::TooLarge,
            ReadObjectError::Refused { code, message } => ObjectError::Refused { code, message },
        })
    }
}
