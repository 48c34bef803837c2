//! The service itself: the functions in memory, and the one way to change them.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, Semaphore};
use tokio_util::task::TaskTracker;
use tradewind_compute::{Engine, Interpreters, PackageId};
use tradewind_connect::Clusters;
use tradewind_events::{QueueSource, Router};
use tradewind_gateway::{
    Api, ApiId, ApiKind, Gateway, Integration, LambdaIntegration, PayloadFormat, Route, RouteKey, Stage,
};
use tradewind_model::resource::ResourceType;
use tradewind_model::{Clock, FunctionArn, Qualifier, RequestId, Runtime, Secrets, Timestamp};
use tradewind_store::Database;
use tradewind_store::queue::Queues;

use crate::api::urls::arn_of;
use crate::error::LambdaError;
use crate::layer::Shelf;
use crate::mapping::Mappings;
use crate::model::{Function, FunctionUrl, Version};
use crate::names::Target;
use crate::objects::Objects;
use crate::queue::{Accepted, Queue};
use crate::registry::Registry;
use crate::tables::{self, LoadFunctionsError};

/// Requests that may bring a package at the same time; each may take 120 MB while it is read.
const CONCURRENT_UPLOADS: usize = 4;
/// Packages that are read from buckets at the same time; each may take 250 MB while it is read.
const CONCURRENT_FETCHES: usize = 1;

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct LambdaConfig {
    /// Where functions and queued invocations are kept; migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// What runs them.
    pub engine: Engine,
    /// What serves their URLs.
    pub gateway: Gateway,
    /// Where the records of asynchronous invocations go.
    pub router: Router,
    /// What runs managed runtimes on this machine; the engine's own.
    pub interpreters: Interpreters,
    /// The time.
    pub clock: Clock,
    /// Where clients reach this node, for example `http://127.0.0.1:4566`: the start of `Code.Location`.
    pub base_url: String,
    /// What event source mappings read, over the same database.
    pub queues: Queues,
    /// What makes records of the messages in them.
    pub queue_source: Arc<dyn QueueSource>,
    /// What mappings of Kafka topics need.
    pub kafka: KafkaConfig,
    /// Where packages come from that are not in the request, and where records go that are given up, if the
    /// mapping's failure destination is a bucket.
    pub objects: Arc<dyn Objects>,
}

/// What event source mappings of Kafka topics need beside a broker.
#[derive(Clone, Debug)]
pub struct KafkaConfig {
    /// Clusters that have an ARN.
    pub clusters: Clusters,
    /// What logs in to clusters.
    pub secrets: Arc<dyn Secrets>,
}

/// The Lambda service of a node. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct LambdaService(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: LambdaConfig,
    registry: RwLock<Registry>,
    /// Held while a function changes, so that database, memory and engine see the same order. It is
    /// an async mutex because the write to the database happens while it is held.
    changing: Mutex<()>,
    /// The changes under way: they finish even if the client hangs up.
    tasks: TaskTracker,
    uploads: Semaphore,
    /// Acquired after one of `uploads`, never before.
    fetches: Semaphore,
    queue: Queue,
    shelf: Shelf,
    mappings: Mappings,
}

/// One function, for lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSummary {
    /// Its ARN without qualifier.
    pub arn: FunctionArn,
    /// What interprets its code.
    pub runtime: Runtime,
    /// Its handler.
    pub handler: String,
    /// Its memory in MiB.
    pub memory_mib: u32,
    /// Whose instructions it is for: `x86_64` or `arm64`.
    pub architecture: &'static str,
    /// Its timeout in seconds.
    pub timeout_seconds: u32,
    /// When `$LATEST` changed last.
    pub last_modified: Timestamp,
    /// The size of its package.
    pub code_size_bytes: u64,
    /// The stack that made it.
    pub stack: Option<String>,
    /// Where its output goes.
    pub log_group: String,
    /// Its state: `Active`.
    pub state: &'static str,
    /// Its own URLs and those of its aliases.
    pub urls: Vec<String>,
}

/// What a change makes of a function, and what it answers.
pub(crate) struct Decision<T> {
    after: After,
    answer: T,
}

enum After {
    Same,
    Put(Box<Function>),
    Gone,
}

impl<T> Decision<T> {
    /// Leaves the function as it is.
    pub(crate) fn keep(answer: T) -> Self {
        Self {
            after: After::Same,
            answer,
        }
    }

    /// Makes or replaces it.
    pub(crate) fn put(function: Function, answer: T) -> Self {
        Self {
            after: After::Put(Box::new(function)),
            answer,
        }
    }

    /// Deletes it.
    pub(crate) fn delete(answer: T) -> Self {
        Self {
            after: After::Gone,
            answer,
        }
    }
}

impl LambdaService {
    /// Reads all functions and tells the engine of them.
    ///
    /// # Errors
    /// When the database fails or holds what this binary cannot read.
    pub async fn open(config: LambdaConfig) -> Result<Self, LoadFunctionsError> {
        let mut registry = Registry::default();
        for function in tables::load(&config.database).await? {
            tell_engine(&config.engine, None, Some(&function));
            tell_gateway(&config.gateway, None, Some(&function));
            registry.put(Arc::new(function));
        }
        let shelf = Shelf::new(tables::layers::load(&config.database).await?);
        let mappings = Mappings::open(&config.database).await?;
        let queue = Queue::open(config.database.clone(), config.clock.clone()).await?;
        for function in registry.all() {
            queue.bound(&function.arn, function.reserved_concurrency);
        }
        Ok(Self(Arc::new(Shared {
            config,
            registry: RwLock::new(registry),
            changing: Mutex::new(()),
            tasks: TaskTracker::new(),
            uploads: Semaphore::new(CONCURRENT_UPLOADS),
            fetches: Semaphore::new(CONCURRENT_FETCHES),
            queue,
            shelf,
            mappings,
        })))
    }

    /// All functions, by account, region and name.
    #[must_use]
    pub fn list_functions(&self) -> Vec<FunctionSummary> {
        let base_url = self.base_url();
        self.registry(|registry| {
            registry
                .all()
                .map(|function| summary(base_url, function))
                .collect()
        })
    }

    /// The packages that functions, their layers and published layers use; others may be deleted. A package
    /// that was just uploaded is in use only once its function is there, so collect before clients are served.
    #[must_use]
    pub fn packages_in_use(&self) -> HashSet<PackageId> {
        let of_version = |version: &Version| {
            let code = version.code.package.clone();
            version
                .configuration
                .layers
                .packages()
                .chain([code])
                .collect::<Vec<_>>()
        };
        let packages = |function: &Arc<Function>| -> Vec<PackageId> {
            let versions = function.versions.values().chain([&function.latest]);
            versions.flat_map(of_version).collect()
        };
        let of_layers = self.shelf().all_versions(|version| version.code.package.clone());
        let of_functions: Vec<_> = self.registry(|registry| registry.all().flat_map(packages).collect());
        of_layers.into_iter().chain(of_functions).collect()
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        crate::resource::types(self)
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.config.engine
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.config.router
    }

    pub(crate) fn interpreters(&self) -> &Interpreters {
        &self.0.config.interpreters
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.config.clock
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.0.config.base_url
    }

    pub(crate) fn uploads(&self) -> &Semaphore {
        &self.0.uploads
    }

    pub(crate) fn fetches(&self) -> &Semaphore {
        &self.0.fetches
    }

    /// The node's buckets.
    pub(crate) fn objects(&self) -> &dyn Objects {
        &*self.0.config.objects
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.0.queue
    }

    /// All layers.
    pub(crate) fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    /// All event source mappings.
    pub(crate) fn mappings(&self) -> &Mappings {
        &self.0.mappings
    }

    pub(crate) fn queues(&self) -> &Queues {
        &self.0.config.queues
    }

    pub(crate) fn queue_source(&self) -> &dyn QueueSource {
        &*self.0.config.queue_source
    }

    pub(crate) fn kafka(&self) -> &KafkaConfig {
        &self.0.config.kafka
    }

    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.0.tasks
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.config.database
    }

    /// Reads the functions. `read` is short: changes wait for it.
    pub(crate) fn registry<T>(&self, read: impl FnOnce(&Registry) -> T) -> T {
        read(&self.0.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The function of an unqualified ARN.
    pub(crate) fn find(&self, arn: &FunctionArn) -> Option<Arc<Function>> {
        self.registry(|registry| registry.get(arn))
    }

    /// The function a request names.
    pub(crate) fn function(&self, target: &Target) -> Result<Arc<Function>, LambdaError> {
        let arn = target.function_arn()?;
        self.find(&arn).ok_or_else(|| target.not_found())
    }

    /// Changes one function: `decide` sees it as it is now and says what becomes of it; its answer
    /// comes back after the change is in the database, in memory and told to the engine.
    ///
    /// # Cancel safety
    /// The change runs to its end even if this future is dropped.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        arn: FunctionArn,
        decide: impl FnOnce(Option<&Function>, Timestamp) -> Result<Decision<T>, LambdaError> + Send + 'static,
    ) -> Result<T, LambdaError> {
        let service = self.clone();
        let task = self
            .0
            .tasks
            .spawn(async move { service.change_to_the_end(arn, decide).await });
        task.await.map_err(LambdaError::internal)?
    }

    async fn change_to_the_end<T>(
        &self,
        arn: FunctionArn,
        decide: impl FnOnce(Option<&Function>, Timestamp) -> Result<Decision<T>, LambdaError>,
    ) -> Result<T, LambdaError> {
        let _turn = self.0.changing.lock().await;
        let before = self.find(&arn);
        let Decision { after, answer } = decide(before.as_deref(), self.clock().now())?;
        let after = match after {
            After::Same => return Ok(answer),
            After::Put(function) => Some(Arc::from(function)),
            After::Gone => None,
        };
        self.0
            .config
            .database
            .write(tables::change(before.as_deref(), after.as_deref()))
            .await?;
        self.remember(&arn, after.clone());
        tell_engine(self.engine(), before.as_deref(), after.as_deref());
        tell_gateway(&self.0.config.gateway, before.as_deref(), after.as_deref());
        let reserved = |function: &Option<Arc<Function>>| function.as_ref()?.reserved_concurrency;
        if reserved(&before) != reserved(&after) {
            self.queue().bound(&arn, reserved(&after));
        }
        if after.is_none() {
            self.queue().forget(&arn).await;
        }
        if reserved(&before) != reserved(&after) || before.is_some() != after.is_some() {
            self.mappings().function_changed(&arn);
        }
        Ok(answer)
    }

    fn remember(&self, arn: &FunctionArn, after: Option<Arc<Function>>) {
        let mut registry = self.0.registry.write().unwrap_or_else(PoisonError::into_inner);
        match after {
            Some(function) => registry.put(function),
            None => registry.remove(arn),
        }
    }

    /// Queues an asynchronous invocation; on `Ok` it is durable.
    ///
    /// # Errors
    /// Also when the function was deleted in the meantime: nothing waits for it then.
    ///
    /// # Cancel safety
    /// It runs to its end even if this future is dropped.
    pub(crate) async fn enqueue(&self, accepted: Accepted) -> Result<(), LambdaError> {
        let service = self.clone();
        let task = self
            .0
            .tasks
            .spawn(async move { service.enqueue_to_the_end(accepted).await });
        task.await.map_err(LambdaError::internal)?
    }

    async fn enqueue_to_the_end(&self, accepted: Accepted) -> Result<(), LambdaError> {
        let (arn, request_id) = (accepted.arn.clone(), accepted.request_id.clone());
        self.queue().accept(accepted).await?;
        self.keep_if_there(&arn, &request_id).await
    }

    /// Takes back an event that was just queued for a function that is gone.
    pub(crate) async fn keep_if_there(
        &self,
        arn: &FunctionArn,
        request_id: &RequestId,
    ) -> Result<(), LambdaError> {
        // A delete that wrote before the row did has ended when it is our turn; a later one takes the row with it.
        let turn = self.0.changing.lock().await;
        let is_there = self.find(arn).is_some();
        drop(turn);
        if is_there {
            return Ok(());
        }
        self.queue().withdraw(arn, request_id).await?;
        Err(LambdaError::FunctionNotFound { arn: arn.to_string() })
    }

    /// Waits for the changes under way. Call it after the last request was accepted.
    pub async fn shutdown(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

/// Deploys what is new or different, removes what is gone.
fn tell_engine(engine: &Engine, before: Option<&Function>, after: Option<&Function>) {
    let specs = |function: Option<&Function>| -> Vec<_> {
        function
            .into_iter()
            .flat_map(|f| f.qualifiers().filter_map(|q| f.spec(&q)))
            .collect()
    };
    let (old, new) = (specs(before), specs(after));
    for spec in old
        .iter()
        .filter(|spec| new.iter().all(|other| other.arn != spec.arn))
    {
        engine.remove(&spec.arn);
    }
    for spec in new.into_iter().filter(|spec| !old.contains(spec)) {
        engine.deploy(spec);
    }
    tell_aliases(engine, before, after);
}

fn tell_aliases(engine: &Engine, before: Option<&Function>, after: Option<&Function>) {
    if let Some(function) = before {
        let still_there = |name: &String| after.is_some_and(|after| after.aliases.contains_key(name));
        for name in function.aliases.keys().filter(|name| !still_there(name)) {
            engine.remove_alias(&function.alias_arn(name));
        }
    }
    if let Some(function) = after {
        for (name, alias) in &function.aliases {
            if before.and_then(|before| before.aliases.get(name)) != Some(alias) {
                engine.put_alias(&function.alias_arn(name), alias.route());
            }
        }
    }
}

/// How long the gateway waits behind a URL: longer than any function may run.
const URL_TIMEOUT: Duration = Duration::from_secs(16 * 60);

/// Serves the URLs of a function as they are after a change.
fn tell_gateway(gateway: &Gateway, before: Option<&Function>, after: Option<&Function>) {
    let ids = |function: Option<&Function>| -> HashSet<String> {
        let urls = function.into_iter().flat_map(|function| function.urls.values());
        urls.map(|url| url.id.clone()).collect()
    };
    for gone in ids(before).difference(&ids(after)) {
        if let Ok(id) = gone.parse() {
            gateway.remove_api(&id);
        }
    }
    let Some(function) = after else { return };
    for (qualifier, url) in &function.urls {
        if before.and_then(|before| before.urls.get(qualifier)) != Some(url)
            && let Ok(id) = url.id.parse()
        {
            gateway.put_api(served(id, arn_of(function, qualifier.as_ref()), url));
        }
    }
}

/// A URL as the gateway serves it: one route to everything.
fn served(id: ApiId, function: FunctionArn, url: &FunctionUrl) -> Api {
    let integration = LambdaIntegration {
        function,
        payload_format: PayloadFormat::V2,
        timeout: URL_TIMEOUT,
    };
    let route = Route {
        key: RouteKey::Default,
        resource_id: String::new(),
        integration: Integration::Lambda(integration),
    };
    let stage = Stage {
        routes: vec![route],
        cors: url.cors.clone(),
        ..Stage::default()
    };
    Api {
        id,
        kind: ApiKind::FunctionUrl(url.settings),
        stages: [("$default".to_owned(), stage)].into(),
    }
}

fn summary(base_url: &str, function: &Function) -> FunctionSummary {
    let Version {
        configuration,
        code,
        last_modified,
        ..
    } = &function.latest;
    FunctionSummary {
        arn: function.arn.clone(),
        runtime: configuration.runtime.clone(),
        handler: configuration.handler.clone(),
        memory_mib: configuration.memory.get(),
        architecture: configuration.architecture.as_str(),
        timeout_seconds: configuration.timeout.get(),
        last_modified: *last_modified,
        code_size_bytes: code.size_bytes,
        stack: function.owner.as_ref().map(|owner| owner.stack.clone()),
        log_group: configuration.log_group.clone(),
        state: "Active",
        urls: function.urls.values().map(|url| url.address(base_url)).collect(),
    }
}

/// The version of `function` that `target` names, with the qualifier its ARN shows.
pub(crate) fn version_of<'a>(
    function: &'a Function,
    target: &Target,
) -> Result<(&'a Version, Option<Qualifier>), LambdaError> {
    let qualifier = target.qualifier().transpose()?;
    let version = function
        .version(&qualifier.clone().unwrap_or_default())
        .ok_or_else(|| target.not_found())?;
    Ok((version, qualifier))
}
