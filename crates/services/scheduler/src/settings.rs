//! What a client says of a schedule: the members of `CreateSchedule` and `UpdateSchedule`, and the rules
//! they keep. It is also the form in which schedules are stored and shown.

use serde::{Deserialize, Serialize};
use tradewind_events::schedule::{Recurrence, ScheduleExpression, TimeZone};
use tradewind_model::Timestamp;

use crate::error::SchedulerError;
use crate::target::{GivenTarget, Target};

/// The settings of a schedule as they were given, with AWS's defaults for what was not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) schedule_expression: String,
    #[serde(default = "utc")]
    pub(crate) schedule_expression_timezone: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_date: Option<Seconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end_date: Option<Seconds>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) state: State,
    pub(crate) flexible_time_window: FlexibleTimeWindow,
    #[serde(default)]
    pub(crate) action_after_completion: ActionAfterCompletion,
    #[serde(default, skip_serializing)]
    kms_key_arn: Option<String>,
    pub(crate) target: GivenTarget,
}

fn utc() -> String {
    "UTC".into()
}

/// An instant as the protocol writes it: seconds since 1970, with a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Seconds(f64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum State {
    #[default]
    Enabled,
    Disabled,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ActionAfterCompletion {
    #[default]
    None,
    Delete,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct FlexibleTimeWindow {
    mode: FlexibleTimeWindowMode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum_window_in_minutes: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum FlexibleTimeWindowMode {
    Off,
    Flexible,
}

/// What the settings mean.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) recurrence: Recurrence,
    /// How long after its time an occurrence may be; 0 without a flexible window.
    pub(crate) window_ms: i64,
    pub(crate) target: Target,
}

impl Seconds {
    pub(crate) fn of(time: Timestamp) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of our era fit")]
        let ms = time.as_millis() as f64;
        Self(ms / 1000.0)
    }

    fn time(self) -> Timestamp {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it saturates, far beyond any calendar"
        )]
        let ms = (self.0 * 1000.0).round() as i64;
        Timestamp::from_millis(ms)
    }
}

impl Settings {
    /// What the settings mean.
    pub(crate) fn plan(&self) -> Result<Plan, SchedulerError> {
        if self.kms_key_arn.is_some() {
            let reason = "schedules are encrypted as the whole node is, not with keys of their own";
            return Err(SchedulerError::unsupported("KmsKeyArn", reason));
        }
        if let Some(description) = self
            .description
            .as_ref()
            .filter(|text| text.chars().count() > 512)
        {
            let rule = "Member must have length less than or equal to 512";
            return Err(SchedulerError::violation("description", description, rule));
        }
        Ok(Plan {
            recurrence: self.recurrence()?,
            window_ms: self.flexible_time_window.ms()?,
            target: self.target.parse()?,
        })
    }

    fn recurrence(&self) -> Result<Recurrence, SchedulerError> {
        let name = &self.schedule_expression_timezone;
        let zone = TimeZone::named(name).map_err(|_unknown| {
            SchedulerError::Validation(format!("Invalid Schedule Expression Timezone {name}."))
        })?;
        let (start, end) = (
            self.start_date.map(Seconds::time),
            self.end_date.map(Seconds::time),
        );
        if let (Some(start), Some(end)) = (start, end)
            && end <= start
        {
            let text = "The EndDate you specify cannot be earlier than the StartDate.";
            return Err(SchedulerError::Validation(text.into()));
        }
        Ok(Recurrence {
            expression: ScheduleExpression::parse(&self.schedule_expression)?,
            zone,
            start,
            end,
        })
    }

    /// A start that is not long past, as requests must name it.
    pub(crate) fn check_start(&self, now: Timestamp) -> Result<(), SchedulerError> {
        const GRACE_MS: i64 = 5 * 60_000;
        let start = self.start_date.map(Seconds::time);
        if start.is_some_and(|start| start < now.plus_millis(-GRACE_MS)) {
            let text = "The StartDate you specify cannot be earlier than 5 minutes ago.";
            return Err(SchedulerError::Validation(text.into()));
        }
        Ok(())
    }
}

impl FlexibleTimeWindow {
    fn ms(&self) -> Result<i64, SchedulerError> {
        let invalid = |text: &str| Err(SchedulerError::Validation(text.into()));
        match (self.mode, self.maximum_window_in_minutes) {
            (FlexibleTimeWindowMode::Off, None) => Ok(0),
            (FlexibleTimeWindowMode::Off, Some(_)) => {
                invalid("MaximumWindowInMinutes must not be set when FlexibleTimeWindow Mode is OFF.")
            }
            (FlexibleTimeWindowMode::Flexible, None) => {
                invalid("MaximumWindowInMinutes must be set when FlexibleTimeWindow Mode is FLEXIBLE.")
            }
            (FlexibleTimeWindowMode::Flexible, Some(minutes)) if (1..=1440).contains(&minutes) => {
                Ok(minutes * 60_000)
            }
            (FlexibleTimeWindowMode::Flexible, Some(minutes)) => Err(SchedulerError::violation(
                "flexibleTimeWindow.maximumWindowInMinutes",
                &minutes.to_string(),
                "Member must have value between 1 and 1440",
            )),
        }
    }
}
