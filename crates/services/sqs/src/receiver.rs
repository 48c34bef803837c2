//! Events of other services, sent to queues in the transaction that they come from.

use tradewind_events::{
    AttributeValue as Value, Message, MessageAttribute, Receiver, Routing, Undeliverable,
};
use tradewind_model::Arn;
use tradewind_store::queue::NewMessage;

use crate::message::{AttributeValue, Envelope};
use crate::model::Queue;
use crate::service::{SqsService, id_of};

impl Receiver for SqsService {
    fn find(&self, target: &Arn) -> Result<(), Undeliverable> {
        self.queue_at(target).map(drop)
    }

    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        let queue = self.queue_at(target)?;
        check_size(&queue, target, &message)?;
        let fifo = queue.attributes.fifo;
        let refused = |reason: &str| Undeliverable::Refused {
            target: target.to_string(),
            reason: reason.to_owned(),
        };
        if let Some(fifo) = fifo {
            if message.group.is_none() {
                return Err(refused("a FIFO queue needs a message group"));
            }
            if message.deduplication_id.is_none() && !fifo.content_based_deduplication {
                return Err(refused(
                    "a FIFO queue without content-based deduplication needs a deduplication id",
                ));
            }
        }
        let envelope = Envelope {
            sender: message.sender,
            attributes: message.attributes.into_iter().map(stored).collect(),
            trace: message.trace.header(),
        };
        let message = NewMessage {
            body: message.body.into(),
            group: message.group,
            deduplication_id: message.deduplication_id.filter(|_| fifo.is_some()),
            ..NewMessage::default()
        };
        let message = self.stored(&queue, &envelope, message);
        let message = message.map_err(|error| refused(&error.to_string()))?;
        let id = id_of(&queue.arn);
        routing.add(|batch| self.queues().send_within(batch, &id, message));
        Ok(())
    }
}

impl SqsService {
    pub(crate) fn queue_at(&self, target: &Arn) -> Result<std::sync::Arc<Queue>, Undeliverable> {
        let found = target.to_string().parse().and_then(|arn| self.queue(&arn));
        found.map_err(|_no_such_queue| Undeliverable::NotFound {
            target: target.to_string(),
        })
    }
}

fn check_size(queue: &Queue, target: &Arn, message: &Message) -> Result<(), Undeliverable> {
    let of_attribute = |attribute: &MessageAttribute| {
        let value = match &attribute.value {
            Value::Text(text) => text.len(),
            Value::Binary(bytes) => bytes.len(),
        };
        attribute.name.len() + attribute.data_type.len() + value
    };
    let bytes = message.body.len() + message.attributes.iter().map(of_attribute).sum::<usize>();
    let limit = queue.attributes.maximum_message_size as usize;
    if bytes <= limit {
        return Ok(());
    }
    Err(Undeliverable::TooLarge {
        target: target.to_string(),
        bytes,
        limit,
    })
}

fn stored(attribute: MessageAttribute) -> (String, AttributeValue) {
    (
        attribute.name,
        AttributeValue::of(attribute.data_type, attribute.value),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tradewind_events::{Router, Trace};
    use tradewind_model::Timestamp;
    use tradewind_store::Batch;

    use super::*;
    use crate::testing::World;

    const TRACE: &str = "Root=1-5e5ffb9e-0123456789abcdef01234567;Parent=53995c3f42cd8ad8";

    fn message() -> Message {
        let text = |name: &str, data_type: &str, value: &str| MessageAttribute {
            name: name.into(),
            data_type: data_type.into(),
            value: Value::Text(value.into()),
        };
        let bytes = MessageAttribute {
            name: "seal".into(),
            data_type: "Binary".into(),
            value: Value::Binary(vec![0, 255].into()),
        };
        Message {
            body: "paid".into(),
            attributes: vec![
                text("shop", "String", "north"),
                text("cents", "Number", "995"),
                bytes,
            ],
            sender: "s3.amazonaws.com".into(),
            trace: Trace::from_header(Some(TRACE), Timestamp::from_millis(0)),
            ..Message::default()
        }
    }

    /// Sends within a batch of its own, as a source does.
    async fn deliver(world: &World, queue: &str, message: Message) -> Result<(), Undeliverable> {
        let router = Router::new();
        router.connect("sqs", std::sync::Arc::new(world.service.clone()));
        let target = format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
            .parse()
            .unwrap();
        let mut routing = Routing::new(Batch::new());
        router.deliver(&mut routing, &target, message)?;
        world
            .service
            .database()
            .write(routing.into_batch())
            .await
            .unwrap();
        Ok(())
    }

    #[tokio::test]
    async fn a_delivered_message_is_received_as_if_it_were_sent() {
        let world = World::new().await;
        let url = world.queue("orders", json!({})).await;
        deliver(&world, "orders", message()).await.unwrap();
        let asked = json!({
            "QueueUrl": url, "MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"],
        });
        let received = world.ok("ReceiveMessage", asked).await;
        let got = &received["Messages"][0];
        assert_eq!(got["Body"], "paid");
        assert_eq!(got["Attributes"]["AWSTraceHeader"], TRACE);
        assert_eq!(got["Attributes"]["SenderId"], "s3.amazonaws.com");
        let attributes = json!({
            "shop": {"DataType": "String", "StringValue": "north"},
            "cents": {"DataType": "Number", "StringValue": "995"},
            "seal": {"DataType": "Binary", "BinaryValue": "AP8="},
        });
        assert_eq!(got["MessageAttributes"], attributes);
    }

    #[tokio::test]
    async fn what_is_delivered_to_an_encrypted_queue_is_sealed() {
        let world = World::new().await;
        let url = world
            .queue("closed", json!({"SqsManagedSseEnabled": "true"}))
            .await;
        deliver(&world, "closed", message()).await.unwrap();
        let read = world
            .database
            .read("SELECT attributes, body FROM queue_messages", Vec::new());
        let rows = read.await.unwrap();
        let plain = b"paid";
        assert!(
            !rows[0]
                .blob(1)
                .unwrap()
                .windows(plain.len())
                .any(|at| at == plain)
        );
        assert_eq!(rows[0].blob(0).unwrap().len(), 1);
        assert_eq!(world.receive(&url).await[0].0, "paid");
    }

    #[tokio::test]
    async fn what_a_queue_does_not_take_is_refused_with_the_reason() {
        let world = World::new().await;
        world.queue("small", json!({"MaximumMessageSize": "1024"})).await;
        world.queue("ordered.fifo", json!({"FifoQueue": "true"})).await;
        let missing = deliver(&world, "orders", message()).await;
        assert!(
            matches!(missing, Err(Undeliverable::NotFound { .. })),
            "{missing:?}"
        );
        let body = vec![b'x'; 1025].into();
        let large = deliver(&world, "small", Message { body, ..message() }).await;
        assert!(
            matches!(large, Err(Undeliverable::TooLarge { limit: 1024, .. })),
            "{large:?}"
        );
        let (group, deduplication_id) = (Some("g".to_owned()), Some("d".to_owned()));
        for (lacking, group, deduplication_id) in [
            ("group", None, deduplication_id.clone()),
            ("deduplication", group.clone(), None),
        ] {
            let message = Message {
                group,
                deduplication_id,
                ..message()
            };
            let error = deliver(&world, "ordered.fifo", message).await.unwrap_err();
            assert!(error.to_string().contains(lacking), "{error}");
        }
        let message = Message {
            group,
            deduplication_id,
            ..message()
        };
        assert_eq!(deliver(&world, "ordered.fifo", message).await, Ok(()));
    }
}
