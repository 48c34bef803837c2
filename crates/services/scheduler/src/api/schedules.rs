//! `CreateSchedule`, `UpdateSchedule`, `GetSchedule`, `ListSchedules` and `DeleteSchedule`.

use serde_json::{Map, Value, json};

use super::{Answer, Call, check_token};
use crate::error::SchedulerError;
use crate::model::Schedule;
use crate::names::ScheduleId;
use crate::service::SchedulerService;
use crate::settings::{Plan, Settings, State};
use crate::token;

/// What a request says of a schedule.
struct Given {
    id: ScheduleId,
    settings: Settings,
    plan: Plan,
    client_token: Option<String>,
}

impl Call {
    /// The settings, and the two members that are none.
    fn given(&self) -> Result<Given, SchedulerError> {
        let mut members: Map<String, Value> = self.input()?;
        let mut text = |name: &str| match members.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(SchedulerError::Validation(format!("{name} must be a string."))),
        };
        let (group, client_token) = (text("GroupName")?, text("ClientToken")?);
        check_token(client_token.as_deref())?;
        members.retain(|_, value| !value.is_null());
        let settings: Result<Settings, _> = serde_json::from_value(Value::Object(members));
        let settings = settings.map_err(|error| SchedulerError::Validation(error.to_string()))?;
        Ok(Given {
            id: self.schedule(group.as_deref())?,
            plan: settings.plan()?,
            settings,
            client_token,
        })
    }
}

impl SchedulerService {
    pub(super) async fn create_schedule(&self, call: &Call) -> Answer {
        let given = call.given()?;
        let now = self.now();
        let id = given.id.clone();
        let decide = |existing: Option<&Schedule>| {
            let is_repeated = |schedule: &Schedule| {
                schedule.client_token.is_some()
                    && schedule.client_token == given.client_token
                    && schedule.settings == given.settings
            };
            match existing {
                Some(schedule) if is_repeated(schedule) => return Ok(None),
                Some(schedule) => return Err(SchedulerError::ScheduleExists(schedule.id.name.to_string())),
                None => given.settings.check_start(now)?,
            }
            Ok(Some(Schedule {
                id: given.id,
                settings: given.settings,
                plan: given.plan,
                created: now,
                modified: now,
                revision: Schedule::new_revision(),
                client_token: given.client_token,
                owner: None,
            }))
        };
        self.change_schedule(&id, decide).await?;
        Ok(json!({"ScheduleArn": id.to_string()}))
    }

    pub(super) async fn update_schedule(&self, call: &Call) -> Answer {
        let given = call.given()?;
        let now = self.now();
        let id = given.id.clone();
        let decide = |existing: Option<&Schedule>| {
            let missing = || SchedulerError::NoSuchSchedule(given.id.name.to_string());
            let before = existing.ok_or_else(missing)?;
            given.settings.check_start(now)?;
            Ok(Some(Schedule {
                settings: given.settings,
                plan: given.plan,
                modified: now,
                revision: Schedule::new_revision(),
                ..before.clone()
            }))
        };
        self.change_schedule(&id, decide).await?;
        Ok(json!({"ScheduleArn": id.to_string()}))
    }

    pub(super) fn get_schedule(&self, call: &Call) -> Answer {
        let id = call.schedule(call.params.get("groupName"))?;
        self.schedule(&id)?.shown()
    }

    pub(super) async fn delete_schedule_of(&self, call: &Call) -> Answer {
        check_token(call.params.get("clientToken"))?;
        let id = call.schedule(call.params.get("groupName"))?;
        self.delete_schedule(&id, |_| true).await?;
        Ok(json!({}))
    }

    pub(super) fn list_schedules(&self, call: &Call) -> Answer {
        let group = call.params.get("ScheduleGroup");
        let group = group.map(|name| call.group(Some(name))).transpose()?;
        if let Some(group) = &group {
            self.group(group)?;
        }
        let state = call.params.get("State").map(state).transpose()?;
        let prefix = call.prefix()?;
        let (token, size) = (call.params.get("NextToken"), call.params.get("MaxResults"));
        let (page, next) = self.registry(|registry| {
            let found = registry.schedules(&call.scope).filter(|schedule| {
                group.as_ref().is_none_or(|group| schedule.id.group == *group)
                    && state.is_none_or(|state| schedule.settings.state == state)
                    && schedule.id.name.as_str().starts_with(&prefix)
            });
            let key = |schedule: &&std::sync::Arc<Schedule>| key(&schedule.id);
            let (page, next) = token::page("schedules", found, key, token, size)?;
            let shown: Vec<Value> = page.into_iter().map(|schedule| schedule.summary()).collect();
            Ok::<_, SchedulerError>((shown, next))
        })?;
        let mut answer = json!({"Schedules": page});
        if let Some(next) = next {
            answer["NextToken"] = json!(next);
        }
        Ok(answer)
    }
}

/// What schedules are sorted by, as the registry is: by group, then by name. What is between the two sorts
/// before all that names are made of.
fn key(id: &ScheduleId) -> String {
    format!("{}\u{1}{}", id.group.name, id.name)
}

fn state(text: &str) -> Result<State, SchedulerError> {
    match text {
        "ENABLED" => Ok(State::Enabled),
        "DISABLED" => Ok(State::Disabled),
        other => {
            let rule = "Member must satisfy enum value set: [DISABLED, ENABLED]";
            Err(SchedulerError::violation("state", other, rule))
        }
    }
}
