//! What was used: one record for each invocation, gathered off the hot path into totals.
//!
//! A [`UsageSink`] takes records into a bounded list: one short lock, no formatting, no waiting. When
//! the list is full, records are dropped and counted. [`UsageSink::run`] folds what came into totals
//! per function version, once a second or when the list is half full; so does [`UsageSink::totals`]. What is not
//! an invocation is counted by a [`Meter`]. A [`Ledger`] takes both into the database, a minute a bucket.
//!
//! # Invariants
//! - [`UsageSink::record`] never waits for anything but another record.
//! - A record is in the totals exactly once, or counted as dropped.
//! - A record is in one bucket of the ledger at most, and is lost only if the node dies within a second or two.

mod ledger;
mod meter;
mod tables;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tradewind_model::Timestamp;

pub use self::ledger::{DROPPED, Ledger, LedgerConfig, Owner, Owners, StacksOf, Used};
pub use self::meter::{Counted, Counter, Meter, Metered, units_of_64_kib};
pub use self::tables::MIGRATIONS;

/// Records that may wait for the fold.
const MAX_PENDING: usize = 16 * 1024;
/// How long they wait at most while [`UsageSink::run`] runs.
const FOLD_EVERY: Duration = Duration::from_secs(1);
/// Function versions that have totals; records of further ones are dropped.
const MAX_FUNCTIONS: usize = 64 * 1024;
/// Buckets that may wait for the database.
const MAX_BUCKETS: usize = 64 * 1024;

/// What one invocation used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRecord {
    /// The function's ARN without its version.
    pub function: Arc<str>,
    /// `$LATEST` or the version that ran.
    pub version: Arc<str>,
    /// The invocation.
    pub request_id: Arc<str>,
    /// When it began.
    pub started: Timestamp,
    /// The initialisation before it, if it is the first of its instance: a cold start.
    pub init: Option<Duration>,
    /// How long it ran.
    pub duration: Duration,
    /// What it is billed: initialisation and run, in milliseconds, rounded up.
    pub billed_ms: u64,
    /// The function's memory.
    pub memory_mib: u32,
    /// The most its instance was seen to use.
    pub peak_memory_bytes: u64,
    /// Processor time of its instance since the last record that has some. Instances are measured now
    /// and then, so that most quick invocations have none and the next one has theirs, too.
    pub cpu: Duration,
    /// Size of the event.
    pub bytes_in: u64,
    /// Size of the answer.
    pub bytes_out: u64,
    /// How it ended.
    pub status: UsageStatus,
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsageStatus {
    /// The function answered.
    Success,
    /// The function reported an error, or crashed.
    Error,
    /// Its timeout passed.
    Timeout,
}

/// What the invocations of a function version used together since the node started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UsageTotals {
    /// Invocations that ran.
    pub invocations: u64,
    /// Those that ended in an error, timeouts included.
    pub errors: u64,
    /// Those that ended in a timeout.
    pub timeouts: u64,
    /// Those that were the first of their instance.
    pub cold_starts: u64,
    /// Initialisation, in microseconds.
    pub init_us: u64,
    /// Run time, in microseconds.
    pub duration_us: u64,
    /// Billed time, in milliseconds.
    pub billed_ms: u64,
    /// Billed time by memory, in MiB-milliseconds; 1,024,000 of them are a GB-second.
    pub billed_mib_ms: u64,
    /// The most an instance was seen to use.
    pub peak_memory_bytes: u64,
    /// Processor time, in microseconds.
    pub cpu_us: u64,
    /// Events.
    pub bytes_in: u64,
    /// Answers.
    pub bytes_out: u64,
}

/// One function version's totals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionUsage {
    /// The function's ARN without its version.
    pub function: Arc<str>,
    /// The version.
    pub version: Arc<str>,
    /// What it used.
    pub totals: UsageTotals,
}

/// Takes records and keeps totals. A cheap handle.
#[derive(Clone, Debug, Default)]
pub struct UsageSink(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Vec<UsageRecord>>,
    /// The list is half full.
    half_full: Notify,
    dropped: AtomicU64,
    totals: Mutex<Totals>,
    /// A ledger takes the buckets.
    kept: AtomicBool,
}

/// What the invocations of one minute are kept by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BucketKey {
    /// Minutes since the epoch in which they began.
    pub(crate) minute: i64,
    pub(crate) function: Arc<str>,
    pub(crate) version: Arc<str>,
    pub(crate) memory_mib: u32,
}

#[derive(Debug, Default)]
struct Totals {
    of: HashMap<(Arc<str>, Arc<str>), UsageTotals>,
    /// What the ledger has not taken yet.
    buckets: HashMap<BucketKey, UsageTotals>,
    /// The list that is not in use, to be filled next.
    spare: Vec<UsageRecord>,
}

impl UsageSink {
    /// Takes a record, or drops it when too many wait.
    pub fn record(&self, record: UsageRecord) {
        let waiting = {
            let mut pending = lock(&self.0.pending);
            if pending.len() < MAX_PENDING {
                pending.push(record);
            } else {
                self.0.dropped.fetch_add(1, Ordering::Relaxed);
            }
            pending.len()
        };
        if waiting == MAX_PENDING / 2 {
            self.0.half_full.notify_one();
        }
    }

    /// Folds records until it is dropped.
    ///
    /// # Cancel safety
    /// No record is lost with the future.
    pub async fn run(&self) {
        loop {
            // either way there is something to fold, or nothing happened
            drop(tokio::time::timeout(FOLD_EVERY, self.0.half_full.notified()).await);
            self.fold();
        }
    }

    /// What was used since the start, by function and version.
    #[must_use]
    pub fn totals(&self) -> Vec<FunctionUsage> {
        self.fold();
        let totals = lock(&self.0.totals);
        let mut all: Vec<FunctionUsage> = totals
            .of
            .iter()
            .map(|((function, version), totals)| FunctionUsage {
                function: Arc::clone(function),
                version: Arc::clone(version),
                totals: totals.clone(),
            })
            .collect();
        all.sort_by(|a, b| (&a.function, &a.version).cmp(&(&b.function, &b.version)));
        all
    }

    /// Records that are in no total.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// From now on records are gathered for a ledger, too.
    pub(crate) fn keep(&self) {
        self.0.kept.store(true, Ordering::Relaxed);
    }

    /// What was gathered for the ledger since it last took it.
    pub(crate) fn take_buckets(&self) -> HashMap<BucketKey, UsageTotals> {
        self.fold();
        std::mem::take(&mut lock(&self.0.totals).buckets)
    }

    fn fold(&self) {
        let kept = self.0.kept.load(Ordering::Relaxed);
        let mut totals = lock(&self.0.totals);
        let spare = std::mem::take(&mut totals.spare);
        let mut records = std::mem::replace(&mut *lock(&self.0.pending), spare);
        for record in records.drain(..) {
            if !totals.add(&record, kept) {
                self.0.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
        totals.spare = records;
    }
}

impl Totals {
    /// Whether there was room for it.
    fn add(&mut self, record: &UsageRecord, kept: bool) -> bool {
        let key = (Arc::clone(&record.function), Arc::clone(&record.version));
        if self.of.len() >= MAX_FUNCTIONS && !self.of.contains_key(&key) {
            return false;
        }
        if kept && !self.keep(record) {
            return false;
        }
        self.of.entry(key).or_default().add(record);
        true
    }

    fn keep(&mut self, record: &UsageRecord) -> bool {
        let key = BucketKey::of(record);
        if self.buckets.len() >= MAX_BUCKETS && !self.buckets.contains_key(&key) {
            return false;
        }
        self.buckets.entry(key).or_default().add(record);
        true
    }
}

impl BucketKey {
    fn of(record: &UsageRecord) -> Self {
        Self {
            minute: record.started.as_millis().div_euclid(60_000),
            function: Arc::clone(&record.function),
            version: Arc::clone(&record.version),
            memory_mib: record.memory_mib,
        }
    }
}

impl UsageTotals {
    fn add(&mut self, record: &UsageRecord) {
        self.invocations += 1;
        self.errors += u64::from(record.status != UsageStatus::Success);
        self.timeouts += u64::from(record.status == UsageStatus::Timeout);
        self.cold_starts += u64::from(record.init.is_some());
        self.init_us += micros(record.init.unwrap_or_default());
        self.duration_us += micros(record.duration);
        self.billed_ms += record.billed_ms;
        self.billed_mib_ms += record.billed_ms * u64::from(record.memory_mib);
        self.peak_memory_bytes = self.peak_memory_bytes.max(record.peak_memory_bytes);
        self.cpu_us += micros(record.cpu);
        self.bytes_in += record.bytes_in;
        self.bytes_out += record.bytes_out;
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod sink_tests {
    use super::*;

    fn record(function: &str) -> UsageRecord {
        UsageRecord {
            function: function.into(),
            version: "$LATEST".into(),
            request_id: "r".into(),
            started: Timestamp::from_millis(0),
            init: None,
            duration: Duration::from_micros(1_500),
            billed_ms: 2,
            memory_mib: 128,
            peak_memory_bytes: 5,
            cpu: Duration::from_micros(700),
            bytes_in: 3,
            bytes_out: 4,
            status: UsageStatus::Success,
        }
    }

    #[test]
    fn totals_are_the_sum_of_the_records() {
        let sink = UsageSink::default();
        sink.record(record("b"));
        sink.record(UsageRecord {
            init: Some(Duration::from_millis(20)),
            billed_ms: 22,
            peak_memory_bytes: 9,
            status: UsageStatus::Timeout,
            ..record("b")
        });
        sink.record(record("a"));
        let all = sink.totals();
        assert_eq!(all.len(), 2);
        let expected = UsageTotals {
            invocations: 2,
            errors: 1,
            timeouts: 1,
            cold_starts: 1,
            init_us: 20_000,
            duration_us: 3_000,
            billed_ms: 24,
            billed_mib_ms: 24 * 128,
            peak_memory_bytes: 9,
            cpu_us: 1_400,
            bytes_in: 6,
            bytes_out: 8,
        };
        assert_eq!((&*all[1].function, &all[1].totals), ("b", &expected));
        assert_eq!(sink.totals(), all);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let sink = UsageSink::default();
        for _ in 0..MAX_PENDING + 7 {
            sink.record(record("a"));
        }
        assert_eq!(sink.dropped(), 7);
        let folded = sink.totals()[0].totals.invocations;
        assert_eq!(folded, u64::try_from(MAX_PENDING).unwrap());
    }

    #[tokio::test]
    async fn records_are_folded_while_it_runs() {
        let sink = UsageSink::default();
        let folded = async {
            for _ in 0..3 * MAX_PENDING {
                sink.record(record("a"));
                if lock(&sink.0.pending).len() == MAX_PENDING - 1 {
                    while !lock(&sink.0.pending).is_empty() {
                        tokio::task::yield_now().await;
                    }
                }
            }
        };
        tokio::select! {
            () = sink.run() => {}
            () = folded => {}
        }
        assert_eq!(sink.dropped(), 0);
    }

    /// Prints what a record costs: `cargo test --release -p tradewind-observe usage -- --ignored --nocapture`
    #[test]
    #[ignore = "a measurement"]
    fn cost_of_a_record() {
        let sink = UsageSink::default();
        let record = record("a");
        let mut spent = Duration::ZERO;
        for _ in 0..100 {
            let begun = std::time::Instant::now();
            for _ in 0..10_000 {
                sink.record(record.clone());
            }
            spent += begun.elapsed();
            sink.fold();
        }
        eprintln!("{} ns a record", spent.as_nanos() / 1_000_000);
    }
}
