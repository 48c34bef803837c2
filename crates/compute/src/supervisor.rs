//! The engine's one background task: looks after backlogs, lets idle instances go, makes room.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use crate::host::Host;
use crate::pool::Pool;
use crate::registry::Registry;

/// How often pools with a backlog are looked at.
const BACKLOG_TICK: Duration = Duration::from_millis(10);
/// Idle instances are looked for so often within their keep-alive, at most.
const REAPS_PER_KEEP_ALIVE: u32 = 10;
const SHORTEST_REAP: Duration = Duration::from_millis(50);
const LONGEST_REAP: Duration = Duration::from_secs(30);
/// The window over which processors are seen to idle.
const CPU_WINDOW: Duration = Duration::from_millis(100);
/// Processors are idle when more than this part of their time is.
const IDLE_PERCENT: u64 = 15;

/// Runs until the engine stops. It fails in no way; a panic ends only this upkeep and is logged by its owner.
pub(crate) async fn run(host: Arc<Host>, registry: Arc<Registry>) {
    let reap_every = (host.keep_alive.least / REAPS_PER_KEEP_ALIVE).clamp(SHORTEST_REAP, LONGEST_REAP);
    let mut reap = tokio::time::interval(reap_every);
    let mut cpu = CpuWatch::default();
    let mut backlog = false;
    loop {
        tokio::select! {
            () = host.stop.cancelled() => return,
            _ = reap.tick() => reap_idle(reap_every, &registry),
            () = host.memory_wanted.notified() => make_room(reap_every, &registry),
            () = host.backlogs.arrived(), if !backlog => backlog = true,
            () = tokio::time::sleep(BACKLOG_TICK), if backlog => {
                cpu.look(&host);
                backlog = host.backlogs.tick(Instant::now());
            }
        }
    }
}

fn reap_idle(period: Duration, registry: &Registry) {
    let now = Instant::now();
    for pool in registry.all() {
        pool.reap(now, period);
    }
}

/// Lets go of the idle instance, of whatever function, that is worth least; of equals the one that has
/// been idle longest.
fn make_room(period: Duration, registry: &Registry) {
    let value = |pool: Arc<Pool>| Some((pool.eviction_cost(period)?, pool));
    let cheapest = registry
        .all()
        .into_iter()
        .filter_map(value)
        .min_by(|((one, since), _), ((other, after), _)| one.total_cmp(other).then(since.cmp(after)));
    if let Some((_value, pool)) = cheapest {
        pool.evict();
    }
}

/// Whether processors idle, from `/proc/stat`.
#[derive(Debug, Default)]
struct CpuWatch {
    last: Option<(Instant, CpuTimes)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CpuTimes {
    idle: u64,
    total: u64,
}

impl CpuWatch {
    fn look(&mut self, host: &Host) {
        let now = Instant::now();
        if self
            .last
            .is_some_and(|(at, _times)| now.duration_since(at) < CPU_WINDOW)
        {
            return;
        }
        let Some(times) = fs::read_to_string("/proc/stat")
            .ok()
            .and_then(|text| CpuTimes::parse(&text))
        else {
            return;
        };
        if let Some((_at, before)) = self.last {
            host.cores_idle.store(times.idle_since(before), Ordering::Relaxed);
        }
        self.last = Some((now, times));
    }
}

impl CpuTimes {
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
    fn idle_time_is_read_as_linux_prints_it() {
        let before = CpuTimes::parse("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\n").unwrap();
        assert_eq!(
            before,
            CpuTimes {
                idle: 800,
                total: 1000
            }
        );
        let at = |idle, total| CpuTimes {
            idle: before.idle + idle,
            total: before.total + total,
        };
        assert!(at(20, 100).idle_since(before));
        assert!(!at(10, 100).idle_since(before));
        assert!(!before.idle_since(before));
        assert_eq!(CpuTimes::parse("intr 1 2 3"), None);
    }
}
