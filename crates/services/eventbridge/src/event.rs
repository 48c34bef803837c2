//! The event and its envelope, as buses, targets and archives see it.

use bytes::Bytes;
use serde_json::{Value, json};
use tradewind_model::Timestamp;

use crate::names::BusArn;

/// What a new event says of itself.
#[derive(Debug)]
pub(crate) struct NewEvent<'a> {
    pub(crate) bus: &'a BusArn,
    pub(crate) source: &'a str,
    pub(crate) detail_type: &'a str,
    pub(crate) time: Timestamp,
    pub(crate) resources: &'a [String],
    /// A JSON object, kept to the letter: no number of it changes.
    pub(crate) detail: &'a str,
}

impl NewEvent<'_> {
    /// The event with its envelope, under the id.
    pub(crate) fn envelope(&self, id: &str) -> Bytes {
        let text = |text: &str| Value::from(text).to_string();
        let resources = json!(self.resources);
        let event = format!(
            r#"{{"version":"0","id":{},"detail-type":{},"source":{},"account":"{}","time":"{}","region":"{}","resources":{resources},"detail":{}}}"#,
            text(id),
            text(self.detail_type),
            text(self.source),
            self.bus.account,
            time(self.time),
            self.bus.region,
            self.detail.trim(),
        );
        event.into()
    }
}

/// `2026-11-20T23:08:00Z`: the form of `time`, whole seconds.
pub(crate) fn time(at: Timestamp) -> String {
    format!("{:.0}", at.to_jiff())
}

/// A fresh event id.
pub(crate) fn new_id() -> String {
    uuid::Uuid::new_v4().hyphenated().to_string()
}

#[cfg(test)]
mod tests {
    use tradewind_model::{AccountId, Region};

    use super::*;

    #[test]
    fn an_event_is_wrapped_and_its_detail_is_kept_to_the_letter() {
        let bus = BusArn::parse(None, &AccountId::default_account(), &Region::default_region()).unwrap();
        let event = NewEvent {
            bus: &bus,
            source: "shop",
            detail_type: "a \"quoted\" type",
            time: Timestamp::from_millis(1_700_000_000_999),
            resources: &["arn:x".to_owned()],
            detail: r#" {"total": 1.10, "id": 12345678901234567890123} "#,
        };
        let text = String::from_utf8(event.envelope("i").to_vec()).unwrap();
        assert_eq!(
            text,
            r#"{"version":"0","id":"i","detail-type":"a \"quoted\" type","source":"shop","account":"000000000000","time":"2023-11-14T22:13:20Z","region":"us-east-1","resources":["arn:x"],"detail":{"total": 1.10, "id": 12345678901234567890123}}"#
        );
    }
}
