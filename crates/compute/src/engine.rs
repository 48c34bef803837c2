//! The door of the crate.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tradewind_model::FunctionArn;
use tradewind_model::limits::{self, SYNC_PAYLOAD_BYTES};

use crate::alias::AliasRoute;
use crate::bootstraps::Bootstraps;
use crate::config::EngineConfig;
use crate::cores::CoreVerdict;
use crate::error::{InitFailure, InvokeError, StartEngineError, ThrottleReason};
use crate::guards::{self, Guard};
use crate::host::Host;
use crate::instance;
use crate::package::PackageStore;
use crate::pool::{
    Account, Backlogs, Closed, Job, MemoryBudget, Named, Permit, Pool, Starting, UNKNOWN_BYTES,
};
use crate::prepared::{self, Preparations};
use crate::registry::{Found, Registry};
use crate::sandbox::{Sandbox, SandboxConfig, raise_open_files};
use crate::spec::{FunctionSpec, FunctionStatus, InvokeRequest, InvokeResponse, ProvisionedStatus};
use crate::stems::{self, Stems};
use crate::stream::StreamedResponse;
use crate::supervisor;

/// How long killed instances have to be gone at shutdown.
const KILL_GRACE: Duration = Duration::from_secs(2);

/// Runs functions. A cheap handle; when the last one is dropped, all instances are killed.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Arc<Host>,
    registry: Arc<Registry>,
    stopping: AtomicBool,
}

/// An invocation that may run, and where.
struct Admitted {
    pool: Arc<Pool>,
    permit: Permit,
    named: Named,
}

impl Engine {
    /// Prepares the folders, writes the bootstraps, and is ready to run functions.
    ///
    /// # Errors
    /// When a folder cannot be made or written, or outside a tokio runtime.
    pub fn start(config: EngineConfig) -> Result<Self, StartEngineError> {
        Self::start_with(config, limits::INIT)
    }

    /// Like [`start`](Self::start), with another limit for initialisations than Lambda's.
    pub(crate) fn start_with(config: EngineConfig, init_limit: Duration) -> Result<Self, StartEngineError> {
        let runtime = Handle::try_current().map_err(|_no_runtime| StartEngineError::NoRuntime)?;
        let packages = folder(&config.packages_dir, || {
            PackageStore::open(config.packages_dir.clone())
        })?;
        let bootstraps = folder(&config.bootstraps_dir, || {
            Bootstraps::write(&config.bootstraps_dir)
        })?;
        let run_dir = folder(&config.run_dir, || emptied(&config.run_dir))?;
        if let Err(error) = raise_open_files() {
            tracing::warn!(%error, "cannot raise the limit of open files; it bounds the number of instances");
        }
        let sandbox = SandboxConfig {
            choice: config.sandbox,
            spawner: config.spawner.as_ref(),
            folder: &run_dir,
            api: address_of(&config.endpoint_url),
        };
        let sandbox =
            Sandbox::start(&sandbox, runtime).map_err(|source| StartEngineError::Sandbox { source })?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = MemoryBudget::new(config.memory_budget_bytes);
        let stems = if sandbox.keeps_stems() { config.stems } else { 0 };
        let host = Arc::new(Host {
            account: config.account,
            region: config.region,
            endpoint_url: config.endpoint_url,
            run_dir,
            keep_alive: config.keep_alive,
            init_limit,
            clock: config.clock,
            logs: config.logs,
            usage: config.usage,
            interpreters: config.interpreters,
            packages,
            bootstraps,
            preparations: Preparations::new(config.prepare && sandbox.prepares()),
            sandbox,
            stems: Stems::new(stems, memory.limit_bytes(), UNKNOWN_BYTES),
            memory,
            start_slots: Arc::new(Semaphore::new(cores)),
            // one core stays for what somebody waits for
            warm_slots: Arc::new(Semaphore::new(cores.saturating_sub(1).max(1))),
            cores,
            core_verdict: CoreVerdict::default(),
            backlogs: Backlogs::default(),
            memory_wanted: Notify::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            kill: CancellationToken::new(),
            next_instance: AtomicU64::new(1),
        });
        let registry = Arc::new(Registry::new(Account::new(config.account_concurrency)));
        host.tasks
            .spawn(supervisor::run(Arc::clone(&host), Arc::clone(&registry)));
        host.tasks.spawn(stems::keep(Arc::clone(&host)));
        host.tasks.spawn(prepared::keep(Arc::clone(&host)));
        host.tasks.spawn(count_usage(Arc::clone(&host)));
        Ok(Self(Arc::new(Inner {
            host,
            registry,
            stopping: AtomicBool::new(false),
        })))
    }

    /// What confines functions here.
    #[must_use]
    pub fn guards(&self) -> Vec<Guard> {
        guards::of(self.0.host.sandbox.facts())
    }

    /// What confines functions here, in a line for people; true when it is a jail.
    #[must_use]
    pub fn isolation(&self) -> (bool, String) {
        guards::summary(self.0.host.sandbox.facts())
    }

    /// The packages of this node.
    #[must_use]
    pub fn packages(&self) -> &PackageStore {
        &self.0.host.packages
    }

    /// Registers a function version, or replaces it: invocations that run finish on the old code,
    /// those that come or wait run on the new. A spec that differs in nothing but its reserved and
    /// provisioned concurrency keeps its instances; one that was [proved](Self::prove) finds its instance
    /// warm.
    pub fn deploy(&self, spec: FunctionSpec) {
        if self.0.stopping.load(Ordering::Acquire) {
            return;
        }
        if let Some(found) = self.0.registry.find(&spec.arn)
            && found.pool.spec.runs_like(&spec)
        {
            found.gate.reserve(spec.reserved_concurrency);
            return found.pool.provision(spec.provisioned_concurrency);
        }
        let provisioned = spec.provisioned_concurrency;
        let proved = self.0.registry.take_proved(&spec);
        let pool = proved.unwrap_or_else(|| Pool::new(spec, Arc::clone(&self.0.host)));
        if let Some(kind) = &pool.stem_kind {
            self.0.host.stems.expect(&self.0.host, kind);
        }
        self.0.host.preparations.expect(&pool);
        pool.provision(provisioned);
        if let Some(old) = self.0.registry.put(Arc::clone(&pool)) {
            pool.inherit(&old);
            old.close(Closed::Replaced(pool));
        }
    }

    /// How far the provisioned concurrency of a function version has come. None when it is not deployed.
    #[must_use]
    pub fn provisioned(&self, arn: &FunctionArn) -> Option<ProvisionedStatus> {
        let found = self.0.registry.find(arn)?;
        Some(found.pool.provisioned())
    }

    /// Keeps at least `count` instances of a function version initialised, whatever its traffic, until
    /// told otherwise; a deploy of new code does not change it. Unlike provisioned concurrency it is no
    /// promise: the account's and the node's limits come first. False when it is not deployed.
    pub fn set_warm_floor(&self, arn: &FunctionArn, count: u32) -> bool {
        let Some(Found { pool, .. }) = self.0.registry.find(arn) else {
            return false;
        };
        pool.set_warm_floor(count);
        true
    }

    /// Starts an instance of `spec` and lets it initialise, next to whatever is deployed. On success
    /// it is kept for a [`deploy`](Self::deploy) of an equal spec.
    ///
    /// # Errors
    /// When it does not initialise: with Lambda's error type and message, and what it printed.
    ///
    /// # Cancel safety
    /// The instance starts even if the future is dropped.
    pub async fn prove(&self, spec: FunctionSpec) -> Result<(), InitFailure> {
        let stopping = || InitFailure {
            error_type: "Sandbox.Failure".to_owned(),
            message: InvokeError::ShuttingDown.to_string(),
            log: Vec::new(),
        };
        if self.0.stopping.load(Ordering::Acquire) {
            return Err(stopping());
        }
        let pool = Pool::new(spec, Arc::clone(&self.0.host));
        let (proof, proved) = oneshot::channel();
        instance::start(Starting::proof(Arc::clone(&pool)), Some(proof));
        proved.await.map_err(|_dropped| stopping())??;
        self.0.registry.keep_proved(pool);
        Ok(())
    }

    /// Forgets a function version: what runs finishes, what waits or comes is told that it does not
    /// exist. That it is gone already is fine.
    pub fn remove(&self, arn: &FunctionArn) {
        if let Some(pool) = self.0.registry.remove(arn) {
            pool.close(Closed::Removed);
        }
    }

    /// Invocations that all functions together may run at once.
    #[must_use]
    pub fn account_concurrency(&self) -> u32 {
        self.0.registry.account_concurrency()
    }

    /// Lets `arn`, whose qualifier is an alias, lead to versions of its function: those that are
    /// deployed when an invocation comes.
    pub fn put_alias(&self, arn: &FunctionArn, route: AliasRoute) {
        self.0.registry.put_alias(arn, route);
    }

    /// Forgets an alias. That it is gone already is fine.
    pub fn remove_alias(&self, arn: &FunctionArn) {
        self.0.registry.remove_alias(arn);
    }

    /// Runs a function and gives its answer, or Lambda's error in its place.
    ///
    /// # Errors
    /// When the invocation does not reach the function. It did not run then, except after
    /// [`InvokeError::ShuttingDown`], when it may have been cut off.
    ///
    /// # Cancel safety
    /// Once polled, the invocation runs to its end even if the future is dropped.
    pub async fn invoke(
        &self,
        arn: &FunctionArn,
        request: InvokeRequest,
    ) -> Result<InvokeResponse, InvokeError> {
        let admitted = self.admit(arn, &request)?;
        let (job, answer) = Job::new(request, admitted.named, admitted.permit);
        admitted.pool.submit(job);
        answer.await.unwrap_or_else(|_dropped| Err(lost()))
    }

    /// Runs a function and gives its answer as it comes, when the function streams it; otherwise in one
    /// chunk. What goes wrong in the function is in the stream's completion.
    ///
    /// # Errors
    /// As [`invoke`](Self::invoke): when the invocation does not reach the function.
    ///
    /// # Cancel safety
    /// Once polled, the invocation runs to its end even if the future or the stream is dropped.
    pub async fn invoke_streaming(
        &self,
        arn: &FunctionArn,
        request: InvokeRequest,
    ) -> Result<StreamedResponse, InvokeError> {
        let admitted = self.admit(arn, &request)?;
        let (job, answer) = Job::streamed(request, admitted.named, admitted.permit);
        admitted.pool.submit(job);
        answer.await.unwrap_or_else(|_dropped| Err(lost()))
    }

    /// What each invocation passes before it is anyone's work.
    fn admit(&self, arn: &FunctionArn, request: &InvokeRequest) -> Result<Admitted, InvokeError> {
        if self.0.stopping.load(Ordering::Acquire) {
            return Err(InvokeError::ShuttingDown);
        }
        let Some(Found { pool, gate, alias }) = self.0.registry.find(arn) else {
            return Err(InvokeError::NotFound {
                function: arn.to_string(),
            });
        };
        let size_bytes = request.payload.len();
        if size_bytes > SYNC_PAYLOAD_BYTES {
            return Err(InvokeError::RequestTooLarge {
                size_bytes,
                limit_bytes: SYNC_PAYLOAD_BYTES,
            });
        }
        let throttled = |reason: ThrottleReason| InvokeError::Throttled { reason };
        let permit = gate.enter().map_err(throttled)?;
        let named = match alias {
            Some(alias) => Named::Alias(alias),
            None if arn.qualifier.is_some() => Named::Version,
            None => Named::Function,
        };
        Ok(Admitted { pool, permit, named })
    }

    /// Whether the package of a function version was prepared.
    #[cfg(test)]
    pub(crate) fn is_prepared(&self, arn: &FunctionArn) -> bool {
        let found = self.0.registry.find(arn);
        found.is_some_and(|found| prepared::folder(&found.pool).is_some())
    }

    /// Stems that wait.
    #[cfg(test)]
    pub(crate) fn stems(&self) -> usize {
        self.0.host.stems.count()
    }

    /// What is registered, and how it does, sorted by ARN.
    #[must_use]
    pub fn functions(&self) -> Vec<FunctionStatus> {
        let mut all: Vec<_> = self
            .0
            .registry
            .deployed()
            .iter()
            .map(|pool| pool.status())
            .collect();
        all.sort_by(|a, b| a.arn.cmp(&b.arn));
        all
    }

    /// Takes no more invocations, gives those that run until `deadline` from now, then kills what is
    /// left. When it returns, every process, task and temporary folder of the engine is gone.
    pub async fn shutdown(&self, deadline: Duration) {
        let inner = &self.0;
        inner.stopping.store(true, Ordering::Release);
        for pool in inner.registry.all() {
            pool.close(Closed::Stopping);
        }
        inner.host.stop.cancel();
        let tasks = &inner.host.tasks;
        tasks.close();
        if tokio::time::timeout(deadline, tasks.wait()).await.is_err() {
            inner.host.kill.cancel();
            if tokio::time::timeout(KILL_GRACE, tasks.wait()).await.is_err() {
                tracing::error!(left = tasks.len(), "instances could not be ended");
            }
        }
        inner.host.sandbox.stop().await;
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.host.stop.cancel();
        self.host.kill.cancel();
    }
}

async fn count_usage(host: Arc<Host>) {
    tokio::select! {
        () = host.usage.run() => {}
        () = host.stop.cancelled() => {}
    }
}

/// Every job is answered; only a panic of its driver drops one.
fn lost() -> InvokeError {
    InvokeError::Unavailable {
        message: "the instance was lost; see the node's log".to_owned(),
    }
}

/// The address in `http://address:port`.
fn address_of(endpoint_url: &str) -> Option<SocketAddr> {
    endpoint_url
        .strip_prefix("http://")?
        .trim_end_matches('/')
        .parse()
        .ok()
}

fn folder<T>(path: &Path, prepare: impl FnOnce() -> io::Result<T>) -> Result<T, StartEngineError> {
    prepare().map_err(|source| StartEngineError::Folder {
        path: path.to_owned(),
        source,
    })
}

/// The folder without the temporary folders of an earlier process's instances.
fn emptied(path: &Path) -> io::Result<PathBuf> {
    fs::create_dir_all(path)?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let of_an_instance = name.len() == 32 && name.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit);
        if of_an_instance && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    fs::canonicalize(path)
}
