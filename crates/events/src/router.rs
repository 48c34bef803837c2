//! From a source to its targets, within one batch.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use tradewind_model::Arn;
use tradewind_store::Batch;

use crate::message::Message;
use crate::receiver::{Receiver, Undeliverable};

/// Topics and buses that an event may go through on one way.
pub const MAX_HOPS: usize = 8;
/// Deliveries that one event may have, of all its ways.
pub const MAX_DELIVERIES: usize = 10_000;

/// Knows the services that take events. A clone is the same router.
#[derive(Clone, Debug, Default)]
pub struct Router(Arc<RwLock<Receivers>>);

/// By the service of their ARNs.
type Receivers = BTreeMap<Box<str>, Arc<dyn Receiver>>;

/// The batch that an event's deliveries are added to, and the way that led to it.
#[derive(Debug)]
pub struct Routing {
    batch: Batch,
    way: Vec<Arn>,
    deliveries: usize,
}

impl Routing {
    /// The deliveries of one event are added to `batch`.
    #[must_use]
    pub fn new(batch: Batch) -> Self {
        Self {
            batch,
            way: Vec::new(),
            deliveries: 0,
        }
    }

    /// The batch with all that was added.
    #[must_use]
    pub fn into_batch(self) -> Batch {
        self.batch
    }

    /// Changes the batch.
    pub fn add(&mut self, change: impl FnOnce(Batch) -> Batch) {
        self.batch = change(std::mem::take(&mut self.batch));
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
        let mut receivers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        receivers.insert(service.into(), receiver);
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
        message: Message,
    ) -> Result<(), Undeliverable> {
        let receiver = self.receiver(target)?;
        routing.enter(target)?;
        let accepted = receiver.accept(routing, target, message);
        routing.way.pop();
        accepted
    }

    fn receiver(&self, target: &Arn) -> Result<Arc<dyn Receiver>, Undeliverable> {
        let receivers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = receivers.get(&target.service).map(Arc::clone);
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
                routing.add(|batch| batch.run("INSERT", vec![target.resource.to_string().into()]));
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
