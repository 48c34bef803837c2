//! Bucket notifications: events of objects, delivered in the transaction that changes the object.
//!
//! A function, queue or topic, and the event bus, is owed an event if and only if the change it tells of
//! happened: both are one batch ([`Notifier::add`]). A destination that has gone since takes nothing, and the
//! change happens all the same. One that for now has no room for the event refuses the change with it.

mod configuration;
mod destination;
mod event;

use std::sync::atomic::{AtomicU64, Ordering};

use s3s::dto::NotificationConfiguration;
use s3s::{S3ErrorCode, S3Result};
use tradewind_events::{Message, Router, Routing, Trace, Undeliverable};
use tradewind_model::{Arn, Clock, RequestId};
use tradewind_store::{Batch, Database};

use self::destination::{Destination, message_to};
use crate::configuration::Configurations;
use crate::refusal::{of_database, refused};
pub(crate) use configuration::{check, named};
pub(crate) use destination::targets_of;
pub(crate) use event::{EventName, ObjectEvent};

/// A bucket and where its events go; read before the batch that changes an object is made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audience {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) bucket: String,
    destinations: Vec<Destination>,
    /// Whether the event bus gets all of them.
    event_bridge: bool,
}

impl Audience {
    /// The bucket with the destinations of its configuration, if it has one.
    pub(crate) fn new(
        account: &str,
        region: &str,
        bucket: &str,
        configuration: Option<&NotificationConfiguration>,
    ) -> Self {
        let bus = configuration.and_then(|given| given.event_bridge_configuration.as_ref());
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            bucket: bucket.to_owned(),
            destinations: configuration.map(Destination::all_of).unwrap_or_default(),
            event_bridge: bus.is_some(),
        }
    }

    /// The default bus of the bucket's account and region.
    fn bus(&self) -> Arn {
        Arn {
            partition: "aws".into(),
            service: "events".into(),
            region: self.region.as_str().into(),
            account: self.account.as_str().into(),
            resource: "event-bus/default".into(),
        }
    }
}

/// Sends events of objects to who wants them.
#[derive(Debug)]
pub(crate) struct Notifier {
    configurations: Configurations,
    database: Database,
    router: Router,
    clock: Clock,
    /// Orders events of one instant.
    turn: AtomicU64,
}

impl Notifier {
    pub(crate) fn new(
        configurations: Configurations,
        database: Database,
        router: Router,
        clock: Clock,
    ) -> Self {
        Self {
            configurations,
            database,
            router,
            clock,
            turn: AtomicU64::new(0),
        }
    }

    /// Where events go.
    pub(crate) fn router(&self) -> &Router {
        &self.router
    }

    /// Adds to the batch what each destination that wants the event is owed. The event is part of the journey
    /// of `trace`, or begins one.
    ///
    /// # Errors
    /// `SlowDown` if a destination has no room for the event now: the change is not to happen.
    pub(crate) fn add(
        &self,
        batch: Batch,
        audience: &Audience,
        event: &ObjectEvent<'_>,
        trace: &Trace,
    ) -> S3Result<Batch> {
        let destinations = audience.destinations.iter();
        let mut wanting = destinations
            .filter(|to| to.wants(event.name, event.key))
            .peekable();
        if wanting.peek().is_none() && !audience.event_bridge {
            return Ok(batch);
        }
        let now = self.clock.now();
        let trace = match trace.root() {
            "" => Trace::new(now),
            _ => trace.clone(),
        };
        let (request, sequencer) = (RequestId::random(), self.sequencer());
        let of = event::Telling {
            audience,
            now,
            request: &request,
            sequencer: &sequencer,
        };
        let mut routing = Routing::new(batch);
        // not the key: a journey outlives the object, and nobody could delete what the key says
        let bucket = format!("arn:aws:s3:::{}", audience.bucket);
        let way = (audience.account.as_str(), bucket.as_str());
        let trace = self.router.begin(&mut routing, event.name.as_str(), way, &trace);
        for to in wanting {
            let body = event.body(&of, &to.id);
            let message = message_to(&to.target, body, &audience.bucket);
            self.deliver(&mut routing, &to.target, message, &trace)?;
        }
        if audience.event_bridge {
            let bus = audience.bus();
            let message = message_to(&bus, event.for_bus(&of), &audience.bucket);
            self.deliver(&mut routing, &bus, message, &trace)?;
        }
        Ok(routing.into_batch())
    }

    fn deliver(&self, routing: &mut Routing, target: &Arn, message: Message, trace: &Trace) -> S3Result<()> {
        let message = Message {
            trace: trace.clone(),
            ..message
        };
        match self.router.deliver(routing, target, message) {
            Ok(()) => {}
            Err(Undeliverable::Full { .. }) => {
                let reason = format!("Please reduce your request rate: too many events wait for {target}.");
                return Err(refused(S3ErrorCode::SlowDown, reason));
            }
            Err(error) => tracing::warn!(%target, %error, "a bucket notification is not delivered"),
        }
        Ok(())
    }

    /// Grows with time, and within an instant with each event: orders the events of a key.
    fn sequencer(&self) -> String {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) & 0xFFFF;
        let ms = self.clock.now().as_millis();
        format!("{ms:012X}{turn:04X}")
    }

    /// Tells each queue and topic that it was chosen, as S3 does when a configuration is put.
    pub(crate) async fn send_test_events(&self, bucket: &str, targets: &[Arn]) -> S3Result<()> {
        let mut routing = Routing::new(Batch::new());
        let told = targets.iter().filter(|target| &*target.service != "lambda");
        let now = self.clock.now();
        for target in told {
            let body = event::test_body(bucket, now, &RequestId::random());
            let message = message_to(target, body, bucket);
            self.deliver(&mut routing, target, message, &Trace::new(now))?;
        }
        let written = self.database.write(routing.into_batch()).await;
        written.map(drop).map_err(of_database)
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
