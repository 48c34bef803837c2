//! How many batches of a mapping run at the same time ("Configuring scaling behavior for SQS event source
//! mappings"): five at first, up to 300 more a minute while the source has more than they take, fewer when
//! it is idle or the function is throttled.
//!
//! It is a plain struct that is told the time, so that it is tested without waiting.

use std::time::Duration;

use tradewind_model::Timestamp;

/// Batches at first, and again after the source was idle.
const INITIAL: u32 = 5;
/// What throttles leave.
const LEAST: u32 = 2;
/// Batches of one mapping, if nothing else bounds them.
pub(crate) const MOST: u32 = 1_000;
/// Growth by one: 300 a minute.
pub(crate) const STEP: Duration = Duration::from_millis(200);
const STEP_MS: i64 = 200;
/// How long the scale does not grow after a throttle.
const CALM_MS: i64 = 5_000;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    limit: u32,
    /// At first, and again after the source was idle.
    initial: u32,
    /// What throttles leave.
    least: u32,
    running: u32,
    /// Up to when growth has been counted.
    counted: Timestamp,
}

impl Scale {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            limit: INITIAL,
            initial: INITIAL,
            least: LEAST,
            running: 0,
            counted: now,
        }
    }

    /// Of a topic: so many pollers at first and at least.
    pub(crate) fn of_pollers(now: Timestamp, pollers: u32) -> Self {
        Self {
            limit: pollers,
            initial: pollers,
            least: pollers,
            running: 0,
            counted: now,
        }
    }

    /// So many pollers from now on; what a backlog gave stays until the source is idle.
    pub(crate) fn set_pollers(&mut self, pollers: u32) {
        self.initial = pollers;
        self.least = pollers;
        self.limit = self.limit.max(pollers);
    }

    /// Batches that may be started now, when at most `cap` run.
    pub(crate) fn room(&self, cap: u32) -> u32 {
        self.limit.min(cap).saturating_sub(self.running)
    }

    /// Batches that run.
    #[cfg(test)]
    pub(crate) fn running(&self) -> u32 {
        self.running
    }

    pub(crate) fn started(&mut self) {
        self.running += 1;
    }

    pub(crate) fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// Only from now on the source has more than the batches take.
    pub(crate) fn saturated(&mut self, now: Timestamp) {
        self.counted = self.counted.max(now);
    }

    /// It still has: grows with the time that went by, unless it is another bound that holds batches up.
    pub(crate) fn grow(&mut self, now: Timestamp) {
        if self.limit > self.running {
            self.counted = self.counted.max(now);
            return;
        }
        let steps = (now.as_millis() - self.counted.as_millis()).max(0) / STEP_MS;
        if steps > 0 {
            self.limit = self
                .limit
                .saturating_add(u32::try_from(steps).unwrap_or(MOST))
                .min(MOST);
            self.counted = self.counted.plus_millis(steps * STEP_MS);
        }
    }

    /// The source was empty for a while.
    pub(crate) fn idle(&mut self) {
        self.limit = self.limit.min(self.initial);
    }

    /// A batch found no room in the function's concurrency.
    pub(crate) fn throttled(&mut self, now: Timestamp) {
        self.limit = self.limit.min(self.running).saturating_sub(1).max(self.least);
        self.counted = now.plus_millis(CALM_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000);

    fn busy(scale: &mut Scale) {
        while scale.room(MOST) > 0 {
            scale.started();
        }
    }

    #[test]
    fn it_begins_with_five_and_grows_by_three_hundred_a_minute() {
        let mut scale = Scale::new(START);
        assert_eq!(scale.room(MOST), 5);
        busy(&mut scale);
        let later = START.plus_millis(3_600_000);
        scale.saturated(later);
        scale.grow(later);
        assert_eq!(scale.room(MOST), 0, "time before it was saturated does not count");
        for tick in 1..=600 {
            scale.grow(later.plus_millis(tick * 100));
            busy(&mut scale);
        }
        assert_eq!(scale.running(), 305);
        scale.grow(later.plus_millis(3_600_000));
        assert_eq!(scale.room(MOST), MOST - 305);
    }

    #[test]
    fn a_cap_holds_whatever_the_limit_is() {
        let mut scale = Scale::new(START);
        assert_eq!(scale.room(2), 2);
        busy(&mut scale);
        assert_eq!(scale.room(2), 0);
        scale.ended();
        assert_eq!(scale.room(2), 0);
        assert_eq!(scale.room(MOST), 1);
        scale.grow(START.plus_millis(3_600_000));
        assert_eq!(scale.room(MOST), 1, "it is not the limit that holds batches up");
    }

    #[test]
    fn throttles_shrink_it_to_two_and_keep_it_small_for_a_while() {
        let mut scale = Scale::new(START);
        busy(&mut scale);
        for _ in 0..10 {
            scale.throttled(START);
        }
        assert_eq!((scale.limit, scale.room(MOST)), (2, 0));
        (0..3).for_each(|_| scale.ended());
        scale.saturated(START);
        scale.grow(START.plus_millis(CALM_MS - 1));
        assert_eq!(scale.limit, 2);
        scale.grow(START.plus_millis(CALM_MS + STEP_MS));
        assert_eq!(scale.limit, 3);
    }

    #[test]
    fn pollers_change_while_it_runs() {
        let mut scale = Scale::of_pollers(START, 1);
        scale.set_pollers(4);
        assert_eq!(scale.room(MOST), 4);
        scale.throttled(START);
        assert_eq!(scale.room(MOST), 4);
        scale.set_pollers(2);
        assert_eq!(scale.room(MOST), 4, "not before it is idle");
        scale.idle();
        assert_eq!(scale.room(MOST), 2);
    }

    #[test]
    fn idleness_takes_back_what_a_backlog_gave() {
        let mut scale = Scale::new(START);
        busy(&mut scale);
        scale.grow(START.plus_millis(60_000));
        assert_eq!(scale.room(MOST), 300);
        scale.idle();
        (0..5).for_each(|_| scale.ended());
        assert_eq!(scale.room(MOST), 5);
    }
}
