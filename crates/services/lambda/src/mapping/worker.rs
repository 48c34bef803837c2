//! Who starts pollers: one for each mapping, for as long as the node runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tradewind_model::FunctionArn;

use super::kafka::KafkaPoller;
use super::model::{Mapping, MappingId, Source};
use super::poller::Poller;
use super::registry::Found;
use crate::error::LambdaError;
use crate::model::Function;
use crate::service::LambdaService;

/// How long a mapping rests whose poller panicked.
const AFTER_PANIC: Duration = Duration::from_secs(5);

impl LambdaService {
    /// Reads the sources of event source mappings until cancelled, then waits for the batches that run.
    ///
    /// # Cancel safety
    /// Dropped, running batches stop; their messages become visible again.
    pub async fn run_mappings(&self, stop: CancellationToken) {
        let mut pollers = JoinSet::new();
        let mut ids: HashMap<Id, MappingId> = HashMap::new();
        loop {
            for assignment in self.mappings().unattended() {
                let id = assignment.id;
                let (service, stop) = (self.clone(), stop.clone());
                let is_topic = matches!(assignment.source(), Some(Source::Kafka(_)));
                let task = match is_topic {
                    true => pollers.spawn(KafkaPoller::new(service, assignment, stop).run()),
                    false => pollers.spawn(Poller::new(service, assignment, stop).run()),
                };
                ids.insert(task.id(), id);
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.mappings().changed.notified() => {}
                Some(ended) = pollers.join_next_with_id() => self.poller_ended(ended, &mut ids).await,
            }
        }
        while let Some(ended) = pollers.join_next_with_id().await {
            self.poller_ended(ended, &mut ids).await;
        }
    }

    async fn poller_ended(&self, ended: Result<(Id, ()), JoinError>, ids: &mut HashMap<Id, MappingId>) {
        let task = match &ended {
            Ok((task, ())) => *task,
            Err(error) => error.id(),
        };
        let mapping = ids.remove(&task);
        if let Err(error) = ended {
            tracing::error!(%error, ?mapping, "the poller of an event source mapping panicked; it starts again");
            tokio::time::sleep(AFTER_PANIC).await;
        }
        if let Some(mapping) = mapping {
            self.mappings().left(mapping);
        }
    }

    /// Makes or changes a mapping; see [`super::Mappings::put`].
    ///
    /// # Cancel safety
    /// The change runs to its end even if this future is dropped.
    pub(crate) async fn put_mapping(
        &self,
        decide: impl FnOnce(&[Arc<Mapping>]) -> Result<Mapping, LambdaError> + Send + 'static,
    ) -> Result<Arc<Mapping>, LambdaError> {
        let service = self.clone();
        let change = async move { service.mappings().put(service.database(), decide).await };
        self.tasks().spawn(change).await.map_err(LambdaError::internal)?
    }

    /// Deletes a mapping; its batches end first.
    ///
    /// # Cancel safety
    /// As [`LambdaService::put_mapping`].
    pub(crate) async fn delete_mapping(&self, id: MappingId) -> Result<Found, LambdaError> {
        let service = self.clone();
        let change = async move {
            let now = service.clock().now();
            service.mappings().delete(service.database(), id, now).await
        };
        self.tasks().spawn(change).await.map_err(LambdaError::internal)?
    }
}

/// The function of a mapping, as it is now.
#[derive(Clone, Debug)]
pub(super) struct Invocable {
    pub(super) function: Arc<Function>,
    /// What the engine knows the version or alias by.
    pub(super) arn: FunctionArn,
    /// Its timeout.
    pub(super) timeout: Duration,
}

/// What of a mapping's function can be invoked now; or what is in the way, as `LastProcessingResult` words it.
pub(super) fn invocable(service: &LambdaService, function: &FunctionArn) -> Result<Invocable, &'static str> {
    const MISSING: &str = "PROBLEM: Function not found";
    let found = service.find(&function.unqualified()).ok_or(MISSING)?;
    let qualifier = function.qualifier.clone().unwrap_or_default();
    let arn = found.invocable(&qualifier).ok_or(MISSING)?;
    let version = found.version(&qualifier).ok_or(MISSING)?;
    let timeout = Duration::from_secs(version.configuration.timeout.get().into());
    if found.reserved_concurrency == Some(0) {
        return Err("PROBLEM: Function is throttled: its reserved concurrency is 0");
    }
    Ok(Invocable {
        function: found,
        arn,
        timeout,
    })
}
