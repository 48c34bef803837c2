//! Who knows what a timer does.

use tradewind_model::Timestamp;

use super::Timer;
use crate::router::Routing;

/// The part of a service that its timers call.
pub trait TimerOwner: Send + Sync + std::fmt::Debug {
    /// `timer` is due: adds to the routing's batch what follows from that, and says what becomes of it.
    ///
    /// It reads memory only and is short. The batch may fail or not be written at all, and then this is
    /// called again: what it notes in memory must not count until the batch commits.
    fn fire(&self, timer: &Timer, now: Timestamp, routing: &mut Routing) -> Firing;
}

/// What becomes of a timer that was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Firing {
    /// It fires, and is due again.
    Again {
        /// When.
        due: Timestamp,
        /// Its state then.
        state: String,
    },
    /// It fires, and was due for the last time.
    Over,
    /// Nothing happens: what is in memory is not what the timer was set for. It is asked about again
    /// within a second.
    NotYet,
}
