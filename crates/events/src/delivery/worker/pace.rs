//! Turns of attempts that are bound to a rate: how many there are, and whose the next one is.
//!
//! Turns of a rate are evenly spread; who finds none waits in a line, and is called when one is there. A lane that waits
//! holds nothing: its deliveries stay in its queue, so that waiting costs no attempt and no place among those that run.

use std::collections::VecDeque;

use tokio::sync::oneshot;
use tradewind_model::Timestamp;

use crate::delivery::model::LaneId;

const SECOND_US: i64 = 1_000_000;
/// What is begun together at a high rate, so that the worker does not wake for every turn.
const TOGETHER_US: i64 = 100_000;

/// Who waits for a turn.
pub(super) enum Waiter {
    Lane(LaneId),
    /// Somebody who makes an attempt by himself.
    Caller(oneshot::Sender<()>),
}

/// The turns of one rate.
pub(super) struct Pace {
    /// Between two turns, in microseconds.
    interval: i64,
    /// The time from which the next turn is free, in microseconds.
    free_from: i64,
    pub(super) waiting: VecDeque<Waiter>,
    /// When those who wait are looked at.
    pub(super) due: Option<Timestamp>,
}

fn micros(at: Timestamp) -> i64 {
    at.as_millis().saturating_mul(1000)
}

impl Pace {
    pub(super) fn new() -> Self {
        Self {
            interval: SECOND_US,
            free_from: 0,
            waiting: VecDeque::new(),
            due: None,
        }
    }

    /// The rate holds from now on.
    pub(super) fn set(&mut self, per_second: u32) {
        self.interval = (SECOND_US / i64::from(per_second.max(1))).max(1);
    }

    /// How long before its time a turn may be taken.
    fn ahead(&self) -> i64 {
        (TOGETHER_US - self.interval).max(0)
    }

    /// When the next turn is free. A clock that was set back takes no turns away.
    fn from(&self, now: Timestamp) -> i64 {
        let latest = micros(now) + self.ahead() + self.interval;
        self.free_from.clamp(micros(now), latest)
    }

    /// How many turns there are.
    pub(super) fn free(&self, now: Timestamp) -> usize {
        let left = micros(now) + self.ahead() - self.from(now);
        let free = left.div_euclid(self.interval) + 1;
        usize::try_from(free).unwrap_or(0)
    }

    /// Takes at most as many turns as are wanted; how many.
    pub(super) fn take(&mut self, wanted: usize, now: Timestamp) -> usize {
        let taken = wanted.min(self.free(now));
        self.free_from = self.from(now) + self.interval * i64::try_from(taken).unwrap_or(0);
        taken
    }

    /// Turns that were taken and not used.
    pub(super) fn give_back(&mut self, turns: usize) {
        self.free_from -= self.interval * i64::try_from(turns).unwrap_or(0);
    }

    /// When there is a turn again, if there is none now.
    pub(super) fn next(&self, now: Timestamp) -> Timestamp {
        let at = self.from(now) - self.ahead();
        Timestamp::from_millis(at.div_euclid(1000) + i64::from(at.rem_euclid(1000) > 0))
    }

    /// Whether nothing is lost with it.
    pub(super) fn is_idle(&self, now: Timestamp) -> bool {
        self.waiting.is_empty() && self.free_from <= micros(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn at(ms: i64) -> Timestamp {
        START.plus_millis(ms)
    }

    fn pace(per_second: u32) -> Pace {
        let mut pace = Pace::new();
        pace.set(per_second);
        pace
    }

    #[test]
    fn turns_are_evenly_spread() {
        let mut slow = pace(1);
        assert_eq!(slow.take(5, at(0)), 1);
        assert_eq!((slow.take(5, at(999)), slow.next(at(999))), (0, at(1000)));
        assert_eq!(slow.take(5, at(1000)), 1);
        let mut quick = pace(300);
        let begun: usize = (0..=1000).map(|ms| quick.take(10, at(ms))).sum();
        assert!((300..=331).contains(&begun), "{begun}");
    }

    #[test]
    fn no_turn_is_saved_up_and_none_is_lost_by_a_clock() {
        let mut pace = pace(2);
        assert_eq!(pace.take(9, at(60_000)), 1);
        assert_eq!(pace.take(9, at(120_000)), 1);
        assert_eq!(pace.take(9, at(0)), 0);
        assert_eq!(pace.next(at(0)), at(500));
        assert_eq!(pace.take(9, at(500)), 1);
    }

    #[test]
    fn what_was_not_used_is_free_again() {
        let mut pace = pace(1);
        assert_eq!(pace.take(1, at(0)), 1);
        pace.give_back(1);
        assert_eq!(pace.take(1, at(0)), 1);
    }
}
