//! Events of other services, published to topics in the transaction that they come from.

use tradewind_events::{Message, Receiver, Routing, Undeliverable};
use tradewind_model::Arn;

use crate::error::SnsError;
use crate::names::TopicArn;
use crate::publication::{Draft, MAX_BYTES};
use crate::service::SnsService;

impl Receiver for SnsService {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        let found = TopicArn::of(target).and_then(|arn| self.topic(&arn));
        found.map(drop).map_err(|_no_such_topic| Undeliverable::NotFound {
            target: target.to_string(),
        })
    }

    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        let to = || target.to_string();
        let topic = TopicArn::of(target).and_then(|arn| self.topic(&arn));
        let topic = topic.map_err(|_no_such_topic| Undeliverable::NotFound { target: to() })?;
        let refused = |reason: String| Undeliverable::Refused { target: to(), reason };
        let text = String::from_utf8(message.body.into())
            .map_err(|_bytes| refused("a topic takes text, and this is not UTF-8".into()))?;
        let draft = Draft {
            message: text,
            subject: message.subject,
            structure: None,
            attributes: message.attributes,
            group: message.group,
            deduplication_id: message.deduplication_id.filter(|_| topic.attributes.is_fifo),
        };
        let bytes = draft.bytes();
        if bytes > MAX_BYTES {
            return Err(Undeliverable::TooLarge {
                target: to(),
                bytes,
                limit: MAX_BYTES,
            });
        }
        let refused = |error: SnsError| refused(error.to_string());
        let publication = draft.check(&topic, self.now(), message.trace).map_err(refused)?;
        self.route(routing, &topic, vec![publication])
            .map(drop)
            .map_err(refused)
    }
}
