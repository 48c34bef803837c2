//! CloudEvents 1.0 <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>, and what they are
//! as events of a bus:
//!
//! | CloudEvent | event |
//! | --- | --- |
//! | `id` | `id` |
//! | `source` | `source` |
//! | `type` | `detail-type` |
//! | `subject` | the one of `resources` |
//! | `time` | `time` |
//! | `datacontenttype` | `application/json` |
//! | `data` | `detail` |
//! | others | in `cloudevent` |

mod put;

pub use put::CloudEventError;

use serde_json::{Map, Value, json};

/// The media type of a CloudEvent in JSON.
const MEDIA_TYPE: &str = "application/cloudevents+json";
/// The media type of several.
const BATCH_MEDIA_TYPE: &str = "application/cloudevents-batch+json";
/// Where an event keeps what its envelope has no place for: `dataschema`, extensions, a special
/// `datacontenttype`.
const EXTENSIONS: &str = "cloudevent";

/// Whether a header of a target asks for CloudEvents: `Content-Type: application/cloudevents+json`.
pub(crate) fn is_asked_for(name: &str, value: &str) -> bool {
    let media_type = value.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("content-type") && media_type.eq_ignore_ascii_case(MEDIA_TYPE)
}

/// The event as a CloudEvent; none of what is no event.
pub(crate) fn of(event: &Value) -> Option<Value> {
    let mut cloud_event = Map::new();
    cloud_event.insert("specversion".into(), json!("1.0"));
    for (from, to) in [
        ("id", "id"),
        ("source", "source"),
        ("detail-type", "type"),
        ("time", "time"),
    ] {
        cloud_event.insert(to.into(), event.get(from)?.clone());
    }
    let resources = event.get("resources").and_then(Value::as_array);
    if let Some([subject]) = resources.map(Vec::as_slice) {
        cloud_event.insert("subject".into(), subject.clone());
    }
    cloud_event.insert("datacontenttype".into(), json!("application/json"));
    cloud_event.insert("data".into(), event.get("detail")?.clone());
    if let Some(extensions) = event.get(EXTENSIONS).and_then(Value::as_object) {
        cloud_event.extend(extensions.clone());
    }
    Some(cloud_event.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_cloud_event() {
        let event = json!({
            "version": "0", "id": "1", "detail-type": "OrderPaid", "source": "shop", "account": "0",
            "time": "2026-11-21T00:00:00Z", "region": "r", "resources": ["order/7"], "detail": {"n": 1},
        });
        let expected = json!({
            "specversion": "1.0", "id": "1", "source": "shop", "type": "OrderPaid",
            "time": "2026-11-21T00:00:00Z", "subject": "order/7", "datacontenttype": "application/json",
            "data": {"n": 1},
        });
        assert_eq!(of(&event), Some(expected));
        assert_eq!(of(&json!({"detail": {}})), None);
        assert!(is_asked_for(
            "content-type",
            "application/CloudEvents+json; charset=utf-8"
        ));
        assert!(!is_asked_for("content-type", "application/json"));
    }
}
