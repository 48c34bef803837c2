//! The records of an event source mapping's batch.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::failure::Failure;
use crate::seal::Sealed;

/// A record's envelope.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct Envelope {
    /// `view.normal/1`, …
    pub schema: String,
    /// The event's id.
    pub event: String,
    /// The system.
    pub source: String,
    /// The account.
    pub account: String,
    /// When it happened.
    pub at: String,
    /// The personal part.
    pub sealed: Sealed,
}

impl Envelope {
    /// What the seal is bound to.
    #[must_use]
    pub fn bound_to(&self) -> String {
        format!("{}|{}|{}", self.source, self.account, self.event)
    }
}

/// The values of all records in the order of their partitions; tombstones are left out.
///
/// # Errors
/// When one is not of the shape: steps read what steps wrote.
pub fn values<T: DeserializeOwned>(event: &Value) -> Result<Vec<T>, Failure> {
    let partitions = event["records"]
        .as_object()
        .into_iter()
        .flat_map(|partitions| partitions.values());
    let records = partitions.filter_map(Value::as_array).flatten();
    let written = records.filter_map(|record| Some((record, record["value"].as_str()?)));
    written.map(|(record, value)| parse(record, value)).collect()
}

fn parse<T: DeserializeOwned>(record: &Value, value: &str) -> Result<T, Failure> {
    let shape = |cause| Failure::Shape {
        what: format!("{}-{}@{}", record["topic"], record["partition"], record["offset"]),
        cause,
    };
    let bytes = STANDARD.decode(value).unwrap_or_default();
    serde_json::from_slice(&bytes).map_err(shape)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_come_in_order_without_tombstones() {
        let record = |value: Value| json!({"topic": "t", "partition": 0, "offset": 1, "value": STANDARD.encode(value.to_string())});
        let event = json!({"eventSource": "aws:kafka", "records": {
            "t-0": [record(json!("a")), {"topic": "t", "value": null}, record(json!("b"))], "t-1": [record(json!("c"))]}});
        assert_eq!(values::<String>(&event).unwrap(), ["a", "b", "c"]);
        let error = values::<Envelope>(&event).unwrap_err().to_string();
        assert!(error.contains("\"t\"-0@1"), "{error}");
    }
}
