//! The handle: lanes are opened, owed to, changed and closed here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use tradewind_model::Clock;
use tradewind_store::Database;
use tradewind_store::queue::{MessageId, NewMessage, QueueError, QueueId, QueueSettings, Queues};

use super::model::{Death, Deliverer, LaneId, LaneSettings, Rate};
use super::retry::Jitter;
use crate::router::{Router, Routing};

/// Longer than any policy tries: a delivery ends by its policy, never by the retention of its queue.
const RETENTION: Duration = Duration::from_hours(24 * 365);
const PAGE: u32 = 1000;

/// What deliveries are made of.
#[derive(Clone, Debug)]
pub struct DeliveriesConfig {
    /// Where the queues are.
    pub database: Database,
    /// What lanes are kept in, over the same database.
    pub queues: Queues,
    /// Takes dead letters to their queues.
    pub router: Router,
    /// The time.
    pub clock: Clock,
    /// Chance, for backoff.
    pub jitter: Jitter,
}

/// Those who ask for a turn of a rate.
type Callers = Vec<(Rate, oneshot::Sender<()>)>;

/// Deliveries have ended, as the node stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the node is stopping")]
pub struct Stopped;

/// The deliveries of a node. Clones are handles to the same ones.
#[derive(Clone, Debug)]
pub struct Deliveries(pub(super) Arc<Shared>);

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) config: DeliveriesConfig,
    lanes: RwLock<HashMap<LaneId, Arc<LaneSettings>>>,
    deliverers: RwLock<BTreeMap<Box<str>, Arc<dyn Deliverer>>>,
    /// Lanes that have got something to do, for the worker.
    hints: Mutex<BTreeSet<LaneId>>,
    pub(super) hinted: Notify,
    /// Who asks for a turn, for the worker; none when it has ended.
    callers: Mutex<Option<Callers>>,
    /// Why deliveries are given up whose end the database did not take.
    unsettled: Mutex<HashMap<MessageId, Death>>,
}

impl Deliveries {
    /// Deliveries of nobody yet.
    #[must_use]
    pub fn new(config: DeliveriesConfig) -> Self {
        Self(Arc::new(Shared {
            config,
            lanes: RwLock::default(),
            deliverers: RwLock::default(),
            hints: Mutex::default(),
            hinted: Notify::new(),
            callers: Mutex::new(Some(Vec::new())),
            unsettled: Mutex::default(),
        }))
    }

    /// From now on `deliverer` makes the deliveries of lanes of this kind.
    pub fn connect(&self, kind: &str, deliverer: Arc<dyn Deliverer>) {
        let mut deliverers = self.0.deliverers.write().unwrap_or_else(PoisonError::into_inner);
        deliverers.insert(kind.into(), deliverer);
    }

    /// Makes a lane, unless it is there; what it holds from before is delivered under these settings.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open(&self, lane: &LaneId, settings: LaneSettings) -> Result<(), QueueError> {
        let queue = QueueSettings {
            retention: RETENTION,
            ..QueueSettings::standard()
        };
        match self.0.config.queues.create(&queue_of(lane), &queue).await {
            Ok(()) | Err(QueueError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
        if settings.in_order.is_some() && self.0.settings(lane).is_none() {
            // what an attempt had that a crash cut off
            self.0.config.queues.return_all_in_order(&queue_of(lane)).await?;
        }
        self.change(lane, settings);
        Ok(())
    }

    /// Gives an open lane other settings. They hold from the next attempt.
    pub fn change(&self, lane: &LaneId, settings: LaneSettings) {
        self.0
            .lanes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(lane.clone(), Arc::new(settings));
        self.0.hint(lane);
    }

    /// Removes a lane and what it still owes. An attempt that runs ends as it would.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close(&self, lane: &LaneId) -> Result<(), QueueError> {
        self.0
            .lanes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(lane);
        match self.0.config.queues.delete(&queue_of(lane)).await {
            Ok(()) | Err(QueueError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Removes the lanes of a kind that are in the store and were not opened: what a crash left between the
    /// end of a target and the end of its lane. To be called when all of the kind are open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self, kind: &str) -> Result<(), QueueError> {
        let prefix = LaneId::new(kind, "").to_string();
        let mut last = None;
        loop {
            let page = self.0.config.queues.list(&prefix, last.as_ref(), PAGE).await?;
            for queue in &page {
                let key = queue.as_str().strip_prefix(&*prefix).unwrap_or_default();
                let lane = LaneId::new(kind, key);
                if self.0.settings(&lane).is_none() {
                    self.close(&lane).await?;
                }
            }
            if page.len() < PAGE as usize {
                return Ok(());
            }
            last = page.last().cloned();
        }
    }

    /// Adds a delivery to the routing's batch. A lane that is closed by the commit owes nothing.
    pub fn owe(&self, routing: &mut Routing, lane: &LaneId, payload: Bytes) {
        let message = NewMessage {
            body: payload.into(),
            ..NewMessage::default()
        };
        let (shared, hinted) = (Arc::clone(&self.0), lane.clone());
        routing.add(|batch| {
            let queues = &self.0.config.queues;
            queues
                .send_within(batch, &queue_of(lane), message)
                .after_commit(move || shared.hint(&hinted))
        });
    }

    /// Wakes the worker after a clock was moved by hand.
    pub fn clock_moved(&self) {
        self.0.hinted.notify_one();
    }
}

impl Shared {
    pub(super) fn hint(&self, lane: &LaneId) {
        let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
        hints.insert(lane.clone());
        self.hinted.notify_one();
    }

    pub(super) fn take_hints(&self) -> BTreeSet<LaneId> {
        std::mem::take(&mut self.hints.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks the worker for a turn.
    pub(super) fn ask_for_turn(&self, rate: Rate, caller: oneshot::Sender<()>) -> Result<(), Stopped> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.as_mut().ok_or(Stopped)?.push((rate, caller));
        self.hinted.notify_one();
        Ok(())
    }

    pub(super) fn take_callers(&self) -> Callers {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        callers.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Nobody gets a turn any more, and who waits for one learns it.
    pub(super) fn end_turns(&self) {
        *self.callers.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn unsettled(&self) -> MutexGuard<'_, HashMap<MessageId, Death>> {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The settings of an open lane.
    pub(super) fn settings(&self, lane: &LaneId) -> Option<Arc<LaneSettings>> {
        let lanes = self.lanes.read().unwrap_or_else(PoisonError::into_inner);
        lanes.get(lane).map(Arc::clone)
    }

    pub(super) fn deliverer(&self, lane: &LaneId) -> Option<Arc<dyn Deliverer>> {
        let deliverers = self.deliverers.read().unwrap_or_else(PoisonError::into_inner);
        deliverers.get(lane.kind()).map(Arc::clone)
    }
}

pub(super) fn queue_of(lane: &LaneId) -> QueueId {
    QueueId::new(&lane.to_string())
}
