//! A checked configuration: what the compiler reads. Values that CloudFormation resolves later stay JSON.

mod event;
mod kafka;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tradewind_model::{EphemeralStorageMib, MemoryMib, Runtime, TimeoutSeconds};

use crate::diagnostic::Span;
use crate::yaml::Node;

pub(crate) use event::{
    BucketSettings, Bus, Event, EventSource, LogEvent, Redrive, RuleEvent, RuleInput, S3Event, ScheduleEvent,
    ScheduleMethod, SnsEvent, SqsEvent, Topic,
};
pub(crate) use kafka::{KafkaAccess, KafkaCluster, KafkaEvent};

/// A service, checked, with defaults and inheritance applied.
#[derive(Clone, Debug, Default)]
pub(crate) struct Definition {
    pub(crate) functions: Vec<Function>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) bucket: DeploymentBucket,
    pub(crate) role: ExecutionRole,
    pub(crate) rest_api: RestApi,
    pub(crate) http_api: HttpApi,
    /// `provider.s3`
    pub(crate) buckets: BTreeMap<String, BucketSettings>,
    /// `resources`, lists merged.
    pub(crate) resources: Option<Node>,
    /// `provider`, for the places of inherited values.
    pub(crate) provider: Option<Node>,
    /// Where generated things that belong to no function come from.
    pub(crate) span: Option<Span>,
    pub(crate) publish_versions: bool,
    /// False with `disableDefaultOutputExportNames`.
    pub(crate) export_outputs: bool,
}

impl Definition {
    /// Every event but the requests, with the function it invokes.
    pub(crate) fn events(&self) -> impl Iterator<Item = (&Function, &Event)> {
        self.functions
            .iter()
            .flat_map(|function| function.events.iter().map(move |event| (function, event)))
    }
}

/// Where artifacts would be uploaded.
#[derive(Clone, Debug, Default)]
pub(crate) struct DeploymentBucket {
    /// An existing bucket; none is made then.
    pub(crate) name: Option<Value>,
    /// Properties of the bucket besides its encryption.
    pub(crate) properties: Map<String, Value>,
    /// `serverSideEncryption`, default AES256.
    pub(crate) encryption: Option<String>,
    pub(crate) skip_policy: bool,
}

/// The role functions run under unless they name their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct ExecutionRole {
    /// A role that exists: no other is made.
    pub(crate) existing: Option<Role>,
    pub(crate) name: Option<Value>,
    pub(crate) path: Option<String>,
    pub(crate) permissions_boundary: Option<Value>,
    pub(crate) statements: Vec<Value>,
    pub(crate) managed_policies: Vec<Value>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// Settings of the REST API.
#[derive(Clone, Debug, Default)]
pub(crate) struct RestApi {
    pub(crate) name: Option<Value>,
    pub(crate) service_first: bool,
    pub(crate) endpoint_type: Option<String>,
    pub(crate) binary_media_types: Vec<String>,
    pub(crate) minimum_compression_size: Option<u64>,
    pub(crate) description: Option<String>,
    pub(crate) api_key_source: Option<String>,
    pub(crate) disable_default_endpoint: Option<bool>,
    pub(crate) stage: Option<String>,
}

/// Settings of the HTTP API.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpApi {
    pub(crate) name: Option<Value>,
    pub(crate) service_first: bool,
    pub(crate) payload: Option<String>,
    pub(crate) cors: Option<HttpApiCors>,
    pub(crate) metrics: bool,
    pub(crate) disable_default_endpoint: Option<bool>,
    pub(crate) tags: BTreeMap<String, String>,
}

/// CORS of an HTTP API; what is none has a default.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct HttpApiCors {
    pub(crate) origins: Option<Vec<String>>,
    pub(crate) headers: Option<Vec<String>>,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) credentials: Option<bool>,
    pub(crate) exposed: Option<Vec<String>>,
    pub(crate) max_age: Option<u64>,
}

/// One layer.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) key: String,
    /// The key as it appears in logical ids.
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) runtimes: Vec<String>,
    pub(crate) architectures: Vec<String>,
    pub(crate) license: Option<String>,
    /// Whether versions outlive the stack, and those that replaced them.
    pub(crate) retain: bool,
    /// Accounts that may use it; `*` for all.
    pub(crate) allowed_accounts: Vec<String>,
    /// Index into `Project::packages`.
    pub(crate) package: usize,
    /// As it is written.
    pub(crate) node: Node,
    pub(crate) span: Span,
}

/// One function.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) key: String,
    /// The key as it appears in logical ids.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) handler: String,
    pub(crate) runtime: Runtime,
    /// Where the runtime is named, in the function or for all of them.
    pub(crate) runtime_span: Span,
    pub(crate) description: Option<Value>,
    pub(crate) memory: MemoryMib,
    pub(crate) timeout: TimeoutSeconds,
    /// None when neither the function nor the provider has any.
    pub(crate) environment: Option<Map<String, Value>>,
    pub(crate) tags: BTreeMap<String, String>,
    /// ARNs of layer versions, or expressions that give them.
    pub(crate) layers: Vec<Value>,
    pub(crate) ephemeral_storage: Option<EphemeralStorageMib>,
    pub(crate) reserved_concurrency: Option<u64>,
    /// More than none.
    pub(crate) provisioned_concurrency: Option<u64>,
    pub(crate) tracing: Option<String>,
    pub(crate) architecture: Option<String>,
    pub(crate) kms_key: Option<Value>,
    pub(crate) role: Option<Role>,
    pub(crate) condition: Option<String>,
    pub(crate) depends_on: Vec<String>,
    pub(crate) logs_disabled: bool,
    pub(crate) logging: Option<Logging>,
    pub(crate) log_retention: Option<u64>,
    pub(crate) version: bool,
    pub(crate) payload: Option<String>,
    pub(crate) url: Option<FunctionUrl>,
    pub(crate) event_invoke: Option<EventInvoke>,
    /// `onError`: the queue or topic that gets what was given up.
    pub(crate) dead_letters: Option<Value>,
    pub(crate) http: Vec<HttpEvent>,
    pub(crate) http_api: Vec<HttpApiEvent>,
    /// What else invokes it, in the order of the file.
    pub(crate) events: Vec<Event>,
    /// The function's mapping.
    pub(crate) node: Node,
    pub(crate) span: Span,
}

/// How a function logs, and where.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Logging {
    pub(crate) format: Option<String>,
    pub(crate) application_level: Option<String>,
    pub(crate) system_level: Option<String>,
    /// A log group, or an expression that names one.
    pub(crate) group: Option<Value>,
}

/// What a function's asynchronous invocations do; limits and places are checked when they are applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EventInvoke {
    /// `maximumEventAge`, in seconds.
    pub(crate) max_age: Option<u64>,
    /// `maximumRetryAttempts`.
    pub(crate) max_retries: Option<u64>,
    pub(crate) on_success: Option<Destination>,
    pub(crate) on_failure: Option<Destination>,
}

/// Who hears of the end of an asynchronous invocation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Destination {
    /// A function of the same file, by its key, and where it is named.
    Function(String, Span),
    /// An ARN, or an expression that gives one, and what it is of.
    Arn(DestinationKind, Value),
}

/// What hears of the end of an asynchronous invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DestinationKind {
    Function,
    Queue,
    Topic,
    EventBus,
}

/// `url` of a function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FunctionUrl {
    /// `authorizer: aws_iam`
    pub(crate) signed: bool,
    pub(crate) cors: Option<UrlCors>,
    pub(crate) invoke_mode: Option<String>,
}

/// CORS of a function URL; what is none has a default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UrlCors {
    pub(crate) origins: Option<Vec<String>>,
    pub(crate) headers: Option<Vec<String>>,
    pub(crate) methods: Option<Vec<String>>,
    pub(crate) credentials: Option<bool>,
    pub(crate) exposed: Option<Vec<String>>,
    pub(crate) max_age: Option<u64>,
}

/// A role that is not the service's own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Role {
    /// An ARN, or an expression that gives one.
    Arn(Value),
    /// A resource of the same template.
    Resource(String),
}

/// An `http` event.
#[derive(Clone, Debug)]
pub(crate) struct HttpEvent {
    /// Without slashes at its ends; empty for the root.
    pub(crate) path: String,
    /// Upper case.
    pub(crate) method: String,
    pub(crate) cors: Option<Cors>,
    pub(crate) operation: Option<String>,
    /// `method.request.querystring.x` → required.
    pub(crate) parameters: Vec<(String, bool)>,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) span: Span,
}

/// CORS of one `http` event.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Cors {
    pub(crate) origin: Option<String>,
    pub(crate) origins: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) methods: Vec<String>,
    pub(crate) credentials: bool,
    pub(crate) max_age: Option<u64>,
    pub(crate) cache_control: Option<String>,
}

/// An `httpApi` event.
#[derive(Clone, Debug)]
pub(crate) struct HttpApiEvent {
    pub(crate) route: Route,
    pub(crate) span: Span,
}

/// What an `httpApi` event answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `*`: whatever no other route answers to.
    Default,
    /// A method in upper case (`ANY` for all) and a path.
    Path { method: String, path: String },
}
