//! Topics of Kafka: the events of a target are written in the order in which the bus took them.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tradewind_connect::{ProduceCode, ProduceError, Record};
use tradewind_events::delivery::{Delivery, Outcome};
use tradewind_events::transform::JsonPath;
use tradewind_model::Arn;

use super::{Owed, give_up, retry};
use crate::error::EventBridgeError;
use crate::service::EventBridgeService;

/// What is written together; it waits for one round trip.
pub(super) const BATCH: usize = 500;

/// What a stream of Kinesis needs on AWS, and a topic takes here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(crate) struct KinesisParameters {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition_key_path: Option<String>,
}

impl KinesisParameters {
    /// Where an event has its key.
    pub(crate) fn path(&self) -> Result<Option<JsonPath>, EventBridgeError> {
        let parse = |path: &String| {
            path.parse().map_err(|_no_path| {
                EventBridgeError::parameter("PartitionKeyPath", "JSON path is not valid.")
            })
        };
        self.partition_key_path.as_ref().map(parse).transpose()
    }
}

/// Whether the ARN is one of Kafka's.
pub(crate) fn is_topic(arn: &Arn) -> bool {
    &*arn.service == "kafka"
}

/// The key of the event's record: what is at the path, as text.
pub(super) fn key_of(path: Option<&JsonPath>, event: &Value) -> Option<String> {
    path?
        .select(event)
        .filter(|found| !found.is_null())
        .map(|found| found.as_str().map_or_else(|| found.to_string(), str::to_owned))
}

/// The value of a record; an input of JSON's null is a tombstone, which is how a compacted topic forgets a key.
fn value_of(body: &str) -> Option<Bytes> {
    (body != "null").then(|| Bytes::from(body.to_owned()))
}

impl EventBridgeService {
    /// Runs of deliveries to one topic, each written together.
    pub(super) async fn write_in_order(&self, deliveries: &[Delivery]) -> Vec<Outcome> {
        let owed = deliveries
            .iter()
            .map(|delivery| serde_json::from_slice::<Owed>(&delivery.payload).ok());
        let owed: Vec<Option<Owed>> = owed.collect();
        let topic = |owed: &Option<Owed>| owed.as_ref().map(|owed| owed.destination.clone());
        let mut outcomes = Vec::with_capacity(owed.len());
        for run in owed.chunk_by(|one, next| topic(one) == topic(next)) {
            outcomes.extend(self.write(run).await);
        }
        outcomes
    }

    async fn write(&self, run: &[Option<Owed>]) -> Vec<Outcome> {
        let all = |outcome: Outcome| vec![outcome; run.len()];
        let Some(first) = run.iter().flatten().next() else {
            return all(give_up("INTERNAL_ERROR", "what is owed cannot be read"));
        };
        let arn = first.destination.parse::<Arn>().ok();
        let topic = match arn.map(|arn| self.topics().find(&arn)) {
            Some(Ok(topic)) => topic,
            // the cluster may be back with the next start of the node
            Some(Err(error)) => return all(retry("NO_RESOURCE", error.to_string(), None)),
            None => return all(give_up("INVALID_PARAMETER", "the target is no topic")),
        };
        let record = |owed: &Owed| Record {
            key: owed.key.clone().map(Bytes::from),
            value: value_of(&owed.body),
            headers: Vec::new(),
        };
        let records: Vec<Record> = run.iter().flatten().map(record).collect();
        let written = self.topics().send_all(&topic, &records).await;
        written.into_iter().map(outcome).collect()
    }
}

fn outcome(written: Result<(), ProduceError>) -> Outcome {
    let Err(error) = written else {
        return Outcome::Done;
    };
    let code = match error.code {
        ProduceCode::NoTopic => "NO_RESOURCE",
        ProduceCode::NotAllowed => "NO_PERMISSIONS",
        ProduceCode::Unreachable => "CONNECTION_FAILURE",
        ProduceCode::Refused => "INVALID_PARAMETER",
    };
    match error.is_retriable {
        true => retry(code, error.to_string(), None),
        false => give_up(code, &error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_a_tombstone_and_nothing_else_is() {
        assert_eq!(value_of("null"), None);
        assert_eq!(value_of("\"null\"").unwrap(), "\"null\"");
        assert_eq!(value_of("{}").unwrap(), "{}");
    }
}
