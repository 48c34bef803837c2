//! How long a function's idle instances are worth keeping: learnt from how long the function itself was
//! idle before ("Serverless in the Wild", ATC 2020, without its pre-warming).
//!
//! A histogram of idle times in bins of a minute; an instance is kept for the 99th percentile and a
//! tenth more. Where the times follow no pattern, or most are longer than any instance is kept, the least
//! keep-alive holds: keeping longer would mostly be in vain.

use std::time::Duration;

use tokio::time::Instant;

use super::State;
use crate::config::KeepAlive;

const BIN: Duration = Duration::from_secs(60);
/// Four hours; longer idle times are out of the histogram.
const BINS: usize = 240;
/// Fewer idle times are no pattern.
const ENOUGH: u64 = 8;
/// Old times count half once there are so many.
const HALVED_AT: u64 = 4096;

/// The idle times of a function. Takes no memory to speak of until one is longer than a minute.
#[derive(Clone, Debug, Default)]
pub(super) struct IdleTimes {
    /// Since when nothing runs and nothing waits.
    quiet_since: Option<Instant>,
    /// Those shorter than a minute.
    short: u64,
    /// The bins after the first, or none yet.
    longer: Vec<u32>,
    /// Those longer than the last bin.
    beyond: u64,
}

impl IdleTimes {
    /// Nothing runs and nothing waits any more.
    pub(super) fn quiet(&mut self, now: Instant) {
        self.quiet_since = Some(now);
    }

    /// An invocation came.
    pub(super) fn woken(&mut self, now: Instant) {
        if let Some(since) = self.quiet_since.take() {
            self.learn(now.saturating_duration_since(since));
        }
    }

    fn learn(&mut self, idle: Duration) {
        if idle < BIN {
            self.short += 1;
            return;
        }
        let bin = usize::try_from(idle.as_secs() / BIN.as_secs()).unwrap_or(usize::MAX);
        if self.longer.is_empty() {
            self.longer = vec![0; BINS - 1];
        }
        match self.longer.get_mut(bin - 1) {
            Some(count) => *count += 1,
            None => self.beyond += 1,
        }
        if self.within() + self.beyond > HALVED_AT {
            self.forget_half();
        }
    }

    /// How long the last idle instance is kept.
    pub(super) fn keep_alive(&self, bounds: KeepAlive) -> Duration {
        let within = self.within();
        if within < ENOUGH || self.beyond > within || !self.has_a_pattern(within) {
            return bounds.least;
        }
        let bin = u32::try_from(self.percentile_99(within)).unwrap_or(u32::MAX);
        let longest = BIN.saturating_mul(bin.saturating_add(1));
        (longest + longest / 10).clamp(bounds.least, bounds.most.max(bounds.least))
    }

    /// The bin below whose end 99 of 100 idle times are.
    fn percentile_99(&self, within: u64) -> usize {
        let enough = (within * 99).div_ceil(100);
        let mut seen = 0;
        let at = self.bins().position(|count| {
            seen += count;
            seen >= enough
        });
        at.unwrap_or(BINS - 1)
    }

    /// Whether the counts of the bins differ enough to say anything: a coefficient of variation of 2 or
    /// more, which is σ² ≥ 4 μ² and in whole numbers BINS · Σc² ≥ 5 (Σc)².
    fn has_a_pattern(&self, within: u64) -> bool {
        let bins = u128::try_from(BINS).unwrap_or_default();
        let squares: u128 = self
            .bins()
            .map(|count| u128::from(count) * u128::from(count))
            .sum();
        bins * squares >= 5 * u128::from(within) * u128::from(within)
    }

    fn bins(&self) -> impl Iterator<Item = u64> {
        std::iter::once(self.short).chain(self.longer.iter().map(|count| u64::from(*count)))
    }

    fn within(&self) -> u64 {
        self.bins().sum()
    }

    fn forget_half(&mut self) {
        self.short /= 2;
        self.beyond /= 2;
        self.longer.iter_mut().for_each(|count| *count /= 2);
    }
}

/// How often a function is called: a mean that forgets.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    per_second: f64,
    arrived: u32,
}

/// What a function counts as being called at least: once in the longest time anything is kept.
const RAREST_PER_SECOND: f64 = 1.0 / (4.0 * 60.0 * 60.0);
/// How much of the mean one period replaces.
const WEIGHT: f64 = 0.25;

impl Rate {
    /// An invocation came.
    pub(super) fn arrived(&mut self) {
        self.arrived = self.arrived.saturating_add(1);
    }

    /// A `period` is over.
    pub(super) fn settle(&mut self, period: Duration) {
        let seconds = period.as_secs_f64().max(f64::EPSILON);
        self.per_second += WEIGHT * (f64::from(self.arrived) / seconds - self.per_second);
        self.arrived = 0;
    }

    /// Invocations a second; those of the period that runs count, too.
    fn get(self, period: Duration) -> f64 {
        let now = WEIGHT * f64::from(self.arrived) / period.as_secs_f64().max(f64::EPSILON);
        (self.per_second + now).max(RAREST_PER_SECOND)
    }
}

impl State {
    /// What is lost, for each byte that is gained, by letting one idle instance go: the cold starts that
    /// will follow from it. One of several that idle is missed less.
    pub(super) fn worth_keeping(&self, cold_start: Duration, bytes: u64, period: Duration) -> f64 {
        let idle = u32::try_from(self.idle.len().max(1)).unwrap_or(u32::MAX);
        let mebibytes = f64::from(u32::try_from(bytes >> 20).unwrap_or(u32::MAX).max(1));
        cold_start.as_secs_f64() * self.rate.get(period) / mebibytes / f64::from(idle)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: KeepAlive = KeepAlive {
        least: minutes(5),
        most: minutes(240),
    };

    const fn minutes(count: u64) -> Duration {
        Duration::from_secs(60 * count)
    }

    fn after(times: impl IntoIterator<Item = Duration>) -> IdleTimes {
        let mut idle = IdleTimes::default();
        let mut now = Instant::now();
        for time in times {
            idle.quiet(now);
            now += time;
            idle.woken(now);
        }
        idle
    }

    #[test]
    fn a_function_called_every_half_hour_is_kept_a_little_longer() {
        let half_hourly = after(std::iter::repeat_n(minutes(30), 20));
        assert_eq!(half_hourly.keep_alive(BOUNDS), minutes(31) + minutes(31) / 10);
    }

    #[test]
    fn a_few_idle_times_and_short_ones_change_nothing() {
        assert_eq!(IdleTimes::default().keep_alive(BOUNDS), BOUNDS.least);
        assert_eq!(after([minutes(30); 7]).keep_alive(BOUNDS), BOUNDS.least);
        let busy = after(std::iter::repeat_n(Duration::from_millis(3), 10_000));
        assert_eq!(busy.keep_alive(BOUNDS), BOUNDS.least);
        assert!(busy.longer.is_empty());
    }

    #[test]
    fn without_a_pattern_or_beyond_all_bounds_the_least_holds() {
        let anything = after((0..480).map(|at| minutes(at % 240)));
        assert_eq!(anything.keep_alive(BOUNDS), BOUNDS.least);
        let daily = after(std::iter::repeat_n(minutes(24 * 60), 30).chain([minutes(30); 20]));
        assert_eq!(daily.keep_alive(BOUNDS), BOUNDS.least);
    }

    #[test]
    fn the_bounds_hold_whatever_was_learnt() {
        let hourly = after(std::iter::repeat_n(minutes(60), 20));
        let short = KeepAlive {
            least: minutes(1),
            most: minutes(10),
        };
        assert_eq!(hourly.keep_alive(short), minutes(10));
        let every_4_hours = after(std::iter::repeat_n(minutes(239), 20));
        assert_eq!(every_4_hours.keep_alive(BOUNDS), BOUNDS.most);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let habits = std::iter::repeat_n(minutes(60), 1000).chain(std::iter::repeat_n(minutes(8), 60_000));
        assert_eq!(
            after(habits).keep_alive(BOUNDS),
            minutes(9) + Duration::from_secs(54)
        );
    }

    #[test]
    fn the_instance_whose_loss_costs_least_is_worth_least() {
        let often = |calls| {
            let mut state = State::default();
            (0..calls).for_each(|_| state.rate.arrived());
            state.rate.settle(Duration::from_secs(10));
            state
        };
        let worth = |state: &State, cold_ms, mebibytes: u64| {
            state.worth_keeping(
                Duration::from_millis(cold_ms),
                mebibytes << 20,
                Duration::from_secs(10),
            )
        };
        assert!(worth(&often(100), 50, 50) > worth(&often(1), 50, 50));
        assert!(worth(&often(1), 500, 50) > worth(&often(1), 50, 50));
        assert!(worth(&often(1), 50, 20) > worth(&often(1), 50, 200));
        assert!(worth(&often(0), 50, 20) > 0.0);
        let mut many = often(1);
        many.idle = vec![(1, Instant::now()), (2, Instant::now())];
        assert!(worth(&many, 50, 50) < worth(&often(1), 50, 50));
    }

    proptest! {
        #[test]
        fn it_covers_99_of_100_idle_times_or_says_the_least(
            times in prop::collection::vec(0u64..300, 1..400),
        ) {
            let learnt = after(times.iter().map(|time| minutes(*time)));
            let keep = learnt.keep_alive(BOUNDS);
            prop_assert!(keep >= BOUNDS.least && keep <= BOUNDS.most);
            let within = times.iter().filter(|time| **time < 240);
            let covered = within.clone().filter(|time| minutes(**time) <= keep).count();
            prop_assert!(keep == BOUNDS.least || covered * 100 >= within.count() * 99);
        }
    }
}
