use std::sync::Mutex;

use super::*;

const MINUTE_MS: i64 = 60_000;

/// Fires every minute by writing its name and time into a table; keys that end in `once` fire once, and
/// those in `later` not until it is told.
#[derive(Debug, Default)]
struct Minutes {
    ready: Mutex<bool>,
}

const FIRED: Migration = Migration {
    service: "test",
    version: 1,
    sql: "CREATE TABLE fired (key TEXT NOT NULL, at BIGINT NOT NULL)",
};

use tradewind_store::Migration;

impl TimerOwner for Minutes {
    fn fire(&self, timer: &Timer, now: Timestamp, routing: &mut Routing) -> Firing {
        if timer.key.ends_with("later") && !*self.ready.lock().unwrap() {
            return Firing::NotYet;
        }
        let row = vec![timer.key.clone().into(), timer.due.as_millis().into()];
        routing.add(|batch| batch.run("INSERT INTO fired (key, at) VALUES ($1, $2)", row));
        if timer.key.ends_with("once") {
            return Firing::Over;
        }
        let missed = (now.as_millis() - timer.due.as_millis()).max(0) / MINUTE_MS;
        Firing::Again {
            due: timer.due.plus_millis((missed + 1) * MINUTE_MS),
            state: timer.state.clone(),
        }
    }
}

struct World {
    timers: Timers,
    owner: Arc<Minutes>,
    clock: Clock,
    database: Database,
}

impl World {
    fn new() -> Self {
        let database = Database::in_memory_for_tests(&[MIGRATIONS, &[FIRED]]);
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let owner = Arc::new(Minutes::default());
        let timers = node(&database, &clock, &owner);
        Self {
            timers,
            owner,
            clock,
            database,
        }
    }

    /// A timer that is due in so many milliseconds.
    async fn set(&self, key: &str, in_ms: i64) {
        let timer = Timer {
            owner: "minutes".into(),
            key: key.into(),
            due: self.clock.now().plus_millis(in_ms),
            state: "{}".into(),
        };
        let batch = self.timers.set(Batch::new(), &timer);
        self.database.write(batch).await.unwrap();
    }

    async fn round(&self) -> (usize, usize) {
        let round = self.timers.fire_due().await.unwrap();
        (round.fired, round.left)
    }

    async fn fired(&self) -> i64 {
        let rows = self.database.read("SELECT COUNT(*) FROM fired", Vec::new()).await;
        rows.unwrap()[0].integer(0).unwrap()
    }
}

/// The timers of a node that was just started.
fn node(database: &Database, clock: &Clock, owner: &Arc<Minutes>) -> Timers {
    let timers = Timers::new(database.clone(), clock.clone());
    timers.connect("minutes", Arc::clone(owner) as Arc<dyn TimerOwner>);
    timers
}

#[tokio::test]
async fn a_timer_fires_when_it_is_due_and_then_again() {
    let world = World::new();
    world.set("a", 1000).await;
    assert_eq!(world.round().await, (0, 0));
    world.clock.advance_millis(1000);
    assert_eq!(world.round().await, (1, 0));
    assert_eq!(world.round().await, (0, 0));
    world.clock.advance_millis(MINUTE_MS);
    assert_eq!(world.round().await, (1, 0));
    assert_eq!(world.fired().await, 2);
}

#[tokio::test]
async fn one_that_is_over_is_gone() {
    let world = World::new();
    world.set("once", 0).await;
    assert_eq!(world.round().await, (1, 0));
    assert_eq!(world.timers.get("minutes", "once").await.unwrap(), None);
}

#[tokio::test]
async fn a_clock_that_is_set_back_fires_nothing_again() {
    let world = World::new();
    world.set("a", 0).await;
    assert_eq!(world.round().await, (1, 0));
    world.clock.advance_millis(-3600 * 1000);
    assert_eq!(world.round().await, (0, 0));
    world.clock.advance_millis(3600 * 1000 + MINUTE_MS);
    assert_eq!(world.round().await, (1, 0));
    // and one that jumps ahead, or a node that slept, fires what was missed once
    world.clock.advance_millis(3600 * 1000);
    assert_eq!(world.round().await, (1, 0));
    assert_eq!(world.round().await, (0, 0));
}

#[tokio::test]
async fn of_many_nodes_one_fires() {
    let world = World::new();
    for number in 0..40 {
        world.set(&number.to_string(), 0).await;
    }
    let nodes: Vec<Timers> = (0..8)
        .map(|_| node(&world.database, &world.clock, &world.owner))
        .collect();
    let rounds = nodes.iter().map(Timers::fire_due);
    for round in futures_util::future::join_all(rounds).await {
        assert_eq!(round.unwrap().left, 0);
    }
    assert_eq!(world.fired().await, 40);
}

#[tokio::test]
async fn what_is_not_ready_waits_and_holds_up_nobody() {
    let world = World::new();
    for number in 0..300 {
        world.set(&format!("{number} later"), 0).await;
    }
    world.set("a", 0).await;
    assert_eq!(world.round().await, (1, 300));
    *world.owner.ready.lock().unwrap() = true;
    assert_eq!(world.round().await, (300, 0));
}

#[tokio::test]
async fn a_timer_without_its_owner_waits_for_it() {
    let world = World::new();
    world.set("a", 0).await;
    let lonely = Timers::new(world.database.clone(), world.clock.clone());
    assert_eq!(lonely.fire_due().await.unwrap(), Round { fired: 0, left: 1 });
    assert_eq!(world.round().await, (1, 0));
}

#[tokio::test]
async fn a_firing_that_cannot_be_written_is_due_still() {
    let world = World::new();
    world.set("a", 0).await;
    let rename = |from, to| {
        let sql = if from {
            "ALTER TABLE fired RENAME TO hidden"
        } else {
            to
        };
        world.database.write(Batch::new().run(sql, Vec::new()))
    };
    rename(true, "").await.unwrap();
    assert_eq!(world.round().await, (0, 1));
    rename(false, "ALTER TABLE hidden RENAME TO fired").await.unwrap();
    assert_eq!(world.round().await, (1, 0));
    assert_eq!(world.fired().await, 1);
}

#[tokio::test]
async fn timers_are_cleared_by_key_and_prefix() {
    let world = World::new();
    for key in ["g/a", "g/a#1", "g/a#2", "g/b", "h"] {
        world.set(key, 0).await;
    }
    let batch = world.timers.clear_all(Batch::new(), "minutes", "g/a#");
    let batch = world.timers.clear(batch, "minutes", "h");
    world.database.write(batch).await.unwrap();
    assert_eq!(world.round().await, (2, 0));
}

#[tokio::test]
async fn a_running_node_fires_when_the_clock_says_so() {
    let world = World::new();
    world.set("once", MINUTE_MS).await;
    let stop = CancellationToken::new();
    let (timers, stopped) = (world.timers.clone(), stop.clone());
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { timers.run(stopped).await });
    world.clock.advance_millis(MINUTE_MS);
    world.timers.clock_moved();
    while world.fired().await == 0 {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap();
    assert_eq!(world.fired().await, 1);
}

#[tokio::test]
async fn ten_thousand_at_one_minute_fire_once_each() {
    let world = World::new();
    let due = world.clock.now();
    let timer = |number: i32| Timer {
        owner: "minutes".into(),
        key: format!("{number:05}"),
        due,
        state: "{}".into(),
    };
    let all = (0..10_000).fold(Batch::new(), |batch, number| {
        world.timers.set(batch, &timer(number))
    });
    world.database.write(all).await.unwrap();
    assert_eq!(world.round().await, (10_000, 0));
    assert_eq!(world.round().await, (0, 0));
    assert_eq!(world.fired().await, 10_000);
}
