//! What can go wrong with a bucket.

use tradewind_model::resource::ResourceError;
use tradewind_store::DatabaseError;

use crate::InvalidBucketName;

/// Why a bucket or its policy could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The name breaks S3's rules.
    #[error(transparent)]
    Name(#[from] InvalidBucketName),
    /// A property has the wrong type, or is missing.
    #[error(transparent)]
    Property(#[from] ResourceError),
    /// A property is not what it should be.
    #[error("property `{property}` must be {expected}")]
    Shape {
        /// Which property.
        property: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// A property is a document that S3 would refuse, or not of its form.
    #[error("property `{property}`: {message}")]
    Document {
        /// Which property.
        property: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The name belongs to another stack or another resource of this one.
    #[error("{kind} `{name}` exists already and belongs to another resource")]
    AlreadyExists {
        /// `bucket` or `bucket policy`.
        kind: &'static str,
        /// The bucket's name.
        name: String,
    },
    /// A policy is for a bucket that is not there.
    #[error("bucket `{name}` does not exist; create it in a template before its policy")]
    NoSuchBucket {
        /// The bucket's name.
        name: String,
    },
    /// Notifications are for a bucket that is not there.
    #[error("bucket `{name}` does not exist")]
    NoBucket {
        /// The bucket's name.
        name: String,
    },
    /// A bucket that has objects cannot go.
    #[error(
        "bucket `{name}` is not empty; delete its objects, all versions of them, and try again, or keep it with \
         `DeletionPolicy: Retain`"
    )]
    NotEmpty {
        /// The bucket's name.
        name: String,
    },
    /// The database refused or failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A row is not what this binary wrote.
    #[error("bucket `{name}` cannot be stored: {source}")]
    Stored {
        /// The bucket's name.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl From<BucketError> for ResourceError {
    fn from(error: BucketError) -> Self {
        match error {
            BucketError::Property(error) => error,
            BucketError::AlreadyExists { kind, name } => Self::AlreadyExists { kind, name },
            BucketError::Name(_)
            | BucketError::Shape { .. }
            | BucketError::Document { .. }
            | BucketError::NotEmpty { .. }
            | BucketError::NoBucket { .. }
            | BucketError::NoSuchBucket { .. } => Self::Invalid {
                message: error.to_string(),
            },
            BucketError::Database(_) | BucketError::Stored { .. } => Self::Internal {
                message: error.to_string(),
            },
        }
    }
}
