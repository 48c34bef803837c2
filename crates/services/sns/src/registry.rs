//! Topics and subscriptions in memory: what every request and publish reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use tradewind_model::{AccountId, Region};
use uuid::Uuid;

use crate::model::{Subscription, Topic};
use crate::names::{SubscriptionArn, TopicArn};

#[derive(Debug, Default)]
pub(crate) struct Registry {
    topics: BTreeMap<TopicArn, Arc<Topic>>,
    subscriptions: BTreeMap<SubscriptionArn, Arc<Subscription>>,
}

impl Registry {
    pub(crate) fn topic(&self, arn: &TopicArn) -> Option<Arc<Topic>> {
        self.topics.get(arn).map(Arc::clone)
    }

    pub(crate) fn put_topic(&mut self, topic: Topic) {
        self.topics.insert(topic.arn.clone(), Arc::new(topic));
    }

    /// Forgets a topic and its subscriptions.
    pub(crate) fn delete_topic(&mut self, arn: &TopicArn) {
        self.topics.remove(arn);
        self.subscriptions
            .retain(|subscription, _| subscription.topic != *arn);
    }

    /// All topics, by ARN.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.topics.values()
    }

    /// The topics of an account in a region, by name.
    pub(crate) fn topics_of<'a>(
        &'a self,
        account: &'a AccountId,
        region: &'a Region,
    ) -> impl Iterator<Item = &'a Arc<Topic>> {
        let own = move |topic: &&Arc<Topic>| topic.arn.account == *account && topic.arn.region == *region;
        self.topics.values().filter(own)
    }

    pub(crate) fn subscription(&self, arn: &SubscriptionArn) -> Option<Arc<Subscription>> {
        self.subscriptions.get(arn).map(Arc::clone)
    }

    pub(crate) fn put_subscription(&mut self, subscription: Subscription) {
        self.subscriptions
            .insert(subscription.arn.clone(), Arc::new(subscription));
    }

    pub(crate) fn delete_subscription(&mut self, arn: &SubscriptionArn) {
        self.subscriptions.remove(arn);
    }

    /// All subscriptions, by ARN.
    pub(crate) fn subscriptions(&self) -> impl Iterator<Item = &Arc<Subscription>> {
        self.subscriptions.values()
    }

    /// The subscriptions of a topic.
    pub(crate) fn subscriptions_to<'a>(
        &'a self,
        topic: &'a TopicArn,
    ) -> impl Iterator<Item = &'a Arc<Subscription>> {
        let first = SubscriptionArn {
            topic: topic.clone(),
            id: Uuid::nil(),
        };
        self.subscriptions
            .range(first..)
            .take_while(|(arn, _)| arn.topic == *topic)
            .map(|(_, subscription)| subscription)
    }
}
