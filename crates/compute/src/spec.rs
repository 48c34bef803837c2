//! What the engine runs, what it is asked, and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use tradewind_model::{
    EphemeralStorageMib, FunctionArn, MemoryMib, Qualifier, RequestId, Runtime, TimeoutSeconds,
};

use crate::package::PackageId;

/// One version of a function as the engine runs it. Two equal specs are the same code and settings.
#[derive(Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// Qualified by a published version; no qualifier means `$LATEST`.
    pub arn: FunctionArn,
    /// What interprets the code.
    pub runtime: Runtime,
    /// `file.function` for managed runtimes, the executable for `go1.x`.
    pub handler: String,
    /// The code.
    pub package: PackageId,
    /// The `memorySize` it is told about and sized by.
    pub memory: MemoryMib,
    /// How long one invocation may take.
    pub timeout: TimeoutSeconds,
    /// The `/tmp` it is told about.
    pub ephemeral_storage: EphemeralStorageMib,
    /// The user's own variables. May hold secrets: never printed by `Debug`.
    pub environment: BTreeMap<String, String>,
    /// Where its output goes, for example `/aws/lambda/shop-api`.
    pub log_group: Arc<str>,
    /// `ReservedConcurrentExecutions` of the function, all its versions together; 0 turns it off.
    pub reserved_concurrency: Option<u32>,
}

impl FunctionSpec {
    /// `$LATEST` or the published version.
    #[must_use]
    pub fn version(&self) -> Qualifier {
        self.arn.qualifier.clone().unwrap_or_default()
    }

    /// Whether an instance of the one serves the other: all but the reserved concurrency is equal.
    pub(crate) fn runs_like(&self, other: &Self) -> bool {
        let reserved_concurrency = other.reserved_concurrency;
        *other
            == Self {
                reserved_concurrency,
                ..self.clone()
            }
    }
}

impl fmt::Debug for FunctionSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionSpec")
            .field("arn", &self.arn.to_string())
            .field("runtime", &self.runtime.as_str())
            .field("handler", &self.handler)
            .field("package", &self.package)
            .field("memory", &self.memory)
            .field("timeout", &self.timeout)
            .field("environment", &self.environment.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// One synchronous invocation. Retries and queues belong to the caller.
#[derive(Clone, Debug)]
pub struct InvokeRequest {
    /// Also the `AwsRequestId` the function sees.
    pub request_id: RequestId,
    /// The event, JSON text.
    pub payload: Bytes,
    /// `X-Amz-Client-Context`, decoded: JSON text.
    pub client_context: Option<String>,
    /// `X-Amzn-Trace-Id`; one is made up when there is none.
    pub trace_id: Option<String>,
    /// Ask for the last 4 KB of the invocation's log.
    pub log_tail: bool,
}

impl InvokeRequest {
    /// An invocation with nothing but an event.
    #[must_use]
    pub fn new(request_id: RequestId, payload: impl Into<Bytes>) -> Self {
        Self {
            request_id,
            payload: payload.into(),
            client_context: None,
            trace_id: None,
            log_tail: false,
        }
    }
}

/// What a function answered, or Lambda's error object in its place.
#[derive(Clone, Debug)]
pub struct InvokeResponse {
    /// The function's answer, or the error as JSON text.
    pub payload: Bytes,
    /// Set when `payload` is an error (`X-Amz-Function-Error`).
    pub error: Option<FunctionErrorKind>,
    /// The last 4 KB of this invocation's log, when it was asked for.
    pub log_tail: Option<Vec<u8>>,
    /// The version that ran (`X-Amz-Executed-Version`).
    pub executed_version: Qualifier,
}

/// `X-Amz-Function-Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionErrorKind {
    /// The function reported the error itself, in the way of runtimes long gone.
    Handled,
    /// Everything else: what it threw, a timeout, a crash.
    Unhandled,
}

impl FunctionErrorKind {
    /// The header's value.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "Handled",
            Self::Unhandled => "Unhandled",
        }
    }
}

/// One registered function version, for health pages and `doctor`.
#[derive(Clone, Debug)]
pub struct FunctionStatus {
    /// Its ARN, as it was deployed.
    pub arn: FunctionArn,
    /// Its runtime.
    pub runtime: Runtime,
    /// Instances that wait for work.
    pub idle: usize,
    /// Instances that run an invocation.
    pub busy: usize,
    /// Instances that initialise.
    pub starting: usize,
    /// Invocations that wait for an instance.
    pub queued: usize,
    /// Starts that failed one after the other, ending with the latest.
    pub failed_starts: u32,
    /// Why the latest of them failed.
    pub last_failure: Option<String>,
}
