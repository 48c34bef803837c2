//! Buckets, as this service has them: code comes out of them, records that are given up go into them.

use async_trait::async_trait;
use bytes::Bytes;
use tradewind_model::AccountId;

use crate::error::LambdaError;

/// The buckets of the node.
#[async_trait]
pub trait Objects: Send + Sync + std::fmt::Debug {
    /// Puts an object; on `Ok` it is durable.
    ///
    /// # Errors
    /// Why it is not there, in the words of S3.
    async fn put(&self, account: &AccountId, bucket: &str, key: &str, body: Bytes) -> Result<(), String>;

    /// The bytes of an object, if there are at most `most`.
    ///
    /// # Errors
    /// See [`ObjectError`].
    async fn get(&self, object: &ObjectName, most: u64) -> Result<Bytes, ObjectError>;
}

/// An object: the latest version of a key, or the one named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The id of a version.
    pub version: Option<String>,
}

/// Why an object cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// What S3 says.
    #[error("{code}: {message}")]
    Refused {
        /// The code, for example `NoSuchKey`.
        code: String,
        /// The text.
        message: String,
    },
    /// It has more bytes than were asked for at most.
    #[error("the object is too large")]
    TooLarge,
}

impl ObjectError {
    /// The error of an operation that wanted a package of at most `most` bytes.
    pub(crate) fn into_lambda(self, most: u64) -> LambdaError {
        match self {
            Self::TooLarge => LambdaError::UnzippedTooLarge { limit: most },
            Self::Refused { code, message } => LambdaError::CodeNotFetched { code, message },
        }
    }
}
