//! The service itself: its schedules in memory, and the ways to change them.

use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::Mutex;
use tradewind_events::Router;
use tradewind_events::schedule::timer::Timers;
use tradewind_model::resource::ResourceType;
use tradewind_model::{Clock, Timestamp};
use tradewind_store::{Batch, Database, DatabaseError};

use crate::TIMERS;
use crate::error::SchedulerError;
use crate::model::{Group, Schedule};
use crate::names::{GroupId, ScheduleId};
use crate::registry::Registry;
use crate::{tables, worker};

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct SchedulerConfig {
    /// Where schedules are kept; migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// What makes them due, over the same database.
    pub timers: Timers,
    /// What brings events to targets.
    pub router: Router,
    /// The time.
    pub clock: Clock,
}

/// The Scheduler of a node. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct SchedulerService(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: SchedulerConfig,
    registry: Arc<RwLock<Registry>>,
    /// Held from a decision to its commit, so that two changes do not decide on the same state. It is an
    /// async mutex because the write happens while it is held.
    changing: Mutex<()>,
}

impl SchedulerService {
    /// Reads all schedules, and begins to answer for their timers.
    ///
    /// # Errors
    /// When the database fails or holds what this binary cannot read.
    pub async fn open(config: SchedulerConfig) -> Result<Self, SchedulerError> {
        let mut registry = Registry::default();
        for group in tables::load_groups(&config.database).await? {
            registry.put_group(Arc::new(group));
        }
        for schedule in tables::load_schedules(&config.database).await? {
            registry.put_schedule(Arc::new(schedule));
        }
        for timer in config.timers.all(TIMERS).await? {
            if let Some((id, execution)) = worker::retry_of(&timer) {
                registry.set_waiting(&id, execution, true);
            }
        }
        let service = Self(Arc::new(Shared {
            config,
            registry: Arc::new(RwLock::new(registry)),
            changing: Mutex::new(()),
        }));
        service.timers().connect(TIMERS, Arc::new(service.clone()));
        Ok(service)
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        crate::resource::types(self)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.config.router
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.0.config.timers
    }

    /// Reads the schedules. `read` is short: changes wait for it.
    pub(crate) fn registry<T>(&self, read: impl FnOnce(&Registry) -> T) -> T {
        read(&self.0.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds to the batch that memory changes when it commits.
    pub(crate) fn remember(
        &self,
        batch: Batch,
        change: impl Fn(&mut Registry) + Send + Sync + 'static,
    ) -> Batch {
        let registry = Arc::clone(&self.0.registry);
        batch.after_commit(move || change(&mut registry.write().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The schedule of that name.
    pub(crate) fn schedule(&self, id: &ScheduleId) -> Result<Arc<Schedule>, SchedulerError> {
        let found = self.registry(|registry| registry.schedule(id));
        found.ok_or_else(|| SchedulerError::NoSuchSchedule(id.name.to_string()))
    }

    /// The group of that name; none for the default group, which has no row.
    pub(crate) fn group(&self, id: &GroupId) -> Result<Option<Arc<Group>>, SchedulerError> {
        let found = self.registry(|registry| registry.group(id));
        if found.is_none() && !id.name.is_default_group() {
            return Err(SchedulerError::NoSuchGroup(id.name.to_string()));
        }
        Ok(found)
    }

    /// Makes or changes a schedule: `decide` sees it as it is and says what it is to be; none leaves it
    /// as it is. Its timer is set anew.
    ///
    /// # Cancel safety
    /// If this future is dropped, the change is written whole or not at all.
    pub(crate) async fn change_schedule(
        &self,
        id: &ScheduleId,
        decide: impl FnOnce(Option<&Schedule>) -> Result<Option<Schedule>, SchedulerError>,
    ) -> Result<(), SchedulerError> {
        let _changing = self.0.changing.lock().await;
        if !self.registry(|registry| registry.has_group(&id.group)) {
            return Err(SchedulerError::NoSuchGroup(id.group.name.to_string()));
        }
        let before = self.registry(|registry| registry.schedule(id));
        let Some(schedule) = decide(before.as_deref())? else {
            return Ok(());
        };
        let schedule = Arc::new(schedule);
        let mut attempts = 0;
        loop {
            let batch = self.set_timer(before.as_deref(), &schedule).await?;
            let batch = tables::put_schedule(batch, &schedule)?;
            let stored = Arc::clone(&schedule);
            let batch = self.remember(batch, move |registry| registry.put_schedule(Arc::clone(&stored)));
            match self.0.config.database.write(batch).await {
                Ok(_) => return Ok(()),
                // its timer fired meanwhile and is another one now
                Err(DatabaseError::Unexpected { .. }) if attempts < 3 => attempts += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Adds the timer of a schedule that is made or changed: where its times stay as they are, so does
    /// the timer.
    async fn set_timer(
        &self,
        before: Option<&Schedule>,
        schedule: &Schedule,
    ) -> Result<Batch, SchedulerError> {
        let key = schedule.id.to_string();
        let timer = self.timers().get(TIMERS, &key).await?;
        let kept = timer
            .zip(before)
            .and_then(|(timer, before)| self.keep_timer(&timer, before, schedule));
        Ok(kept.unwrap_or_else(|| {
            let batch = self.timers().clear(Batch::new(), TIMERS, &key);
            self.set_first(batch, schedule, before.is_none())
        }))
    }

    /// Removes a schedule, if `may` agrees.
    pub(crate) async fn delete_schedule(
        &self,
        id: &ScheduleId,
        may: impl FnOnce(&Schedule) -> bool,
    ) -> Result<(), SchedulerError> {
        let _changing = self.0.changing.lock().await;
        if !may(&*self.schedule(id)?) {
            return Ok(());
        }
        let batch = self.clear_timers(Batch::new(), id);
        self.write(self.forget(batch, id)).await
    }

    /// Adds to the batch that the schedule is no more.
    pub(crate) fn forget(&self, batch: Batch, id: &ScheduleId) -> Batch {
        let id = id.clone();
        let batch = tables::delete_schedule(batch, &id);
        self.remember(batch, move |registry| registry.delete_schedule(&id))
    }

    /// Makes or changes a group; see [`Self::change_schedule`].
    pub(crate) async fn change_group(
        &self,
        id: &GroupId,
        decide: impl FnOnce(Option<&Group>) -> Result<Option<Group>, SchedulerError>,
    ) -> Result<(), SchedulerError> {
        let _changing = self.0.changing.lock().await;
        let before = self.registry(|registry| registry.group(id));
        let Some(group) = decide(before.as_deref())? else {
            return Ok(());
        };
        let batch = tables::put_group(Batch::new(), &group)?;
        let group = Arc::new(group);
        let batch = self.remember(batch, move |registry| registry.put_group(Arc::clone(&group)));
        self.write(batch).await
    }

    /// Removes a group and its schedules, if `may` agrees.
    pub(crate) async fn delete_group(
        &self,
        id: &GroupId,
        may: impl FnOnce(&Group) -> bool,
    ) -> Result<(), SchedulerError> {
        let _changing = self.0.changing.lock().await;
        let Some(group) = self.group(id)? else {
            let text = "The default schedule group cannot be deleted.";
            return Err(SchedulerError::Validation(text.into()));
        };
        if !may(&group) {
            return Ok(());
        }
        let id = id.clone();
        let batch = tables::delete_group(Batch::new(), &id);
        let batch = self.timers().clear_all(batch, TIMERS, &id.prefix());
        let batch = self.remember(batch, move |registry| registry.delete_group(&id));
        self.write(batch).await
    }

    async fn write(&self, batch: Batch) -> Result<(), SchedulerError> {
        self.0.config.database.write(batch).await?;
        Ok(())
    }

    /// The schedule's own timer and those of its retries go.
    fn clear_timers(&self, batch: Batch, id: &ScheduleId) -> Batch {
        let key = id.to_string();
        let batch = self.timers().clear(batch, TIMERS, &key);
        self.timers().clear_all(batch, TIMERS, &format!("{key}#"))
    }
}
