//! What can go wrong, as one enum; its messages are the texts of the Lambda API. [`LambdaError::wire`]
//! is the one place that decides code and status (`wire.rs`).

mod kafka;
mod layer;
mod mapping;
mod violations;
mod wire;

use std::fmt;

pub use kafka::KafkaMappingError;
pub use layer::LayerError;
pub use mapping::MappingError;
pub use violations::{Violation, Violations};

use tradewind_compute::InvokeError;
use tradewind_store::DatabaseError;

use crate::settings::Refusal;

/// Why an operation of the Lambda API failed.
#[derive(Debug, thiserror::Error)]
pub enum LambdaError {
    /// No such function or version.
    #[error("Function not found: {arn}")]
    FunctionNotFound {
        /// What was asked for.
        arn: String,
    },
    /// No such alias.
    #[error("Cannot find alias arn: {arn}")]
    AliasNotFound {
        /// What was asked for.
        arn: String,
    },
    /// The alias to be changed does not exist.
    #[error("Alias not found: {arn}")]
    NoAliasToUpdate {
        /// What was asked for.
        arn: String,
    },
    /// An alias of that name exists.
    #[error("Alias already exists: {arn}")]
    AliasExists {
        /// Its ARN.
        arn: String,
    },
    /// Aliases lead to the version that is to be deleted.
    #[error("Unable to delete version because the following aliases reference it: [{aliases}]")]
    VersionInUse {
        /// Their names, separated by commas.
        aliases: String,
    },
    /// An alias would lead to more than two versions.
    #[error("Number of items in AdditionalVersionWeights cannot be greater than 1")]
    TooManyWeights,
    /// An alias would lead to the same version twice.
    #[error(
        "Invalid function version {version}. Function version {version} is already included in routing \
         configuration."
    )]
    WeightOfMainVersion {
        /// Which.
        version: String,
    },
    /// Only published versions share an alias.
    #[error("$LATEST is not supported for an alias pointing to more than 1 version")]
    LatestWithWeights,
    /// The function has no policy, or does not exist.
    #[error("The resource you requested does not exist.")]
    PolicyNotFound,
    /// A statement was to be removed from a policy that does not exist.
    #[error("No policy is associated with the given resource.")]
    NoPolicyToRemove,
    /// A statement was to be removed from a function that does not exist.
    #[error("No policy found for: {arn}")]
    NoPolicyFor {
        /// What was asked for.
        arn: String,
    },
    /// The policy has no such statement.
    #[error("Statement {id} is not found in resource policy.")]
    StatementNotFound {
        /// Its id.
        id: String,
    },
    /// The ARN names another region than the request.
    #[error("Functions from '{given}' are not reachable in this region ('{here}')")]
    OtherRegion {
        /// In the ARN.
        given: String,
        /// Of the request.
        here: String,
    },
    /// The ARN names another account than the caller's.
    #[error(
        "the function belongs to account `{account}`; sign the request with an access key of that account"
    )]
    OtherAccount {
        /// In the ARN.
        account: String,
    },
    /// A function of that name exists.
    #[error("Function already exist: {name}")]
    FunctionExists {
        /// Its name.
        name: String,
    },
    /// The policy has a statement of that id.
    #[error(
        "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the \
         existing statement."
    )]
    StatementExists {
        /// Its id.
        id: String,
    },
    /// Somebody else changed the function at the same time.
    #[error("The operation cannot be performed at this time. An update is in progress for resource: {arn}")]
    UpdateInProgress {
        /// The function.
        arn: String,
    },
    /// The caller's revision id is not the current one.
    #[error(
        "The Revision Id provided does not match the latest Revision Id. Call the {operation} API to retrieve \
         the latest Revision Id"
    )]
    RevisionMismatch {
        /// What tells the current one.
        operation: &'static str,
    },
    /// Members of the request break their constraints.
    #[error("{0}")]
    Validation(Violations),
    /// The function name alone is too long.
    #[error(
        "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member \
         must have length less than or equal to 64"
    )]
    NameTooLong {
        /// The name.
        name: String,
    },
    /// Name and parameter name different qualifiers.
    #[error("The derived qualifier from the function name does not match the specified qualifier.")]
    QualifierMismatch,
    /// A name with a qualifier where only a function makes sense.
    #[error(
        "This operation is permitted on Lambda functions only. Aliases and versions do not support this \
         operation. Please specify either a function name or an unqualified function ARN."
    )]
    QualifierNotAllowed,
    /// `$LATEST` cannot be deleted alone.
    #[error("$LATEST version cannot be deleted without deleting the function.")]
    DeleteLatest,
    /// Aliases are deleted by DeleteAlias.
    #[error("Deletion of aliases is not currently supported.")]
    DeleteAlias,
    /// Runtime or handler is missing.
    #[error("Runtime and Handler are mandatory parameters for functions created with deployment packages.")]
    RuntimeAndHandlerMandatory,
    /// No such runtime.
    #[error(
        "Value {runtime} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: \
         [{known}] or be a valid ARN"
    )]
    UnknownRuntime {
        /// What was given.
        runtime: String,
        /// What could be given.
        known: String,
    },
    /// This machine has no interpreter for the runtime.
    #[error("the runtime `{runtime}` cannot run on this node: {hint}")]
    RuntimeUnavailable {
        /// The runtime.
        runtime: String,
        /// What to install, or what to use instead.
        hint: String,
    },
    /// The environment is over 4 KB.
    #[error(
        "Lambda was unable to configure your environment variables because the environment variables you have \
         provided exceeded the 4KB limit. String measured: {measured}"
    )]
    EnvironmentTooLarge {
        /// The variables as JSON.
        measured: String,
    },
    /// The environment sets what only the platform may set.
    #[error(
        "Lambda was unable to configure your environment variables because the environment variables you have \
         provided contains reserved keys that are currently not supported for modification. Reserved keys used \
         in this request: {keys}"
    )]
    ReservedEnvironmentKeys {
        /// The keys, separated by commas.
        keys: String,
    },
    /// A setting that this platform knows and does not honour yet.
    #[error("{0}")]
    Refused(Refusal),
    /// Text is not filtered by level.
    #[error(
        "log levels are for the log format JSON; set `LoggingConfig.LogFormat` to `JSON`, or leave them out"
    )]
    LogLevelsOfText,
    /// The request brings no code.
    #[error("Please provide a source for function code.")]
    NoCode,
    /// The request brings code twice.
    #[error("Please do not provide other FunctionCode parameters when providing a ZipFile.")]
    CodeTwice,
    /// The code could not be read from its bucket.
    #[error("Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}")]
    CodeNotFetched {
        /// S3's code.
        code: String,
        /// S3's text.
        message: String,
    },
    /// The package is empty.
    #[error("Uploaded file must be a non-empty zip")]
    EmptyZip,
    /// The package is no zip file.
    #[error("Could not unzip uploaded file. Please check your file, then try to upload again.")]
    BadZip,
    /// The package is too large when unzipped.
    #[error("Unzipped size must be smaller than {limit} bytes")]
    UnzippedTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The package is too large.
    #[error("Zipped size must be smaller than {limit} bytes")]
    ZippedTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The package would harm the node or has entries outside of itself.
    #[error("the package is refused: {reason}")]
    PackageRefused {
        /// Which rule it breaks.
        reason: String,
    },
    /// No package of that id was uploaded to this node.
    #[error("there is no package `{id}` on this node; upload it first")]
    PackageMissing {
        /// Its id.
        id: String,
    },
    /// The code is not the one the caller expects.
    #[error(
        "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({current}). Please try again \
         with the CodeSHA256 in $LATEST."
    )]
    CodeSha256Mismatch {
        /// Given.
        given: String,
        /// Of `$LATEST`.
        current: String,
    },
    /// Policies belong to functions and published versions.
    #[error("We currently do not support adding policies for $LATEST.")]
    PolicyOnLatest,
    /// The account must keep some concurrency for functions that reserve none.
    #[error(
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
         below its minimum value of [{least}]."
    )]
    ReservedTooMuch {
        /// How much.
        least: u32,
    },
    /// More is provisioned than would be reserved.
    #[error(
        " ReservedConcurrentExecutions  {reserved} should not be lower than function's total provisioned \
         concurrency [{provisioned}]."
    )]
    ReservedBelowProvisioned {
        /// Asked for.
        reserved: u32,
        /// Of all versions.
        provisioned: u32,
    },
    /// More would be provisioned than is reserved.
    #[error(
        "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for \
         function"
    )]
    ProvisionedOverReserved,
    /// More would be provisioned than the account has.
    #[error(
        "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency \
         [{unreserved}]."
    )]
    ProvisionedOverUnreserved {
        /// What the account has left.
        unreserved: u32,
    },
    /// The account must keep some concurrency for functions that provision none.
    #[error(
        "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its \
         minimum value of [{least}]."
    )]
    ProvisionedTooMuch {
        /// How much.
        least: u32,
    },
    /// Only published versions are provisioned.
    #[error("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")]
    ProvisionedLatest,
    /// The version is provisioned through an alias.
    #[error("Version is pointed by a Provisioned Concurrency alias")]
    VersionOfProvisionedAlias,
    /// The alias leads to a version that is provisioned by itself.
    #[error(
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version"
    )]
    AliasOfProvisionedVersion,
    /// Nothing is provisioned.
    #[error("No Provisioned Concurrency Config found for this function")]
    NoProvisionedConfig,
    /// What an event configuration is for is not there.
    #[error("The function doesn't exist.")]
    FunctionGone,
    /// Asynchronous invocations are not configured.
    #[error("The function {arn} doesn't have an EventInvokeConfig")]
    NoEventInvokeConfig {
        /// The version or alias.
        arn: String,
    },
    /// An event configuration that says nothing.
    #[error("You must specify at least one of error handling or destination setting.")]
    NothingToConfigure,
    /// A destination that is not there.
    #[error("The destination ARN {arn} is invalid.")]
    DestinationInvalid {
        /// Of the destination.
        arn: String,
    },
    /// A function whose records would be its own events.
    #[error("You can't specify the function as a destination for itself.")]
    DestinationIsItself,
    /// A destination of a service that takes no records.
    #[error("The provided destination config {config} is invalid.")]
    DestinationsInvalid {
        /// As it was given.
        config: String,
    },
    /// A queue or topic that cannot take dead letters.
    #[error("The dead letter target {arn} is invalid: {reason}")]
    DeadLettersInvalid {
        /// Of the target.
        arn: String,
        /// Why.
        reason: String,
    },
    /// The same chain of events ran the function often enough.
    #[error(
        "Lambda has detected your function being invoked in a recursive loop with other AWS resources and \
         stopped your function's invocation."
    )]
    Recursive,
    /// A URL needs something to call.
    #[error("Function does not exist")]
    NoFunctionForUrl,
    /// A function or alias has one URL.
    #[error(
        "Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig \
         exists for this Lambda function"
    )]
    UrlExists {
        /// What it would call.
        arn: String,
    },
    /// Neither a service, an account, an ARN nor `*`.
    #[error("The provided principal was invalid. Please check the principal and try again.")]
    InvalidPrincipal,
    /// The policy grew over 20 KB.
    #[error("The final policy size ({size}) is bigger than the limit ({limit}).")]
    PolicyTooLong {
        /// In bytes.
        size: usize,
        /// In bytes.
        limit: usize,
    },
    /// Tags belong to functions.
    #[error("Tags on function aliases and versions are not supported. Please specify a function ARN.")]
    TagsOnVersion,
    /// Tags of something else than a function.
    #[error("tags of `{arn}` are not kept: only functions and event source mappings have tags on this node")]
    TagsOfOtherResource {
        /// What was named.
        arn: String,
    },
    /// Over 50 tags.
    #[error("Number of tags exceeds resource tag limit.")]
    TooManyTags,
    /// TagResource without tags.
    #[error("An error occurred and the request cannot be processed.")]
    NoTags,
    /// Of layers, and of functions with layers.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// Of event source mappings.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// A pagination token that this API did not give.
    #[error("the marker is not one that this operation returned; start again without it")]
    InvalidMarker,
    /// The body of the request is no JSON.
    #[error("Could not parse request body into json: {detail}")]
    InvalidBody {
        /// What is wrong.
        detail: String,
    },
    /// The payload of an invocation is no JSON.
    #[error("Could not parse request body into json: Could not parse payload into json: {detail}")]
    InvalidPayload {
        /// What is wrong and where.
        detail: String,
    },
    /// The client context is not base64 of JSON.
    #[error("Client context must be a valid Base64-encoded JSON object.")]
    InvalidClientContext,
    /// A member of the body has the wrong type.
    #[error("{detail}")]
    WrongType {
        /// What is wrong.
        detail: String,
    },
    /// A synchronous payload over 6 MB.
    #[error("Request must be smaller than {limit} bytes for the InvokeFunction operation")]
    PayloadTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// An asynchronous payload over 1 MB.
    #[error("{size} byte payload is too large for the Event invocation type (limit {limit} bytes)")]
    EventTooLarge {
        /// In bytes.
        size: usize,
        /// In bytes.
        limit: usize,
    },
    /// The body of another operation is too large.
    #[error("Request must be smaller than {limit} bytes for the {operation} operation")]
    RequestTooLarge {
        /// In bytes.
        limit: usize,
        /// Which.
        operation: &'static str,
    },
    /// The client stopped sending.
    #[error("the request body ended early: {reason}")]
    RequestInterrupted {
        /// What the connection said.
        reason: String,
    },
    /// No room for the invocation.
    #[error("Rate Exceeded.")]
    Throttled {
        /// The service's name for the limit that was hit.
        reason: String,
    },
    /// The function could not be run.
    #[error("{message}")]
    Unavailable {
        /// Why.
        message: String,
    },
    /// The node is stopping.
    #[error("the node is shutting down; retry the request")]
    ShuttingDown,
    /// The operation is known and not there yet.
    #[error("the operation `{operation}` of `lambda` is not implemented by this node")]
    NotImplemented {
        /// Its name.
        operation: &'static str,
    },
    /// The request is none of this API's.
    #[error("no operation of the Lambda API has this method and path")]
    UnknownOperation,
    /// The disk is full.
    #[error("the disk of the node is full; free some space and retry")]
    DiskFull,
    /// The node failed; the log has the cause under the request id.
    #[error("the node failed to complete the operation; its log says why")]
    Internal {
        /// For the log only.
        cause: String,
    },
}

impl LambdaError {
    /// A failure of the node itself.
    pub(crate) fn internal(cause: impl fmt::Display) -> Self {
        Self::Internal {
            cause: cause.to_string(),
        }
    }
}

impl From<DatabaseError> for LambdaError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DiskFull => Self::DiskFull,
            DatabaseError::Closed => Self::ShuttingDown,
            other => Self::internal(other),
        }
    }
}

impl LambdaError {
    /// What the engine says of an invocation of `arn`.
    pub(crate) fn of_invocation(error: InvokeError, arn: &tradewind_model::FunctionArn) -> Self {
        match error {
            InvokeError::NotFound { .. } => Self::FunctionNotFound { arn: arn.to_string() },
            InvokeError::RequestTooLarge { .. } => Self::PayloadTooLarge {
                limit: crate::api::SYNC_LIMIT_IN_TEXT,
            },
            InvokeError::Throttled { reason } => Self::Throttled {
                reason: reason.as_str().to_owned(),
            },
            InvokeError::Unavailable { message } => Self::Unavailable { message },
            InvokeError::ShuttingDown => Self::ShuttingDown,
        }
    }
}
