//! An expression in its zone and between its dates: which times it has, and which of them were missed.

use tradewind_model::Timestamp;

use super::{ScheduleExpression, TimeZone, zone};

/// How far back missed times are looked for, step by step: an hour, a day, a month, a year, ever.
const LOOKS_BACK_MS: [i64; 5] = {
    const HOUR: i64 = 3_600_000;
    [HOUR, 24 * HOUR, 31 * 24 * HOUR, 366 * 24 * HOUR, i64::MAX]
};

/// When something is due, again and again or once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// What says when.
    pub expression: ScheduleExpression,
    /// The zone whose clocks a `cron` or `at` means.
    pub zone: TimeZone,
    /// Not before; a rate counts from here. Without meaning for `at`, as on AWS.
    pub start: Option<Timestamp>,
    /// Not after. Without meaning for `at`, as on AWS.
    pub end: Option<Timestamp>,
}

impl Recurrence {
    /// The expression in UTC, without an end.
    #[must_use]
    pub fn of(expression: ScheduleExpression) -> Self {
        Self {
            expression,
            zone: TimeZone::utc(),
            start: None,
            end: None,
        }
    }

    /// The first time at `now` or later; a rate with a start keeps the rhythm of it, one without is first
    /// due a period from now.
    #[must_use]
    pub fn first(&self, now: Timestamp) -> Option<Timestamp> {
        let just_before = now.plus_millis(-1);
        if self.expression.is_one_time() {
            return self.expression.next_after(just_before, &self.zone);
        }
        let first = match (self.expression.period_ms(), self.start) {
            (Some(_), Some(start)) if start >= now => Some(start),
            (Some(period), Some(start)) => after(start, just_before, period),
            (Some(_), None) => self.expression.next_after(now, &self.zone),
            (None, start) => {
                let from = start.map_or(just_before, |start| just_before.max(start.plus_millis(-1)));
                self.expression.next_after(from, &self.zone)
            }
        };
        self.before_the_end(first)
    }

    /// Of the times from `due` on, which is one, the last that is not later than `now`; `due` if there is
    /// none. The others are those that were missed.
    #[must_use]
    pub fn latest(&self, due: Timestamp, now: Timestamp) -> Timestamp {
        if now <= due || self.expression.is_one_time() {
            return due;
        }
        let now = self.end.map_or(now, |end| end.min(now));
        if let Some(period) = self.expression.period_ms() {
            return after(due, now, period).map_or(due, |next| next.plus_millis(-period).max(due));
        }
        let mut windows = LOOKS_BACK_MS.iter();
        let found = windows.find_map(|window| self.last_between(due.max(now.plus_millis(-window)), now));
        found.unwrap_or(due)
    }

    /// The time that follows `due`, which is one.
    #[must_use]
    pub fn following(&self, due: Timestamp) -> Option<Timestamp> {
        self.before_the_end(self.expression.next_after(due, &self.zone))
    }

    /// The last time after `from` and not later than `until`.
    fn last_between(&self, from: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let next = |time: &Timestamp| self.expression.next_after(*time, &self.zone);
        let times = std::iter::successors(Some(from), next);
        times.skip(1).take_while(|time| *time <= until).last()
    }

    fn before_the_end(&self, time: Option<Timestamp>) -> Option<Timestamp> {
        let ends_at = self.end.filter(|_| !self.expression.is_one_time());
        time.filter(|time| ends_at.is_none_or(|end| *time <= end))
    }
}

/// The first of the times `due`, `due + period`, … that is later than `now` and than `due`.
fn after(due: Timestamp, now: Timestamp, period: i64) -> Option<Timestamp> {
    let behind = now.as_millis().saturating_sub(due.as_millis()).max(0);
    let periods = behind / period + 1;
    zone::within_calendar(due.plus_millis(periods.saturating_mul(period)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> Timestamp {
        let instant: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_millis(instant.as_millisecond())
    }

    fn of(expression: &str) -> Recurrence {
        Recurrence::of(expression.parse().unwrap())
    }

    #[test]
    fn a_rate_begins_at_its_start_and_keeps_its_rhythm() {
        let now = utc("2026-11-20T10:00:30Z");
        let rate = of("rate(5 minutes)");
        assert_eq!(rate.first(now), Some(utc("2026-11-20T10:05:30Z")));
        let from = |start: &str| Recurrence {
            start: Some(utc(start)),
            ..rate.clone()
        };
        assert_eq!(
            from("2026-11-21T00:00:00Z").first(now),
            Some(utc("2026-11-21T00:00:00Z"))
        );
        assert_eq!(from("2026-11-20T10:00:30Z").first(now), Some(now));
        assert_eq!(
            from("2026-11-20T09:58:00Z").first(now),
            Some(utc("2026-11-20T10:03:00Z"))
        );
        assert_eq!(from("2026-11-20T09:55:30Z").first(now), Some(now));
    }

    #[test]
    fn a_cron_is_due_from_its_start_to_its_end() {
        let hourly = Recurrence {
            start: Some(utc("2026-11-20T12:00:00Z")),
            end: Some(utc("2026-11-20T13:00:00Z")),
            ..of("cron(0 * * * ? *)")
        };
        let first = hourly.first(utc("2026-11-20T10:00:00Z"));
        assert_eq!(first, Some(utc("2026-11-20T12:00:00Z")));
        let second = hourly.following(first.unwrap());
        assert_eq!(second, Some(utc("2026-11-20T13:00:00Z")));
        assert_eq!(hourly.following(second.unwrap()), None);
        assert_eq!(hourly.first(utc("2026-11-20T13:00:01Z")), None);
        // without a start it may be now
        assert_eq!(
            of("cron(0 * * * ? *)").first(utc("2026-11-20T10:00:00Z")),
            Some(utc("2026-11-20T10:00:00Z"))
        );
    }

    #[test]
    fn a_single_time_ignores_the_dates() {
        let once = Recurrence {
            start: Some(utc("2027-01-01T00:00:00Z")),
            end: Some(utc("2026-01-01T00:00:00Z")),
            ..of("at(2026-11-20T12:00:00)")
        };
        let due = utc("2026-11-20T12:00:00Z");
        assert_eq!(once.first(due), Some(due));
        assert_eq!(once.first(due.plus_millis(1)), None);
        assert_eq!(once.following(due), None);
        assert_eq!(once.latest(due, utc("2030-01-01T00:00:00Z")), due);
    }

    #[test]
    fn of_what_was_missed_the_latest_counts() {
        for (expression, due, now, latest) in [
            (
                "rate(5 minutes)",
                "2026-11-20T10:00:30Z",
                "2026-11-20T10:05:29Z",
                "2026-11-20T10:00:30Z",
            ),
            (
                "rate(5 minutes)",
                "2026-11-20T10:00:30Z",
                "2026-11-20T12:34:56Z",
                "2026-11-20T12:30:30Z",
            ),
            (
                "rate(5 minutes)",
                "2026-11-20T10:00:30Z",
                "2026-11-20T10:05:30Z",
                "2026-11-20T10:05:30Z",
            ),
            (
                "cron(0 2 * * ? *)",
                "2026-11-17T02:00:00Z",
                "2026-11-20T10:00:00Z",
                "2026-11-20T02:00:00Z",
            ),
            (
                "cron(0/1 * * * ? *)",
                "2020-11-17T02:00:00Z",
                "2026-11-20T10:00:30Z",
                "2026-11-20T10:00:00Z",
            ),
            (
                "cron(0 2 1 1 ? *)",
                "2020-01-01T02:00:00Z",
                "2026-11-20T10:00:30Z",
                "2026-01-01T02:00:00Z",
            ),
            (
                "cron(0 2 29 2 ? *)",
                "2020-02-29T02:00:00Z",
                "2026-11-20T10:00:30Z",
                "2024-02-29T02:00:00Z",
            ),
            // a clock that was set back
            (
                "cron(0 2 * * ? *)",
                "2026-11-17T02:00:00Z",
                "2026-11-17T01:00:00Z",
                "2026-11-17T02:00:00Z",
            ),
        ] {
            let found = of(expression).latest(utc(due), utc(now));
            assert_eq!(found, utc(latest), "{expression} {now}");
        }
        let ended = Recurrence {
            end: Some(utc("2026-11-20T11:00:00Z")),
            ..of("rate(5 minutes)")
        };
        let latest = ended.latest(utc("2026-11-20T10:00:30Z"), utc("2026-11-20T12:00:00Z"));
        assert_eq!(latest, utc("2026-11-20T10:55:30Z"));
    }
}
