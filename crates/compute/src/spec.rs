//! What the engine runs, what it is asked, and what it answers.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;
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
    /// Instances of this version that are kept initialised (`ProvisionedConcurrentExecutions`).
    pub provisioned_concurrency: u32,
    /// What its layers together put below `/opt`.
    pub layers: Option<PackageId>,
    /// Whom it may talk to.
    pub egress: Egress,
    /// The form of its log, and what is kept of it.
    pub logging: LoggingConfig,
    /// Invocations one instance runs at the same time; Function Compute's `instanceConcurrency`.
    pub instance_concurrency: NonZeroU16,
    /// A hard limit of processor time, in thousandths of a processor; none means a share by memory.
    pub cpu_limit_millis: Option<u32>,
    /// Further instances are copies of one that has initialised (`SnapStart`).
    pub snap_start: bool,
    /// Whose handler signatures, context and events it gets.
    pub dialect: Dialect,
}

/// Whom a function may talk to, besides this node's own API endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Egress {
    /// The world, through the node; never the node's other ports, nor other instances.
    #[default]
    Internet,
    /// Nobody.
    None,
}

/// `LoggingConfig` ("Advanced logging controls").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoggingConfig {
    /// `LogFormat`.
    pub format: LogFormat,
    /// `ApplicationLogLevel`: the least the function's own lines must have. JSON only.
    pub application_level: LogLevel,
    /// `SystemLogLevel`: the least the platform's lines must have. JSON only.
    pub system_level: LogLevel,
}

/// `LogFormat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A log level, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Trace,
    Debug,
    #[default]
    Info,
    Warn,
    Error,
    Fatal,
}

impl LogFormat {
    /// Lambda's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Json => "JSON",
        }
    }
}

impl LogLevel {
    /// Lambda's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }
}

/// Whose conventions a function was written for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// AWS Lambda's.
    #[default]
    Lambda,
    /// Alibaba Function Compute's (3.0).
    FunctionCompute(FunctionComputeSettings),
}

/// What only Function Compute knows of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FunctionComputeSettings {
    /// The initializer hook, `file.function`; runs once an instance, before its first invocation.
    pub initializer: Option<Hook>,
    /// The preStop hook; runs before an instance ends.
    pub pre_stop: Option<Hook>,
    /// The HTTP server of a custom runtime (`custom*`).
    pub custom_runtime: Option<CustomRuntime>,
}

/// A life-cycle hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// `file.function`.
    pub handler: String,
    /// How long it may take.
    pub timeout: TimeoutSeconds,
}

/// A function that is an HTTP server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomRuntime {
    /// The program; empty means `/code/bootstrap`.
    pub command: Vec<String>,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it listens; 9000 by default.
    pub port: u16,
}

impl FunctionSpec {
    /// A function with Lambda's defaults for everything else.
    #[must_use]
    pub fn new(arn: FunctionArn, runtime: Runtime, handler: impl Into<String>, package: PackageId) -> Self {
        let log_group = format!("/aws/lambda/{}", arn.name).into();
        Self {
            arn,
            runtime,
            handler: handler.into(),
            package,
            memory: MemoryMib::default(),
            timeout: TimeoutSeconds::default(),
            ephemeral_storage: EphemeralStorageMib::default(),
            environment: BTreeMap::new(),
            log_group,
            reserved_concurrency: None,
            provisioned_concurrency: 0,
            layers: None,
            egress: Egress::default(),
            logging: LoggingConfig::default(),
            instance_concurrency: NonZeroU16::MIN,
            cpu_limit_millis: None,
            snap_start: false,
            dialect: Dialect::default(),
        }
    }

    /// `$LATEST` or the published version.
    #[must_use]
    pub fn version(&self) -> Qualifier {
        self.arn.qualifier.clone().unwrap_or_default()
    }

    /// Whether an instance of the one serves the other: all but how many there may be is equal.
    pub(crate) fn runs_like(&self, other: &Self) -> bool {
        *other
            == Self {
                reserved_concurrency: other.reserved_concurrency,
                provisioned_concurrency: other.provisioned_concurrency,
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

/// How far the provisioned concurrency of a function version has come (`GetProvisionedConcurrencyConfig`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvisionedStatus {
    /// `RequestedProvisionedConcurrentExecutions`.
    pub requested: u32,
    /// `AllocatedProvisionedConcurrentExecutions`: instances that have initialised.
    pub allocated: u32,
    /// `AvailableProvisionedConcurrentExecutions`.
    pub available: u32,
    /// `Status`.
    pub status: ProvisionedState,
    /// `StatusReason`, when it failed.
    pub reason: Option<String>,
}

/// `Status` of provisioned concurrency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProvisionedState {
    /// All instances are there.
    Ready,
    /// Instances are being started.
    InProgress,
    /// Several starts failed one after the other; it is tried again, ever more slowly.
    Failed,
}

impl ProvisionedState {
    /// Lambda's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "READY",
            Self::InProgress => "IN_PROGRESS",
            Self::Failed => "FAILED",
        }
    }
}
