use std::collections::BTreeMap;

use tradewind_model::RequestId;

use super::agenda::{RUNNING_PER_FUNCTION, WAITING_PER_FUNCTION};
use super::*;
use crate::testing::START;

fn arn(name: &str) -> FunctionArn {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
        .parse()
        .unwrap()
}

fn event(name: &str) -> Accepted {
    Accepted {
        request_id: RequestId::random(),
        arn: arn(name),
        qualifier: String::new(),
        payload: Bytes::from_static(b"{}"),
        trace_id: Some("Root=1".to_owned()),
    }
}

async fn queue() -> (Queue, Database, Clock) {
    let database = Database::in_memory_for_tests(&[crate::MIGRATIONS]);
    let clock = Clock::manual(START);
    (
        Queue::open(database.clone(), clock.clone()).await.unwrap(),
        database,
        clock,
    )
}

async fn lease(queue: &Queue, room: usize) -> Vec<Leased> {
    let (leased, result) = queue.lease(room).await;
    result.unwrap();
    leased
}

fn ids(leased: &[Leased]) -> Vec<RequestId> {
    leased.iter().map(|l| l.request_id.clone()).collect()
}

#[tokio::test]
async fn what_was_accepted_is_leased_once() {
    let (queue, _database, _clock) = queue().await;
    let accepted = event("f");
    queue.accept(accepted.clone()).await.unwrap();
    let leased = lease(&queue, 10).await;
    assert_eq!(ids(&leased), [accepted.request_id]);
    assert_eq!(
        (leased[0].payload.as_ref(), leased[0].trace_id.as_deref()),
        (&b"{}"[..], Some("Root=1"))
    );
    assert_eq!(
        leased[0].attempts,
        Attempts {
            enqueued_at: START,
            function_errors: 0,
            system_errors: 0
        }
    );
    assert!(lease(&queue, 10).await.is_empty());
    assert_eq!(queue.next_due(usize::MAX), None);
    queue.finish_with(&leased[0], Batch::new()).await.unwrap();
    assert!(queue.agenda.functions().is_empty());
}

/// So many rows that nobody has leased, as the table has it.
async fn unleased(database: &Database) -> i64 {
    let count = "SELECT COUNT(*) FROM lambda_async_invocations WHERE leased_by IS NULL";
    database.read(count, vec![]).await.unwrap()[0].integer(0).unwrap()
}

#[tokio::test]
async fn what_may_run_at_once_is_leased_by_the_batch_it_comes_with() {
    let (queue, database, _clock) = queue().await;
    let first = event("f");
    queue.accept(first.clone()).await.unwrap();
    assert_eq!(unleased(&database).await, 0);
    assert_eq!(ids(&lease(&queue, 10).await), [first.request_id]);
    // no more run than may; the others are looked for in the table, and what comes after them waits behind them
    queue.bound(&arn("f"), Some(2));
    for _ in 0..3 {
        queue.accept(event("f")).await.unwrap();
    }
    assert_eq!(unleased(&database).await, 2);
    queue.bound(&arn("f"), None);
    queue.accept(event("f")).await.unwrap();
    assert_eq!(unleased(&database).await, 3);
    assert_eq!(lease(&queue, 10).await.len(), 4);
}

#[tokio::test]
async fn a_batch_that_fails_hands_nothing_over() {
    let (queue, database, _clock) = queue().await;
    let mut batch = Batch::new();
    queue.accept_within(&mut batch, &event("f")).unwrap();
    let batch = batch.require("DELETE FROM lambda_functions", vec![], 1);
    database.write(batch).await.unwrap_err();
    assert!(lease(&queue, 10).await.is_empty());
    assert!(queue.agenda.functions().is_empty());
}

#[tokio::test]
async fn what_is_withdrawn_before_it_is_taken_does_not_run() {
    let (queue, _database, _clock) = queue().await;
    let accepted = event("f");
    queue.accept(accepted.clone()).await.unwrap();
    queue.withdraw(&accepted.arn, &accepted.request_id).await.unwrap();
    assert!(lease(&queue, 10).await.is_empty());
    assert!(queue.agenda.functions().is_empty());
}

#[tokio::test]
async fn what_is_put_off_waits_for_its_time() {
    let (queue, _database, clock) = queue().await;
    queue.accept(event("f")).await.unwrap();
    let leased = lease(&queue, 10).await;
    let attempts = Attempts {
        function_errors: 1,
        ..leased[0].attempts
    };
    queue
        .put_off(&leased[0], attempts, START.plus_millis(60_000))
        .await
        .unwrap();
    assert_eq!(queue.next_due(usize::MAX), Some(START.plus_millis(60_000)));
    clock.advance_millis(59_999);
    assert!(lease(&queue, 10).await.is_empty());
    clock.advance_millis(1);
    assert_eq!(lease(&queue, 10).await[0].attempts, attempts);
}

#[tokio::test]
async fn leases_of_a_dead_process_are_released() {
    let (queue, database, clock) = queue().await;
    for name in ["f", "f", "g"] {
        queue.accept(event(name)).await.unwrap();
    }
    assert_eq!(lease(&queue, 2).await.len(), 2);
    let reopened = Queue::open(database, clock).await.unwrap();
    assert_eq!(lease(&reopened, 10).await.len(), 3);
}

#[tokio::test]
async fn a_busy_function_leaves_room_for_others() {
    let (queue, _database, clock) = queue().await;
    for _ in 0..RUNNING_PER_FUNCTION + 1 {
        queue.accept(event("slow")).await.unwrap();
    }
    clock.advance_millis(1);
    queue.accept(event("quick")).await.unwrap();
    let leased = lease(&queue, 1_000).await;
    let slow = leased.iter().filter(|l| l.arn == arn("slow")).count();
    assert_eq!((slow, leased.len() - slow), (RUNNING_PER_FUNCTION, 1));
    assert_eq!(
        queue.next_due(usize::MAX),
        None,
        "the last one waits for room, not for time"
    );
    queue.finish_with(&leased[0], Batch::new()).await.unwrap();
    assert_eq!(lease(&queue, 1_000).await.len(), 1);
}

#[tokio::test]
async fn functions_that_run_for_long_leave_room_for_others() {
    const ROOM: usize = 256;
    let (queue, _database, clock) = queue().await;
    let slow = ["a", "b", "c", "d", "e"];
    for name in slow {
        let mut batch = Batch::new();
        for _ in 0..RUNNING_PER_FUNCTION {
            queue.accept_within(&mut batch, &event(name)).unwrap();
        }
        queue.database.write(batch).await.unwrap();
    }
    let mut running = 0;
    loop {
        let leased = lease(&queue, ROOM - running).await.len();
        running += leased;
        if leased == 0 {
            break;
        }
    }
    assert!(running > 200, "only {running} run");
    assert_eq!(queue.next_due(ROOM - running), None, "the others wait for room");
    clock.advance_millis(1);
    queue.accept(event("quick")).await.unwrap();
    assert_eq!(queue.next_due(ROOM - running), Some(clock.now()));
    assert_eq!(lease(&queue, ROOM - running).await[0].arn, arn("quick"));
}

#[tokio::test]
async fn room_goes_to_who_waited_longest() {
    let (queue, _database, clock) = queue().await;
    queue.accept(event("zebra")).await.unwrap();
    clock.advance_millis(1);
    queue.accept(event("ant")).await.unwrap();
    assert_eq!(lease(&queue, 1).await[0].arn, arn("zebra"));
    assert_eq!(lease(&queue, 1).await[0].arn, arn("ant"));
}

#[tokio::test]
async fn a_deleted_function_takes_its_rows_along() {
    let (queue, database, _clock) = queue().await;
    queue.accept(event("f")).await.unwrap();
    queue.accept(event("f")).await.unwrap();
    let running = lease(&queue, 1).await;
    database
        .write(Batch::new().run("DELETE FROM lambda_async_invocations", vec![]))
        .await
        .unwrap();
    queue.forget(&arn("f")).await;
    assert!(lease(&queue, 10).await.is_empty());
    queue
        .put_off(&running[0], running[0].attempts, START)
        .await
        .unwrap();
    assert!(queue.agenda.functions().is_empty());
}

#[tokio::test]
async fn rows_that_cannot_be_read_hold_up_no_other_function() {
    let (queue, database, clock) = queue().await;
    for name in ["ant", "bee", "cow"] {
        queue.accept(event(name)).await.unwrap();
    }
    for leased in lease(&queue, 10).await {
        queue.put_off(&leased, leased.attempts, START).await.unwrap();
    }
    let damage = "UPDATE lambda_async_invocations SET payload = 7 WHERE name = $1";
    let damaged = database.write(Batch::new().require(damage, vec!["bee".into()], 1));
    match damaged.await {
        Ok(_) => {}
        // its types do not let a row be damaged like this
        Err(tradewind_store::DatabaseError::Postgres { .. }) => return,
        Err(error) => panic!("{error}"),
    }
    let (leased, result) = queue.lease(10).await;
    assert!(result.is_err());
    let names: Vec<_> = leased.iter().map(|l| l.arn.name.as_str()).collect();
    assert_eq!(names, ["ant", "cow"], "what is leased is given to run");
    assert_eq!(
        queue.next_due(usize::MAX),
        Some(clock.now()),
        "the others are tried again"
    );
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let (queue, _database, _clock) = queue().await;
    queue.agenda.load(arn("f"), WAITING_PER_FUNCTION, START);
    let refused = queue.accept(event("f")).await.unwrap_err();
    assert_eq!(refused.wire().status, 429);
    queue.accept(event("g")).await.unwrap();
}

#[tokio::test]
async fn an_event_comes_with_the_batch_of_who_sends_it() {
    let (queue, database, _clock) = queue().await;
    let mut batch = Batch::new();
    queue.accept_within(&mut batch, &event("f")).unwrap();
    assert_eq!(queue.next_due(usize::MAX), None, "it is not committed yet");
    database.write(batch).await.unwrap();
    assert_eq!(queue.next_due(usize::MAX), Some(START));
    assert_eq!(lease(&queue, 10).await.len(), 1);
}

#[tokio::test]
async fn a_batch_that_fails_gives_its_room_back() {
    let (queue, database, _clock) = queue().await;
    queue.agenda.load(arn("f"), WAITING_PER_FUNCTION - 1, START);
    let mut batch = Batch::new();
    queue.accept_within(&mut batch, &event("f")).unwrap();
    assert_eq!(queue.accept_within(&mut Batch::new(), &event("f")), Err(Full));
    let batch = batch.require("DELETE FROM lambda_functions", vec![], 1);
    database.write(batch).await.unwrap_err();
    assert_eq!(queue.agenda.functions()[&arn("f")].places, 0);
    queue.accept(event("f")).await.unwrap();
}

#[tokio::test]
async fn an_event_committed_while_its_function_goes_is_found() {
    let (queue, _database, _clock) = queue().await;
    // its hook ran, the delete it met was before it
    queue.accept(event("f")).await.unwrap();
    queue.forget(&arn("f")).await;
    let leased = lease(&queue, 10).await;
    assert_eq!(leased.len(), 1, "the worker sees that the function is gone");
    queue.finish_with(&leased[0], Batch::new()).await.unwrap();
    assert!(queue.agenda.functions().is_empty());
}

#[tokio::test]
async fn rows_that_are_not_there_do_not_count_for_ever() {
    let (queue, _database, _clock) = queue().await;
    queue.agenda.load(arn("f"), 3, START);
    assert!(lease(&queue, 10).await.is_empty());
    assert!(queue.agenda.functions().is_empty());
}

/// What a client, the worker, the time and a crash may do to the queue.
#[derive(Clone, Debug)]
enum Step {
    Accept(&'static str),
    Lease(usize),
    Finish(usize),
    PutOff(usize, i64),
    Advance(i64),
    Crash,
}

fn step() -> impl proptest::strategy::Strategy<Value = Step> {
    use proptest::prelude::{Just, Strategy as _, prop_oneof};
    prop_oneof![
        3 => prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(Step::Accept),
        3 => (1..5_usize).prop_map(Step::Lease),
        2 => (0..8_usize).prop_map(Step::Finish),
        2 => (0..8_usize, 0..5_i64).prop_map(|(which, ms)| Step::PutOff(which, ms)),
        2 => (1..5_i64).prop_map(Step::Advance),
        1 => Just(Step::Crash),
    ]
}

/// The queue as it should be: when each row is due, and who is leased.
#[derive(Default)]
struct Model {
    waiting: BTreeMap<String, Timestamp>,
    leased: Vec<Leased>,
}

impl Model {
    fn due(&self, now: Timestamp) -> usize {
        self.waiting.values().filter(|due| **due <= now).count()
    }

    fn take(&mut self, which: usize) -> Option<Leased> {
        (which < self.leased.len()).then(|| self.leased.swap_remove(which))
    }
}

async fn follow(steps: Vec<Step>) {
    let (mut queue, database, clock) = queue().await;
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Accept(name) => {
                let accepted = event(name);
                model.waiting.insert(accepted.request_id.to_string(), clock.now());
                queue.accept(accepted).await.unwrap();
            }
            Step::Lease(room) => lease_and_compare(&queue, &mut model, room, clock.now()).await,
            Step::Finish(which) => {
                if let Some(leased) = model.take(which) {
                    queue.finish_with(&leased, Batch::new()).await.unwrap();
                }
            }
            Step::PutOff(which, ms) => {
                if let Some(leased) = model.take(which) {
                    let due = clock.now().plus_millis(ms);
                    queue.put_off(&leased, leased.attempts, due).await.unwrap();
                    model.waiting.insert(leased.request_id.to_string(), due);
                }
            }
            Step::Advance(ms) => clock.advance_millis(ms),
            Step::Crash => {
                queue = Queue::open(database.clone(), clock.clone()).await.unwrap();
                for leased in std::mem::take(&mut model.leased) {
                    model.waiting.insert(leased.request_id.to_string(), clock.now());
                }
            }
        }
    }
    clock.advance_millis(1_000);
    lease_and_compare(&queue, &mut model, 1_000, clock.now()).await;
    assert!(model.waiting.is_empty(), "rows were lost: {:?}", model.waiting);
}

async fn lease_and_compare(queue: &Queue, model: &mut Model, room: usize, now: Timestamp) {
    let leased = lease(queue, room).await;
    let due = model.due(now);
    assert!(leased.len() <= room.min(due), "more than there was room for");
    // with little room each function gets a share of it
    assert!(room < 1_000 || leased.len() == due, "not all that is due");
    for row in leased {
        let due = model.waiting.remove(row.request_id.as_str());
        assert!(due.is_some_and(|due| due <= now), "leased twice or too early");
        model.leased.push(row);
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(64))]
    #[test]
    fn no_row_is_lost_and_none_is_leased_twice(steps in proptest::collection::vec(step(), 0..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(follow(steps));
    }
}
