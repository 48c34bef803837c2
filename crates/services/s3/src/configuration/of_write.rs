//! What of a bucket's configuration matters to a write, read at once.

use s3s::S3Result;
use s3s::dto::{NotificationConfiguration, ObjectLockConfiguration};
use tradewind_model::Timestamp;

use super::document::parse;
use super::{Configurations, Document as _, tables};
use crate::lock::{self, Lock, NewLock};
use crate::notification::Audience;

/// The settings of a bucket that a write obeys.
#[derive(Clone, Debug)]
pub(crate) struct OfWrite {
    /// Who hears of the write.
    pub(crate) audience: Audience,
    object_lock: Option<ObjectLockConfiguration>,
}

impl Configurations {
    /// What a write to the bucket obeys.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub(crate) async fn of_write(&self, bucket: &str) -> S3Result<OfWrite> {
        let row = tables::of_write(&self.database, bucket).await?;
        let notification = row.document(NotificationConfiguration::KIND).map(parse);
        let notification: Option<NotificationConfiguration> = notification.transpose()?;
        let object_lock = row.document(ObjectLockConfiguration::KIND).map(parse);
        Ok(OfWrite {
            audience: Audience::new(&row.account, &row.region, bucket, notification.as_ref()),
            object_lock: object_lock.transpose()?,
        })
    }
}

impl OfWrite {
    /// The lock of a version that is being made now.
    ///
    /// # Errors
    /// `InvalidRequest` for a lock in a bucket without object lock, `InvalidArgument` for a wrong one.
    pub(crate) fn lock_of_new(&self, asked: NewLock, now: Timestamp) -> S3Result<Lock> {
        lock::of_new(self.object_lock.as_ref(), asked, now)
    }
}
