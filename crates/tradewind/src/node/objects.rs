//! What services put into buckets themselves.

use async_trait::async_trait;
use bytes::Bytes;
use tradewind_lambda::Objects;
use tradewind_model::AccountId;
use tradewind_s3::S3Service;

/// The node's buckets, for who only puts something in.
#[derive(Debug)]
pub(super) struct Written(pub(super) S3Service);

#[async_trait]
impl Objects for Written {
    async fn put(&self, account: &AccountId, bucket: &str, key: &str, body: Bytes) -> Result<(), String> {
        self.0.put(account, bucket, key, body).await
    }
}
