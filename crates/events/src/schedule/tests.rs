use jiff::Zoned;
use jiff::civil::{Date, Weekday};
use proptest::prelude::*;

use super::*;

fn utc(text: &str) -> Timestamp {
    let instant: jiff::Timestamp = text.parse().unwrap();
    Timestamp::from_millis(instant.as_millisecond())
}

fn expression(text: &str) -> ScheduleExpression {
    text.parse().unwrap()
}

/// The first `count` times after `after`, on the clocks of the zone.
fn shown(text: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let (expression, zone) = (expression(text), TimeZone::named(zone).unwrap());
    let times = std::iter::successors(Some(utc(after)), |time| expression.next_after(*time, &zone));
    times
        .skip(1)
        .take(count)
        .map(|time| zone.clocks_at(time).to_string())
        .collect()
}

fn next(text: &str, after: &str) -> String {
    shown(text, "UTC", after, 1).pop().unwrap_or_default()
}

#[test]
fn the_samples_of_the_documentation() {
    // EventBridge user guide, "Cron expressions", table of examples
    let after = "2026-11-20T10:00:00Z"; // a Friday
    for (text, expected) in [
        ("cron(0 10 * * ? *)", "2026-11-21T10:00:00"),
        ("cron(15 12 * * ? *)", "2026-11-20T12:15:00"),
        ("cron(0 18 ? * MON-FRI *)", "2026-11-20T18:00:00"),
        ("cron(0 8 1 * ? *)", "2026-12-01T08:00:00"),
        ("cron(0/15 * * * ? *)", "2026-11-20T10:15:00"),
        ("cron(0/10 * ? * MON-FRI *)", "2026-11-20T10:10:00"),
        ("cron(0/5 8-17 ? * MON-FRI *)", "2026-11-20T10:05:00"),
        ("cron(0/30 20-2 ? * MON-FRI *)", "2026-11-20T20:00:00"),
        // Scheduler user guide: 10:15 on each last Friday of the month from 2022 to 2023
        ("cron(15 10 ? * 6L 2022-2023)", ""),
        ("cron(15 10 ? * 6L 2026-2027)", "2026-11-27T10:15:00"),
        ("cron(0 9 ? * 2#1 *)", "2026-12-07T09:00:00"),
        ("cron(0 9 L * ? *)", "2026-11-30T09:00:00"),
        ("cron(0 9 LW * ? *)", "2026-11-30T09:00:00"),
        ("cron(0 9 15W * ? *)", "2026-12-15T09:00:00"),
        ("cron(0 9 ? * L *)", "2026-11-21T09:00:00"),
        ("cron(0 9 L-3 * ? *)", "2026-11-27T09:00:00"),
        ("cron(0 0 29 2 ? *)", "2028-02-29T00:00:00"),
        ("cron(0 0 1 jan,Jul ? 2027)", "2027-01-01T00:00:00"),
        ("cron(0 0 31 2 ? *)", ""),
        ("cron(0 0 1 1 ? 1970)", ""),
    ] {
        assert_eq!(next(text, after), expected, "{text}");
    }
}

#[test]
fn the_nearest_weekday_stays_in_its_month() {
    // 2026-08-01 is a Saturday, 2027-01-31 a Sunday
    assert_eq!(
        next("cron(0 0 1W * ? *)", "2026-07-15T00:00:00Z"),
        "2026-08-03T00:00:00"
    );
    assert_eq!(
        next("cron(0 0 31W * ? *)", "2027-01-15T00:00:00Z"),
        "2027-01-29T00:00:00"
    );
    assert_eq!(
        next("cron(0 0 LW * ? *)", "2027-01-15T00:00:00Z"),
        "2027-01-29T00:00:00"
    );
}

#[test]
fn rates_and_single_times() {
    assert_eq!(expression("rate(1 minute)").period_ms(), Some(60_000));
    assert_eq!(expression("rate(5 minutes)").period_ms(), Some(300_000));
    assert_eq!(expression("rate(12 hours)").period_ms(), Some(43_200_000));
    assert_eq!(expression("rate(1 day)").period_ms(), Some(86_400_000));
    let (at, berlin) = (
        expression("at(2026-07-01T09:30:00)"),
        TimeZone::named("Europe/Berlin").unwrap(),
    );
    assert!(at.is_one_time());
    let due = utc("2026-07-01T07:30:00Z");
    assert_eq!(at.next_after(due.plus_millis(-1), &berlin), Some(due));
    assert_eq!(at.next_after(due, &berlin), None);
}

#[test]
fn what_breaks_a_rule_is_refused_with_the_rule() {
    for (text, reason) in [
        ("", "it has the form"),
        ("every 5 minutes", "it has the form"),
        ("rate(5 minutes", "it has the form"),
        ("rate(1 minutes)", "`rate(1 minute)`"),
        ("rate(5 minute)", "`minutes` for any other"),
        ("rate(0 minutes)", "positive"),
        ("rate(-1 minutes)", "positive"),
        ("rate(+5 minutes)", "positive"),
        ("rate(1.5 hours)", "positive"),
        ("rate(5 weeks)", "`weeks` is not one of"),
        ("rate(5 minutes more)", "a positive number and a unit"),
        ("cron(0 10 * * ?)", "5 fields"),
        ("cron(0 10 * * * *)", "has to be `?`"),
        ("cron(0 10 ? * ? *)", "only one of"),
        ("cron(60 10 * * ? *)", "field minutes"),
        ("cron(0 24 * * ? *)", "field hours"),
        ("cron(0 10 0 * ? *)", "day of month"),
        ("cron(0 10 * 13 ? *)", "JAN to DEC"),
        ("cron(0 10 ? * 0 *)", "day of week"),
        ("cron(0 10 ? * 2#6 *)", "`#5`"),
        ("cron(0 10 ? * MON,,TUE *)", "``"),
        ("cron(0 10 * * ? 1969)", "year"),
        ("cron(0 10 * * ? 2030-2026)", "ends before it starts"),
        ("cron(0/0 10 * * ? *)", "not a step"),
        ("cron(0 10 L-31 * ? *)", "less 1 to 30"),
        ("at(2026-13-01T00:00:00)", "yyyy-mm-dd"),
        ("at(2026-11-20T13:00:00Z)", "yyyy-mm-dd"),
        ("at(2026-11-20)", "yyyy-mm-dd"),
    ] {
        let error = ScheduleExpression::parse(text).unwrap_err();
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
}

#[test]
fn spring_skips_what_the_clocks_leave_out() {
    let daily = "cron(30 2 * * ? *)";
    assert_eq!(
        shown(daily, "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        [
            "2026-03-28T02:30:00",
            "2026-03-30T02:30:00",
            "2026-03-31T02:30:00"
        ]
    );
    assert_eq!(
        shown(daily, "America/New_York", "2026-03-07T05:00:00Z", 2),
        ["2026-03-07T02:30:00", "2026-03-09T02:30:00"]
    );
    // a single time is not lost in the gap
    let once = expression("at(2026-03-29T02:30:00)");
    let berlin = TimeZone::named("Europe/Berlin").unwrap();
    assert_eq!(
        once.next_after(utc("2026-03-28T00:00:00Z"), &berlin),
        Some(utc("2026-03-29T01:30:00Z"))
    );
}

#[test]
fn autumn_runs_once() {
    for (text, zone, after, first, then) in [
        (
            "cron(30 2 * * ? *)",
            "Europe/Berlin",
            "2026-10-24T12:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-26T01:30:00Z",
        ),
        (
            "cron(30 1 * * ? *)",
            "America/New_York",
            "2026-10-31T12:00:00Z",
            "2026-11-01T05:30:00Z",
            "2026-11-02T06:30:00Z",
        ),
    ] {
        let (daily, zone) = (expression(text), TimeZone::named(zone).unwrap());
        let got = daily.next_after(utc(after), &zone).unwrap();
        assert_eq!(got, utc(first));
        assert_eq!(daily.next_after(got, &zone), Some(utc(then)));
    }
}

#[test]
fn a_day_of_a_rate_has_24_hours() {
    let berlin = TimeZone::named("Europe/Berlin").unwrap();
    let noon = utc("2026-03-28T11:00:00Z");
    let next = expression("rate(1 day)").next_after(noon, &berlin);
    assert_eq!(next, Some(utc("2026-03-29T11:00:00Z")));
}

#[test]
fn the_largest_rate_ends_with_the_calendar() {
    let rate = expression("rate(4294967295 days)");
    assert_eq!(
        rate.next_after(utc("2026-11-20T10:00:00Z"), &TimeZone::utc()),
        None
    );
    let recurrence = Recurrence::of(rate);
    let (due, now) = (utc("1970-01-01T00:00:00Z"), utc("2026-11-20T10:00:00Z"));
    assert_eq!(recurrence.latest(due, now), due);
}

#[test]
fn zones_need_no_files_of_the_system() {
    let bundled = jiff::tz::TimeZoneDatabase::bundled();
    assert!(bundled.get("Asia/Shanghai").is_ok());
    assert_eq!(TimeZone::named("Europe/Berlin").unwrap().name(), "Europe/Berlin");
    assert!(TimeZone::named("Europe/Atlantis").is_err());
}

/// A day field, and what it means: decided by looking at the one day, not by enumerating.
#[derive(Clone, Debug)]
enum DayField {
    Any,
    Day(i8),
    Last,
    LastWeekday,
    Weekday(i8),
    DayOfWeek(i8),
    LastOfWeek(i8),
    Nth(i8, i8),
}

impl DayField {
    fn fields(&self) -> (String, String) {
        let of_month = |text: String| (text, "?".to_owned());
        let of_week = |text: String| ("?".to_owned(), text);
        match self {
            Self::Any => of_month("*".into()),
            Self::Day(day) => of_month(day.to_string()),
            Self::Last => of_month("L".into()),
            Self::LastWeekday => of_month("LW".into()),
            Self::Weekday(day) => of_month(format!("{day}W")),
            Self::DayOfWeek(day) => of_week(day.to_string()),
            Self::LastOfWeek(day) => of_week(format!("{day}L")),
            Self::Nth(day, nth) => of_week(format!("{day}#{nth}")),
        }
    }

    fn matches(&self, date: Date) -> bool {
        let number = date.weekday().to_sunday_one_offset();
        let is_weekday = |date: Date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        match self {
            Self::Any => true,
            Self::Day(day) => date.day() == *day,
            Self::Last => date == date.last_of_month(),
            Self::LastWeekday => {
                let later = date.tomorrow().unwrap().series(jiff::Span::new().days(1));
                is_weekday(date)
                    && later
                        .take_while(|d| d.month() == date.month())
                        .all(|d| !is_weekday(d))
            }
            Self::Weekday(day) => {
                let wanted = Date::new(date.year(), date.month(), *day);
                wanted.is_ok_and(|wanted| {
                    let weekdays = wanted.first_of_month().series(jiff::Span::new().days(1));
                    let weekdays = weekdays.take_while(|d| d.month() == date.month());
                    let weekdays = weekdays.filter(|d| is_weekday(*d));
                    weekdays.min_by_key(|d| (d.day() - wanted.day()).abs()) == Some(date)
                })
            }
            Self::DayOfWeek(day) => number == *day,
            Self::LastOfWeek(day) => number == *day && date.day() + 7 > date.days_in_month(),
            Self::Nth(day, nth) => number == *day && (date.day() + 6) / 7 == *nth,
        }
    }
}

fn day_fields() -> impl Strategy<Value = DayField> {
    prop_oneof![
        Just(DayField::Any),
        (1..=31i8).prop_map(DayField::Day),
        Just(DayField::Last),
        Just(DayField::LastWeekday),
        (1..=31i8).prop_map(DayField::Weekday),
        (1..=7i8).prop_map(DayField::DayOfWeek),
        (1..=7i8).prop_map(DayField::LastOfWeek),
        (1..=7i8, 1..=5i8).prop_map(|(day, nth)| DayField::Nth(day, nth)),
    ]
}

/// Whether the clocks show this time for the first time.
fn is_first_showing(zoned: &Zoned) -> bool {
    let zone = zoned.time_zone();
    let first = zone.to_ambiguous_zoned(zoned.datetime()).earlier().unwrap();
    first.timestamp() == zoned.timestamp()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_next_time_is_what_a_search_minute_by_minute_finds(
        minutes in proptest::collection::btree_set(0..60i8, 1..4),
        hours in proptest::collection::btree_set(prop_oneof![0..4i8, 0..24i8], 1..6),
        day in day_fields(),
        // around the changes of the clocks, and anywhere
        start in prop_oneof![1_772_900_000..1_775_000_000i64, 1_792_800_000..1_793_600_000i64, 1_767_225_600..1_830_000_000i64],
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    ) {
        let joined = |numbers: &std::collections::BTreeSet<i8>| {
            numbers.iter().map(i8::to_string).collect::<Vec<_>>().join(",")
        };
        let (of_month, of_week) = day.fields();
        let text = format!("cron({} {} {of_month} * {of_week} *)", joined(&minutes), joined(&hours));
        let (start, zone) = (start * 1000, TimeZone::named(zone).unwrap());
        let named = jiff::tz::TimeZone::get(zone.name()).unwrap();
        let first = start / 60_000 + 1;
        let found = (first..first + 75 * 24 * 60).find(|minute| {
            let zoned = jiff::Timestamp::from_second(minute * 60).unwrap().to_zoned(named.clone());
            minutes.contains(&zoned.minute())
                && hours.contains(&zoned.hour())
                && day.matches(zoned.date())
                && is_first_showing(&zoned)
        });
        let next = expression(&text).next_after(Timestamp::from_millis(start), &zone);
        match found {
            Some(minute) => prop_assert_eq!(next, Some(Timestamp::from_millis(minute * 60_000)), "{}", text),
            None => prop_assert!(next.is_none_or(|next| next.as_millis() >= (first + 75 * 24 * 60) * 60_000)),
        }
    }
}
