//! The queue's behaviour, on every database.

use std::time::Duration;

use tradewind_model::{Clock, Timestamp};

use super::{NewMessage, QueueId, QueueSettings, Queues, Received, Settled};
use crate::Database;

mod fifo;
mod in_order;
mod keeping;
mod model;
mod standard;
mod together;
mod waiting;

pub(super) const MINUTE: Duration = Duration::from_secs(60);
const NO_WAIT: Duration = Duration::ZERO;

pub(super) struct Fixture {
    pub(super) queues: Queues,
    pub(super) clock: Clock,
    pub(super) id: QueueId,
}

impl Fixture {
    pub(super) async fn new(settings: &QueueSettings) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(1_700_000_000_000));
        let database = Database::in_memory_for_tests(&[super::MIGRATIONS]);
        let queues = Queues::new(database, clock.clone());
        let id = QueueId::new("arn:aws:sqs:us-east-1:000000000000:orders");
        queues.create(&id, settings).await.unwrap();
        Self { queues, clock, id }
    }

    pub(super) async fn send(&self, bodies: &[&str]) {
        let messages = bodies.iter().map(|body| message(body)).collect();
        self.queues.send(&self.id, messages).await.unwrap();
    }

    pub(super) async fn receive(&self, max: usize) -> Vec<Received> {
        self.queues.receive(&self.id, max, MINUTE, NO_WAIT).await.unwrap()
    }

    pub(super) async fn ack(&self, message: &Received) -> Settled {
        self.queues.ack(&self.id, &[message.receipt]).await.unwrap()[0]
    }

    pub(super) fn pass(&self, time: Duration) {
        self.clock
            .advance_millis(i64::try_from(time.as_millis()).unwrap());
        self.queues.clock_moved();
    }
}

pub(super) fn message(body: &str) -> NewMessage {
    NewMessage {
        body: body.as_bytes().to_vec(),
        ..NewMessage::default()
    }
}

pub(super) fn bodies(messages: &[Received]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| std::str::from_utf8(&message.body).unwrap())
        .collect()
}
