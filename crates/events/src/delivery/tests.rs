//! Deliveries in simulated time, to targets that do what the test says.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tradewind_model::{Arn, Clock, Timestamp};
use tradewind_store::queue::{MIGRATIONS, NewMessage, QueueId, QueueSettings, Queues};
use tradewind_store::{Batch, Database};

use super::*;

mod in_order;
mod rate;

use crate::{Message, Receiver, Router, Routing, Undeliverable};

const DEAD_LETTERS: &str = "arn:aws:sqs:us-east-1:000000000000:dead";
const PATIENCE: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(15);

/// A queue that takes dead letters; a batch with one fails if the test wants it.
#[derive(Debug)]
struct Queue(Queues, Arc<AtomicBool>);

impl Receiver for Queue {
    fn find(&self, _target: &Arn) -> Result<(), Undeliverable> {
        Ok(())
    }
    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        let body = message.body.to_vec();
        routing.add(|batch| {
            let batch = match self.1.load(Ordering::Relaxed) {
                true => batch.require("DELETE FROM queue_messages WHERE sequence = -1", vec![], 1),
                false => batch,
            };
            let message = NewMessage {
                body,
                ..NewMessage::default()
            };
            self.0
                .send_within(batch, &QueueId::new(&target.to_string()), message)
        });
        Ok(())
    }
}

/// Says what it was asked to deliver, and answers what the test wants.
#[derive(Debug)]
struct Target {
    attempts: mpsc::Sender<Delivery>,
    outcomes: Mutex<BTreeMap<String, Outcome>>,
    /// Lanes whose name begins with `slow` wait for it.
    gate: Semaphore,
    /// Attempts whose additions were committed.
    committed: Arc<AtomicU32>,
    /// No dead letter can be written.
    fails: Arc<AtomicBool>,
}

#[async_trait::async_trait]
impl Deliverer for Target {
    fn time_limit(&self) -> Duration {
        LIMIT
    }
    async fn deliver(&self, delivery: &Delivery, routing: &mut Routing) -> Outcome {
        let (committed, attempt) = (Arc::clone(&self.committed), delivery.attempt);
        routing.add(|batch| {
            batch.after_commit(move || {
                committed.fetch_add(attempt, Ordering::SeqCst);
            })
        });
        self.attempts.send(delivery.clone()).await.unwrap();
        if delivery.lane.key().starts_with("slow") {
            self.gate.acquire().await.unwrap().forget();
        }
        let outcomes = self.outcomes.lock().unwrap();
        let outcome = outcomes.get(delivery.lane.key());
        outcome.cloned().unwrap_or(Outcome::Done)
    }
    async fn deliver_in_order(&self, deliveries: &[Delivery]) -> Vec<Outcome> {
        for delivery in deliveries {
            self.attempts.send(delivery.clone()).await.unwrap();
        }
        let panics = |delivery: &Delivery| delivery.attempt == 1 && delivery.payload == "panic";
        assert!(!deliveries.iter().any(panics), "as the test wants it");
        if deliveries[0].lane.key().starts_with("slow") {
            self.gate.acquire().await.unwrap().forget();
        }
        let outcomes = self.outcomes.lock().unwrap();
        let outcome = |delivery: &Delivery| outcomes.get(str::from_utf8(&delivery.payload).unwrap());
        deliveries
            .iter()
            .map(|delivery| outcome(delivery).cloned().unwrap_or(Outcome::Done))
            .collect()
    }
    fn dead_letter(&self, delivery: &Delivery, death: &Death) -> Option<Message> {
        let payload = String::from_utf8_lossy(&delivery.payload).into_owned();
        let Death { code, attempts, .. } = death;
        let body = format!("{payload}: {code} after {attempts}, {:?}", death.exhausted);
        Some(Message {
            body: body.into(),
            ..Message::default()
        })
    }
}

struct World {
    database: Database,
    queues: Queues,
    clock: Clock,
    deliveries: Deliveries,
    target: Arc<Target>,
    attempts: mpsc::Receiver<Delivery>,
    running: JoinSet<()>,
}

fn settings() -> LaneSettings {
    LaneSettings {
        retry: RetryPolicy {
            attempts: 3,
            age: None,
            backoff: Backoff::Exponential {
                min: Duration::from_secs(10),
                max: Duration::from_secs(60),
            },
        },
        dead_letter: Some(DEAD_LETTERS.parse().unwrap()),
        concurrency: 2,
        rate: None,
        in_order: None,
    }
}

fn lane(name: &str) -> LaneId {
    LaneId::new("test", name)
}

fn start(
    database: &Database,
    queues: &Queues,
    clock: &Clock,
) -> (Deliveries, Arc<Target>, mpsc::Receiver<Delivery>) {
    let (router, fails) = (Router::new(), Arc::<AtomicBool>::default());
    router.connect("sqs", Arc::new(Queue(queues.clone(), Arc::clone(&fails))));
    let deliveries = Deliveries::new(DeliveriesConfig {
        database: database.clone(),
        queues: queues.clone(),
        router,
        clock: clock.clone(),
        jitter: Jitter::fixed(1.0),
    });
    let (sender, attempts) = mpsc::channel(1000);
    let target = Arc::new(Target {
        attempts: sender,
        outcomes: Mutex::default(),
        gate: Semaphore::new(0),
        committed: Arc::default(),
        fails,
    });
    deliveries.connect("test", Arc::clone(&target) as Arc<dyn Deliverer>);
    (deliveries, target, attempts)
}

impl World {
    async fn new() -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let database = Database::in_memory_for_tests(&[MIGRATIONS]);
        let queues = Queues::new(database.clone(), clock.clone());
        let dead = QueueId::new(DEAD_LETTERS);
        queues.create(&dead, &QueueSettings::standard()).await.unwrap();
        let (deliveries, target, attempts) = start(&database, &queues, &clock);
        let mut world = Self {
            database,
            queues,
            clock,
            deliveries,
            target,
            attempts,
            running: JoinSet::new(),
        };
        world.run();
        world
    }

    fn run(&mut self) {
        let deliveries = self.deliveries.clone();
        self.running
            .spawn(async move { deliveries.run(CancellationToken::new()).await });
    }

    /// As `kill -9` and a new start.
    async fn crash(&mut self) {
        self.running.shutdown().await;
        (self.deliveries, self.target, self.attempts) = start(&self.database, &self.queues, &self.clock);
        self.run();
    }

    async fn open(&self, name: &str) {
        self.deliveries.open(&lane(name), settings()).await.unwrap();
    }

    async fn owe(&self, name: &str, payload: &str) {
        let mut routing = Routing::new(Batch::new());
        self.deliveries.owe(
            &mut routing,
            &lane(name),
            Bytes::copy_from_slice(payload.as_bytes()),
        );
        self.database.write(routing.into_batch()).await.unwrap();
    }

    fn answer(&self, name: &str, outcome: Outcome) {
        self.target.outcomes.lock().unwrap().insert(name.into(), outcome);
    }

    async fn attempt(&mut self) -> Delivery {
        let attempt = tokio::time::timeout(PATIENCE, self.attempts.recv()).await;
        attempt.expect("no attempt").unwrap()
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance_millis(seconds * 1000);
        self.deliveries.clock_moved();
    }

    /// Waits until the lane's next message becomes ready in so many seconds.
    async fn due_in(&self, name: &str, seconds: i64) {
        let at = self.clock.now().plus_millis(seconds * 1000);
        let due = async {
            let queue = lanes::queue_of(&lane(name));
            while self.queues.next_due(&queue, self.clock.now()).await.unwrap() != Some(at) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, due).await.expect("not due");
    }

    async fn until_empty(&self, name: &str) {
        let empty = async {
            let queue = lanes::queue_of(&lane(name));
            loop {
                let depth = self.queues.depth(&queue).await.unwrap();
                if depth.ready + depth.leased + depth.delayed == 0 {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, empty).await.expect("not empty");
    }

    async fn dead_letters(&self) -> Vec<String> {
        let dead = QueueId::new(DEAD_LETTERS);
        let got = self.queues.receive(&dead, 10, Duration::ZERO, Duration::ZERO);
        let text = |body: Vec<u8>| String::from_utf8(body).unwrap();
        got.await
            .unwrap()
            .into_iter()
            .map(|letter| text(letter.body))
            .collect()
    }
}

fn retry() -> Outcome {
    Outcome::Retry {
        code: "500".into(),
        reason: "it answered 500".into(),
        after: None,
    }
}

#[tokio::test]
async fn what_is_owed_is_delivered_once() {
    let mut world = World::new().await;
    world.open("shop").await;
    world.owe("shop", "paid").await;
    let attempt = world.attempt().await;
    assert_eq!((&*attempt.payload, attempt.attempt), (&b"paid"[..], 1));
    world.until_empty("shop").await;
    assert!(world.attempts.try_recv().is_err());
}

#[tokio::test]
async fn a_batch_that_fails_owes_nothing() {
    let mut world = World::new().await;
    world.open("shop").await;
    let failing = Batch::new().require("DELETE FROM queue_messages WHERE sequence = -1", vec![], 1);
    let mut routing = Routing::new(failing);
    world
        .deliveries
        .owe(&mut routing, &lane("shop"), Bytes::from_static(b"never"));
    assert!(world.database.write(routing.into_batch()).await.is_err());
    world.owe("shop", "paid").await;
    assert_eq!(&*world.attempt().await.payload, b"paid");
    world.until_empty("shop").await;
    assert!(world.attempts.try_recv().is_err());
}

#[tokio::test]
async fn failures_are_tried_again_and_end_as_dead_letters() {
    let mut world = World::new().await;
    world.open("shop").await;
    world.answer("shop", retry());
    world.owe("shop", "paid").await;
    for (number, wait) in [(1, 10), (2, 20)] {
        assert_eq!(world.attempt().await.attempt, number);
        world.due_in("shop", wait).await;
        world.pass(wait);
    }
    assert_eq!(world.attempt().await.attempt, 3);
    world.until_empty("shop").await;
    assert_eq!(world.dead_letters().await, ["paid: 500 after 3, Attempts"]);
}

#[tokio::test]
async fn what_an_attempt_adds_is_committed_with_the_end_of_the_delivery() {
    let mut world = World::new().await;
    world.open("shop").await;
    world.answer("shop", retry());
    world.owe("shop", "paid").await;
    assert_eq!(world.attempt().await.attempt, 1);
    world.due_in("shop", 10).await;
    world.answer("shop", Outcome::Done);
    world.pass(10);
    assert_eq!(world.attempt().await.attempt, 2);
    world.until_empty("shop").await;
    let committed = || world.target.committed.load(Ordering::SeqCst);
    let noted = async {
        while committed() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, noted)
        .await
        .expect("nothing committed");
    assert_eq!(committed(), 2, "the second attempt's alone");
}

#[tokio::test]
async fn what_cannot_succeed_is_not_tried_again() {
    let mut world = World::new().await;
    world.open("shop").await;
    let (code, reason) = ("403".to_owned(), "it answered 403".to_owned());
    world.answer("shop", Outcome::GiveUp { code, reason });
    world.owe("shop", "paid").await;
    world.attempt().await;
    world.until_empty("shop").await;
    assert_eq!(world.dead_letters().await, ["paid: 403 after 1, GivenUp"]);
}

#[tokio::test]
async fn what_ended_is_not_made_again_when_its_end_could_not_be_written() {
    let mut world = World::new().await;
    world.open("shop").await;
    let (code, reason) = ("403".to_owned(), "it answered 403".to_owned());
    world.answer("shop", Outcome::GiveUp { code, reason });
    world.target.fails.store(true, Ordering::Relaxed);
    world.owe("shop", "paid").await;
    world.attempt().await;
    let noticed = async {
        while world.deliveries.0.unsettled().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, noticed)
        .await
        .expect("it was written");
    world.target.fails.store(false, Ordering::Relaxed);
    world.pass(30);
    world.until_empty("shop").await;
    assert!(world.attempts.try_recv().is_err());
    assert_eq!(world.dead_letters().await, ["paid: 403 after 1, GivenUp"]);
}

#[tokio::test]
async fn new_settings_hold_from_the_next_attempt() {
    let mut world = World::new().await;
    world.open("shop").await;
    world.answer("shop", retry());
    world.owe("shop", "paid").await;
    world.attempt().await;
    world.due_in("shop", 10).await;
    let mut fewer = settings();
    fewer.retry.attempts = 2;
    world.deliveries.change(&lane("shop"), fewer);
    world.pass(10);
    assert_eq!(world.attempt().await.attempt, 2);
    world.until_empty("shop").await;
    assert_eq!(world.dead_letters().await, ["paid: 500 after 2, Attempts"]);
}

#[tokio::test]
async fn a_slow_target_holds_up_nobody() {
    let mut world = World::new().await;
    world.open("slow").await;
    world.open("quick").await;
    for _ in 0..5 {
        world.owe("slow", "waits").await;
    }
    for _ in 0..2 {
        assert_eq!(world.attempt().await.lane, lane("slow"));
    }
    world.owe("quick", "paid").await;
    assert_eq!(
        world.attempt().await.lane,
        lane("quick"),
        "more than two of the slow run"
    );
    world.until_empty("quick").await;
    world.target.gate.add_permits(5);
    for _ in 0..3 {
        assert_eq!(world.attempt().await.lane, lane("slow"));
    }
    world.until_empty("slow").await;
}

#[tokio::test]
async fn many_slow_targets_hold_up_nobody() {
    let mut world = World::new().await;
    let wide = LaneSettings {
        concurrency: 64,
        ..settings()
    };
    for name in ["slow1", "slow2", "slow3", "slow4", "slow5"] {
        world.deliveries.open(&lane(name), wide.clone()).await.unwrap();
        for _ in 0..64 {
            world.owe(name, "waits").await;
        }
    }
    // five and what is left free have a sixth each
    for _ in 0..200 {
        world.attempt().await;
    }
    world.open("quick").await;
    world.owe("quick", "paid").await;
    while world.attempt().await.lane != lane("quick") {}
    world.target.gate.add_permits(5 * 64);
}

#[tokio::test]
async fn a_crash_loses_nothing() {
    let mut world = World::new().await;
    world.open("slow").await;
    world.owe("slow", "cut off").await;
    world.attempt().await;
    world.crash().await;
    world.owe("slow", "owed while nobody delivered").await;
    world.open("slow").await;
    assert_eq!(&*world.attempt().await.payload, b"owed while nobody delivered");
    world.due_in("slow", 30).await;
    world.pass(30);
    let mut again = world.attempt().await;
    if again.payload == "owed while nobody delivered" {
        // its lease ends at the same time
        again = world.attempt().await;
    }
    assert_eq!((&*again.payload, again.attempt), (&b"cut off"[..], 2));
    world.target.gate.add_permits(5);
    world.until_empty("slow").await;
}

#[tokio::test]
async fn what_waited_for_too_long_is_not_attempted() {
    let mut world = World::new().await;
    let mut hurried = settings();
    hurried.retry.age = Some(Duration::from_secs(60));
    world.open("shop").await;
    world.running.shutdown().await;
    world.owe("shop", "late").await;
    world.clock.advance_millis(61_000);
    world.crash().await;
    world.deliveries.open(&lane("shop"), hurried).await.unwrap();
    world.until_empty("shop").await;
    assert!(world.attempts.try_recv().is_err());
    assert_eq!(world.dead_letters().await, ["late: TooOld after 0, Age"]);
}

#[tokio::test]
async fn a_closed_lane_owes_nothing() {
    let mut world = World::new().await;
    world.open("gone").await;
    world.open("left").await;
    world.answer("left", retry());
    world.owe("left", "by a crash").await;
    world.attempt().await;
    world.deliveries.close(&lane("gone")).await.unwrap();
    world.owe("gone", "nothing").await;
    world.crash().await;
    world.open("stays").await;
    world.deliveries.sweep("test").await.unwrap();
    let kept = world.queues.list("delivery:", None, 10).await.unwrap();
    assert_eq!(kept, [lanes::queue_of(&lane("stays"))]);
    assert!(world.attempts.try_recv().is_err());
}
