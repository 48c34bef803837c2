//! The service itself: its groups in memory, and the one way to change them.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{Mutex, Notify};
use tradewind_events::Router;
use tradewind_model::resource::ResourceType;
use tradewind_model::{AccountId, Arn, Clock, Region, Timestamp};
use tradewind_observe::{Home, LogPosition, LogStore};
use tradewind_store::{Batch, Database};

use crate::error::LogsError;
use crate::model::{Group, GroupKey, LogGroupName, RetentionDays};
use crate::registry::Registry;
use crate::tables::{self, FilterKey};

/// Says which log group a function writes to, by its ARN (unqualified or not); none when there is no such
/// function.
#[derive(Clone)]
pub struct LogGroupOf(Arc<FindLogGroup>);

type FindLogGroup = dyn Fn(&Arn) -> Option<String> + Send + Sync;

impl LogGroupOf {
    /// Asks `find`, which reads memory only.
    #[must_use]
    pub fn new(find: impl Fn(&Arn) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    pub(crate) fn find(&self, function: &Arn) -> Option<String> {
        (self.0)(function)
    }
}

impl std::fmt::Debug for LogGroupOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogGroupOf")
    }
}

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct LogsConfig {
    /// Where groups are kept; migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// Where events are kept.
    pub logs: LogStore,
    /// The time.
    pub clock: Clock,
    /// Whose groups have plain names in the log store.
    pub home: Home,
    /// The way to the destinations of subscription filters.
    pub router: Router,
    /// Where functions log, so that none is fed with its own log.
    pub log_group_of: LogGroupOf,
}

/// CloudWatch Logs of a node. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct LogsService(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: LogsConfig,
    registry: RwLock<Registry>,
    /// Held while a group changes, so that database, log store and memory see the same order. It is an
    /// async mutex because the writes happen while it is held.
    changing: Mutex<()>,
    /// How far each filter has come.
    cursors: StdMutex<BTreeMap<FilterKey, LogPosition>>,
    /// Events that other services sent and that are not in the log store yet.
    owed: AtomicUsize,
    /// Wakes the worker when there is something to deliver.
    wake: Notify,
}

impl LogsService {
    /// Reads all groups, and sets the retention of each in the log store.
    ///
    /// # Errors
    /// When the database fails or holds what this binary cannot read.
    pub async fn open(config: LogsConfig) -> Result<Self, LogsError> {
        let mut registry = Registry::default();
        let (groups, cursors) = tables::load(&config.database).await?;
        for group in groups {
            enforce(&config, &group).await;
            registry.put(group);
        }
        let owed = AtomicUsize::new(tables::count_owed(&config.database).await?);
        Ok(Self(Arc::new(Shared {
            config,
            registry: RwLock::new(registry),
            changing: Mutex::new(()),
            cursors: StdMutex::new(cursors),
            owed,
            wake: Notify::new(),
        })))
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        crate::resource::types(self)
    }

    /// Whether a group is there: it was made, or something logs to it.
    ///
    /// # Errors
    /// When the log store is shut down.
    pub async fn has_group(
        &self,
        account: &AccountId,
        region: &Region,
        name: &LogGroupName,
    ) -> Result<bool, LogsError> {
        let key = GroupKey {
            account: account.clone(),
            region: region.clone(),
            name: name.clone(),
        };
        match self.group(&key).await {
            Ok(_) => Ok(true),
            Err(LogsError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.config.database
    }

    pub(crate) fn logs(&self) -> &LogStore {
        &self.0.config.logs
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.config.router
    }

    pub(crate) fn home(&self) -> &Home {
        &self.0.config.home
    }

    pub(crate) fn log_group_of(&self) -> &LogGroupOf {
        &self.0.config.log_group_of
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }

    pub(crate) fn owed(&self) -> &AtomicUsize {
        &self.0.owed
    }

    pub(crate) fn wake(&self) -> &Notify {
        &self.0.wake
    }

    pub(crate) fn cursors(&self) -> MutexGuard<'_, BTreeMap<FilterKey, LogPosition>> {
        self.0.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the log store calls a group.
    pub(crate) fn stored_name(&self, key: &GroupKey) -> String {
        self.home().key(&key.account, &key.region, key.name.as_str())
    }

    /// Reads the groups. `read` is short: changes wait for it.
    pub(crate) fn registry<T>(&self, read: impl FnOnce(&Registry) -> T) -> T {
        read(&self.0.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn registry_mut<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        change(&mut self.0.registry.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The group of that name: one that was made, or one that something logs to.
    pub(crate) async fn group(&self, key: &GroupKey) -> Result<Arc<Group>, LogsError> {
        if let Some(group) = self.registry(|registry| registry.get(key)) {
            return Ok(group);
        }
        let end = self.logs().end_of(&self.stored_name(key)).await?;
        if end == LogPosition::default() {
            return Err(LogsError::NotFound("log group"));
        }
        Ok(Arc::new(Group::new(key.clone(), None)))
    }

    /// Makes or changes a group: `decide` sees it as it is and says what becomes of it; none leaves it as
    /// it is. A group that something logs to is there.
    ///
    /// # Cancel safety
    /// Not cancel-safe: call it in a task that is not dropped.
    pub(crate) async fn change(
        &self,
        key: &GroupKey,
        decide: impl FnOnce(Option<&Group>) -> Result<Option<Group>, LogsError>,
    ) -> Result<(), LogsError> {
        let _changing = self.0.changing.lock().await;
        let before = match self.group(key).await {
            Ok(group) => Some(group),
            Err(LogsError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let Some(after) = decide(before.as_deref())? else {
            return Ok(());
        };
        let batch = self
            .store_filters(Batch::new(), before.as_deref(), &after)
            .await?;
        self.database().write(tables::put_group(batch, &after)?).await?;
        enforce(&self.0.config, &after).await;
        self.forget_cursors(&after.key, |name| after.filters.contains_key(name));
        self.registry_mut(|registry| registry.put(after));
        self.wake().notify_one();
        Ok(())
    }

    /// Adds what makes the filters in the database those of `after`. New ones begin with what comes next.
    async fn store_filters(
        &self,
        mut batch: Batch,
        before: Option<&Group>,
        after: &Group,
    ) -> Result<Batch, LogsError> {
        let old = before.map(|group| group.filters.clone()).unwrap_or_default();
        for name in old.keys().filter(|name| !after.filters.contains_key(*name)) {
            batch = tables::delete_filter(batch, &after.key, name);
        }
        for (name, filter) in &after.filters {
            if old.get(name) == Some(filter) {
                continue;
            }
            let end = self.logs().end_of(&self.stored_name(&after.key)).await?;
            let id = (after.key.clone(), name.clone());
            let position = *self.cursors().entry(id).or_insert(end);
            batch = tables::put_filter(batch, &after.key, name, filter, position)?;
        }
        Ok(batch)
    }

    fn forget_cursors(&self, group: &GroupKey, keep: impl Fn(&str) -> bool) {
        self.cursors().retain(|(key, name), _| key != group || keep(name));
    }

    /// Removes a group with all it has, if `may` agrees; that it is gone already is success.
    ///
    /// # Cancel safety
    /// Not cancel-safe: call it in a task that is not dropped.
    pub(crate) async fn delete(
        &self,
        key: &GroupKey,
        may: impl FnOnce(&Group) -> bool,
    ) -> Result<(), LogsError> {
        let _changing = self.0.changing.lock().await;
        let group = match self.group(key).await {
            Ok(group) => group,
            Err(LogsError::NotFound(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        if !may(&group) {
            return Ok(());
        }
        // The events go first: after a crash in between, the repeated call finds the row.
        self.logs().delete_group(&self.stored_name(key)).await?;
        self.database()
            .write(tables::delete_group(Batch::new(), key))
            .await?;
        self.registry_mut(|registry| registry.delete(key));
        self.forget_cursors(key, |_| false);
        Ok(())
    }
}

/// Tells the log store how long to keep a group's events.
async fn enforce(config: &LogsConfig, group: &Group) {
    let key = &group.key;
    let name = config.home.key(&key.account, &key.region, key.name.as_str());
    let days = group.settings.retention.map(RetentionDays::get);
    config.logs.set_retention(&name, days).await;
}
