//! Schedules and groups as they are now.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tradewind_model::Timestamp;

use crate::error::SchedulerError;
use crate::names::{GroupId, ScheduleId};
use crate::settings::{ActionAfterCompletion, Plan, Seconds, Settings, State};

/// A schedule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schedule {
    pub(crate) id: ScheduleId,
    pub(crate) settings: Settings,
    pub(crate) plan: Plan,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    /// Another one after every change: what a timer was set for.
    pub(crate) revision: String,
    /// Of the request that made it.
    pub(crate) client_token: Option<String>,
    /// The stack's resource that made it.
    pub(crate) owner: Option<String>,
}

/// A group of schedules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) modified: Timestamp,
    /// Of the request that made it.
    pub(crate) client_token: Option<String>,
    /// The stack's resource that made it.
    pub(crate) owner: Option<String>,
}

impl Schedule {
    /// A revision that was never before.
    pub(crate) fn new_revision() -> String {
        uuid::Uuid::now_v7().to_string()
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.settings.state == State::Enabled
    }

    /// Whether it goes once it is not due any more.
    pub(crate) fn goes_after_completion(&self) -> bool {
        self.settings.action_after_completion == ActionAfterCompletion::Delete
    }

    /// What `GetSchedule` shows.
    pub(crate) fn shown(&self) -> Result<Value, SchedulerError> {
        let settings = serde_json::to_value(&self.settings);
        let mut shown = settings.map_err(|error| SchedulerError::Internal(error.to_string()))?;
        shown["Arn"] = json!(self.id.to_string());
        shown["Name"] = json!(self.id.name.as_str());
        shown["GroupName"] = json!(self.id.group.name.as_str());
        shown["CreationDate"] = json!(Seconds::of(self.created));
        shown["LastModificationDate"] = json!(Seconds::of(self.modified));
        Ok(shown)
    }

    /// What `ListSchedules` shows.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "Arn": self.id.to_string(),
            "Name": self.id.name.as_str(),
            "GroupName": self.id.group.name.as_str(),
            "State": self.settings.state,
            "CreationDate": Seconds::of(self.created),
            "LastModificationDate": Seconds::of(self.modified),
            "Target": {"Arn": self.settings.target.arn},
        })
    }
}

/// What `GetScheduleGroup` and `ListScheduleGroups` show; the default group has no dates.
pub(crate) fn shown_group(id: &GroupId, group: Option<&Group>) -> Value {
    let mut shown = Map::from_iter([
        ("Arn".to_owned(), json!(id.to_string())),
        ("Name".to_owned(), json!(id.name.as_str())),
        ("State".to_owned(), json!("ACTIVE")),
    ]);
    if let Some(group) = group {
        shown.insert("CreationDate".into(), json!(Seconds::of(group.created)));
        shown.insert("LastModificationDate".into(), json!(Seconds::of(group.modified)));
    }
    Value::Object(shown)
}
