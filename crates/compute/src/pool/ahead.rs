//! When events may be queued behind a running one, in the instance's own pipe, and how many.
//!
//! An instance that answers finds its next event at once, instead of waiting for the node to wake up
//! and send it. That is worth much for functions that take microseconds and nothing for the others,
//! where it would only put an event behind a slow one while another instance is free. And what a
//! function prints belongs to the invocation that runs when it is read, which is certain only when
//! the node sends the events one by one. So only functions that were both quick and silent for a
//! while are given events ahead.

use std::time::Duration;

/// So many invocations in a row.
const PROVEN: u32 = 64;
/// Slower than this is not quick.
const QUICK: Duration = Duration::from_millis(1);
/// Quicker than this, an event is better off behind a running one than in an instance that must be
/// woken up, once there are as many running as processors.
const QUICKER_THAN_WAKING: Duration = Duration::from_micros(250);
/// What may wait in an instance is over in so long.
const WAIT: Duration = Duration::from_micros(500);
/// So many wait in an instance at most.
pub(super) const MOST: usize = 8;
/// One that takes so long ends the trust.
const SLOW: Duration = Duration::from_millis(10);

/// What a pool knows about its function.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ahead {
    proven: u32,
}

impl Ahead {
    /// Learns how an invocation went.
    pub(super) fn learn(&mut self, took: Duration, printed: bool) {
        self.proven = if printed || took > SLOW {
            0
        } else {
            self.proven.saturating_add(1)
        };
    }

    /// One ran too long with another behind it.
    pub(super) fn distrust(&mut self) {
        self.proven = 0;
    }

    /// How many events may wait in an instance of a function that usually takes `usual`.
    pub(super) fn room(self, usual: Option<Duration>) -> usize {
        let Some(usual) = usual.filter(|usual| self.proven >= PROVEN && *usual < QUICK) else {
            return 0;
        };
        let in_time = |waiting: &u32| usual.saturating_mul(*waiting) < WAIT;
        (1..).take_while(in_time).take(MOST - 1).count() + 1
    }

    /// Whether they should, although an instance is idle, while `busy` of them run.
    pub(super) fn better_than_waking(self, usual: Option<Duration>, busy: usize, cores: usize) -> bool {
        busy >= cores && self.room(usual) > 0 && usual.is_some_and(|usual| usual < QUICKER_THAN_WAKING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proven() -> Ahead {
        let mut ahead = Ahead::default();
        (0..PROVEN).for_each(|_| ahead.learn(Duration::from_micros(50), false));
        ahead
    }

    #[test]
    fn only_functions_that_are_quick_and_silent_for_long_get_events_ahead() {
        let quick = Some(Duration::from_micros(50));
        assert_eq!(Ahead::default().room(quick), 0);
        assert_eq!(proven().room(quick), 8);
        assert_eq!(proven().room(None), 0);
        assert_eq!(proven().room(Some(QUICK)), 0);
    }

    #[test]
    fn no_more_wait_than_are_soon_done() {
        for (usual, room) in [(10, 8), (100, 5), (300, 2), (600, 1), (999, 1), (1000, 0)] {
            assert_eq!(
                proven().room(Some(Duration::from_micros(usual))),
                room,
                "{usual} µs"
            );
        }
    }

    #[test]
    fn an_idle_instance_comes_first_until_the_processors_are_busy() {
        let quick = Some(Duration::from_micros(50));
        assert!(!proven().better_than_waking(quick, 1, 2));
        assert!(proven().better_than_waking(quick, 2, 2));
        assert!(!proven().better_than_waking(Some(QUICKER_THAN_WAKING), 2, 2));
        assert!(!Ahead::default().better_than_waking(quick, 2, 2));
    }

    #[test]
    fn one_line_or_one_slow_invocation_ends_it() {
        let quick = Some(Duration::from_micros(50));
        for (took, printed) in [(Duration::from_micros(50), true), (SLOW * 2, false)] {
            let mut ahead = proven();
            ahead.learn(took, printed);
            assert_eq!(ahead.room(quick), 0);
        }
        let mut ahead = proven();
        ahead.distrust();
        assert_eq!(ahead.room(quick), 0);
    }
}
