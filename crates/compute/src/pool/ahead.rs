//! When an event may be queued behind a running one, in the instance's own pipe.
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

    /// Whether events may go ahead to a function that usually takes `usual`.
    pub(super) fn allowed(self, usual: Option<Duration>) -> bool {
        self.proven >= PROVEN && usual.is_some_and(|usual| usual < QUICK)
    }

    /// Whether they should, although an instance is idle, while `busy` of them run.
    pub(super) fn better_than_waking(self, usual: Option<Duration>, busy: usize, cores: usize) -> bool {
        busy >= cores && self.allowed(usual) && usual.is_some_and(|usual| usual < QUICKER_THAN_WAKING)
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
        assert!(!Ahead::default().allowed(quick));
        assert!(proven().allowed(quick));
        assert!(!proven().allowed(None));
        assert!(!proven().allowed(Some(QUICK)));
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
            assert!(!ahead.allowed(quick));
        }
        let mut ahead = proven();
        ahead.distrust();
        assert!(!ahead.allowed(quick));
    }
}
