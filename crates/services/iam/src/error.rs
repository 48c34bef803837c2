//! What can go wrong with a role.

use tradewind_model::resource::ResourceError;
use tradewind_store::DatabaseError;

use crate::InvalidRole;

/// Why a role could not be changed.
#[derive(Debug, thiserror::Error)]
pub enum RoleError {
    /// Its properties are wrong.
    #[error(transparent)]
    Invalid(#[from] InvalidRole),
    /// A property has the wrong type, or is missing.
    #[error(transparent)]
    Property(#[from] ResourceError),
    /// The name belongs to another stack or another resource of this one.
    #[error("role `{name}` exists already and belongs to another resource")]
    AlreadyExists {
        /// The name.
        name: String,
    },
    /// The database refused or failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A row is not what this binary wrote.
    #[error("role `{name}` is stored in a form that cannot be read: {source}")]
    Stored {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

impl From<RoleError> for ResourceError {
    fn from(error: RoleError) -> Self {
        match error {
            RoleError::Property(error) => error,
            RoleError::AlreadyExists { name } => Self::AlreadyExists { kind: "role", name },
            RoleError::Invalid(_) => Self::Invalid {
                message: error.to_string(),
            },
            RoleError::Database(_) | RoleError::Stored { .. } => Self::Internal {
                message: error.to_string(),
            },
        }
    }
}
