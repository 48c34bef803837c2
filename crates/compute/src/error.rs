//! Why the engine itself refuses or fails. What a function does wrong is an
//! [`InvokeResponse`](crate::InvokeResponse) with an error, not one of these.

use std::path::PathBuf;

/// Why an invocation did not reach its function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvokeError {
    /// No such function or version is deployed.
    #[error("function `{function}` does not exist")]
    NotFound {
        /// The ARN that was asked for.
        function: String,
    },
    /// The event is larger than Lambda's synchronous payload.
    #[error("request of {size_bytes} bytes is larger than {limit_bytes} bytes")]
    RequestTooLarge {
        /// Size of the event.
        size_bytes: usize,
        /// Largest allowed.
        limit_bytes: usize,
    },
    /// A concurrency limit is reached; the invocation did not run and may be repeated.
    #[error("rate exceeded: {}", reason.as_str())]
    Throttled {
        /// Which limit.
        reason: ThrottleReason,
    },
    /// The node could not run it; the invocation did not start and may be repeated.
    #[error("{message}")]
    Unavailable {
        /// What is missing or broken, and what to do.
        message: String,
    },
    /// The node stops.
    #[error("the node is shutting down; retry elsewhere")]
    ShuttingDown,
}

/// `Reason` of `TooManyRequestsException`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleReason {
    /// The function's own reserved concurrency is in use, or is 0.
    ReservedConcurrency,
    /// The account's unreserved concurrency is in use.
    AccountConcurrency,
    /// No instance became free and none could be started within the node's memory in time.
    NodeCapacity,
}

impl ThrottleReason {
    /// Lambda's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReservedConcurrency => "ReservedFunctionConcurrentInvocationLimitExceeded",
            Self::AccountConcurrency | Self::NodeCapacity => "ConcurrentInvocationLimitExceeded",
        }
    }
}

/// Why a function could not be initialised: what [`Engine::prove`](crate::Engine::prove) found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error_type}: {message}")]
pub struct InitFailure {
    /// Lambda's error type, for example `Runtime.ImportModuleError`.
    pub error_type: String,
    /// Its message.
    pub message: String,
    /// The last lines the function printed before it failed.
    pub log: Vec<String>,
}

/// Why the engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartEngineError {
    /// A folder cannot be made or written.
    #[error("cannot prepare `{path}`: {source}; make the folder writable or choose another with --data", path = .path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What starts instances cannot be made.
    #[error("cannot prepare the sandbox of functions: {source}")]
    Sandbox {
        /// Why.
        source: std::io::Error,
    },
    /// It was called outside a tokio runtime.
    #[error("the engine must be started inside a tokio runtime")]
    NoRuntime,
}
