//! Where an event stands: in which segment, at which byte. Positions hold for as long as the event is
//! kept, and grow in the order in which events were appended.

use tradewind_model::Timestamp;

use crate::LogEvent;

/// A place in a group's segments: an event's first byte, or the end of what was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPosition {
    /// The number of the segment.
    pub segment: u64,
    /// Bytes from its start.
    pub offset: u64,
}

/// What events of a group are sorted by: time, then the order in which they were appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey {
    /// When it was said.
    pub timestamp: Timestamp,
    /// Where it stands.
    pub position: LogPosition,
}

impl EventKey {
    /// The place right after the event.
    #[must_use]
    pub fn next(self) -> Self {
        let offset = self.position.offset.saturating_add(1);
        let position = LogPosition {
            offset,
            ..self.position
        };
        Self { position, ..self }
    }
}

/// An event, where it stands and when it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Where it stands.
    pub position: LogPosition,
    /// When the store took it; of what functions say, when it was said.
    pub ingested: Timestamp,
    /// The event.
    pub event: LogEvent,
}

impl StoredEvent {
    /// What it is sorted by.
    #[must_use]
    pub fn key(&self) -> EventKey {
        EventKey {
            timestamp: self.event.timestamp,
            position: self.position,
        }
    }
}
