//! `CreateScheduleGroup`, `GetScheduleGroup`, `ListScheduleGroups` and `DeleteScheduleGroup`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::tags::Tag;
use super::{Answer, Call, check_token};
use crate::error::SchedulerError;
use crate::model::{Group, shown_group};
use crate::names::{GroupId, Name};
use crate::service::SchedulerService;
use crate::token;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CreateScheduleGroup {
    tags: Option<Vec<Tag>>,
    client_token: Option<String>,
}

impl SchedulerService {
    pub(super) async fn create_schedule_group(&self, call: &Call) -> Answer {
        let id = call.named_group()?;
        let given: CreateScheduleGroup = call.input()?;
        check_token(given.client_token.as_deref())?;
        let tags = super::tags::collect(given.tags.unwrap_or_default())?;
        let exists = || SchedulerError::GroupExists(id.name.to_string());
        if id.name.is_default_group() {
            return Err(exists());
        }
        let now = self.now();
        let decide = |existing: Option<&Group>| match existing {
            Some(group) if group.client_token.is_some() && group.client_token == given.client_token => {
                Ok(None)
            }
            Some(_) => Err(exists()),
            None => Ok(Some(Group {
                id: id.clone(),
                tags,
                created: now,
                modified: now,
                client_token: given.client_token,
                owner: None,
            })),
        };
        self.change_group(&id, decide).await?;
        Ok(json!({"ScheduleGroupArn": id.to_string()}))
    }

    pub(super) fn get_schedule_group(&self, call: &Call) -> Answer {
        let id = call.named_group()?;
        let group = self.group(&id)?;
        Ok(shown_group(&id, group.as_deref()))
    }

    pub(super) async fn delete_schedule_group(&self, call: &Call) -> Answer {
        check_token(call.params.get("clientToken"))?;
        self.delete_group(&call.named_group()?, |_| true).await?;
        Ok(json!({}))
    }

    pub(super) fn list_schedule_groups(&self, call: &Call) -> Answer {
        let prefix = call.prefix()?;
        let mut groups: Vec<(GroupId, Value)> = self.registry(|registry| {
            let made = registry.groups(&call.scope);
            made.map(|group| (group.id.clone(), shown_group(&group.id, Some(group))))
                .collect()
        });
        let default = GroupId {
            scope: call.scope.clone(),
            name: Name::default_group(),
        };
        groups.push((default.clone(), shown_group(&default, None)));
        groups.sort_by(|(one, _), (other, _)| one.cmp(other));
        let found = groups
            .into_iter()
            .filter(|(id, _)| id.name.as_str().starts_with(&prefix));
        let (token, size) = (call.params.get("NextToken"), call.params.get("MaxResults"));
        let (page, next) = token::page("groups", found, |(id, _)| id.name.to_string(), token, size)?;
        let shown: Vec<Value> = page.into_iter().map(|(_, shown)| shown).collect();
        let mut answer = json!({"ScheduleGroups": shown});
        if let Some(next) = next {
            answer["NextToken"] = json!(next);
        }
        Ok(answer)
    }
}
