//! A document of a bucket's configuration: what all kinds have in common.

use http::StatusCode;
use s3s::dto::{
    AccessControlPolicy, BucketLifecycleConfiguration, CORSConfiguration, NotificationConfiguration,
    ObjectLockConfiguration, OwnershipControls, PublicAccessBlockConfiguration,
    ServerSideEncryptionConfiguration, Tagging, WebsiteConfiguration,
};
use s3s::xml::{Deserialize, Deserializer, Serialize, Serializer};
use s3s::{S3Error, S3ErrorCode, S3Result};

use super::{Configurations, custom, refused, tables};

/// A kind of document: how its rows are named, and what S3 answers where a bucket has none.
pub(crate) trait Document: Serialize + for<'xml> Deserialize<'xml> {
    /// Its name in the table. Never changed, since rows carry it.
    const KIND: &'static str;
    /// The error of reading one that is not there.
    fn absent() -> S3Error;
}

macro_rules! documents {
    ($($type:ty, $kind:literal, $code:expr, $message:literal;)*) => {$(
        impl Document for $type {
            const KIND: &'static str = $kind;
            fn absent() -> S3Error {
                let mut error = refused($code, $message);
                error.set_status_code(StatusCode::NOT_FOUND);
                error
            }
        }
    )*};
}

documents! {
    CORSConfiguration, "cors", S3ErrorCode::NoSuchCORSConfiguration,
        "The CORS configuration does not exist";
    Tagging, "tagging", S3ErrorCode::NoSuchTagSet, "The TagSet does not exist";
    AccessControlPolicy, "acl", S3ErrorCode::Custom("NoSuchAcl".into()), "The ACL does not exist";
    PublicAccessBlockConfiguration, "public-access-block",
        S3ErrorCode::Custom("NoSuchPublicAccessBlockConfiguration".into()),
        "The public access block configuration was not found";
    OwnershipControls, "ownership-controls",
        S3ErrorCode::Custom("OwnershipControlsNotFoundError".into()),
        "The bucket ownership controls were not found";
    ServerSideEncryptionConfiguration, "encryption",
        S3ErrorCode::Custom("ServerSideEncryptionConfigurationNotFoundError".into()),
        "The server side encryption configuration was not found";
    BucketLifecycleConfiguration, "lifecycle", S3ErrorCode::NoSuchLifecycleConfiguration,
        "The lifecycle configuration does not exist";
    ObjectLockConfiguration, "object-lock",
        S3ErrorCode::Custom("ObjectLockConfigurationNotFoundError".into()),
        "Object Lock configuration does not exist for this bucket";
    WebsiteConfiguration, "website", S3ErrorCode::NoSuchWebsiteConfiguration,
        "The specified bucket does not have a website configuration";
    NotificationConfiguration, "notification", S3ErrorCode::Custom("NoSuchNotification".into()),
        "The notification configuration does not exist";
}

/// What a bucket has of one kind.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stored<D> {
    /// Nothing was ever put: S3's default for new buckets holds.
    Default,
    /// It was deleted: none, not even the default.
    Deleted,
    /// What was put.
    Put(D),
}

impl<D> Stored<D> {
    /// The document, if one was put.
    pub(crate) fn put(self) -> Option<D> {
        match self {
            Self::Put(document) => Some(document),
            Self::Default | Self::Deleted => None,
        }
    }
}

impl Configurations {
    /// Keeps the document as the bucket's, in place of one it had.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub(crate) async fn put<D: Document>(&self, bucket: &str, document: &D) -> S3Result<()> {
        let text = print(document)?;
        tables::put(&self.database, bucket, D::KIND, Some(text)).await
    }

    /// Removes the bucket's document of this kind; S3's default holds again.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub(crate) async fn delete<D: Document>(&self, bucket: &str) -> S3Result<()> {
        tables::delete(&self.database, bucket, D::KIND).await
    }

    /// Remembers that the bucket has no document of this kind, not even S3's default for new buckets.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub(crate) async fn clear<D: Document>(&self, bucket: &str) -> S3Result<()> {
        tables::put(&self.database, bucket, D::KIND, None).await
    }

    /// What the bucket has of this kind.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub(crate) async fn stored<D: Document>(&self, bucket: &str) -> S3Result<Stored<D>> {
        match tables::get(&self.database, bucket, D::KIND).await? {
            None => Ok(Stored::Default),
            Some(None) => Ok(Stored::Deleted),
            Some(Some(text)) => Ok(Stored::Put(parse(&text)?)),
        }
    }

    /// The document that was put.
    ///
    /// # Errors
    /// `NoSuchBucket`, or the kind's own error where there is none.
    pub(crate) async fn find<D: Document>(&self, bucket: &str) -> S3Result<D> {
        self.stored(bucket).await?.put().ok_or_else(D::absent)
    }
}

/// The document as XML.
pub(crate) fn print<D: Document>(document: &D) -> S3Result<String> {
    let mut bytes = Vec::new();
    document
        .serialize(&mut Serializer::new(&mut bytes))
        .map_err(S3Error::internal_error)?;
    String::from_utf8(bytes).map_err(S3Error::internal_error)
}

/// The document a row holds.
pub(super) fn parse<D: Document>(text: &str) -> S3Result<D> {
    D::deserialize(&mut Deserializer::new(text.as_bytes())).map_err(|error| {
        tracing::error!(kind = D::KIND, %error, "a stored bucket configuration cannot be read");
        custom(
            "InternalError",
            StatusCode::INTERNAL_SERVER_ERROR,
            "a stored bucket configuration cannot be read; the node's log says more",
        )
    })
}
