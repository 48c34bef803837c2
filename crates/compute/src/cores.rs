//! Whether processors idle, from `/proc/stat`.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// The window over which processors are seen to idle.
pub(crate) const CPU_WINDOW: Duration = Duration::from_millis(100);
/// Processors are idle when more than this part of their time is.
const IDLE_PERCENT: u64 = 15;

/// Compares one look with the last.
#[derive(Debug, Default)]
pub(crate) struct CoreWatch {
    last: Option<(Instant, CoreTimes)>,
}

/// What the supervisor saw last, for all to ask. Until it has looked anew nothing idles.
#[derive(Debug, Default)]
pub(crate) struct CoreVerdict {
    idle: AtomicBool,
    outdated: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CoreTimes {
    idle: u64,
    total: u64,
}

impl CoreWatch {
    /// Whether processors idled since the last look. None at the first, when that was less than
    /// [`CPU_WINDOW`] ago, and where the system does not say.
    pub(crate) fn look(&mut self) -> Option<bool> {
        let now = Instant::now();
        if self
            .last
            .is_some_and(|(at, _times)| now.duration_since(at) < CPU_WINDOW)
        {
            return None;
        }
        let times = CoreTimes::parse(&fs::read_to_string("/proc/stat").ok()?)?;
        let (_at, before) = self.last.replace((now, times))?;
        Some(times.idle_since(before))
    }
}

impl CoreVerdict {
    /// Whether processors idle.
    pub(crate) fn idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed)
    }

    /// More work has come, or another instance for it: what was seen before says nothing.
    pub(crate) fn outdate(&self) {
        self.idle.store(false, Ordering::Relaxed);
        self.outdated.store(true, Ordering::Relaxed);
    }

    /// Looks, or begins to.
    pub(crate) fn renew(&self, watch: &mut CoreWatch) {
        if self.outdated.swap(false, Ordering::Relaxed) {
            *watch = CoreWatch::default();
        }
        if let Some(idle) = watch.look() {
            self.idle.store(idle, Ordering::Relaxed);
        }
    }
}

impl CoreTimes {
    /// The first line: `cpu  user nice system idle iowait irq softirq steal …`, in ticks.
    fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().next()?.strip_prefix("cpu ")?;
        // guest time, the ninth and tenth, is part of user time
        let ticks: Vec<u64> = line
            .split_whitespace()
            .take(8)
            .filter_map(|tick| tick.parse().ok())
            .collect();
        Some(Self {
            idle: ticks.get(3)? + ticks.get(4)?,
            total: ticks.iter().sum(),
        })
    }

    fn idle_since(self, before: Self) -> bool {
        let idle = self.idle.saturating_sub(before.idle);
        let total = self.total.saturating_sub(before.total);
        idle * 100 > total * IDLE_PERCENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_before_says_nothing() {
        let verdict = CoreVerdict::default();
        verdict.idle.store(true, Ordering::Relaxed);
        assert!(verdict.idle());
        verdict.outdate();
        assert!(!verdict.idle());
        let mut watch = CoreWatch {
            last: Some((Instant::now() - 10 * CPU_WINDOW, CoreTimes { idle: 0, total: 0 })),
        };
        verdict.renew(&mut watch);
        assert!(!verdict.idle(), "the look begins anew");
    }

    #[test]
    fn idle_time_is_read_as_linux_prints_it() {
        let before = CoreTimes::parse("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n").unwrap();
        assert_eq!(
            before,
            CoreTimes {
                idle: 800,
                total: 1000
            }
        );
        let at = |idle, total| CoreTimes {
            idle: before.idle + idle,
            total: before.total + total,
        };
        assert!(at(20, 100).idle_since(before));
        assert!(!at(10, 100).idle_since(before));
        assert!(!before.idle_since(before));
        assert_eq!(CoreTimes::parse("intr 1 2 3"), None);
    }
}
