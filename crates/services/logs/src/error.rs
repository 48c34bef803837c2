//! What can go wrong with a log group.

use tradewind_model::resource::ResourceError;
use tradewind_observe::DeleteLogsError;
use tradewind_store::DatabaseError;

use crate::InvalidLogGroup;

/// Why a log group could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum LogGroupError {
    /// Its properties are wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidLogGroup),
    /// A property has the wrong type.
    #[error(transparent)]
    Property(#[from] ResourceError),
    /// The name belongs to another stack or another resource of this one.
    #[error("log group `{name}` exists already and belongs to another resource")]
    AlreadyExists {
        /// The name.
        name: String,
    },
    /// The database refused or failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The events could not be deleted.
    #[error(transparent)]
    Events(#[from] DeleteLogsError),
    /// A row is not what this binary wrote.
    #[error("log group `{name}` is stored in a form that cannot be read: {source}")]
    Stored {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl From<LogGroupError> for ResourceError {
    fn from(error: LogGroupError) -> Self {
        match error {
            LogGroupError::Property(error) => error,
            LogGroupError::AlreadyExists { name } => Self::AlreadyExists {
                kind: "log group",
                name,
            },
            LogGroupError::Invalid(_) => Self::Invalid {
                message: error.to_string(),
            },
            LogGroupError::Database(_) | LogGroupError::Events(_) | LogGroupError::Stored { .. } => {
                Self::Internal {
                    message: error.to_string(),
                }
            }
        }
    }
}
