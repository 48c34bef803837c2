//! To Kafka, by the bus: a rule a topic, as `../MODEL.md` says.

use serde_json::{Value, json};

use crate::call::{Caller, Operation};
use crate::failure::Failure;
use crate::settings::Endpoint;

/// As many entries a call takes.
const ENTRIES: usize = 10;
/// As often a call is tried.
const TRIES: usize = 3;
const PUT: Operation = Operation {
    service: "events",
    target: "AWSEvents.PutEvents",
    content: "application/x-amz-json-1.1",
};

/// A record for a topic.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Who writes it: `resolve`, …
    pub step: &'static str,
    /// The topic.
    pub topic: &'static str,
    /// The record's key.
    pub key: String,
    /// Its value; null is a tombstone.
    pub value: Value,
}

/// The app's bus.
#[derive(Debug)]
pub struct Bus {
    caller: Caller,
    name: String,
}

impl Bus {
    /// The bus of this name.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new(endpoint: Endpoint, name: &str) -> Result<Self, Failure> {
        Ok(Self {
            caller: Caller::new(endpoint)?,
            name: name.to_owned(),
        })
    }

    /// Writes records, in order.
    ///
    /// # Errors
    /// When one is not taken; those before it are written.
    pub async fn put(&self, entries: &[Entry]) -> Result<(), Failure> {
        for some in entries.chunks(ENTRIES) {
            let entries: Vec<Value> = some.iter().map(|entry| self.entry(entry)).collect();
            self.put_some(entries).await?;
        }
        Ok(())
    }

    fn entry(&self, entry: &Entry) -> Value {
        json!({
            "EventBusName": self.name,
            "Source": format!("customer-view.{}", entry.step),
            "DetailType": entry.topic,
            "Detail": json!({"key": entry.key, "value": entry.value}).to_string(),
        })
    }

    /// Entries that were not taken are tried again, before any that follow.
    async fn put_some(&self, mut entries: Vec<Value>) -> Result<(), Failure> {
        let mut problem = String::new();
        for _ in 0..TRIES {
            let answer = match self.caller.call(PUT, &json!({"Entries": entries})).await {
                Ok(answer) => answer,
                Err(error) => {
                    problem = error;
                    continue;
                }
            };
            let results = answer["Entries"].as_array().cloned().unwrap_or_default();
            let Some(first) = results
                .iter()
                .position(|result| result.get("ErrorCode").is_some())
            else {
                return Ok(());
            };
            problem = results[first].to_string();
            // From the first that failed on, so that the order holds: a record may come twice, never late.
            entries.drain(..first);
        }
        Err(Failure::Bus(problem))
    }
}
