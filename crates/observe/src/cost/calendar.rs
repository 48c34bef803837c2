//! Calendar months in UTC: free tiers and tiers are theirs.

use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use tradewind_model::Timestamp;

/// The part of a time that lies in one month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MonthPart {
    /// Where the month begins.
    pub month: Timestamp,
    /// Where the part begins.
    pub from: Timestamp,
    /// Where it ends.
    pub until: Timestamp,
}

/// Where the month of that time begins, and where the next does.
#[must_use]
pub fn month_of(time: Timestamp) -> (Timestamp, Timestamp) {
    let zoned = time.to_jiff().to_zoned(TimeZone::UTC);
    let first = zoned.first_of_month().and_then(|first| first.start_of_day());
    let begin = first.unwrap_or(zoned);
    let end = begin.checked_add(1.month()).unwrap_or_else(|_last| begin.clone());
    let at = |zoned: &Zoned| Timestamp::from_millis(zoned.timestamp().as_millisecond());
    (at(&begin), at(&end))
}

/// The months of a time, oldest first; none if it ends before it begins.
#[must_use]
pub fn months_of(from: Timestamp, until: Timestamp) -> Vec<MonthPart> {
    let mut parts = Vec::new();
    let mut next = from;
    while next < until {
        let (month, end) = month_of(next);
        parts.push(MonthPart {
            month,
            from: next,
            until: end.min(until),
        });
        if end <= next {
            break;
        }
        next = end;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        let time: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_millis(time.as_millisecond())
    }

    #[test]
    fn months_have_28_to_31_days() {
        for (time, begin, end) in [
            (
                "2026-11-21T20:00:00Z",
                "2026-11-01T00:00:00Z",
                "2026-12-01T00:00:00Z",
            ),
            (
                "2026-12-31T23:59:59Z",
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            (
                "2028-02-29T00:00:00Z",
                "2028-02-01T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
        ] {
            assert_eq!(month_of(at(time)), (at(begin), at(end)), "{time}");
        }
    }

    #[test]
    fn a_time_is_cut_at_the_months_ends() {
        let [first, second, third] = [
            "2026-11-21T20:00:00Z",
            "2026-12-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
        ]
        .map(at);
        let until = at("2027-01-02T00:00:00Z");
        let parts = months_of(first, until);
        let bounds: Vec<_> = parts.iter().map(|part| (part.from, part.until)).collect();
        assert_eq!(bounds, [(first, second), (second, third), (third, until)]);
        assert_eq!(parts[0].month, at("2026-11-01T00:00:00Z"));
        assert_eq!(months_of(until, first), []);
    }
}
