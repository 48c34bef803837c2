//! Bucket notifications: events of objects, sent to queues in the transaction that changes the object.
//!
//! An event is in its queue if and only if the change it tells of happened: both are one batch
//! ([`Notifier::add`]). A queue that has gone since takes nothing, and the change happens all the same.
//! Topics, functions and EventBridge are refused when they are put.

mod configuration;
mod event;

use std::sync::atomic::{AtomicU64, Ordering};

use s3s::S3Result;
use s3s::dto::NotificationConfiguration;
use tradewind_model::{Clock, RequestId};
use tradewind_store::Batch;
use tradewind_store::queue::{NewMessage, QueueId, Queues};

use crate::configuration::Configurations;
pub(crate) use configuration::{Destination, check, named, queues_of};
pub(crate) use event::{EventName, ObjectEvent};

/// A bucket and where its events go; read before the batch that changes an object is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audience {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) bucket: String,
    destinations: Vec<Destination>,
}

impl Audience {
    /// The bucket with the destinations of its configuration, if it has one.
    pub(crate) fn new(
        account: &str,
        region: &str,
        bucket: &str,
        configuration: Option<&NotificationConfiguration>,
    ) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            bucket: bucket.to_owned(),
            destinations: configuration.map(Destination::all_of).unwrap_or_default(),
        }
    }
}

/// Sends events of objects to queues.
#[derive(Debug)]
pub(crate) struct Notifier {
    configurations: Configurations,
    queues: Queues,
    clock: Clock,
    /// Orders events of one instant.
    turn: AtomicU64,
}

impl Notifier {
    pub(crate) fn new(configurations: Configurations, queues: Queues, clock: Clock) -> Self {
        Self {
            configurations,
            queues,
            clock,
            turn: AtomicU64::new(0),
        }
    }

    /// The queues of the node.
    #[cfg(test)]
    pub(crate) fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Adds to the batch a message for each destination that wants the event.
    pub(crate) fn add(&self, batch: Batch, audience: &Audience, event: &ObjectEvent<'_>) -> Batch {
        let destinations = audience.destinations.iter();
        let wanting = destinations.filter(|to| to.wants(event.name, event.key));
        wanting.fold(batch, |batch, destination| {
            let body = event.body(audience, &destination.id, self.clock.now(), &self.sequencer());
            self.queues.send_within(batch, &destination.queue, message(body))
        })
    }

    /// Grows with time, and within an instant with each event: orders the events of a key.
    fn sequencer(&self) -> String {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) & 0xFFFF;
        let ms = self.clock.now().as_millis();
        format!("{ms:012X}{turn:04X}")
    }

    /// Tells each queue that it was chosen, as S3 does when a configuration is put.
    pub(crate) async fn send_test_events(&self, bucket: &str, queues: &[QueueId]) -> S3Result<()> {
        for queue in queues {
            let body = event::test_body(bucket, self.clock.now(), &RequestId::random());
            let sent = self.queues.send(queue, vec![message(body)]).await;
            sent.map_err(s3s::S3Error::internal_error)?;
        }
        Ok(())
    }
}

fn message(body: String) -> NewMessage {
    NewMessage {
        body: body.into_bytes(),
        ..NewMessage::default()
    }
}
