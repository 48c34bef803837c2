//! From a source to its targets, within one batch.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tradewind_model::Arn;
use tradewind_observe::usage::{Meter, Metered, units_of_64_kib};
use tradewind_store::Batch;

use crate::journey::{Journal, Step};
use crate::message::Message;
use crate::receiver::{Receiver, Undeliverable};
use crate::trace::Trace;

/// Topics and buses that an event may go through on one way.
pub const MAX_HOPS: usize = 8;
/// Deliveries that one event may have, of all its ways.
pub const MAX_DELIVERIES: usize = 10_000;

/// Knows the services that take events. A clone is the same router.
#[derive(Clone, Debug, Default)]
pub struct Router(Arc<RwLock<Connected>>);

#[derive(Debug, Default)]
struct Connected {
    /// By the service of their ARNs.
    receivers: BTreeMap<Box<str>, Arc<dyn Receiver>>,
    journal: Option<Journal>,
    meter: Option<Meter>,
}

/// The batch that an event's deliveries are added to, and the way that led to it.
#[derive(Debug)]
pub struct Routing {
    batch: Batch,
    way: Vec<Arn>,
    deliveries: usize,
    /// Journeys and their steps, noted when the batch is committed.
    steps: Vec<(Box<str>, Step)>,
    journal: Option<Journal>,
    /// What is charged for, counted when the batch is committed.
    counts: Vec<(Metered, Box<str>, u64)>,
    meter: Option<Meter>,
}

impl Routing {
    /// The deliveries of one event are added to `batch`.
    #[must_use]
    pub fn new(batch: Batch) -> Self {
        Self {
            batch,
            way: Vec::new(),
            deliveries: 0,
            steps: Vec::new(),
            journal: None,
            counts: Vec::new(),
            meter: None,
        }
    }

    /// The batch with all that was added.
    #[must_use]
    pub fn into_batch(self) -> Batch {
        let Self {
            batch,
            steps,
            journal,
            counts,
            meter,
            ..
        } = self;
        let batch = match meter {
            Some(meter) => batch.after_commit(move || {
                let all = counts.iter();
                all.for_each(|(item, resource, quantity)| meter.count(*item, resource, *quantity));
            }),
            None => batch,
        };
        match journal {
            Some(journal) if !steps.is_empty() => {
                batch.after_commit(move || journal.note(steps.iter().cloned()))
            }
            _ => batch,
        }
    }

    /// Changes the batch.
    pub fn add(&mut self, change: impl FnOnce(Batch) -> Batch) {
        self.batch = change(std::mem::take(&mut self.batch));
    }

    /// Adds a step, and gives its place among the steps.
    fn step(&mut self, journal: Journal, trace: &Trace, step: Step) -> usize {
        self.journal = Some(journal);
        self.steps.push((trace.root().into(), step));
        self.steps.len() - 1
    }

    fn enter(&mut self, target: &Arn) -> Result<(), Undeliverable> {
        let way = || {
            let through = self.way.iter().chain([target]).map(Arn::to_string);
            through.collect::<Vec<_>>().join(" → ")
        };
        if self.way.contains(target) {
            return Err(Undeliverable::Loop { way: way() });
        }
        if self.way.len() > MAX_HOPS {
            return Err(Undeliverable::TooDeep { way: way() });
        }
        if self.deliveries >= MAX_DELIVERIES {
            return Err(Undeliverable::TooMany);
        }
        self.way.push(target.clone());
        self.deliveries += 1;
        Ok(())
    }
}

impl Router {
    /// A router that knows nobody.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on `receiver` takes what is sent to ARNs of `service` (`lambda`, `sqs`, …).
    pub fn connect(&self, service: &str, receiver: Arc<dyn Receiver>) {
        let mut connected = self.0.write().unwrap_or_else(PoisonError::into_inner);
        connected.receivers.insert(service.into(), receiver);
    }

    /// From now on every hop is a step of its event's journey, noted in `journal`.
    pub fn record(&self, journal: Journal) {
        let mut connected = self.0.write().unwrap_or_else(PoisonError::into_inner);
        connected.journal = Some(journal);
    }

    /// From now on what is delivered and charged for is counted by `meter`.
    pub fn count_in(&self, meter: Meter) {
        let mut connected = self.0.write().unwrap_or_else(PoisonError::into_inner);
        connected.meter = Some(meter);
    }

    /// Counts what is charged for, once the routing's batch is committed. `resource` is an ARN.
    pub fn count(
        &self,
        routing: &mut Routing,
        item: Metered,
        resource: &(impl std::fmt::Display + ?Sized),
        quantity: u64,
    ) {
        let connected = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = &connected.meter {
            routing.meter.get_or_insert_with(|| meter.clone());
            routing.counts.push((item, resource.to_string().into(), quantity));
        }
    }

    /// Counts what is charged for, whatever comes of it.
    pub fn count_now(&self, item: Metered, resource: &str, quantity: u64) {
        let connected = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(meter) = &connected.meter {
            meter.count(item, resource, quantity);
        }
    }

    /// Forgets all receivers, which know this router, too: after it nobody is kept alive by it.
    pub fn disconnect(&self) {
        let mut connected = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *connected = Connected::default();
    }

    /// Where steps are noted; none if they are not.
    #[must_use]
    pub fn journal(&self) -> Option<Journal> {
        let connected = self.0.read().unwrap_or_else(PoisonError::into_inner);
        connected.journal.clone()
    }

    /// Notes what sets an event going, as a step from `from` to `to` of the journey of `trace`; gives the trace
    /// that comes after it.
    #[must_use]
    pub fn begin(&self, routing: &mut Routing, what: &str, (from, to): (&str, &str), trace: &Trace) -> Trace {
        let Some(journal) = self.journal() else {
            return trace.clone();
        };
        let step = Step::after(trace, what, from, to, journal.now());
        let after = trace.after(&step.id);
        routing.step(journal, trace, step);
        after
    }

    /// Whether `target` can be sent to.
    ///
    /// # Errors
    /// Why not.
    pub fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        self.receiver(target)?.find(target)
    }

    /// Adds to the routing's batch what makes `target` owe the message.
    ///
    /// # Errors
    /// When the target does not take it. Nothing was added for it then, and the batch can go on: who
    /// configured the target decides whether a dead-letter queue gets the message instead.
    pub fn deliver(
        &self,
        routing: &mut Routing,
        target: &Arn,
        mut message: Message,
    ) -> Result<(), Undeliverable> {
        let step = self.hop(routing, target, &mut message);
        let units = units_of_64_kib(message.body.len());
        let accepted = self.hand_over(routing, target, message);
        if accepted.is_ok() && &*target.service == "sqs" {
            self.count(routing, Metered::requests_to(&target.resource), target, units);
        }
        if let (Err(error), Some((_, step))) = (&accepted, step.and_then(|at| routing.steps.get_mut(at))) {
            step.outcome = error.to_string().into();
        }
        accepted
    }

    /// The step that the hop to `target` is; the message goes on as what comes after it.
    fn hop(&self, routing: &mut Routing, target: &Arn, message: &mut Message) -> Option<usize> {
        let journal = self.journal().filter(|_| !message.trace.root().is_empty())?;
        let to = target.to_string();
        let step = Step::after(&message.trace, "delivery", &message.source, &to, journal.now());
        let before = std::mem::take(&mut message.trace);
        message.trace = before.after(&step.id);
        Some(routing.step(journal, &before, step))
    }

    fn hand_over(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        let receiver = self.receiver(target)?;
        routing.enter(target)?;
        let accepted = receiver.accept(routing, target, message);
        routing.way.pop();
        accepted
    }

    fn receiver(&self, target: &Arn) -> Result<Arc<dyn Receiver>, Undeliverable> {
        let connected = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = connected.receivers.get(&target.service).map(Arc::clone);
        found.ok_or_else(|| Undeliverable::NoReceiver {
            target: target.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Topics by name that hand on to others by name; a topic nobody wrote down keeps what it gets.
    #[derive(Debug)]
    struct Topics {
        router: Router,
        subscriptions: BTreeMap<&'static str, Vec<&'static str>>,
    }

    fn arn(name: &str) -> Arn {
        format!("arn:aws:sns:us-east-1:000000000000:{name}")
            .parse()
            .unwrap()
    }

    impl Receiver for Topics {
        fn find(&self, _target: &Arn) -> Result<(), Undeliverable> {
            Ok(())
        }
        fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
            let Some(next) = self.subscriptions.get(&*target.resource) else {
                routing.add(|batch| {
                    batch.run(
                        "INSERT INTO kept VALUES ($1)",
                        vec![target.resource.to_string().into()],
                    )
                });
                return Ok(());
            };
            next.iter()
                .try_for_each(|name| self.router.deliver(routing, &arn(name), message.clone()))
        }
    }

    fn deliver(
        subscriptions: &[(&'static str, &[&'static str])],
        to: &str,
    ) -> (Result<(), Undeliverable>, Routing) {
        let router = Router::new();
        let topics = Topics {
            router: router.clone(),
            subscriptions: subscriptions
                .iter()
                .map(|(from, to)| (*from, to.to_vec()))
                .collect(),
        };
        router.connect("sns", Arc::new(topics));
        let mut routing = Routing::new(Batch::new());
        let delivered = router.deliver(&mut routing, &arn(to), Message::default());
        (delivered, routing)
    }

    #[tokio::test]
    async fn hops_are_steps_once_the_batch_is_committed() {
        use tradewind_model::{Clock, Timestamp};
        use tradewind_store::{Database, Migration};

        use crate::journey::tree;

        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Timestamp::from_millis(1_583_349_662_000));
        let store =
            tradewind_observe::LogStore::open(folder.path().into(), clock.clone(), Journal::options());
        let journal = Journal::new(store.unwrap(), clock.clone());
        let router = Router::new();
        let topics = Topics {
            router: router.clone(),
            subscriptions: [("a", vec!["b", "c"]), ("c", vec!["a"])].into(),
        };
        router.connect("sns", Arc::new(topics));
        router.record(journal.clone());
        let trace = Trace::new(clock.now());
        let mut routing = Routing::new(Batch::new());
        let message = Message {
            trace: router.begin(&mut routing, "Publish", ("me", "a"), &trace),
            ..Message::default()
        };
        router.deliver(&mut routing, &arn("a"), message).unwrap_err();
        let batch = routing.into_batch();
        assert_eq!(journal.steps(trace.root()).await.unwrap(), []);
        let kept = Migration {
            service: "test",
            version: 1,
            sql: "CREATE TABLE kept (name TEXT);",
        };
        let database = Database::in_memory_for_tests(&[&[kept]]);
        database.write(batch).await.unwrap();
        let branches = tree(journal.steps(trace.root()).await.unwrap());
        let [publish] = branches.as_slice() else {
            panic!("{branches:?}");
        };
        let [to_a] = publish.after.as_slice() else {
            panic!("{branches:?}");
        };
        let outcomes: Vec<_> = to_a.after.iter().map(|branch| &*branch.step.outcome).collect();
        assert_eq!(outcomes.len(), 2);
        assert_eq!(outcomes[0], Step::OK);
        assert!(
            outcomes[1].starts_with("the event would go round"),
            "{outcomes:?}"
        );
    }

    #[tokio::test]
    async fn what_is_charged_for_is_counted_once_the_batch_is_committed() {
        let (router, meter) = (Router::new(), Meter::default());
        router.count_in(meter.clone());
        let queue: Arn = "arn:aws:sqs:us-east-1:000000000000:q.fifo".parse().unwrap();
        let topics = Topics {
            router: router.clone(),
            subscriptions: BTreeMap::new(),
        };
        router.connect("sqs", Arc::new(topics));
        let mut routing = Routing::new(Batch::new());
        let message = Message {
            body: vec![b'x'; 65 * 1024].into(),
            ..Message::default()
        };
        router.deliver(&mut routing, &queue, message.clone()).unwrap();
        router.deliver(&mut routing, &arn("nobody"), message).unwrap_err();
        router.count(&mut routing, Metered::SnsPublishes, &arn("t"), 1);
        let batch = routing.into_batch();
        assert_eq!(meter.take(), []);
        let kept = tradewind_store::Migration {
            service: "test",
            version: 1,
            sql: "CREATE TABLE kept (name TEXT);",
        };
        let database = tradewind_store::Database::in_memory_for_tests(&[&[kept]]);
        database.write(batch).await.unwrap();
        let counted = meter.take().into_iter();
        let counted: Vec<_> = counted.map(|c| (c.item, c.resource, c.quantity)).collect();
        let expected = [
            (Metered::SqsFifoRequests, queue.to_string().into(), 2),
            (Metered::SnsPublishes, arn("t").to_string().into(), 1),
        ];
        assert_eq!(counted, expected);
    }

    #[test]
    fn a_tree_ends_in_one_batch() {
        let (delivered, routing) = deliver(&[("a", &["b", "c"]), ("b", &["x", "y"]), ("c", &["x"])], "a");
        assert_eq!(delivered, Ok(()));
        let batch = format!("{:?}", routing.into_batch());
        assert_eq!(batch.matches("INSERT").count(), 3, "{batch}");
    }

    #[test]
    fn a_circle_is_named() {
        let (delivered, _) = deliver(&[("a", &["b"]), ("b", &["a"])], "a");
        let error = delivered.unwrap_err().to_string();
        assert!(error.contains(":a → arn:") && error.ends_with(":a"), "{error}");
    }

    #[test]
    fn a_way_has_an_end() {
        let names: [&'static str; 11] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
        let chain: Vec<(&str, &[&str])> = names.windows(2).map(|pair| (pair[0], &pair[1..])).collect();
        let (short, _) = deliver(&chain[..MAX_HOPS], "a");
        assert_eq!(short, Ok(()));
        let (long, _) = deliver(&chain, "a");
        assert!(matches!(long, Err(Undeliverable::TooDeep { .. })), "{long:?}");
    }

    #[test]
    fn a_fan_out_has_an_end() {
        let wide: &'static [&'static str] = Vec::leak(vec!["x"; 101]);
        let (delivered, _) = deliver(&[("a", Vec::leak(vec!["b"; 1])), ("b", wide)], "a");
        assert_eq!(delivered, Ok(()));
        let wider: &'static [&'static str] = Vec::leak(vec!["x"; MAX_DELIVERIES]);
        let (delivered, _) = deliver(&[("a", wider)], "a");
        assert_eq!(delivered, Err(Undeliverable::TooMany));
    }

    #[test]
    fn who_is_not_connected_gets_nothing() {
        let router = Router::new();
        let target = arn("a");
        assert!(matches!(
            router.find(&target),
            Err(Undeliverable::NoReceiver { .. })
        ));
    }
}
