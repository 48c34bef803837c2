//! The ledger: what is in the database after failures, crashes and a long time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tradewind_model::{Clock, Timestamp};
use tradewind_store::{Batch, Database, DatabaseError};

use super::*;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// 2026-11-21T00:00:00Z, the start of a day.
const START: i64 = 1_795_219_200_000;
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:orders";

struct World {
    database: Database,
    clock: Clock,
    usage: UsageSink,
    meter: Meter,
    ledger: Ledger,
    /// How often it was asked for stacks.
    asked: Arc<AtomicUsize>,
}

impl World {
    async fn new() -> Self {
        let database = Database::in_memory_for_tests(&[MIGRATIONS]);
        Self::over(database, Clock::manual(Timestamp::from_millis(START))).await
    }

    /// A node over what another left.
    async fn over(database: Database, clock: Clock) -> Self {
        let (usage, meter) = (UsageSink::default(), Meter::default());
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let config = LedgerConfig {
            database: database.clone(),
            clock: clock.clone(),
            usage: usage.clone(),
            meter: meter.clone(),
            stacks_of: Arc::new(move |resources: Vec<String>| {
                counted.fetch_add(1, Ordering::Relaxed);
                let carts = resources
                    .into_iter()
                    .filter(|resource| resource.ends_with(":cart"));
                let owners = carts.map(|cart| (cart, "shop".to_owned())).collect();
                Box::pin(async move { owners })
            }),
        };
        let ledger = Ledger::open(config).await.unwrap();
        Self {
            database,
            clock,
            usage,
            meter,
            ledger,
            asked,
        }
    }

    fn invoke(&self, function: &str) {
        self.usage.record(UsageRecord {
            function: format!("arn:aws:lambda:us-east-1:000000000000:function:{function}").into(),
            version: "$LATEST".into(),
            request_id: "r".into(),
            started: self.clock.now(),
            init: None,
            duration: Duration::from_micros(1_500),
            billed_ms: 2,
            memory_mib: 128,
            peak_memory_bytes: 5,
            cpu: Duration::from_micros(700),
            bytes_in: 3,
            bytes_out: 4,
            status: UsageStatus::Success,
        });
    }

    async fn used(&self, from: i64, until: i64) -> Vec<Used> {
        let at = Timestamp::from_millis;
        self.ledger.used(at(from), at(until)).await.unwrap()
    }

    /// Invocations of all functions and requests to all queues, of all time.
    async fn both(&self) -> (u64, u64) {
        let used = self.used(0, i64::MAX).await;
        (
            used.iter().map(|used| used.totals.invocations).sum(),
            used.iter()
                .filter(|used| used.item == "sqs.requests")
                .map(|used| used.quantity)
                .sum(),
        )
    }

    async fn buckets(&self, span: i64) -> i64 {
        let sql = "SELECT (SELECT COUNT(*) FROM usage_functions WHERE span = $1) +
            (SELECT COUNT(*) FROM usage_counts WHERE span = $1)";
        let rows = self.database.read(sql, vec![span.into()]).await.unwrap();
        rows[0].integer(0).unwrap()
    }
}

#[tokio::test]
async fn usage_is_kept_by_minute_function_and_stack() {
    let world = World::new().await;
    world.invoke("cart");
    world.invoke("cart");
    world.meter.count(Metered::SqsRequests, QUEUE, 3);
    world.ledger.flush().await.unwrap();
    world.clock.advance_millis(MINUTE);
    world.invoke("cart");
    world.invoke("pay");
    world.ledger.flush().await.unwrap();
    world.ledger.flush().await.unwrap();
    let first = world.used(START, START + MINUTE).await;
    let cart = first.iter().find(|used| used.item == "lambda").unwrap();
    assert_eq!((cart.totals.invocations, cart.totals.billed_mib_ms), (2, 4 * 128));
    assert_eq!(
        (cart.owner.stack.as_deref(), cart.memory_mib),
        (Some("shop"), 128)
    );
    let queue = first.iter().find(|used| used.item == "sqs.requests").unwrap();
    assert_eq!((&*queue.owner.resource, queue.quantity), (QUEUE, 3));
    assert_eq!(first.len(), 2);
    assert_eq!(world.used(START + MINUTE, START + 2 * MINUTE).await.len(), 2);
    assert_eq!(world.both().await, (4, 3));
    assert_eq!(
        world.ledger.begins().await.unwrap(),
        Some(Timestamp::from_millis(START))
    );
}

#[tokio::test]
async fn whose_resources_are_is_asked_for_all_at_once_and_again_only_for_nobodys() {
    let world = World::new().await;
    let asked = || world.asked.load(Ordering::Relaxed);
    world.ledger.keep().await.unwrap();
    for function in ["cart", "pay", "stock"] {
        world.invoke(function);
    }
    world.ledger.keep().await.unwrap();
    assert_eq!(asked(), 1);
    world.invoke("cart");
    world.invoke("pay");
    world.ledger.keep().await.unwrap();
    assert_eq!(asked(), 1);
    world.clock.advance_millis(60 * MINUTE);
    world.ledger.keep().await.unwrap();
    world.invoke("cart");
    world.ledger.keep().await.unwrap();
    assert_eq!(asked(), 1, "a stack's stays its own");
    world.invoke("pay");
    world.ledger.keep().await.unwrap();
    assert_eq!(asked(), 2);
    assert_eq!(world.both().await.0, 7);
}

/// What may become of a flush.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    /// Written, but who waits is told that it failed.
    AnswerLost,
    NotWritten,
    /// Written, and who waits goes away meanwhile.
    Abandoned,
    /// Not written, and who waits goes away.
    NeverBegun,
}

const FATES: [Fate; 5] = [
    Fate::Answered,
    Fate::AnswerLost,
    Fate::NotWritten,
    Fate::Abandoned,
    Fate::NeverBegun,
];

async fn write(database: Database, batch: Batch, fate: Fate) -> Result<(), DatabaseError> {
    if !matches!(fate, Fate::NotWritten | Fate::NeverBegun) {
        database.write(batch).await?;
    }
    match fate {
        Fate::Answered => Ok(()),
        Fate::AnswerLost | Fate::NotWritten => Err(DatabaseError::DiskFull),
        Fate::Abandoned | Fate::NeverBegun => std::future::pending().await,
    }
}

#[tokio::test]
async fn whatever_becomes_of_flushes_all_is_written_once() {
    let fates = || FATES.into_iter();
    for (first, second, third) in
        fates().flat_map(|a| fates().flat_map(move |b| fates().map(move |c| (a, b, c))))
    {
        let world = World::new().await;
        for fate in [first, second, third, Fate::Answered] {
            world.invoke("cart");
            world.meter.count(Metered::SqsRequests, QUEUE, 1);
            let begun = AtomicUsize::new(0);
            let flush = world.ledger.flush_by(|batch| {
                begun.fetch_add(1, Ordering::Relaxed);
                write(world.database.clone(), batch, fate)
            });
            let abandoned = async {
                // when the batch is handed over and nothing more happens: a read of what it left comes after it
                while begun.load(Ordering::Relaxed) == 0 {
                    tokio::task::yield_now().await;
                }
                drop(world.database.write(Batch::new()).await);
                drop(world.database.write(Batch::new()).await);
            };
            tokio::select! {
                biased;
                _outcome = flush => {}
                () = abandoned, if matches!(fate, Fate::Abandoned | Fate::NeverBegun) => {}
            }
        }
        assert_eq!(world.both().await, (4, 4), "{first:?}, {second:?}, {third:?}");
    }
}

#[tokio::test]
async fn a_node_that_dies_loses_what_was_not_flushed_and_doubles_nothing() {
    for fate in FATES {
        let world = World::new().await;
        world.invoke("cart");
        world.ledger.flush().await.unwrap();
        world.invoke("cart");
        let flush = world
            .ledger
            .flush_by(|batch| write(world.database.clone(), batch, fate));
        // whatever it was told, this node knows nothing any more
        drop(tokio::time::timeout(Duration::from_millis(50), flush).await);
        let next = World::over(world.database.clone(), world.clock.clone()).await;
        let kept = next.both().await.0;
        let lost = matches!(fate, Fate::NotWritten | Fate::NeverBegun);
        assert_eq!(kept, if lost { 1 } else { 2 }, "{fate:?}");
        next.invoke("cart");
        next.ledger.flush().await.unwrap();
        assert_eq!(next.both().await.0, kept + 1, "{fate:?}");
    }
}

#[tokio::test]
async fn old_buckets_become_hours_then_days_then_nothing() {
    let world = World::new().await;
    let mut expected = 0;
    for _ in 0..90 {
        world.invoke("cart");
        world.meter.count(Metered::SqsRequests, QUEUE, 1);
        world.ledger.flush().await.unwrap();
        world.clock.advance_millis(MINUTE);
        expected += 1;
    }
    assert_eq!(world.buckets(1).await, 180);
    world.clock.advance_millis(3 * DAY);
    world.ledger.roll_up().await.unwrap();
    assert_eq!((world.buckets(1).await, world.buckets(60).await), (60, 2));
    world.clock.advance_millis(60 * MINUTE);
    world.ledger.roll_up().await.unwrap();
    assert_eq!((world.buckets(1).await, world.buckets(60).await), (0, 4));
    assert_eq!(world.both().await, (expected, expected));
    let first_hour = world.used(START, START + 60 * MINUTE).await;
    assert_eq!(
        first_hour.iter().map(|used| used.totals.invocations).sum::<u64>(),
        60
    );
    world.clock.advance_millis(65 * DAY);
    world.ledger.roll_up().await.unwrap();
    assert_eq!((world.buckets(60).await, world.buckets(1440).await), (0, 2));
    assert_eq!(world.both().await, (expected, expected));
    // a series that is known and used again
    world.invoke("cart");
    world.ledger.flush().await.unwrap();
    assert_eq!(world.both().await.0, expected + 1);
    world.clock.advance_millis(340 * DAY);
    world.ledger.roll_up().await.unwrap();
    assert_eq!(world.both().await, (1, 0));
    world.meter.count(Metered::SqsRequests, QUEUE, 1);
    world.ledger.flush().await.unwrap();
    assert_eq!(world.both().await, (1, 1));
}

#[tokio::test]
async fn more_than_a_flush_takes_is_written_all_the_same() {
    let world = World::new().await;
    for number in 0..5_000 {
        world.invoke(&format!("f{number}"));
    }
    world.ledger.flush().await.unwrap();
    assert_eq!(world.both().await.0, 5_000);
}

#[test]
fn counters_are_taken_once_and_are_bounded() {
    let meter = Meter::default();
    let held = meter.counter(Metered::HttpApiRequests, "a");
    for number in 0..40_000 {
        meter.count(Metered::S3Reads, &number.to_string(), 1);
    }
    held.add(2);
    let taken = meter.take();
    let sum: u64 = taken.iter().map(|counted| counted.quantity).sum();
    assert_eq!(sum, 40_002);
    assert!(taken.len() < 17_000, "{}", taken.len());
    assert_eq!(meter.take(), Vec::new());
    held.add(1);
    assert_eq!(meter.take().len(), 1);
}

#[test]
fn what_is_too_long_for_an_arn_is_counted_for_nobody() {
    let meter = Meter::default();
    meter.count(Metered::S3Reads, &"a".repeat(2049), 1);
    let taken = meter.take();
    assert_eq!((&*taken[0].resource, taken[0].quantity), ("", 1));
}

#[test]
fn each_begun_64_kib_is_a_unit() {
    let units = [0, 1, 65_536, 65_537, 262_144].map(units_of_64_kib);
    assert_eq!(units, [1, 1, 1, 2, 4]);
}

/// Prints what counting costs: `cargo test --release -p tradewind-observe cost_of_a_count -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn cost_of_a_count() {
    let meter = Meter::default();
    let begun = std::time::Instant::now();
    for _ in 0..1_000_000 {
        meter.count(Metered::SqsRequests, QUEUE, 1);
    }
    eprintln!("{} ns a count", begun.elapsed().as_nanos() / 1_000_000);
}
