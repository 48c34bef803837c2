//! `AWS::Scheduler::Schedule`.

use serde_json::{Map, Value, json};
use tradewind_events::schedule::ScheduleExpression;
use tradewind_model::Timestamp;
use tradewind_model::resource::{
    KnownProperties, Properties, PropertyProblem, ResourceContext, ResourceError, ResourceHandler,
    ResourceState, optional_text, problem,
};

use crate::error::SchedulerError;
use crate::model::Schedule;
use crate::names::{GroupId, Name, ScheduleId, Scope};
use crate::service::SchedulerService;
use crate::settings::{Seconds, Settings};

const MAX_NAME: usize = 64;
const ACCEPTED: &[&str] = &[
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "GroupName",
    "Name",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
];
const REQUIRED: &[&str] = &["FlexibleTimeWindow", "ScheduleExpression", "Target"];
const TARGETS: &str = "targets are functions, queues, topics and event buses";
const REFUSED_OF_TARGET: [&str; 3] = [
    "EcsParameters",
    "KinesisParameters",
    "SageMakerPipelineParameters",
];
/// Numbers that templates may give as text.
const NUMBERS: &[&str] = &[
    "/FlexibleTimeWindow/MaximumWindowInMinutes",
    "/Target/RetryPolicy/MaximumEventAgeInSeconds",
    "/Target/RetryPolicy/MaximumRetryAttempts",
];

/// Schedules of stacks.
#[derive(Debug)]
pub(crate) struct ScheduleType {
    service: SchedulerService,
}

impl ScheduleType {
    pub(crate) fn new(service: SchedulerService) -> Self {
        Self { service }
    }
}

impl ResourceHandler for ScheduleType {
    fn type_name(&self) -> &'static str {
        "AWS::Scheduler::Schedule"
    }

    fn known_properties(&self) -> KnownProperties {
        let kms = "schedules are encrypted as the whole node is, not with keys of their own";
        KnownProperties::new(ACCEPTED)
            .requiring(REQUIRED)
            .refusing("", &[("KmsKeyArn", kms)])
            .refusing("Target", &REFUSED_OF_TARGET.map(|name| (name, TARGETS)))
    }

    fn check(&self, properties: &Properties) -> Vec<PropertyProblem> {
        let mut problems = self.known_properties().check(properties);
        let target = properties.get("Target").and_then(Value::as_object);
        let given = |name: &&&str| target.is_some_and(|target| target.contains_key(**name));
        problems.extend(REFUSED_OF_TARGET.iter().filter(given).map(|name| {
            let text = format!("property `{name}` is not supported yet: {TARGETS}");
            problem(&["Target", name], text)
        }));
        let expression = properties.get("ScheduleExpression").and_then(Value::as_str);
        if let Some(Err(error)) = expression.map(ScheduleExpression::parse) {
            problems.push(problem(&["ScheduleExpression"], error.to_string()));
        }
        problems
    }

    fn replaced_by(&self) -> &'static [&'static str] {
        &["GroupName", "Name"]
    }

    async fn create(
        &self,
        context: &ResourceContext,
        properties: &Properties,
    ) -> Result<ResourceState, ResourceError> {
        let name = optional_text(properties, "Name")?;
        let name = name.unwrap_or_else(|| context.generated_name_within(MAX_NAME));
        let group = optional_text(properties, "GroupName")?;
        let id = schedule_id(context, group.as_deref(), &name)?;
        let settings = settings(properties)?;
        let plan = settings.plan()?;
        let (owner, now) = (context.owner(), self.service.now());
        let decide = |existing: Option<&Schedule>| match existing {
            Some(schedule) if schedule.owner.as_ref() != Some(&owner) => {
                Err(SchedulerError::ScheduleExists(id.name.to_string()))
            }
            Some(schedule) if schedule.settings == settings => Ok(None),
            existing => Ok(Some(Schedule {
                id: id.clone(),
                settings,
                plan,
                created: existing.map_or(now, |schedule| schedule.created),
                modified: now,
                revision: Schedule::new_revision(),
                client_token: None,
                owner: Some(owner),
            })),
        };
        self.service.change_schedule(&id, decide).await?;
        Ok(ResourceState {
            physical_id: id.to_string(),
            reference: Some(id.name.to_string()),
            attributes: Map::from_iter([("Arn".into(), json!(id.to_string()))]),
        })
    }

    async fn delete(&self, context: &ResourceContext, current: &ResourceState) -> Result<(), ResourceError> {
        let owner = context.owner();
        let id: ScheduleId = current.physical_id.parse()?;
        let is_own = |schedule: &Schedule| schedule.owner.as_ref() == Some(&owner);
        match self.service.delete_schedule(&id, is_own).await {
            // it may have gone by itself, after completion
            Ok(()) | Err(SchedulerError::NoSuchSchedule(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn schedule_id(
    context: &ResourceContext,
    group: Option<&str>,
    name: &str,
) -> Result<ScheduleId, SchedulerError> {
    let group = group.map(|group| Name::parse("GroupName", group)).transpose()?;
    Ok(ScheduleId {
        group: GroupId {
            scope: Scope {
                account: context.account.clone(),
                region: context.region.clone(),
            },
            name: group.unwrap_or_else(Name::default_group),
        },
        name: Name::parse("Name", name)?,
    })
}

/// The properties as the API has them: dates are numbers there.
fn settings(properties: &Properties) -> Result<Settings, ResourceError> {
    let invalid = |message: String| ResourceError::Invalid { message };
    let mut members = properties.clone();
    members.retain(|name, value| !["Name", "GroupName"].contains(&name.as_str()) && !value.is_null());
    for name in ["StartDate", "EndDate"] {
        if let Some(text) = optional_text(properties, name)? {
            let time: Result<jiff::Timestamp, _> = text.parse();
            let time = time.map_err(|_no_time| {
                invalid(format!("`{name}` is not a time such as 2026-11-20T13:00:00Z"))
            })?;
            let time = Timestamp::from_millis(time.as_millisecond());
            members.insert(name.into(), json!(Seconds::of(time)));
        }
    }
    let mut members = Value::Object(members);
    for path in NUMBERS {
        if let Some(value) = members.pointer_mut(path)
            && let Some(number) = value.as_str().and_then(|text| text.parse::<i64>().ok())
        {
            *value = json!(number);
        }
    }
    serde_json::from_value(members).map_err(|error| invalid(error.to_string()))
}
