//! Time zones of the IANA database, from the system or, where it has none, from this binary.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Disambiguation};
use tradewind_model::Timestamp;

/// A time zone by its name in the IANA database. It prints as it was given.
#[derive(Clone, PartialEq, Eq)]
pub struct TimeZone {
    name: Box<str>,
    zone: jiff::tz::TimeZone,
}

/// There is no time zone of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{0}`; it is a name such as `Europe/Berlin`")]
pub struct UnknownTimeZone(pub String);

impl TimeZone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self {
            name: "UTC".into(),
            zone: jiff::tz::TimeZone::UTC,
        }
    }

    /// The zone of that name.
    ///
    /// # Errors
    /// When the database has none.
    pub fn named(name: &str) -> Result<Self, UnknownTimeZone> {
        let unknown = |_error| UnknownTimeZone(name.to_owned());
        let zone = jiff::tz::TimeZone::get(name).map_err(unknown)?;
        Ok(Self {
            name: name.into(),
            zone,
        })
    }

    /// Its name, as given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its clocks show.
    pub(super) fn clocks_at(&self, time: Timestamp) -> DateTime {
        self.zone.to_datetime(time.to_jiff())
    }

    /// When its clocks show `time` for the first time; none where they leave it out.
    pub(super) fn first_instant_of(&self, time: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(time);
        if matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
            return None;
        }
        let instant = ambiguous.disambiguate(Disambiguation::Earlier).ok()?;
        Some(Timestamp::from_millis(instant.as_millisecond()))
    }

    /// The same; where they leave it out, as long after the gap as it is into it.
    pub(super) fn instant_of(&self, time: DateTime) -> Timestamp {
        let ambiguous = self.zone.to_ambiguous_timestamp(time);
        let instant = ambiguous.disambiguate(Disambiguation::Compatible);
        let instant = instant.unwrap_or(jiff::Timestamp::MAX);
        Timestamp::from_millis(instant.as_millisecond())
    }
}

impl fmt::Debug for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TimeZone({})", self.name)
    }
}

/// The time, if a calendar has it: up to the year 9999.
pub(super) fn within_calendar(time: Timestamp) -> Option<Timestamp> {
    let last = jiff::Timestamp::MAX.as_millisecond();
    Some(time).filter(|time| time.as_millis() <= last)
}
