//! The schedules and groups in memory: what requests and timers read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Group, Schedule};
use crate::names::{GroupId, ScheduleId, Scope};

#[derive(Debug, Default)]
pub(crate) struct Registry {
    schedules: BTreeMap<ScheduleId, Arc<Schedule>>,
    groups: BTreeMap<GroupId, Arc<Group>>,
    /// Occurrences that wait for another attempt, by schedule: those that have a timer of their own.
    waiting: BTreeMap<ScheduleId, BTreeSet<String>>,
}

impl Registry {
    pub(crate) fn schedule(&self, id: &ScheduleId) -> Option<Arc<Schedule>> {
        self.schedules.get(id).map(Arc::clone)
    }

    pub(crate) fn put_schedule(&mut self, schedule: Arc<Schedule>) {
        self.schedules.insert(schedule.id.clone(), schedule);
    }

    pub(crate) fn delete_schedule(&mut self, id: &ScheduleId) {
        self.schedules.remove(id);
        self.waiting.remove(id);
    }

    /// Notes whether an occurrence of a schedule waits for another attempt.
    pub(crate) fn set_waiting(&mut self, id: &ScheduleId, execution: &str, waits: bool) {
        if waits {
            let executions = self.waiting.entry(id.clone()).or_default();
            executions.insert(execution.to_owned());
        } else if let Some(executions) = self.waiting.get_mut(id) {
            executions.remove(execution);
            if executions.is_empty() {
                self.waiting.remove(id);
            }
        }
    }

    /// Whether an occurrence other than this one waits for another attempt.
    pub(crate) fn has_waiting(&self, id: &ScheduleId, but: &str) -> bool {
        let executions = self.waiting.get(id).into_iter().flatten();
        executions.into_iter().any(|execution| execution != but)
    }

    pub(crate) fn group(&self, id: &GroupId) -> Option<Arc<Group>> {
        self.groups.get(id).map(Arc::clone)
    }

    /// Whether schedules can be in it: the default group is always there.
    pub(crate) fn has_group(&self, id: &GroupId) -> bool {
        id.name.is_default_group() || self.groups.contains_key(id)
    }

    pub(crate) fn put_group(&mut self, group: Arc<Group>) {
        self.groups.insert(group.id.clone(), group);
    }

    /// Forgets a group and its schedules.
    pub(crate) fn delete_group(&mut self, id: &GroupId) {
        self.groups.remove(id);
        self.schedules.retain(|schedule, _| schedule.group != *id);
        self.waiting.retain(|schedule, _| schedule.group != *id);
    }

    /// The schedules of an account in a region, by group and name.
    pub(crate) fn schedules<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Arc<Schedule>> {
        let all = self.schedules.values();
        all.filter(move |schedule| schedule.id.group.scope == *scope)
    }

    /// The groups of an account in a region but the default one, by name.
    pub(crate) fn groups<'a>(&'a self, scope: &'a Scope) -> impl Iterator<Item = &'a Arc<Group>> {
        self.groups.values().filter(move |group| group.id.scope == *scope)
    }
}
