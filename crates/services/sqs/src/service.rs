//! The service itself: its queues in memory, and the one way to change them.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Mutex, OnceCell, Semaphore};
use tradewind_model::resource::ResourceType;
use tradewind_model::{Clock, Timestamp};
use tradewind_observe::usage::{Meter, Metered, units_of_64_kib};
use tradewind_store::blobs::{Blobs, Sealer};
use tradewind_store::queue::{
    DeadLetter, DeduplicationScope as Scope, QueueError, QueueId, QueueSettings, Queues,
};
use tradewind_store::{Batch, Database};

use crate::error::SqsError;
use crate::model::{DeduplicationScope, Queue};
use crate::names::QueueArn;
use crate::registry::{MINUTE_MS, Registry};
use crate::tables;

/// Messages that may be in flight in a queue. SQS developer guide, "Message quotas".
const MAX_IN_FLIGHT: u32 = 120_000;
/// Large requests that are read at the same time; each may take 8 MiB.
const CONCURRENT_READS: usize = 64;

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct SqsConfig {
    /// Where queues are kept; migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// What messages go through, over the same database.
    pub queues: Queues,
    /// Whose key seals messages of queues that ask for it.
    pub blobs: Blobs,
    /// The time.
    pub clock: Clock,
    /// Where clients reach this node, for example `http://127.0.0.1:4566`: the start of queue URLs.
    pub base_url: String,
}

/// The SQS service of a node. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct SqsService(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: SqsConfig,
    registry: RwLock<Registry>,
    /// Held while a queue changes, so that database, store and memory see the same order. It is an
    /// async mutex because the writes happen while it is held.
    changing: Mutex<()>,
    reads: Arc<Semaphore>,
    attempts: crate::api::Attempts,
    /// Set when a queue is that asks for it.
    sealer: OnceCell<Sealer>,
    meter: OnceLock<Meter>,
}

impl SqsService {
    /// Reads all queues, and mends what a crash left between their rows and the store.
    ///
    /// # Errors
    /// When the database fails or holds what this binary cannot read.
    pub async fn open(config: SqsConfig) -> Result<Self, SqsError> {
        let mut registry = Registry::default();
        let now = config.clock.now();
        let rows = tables::load(&config.database).await?;
        reconcile(&config.queues, &rows).await?;
        let encrypts = rows.iter().any(|queue| queue.attributes.encrypted);
        rows.into_iter().for_each(|queue| registry.put(queue));
        for (arn, at) in tables::load_deleted(&config.database).await? {
            if registry.get(&arn).is_none() {
                registry.delete(&arn, at);
            }
        }
        let minute_ago = now.plus_millis(-MINUTE_MS);
        config
            .database
            .write(tables::forget_deleted(Batch::new(), minute_ago))
            .await?;
        let service = Self(Arc::new(Shared {
            config,
            registry: RwLock::new(registry),
            changing: Mutex::new(()),
            reads: Arc::new(Semaphore::new(CONCURRENT_READS)),
            attempts: crate::api::Attempts::default(),
            sealer: OnceCell::new(),
            meter: OnceLock::new(),
        }));
        if encrypts {
            service.prepare_to_seal().await?;
        }
        Ok(service)
    }

    /// Requests are counted by `meter`; only the first call decides by which.
    pub fn count_in(&self, meter: Meter) {
        self.0.meter.get_or_init(|| meter);
    }

    /// Counts a request that had so many bytes, or was answered with them. What names a queue that there is not is
    /// counted for none: else who asks would decide how many counters there are.
    pub(crate) fn count(&self, queue: Option<&QueueArn>, bytes: usize) {
        let Some(meter) = self.0.meter.get() else {
            return;
        };
        let units = units_of_64_kib(bytes);
        match queue.filter(|queue| self.is_or_was(queue)) {
            Some(queue) if queue.name.is_fifo() => {
                meter.count(Metered::SqsFifoRequests, &queue.to_string(), units)
            }
            Some(queue) => meter.count(Metered::SqsRequests, &queue.to_string(), units),
            None => meter.count(Metered::SqsRequests, "", units),
        }
    }

    /// Whether there is such a queue, or was a moment ago: a request may have deleted it.
    fn is_or_was(&self, queue: &QueueArn) -> bool {
        let now = self.now();
        self.registry(|registry| registry.get(queue).is_some() || registry.was_deleted_recently(queue, now))
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        crate::resource::types(self)
    }

    pub(crate) fn queues(&self) -> &Queues {
        &self.0.config.queues
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.config.database
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.0.config.blobs
    }

    /// What seals messages; there when a queue asks for it.
    pub(crate) fn sealer(&self) -> Option<&Sealer> {
        self.0.sealer.get()
    }

    async fn prepare_to_seal(&self) -> Result<(), SqsError> {
        let sealer = self.0.sealer.get_or_try_init(|| self.blobs().sealer());
        let sealer = sealer.await.map(drop);
        sealer.map_err(|error| SqsError::Internal(error.to_string()))
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.0.config.base_url
    }

    pub(crate) fn reads(&self) -> &Arc<Semaphore> {
        &self.0.reads
    }

    pub(crate) fn attempts(&self) -> &crate::api::Attempts {
        &self.0.attempts
    }

    /// Reads the queues. `read` is short: changes wait for it.
    pub(crate) fn registry<T>(&self, read: impl FnOnce(&Registry) -> T) -> T {
        read(&self.0.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn registry_mut<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        change(&mut self.0.registry.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The queue of that ARN.
    pub(crate) fn queue(&self, arn: &QueueArn) -> Result<Arc<Queue>, SqsError> {
        let found = self.registry(|registry| registry.get(arn));
        found.ok_or(SqsError::QueueDoesNotExist)
    }

    /// Makes or changes a queue: `decide` sees it as it is and says what becomes of it; none leaves
    /// it as it is. Gives the queue as it is then.
    ///
    /// # Cancel safety
    /// Not cancel-safe: call it in a task that is not dropped.
    pub(crate) async fn change(
        &self,
        arn: &QueueArn,
        decide: impl FnOnce(Option<&Queue>) -> Result<Option<Queue>, SqsError>,
    ) -> Result<Arc<Queue>, SqsError> {
        let _changing = self.0.changing.lock().await;
        let before = self.registry(|registry| registry.get(arn));
        let Some(after) = decide(before.as_deref())? else {
            return before.ok_or(SqsError::QueueDoesNotExist);
        };
        self.check_target(&after)?;
        if after.attributes.encrypted {
            self.prepare_to_seal().await?;
        }
        let settings = settings_of(&after);
        let id = id_of(arn);
        // a queue that the store has and no row names is removed at the next start
        match &before {
            None => self.create_stored(&id, &settings).await?,
            Some(before) if settings_of(before) == settings => {}
            Some(_) => self.queues().update(&id, &settings).await?,
        }
        self.database().write(tables::put(Batch::new(), &after)?).await?;
        self.registry_mut(|registry| registry.put(after));
        self.queue(arn)
    }

    /// Makes the queue in the store, anew where a creation failed half-way.
    async fn create_stored(&self, id: &QueueId, settings: &QueueSettings) -> Result<(), SqsError> {
        match self.queues().create(id, settings).await {
            Err(QueueError::Exists { .. }) => {
                self.queues().delete(id).await?;
                Ok(self.queues().create(id, settings).await?)
            }
            created => Ok(created?),
        }
    }

    /// A dead-letter queue is there, of the same kind, and lets this one name it.
    fn check_target(&self, source: &Queue) -> Result<(), SqsError> {
        let Some(policy) = &source.attributes.redrive else {
            return Ok(());
        };
        let invalid = |reason: &str| Err(SqsError::value(&policy.text, "RedrivePolicy", reason));
        let target = policy
            .target
            .parse()
            .ok()
            .and_then(|arn| self.registry(|registry| registry.get(&arn)));
        let Some(target) = target else {
            return invalid("Dead letter target does not exist.");
        };
        if target.attributes.fifo.is_some() != source.attributes.fifo.is_some() {
            return invalid("Dead-letter queue must be same type of queue as the source.");
        }
        if target.arn.account != source.arn.account || target.arn.region != source.arn.region {
            return invalid("Dead-letter queue must be of the same account and region as the source.");
        }
        let source_arn = source.arn.to_string();
        let allowed = target
            .attributes
            .redrive_allow
            .as_ref()
            .is_none_or(|allow| allow.allows(&source_arn));
        if !allowed {
            return invalid("The RedriveAllowPolicy of the dead-letter queue does not allow this source.");
        }
        Ok(())
    }

    /// Removes a queue and its messages, if `may` agrees; that it is gone already is success.
    pub(crate) async fn delete(
        &self,
        arn: &QueueArn,
        may: impl FnOnce(&Queue) -> bool,
    ) -> Result<(), SqsError> {
        let _changing = self.0.changing.lock().await;
        let Some(queue) = self.registry(|registry| registry.get(arn)) else {
            return Ok(());
        };
        if !may(&queue) {
            return Ok(());
        }
        let now = self.now();
        self.database()
            .write(tables::delete(Batch::new(), arn, now))
            .await?;
        self.registry_mut(|registry| registry.delete(arn, now));
        match self.queues().delete(&id_of(arn)).await {
            Ok(()) | Err(QueueError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes a purge, unless one was less than a minute ago.
    pub(crate) fn may_purge(&self, arn: &QueueArn) -> bool {
        let now = self.now();
        self.registry_mut(|registry| registry.may_purge(arn, now))
    }
}

/// The rows decide which queues there are: the store gets what it lacks and loses what it has too many.
async fn reconcile(queues: &Queues, rows: &[Queue]) -> Result<(), SqsError> {
    let mut stored = all_stored(queues).await?;
    for queue in rows {
        let id = id_of(&queue.arn);
        let settings = settings_of(queue);
        if !stored.remove(&id) {
            queues.create(&id, &settings).await?;
        } else if queues.settings(&id).await? != settings {
            queues.update(&id, &settings).await?;
        }
    }
    for id in &stored {
        queues.delete(id).await?;
    }
    Ok(())
}

async fn all_stored(queues: &Queues) -> Result<BTreeSet<QueueId>, SqsError> {
    const PAGE: u32 = 1000;
    let mut stored = BTreeSet::new();
    loop {
        let page = queues.list("arn:aws:sqs:", stored.last(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        stored.extend(page);
        if is_last {
            return Ok(stored);
        }
    }
}

/// What the store knows a queue by.
pub(crate) fn id_of(arn: &QueueArn) -> QueueId {
    QueueId::new(&arn.to_string())
}

fn settings_of(queue: &Queue) -> QueueSettings {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let attributes = &queue.attributes;
    let fifo = attributes.fifo.unwrap_or_default();
    QueueSettings {
        fifo: attributes.fifo.is_some(),
        content_based_deduplication: fifo.content_based_deduplication,
        deduplication_scope: match fifo.deduplication_scope {
            DeduplicationScope::Queue => Scope::Queue,
            DeduplicationScope::MessageGroup => Scope::Group,
        },
        delay: seconds(attributes.delay_seconds),
        retention: seconds(attributes.message_retention_period),
        dead_letter: attributes.redrive.as_ref().map(|policy| DeadLetter {
            queue: QueueId::new(&policy.target),
            max_receives: policy.max_receives,
        }),
        max_leased: Some(MAX_IN_FLIGHT),
    }
}
