//! Schedules: when something is due, and that it happens then.
//!
//! An expression is parsed once ([`ScheduleExpression`]) and asked for the next time after a given one.
//! The rules are those of EventBridge Scheduler's user guide ("Schedule types"): a time that a time zone
//! leaves out in spring is skipped, one that it has twice in autumn counts once (the first time), and a rate
//! counts in hours of sixty minutes and days of twenty-four hours, whatever the clocks on the walls do.
//!
//! # Invariants
//! - `next_after(t)` is later than `t`, or there is none.
//! - What parses is evaluated in full: nothing of an expression is skipped.

mod cron;
mod field;
mod recurrence;
pub mod timer;
mod zone;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use tradewind_model::Timestamp;

use self::cron::Cron;
pub use self::recurrence::Recurrence;
pub use self::zone::{TimeZone, UnknownTimeZone};

/// `rate(…)`, `cron(…)` or `at(…)`. It prints as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleExpression {
    text: Box<str>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Every so many milliseconds.
    Rate(i64),
    Cron(Box<Cron>),
    At(DateTime),
}

/// What is wrong with a schedule expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule expression `{expression}` is not valid: {reason}")]
pub struct InvalidSchedule {
    /// As given.
    pub expression: String,
    /// Which rule it breaks.
    pub reason: String,
}

impl ScheduleExpression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, InvalidSchedule> {
        let kind = Kind::parse(text).map_err(|reason| InvalidSchedule {
            expression: text.to_owned(),
            reason,
        })?;
        Ok(Self {
            text: text.into(),
            kind,
        })
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is `at(…)`: due once.
    #[must_use]
    pub fn is_one_time(&self) -> bool {
        matches!(self.kind, Kind::At(_))
    }

    /// What a `rate(…)` counts, in milliseconds; none for the others.
    #[must_use]
    pub fn period_ms(&self) -> Option<i64> {
        match self.kind {
            Kind::Rate(period) => Some(period),
            Kind::Cron(_) | Kind::At(_) => None,
        }
    }

    /// The first time after `after` that it names in `zone`; none if there is no more. A rate counts from
    /// `after`.
    #[must_use]
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match &self.kind {
            Kind::Rate(period) => zone::within_calendar(after.plus_millis(*period)),
            Kind::Cron(cron) => cron.next_after(after, zone),
            Kind::At(time) => Some(zone.instant_of(*time)).filter(|at| *at > after),
        }
    }
}

impl Kind {
    fn parse(text: &str) -> Result<Self, String> {
        let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inside("rate") {
            parse_rate(rate).map(Self::Rate)
        } else if let Some(cron) = inside("cron") {
            Cron::parse(cron).map(|cron| Self::Cron(Box::new(cron)))
        } else if let Some(at) = inside("at") {
            parse_at(at).map(Self::At)
        } else {
            Err("it has the form `rate(value unit)`, `cron(fields)` or `at(yyyy-mm-ddThh:mm:ss)`".into())
        }
    }
}

/// `5 minutes`, in milliseconds.
fn parse_rate(text: &str) -> Result<i64, String> {
    const MINUTE_MS: i64 = 60_000;
    let form = || "a rate is a positive number and a unit, as in `rate(5 minutes)`".to_owned();
    let mut words = text.split_ascii_whitespace();
    let (Some(number), Some(unit), None) = (words.next(), words.next(), words.next()) else {
        return Err(form());
    };
    let value: u32 = number.parse().map_err(|_not_a_number| form())?;
    if value == 0 || !number.starts_with(|digit: char| digit.is_ascii_digit()) {
        return Err(form());
    }
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    let unit_ms = match singular {
        "minute" => MINUTE_MS,
        "hour" => 60 * MINUTE_MS,
        "day" => 24 * 60 * MINUTE_MS,
        _ => {
            return Err(format!(
                "`{unit}` is not one of minute, minutes, hour, hours, day and days"
            ));
        }
    };
    if (value == 1) != (unit == singular) {
        return Err(format!(
            "it is `rate(1 {singular})`, and `{singular}s` for any other number"
        ));
    }
    Ok(i64::from(value) * unit_ms)
}

/// `2026-11-20T13:00:00`, a time on the clocks of a zone.
fn parse_at(text: &str) -> Result<DateTime, String> {
    let form = || "`at` takes a time of the form yyyy-mm-ddThh:mm:ss".to_owned();
    let shape = "0000-00-00T00:00:00";
    let same = |(given, wanted): (char, char)| match wanted {
        '0' => given.is_ascii_digit(),
        separator => given == separator,
    };
    if text.len() != shape.len() || !text.chars().zip(shape.chars()).all(same) {
        return Err(form());
    }
    text.parse().map_err(|_no_such_time| form())
}

impl FromStr for ScheduleExpression {
    type Err = InvalidSchedule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for ScheduleExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
