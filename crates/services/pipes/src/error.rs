//! What can go wrong, and what a client is told of it.

use tradewind_model::resource::ResourceError;
use tradewind_store::DatabaseError;
use tradewind_wire::WireError;

/// Why a request is refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum PipesError {
    /// There is no pipe of that name.
    #[error("Pipe {0} does not exist.")]
    NotFound(String),
    /// There is a pipe of that name already.
    #[error("Pipe {0} already exists.")]
    Exists(String),
    /// The request breaks a rule, or asks for what a node does not honour.
    #[error("{0}")]
    Validation(String),
    /// No operation has that method and path.
    #[error("Unable to determine service/operation name to be authorized")]
    UnknownOperation,
    /// The node failed.
    #[error("{0}")]
    Internal(String),
}

impl PipesError {
    /// `1 validation error detected: Value '…' at '…' failed to satisfy constraint: …`
    pub(crate) fn violation(member: &str, value: &str, rule: &str) -> Self {
        Self::Validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
        ))
    }

    /// A setting that a node does not honour.
    pub(crate) fn unsupported(setting: &str, reason: &str) -> Self {
        Self::Validation(format!("{setting} is not supported by this node: {reason}"))
    }

    /// What a client sees.
    pub(crate) fn wire(&self) -> WireError {
        let (status, code) = match self {
            Self::NotFound(_) => (404, "NotFoundException"),
            Self::Exists(_) => (409, "ConflictException"),
            Self::Validation(_) => (400, "ValidationException"),
            Self::UnknownOperation => (403, "AccessDeniedException"),
            Self::Internal(_) => {
                let text = "An internal error occurred. Please try again.";
                return WireError::new(500, "InternalException", text);
            }
        };
        WireError::new(status, code, self.to_string())
    }
}

impl From<DatabaseError> for PipesError {
    fn from(error: DatabaseError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<PipesError> for ResourceError {
    fn from(error: PipesError) -> Self {
        let message = error.to_string();
        match error {
            PipesError::Exists(name) => Self::AlreadyExists { kind: "pipe", name },
            PipesError::Internal(_) => Self::Internal { message },
            PipesError::NotFound(_) | PipesError::Validation(_) | PipesError::UnknownOperation => {
                Self::Invalid { message }
            }
        }
    }
}
