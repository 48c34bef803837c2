//! CloudEvents that are put on a bus over HTTP, in the three modes of the HTTP binding
//! <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>: structured,
//! binary and batched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use tradewind_events::{Message, Routing, Trace};
use tradewind_model::{AccountId, Region, Timestamp};
use tradewind_store::Batch;

use super::{BATCH_MEDIA_TYPE, EXTENSIONS, MEDIA_TYPE};
use crate::error::EventBridgeError;
use crate::event::NewEvent;
use crate::names::BusArn;
use crate::receiver::MAX_EVENT;
use crate::service::EventBridgeService;

/// Why CloudEvents are not taken. Nothing of the request was put on the bus.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CloudEventError {
    /// What came is no CloudEvent, or none that a bus can hold.
    #[error("{0}")]
    Invalid(String),
    /// The media type is not one of those that are read.
    #[error("{0}")]
    UnsupportedMediaType(String),
    /// The bus refuses an event, or the node failed.
    #[error("{}", .0.to_wire().message)]
    Bus(EventBridgeError),
}

impl CloudEventError {
    /// Says which event it is, where there may be several.
    fn within(self, headers: &HeaderMap, number: usize) -> Self {
        let numbered = |text: String| format!("event {number}: {text}");
        match self {
            Self::Invalid(text) if is_batch(headers) => Self::Invalid(numbered(text)),
            Self::UnsupportedMediaType(text) if is_batch(headers) => {
                Self::UnsupportedMediaType(numbered(text))
            }
            other => other,
        }
    }

    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) => 400,
            Self::UnsupportedMediaType(_) => 415,
            Self::Bus(EventBridgeError::ResourceNotFound(_)) => 404,
            Self::Bus(error) => error.to_wire().status,
        }
    }
}

/// The attributes of a CloudEvent, and its data.
struct CloudEvent {
    attributes: Map<String, Value>,
    /// JSON, to the letter where it came so.
    data: Option<String>,
}

fn invalid(reason: impl Into<String>) -> CloudEventError {
    CloudEventError::Invalid(reason.into())
}

impl EventBridgeService {
    /// Puts the CloudEvents of a request on a bus: all of them, or none.
    ///
    /// # Errors
    /// Why none was put.
    pub async fn put_cloud_events(
        &self,
        (account, region): (&AccountId, &Region),
        bus: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), CloudEventError> {
        let bus = BusArn::parse(Some(bus), account, region).map_err(CloudEventError::Bus)?;
        self.registry(|registry| registry.bus(&bus))
            .map_err(CloudEventError::Bus)?;
        let now = self.now();
        let trace = headers
            .get("x-amzn-trace-id")
            .and_then(|value| value.to_str().ok());
        let mut batch = Batch::new();
        for (number, event) in read(headers, body)?.into_iter().enumerate() {
            let text = event
                .into_event(&bus, now)
                .map_err(|error| error.within(headers, number))?;
            let message = Message {
                body: text.into(),
                sender: account.to_string(),
                trace: Trace::from_header(trace, now),
                ..Message::default()
            };
            let mut routing = Routing::new(batch);
            let delivered = self.router().deliver(&mut routing, &bus.to_arn(), message);
            delivered.map_err(|error| invalid(error.to_string()))?;
            batch = routing.into_batch();
        }
        let written = self.database().write(batch).await;
        written.map_err(|error| CloudEventError::Bus(error.into()))?;
        Ok(())
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get("content-type").and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// A media type without its parameters.
fn media_type(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

fn is_batch(headers: &HeaderMap) -> bool {
    media_type(content_type(headers)) == BATCH_MEDIA_TYPE
}

/// The events of a request.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<CloudEvent>, CloudEventError> {
    let content_type = content_type(headers);
    let media_type = media_type(content_type);
    if media_type == MEDIA_TYPE {
        return Ok(vec![structured(json(body)?)?]);
    }
    if media_type == BATCH_MEDIA_TYPE {
        let Value::Array(all) = json(body)? else {
            return Err(invalid("a batch of CloudEvents is an array"));
        };
        return all.into_iter().map(structured).collect();
    }
    if media_type.starts_with("application/cloudevents") {
        let text =
            format!("CloudEvents are read as `{MEDIA_TYPE}` and `{BATCH_MEDIA_TYPE}`, not as `{media_type}`");
        return Err(CloudEventError::UnsupportedMediaType(text));
    }
    if headers.contains_key("ce-specversion") {
        return Ok(vec![binary(headers, content_type, body)?]);
    }
    Err(CloudEventError::UnsupportedMediaType(format!(
        "a request with CloudEvents has the type `{MEDIA_TYPE}` or `{BATCH_MEDIA_TYPE}`, or headers `ce-…`"
    )))
}

fn json(body: &[u8]) -> Result<Value, CloudEventError> {
    serde_json::from_slice(body).map_err(|error| invalid(format!("the body is not JSON: {error}")))
}

fn structured(event: Value) -> Result<CloudEvent, CloudEventError> {
    let Value::Object(mut attributes) = event else {
        return Err(invalid("a CloudEvent is an object"));
    };
    let data = match (attributes.remove("data"), attributes.remove("data_base64")) {
        (Some(_), Some(_)) => return Err(invalid("a CloudEvent has `data` or `data_base64`, not both")),
        (Some(data), None) => Some(data.to_string()),
        (None, Some(data)) => Some(decoded(&data)?),
        (None, None) => None,
    };
    Ok(CloudEvent { attributes, data })
}

fn decoded(data: &Value) -> Result<String, CloudEventError> {
    let bytes = data.as_str().and_then(|text| STANDARD.decode(text).ok());
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or_else(|| invalid("`data_base64` has to be JSON in base64: the detail of an event is JSON"))
}

/// Attributes are headers, their values percent-encoded (section 3.1.3.2).
fn binary(headers: &HeaderMap, content_type: &str, body: &[u8]) -> Result<CloudEvent, CloudEventError> {
    let mut attributes = Map::new();
    for (name, value) in headers {
        let Some(attribute) = name.as_str().strip_prefix("ce-") else {
            continue;
        };
        let text = value
            .to_str()
            .ok()
            .and_then(|text| percent_decode_str(text).decode_utf8().ok());
        let text = text.ok_or_else(|| invalid(format!("the header `{name}` is not text")))?;
        attributes.insert(attribute.to_owned(), text.into_owned().into());
    }
    if !content_type.is_empty() {
        attributes.insert("datacontenttype".into(), content_type.into());
    }
    let data = std::str::from_utf8(body).map_err(|_not_text| invalid("the data is not JSON"))?;
    Ok(CloudEvent {
        attributes,
        data: (!data.is_empty()).then(|| data.to_owned()),
    })
}

impl CloudEvent {
    fn take(&mut self, attribute: &str) -> Result<Option<String>, CloudEventError> {
        match self.attributes.remove(attribute) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text)),
            Some(_) => Err(invalid(format!(
                "`{attribute}` of a CloudEvent is a text that is not empty"
            ))),
        }
    }

    fn required(&mut self, attribute: &str) -> Result<String, CloudEventError> {
        let found = self.take(attribute)?;
        found.ok_or_else(|| invalid(format!("the CloudEvent has no `{attribute}`")))
    }

    /// The event as a bus has it. What has no place in its envelope is kept in `cloudevent`.
    fn into_event(mut self, bus: &BusArn, now: Timestamp) -> Result<String, CloudEventError> {
        if self.required("specversion")? != "1.0" {
            return Err(invalid("only CloudEvents 1.0 are read"));
        }
        let (id, source) = (self.required("id")?, self.required("source")?);
        let detail_type = self.required("type")?;
        if source.starts_with("aws.") {
            return Err(invalid(
                "sources that begin with `aws.` are those of AWS's services",
            ));
        }
        let time = match self.take("time")? {
            Some(time) => parse_time(&time)?,
            None => now,
        };
        self.check_content_type()?;
        let subject = self.take("subject")?;
        let event = NewEvent {
            bus,
            source: &source,
            detail_type: &detail_type,
            time,
            resources: subject.as_slice(),
            detail: self.detail()?,
        };
        let text = String::from_utf8_lossy(&event.envelope(&id)).into_owned();
        let text = match (self.attributes.is_empty(), text.strip_suffix('}')) {
            (false, Some(open)) => {
                format!(
                    "{open},\"{EXTENSIONS}\":{}}}",
                    Value::Object(self.attributes.clone())
                )
            }
            _ => text,
        };
        if text.len() > MAX_EVENT {
            return Err(invalid("the event is larger than 1 MiB"));
        }
        Ok(text)
    }

    /// Data is JSON; a type that says more than that is kept.
    fn check_content_type(&mut self) -> Result<(), CloudEventError> {
        let Some(content_type) = self.take("datacontenttype")? else {
            return Ok(());
        };
        let media_type = media_type(&content_type);
        let is_json =
            media_type == "application/json" || media_type == "text/json" || media_type.ends_with("+json");
        if !is_json {
            let text = format!("the detail of an event is JSON, not `{content_type}`");
            return Err(CloudEventError::UnsupportedMediaType(text));
        }
        if content_type != "application/json" {
            self.attributes
                .insert("datacontenttype".into(), content_type.into());
        }
        Ok(())
    }

    fn detail(&self) -> Result<&str, CloudEventError> {
        let Some(data) = &self.data else { return Ok("{}") };
        let is_object =
            data.trim_start().starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok();
        if is_object {
            Ok(data)
        } else {
            Err(invalid(
                "the data has to be a JSON object: it becomes the event's `detail`",
            ))
        }
    }
}

fn parse_time(text: &str) -> Result<Timestamp, CloudEventError> {
    let time = text.parse::<jiff::Timestamp>();
    let time =
        time.map_err(|_not_a_time| invalid(format!("`time` has to be as in RFC 3339, not `{text}`")))?;
    Ok(Timestamp::from_millis(time.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{World, queue};

    async fn put(world: &World, headers: &[(&'static str, &str)], body: &str) -> Result<(), (u16, String)> {
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = pairs.collect();
        let of = (&AccountId::default_account(), &Region::default_region());
        let put = world
            .service
            .put_cloud_events(of, "default", &headers, body.as_bytes())
            .await;
        put.map_err(|error| (error.status(), error.to_string()))
    }

    async fn world() -> World {
        let world = World::new().await;
        let targets = json!([{"Id": "1", "Arn": queue("q")}]);
        world
            .rule("default", "r", json!({"source": [{"prefix": "/shop"}]}), targets)
            .await;
        world
    }

    fn cloud_event() -> Value {
        json!({
            "specversion": "1.0", "id": "a\"1", "source": "/shop", "type": "order.paid", "subject": "order/7",
            "time": "2026-11-21T12:00:00.5+01:00", "datacontenttype": "application/json", "data": {"n": 1},
            "tenant": "north",
        })
    }

    fn event() -> Value {
        json!({
            "version": "0", "id": "a\"1", "detail-type": "order.paid", "source": "/shop", "account": "000000000000",
            "time": "2026-11-21T11:00:00Z", "region": "us-east-1", "resources": ["order/7"], "detail": {"n": 1},
            "cloudevent": {"tenant": "north"},
        })
    }

    #[tokio::test]
    async fn all_three_modes_give_the_same_event() {
        let world = world().await;
        let structured = [("content-type", "application/cloudevents+json; charset=utf-8")];
        put(&world, &structured, &cloud_event().to_string())
            .await
            .unwrap();
        let binary = [
            ("ce-specversion", "1.0"),
            ("ce-id", "a%221"),
            ("ce-source", "/shop"),
            ("ce-type", "order.paid"),
            ("ce-subject", "order/7"),
            ("ce-time", "2026-11-21T12:00:00.5+01:00"),
            ("ce-tenant", "north"),
            ("content-type", "application/json"),
        ];
        put(&world, &binary, r#"{"n": 1}"#).await.unwrap();
        let batched = [("content-type", "application/cloudevents-batch+json")];
        put(
            &world,
            &batched,
            &json!([cloud_event(), cloud_event()]).to_string(),
        )
        .await
        .unwrap();
        let got = world.queues.bodies();
        assert_eq!(got, vec![("q".to_owned(), event()); 4]);
        let again = super::super::of(&event()).unwrap();
        let mut expected = cloud_event();
        expected["time"] = json!("2026-11-21T11:00:00Z");
        assert_eq!(again, expected, "there and back");
    }

    #[tokio::test]
    async fn what_is_no_cloud_event_puts_nothing() {
        let world = world().await;
        let structured = [("content-type", "application/cloudevents+json")];
        let with = |member: &str, value: Value| {
            let mut event = cloud_event();
            event[member] = value;
            event.to_string()
        };
        for (body, status, reason) in [
            ("{".to_owned(), 400, "not JSON"),
            (with("specversion", json!("0.3")), 400, "only CloudEvents 1.0"),
            (with("id", Value::Null), 400, "no `id`"),
            (with("source", json!(7)), 400, "`source`"),
            (with("source", json!("aws.s3")), 400, "`aws.`"),
            (with("time", json!("noon")), 400, "RFC 3339"),
            (with("data", json!([1])), 400, "JSON object"),
            (with("data_base64", json!("e30=")), 400, "not both"),
            (with("datacontenttype", json!("text/xml")), 415, "text/xml"),
        ] {
            let (found, text) = put(&world, &structured, &body).await.unwrap_err();
            assert!(found == status && text.contains(reason), "{found} {text}");
        }
        let batch = json!([cloud_event(), {}]).to_string();
        let batched = [("content-type", "application/cloudevents-batch+json")];
        let (_, text) = put(&world, &batched, &batch).await.unwrap_err();
        assert!(text.starts_with("event 1: "), "{text}");
        for content_type in ["application/json", "application/cloudevents+avro"] {
            assert_eq!(
                put(&world, &[("content-type", content_type)], "{}")
                    .await
                    .unwrap_err()
                    .0,
                415
            );
        }
        assert!(world.queues.take().is_empty());
    }
}
