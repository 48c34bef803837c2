//! `cron(…)` in AWS's dialect: minutes, hours, day of month, month, day of week, year.
//!
//! EventBridge user guide, "Cron expressions". One of the two day fields is `?`, the other says which
//! days. Beyond lists, ranges and steps a day of month is `L` (the last), `L-3` (three before it), `15W`
//! (the weekday nearest to it in the month) or `LW`; a day of week is `L` (Saturday), `6L` (the last Friday)
//! or `2#1` (the first Monday).

use jiff::civil::{Date, DateTime, Weekday};
use tradewind_model::Timestamp;

use super::field::{FieldRule, Numbers, digits};
use super::zone::TimeZone;

const MINUTES: FieldRule = FieldRule {
    name: "minutes",
    range: 0..=59,
    is_cyclic: true,
    names: &[],
};
const HOURS: FieldRule = FieldRule {
    name: "hours",
    range: 0..=23,
    is_cyclic: true,
    names: &[],
};
const DAYS: FieldRule = FieldRule {
    name: "day of month",
    range: 1..=31,
    is_cyclic: true,
    names: &[],
};
const MONTHS: FieldRule = FieldRule {
    name: "month",
    range: 1..=12,
    is_cyclic: true,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
};
const WEEKDAYS: FieldRule = FieldRule {
    name: "day of week",
    range: 1..=7,
    is_cyclic: true,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};
const YEARS: FieldRule = FieldRule {
    name: "year",
    range: 1970..=2199,
    is_cyclic: false,
    names: &[],
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: Numbers,
    hours: Numbers,
    days: Days,
    months: Numbers,
    /// In ascending order.
    years: Vec<u16>,
}

/// The days of a month.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<DayOfMonth>),
    OfWeek(Vec<DayOfWeek>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DayOfMonth {
    Day(i8),
    /// So many days before the last.
    BeforeLast(i8),
    /// The weekday nearest to it, in the same month.
    Weekday(i8),
    LastWeekday,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DayOfWeek {
    Every(Weekday),
    Last(Weekday),
    /// The first to the fifth of the month.
    Nth(Weekday, i8),
}

impl Cron {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
            return Err(format!(
                "it has {} fields instead of six: minutes, hours, day of month, month, day of week and year",
                fields.len()
            ));
        };
        let days = match (day_of_month, day_of_week) {
            ("?", "?") => return Err("only one of day of month and day of week can be `?`".into()),
            (days, "?") => Days::OfMonth(list(days, days_of_month)?),
            ("?", days) => Days::OfWeek(list(days, days_of_week)?),
            _ => return Err("one of day of month and day of week has to be `?`".into()),
        };
        let mut years = YEARS.parse(year)?;
        years.sort_unstable();
        years.dedup();
        Ok(Self {
            minutes: MINUTES.numbers(minutes)?,
            hours: HOURS.numbers(hours)?,
            days,
            months: MONTHS.numbers(month)?,
            years,
        })
    }

    /// The first time after `after` that the clocks of `zone` show.
    ///
    /// Clocks go forward but where they are set back, and then the first showing counts: so only what is
    /// later on the clocks than `after` can be later in time.
    pub(super) fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let shown = zone.clocks_at(after);
        let times = self
            .dates_from(shown.date())
            .flat_map(|date| self.times_of(date, shown));
        let mut instants = times.filter_map(|time| zone.first_instant_of(time));
        instants.find(|instant| *instant > after)
    }

    /// The days from `first` on, in order.
    fn dates_from(&self, first: Date) -> impl Iterator<Item = Date> {
        let from_year = move |year: &&u16| i32::from(**year) >= i32::from(first.year());
        let years = self.years.iter().filter(from_year);
        let months = years.flat_map(|year| self.months.iter().map(move |month| (*year, month)));
        let months = months.filter_map(|(year, month)| Date::new(i16::try_from(year).ok()?, month, 1).ok());
        months
            .filter(move |month| *month >= first.first_of_month())
            .flat_map(|month| self.dates_of(month))
            .filter(move |date| *date >= first)
    }

    /// The days in the month that begins with `month`.
    fn dates_of(&self, month: Date) -> Vec<Date> {
        let mut days = Numbers::default();
        let add = |day: i8| {
            if let Ok(day) = u16::try_from(day) {
                days.add(day);
            }
        };
        match &self.days {
            Days::OfMonth(list) => list.iter().filter_map(|day| day.within(month)).for_each(add),
            Days::OfWeek(list) => list.iter().flat_map(|day| day.within(month)).for_each(add),
        }
        days.iter().filter_map(|day| on(month, day)).collect()
    }

    /// The times of a day that clocks show after `shown`.
    fn times_of(&self, date: Date, shown: DateTime) -> impl Iterator<Item = DateTime> {
        let hours = self
            .hours
            .iter()
            .filter(move |hour| date > shown.date() || *hour >= shown.hour());
        let times = hours.flat_map(move |hour| {
            let minutes = self.minutes.iter();
            minutes.map(move |minute| date.at(hour, minute, 0, 0))
        });
        times.filter(move |time| *time > shown)
    }
}

impl DayOfMonth {
    /// The day of this month that is meant, if it has one.
    fn within(self, month: Date) -> Option<i8> {
        let length = month.days_in_month();
        match self {
            Self::Day(day) => Some(day).filter(|day| *day <= length),
            Self::BeforeLast(days) => Some(length - days).filter(|day| *day >= 1),
            Self::Weekday(day) => on(month, day).map(nearest_weekday),
            Self::LastWeekday => on(month, length).map(nearest_weekday),
        }
    }
}

/// The day of the nearest weekday of the same month.
fn nearest_weekday(date: Date) -> i8 {
    let day = date.day();
    match date.weekday() {
        Weekday::Saturday if day == 1 => day + 2,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if day == date.days_in_month() => day - 2,
        Weekday::Sunday => day + 1,
        _ => day,
    }
}

impl DayOfWeek {
    fn within(self, month: Date) -> Vec<i8> {
        let all = |weekday: Weekday| {
            let first = 1 + month.weekday().until(weekday);
            (first..=month.days_in_month()).step_by(7)
        };
        match self {
            Self::Every(weekday) => all(weekday).collect(),
            Self::Last(weekday) => all(weekday).next_back().into_iter().collect(),
            Self::Nth(weekday, n) => {
                let before = usize::try_from(n - 1).unwrap_or_default();
                all(weekday).nth(before).into_iter().collect()
            }
        }
    }
}

fn on(month: Date, day: i8) -> Option<Date> {
    Date::new(month.year(), month.month(), day).ok()
}

fn list<T>(text: &str, part: fn(&str) -> Result<Vec<T>, String>) -> Result<Vec<T>, String> {
    let parts: Vec<Vec<T>> = text.split(',').map(part).collect::<Result<_, _>>()?;
    Ok(parts.into_iter().flatten().collect())
}

fn days_of_month(text: &str) -> Result<Vec<DayOfMonth>, String> {
    let day = |text: &str| DAYS.number(text).map(small);
    let upper = text.to_ascii_uppercase();
    if upper == "L" {
        return Ok(vec![DayOfMonth::BeforeLast(0)]);
    }
    if ["LW", "WL"].contains(&upper.as_str()) {
        return Ok(vec![DayOfMonth::LastWeekday]);
    }
    if let Some(before) = upper.strip_prefix("L-") {
        let days = digits(before).filter(|days| (1..=30).contains(days));
        let days = days.ok_or_else(|| format!("`{text}` is not the last day less 1 to 30"))?;
        return Ok(vec![DayOfMonth::BeforeLast(small(days))]);
    }
    if let Some(near) = upper.strip_suffix('W') {
        return Ok(vec![DayOfMonth::Weekday(day(near)?)]);
    }
    let days = DAYS.part(text)?;
    Ok(days.into_iter().map(|day| DayOfMonth::Day(small(day))).collect())
}

fn days_of_week(text: &str) -> Result<Vec<DayOfWeek>, String> {
    let upper = text.to_ascii_uppercase();
    if upper == "L" {
        return Ok(vec![DayOfWeek::Every(Weekday::Saturday)]);
    }
    if let Some((day, nth)) = upper.split_once('#') {
        let nth = digits(nth).filter(|nth| (1..=5).contains(nth));
        let nth = nth.ok_or_else(|| format!("`{text}` is not the first (`#1`) to fifth (`#5`) of a day"))?;
        return Ok(vec![DayOfWeek::Nth(weekday(WEEKDAYS.number(day)?), small(nth))]);
    }
    if let Some(day) = upper.strip_suffix('L') {
        return Ok(vec![DayOfWeek::Last(weekday(WEEKDAYS.number(day)?))]);
    }
    let days = WEEKDAYS.part(text)?;
    Ok(days
        .into_iter()
        .map(|day| DayOfWeek::Every(weekday(day)))
        .collect())
}

/// AWS counts from Sunday, 1.
fn weekday(number: u16) -> Weekday {
    Weekday::Saturday.wrapping_add(number)
}

/// Days of a month and less.
fn small(number: u16) -> i8 {
    i8::try_from(number).unwrap_or(i8::MAX)
}
