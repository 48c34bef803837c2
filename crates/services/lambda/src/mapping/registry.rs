//! The mappings in memory, as the database has them; the one way to change them; and what pollers tell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{Notify, Semaphore, watch};
use tradewind_model::{FunctionArn, Timestamp};
use tradewind_store::{Batch, Database};

use super::model::{Mapping, MappingId, Source};
use super::tables;
use crate::error::{LambdaError, MappingError};
use crate::tables::LoadFunctionsError;

/// What the batches of all mappings of queues may take in memory together, in KiB.
const MEMORY_KIB: usize = 256 * 1024;
/// What those of all mappings of topics may, but for one batch of each. They have their own: batches that fail keep
/// theirs as long as they are tried, which may be for ever.
const KAFKA_MEMORY_KIB: usize = 128 * 1024;

/// All mappings of the node.
#[derive(Debug)]
pub(crate) struct Mappings {
    entries: RwLock<BTreeMap<MappingId, Entry>>,
    /// Held while a mapping changes, so that database and memory see the same order, and no pair of source
    /// and function is there twice.
    changing: tokio::sync::Mutex<()>,
    /// Wakes who starts pollers.
    pub(super) changed: Notify,
    /// A permit for each KiB of batches of queues.
    pub(super) memory: Arc<Semaphore>,
    /// The same of topics.
    pub(super) kafka_memory: Arc<Semaphore>,
}

#[derive(Debug)]
struct Entry {
    mapping: Arc<Mapping>,
    /// Deleted, but batches still run.
    deleted: bool,
    /// Whether it has a poller.
    attended: bool,
    desired: watch::Sender<Option<Arc<Mapping>>>,
    status: Arc<Status>,
}

/// What a poller tells of its mapping.
#[derive(Debug, Default)]
pub(crate) struct Status {
    running: AtomicU32,
    result: Mutex<Option<String>>,
}

impl Status {
    pub(super) fn started(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed) > 0
    }

    /// Sets `LastProcessingResult`; true if it was another.
    pub(super) fn tell(&self, result: &str) -> bool {
        let mut told = self.result();
        let is_new = told.as_deref() != Some(result);
        if is_new {
            *told = Some(result.to_owned());
        }
        is_new
    }

    fn result(&self) -> MutexGuard<'_, Option<String>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `State` of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Enabled,
    /// Switched off, and batches still run.
    Disabling,
    Disabled,
    /// Gone, and batches still run.
    Deleting,
}

impl State {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabling => "Disabling",
            Self::Disabled => "Disabled",
            Self::Deleting => "Deleting",
        }
    }
}

/// A mapping and how it does.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) state: State,
    /// `LastProcessingResult`; none before the first batch.
    pub(crate) last_result: Option<String>,
}

/// What a poller is given.
#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) id: MappingId,
    pub(super) desired: watch::Receiver<Option<Arc<Mapping>>>,
    pub(super) status: Arc<Status>,
}

impl Assignment {
    /// What it reads; it never changes. None if the mapping is deleted.
    pub(super) fn source(&self) -> Option<Source> {
        self.desired
            .borrow()
            .as_ref()
            .map(|mapping| mapping.source.clone())
    }
}

impl Entry {
    fn new(mapping: Mapping) -> Self {
        let mapping = Arc::new(mapping);
        Self {
            deleted: false,
            attended: false,
            desired: watch::Sender::new(Some(Arc::clone(&mapping))),
            status: Arc::default(),
            mapping,
        }
    }

    fn found(&self) -> Found {
        let state = match (self.deleted, self.mapping.enabled, self.status.is_running()) {
            (true, _, _) => State::Deleting,
            (false, true, _) => State::Enabled,
            (false, false, true) => State::Disabling,
            (false, false, false) => State::Disabled,
        };
        Found {
            mapping: Arc::clone(&self.mapping),
            state,
            last_result: self.status.result().clone(),
        }
    }
}

impl Mappings {
    /// Reads all mappings.
    pub(crate) async fn open(database: &Database) -> Result<Self, LoadFunctionsError> {
        let mappings = tables::load(database).await?;
        let entries = mappings
            .into_iter()
            .map(|mapping| (mapping.id, Entry::new(mapping)));
        Ok(Self {
            entries: RwLock::new(entries.collect()),
            changing: tokio::sync::Mutex::default(),
            changed: Notify::new(),
            memory: Arc::new(Semaphore::new(MEMORY_KIB)),
            kafka_memory: Arc::new(Semaphore::new(KAFKA_MEMORY_KIB)),
        })
    }

    /// The mapping of that id.
    pub(crate) fn find(&self, id: MappingId) -> Option<Found> {
        self.read(|entries| entries.get(&id).map(Entry::found))
    }

    /// All that `wanted` wants, by id, after `after`; one more than `limit` tells that there are more.
    pub(crate) fn list(
        &self,
        after: Option<MappingId>,
        limit: usize,
        wanted: impl Fn(&Mapping) -> bool,
    ) -> Vec<Found> {
        self.read(|entries| {
            let rest = entries
                .iter()
                .filter(|(id, _)| after.is_none_or(|after| **id > after));
            let wanted = rest.filter(|(_, entry)| wanted(&entry.mapping));
            wanted.take(limit + 1).map(|(_, entry)| entry.found()).collect()
        })
    }

    /// Makes or changes a mapping: `decide` sees all that are there and says what one of them becomes.
    ///
    /// # Cancel safety
    /// Not cancel-safe: call it in a task that is not dropped.
    pub(crate) async fn put(
        &self,
        database: &Database,
        decide: impl FnOnce(&[Arc<Mapping>]) -> Result<Mapping, LambdaError>,
    ) -> Result<Arc<Mapping>, LambdaError> {
        let _turn = self.changing.lock().await;
        let there = self.read(|entries| {
            let live = entries.values().filter(|entry| !entry.deleted);
            live.map(|entry| Arc::clone(&entry.mapping)).collect::<Vec<_>>()
        });
        let mapping = decide(&there)?;
        database.write(tables::put(Batch::new(), &mapping)?).await?;
        let id = mapping.id;
        let after = self.write(|entries| match entries.get_mut(&id) {
            Some(entry) => {
                entry.mapping = Arc::new(mapping);
                entry.desired.send_replace(Some(Arc::clone(&entry.mapping)));
                Arc::clone(&entry.mapping)
            }
            None => {
                let entry = Entry::new(mapping);
                let mapping = Arc::clone(&entry.mapping);
                entries.insert(id, entry);
                mapping
            }
        });
        self.changed.notify_one();
        Ok(after)
    }

    /// Deletes a mapping; it is `Deleting` until its batches have ended.
    ///
    /// # Cancel safety
    /// As [`Mappings::put`].
    pub(crate) async fn delete(
        &self,
        database: &Database,
        id: MappingId,
        now: Timestamp,
    ) -> Result<Found, LambdaError> {
        let _turn = self.changing.lock().await;
        let found = self.find(id).ok_or(MappingError::NotFound)?;
        if found.state == State::Deleting {
            return Err(MappingError::InUse.into());
        }
        database.write(tables::delete(Batch::new(), id)).await?;
        self.write(|entries| {
            let Some(entry) = entries.get_mut(&id) else { return };
            entry.deleted = true;
            entry.desired.send_replace(None);
            if !entry.attended {
                entries.remove(&id);
            }
        });
        let mut mapping = (*found.mapping).clone();
        mapping.modified = now;
        Ok(Found {
            mapping: Arc::new(mapping),
            state: State::Deleting,
            ..found
        })
    }

    /// A function changed: pollers that wait for it look again.
    pub(crate) fn function_changed(&self, function: &FunctionArn) {
        self.read(|entries| {
            let its = entries
                .values()
                .filter(|entry| entry.mapping.function.unqualified() == *function);
            its.for_each(|entry| entry.desired.send_modify(|_same| {}));
        });
    }

    /// Mappings without a poller; they have one from now on.
    pub(super) fn unattended(&self) -> Vec<Assignment> {
        self.write(|entries| {
            let unattended = entries.iter_mut().filter(|(_, entry)| !entry.attended);
            let assigned = unattended.map(|(id, entry)| {
                entry.attended = true;
                Assignment {
                    id: *id,
                    desired: entry.desired.subscribe(),
                    status: Arc::clone(&entry.status),
                }
            });
            assigned.collect()
        })
    }

    /// The poller of a mapping has ended.
    pub(super) fn left(&self, id: MappingId) {
        self.write(|entries| {
            if let Some(entry) = entries.get_mut(&id) {
                entry.attended = false;
                if entry.deleted {
                    entries.remove(&id);
                }
            }
        });
    }

    fn read<T>(&self, read: impl FnOnce(&BTreeMap<MappingId, Entry>) -> T) -> T {
        read(&self.entries.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, write: impl FnOnce(&mut BTreeMap<MappingId, Entry>) -> T) -> T {
        write(&mut self.entries.write().unwrap_or_else(PoisonError::into_inner))
    }
}
