//! The service itself: its topics and subscriptions in memory, and the one way to change them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError, RwLock};

use tokio::sync::{Mutex, OnceCell};
use tradewind_events::delivery::{Deliveries, LaneSettings};
use tradewind_events::mail::{self, MailRelay};
use tradewind_events::{Router, Routing};
use tradewind_model::resource::ResourceType;
use tradewind_model::{Clock, Timestamp};
use tradewind_observe::usage::{Metered, units_of_64_kib};
use tradewind_store::{Batch, Database};
use uuid::Uuid;

use crate::delivery_policy::DeliveryPolicy;
use crate::endpoint::{Endpoints, Post, function_lane_settings};
use crate::error::SnsError;
use crate::fifo::{Fifo, takes};
use crate::model::{Confirmation, LANE_KIND, Protocol, Subscription, Topic};
use crate::names::{SubscriptionArn, TopicArn};
use crate::notification::Stationery;
use crate::publication::Publication;
use crate::registry::Registry;
use crate::signing::{Identity, Signer};
use crate::tables::{self, Taken};

/// Subscriptions to one topic: what one event may lead to at all, less what may be on the way.
const MAX_SUBSCRIPTIONS: usize = tradewind_events::MAX_DELIVERIES - 100;
/// Topics of a node. SNS quotas: 100,000 of an account.
const MAX_TOPICS: usize = 100_000;

/// What the service is made of.
#[derive(Clone, Debug)]
pub struct SnsConfig {
    /// Where topics are kept; migrated with [`crate::MIGRATIONS`].
    pub database: Database,
    /// Takes messages to queues and functions.
    pub router: Router,
    /// Takes messages to endpoints outside of the node.
    pub deliveries: Deliveries,
    /// The time.
    pub clock: Clock,
    /// What takes mail; without it nobody subscribes an address.
    pub mail: Option<MailRelay>,
    /// Where endpoints reach this node, for example `http://127.0.0.1:4566`: the start of the URLs in
    /// notifications.
    pub base_url: String,
}

/// The SNS service of a node. Clones are handles to the same one.
#[derive(Clone, Debug)]
pub struct SnsService(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: SnsConfig,
    registry: RwLock<Registry>,
    /// Held while a topic or subscription changes, so that database, lanes and memory see the same order.
    /// It is an async mutex because the writes happen while it is held.
    changing: Mutex<()>,
    stationery: OnceCell<Stationery>,
    fifos: StdMutex<HashMap<TopicArn, Arc<Fifo>>>,
}

/// What a publisher is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) message_id: Uuid,
    pub(crate) sequence: Option<u64>,
}

impl SnsService {
    /// Reads all topics and subscriptions, and opens the lanes of those that are delivered to outside.
    ///
    /// # Errors
    /// When the database fails or holds what this binary cannot read.
    pub async fn open(config: SnsConfig) -> Result<Self, SnsError> {
        let mut registry = Registry::default();
        let database = &config.database;
        for topic in tables::load_topics(database).await? {
            registry.put_topic(topic);
        }
        for subscription in tables::load_subscriptions(database).await? {
            registry.put_subscription(subscription);
        }
        let taken = tables::load_taken(database, config.clock.now()).await?;
        let service = Self(Arc::new(Shared {
            config,
            registry: RwLock::new(registry),
            changing: Mutex::new(()),
            stationery: OnceCell::new(),
            fifos: StdMutex::default(),
        }));
        for taken in taken {
            service.fifo(&taken.topic).remember(taken);
        }
        service.begin().await?;
        Ok(service)
    }

    /// Makes ready for publishes and deliveries.
    async fn begin(&self) -> Result<(), SnsError> {
        if self.registry(|registry| registry.topics().next().is_some()) {
            self.prepare_stationery().await?;
        }
        let endpoints = Arc::new(Endpoints::new(self.clone()));
        self.deliveries().connect(LANE_KIND, endpoints);
        let all: Vec<_> = self.registry(|registry| registry.subscriptions().cloned().collect());
        for subscription in all {
            self.open_lane(&subscription).await?;
        }
        Ok(self.deliveries().sweep(LANE_KIND).await?)
    }

    /// The CloudFormation types of this service.
    #[must_use]
    pub fn resource_types(&self) -> Vec<Arc<dyn ResourceType>> {
        crate::resource::types(self)
    }

    /// The certificate that is served at this path, in PEM.
    #[must_use]
    pub fn certificate(&self, path: &str) -> Option<String> {
        let signer = &self.0.stationery.get()?.signer;
        (signer.path() == path).then(|| signer.certificate().to_owned())
    }

    pub(crate) fn router(&self) -> &Router {
        &self.0.config.router
    }

    pub(crate) fn deliveries(&self) -> &Deliveries {
        &self.0.config.deliveries
    }

    pub(crate) fn mail(&self) -> Option<&MailRelay> {
        self.0.config.mail.as_ref()
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.config.database
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.config.clock.now()
    }

    /// Reads topics and subscriptions. `read` is short: changes wait for it.
    pub(crate) fn registry<T>(&self, read: impl FnOnce(&Registry) -> T) -> T {
        read(&self.0.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn registry_mut<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        change(&mut self.0.registry.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn topic(&self, arn: &TopicArn) -> Result<Arc<Topic>, SnsError> {
        let found = self.registry(|registry| registry.topic(arn));
        found.ok_or(SnsError::TopicDoesNotExist)
    }

    pub(crate) fn subscription(&self, arn: &SubscriptionArn) -> Result<Arc<Subscription>, SnsError> {
        let found = self.registry(|registry| registry.subscription(arn));
        found.ok_or(SnsError::SubscriptionDoesNotExist)
    }

    /// The subscription that a delivery is for. One that is being made is waited for: its confirmation is
    /// committed, and may be attempted, before memory has it.
    pub(crate) async fn settled_subscription(&self, arn: &SubscriptionArn) -> Option<Arc<Subscription>> {
        if let Ok(found) = self.subscription(arn) {
            return Some(found);
        }
        let _changing = self.0.changing.lock().await;
        self.subscription(arn).ok()
    }

    /// What notifications are written on. It is there as soon as there is a topic.
    pub(crate) fn stationery(&self) -> Result<&Stationery, SnsError> {
        let made = self.0.stationery.get();
        made.ok_or_else(|| SnsError::Internal("there is no signing key".into()))
    }

    /// Reads the signing key, or makes it.
    async fn prepare_stationery(&self) -> Result<(), SnsError> {
        let prepare = || async {
            let identity = match tables::load_identity(self.database()).await? {
                Some(identity) => identity,
                None => self.make_identity().await?,
            };
            Ok::<_, SnsError>(Stationery {
                signer: Signer::new(identity)?,
                base_url: self.0.config.base_url.clone(),
            })
        };
        self.0.stationery.get_or_try_init(prepare).await.map(drop)
    }

    async fn make_identity(&self) -> Result<Identity, SnsError> {
        let now = self.now();
        let made = tokio::task::spawn_blocking(move || Identity::generate(now)).await;
        let identity = made.map_err(|failure| SnsError::Internal(failure.to_string()))??;
        let batch = tables::put_identity(Batch::new(), &identity);
        self.database().write(batch).await?;
        Ok(identity)
    }

    /// Makes or changes a topic: `decide` sees it as it is and says what becomes of it; none leaves it as
    /// it is. Gives the topic as it is then.
    ///
    /// # Cancel safety
    /// Not cancel-safe: call it in a task that is not dropped.
    pub(crate) async fn change_topic(
        &self,
        arn: &TopicArn,
        decide: impl FnOnce(Option<&Topic>) -> Result<Option<Topic>, SnsError>,
    ) -> Result<Arc<Topic>, SnsError> {
        let _changing = self.0.changing.lock().await;
        let before = self.registry(|registry| registry.topic(arn));
        let Some(after) = decide(before.as_deref())? else {
            return before.ok_or(SnsError::TopicDoesNotExist);
        };
        if before.is_none() && self.registry(|registry| registry.topics().count()) >= MAX_TOPICS {
            let text = format!("a node has at most {MAX_TOPICS} topics");
            return Err(SnsError::TopicLimitExceeded(text));
        }
        self.prepare_stationery().await?;
        self.database()
            .write(tables::put_topic(Batch::new(), &after)?)
            .await?;
        self.registry_mut(|registry| registry.put_topic(after));
        for subscription in self.subscriptions_to(arn) {
            self.change_lane(&subscription);
        }
        self.topic(arn)
    }

    /// Removes a topic and its subscriptions, if `may` agrees; that it is gone already is success.
    pub(crate) async fn delete_topic(
        &self,
        arn: &TopicArn,
        may: impl FnOnce(&Topic) -> bool,
    ) -> Result<(), SnsError> {
        let _changing = self.0.changing.lock().await;
        let Some(topic) = self.registry(|registry| registry.topic(arn)) else {
            return Ok(());
        };
        if !may(&topic) {
            return Ok(());
        }
        let subscriptions = self.subscriptions_to(arn);
        self.database()
            .write(tables::delete_topic(Batch::new(), arn))
            .await?;
        self.registry_mut(|registry| registry.delete_topic(arn));
        self.lock_fifos().remove(arn);
        for lane in subscriptions
            .iter()
            .filter_map(|subscription| subscription.lane())
        {
            self.deliveries().close(&lane).await?;
        }
        Ok(())
    }

    pub(crate) fn subscriptions_to(&self, topic: &TopicArn) -> Vec<Arc<Subscription>> {
        self.registry(|registry| registry.subscriptions_to(topic).cloned().collect())
    }

    /// Makes or changes a subscription: `decide` sees those of the topic and says which one is made or
    /// changed. One that waits for its endpoint's agreement is asked for it in the same transaction.
    ///
    /// # Cancel safety
    /// Not cancel-safe: call it in a task that is not dropped.
    pub(crate) async fn change_subscription(
        &self,
        topic: &TopicArn,
        decide: impl FnOnce(&Topic, &[Arc<Subscription>]) -> Result<Subscription, SnsError>,
    ) -> Result<Arc<Subscription>, SnsError> {
        let _changing = self.0.changing.lock().await;
        let all = self.subscriptions_to(topic);
        let after = decide(&*self.topic(topic)?, &all)?;
        let before = all.iter().find(|other| other.arn == after.arn);
        if before.is_none() && all.len() >= MAX_SUBSCRIPTIONS {
            let text = format!("a topic has at most {MAX_SUBSCRIPTIONS} subscriptions");
            return Err(SnsError::SubscriptionLimitExceeded(text));
        }
        if before.is_none() && after.endpoint.protocol.is_mail() && self.mail().is_none() {
            let name = format!("Protocol {}", after.endpoint.protocol);
            let reason = "it has no mail relay; start it with --smtp-relay";
            return Err(SnsError::refused(&name, reason));
        }
        self.open_lane(&after).await?;
        let asked_before = before.is_some_and(|before| before.confirmation == after.confirmation);
        let mut routing = Routing::new(tables::put_subscription(Batch::new(), &after)?);
        if !asked_before {
            self.ask(&mut routing, &after)?;
        }
        self.database().write(routing.into_batch()).await?;
        let arn = after.arn.clone();
        self.registry_mut(|registry| registry.put_subscription(after));
        self.subscription(&arn)
    }

    /// Owes a pending subscription's endpoint the question whether it agrees.
    fn ask(&self, routing: &mut Routing, subscription: &Subscription) -> Result<(), SnsError> {
        let (Confirmation::Pending { token, .. }, Some(lane)) =
            (&subscription.confirmation, subscription.lane())
        else {
            return Ok(());
        };
        let id = Uuid::new_v4().to_string();
        let (stationery, topic) = (self.stationery()?, &subscription.arn.topic);
        let body = match subscription.endpoint.protocol {
            Protocol::Email => stationery.confirmation_letter(topic, token),
            _ => stationery.confirmation((&id, &*self.topic(topic)?, token), self.now())?,
        };
        let post = Post::confirmation(id, body)?;
        self.deliveries().owe(routing, &lane, post.into());
        Ok(())
    }

    /// Removes a subscription and what it is owed, if `may` agrees; that it is gone already is success.
    pub(crate) async fn delete_subscription(
        &self,
        arn: &SubscriptionArn,
        may: impl FnOnce(&Subscription) -> bool,
    ) -> Result<(), SnsError> {
        let _changing = self.0.changing.lock().await;
        let Some(subscription) = self.registry(|registry| registry.subscription(arn)) else {
            return Ok(());
        };
        if !may(&subscription) {
            return Ok(());
        }
        self.database()
            .write(tables::delete_subscription(Batch::new(), arn))
            .await?;
        self.registry_mut(|registry| registry.delete_subscription(arn));
        if let Some(lane) = subscription.lane() {
            self.deliveries().close(&lane).await?;
        }
        Ok(())
    }

    /// The delivery policy that holds for a subscription.
    pub(crate) fn effective_policy(&self, subscription: &Subscription) -> DeliveryPolicy {
        let own = &subscription.attributes.delivery_policy;
        match self.topic(&subscription.arn.topic) {
            Ok(topic) => topic.attributes.delivery_policy.effective(own),
            Err(_gone) => own.clone(),
        }
    }

    fn lane_settings(&self, subscription: &Subscription) -> LaneSettings {
        let dead_letter = subscription.attributes.dead_letter.as_ref();
        match subscription.endpoint.protocol {
            Protocol::Email | Protocol::EmailJson => mail::lane_settings(dead_letter),
            Protocol::Lambda => function_lane_settings(dead_letter),
            Protocol::Http | Protocol::Https | Protocol::Sqs => {
                self.effective_policy(subscription).lane_settings(dead_letter)
            }
        }
    }

    async fn open_lane(&self, subscription: &Subscription) -> Result<(), SnsError> {
        if let Some(lane) = subscription.lane() {
            let settings = self.lane_settings(subscription);
            self.deliveries().open(&lane, settings).await?;
        }
        Ok(())
    }

    fn change_lane(&self, subscription: &Subscription) {
        if let Some(lane) = subscription.lane() {
            let settings = self.lane_settings(subscription);
            self.deliveries().change(&lane, settings);
        }
    }

    /// Publishes all of the messages, in order, in one transaction.
    pub(crate) async fn publish(
        &self,
        topic: &Topic,
        mut publications: Vec<Publication>,
    ) -> Result<Vec<Published>, SnsError> {
        let fifo = topic.attributes.is_fifo.then(|| self.fifo(&topic.arn));
        let _turn = match &fifo {
            Some(fifo) => Some(fifo.publishing.lock().await),
            None => None,
        };
        let mut routing = Routing::new(Batch::new());
        let to = topic.arn.to_string();
        for publication in &mut publications {
            let way = (topic.arn.account.as_str(), to.as_str());
            publication.trace = self
                .router()
                .begin(&mut routing, "Publish", way, &publication.trace);
        }
        let published = self.route(&mut routing, topic, publications)?;
        self.database().write(routing.into_batch()).await?;
        Ok(published)
    }

    /// Adds to the routing's batch all that publishing the messages leads to.
    pub(crate) fn route(
        &self,
        routing: &mut Routing,
        topic: &Topic,
        publications: Vec<Publication>,
    ) -> Result<Vec<Published>, SnsError> {
        let mut fresh: Vec<Taken> = Vec::new();
        let mut published = Vec::with_capacity(publications.len());
        let units = publications
            .iter()
            .map(|publication| units_of_64_kib(publication.bytes))
            .sum();
        self.router()
            .count(routing, Metered::SnsPublishes, &topic.arn, units);
        for mut publication in publications {
            let standard = Published {
                message_id: publication.id,
                sequence: None,
            };
            if !topic.attributes.is_fifo {
                self.fan_out(routing, topic, &publication)?;
                published.push(standard);
                continue;
            }
            let fifo = self.fifo(&topic.arn);
            let now = self.now();
            let Some(mut taken) = takes(topic, &publication, 0) else {
                return Err(SnsError::Internal(
                    "a FIFO message has no deduplication id".into(),
                ));
            };
            let same = |other: &&Taken| other.scope == taken.scope && other.id == taken.id;
            let earlier = fresh
                .iter()
                .find(same)
                .map(|first| (first.message_id, first.sequence));
            if let Some((message_id, sequence)) = earlier.or_else(|| fifo.duplicate(&taken, now)) {
                published.push(Published {
                    message_id,
                    sequence: Some(sequence),
                });
                continue;
            }
            taken.sequence = fifo.next(now);
            publication.sequence = Some(taken.sequence);
            self.fan_out(routing, topic, &publication)?;
            published.push(Published {
                sequence: publication.sequence,
                ..standard
            });
            let (remembered, in_memory) = (taken.clone(), fifo);
            routing.add(|batch| {
                tables::take(batch, &taken).after_commit(move || in_memory.remember(remembered.clone()))
            });
            fresh.push(taken);
        }
        Ok(published)
    }

    fn fifo(&self, topic: &TopicArn) -> Arc<Fifo> {
        Arc::clone(self.lock_fifos().entry(topic.clone()).or_default())
    }

    pub(crate) fn fifos(&self) -> Vec<Arc<Fifo>> {
        self.lock_fifos().values().cloned().collect()
    }

    fn lock_fifos(&self) -> std::sync::MutexGuard<'_, HashMap<TopicArn, Arc<Fifo>>> {
        self.0.fifos.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[tokio::test]
    async fn a_delivery_waits_for_a_subscription_that_is_being_made() {
        let world = World::new().await;
        let topic = world.topic("orders").await;
        let subscription = world.subscribe(&topic, "q", &[]).await;
        let (service, arn) = (&world.service, subscription.parse().unwrap());
        let made = service.subscription(&arn).unwrap();
        let changing = service.0.changing.lock().await;
        service.registry_mut(|registry| registry.delete_subscription(&arn));
        let delivery = service.settled_subscription(&arn);
        let change = async {
            tokio::task::yield_now().await;
            service.registry_mut(|registry| registry.put_subscription((*made).clone()));
            drop(changing);
        };
        let (found, ()) = tokio::join!(delivery, change);
        assert_eq!(found.map(|found| found.arn.clone()), Some(arn));
    }
}
