//! The service itself: what is configured in memory, and the one way to change it.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, MutexGuard, Notify};
use tradewind_connect::Topics;
use tradewind_events::Router;
use tradewind_events::delivery::Deliveries;
use tradewind_events::schedule::timer::Timers;
use tradewind_model::resource::ResourceType;
use tradewind_model::{Clock, Timestamp};
use tradewind_store::blobs::Blobs;
use tradewind_store::{Batch, Database};

use crate::archive::{Archive, ArchiveDefinition, Replay};
use crate::connection::ConnectionDefinition;
use crate::destination::{ApiDestination, Destinations, LANES};
use crate::error::EventBridgeError;
use crate::model::{EventBus, Rule, RuleDefinition};
use crate::partner::PartnerSource;
use crate::registry::Registry;
use crate::tables;

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct EventBridgeConfig {
    /// Where buses and rules are kept; migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// What targets are reached through.
    pub router: Router,
    /// What makes rules with schedules run.
    pub timers: Timers,
    /// What reaches API destinations.
    pub deliveries: Deliveries,
    /// What writes to topics of Kafka.
    pub topics: Topics,
    /// Seals the secrets of connections.
    pub blobs: Blobs,
    /// The time.
    pub clock: Clock,
}

/// The EventBridge service of a node. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct EventBridgeService(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: EventBridgeConfig,
    registry: RwLock<Registry>,
    /// Held while something configured changes, so that database and memory see the same order. It is an
    /// async mutex because the writes happen while it is held.
    changing: Mutex<()>,
    /// There is something to replay or to tidy up.
    work: Notify,
    destinations: Destinations,
}

impl EventBridgeService {
    /// Reads what is configured. The service is then to be connected to the router and the timers
    /// ([`Self::connect`]).
    ///
    /// # Errors
    /// When the database fails or holds what this binary cannot read.
    pub async fn open(config: EventBridgeConfig) -> Result<Self, EventBridgeError> {
        let mut registry = Registry::default();
        for bus in tables::load::<EventBus>(&config.database).await? {
            registry.put_bus(bus);
        }
        for definition in tables::load::<RuleDefinition>(&config.database).await? {
            let arn = definition.bus.rule(&definition.name);
            let rule = Rule::compile(definition).map_err(|error| EventBridgeError::stored(&arn, error))?;
            registry.put_rule(rule);
        }
        for definition in tables::load::<ArchiveDefinition>(&config.database).await? {
            registry.put_archive(Archive::compile(definition)?);
        }
        for replay in tables::load::<Replay>(&config.database).await? {
            registry.put_replay(replay);
        }
        for definition in tables::load::<ConnectionDefinition>(&config.database).await? {
            registry.put_connection(Self::unseal(&config.blobs, definition)?);
        }
        for destination in tables::load::<ApiDestination>(&config.database).await? {
            registry.put_destination(destination);
        }
        for source in tables::load::<PartnerSource>(&config.database).await? {
            registry.put_source(source);
        }
        let service = Self(Arc::new(Shared {
            config,
            registry: RwLock::new(registry),
            changing: Mutex::new(()),
            work: Notify::new(),
            destinations: Destinations::new()?,
        }));
        service.open_lanes().await?;
        Ok(service)
    }

    /// Opens the lane of every target that events may wait for, and removes others.
    async fn open_lanes(&self) -> Result<(), EventBridgeError> {
        for rule in self.registry(Registry::all_rules) {
            let bus = self.registry(|registry| registry.bus(&rule.definition.bus))?;
            for (lane, settings) in self.lanes(&bus, &rule) {
                self.deliveries().open(&lane, settings).await?;
            }
        }
        Ok(self.deliveries().sweep(LANES).await?)
    }

    /// From now on buses take events, and schedules run.
    pub fn connect(&self) {
        self.router().connect("events", Arc::new(self.clone()));
        self.deliveries().connect(LANES, Arc::new(self.clone()));
        self.timers()
            .connect(crate::worker::TIMERS, Arc::new(self.clone()));
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        crate::resource::types(self)
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.config.database
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.config.router
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.0.config.timers
    }

    pub(crate) fn deliveries(&self) -> &Deliveries {
        &self.0.config.deliveries
    }

    pub(crate) fn topics(&self) -> &Topics {
        &self.0.config.topics
    }

    pub(crate) fn blobs(&self) -> &Blobs {
        &self.0.config.blobs
    }

    pub(crate) fn destinations(&self) -> &Destinations {
        &self.0.destinations
    }

    /// There is something to replay or to tidy up.
    pub(crate) fn work(&self) -> &Notify {
        &self.0.work
    }

    pub(crate) fn tidy_soon(&self) {
        self.0.work.notify_one();
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }

    /// Reads what is configured. `read` is short: changes wait for it.
    pub(crate) fn registry<T>(&self, read: impl FnOnce(&Registry) -> T) -> T {
        read(&self.0.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for its turn to change something.
    pub(crate) async fn changing(&self) -> MutexGuard<'_, ()> {
        self.0.changing.lock().await
    }

    /// Writes the batch, then changes memory to what it says. Called while [`Self::changing`] is held.
    ///
    /// # Cancel safety
    /// Not cancel-safe: call it in a task that is not dropped.
    pub(crate) async fn commit<T>(
        &self,
        batch: Batch,
        change: impl FnOnce(&mut Registry) -> T,
    ) -> Result<T, EventBridgeError> {
        self.database().write(batch).await?;
        let mut registry = self.0.registry.write().unwrap_or_else(PoisonError::into_inner);
        Ok(change(&mut registry))
    }
}
