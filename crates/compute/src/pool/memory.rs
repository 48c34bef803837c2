//! The memory that instances may use together, and what each is seen to use.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::sandbox::ProcessUsage;

/// What an instance is taken to need before one of its kind was measured.
pub(crate) const UNKNOWN_BYTES: u64 = 48 * 1024 * 1024;
/// The budget where the machine does not say what it has.
const FALLBACK_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// How often one instance is measured at most: reading it costs more than an invocation.
const MEASURE_EVERY: Duration = Duration::from_secs(1);

/// What all instances of the node may use.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    limit_bytes: u64,
    claimed_bytes: AtomicU64,
}

/// One instance's share, given back when dropped.
#[derive(Debug)]
pub(crate) struct MemoryClaim {
    budget: Arc<MemoryBudget>,
    bytes: u64,
}

impl MemoryBudget {
    /// `limit_bytes`, or three quarters of the machine's memory.
    pub(crate) fn new(limit_bytes: Option<u64>) -> Arc<Self> {
        let limit_bytes = limit_bytes.unwrap_or_else(|| machine_bytes().unwrap_or(FALLBACK_BYTES) / 4 * 3);
        Arc::new(Self {
            limit_bytes,
            claimed_bytes: AtomicU64::new(0),
        })
    }

    /// What all instances together may use.
    pub(crate) fn limit_bytes(&self) -> u64 {
        self.limit_bytes
    }

    /// Claims what an instance like those measured before needs, if that is left.
    pub(crate) fn claim(self: &Arc<Self>, measured_bytes: Option<u64>) -> Option<MemoryClaim> {
        let bytes = measured_bytes.unwrap_or(UNKNOWN_BYTES);
        let fits = |claimed: u64| {
            let after = claimed.saturating_add(bytes);
            // one instance may always run: a budget that is too small must not mean none at all
            (claimed == 0 || after <= self.limit_bytes).then_some(after)
        };
        self.claimed_bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .ok()?;
        Some(MemoryClaim {
            budget: Arc::clone(self),
            bytes,
        })
    }
}

impl MemoryClaim {
    /// Corrects the claim to what was measured.
    fn set(&mut self, bytes: u64) {
        self.budget.claimed_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.budget.claimed_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
    }
}

impl Drop for MemoryClaim {
    fn drop(&mut self) {
        self.budget.claimed_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The memory of one instance, measured now and then.
#[derive(Debug)]
pub(crate) struct MemoryMeter {
    claim: MemoryClaim,
    peak_bytes: u64,
    cpu: Duration,
    /// What of `cpu` is in a usage record.
    cpu_told: Duration,
    measured: Option<Instant>,
}

impl MemoryMeter {
    pub(crate) fn new(claim: MemoryClaim) -> Self {
        Self {
            claim,
            peak_bytes: 0,
            cpu: Duration::ZERO,
            cpu_told: Duration::ZERO,
            measured: None,
        }
    }

    /// Takes what `usage` says, unless that was done lately. True when it was.
    pub(crate) fn measure(&mut self, usage: impl FnOnce() -> Option<ProcessUsage>, now: Instant) -> bool {
        if self
            .measured
            .is_some_and(|last| now.duration_since(last) < MEASURE_EVERY)
        {
            return false;
        }
        self.measured = Some(now);
        let Some(usage) = usage() else { return false };
        self.peak_bytes = self.peak_bytes.max(usage.peak_bytes);
        self.claim.set(usage.memory_bytes);
        self.cpu = usage.cpu;
        true
    }

    /// Processor time that was measured and not taken yet.
    pub(crate) fn take_cpu(&mut self) -> Duration {
        let cpu = self.cpu.saturating_sub(self.cpu_told);
        self.cpu_told = self.cpu;
        cpu
    }

    /// It is known to have used so much, whatever was measured.
    pub(crate) fn reached(&mut self, bytes: u64) {
        self.peak_bytes = self.peak_bytes.max(bytes);
    }

    /// The most it was seen to use.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.peak_bytes
    }
}

fn machine_bytes() -> Option<u64> {
    kilobytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:")
}

/// The value of a `Name:   123 kB` line, in bytes.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = value.trim().trim_end_matches("kB").trim_end().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_bounded_and_given_back() {
        let budget = MemoryBudget::new(Some(100));
        let first = budget.claim(Some(60)).unwrap();
        assert!(budget.claim(Some(60)).is_none());
        let second = budget.claim(Some(40)).unwrap();
        drop(first);
        assert!(budget.claim(Some(60)).is_some());
        drop(second);
    }

    #[test]
    fn a_budget_that_is_too_small_still_runs_one() {
        let budget = MemoryBudget::new(Some(1));
        let only = budget.claim(None).unwrap();
        assert!(budget.claim(Some(1)).is_none());
        drop(only);
        assert!(budget.claim(None).is_some());
    }

    #[test]
    fn measured_use_corrects_the_claim() {
        let budget = MemoryBudget::new(Some(100));
        let mut claim = budget.claim(Some(90)).unwrap();
        claim.set(10);
        assert!(budget.claim(Some(90)).is_some());
    }
}
