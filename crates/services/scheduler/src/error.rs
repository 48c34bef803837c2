//! What can go wrong, and what a client is told of it.

use tradewind_events::schedule::InvalidSchedule;
use tradewind_model::resource::ResourceError;
use tradewind_store::DatabaseError;
use tradewind_wire::WireError;

/// Why a request is refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum SchedulerError {
    /// There is no schedule of that name in the group.
    #[error("Schedule {0} does not exist.")]
    NoSuchSchedule(String),
    /// There is no group of that name.
    #[error("Schedule group {0} does not exist.")]
    NoSuchGroup(String),
    /// There is a schedule of that name already.
    #[error("Schedule {0} already exists.")]
    ScheduleExists(String),
    /// There is a group of that name already.
    #[error("Schedule group {0} already exists.")]
    GroupExists(String),
    /// The request breaks a rule.
    #[error("{0}")]
    Validation(String),
    /// As many as there may be.
    #[error("{0}")]
    QuotaExceeded(String),
    /// No operation has that method and path.
    #[error("Unable to determine service/operation name to be authorized")]
    UnknownOperation,
    /// The node failed.
    #[error("{0}")]
    Internal(String),
}

impl SchedulerError {
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
            Self::NoSuchSchedule(_) | Self::NoSuchGroup(_) => (404, "ResourceNotFoundException"),
            Self::ScheduleExists(_) | Self::GroupExists(_) => (409, "ConflictException"),
            Self::Validation(_) => (400, "ValidationException"),
            Self::QuotaExceeded(_) => (402, "ServiceQuotaExceededException"),
            Self::UnknownOperation => (403, "AccessDeniedException"),
            Self::Internal(_) => {
                let text = "Unexpected error encountered while processing the request.";
                return WireError::new(500, "InternalServerException", text);
            }
        };
        WireError::new(status, code, self.to_string())
    }
}

impl From<DatabaseError> for SchedulerError {
    fn from(error: DatabaseError) -> Self {
        Self::Internal(error.to_string())
    }
}

impl From<InvalidSchedule> for SchedulerError {
    fn from(error: InvalidSchedule) -> Self {
        let InvalidSchedule { expression, reason } = error;
        Self::Validation(format!("Invalid Schedule Expression {expression}. ({reason})"))
    }
}

impl From<SchedulerError> for ResourceError {
    fn from(error: SchedulerError) -> Self {
        let message = error.to_string();
        match error {
            SchedulerError::ScheduleExists(name) => Self::AlreadyExists {
                kind: "schedule",
                name,
            },
            SchedulerError::GroupExists(name) => Self::AlreadyExists {
                kind: "schedule group",
                name,
            },
            SchedulerError::Internal(_) => Self::Internal { message },
            SchedulerError::NoSuchSchedule(_)
            | SchedulerError::NoSuchGroup(_)
            | SchedulerError::Validation(_)
            | SchedulerError::QuotaExceeded(_)
            | SchedulerError::UnknownOperation => Self::Invalid { message },
        }
    }
}
