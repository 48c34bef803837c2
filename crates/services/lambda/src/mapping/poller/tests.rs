//! What a poller does at moments that are hard to meet from outside.

use std::task::{Context, Poll, Waker};

use serde_json::json;
use tradewind_store::queue::{Depth, NewMessage, QueueSettings};

use super::super::batch::Batch;
use super::*;
use crate::testing::World;

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:in.fifo";
const OFF: &str = "/2017-10-31/functions/f/concurrency";

/// A poller that nobody runs, of a FIFO queue and a function.
pub(in crate::mapping) struct Still {
    pub(in crate::mapping) world: World,
    pub(in crate::mapping) queue: QueueId,
    pub(in crate::mapping) plan: Plan,
    pub(in crate::mapping) poller: Poller,
}

impl Still {
    pub(in crate::mapping) async fn new(handler: &str) -> Self {
        let world = World::new().await;
        world.create("f", &format!("exports.handler = {handler};")).await;
        let queue = QueueId::new(QUEUE);
        world
            .config
            .queues
            .create(&queue, &QueueSettings::fifo())
            .await
            .unwrap();
        let body = json!({"FunctionName": "f", "EventSourceArn": QUEUE});
        let made = world
            .call("POST", "/2015-03-31/event-source-mappings", &body)
            .await;
        assert_eq!(made.status, 202, "{made:?}");
        let assignment = world.service.mappings().unattended().remove(0);
        let poller = Poller::new(world.service.clone(), assignment, CancellationToken::new());
        let mapping = poller.desired.borrow().clone().unwrap();
        let Next::Work(plan) = poller.next(mapping) else {
            panic!("there is a queue and a function")
        };
        Self {
            world,
            queue,
            plan: *plan,
            poller,
        }
    }

    /// A batch of one message that was received.
    pub(in crate::mapping) async fn batch(&mut self) -> BatchRun {
        let message = NewMessage {
            body: b"a".to_vec(),
            group: Some("g".into()),
            deduplication_id: Some("a".into()),
            ..NewMessage::default()
        };
        let (queues, lease) = (&self.world.config.queues, self.plan.lease);
        queues.send(&self.queue, vec![message]).await.unwrap();
        let received = queues
            .receive(&self.queue, 1, lease, Duration::ZERO)
            .await
            .unwrap();
        self.poller.take_in(&self.plan, &received, Instant::now() + lease);
        let batch = self.poller.hand.take(self.plan.bounds).unwrap();
        self.started(batch)
    }

    fn started(&self, batch: Batch) -> BatchRun {
        let place = Place::take(&self.poller.shared, None);
        BatchRun::new(&self.poller.shared, self.plan.clone(), batch, place)
    }

    pub(in crate::mapping) async fn depth(&self) -> Depth {
        self.world.config.queues.depth(&self.queue).await.unwrap()
    }
}

#[tokio::test]
async fn a_batch_that_is_throttled_after_its_mapping_was_switched_off_gives_up() {
    let mut still = Still::new("async () => {}").await;
    let run = still.batch().await;
    still.poller.let_go().await;
    let off = json!({"ReservedConcurrentExecutions": 0});
    assert_eq!(still.world.call("PUT", OFF, &off).await.status, 200);
    let ended = tokio::time::timeout(Duration::from_secs(60), run.run()).await;
    assert!(ended.is_ok(), "it waits for the function");
    assert_eq!(still.depth().await.ready, 1);
    let again = still
        .world
        .config
        .queues
        .receive(&still.queue, 1, still.plan.lease, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(again[0].receives, 1, "it did not run");
}

#[tokio::test]
async fn a_mapping_waits_with_more_when_it_holds_half_of_the_memory_that_is_free() {
    let still = Still::new("async () => {}").await;
    let room = || {
        let mut room = pin!(still.poller.room(&still.plan));
        room.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    };
    let memory = &still.world.service.mappings().memory;
    let all = u32::try_from(memory.available_permits()).unwrap();
    let take = |kib| Some(Arc::clone(memory).try_acquire_many_owned(kib).unwrap());
    let third = Place::take(&still.poller.shared, take(all / 3 + 1));
    assert_eq!(room(), Poll::Pending);
    drop(third);
    assert_eq!(room(), Poll::Ready(5));
    let others = take(all);
    assert_eq!(room(), Poll::Ready(5), "one that holds nothing may ask");
    drop(others);
}

#[tokio::test]
async fn what_finds_no_room_while_it_is_leased_is_put_back() {
    let mut still = Still::new("async () => {}").await;
    let mut batch = still.batch().await;
    let mut records = std::mem::take(&mut batch.batch.records);
    drop(batch);
    records[0].leased_until = Instant::now() + still.plan.lease / 4;
    still.poller.hand.add(records, Instant::now());
    let _busy = [(); 5].map(|()| Place::take(&still.poller.shared, None));
    let next = Next::Work(Box::new(still.plan.clone()));
    let interrupt = CancellationToken::new();
    let step = still.poller.follow(next, &interrupt);
    let ended = tokio::time::timeout(Duration::from_secs(60), step).await;
    assert!(ended.is_ok(), "it waits for room");
    assert!(still.poller.hand.is_empty());
    assert_eq!(still.depth().await.ready, 1);
}
