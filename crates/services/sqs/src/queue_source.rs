//! Queues as others read them: functions and pipes receive from the store's queue, and this service makes of
//! a message what its clients would get.

use tradewind_events::{QueueFacts, QueueRecord, QueueSource, RecordAttribute, Undeliverable};
use tradewind_model::{Arn, Timestamp};
use tradewind_store::queue::Received;

use crate::api::system_attributes;
use crate::handle::Handle;
use crate::message::{AttributeValue, md5_of, md5_of_attributes};
use crate::service::{SqsService, id_of};

impl QueueSource for SqsService {
    fn queue(&self, queue: &Arn) -> Result<QueueFacts, Undeliverable> {
        let queue = self.queue_at(queue)?;
        Ok(QueueFacts {
            id: id_of(&queue.arn),
            fifo: queue.attributes.fifo.is_some(),
            visibility_timeout: std::time::Duration::from_secs(queue.attributes.visibility_timeout.into()),
        })
    }

    fn record(&self, queue: &Arn, received: &Received, now: Timestamp) -> Result<QueueRecord, Undeliverable> {
        let arn = &self.queue_at(queue)?.arn;
        let read = self.opened(received).map_err(|error| Undeliverable::Refused {
            target: queue.to_string(),
            reason: error.to_string(),
        });
        let (envelope, body) = read?;
        let handle = Handle {
            receipt: received.receipt,
            received_at: now,
        };
        let attributes = envelope.attributes.iter();
        Ok(QueueRecord {
            message_id: received.id.to_string(),
            receipt_handle: handle.encode(arn),
            body: String::from_utf8_lossy(&body).into_owned(),
            attributes: system_attributes(&envelope, received).collect(),
            md5_of_message_attributes: md5_of_attributes(
                attributes.map(|(name, value)| (name.as_str(), value)),
            ),
            md5_of_body: md5_of(&body),
            event_source: "aws:sqs",
            event_source_arn: arn.to_string(),
            aws_region: arn.region.to_string(),
            message_attributes: envelope
                .attributes
                .into_iter()
                .map(|(name, value)| (name, attribute(value)))
                .collect(),
        })
    }
}

fn attribute(value: AttributeValue) -> RecordAttribute {
    RecordAttribute {
        string_value: value.string_value,
        binary_value: value.binary_value,
        data_type: value.data_type.unwrap_or_default(),
        ..RecordAttribute::default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::testing::World;

    fn arn(name: &str) -> Arn {
        format!("arn:aws:sqs:us-east-1:000000000000:{name}")
            .parse()
            .unwrap()
    }

    #[tokio::test]
    async fn a_record_is_the_event_that_functions_of_lambda_get() {
        let world = World::new().await;
        let url = world
            .queue("in.fifo", json!({"FifoQueue": "true", "VisibilityTimeout": "70"}))
            .await;
        let message = json!({
            "QueueUrl": url, "MessageBody": "paid", "MessageGroupId": "g", "MessageDeduplicationId": "d",
            "MessageAttributes": {
                "shop": {"DataType": "String", "StringValue": "north"},
                "seal": {"DataType": "Binary", "BinaryValue": "AP8="},
            },
            "MessageSystemAttributes": {"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}},
        });
        let sent = world.ok("SendMessage", message).await;
        let facts = QueueSource::queue(&world.service, &arn("in.fifo")).unwrap();
        assert_eq!((facts.fifo, facts.visibility_timeout.as_secs()), (true, 70));
        let receive = world
            .service
            .queues()
            .receive(&facts.id, 1, Duration::from_secs(70), Duration::ZERO);
        let received = receive.await.unwrap().remove(0);
        let record = world
            .service
            .record(&arn("in.fifo"), &received, world.clock.now())
            .unwrap();
        let handle = record.receipt_handle.clone();
        let text = serde_json::to_string(&record).unwrap();
        let expected = format!(
            r#"{{"messageId":{},"receiptHandle":"{handle}","body":"paid","attributes":{{"ApproximateReceiveCount":"1","AWSTraceHeader":"Root=1","SentTimestamp":"1700000000000","SequenceNumber":{},"MessageGroupId":"g","SenderId":"AKIDEXAMPLE","MessageDeduplicationId":"d","ApproximateFirstReceiveTimestamp":"1700000000000"}},"messageAttributes":{{"seal":{{"binaryValue":"AP8=","stringListValues":[],"binaryListValues":[],"dataType":"Binary"}},"shop":{{"stringValue":"north","stringListValues":[],"binaryListValues":[],"dataType":"String"}}}},"md5OfMessageAttributes":{},"md5OfBody":{},"eventSource":"aws:sqs","eventSourceARN":"arn:aws:sqs:us-east-1:000000000000:in.fifo","awsRegion":"us-east-1"}}"#,
            sent["MessageId"],
            sent["SequenceNumber"],
            sent["MD5OfMessageAttributes"],
            sent["MD5OfMessageBody"],
        );
        assert_eq!(text, expected);
        world
            .ok("DeleteMessage", json!({"QueueUrl": url, "ReceiptHandle": handle}))
            .await;
        let left = world.service.queues().depth(&facts.id).await.unwrap();
        assert_eq!(left.ready + left.leased, 0);
    }

    #[tokio::test]
    async fn a_queue_that_is_not_there_is_named() {
        let world = World::new().await;
        let error = QueueSource::queue(&world.service, &arn("gone")).unwrap_err();
        assert!(matches!(error, Undeliverable::NotFound { .. }), "{error}");
    }
}
