//! From a publication to what each subscription gets, within one batch.

use bytes::Bytes;
use tradewind_events::delivery::LaneId;
use tradewind_events::{AttributeValue, Message, MessageAttribute, Routing, Undeliverable};
use tradewind_model::Arn;

use crate::endpoint::Post;
use crate::error::SnsError;
use crate::model::{Protocol, Subscription, Topic};
use crate::notification::Notifications;
use crate::publication::Publication;
use crate::service::SnsService;

/// What queues are told who sends.
const SENDER: &str = "sns.amazonaws.com";
/// SQS takes no more with a raw message.
const MAX_RAW_ATTRIBUTES: usize = 10;

impl SnsService {
    /// Adds to the routing's batch what every confirmed subscription gets whose filter wants the
    /// publication. What a target does not take goes to the subscription's dead-letter queue.
    pub(crate) fn fan_out(
        &self,
        routing: &mut Routing,
        topic: &Topic,
        publication: &Publication,
    ) -> Result<(), SnsError> {
        let subscriptions: Vec<_> = self.registry(|registry| {
            let confirmed = registry
                .subscriptions_to(&topic.arn)
                .filter(|subscription| subscription.is_confirmed());
            confirmed.cloned().collect()
        });
        let mut notifications = Notifications::new(self.stationery()?, topic, publication);
        for subscription in subscriptions {
            if subscription.wants(publication) {
                self.hand_over(routing, &mut notifications, &subscription, publication)?;
            }
        }
        Ok(())
    }

    fn hand_over(
        &self,
        routing: &mut Routing,
        notifications: &mut Notifications<'_>,
        subscription: &Subscription,
        publication: &Publication,
    ) -> Result<(), SnsError> {
        let (lane, arn) = (subscription.lane(), subscription.endpoint.arn.as_ref());
        let message = subscription.message(notifications, publication)?;
        let refusal = match (lane, arn) {
            (lane, Some(arn)) => match (
                self.hand_to(routing, subscription, arn, publication, &message),
                lane,
            ) {
                (Err(Undeliverable::Full { .. }), Some(lane)) => {
                    return self.owe(routing, &lane, subscription, publication, message);
                }
                (handed, _) => handed.err(),
            },
            (Some(lane), None) => return self.owe(routing, &lane, subscription, publication, message),
            (None, None) => None,
        };
        let Some(refusal) = refusal else {
            return Ok(());
        };
        let letter = match subscription.endpoint.protocol {
            Protocol::Lambda => Message {
                body: notifications.document(subscription)?.into(),
                ..message
            },
            _ => message,
        };
        self.bury(routing, subscription, letter, &refusal);
        Ok(())
    }

    fn hand_to(
        &self,
        routing: &mut Routing,
        subscription: &Subscription,
        target: &Arn,
        publication: &Publication,
        message: &Message,
    ) -> Result<(), Undeliverable> {
        subscription.check(publication)?;
        self.router().deliver(routing, target, message.clone())
    }

    /// Makes the message wait for its target.
    fn owe(
        &self,
        routing: &mut Routing,
        lane: &LaneId,
        subscription: &Subscription,
        publication: &Publication,
        message: Message,
    ) -> Result<(), SnsError> {
        let post = Post::notification(subscription, publication, message.body)?;
        self.deliveries().owe(routing, lane, Bytes::from(post));
        Ok(())
    }

    /// What was not taken becomes a dead letter, or is lost and the log says so.
    fn bury(
        &self,
        routing: &mut Routing,
        subscription: &Subscription,
        mut letter: Message,
        refusal: &Undeliverable,
    ) {
        let subscribed = &subscription.arn;
        let Some(target) = &subscription.attributes.dead_letter else {
            return tracing::warn!(subscription = %subscribed, %refusal, "a message is dropped");
        };
        letter
            .attributes
            .extend(reason("Undeliverable", &refusal.to_string()));
        if let Err(why) = self.router().deliver(routing, target, letter) {
            tracing::warn!(subscription = %subscribed, %refusal, %why, "a message is dropped, and its dead letter not taken");
        }
    }
}

impl Subscription {
    fn wants(&self, publication: &Publication) -> bool {
        let text = publication.text(self.endpoint.protocol);
        let filter = self.attributes.filter.as_ref();
        filter.is_none_or(|filter| filter.wants(&publication.attributes, text))
    }

    /// What queues and functions get; of endpoints the body.
    fn message(
        &self,
        notifications: &mut Notifications<'_>,
        publication: &Publication,
    ) -> Result<Message, SnsError> {
        let protocol = self.endpoint.protocol;
        let (body, attributes) = match (protocol, self.attributes.raw) {
            (Protocol::Lambda, _) => (notifications.event(self)?, Vec::new()),
            (Protocol::Email, _) => (notifications.letter(self), Vec::new()),
            (_, true) => (
                publication.text(protocol).to_owned(),
                publication.attributes.clone(),
            ),
            (_, false) => (notifications.document(self)?, Vec::new()),
        };
        Ok(Message {
            body: body.into(),
            attributes,
            subject: None,
            group: publication.group.clone(),
            deduplication_id: publication.deduplication_id.clone(),
            sender: SENDER.into(),
            source: self.arn.topic.to_string(),
            trace: publication.trace.clone(),
        })
    }

    fn check(&self, publication: &Publication) -> Result<(), Undeliverable> {
        if !self.attributes.raw || publication.attributes.len() <= MAX_RAW_ATTRIBUTES {
            return Ok(());
        }
        Err(Undeliverable::Refused {
            target: self.endpoint.text.clone(),
            reason: format!("a raw message has at most {MAX_RAW_ATTRIBUTES} attributes"),
        })
    }
}

/// Why a message is a dead letter, as attributes of it.
pub(crate) fn reason(code: &str, message: &str) -> [MessageAttribute; 2] {
    let text = |name: &str, value: &str| MessageAttribute {
        name: name.into(),
        data_type: "String".into(),
        value: AttributeValue::Text(value.into()),
    };
    [text("ErrorCode", code), text("ErrorMessage", message)]
}
