//! The service itself: its pipes in memory, and the ways to change them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, RwLock};

use bytes::Bytes;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tradewind_connect::Topics;
use tradewind_events::api_destination::ApiDestinations;
use tradewind_events::{QueueSource, Router};
use tradewind_model::resource::ResourceType;
use tradewind_model::{Arn, Clock, Timestamp};
use tradewind_store::queue::Queues;
use tradewind_store::{Batch, Database};

use crate::error::PipesError;
use crate::model::{Pipe, PipeId};
use crate::{tables, worker};

/// What runs functions and waits for their answers.
#[async_trait::async_trait]
pub trait Functions: Send + Sync + fmt::Debug {
    /// Runs a function with the event `payload`, as part of the journey that the header `trace` names.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn call(&self, function: &Arn, payload: Bytes, trace: String) -> Result<Bytes, FunctionFailure>;
}

/// Why a function gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionFailure {
    /// It is not there.
    #[error("the function does not exist")]
    NotFound,
    /// It ran, and failed.
    #[error("the function failed")]
    Failed,
    /// It did not run, because as many run as may. To try again later helps.
    #[error("the function is throttled")]
    Throttled,
    /// It did not run.
    #[error("{0}")]
    Unavailable(String),
}

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct PipesConfig {
    /// Where pipes are kept; migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// The queues of that database.
    pub queues: Queues,
    /// What says how queues are read.
    pub source: Arc<dyn QueueSource>,
    /// What runs functions.
    pub functions: Arc<dyn Functions>,
    /// What makes requests to API destinations.
    pub destinations: Arc<dyn ApiDestinations>,
    /// What brings events to targets.
    pub router: Router,
    /// What writes to topics of Kafka.
    pub topics: Topics,
    /// The time.
    pub clock: Clock,
}

/// The pipes of a node. Clones are handles to the same ones.
#[derive(Clone, Debug)]
pub struct PipesService(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: PipesConfig,
    pipes: RwLock<BTreeMap<PipeId, Arc<Pipe>>>,
    /// What is in the way of pipes that run, by pipe.
    problems: StdMutex<BTreeMap<PipeId, String>>,
    /// Counts the changes of `pipes`, so that the worker sees them.
    changes: watch::Sender<u64>,
    /// Held from a decision to its commit, so that two changes do not decide on the same state. It is an
    /// async mutex because the write happens while it is held.
    changing: Mutex<()>,
    /// What the batches of all pipes may take, in KiB.
    memory: Arc<Semaphore>,
}

impl PipesService {
    /// Reads all pipes.
    ///
    /// # Errors
    /// When the database fails or holds what this binary cannot read.
    pub async fn open(config: PipesConfig) -> Result<Self, PipesError> {
        let pipes = tables::load(&config.database).await?;
        let pipes = pipes.into_iter().map(|pipe| (pipe.id.clone(), Arc::new(pipe)));
        Ok(Self(Arc::new(Shared {
            config,
            pipes: RwLock::new(pipes.collect()),
            problems: StdMutex::default(),
            changes: watch::Sender::default(),
            changing: Mutex::new(()),
            memory: Arc::new(Semaphore::new(worker::MEMORY_KIB)),
        })))
    }

    /// Runs the pipes until `stop`; returns when the batches that are on their way have ended.
    pub async fn run(&self, stop: CancellationToken) {
        worker::run(self.clone(), stop).await;
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        crate::resource::types(self)
    }

    pub(crate) fn config(&self) -> &PipesConfig {
        &self.0.config
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }

    /// All pipes, by account, region and name.
    pub(crate) fn pipes(&self) -> Vec<Arc<Pipe>> {
        let pipes = self.0.pipes.read().unwrap_or_else(PoisonError::into_inner);
        pipes.values().cloned().collect()
    }

    pub(crate) fn pipe(&self, id: &PipeId) -> Result<Arc<Pipe>, PipesError> {
        let pipes = self.0.pipes.read().unwrap_or_else(PoisonError::into_inner);
        pipes
            .get(id)
            .cloned()
            .ok_or_else(|| PipesError::NotFound(id.name().to_owned()))
    }

    /// The memory for batches of all pipes, in KiB.
    pub(crate) fn memory(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.memory)
    }

    /// Sees each change of the pipes.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// What is in the way of the pipe.
    pub(crate) fn problem(&self, id: &PipeId) -> Option<String> {
        let problems = self.0.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.get(id).cloned()
    }

    /// Notes what is in the way of the pipe, or that nothing is any more. What is new is logged.
    pub(crate) fn tell(&self, id: &PipeId, problem: Option<String>) {
        let mut problems = self.0.problems.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &problem {
            Some(problem) => problems.insert(id.clone(), problem.clone()),
            None => problems.remove(id),
        };
        if let Some(problem) = problem.filter(|problem| before.as_ref() != Some(problem)) {
            tracing::warn!(pipe = %id, problem, "a pipe cannot go on");
        }
    }

    /// Makes or changes a pipe: `decide` sees it as it is and says what it is to be; none leaves it as it is.
    ///
    /// # Cancel safety
    /// A change that was decided is written even if this future is dropped, but may be seen by the worker
    /// only after the next one or a restart.
    pub(crate) async fn change(
        &self,
        id: &PipeId,
        decide: impl FnOnce(Option<&Pipe>) -> Result<Option<Pipe>, PipesError>,
    ) -> Result<Arc<Pipe>, PipesError> {
        let _changing = self.0.changing.lock().await;
        let before = self.pipe(id).ok();
        let Some(pipe) = decide(before.as_deref())? else {
            return before.ok_or_else(|| PipesError::NotFound(id.name().to_owned()));
        };
        let batch = tables::put(Batch::new(), &pipe)?;
        let pipe = Arc::new(pipe);
        let kept = Arc::clone(&pipe);
        self.write(batch, move |pipes| {
            drop(pipes.insert(kept.id.clone(), Arc::clone(&kept)))
        })
        .await?;
        Ok(pipe)
    }

    /// Removes a pipe, if `may` agrees, and returns it.
    pub(crate) async fn remove(
        &self,
        id: &PipeId,
        may: impl FnOnce(&Pipe) -> bool,
    ) -> Result<Arc<Pipe>, PipesError> {
        let _changing = self.0.changing.lock().await;
        let pipe = self.pipe(id)?;
        if may(&pipe) {
            let gone = id.clone();
            self.write(tables::delete(Batch::new(), id), move |pipes| {
                drop(pipes.remove(&gone))
            })
            .await?;
            self.tell(id, None);
        }
        Ok(pipe)
    }

    /// Writes the batch; memory changes when it commits.
    async fn write(
        &self,
        batch: Batch,
        change: impl Fn(&mut BTreeMap<PipeId, Arc<Pipe>>) + Send + Sync + 'static,
    ) -> Result<(), PipesError> {
        let shared = Arc::clone(&self.0);
        let batch = batch.after_commit(move || {
            change(&mut shared.pipes.write().unwrap_or_else(PoisonError::into_inner));
            shared.changes.send_modify(|count| *count += 1);
        });
        self.0.config.database.write(batch).await?;
        Ok(())
    }
}
