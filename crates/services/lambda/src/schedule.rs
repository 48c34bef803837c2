//! When an asynchronous invocation runs again, and when it is given up: AWS's schedule as a pure
//! function (Developer Guide, "How Lambda handles errors and retries with asynchronous invocation").
//!
//! ```text
//! Queued ──run──▶ Running ──succeeded──▶ Done
//!   ▲               │ the function failed: again after 1 and 2 minutes, then Dropped
//!   └───again───────┤ throttled, or the node failed: again after 1 s … 5 min, until 6 hours old
//!                   └ the function is gone or may not run at all: Dropped
//! ```

use tradewind_model::Timestamp;

const FIRST_FUNCTION_DELAY_MS: i64 = 60_000;
const FIRST_SYSTEM_DELAY_MS: i64 = 1_000;
const LONGEST_SYSTEM_DELAY_MS: i64 = 5 * 60_000;

/// How long an event is tried, unless the function's owner wants less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Retries after the function itself failed: 0 to 2.
    pub(crate) function_retries: u32,
    /// An event older than this is not tried again: up to 6 hours.
    pub(crate) age_ms: i64,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            function_retries: 2,
            age_ms: 6 * 60 * 60_000,
        }
    }
}

/// What is known of an invocation before an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempts {
    pub(crate) enqueued_at: Timestamp,
    pub(crate) function_errors: u32,
    pub(crate) system_errors: u32,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The function answered without an error.
    Succeeded,
    /// The function threw, crashed or timed out.
    FunctionFailed,
    /// There was no room for it.
    Throttled,
    /// The node could not run it.
    SystemFailed,
    /// The node is stopping; the attempt does not count.
    Interrupted,
    /// Its reserved concurrency is zero: it is switched off.
    SwitchedOff,
    /// There is no such function or version any more.
    Missing,
    /// The event leads the function to itself again and again.
    Recursive,
}

impl Outcome {
    /// In words, for who looks for what became of an event.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "ok",
            Self::FunctionFailed => "the function failed",
            Self::Throttled => "throttled",
            Self::SystemFailed => "the node could not run it",
            Self::Interrupted => "the node stopped",
            Self::SwitchedOff => "the reserved concurrency is zero",
            Self::Missing => "the function is gone",
            Self::Recursive => "the event goes round",
        }
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Done,
    Again { attempts: Attempts, at: Timestamp },
    Drop(DropReason),
}

/// Why an invocation is given up; the words are those of the service's invocation records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DropReason {
    RetriesExhausted,
    EventAgeExceeded,
    SwitchedOff,
    FunctionMissing,
    Recursive,
}

impl DropReason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::SwitchedOff => "ZeroReservedConcurrency",
            Self::FunctionMissing => "FunctionMissing",
            Self::Recursive => "RecursiveInvocationDetected",
        }
    }
}

/// Whether an event has waited so long that it is not tried any more.
pub(crate) fn is_expired(attempts: Attempts, patience: Patience, at: Timestamp) -> bool {
    at > attempts.enqueued_at.plus_millis(patience.age_ms)
}

/// Decides what follows an attempt that ended with `outcome` at `now`.
pub(crate) fn next(before: Attempts, outcome: Outcome, patience: Patience, now: Timestamp) -> Next {
    match outcome {
        Outcome::Succeeded => Next::Done,
        Outcome::Missing => Next::Drop(DropReason::FunctionMissing),
        Outcome::Recursive => Next::Drop(DropReason::Recursive),
        Outcome::SwitchedOff => Next::Drop(DropReason::SwitchedOff),
        Outcome::Interrupted => Next::Again {
            attempts: before,
            at: now,
        },
        Outcome::FunctionFailed => after_function_error(before, patience, now),
        Outcome::Throttled | Outcome::SystemFailed => after_system_error(before, patience, now),
    }
}

fn after_function_error(before: Attempts, patience: Patience, now: Timestamp) -> Next {
    let function_errors = before.function_errors.saturating_add(1);
    if function_errors > patience.function_retries {
        return Next::Drop(DropReason::RetriesExhausted);
    }
    let delay = FIRST_FUNCTION_DELAY_MS * i64::from(function_errors);
    again(
        Attempts {
            function_errors,
            ..before
        },
        patience,
        now.plus_millis(delay),
    )
}

fn after_system_error(before: Attempts, patience: Patience, now: Timestamp) -> Next {
    let doublings = before.system_errors.min(16);
    let delay = (FIRST_SYSTEM_DELAY_MS << doublings).min(LONGEST_SYSTEM_DELAY_MS);
    let system_errors = before.system_errors.saturating_add(1);
    again(
        Attempts {
            system_errors,
            ..before
        },
        patience,
        now.plus_millis(delay),
    )
}

fn again(attempts: Attempts, patience: Patience, at: Timestamp) -> Next {
    if is_expired(attempts, patience, at) {
        return Next::Drop(DropReason::EventAgeExceeded);
    }
    Next::Again { attempts, at }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000_000);

    const USUAL: Patience = Patience {
        function_retries: 2,
        age_ms: 21_600_000,
    };

    #[test]
    fn an_owner_may_want_fewer_retries() {
        for (function_retries, delays) in [(0, vec![]), (1, vec![60_000])] {
            let patience = Patience {
                function_retries,
                ..Patience::default()
            };
            let expected = (delays, DropReason::RetriesExhausted);
            assert_eq!(run_until_dropped(Outcome::FunctionFailed, patience), expected);
        }
    }

    #[test]
    fn an_owner_may_want_younger_events() {
        let patience = Patience {
            age_ms: 60_000,
            ..Patience::default()
        };
        let (delays, reason) = run_until_dropped(Outcome::Throttled, patience);
        assert_eq!(delays, [1_000, 2_000, 4_000, 8_000, 16_000]);
        assert_eq!(reason, DropReason::EventAgeExceeded);
        assert!(!is_expired(fresh(), patience, START.plus_millis(60_000)));
        assert!(is_expired(fresh(), patience, START.plus_millis(60_001)));
    }

    fn fresh() -> Attempts {
        Attempts {
            enqueued_at: START,
            function_errors: 0,
            system_errors: 0,
        }
    }

    /// Fails every attempt at once with `outcome`; gives the delays and how it ended.
    fn run_until_dropped(outcome: Outcome, patience: Patience) -> (Vec<i64>, DropReason) {
        let (mut attempts, mut now, mut delays) = (fresh(), START, Vec::new());
        loop {
            match next(attempts, outcome, patience, now) {
                Next::Again { attempts: after, at } => {
                    delays.push(at.as_millis() - now.as_millis());
                    (attempts, now) = (after, at);
                }
                Next::Drop(reason) => return (delays, reason),
                Next::Done => panic!("a failure is not done"),
            }
        }
    }

    #[test]
    fn function_errors_are_retried_after_one_and_two_minutes() {
        let expected = (vec![60_000, 120_000], DropReason::RetriesExhausted);
        assert_eq!(run_until_dropped(Outcome::FunctionFailed, USUAL), expected);
    }

    #[test]
    fn throttles_back_off_to_five_minutes_for_six_hours() {
        for outcome in [Outcome::Throttled, Outcome::SystemFailed] {
            let (delays, reason) = run_until_dropped(outcome, USUAL);
            assert_eq!(delays[..4], [1_000, 2_000, 4_000, 8_000]);
            assert_eq!(delays.iter().max(), Some(&300_000));
            assert!(delays.iter().sum::<i64>() <= USUAL.age_ms);
            assert!(delays.iter().sum::<i64>() > USUAL.age_ms - LONGEST_SYSTEM_DELAY_MS);
            assert_eq!(reason, DropReason::EventAgeExceeded);
        }
    }

    #[test]
    fn throttles_do_not_use_up_the_functions_retries() {
        let throttled = Attempts {
            system_errors: 9,
            ..fresh()
        };
        let Next::Again { attempts, at } = next(throttled, Outcome::FunctionFailed, USUAL, START) else {
            panic!("the first function error is retried");
        };
        assert_eq!((attempts.function_errors, attempts.system_errors), (1, 9));
        assert_eq!(at, START.plus_millis(60_000));
    }

    #[test]
    fn a_stopping_node_does_not_count() {
        let expected = Next::Again {
            attempts: fresh(),
            at: START,
        };
        assert_eq!(next(fresh(), Outcome::Interrupted, USUAL, START), expected);
    }

    #[test]
    fn what_cannot_run_is_dropped_at_once() {
        assert_eq!(
            next(fresh(), Outcome::Missing, USUAL, START),
            Next::Drop(DropReason::FunctionMissing)
        );
        assert_eq!(
            next(fresh(), Outcome::SwitchedOff, USUAL, START),
            Next::Drop(DropReason::SwitchedOff)
        );
        assert_eq!(next(fresh(), Outcome::Succeeded, USUAL, START), Next::Done);
    }
}
