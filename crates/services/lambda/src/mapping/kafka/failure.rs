//! What is told of records that are given up ("Capturing discarded batches for Amazon MSK and self-managed Apache
//! Kafka event sources", "Using a Kafka topic as an on-failure destination").

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tradewind_compute::InvokeResponse;
use tradewind_connect::{ProduceCode, Record};
use tradewind_events::{Message, Routing, Trace};
use tradewind_model::{FunctionArn, RequestId, Timestamp};
use tradewind_store::Batch;

use super::super::model::Mapping;
use super::Destination;
use super::event::{Envelope, KafkaRecord};
use super::producer::MappingProducer;
use crate::service::LambdaService;

/// Why records are given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    RetryAttemptsExhausted,
    MaximumRecordAgeExceeded,
    MaximumPayloadSizeExceeded,
}

impl Condition {
    fn as_str(self) -> &'static str {
        match self {
            Self::RetryAttemptsExhausted => "RetryAttemptsExhausted",
            Self::MaximumRecordAgeExceeded => "MaximumRecordAgeExceeded",
            Self::MaximumPayloadSizeExceeded => "MaximumPayloadSizeExceeded",
        }
    }
}

/// The last invocation with the records; none if no function got them.
#[derive(Clone, Debug, Default)]
pub(super) struct LastTry {
    pub(super) request_id: Option<RequestId>,
    pub(super) response: Option<InvokeResponse>,
}

/// Records that are given up.
pub(super) struct GivenUp<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) function: &'a FunctionArn,
    pub(super) envelope: &'a Envelope,
    pub(super) records: &'a [KafkaRecord],
    pub(super) condition: Condition,
    /// How often the function ran with them.
    pub(super) invocations: u32,
    pub(super) last: &'a LastTry,
    pub(super) producer: &'a MappingProducer,
}

impl GivenUp<'_> {
    /// Tells the destination; on `Ok` it has it.
    pub(super) async fn tell(
        &self,
        service: &LambdaService,
        destination: &Destination,
    ) -> Result<(), String> {
        let now = service.clock().now();
        match destination {
            Destination::Event(arn) => {
                let message = Message {
                    body: self.record(now, None).into(),
                    sender: "lambda.amazonaws.com".to_owned(),
                    source: self.mapping.arn(),
                    trace: Trace::new(now),
                    ..Message::default()
                };
                let mut routing = Routing::new(Batch::new());
                let told = service.router().deliver(&mut routing, arn, message);
                told.map_err(|error| error.to_string())?;
                let written = service.database().write(routing.into_batch()).await;
                written.map(drop).map_err(|error| error.to_string())
            }
            Destination::Bucket(arn) => {
                let event = self.envelope.event(self.records);
                let whole = String::from_utf8_lossy(&event).into_owned();
                let body = self.record(now, Some(Value::String(whole)));
                let mapping = self.mapping;
                service
                    .objects()
                    .put(&mapping.account, &arn.resource, &self.key(now), body.into())
                    .await
            }
            Destination::Kafka(topic) => self.produce(service, topic, now).await,
        }
    }

    /// `aws/lambda/MAPPING/2026/11/21/2026-11-21T20.15.30-UUID`.
    fn key(&self, now: Timestamp) -> String {
        let time = now.to_rfc3339();
        let (day, rest) = time.split_once('T').unwrap_or((&time, ""));
        let clock = rest.split('.').next().unwrap_or_default().replace(':', ".");
        let (folder, id) = (day.replace('-', "/"), uuid::Uuid::new_v4());
        format!("aws/lambda/{}/{folder}/{day}T{clock}-{id}", self.mapping.id)
    }

    /// Each record by itself, with its key and with what is known of its failure.
    async fn produce(&self, service: &LambdaService, topic: &str, now: Timestamp) -> Result<(), String> {
        let records = self.records.iter().map(|record| {
            let one = GivenUp {
                records: std::slice::from_ref(record),
                ..*self
            };
            let event = self.envelope.event(one.records);
            let whole = serde_json::from_slice(&event).unwrap_or_default();
            Record {
                key: record.key.clone(),
                value: Some(Bytes::from(one.record_of_one(record, now, whole))),
                headers: Vec::new(),
            }
        });
        let records: Vec<Record> = records.collect();
        let producer = self.producer.open(service, self.mapping).await;
        let producer = producer.map_err(|problem| problem.to_string())?;
        let written = producer.send_all(topic, &records).await;
        let written: Result<Vec<()>, _> = written.into_iter().collect();
        if written
            .as_ref()
            .is_err_and(|error| error.code != ProduceCode::Refused)
        {
            self.producer.close().await;
        }
        written.map(drop).map_err(|error| error.to_string())
    }

    fn record(&self, now: Timestamp, payload: Option<Value>) -> String {
        let mut partitions = Map::new();
        for of_one in self.records.chunk_by(|one, next| one.partition == next.partition) {
            let (Some(first), Some(last)) = (of_one.first(), of_one.last()) else {
                continue;
            };
            let info = json!({
                "firstRecordOffset": first.offset.to_string(),
                "lastRecordOffset": last.offset.to_string(),
                "firstRecordTimestamp": time(first.timestamp),
                "lastRecordTimestamp": time(last.timestamp),
            });
            partitions.insert(self.envelope.name(first.partition), info);
        }
        self.write(now, ("recordsInfo", partitions.into()), payload)
    }

    fn record_of_one(&self, record: &KafkaRecord, now: Timestamp, payload: Value) -> String {
        let info = json!({"offset": record.offset.to_string(), "timestamp": time(record.timestamp)});
        self.write(now, ("recordInfo", info), Some(payload))
    }

    fn write(&self, now: Timestamp, (info_name, info): (&str, Value), payload: Option<Value>) -> String {
        let mut context = json!({
            "functionArn": self.function.to_string(),
            "condition": self.condition.as_str(),
            "approximateInvokeCount": self.invocations,
        });
        if let Some(id) = &self.last.request_id {
            context["requestId"] = json!(id.as_str());
        }
        let mut batch = json!({"batchSize": self.records.len()});
        if let Some(arn) = &self.envelope.arn {
            batch["eventSourceArn"] = json!(arn);
        }
        batch["bootstrapServers"] = json!(self.envelope.servers);
        batch["payloadSize"] = json!(self.envelope.event(self.records).len());
        batch[info_name] = info;
        let mut record = json!({
            "requestContext": context,
            "responseContext": self.response(),
            "version": "1.0",
            "timestamp": now.to_rfc3339(),
            "KafkaBatchInfo": batch,
        });
        if let Some(payload) = payload {
            record["payload"] = payload;
        }
        record.to_string()
    }

    fn response(&self) -> Value {
        let Some(response) = &self.last.response else {
            return Value::Null;
        };
        let mut context = json!({
            "statusCode": 200,
            "executedVersion": response.executed_version.to_string(),
        });
        if let Some(error) = response.error {
            context["functionError"] = error.as_str().into();
        }
        context
    }
}

fn time(ms: i64) -> String {
    Timestamp::from_millis(ms).to_rfc3339()
}
