//! When to start another instance. Pure arithmetic on what the pool knows.
//!
//! A queued invocation races a freed instance against a starting one, so a start pays only when the
//! expected wait is longer than the expected cold start. Two more rules keep that honest: a backlog
//! that lasts means that the estimate is wrong, and starting processes is work that the functions
//! in front of it need the cores for.

use std::time::Duration;

/// What is known about a pool, and the machine, at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Load {
    /// Invocations that wait.
    pub(crate) queued: usize,
    /// How long each running invocation runs.
    pub(crate) running: Vec<Duration>,
    /// All starts under way.
    pub(crate) starting: usize,
    /// Those of them that are so young that they still need a core.
    pub(crate) young_starts: usize,
    /// What one invocation takes, if one has finished.
    pub(crate) service_time: Option<Duration>,
    /// What a start takes.
    pub(crate) cold_start: Duration,
    /// How long the queue has not been empty.
    pub(crate) backlog: Duration,
    /// Processors of the machine.
    pub(crate) cores: usize,
    /// Whether processors idle although invocations wait.
    pub(crate) cores_idle: bool,
}

/// An invocation that takes so many times longer than usual will not free its instance soon.
const STUCK: u32 = 4;
/// But on a busy machine any process may be without a core for so long: that alone proves nothing.
const TIME_SLICE: Duration = Duration::from_millis(20);
/// A start is never taken to cost less: it takes processor time from the invocations it is to help.
const CHEAPEST_START: Duration = Duration::from_millis(10);
/// A backlog shorter than this proves nothing.
const SHORTEST_BACKLOG: Duration = Duration::from_millis(50);

impl Load {
    /// How many instances to start now.
    pub(crate) fn starts_wanted(&self) -> usize {
        let uncovered = self.queued.saturating_sub(self.starting);
        let room = self.cores.max(1).saturating_sub(self.young_starts);
        let most = uncovered.min(room);
        if most == 0
            || self.running.is_empty()
            || self.expected_wait(uncovered) > self.cold_start.max(CHEAPEST_START)
        {
            return most;
        }
        usize::from(self.backlog_lasts() && (self.running.len() < self.cores || self.cores_idle))
    }

    /// How long the last of `waiting` invocations waits for the instances there are.
    fn expected_wait(&self, waiting: usize) -> Duration {
        let longest = self.running.iter().max().copied().unwrap_or_default();
        let usual = self.service_time.unwrap_or(longest);
        let limit = usual.saturating_mul(STUCK).max(TIME_SLICE);
        let moving = match self.service_time {
            Some(_) => self.running.iter().filter(|age| **age <= limit).count(),
            None => self.running.len(),
        };
        let (time, servers) = if moving == 0 {
            (longest, self.running.len())
        } else {
            (usual, moving)
        };
        let rounds = u32::try_from(waiting).unwrap_or(u32::MAX);
        time.saturating_mul(rounds) / u32::try_from(servers.max(1)).unwrap_or(u32::MAX)
    }

    fn backlog_lasts(&self) -> bool {
        self.backlog > self.cold_start.max(SHORTEST_BACKLOG)
    }
}

/// A running mean that forgets: what an invocation or a start takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Estimate(Option<Duration>);

impl Estimate {
    /// Learns one more value; each older one counts seven eighths of the next.
    pub(crate) fn learn(&mut self, value: Duration) {
        self.0 = Some(match self.0 {
            None => value,
            Some(old) => (old * 7 + value) / 8,
        });
    }

    /// The mean, once there is one.
    pub(crate) fn get(self) -> Option<Duration> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn load() -> Load {
        Load {
            cold_start: ms(40),
            cores: 2,
            ..Load::default()
        }
    }

    #[test]
    fn the_first_invocation_starts_an_instance_and_a_burst_no_more_than_cores() {
        assert_eq!(Load { queued: 1, ..load() }.starts_wanted(), 1);
        assert_eq!(Load { queued: 64, ..load() }.starts_wanted(), 2);
        assert_eq!(
            Load {
                queued: 64,
                starting: 2,
                young_starts: 2,
                ..load()
            }
            .starts_wanted(),
            0
        );
    }

    #[test]
    fn a_burst_on_a_fast_function_waits_for_the_instance_there_is() {
        let fast = Load {
            queued: 64,
            running: vec![Duration::from_micros(50)],
            service_time: Some(Duration::from_micros(60)),
            ..load()
        };
        assert_eq!(fast.starts_wanted(), 0);
    }

    #[test]
    fn a_fast_function_that_lost_its_core_is_not_stuck_yet() {
        let lost = |age| Load {
            queued: 14,
            running: vec![age; 2],
            service_time: Some(Duration::from_micros(60)),
            ..load()
        };
        assert_eq!(lost(ms(19)).starts_wanted(), 0);
        assert_eq!(lost(ms(21)).starts_wanted(), 2);
    }

    #[test]
    fn a_slow_function_gets_an_instance_for_each_invocation() {
        let slow = Load {
            queued: 19,
            running: vec![ms(100)],
            service_time: Some(ms(2_000)),
            ..load()
        };
        assert_eq!(slow.starts_wanted(), 2);
        let last = Load {
            queued: 1,
            running: vec![ms(100); 19],
            service_time: Some(ms(2_000)),
            ..load()
        };
        assert_eq!(last.starts_wanted(), 1);
        // starts that only wait for something do not hold the others up
        let aged = Load {
            starting: 4,
            young_starts: 0,
            ..slow
        };
        assert_eq!(aged.starts_wanted(), 2);
    }

    #[test]
    fn before_anything_has_finished_the_age_of_what_runs_decides() {
        let unknown = |age| Load {
            queued: 10,
            running: vec![age],
            ..load()
        };
        assert_eq!(unknown(ms(1)).starts_wanted(), 0);
        assert_eq!(unknown(ms(10)).starts_wanted(), 2);
    }

    #[test]
    fn a_cheap_start_is_still_not_free() {
        let cheap = Load {
            queued: 15,
            running: vec![Duration::from_micros(50)],
            service_time: Some(Duration::from_micros(200)),
            cold_start: Duration::from_micros(300),
            ..load()
        };
        assert_eq!(cheap.starts_wanted(), 0);
    }

    #[test]
    fn one_stuck_invocation_does_not_count_as_a_server() {
        let us = Duration::from_micros;
        let stuck = Load {
            queued: 10,
            running: vec![ms(2_000), us(20)],
            service_time: Some(us(60)),
            ..load()
        };
        assert_eq!(stuck.starts_wanted(), 0);
        let all_stuck = Load {
            running: vec![ms(2_000), ms(1_000)],
            ..stuck
        };
        assert_eq!(all_stuck.starts_wanted(), 2);
    }

    #[test]
    fn a_lasting_backlog_takes_the_cores_and_then_only_idle_ones() {
        let us = Duration::from_micros;
        let busy = Load {
            queued: 15,
            running: vec![us(20)],
            service_time: Some(us(60)),
            backlog: ms(200),
            ..load()
        };
        assert_eq!(busy.starts_wanted(), 1);
        let saturated = Load {
            running: vec![us(20); 2],
            ..busy.clone()
        };
        assert_eq!(saturated.starts_wanted(), 0);
        let waiting = Load {
            cores_idle: true,
            ..saturated
        };
        assert_eq!(waiting.starts_wanted(), 1);
        assert_eq!(
            Load {
                backlog: ms(10),
                ..busy
            }
            .starts_wanted(),
            0
        );
    }

    #[test]
    fn estimates_follow_what_they_see() {
        let mut estimate = Estimate::default();
        assert_eq!(estimate.get(), None);
        estimate.learn(ms(80));
        estimate.learn(ms(0));
        assert_eq!(estimate.get(), Some(ms(70)));
    }

    proptest! {
        #[test]
        fn starts_are_bounded_by_cores_and_by_what_waits(
            queued in 0usize..200,
            running in prop::collection::vec(0u64..5_000, 0..30),
            young in 0usize..10,
            aged in 0usize..10,
            service in prop::option::of(0u64..5_000),
            cores in 1usize..16,
            cores_idle: bool,
        ) {
            let load = Load {
                queued,
                running: running.into_iter().map(ms).collect(),
                starting: young + aged,
                young_starts: young,
                service_time: service.map(ms),
                cold_start: ms(40),
                backlog: ms(1_000),
                cores,
                cores_idle,
            };
            let wanted = load.starts_wanted();
            prop_assert!(wanted <= cores.saturating_sub(young));
            prop_assert!(wanted <= queued.saturating_sub(young + aged));
        }
    }
}
