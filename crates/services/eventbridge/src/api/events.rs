//! `PutEvents` and `TestEventPattern`.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tradewind_events::{Message, Routing, Trace};
use tradewind_model::Timestamp;
use tradewind_store::Batch;

use super::Call;
use super::rules::check_pattern;
use crate::error::EventBridgeError;
use crate::event::{NewEvent, new_id};
use crate::model::parse_pattern;
use crate::names::{BusArn, required};
use crate::receiver::MAX_EVENT;
use crate::service::EventBridgeService;

const MAX_ENTRIES: usize = 10;
/// What `Time` counts for in the size of an entry. EventBridge User Guide, "Calculating event entry size".
const TIME_BYTES: usize = 14;
/// Sources that only AWS's own services have.
const RESERVED: &str = "aws.";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PutEvents {
    entries: Option<Vec<Entry>>,
    endpoint_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Entry {
    /// Seconds since 1970, with a fraction.
    time: Option<f64>,
    source: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    trace_header: Option<String>,
}

/// Why an entry is not taken: a code and a text.
pub(super) type Refusal = (&'static str, String);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TestEventPattern {
    event_pattern: Option<String>,
    event: Option<String>,
}

/// Whether a pattern matches an event.
pub(super) fn test_event_pattern(request: TestEventPattern) -> Result<Value, EventBridgeError> {
    let text = required(request.event_pattern, "eventPattern")?;
    check_pattern(&text)?;
    let pattern = parse_pattern(&text)?;
    let event = required(request.event, "event")?;
    let invalid = |reason: &str| EventBridgeError::parameter("Event", reason);
    let event: Value = serde_json::from_str(&event).map_err(|_not_json| invalid("It is not valid JSON."))?;
    for member in [
        "id",
        "account",
        "source",
        "time",
        "region",
        "resources",
        "detail-type",
    ] {
        if event.get(member).is_none() {
            return Err(invalid(&format!("The event has no `{member}`.")));
        }
    }
    Ok(json!({"Result": pattern.matches(&event)}))
}

impl EventBridgeService {
    pub(super) async fn put_events(
        &self,
        call: &Call,
        request: PutEvents,
    ) -> Result<Value, EventBridgeError> {
        if request.endpoint_id.is_some() {
            return Err(EventBridgeError::unsupported(
                "Parameter EndpointId",
                "it has no global endpoints",
            ));
        }
        let entries = required(request.entries, "entries")?;
        check_sizes(&entries, MAX_ENTRIES)?;
        self.put_entries(&entries, |routing, entry| self.put_event(call, routing, entry))
            .await
    }

    /// Puts all entries that `put` takes in one transaction, and tells of each.
    pub(super) async fn put_entries(
        &self,
        entries: &[Entry],
        put: impl Fn(&mut Routing, &Entry) -> Result<String, Refusal>,
    ) -> Result<Value, EventBridgeError> {
        let mut batch = Batch::new();
        let mut results = Vec::new();
        let mut failed = 0;
        for entry in entries {
            let mut routing = Routing::new(batch);
            match put(&mut routing, entry) {
                Ok(id) => results.push(json!({"EventId": id})),
                Err((code, message)) => {
                    failed += 1;
                    results.push(json!({"ErrorCode": code, "ErrorMessage": message}));
                }
            }
            batch = routing.into_batch();
        }
        self.database().write(batch).await?;
        Ok(json!({"FailedEntryCount": failed, "Entries": results}))
    }

    /// Adds what the entry's event owes; gives its id.
    fn put_event(&self, call: &Call, routing: &mut Routing, entry: &Entry) -> Result<String, Refusal> {
        let bus = call.bus(entry.event_bus_name.as_deref()).map_err(refusal)?;
        let source = entry.source()?;
        if source.starts_with(RESERVED) {
            return Err(("NotAuthorizedForSource", "Not authorized for the source.".into()));
        }
        let event = entry.parse(&bus, source, self.now())?;
        let id = new_id();
        self.route_event(call, routing, entry, &event, &id)?;
        Ok(id)
    }

    /// Adds what the entry's event owes.
    pub(super) fn route_event(
        &self,
        call: &Call,
        routing: &mut Routing,
        entry: &Entry,
        event: &NewEvent<'_>,
        id: &str,
    ) -> Result<(), Refusal> {
        let trace = entry.trace_header.as_deref().or(call.trace.as_deref());
        let message = Message {
            body: event.envelope(id),
            sender: call.account.to_string(),
            trace: Trace::from_header(trace, self.now()),
            ..Message::default()
        };
        let delivered = self.router().deliver(routing, &event.bus.to_arn(), message);
        delivered.map_err(|error| ("InvalidArgument", error.to_string()))
    }
}

fn refusal(error: EventBridgeError) -> Refusal {
    ("InvalidArgument", error.to_string())
}

pub(super) fn check_sizes(entries: &[Entry], most: usize) -> Result<(), EventBridgeError> {
    let bound = |bound: &str, limit: usize| {
        let value = format!("'[{} entries]'", entries.len());
        let rule = format!("Member must have length {bound} than or equal to {limit}");
        Err(EventBridgeError::constraint(&value, "entries", &rule))
    };
    if entries.is_empty() {
        return bound("greater", 1);
    }
    if entries.len() > most {
        return bound("less", most);
    }
    if entries.iter().map(Entry::size).sum::<usize>() > MAX_EVENT {
        let text = "Total size of the entries in the request is over the limit.";
        return Err(EventBridgeError::Validation(text.into()));
    }
    Ok(())
}

impl Entry {
    /// The size that AWS counts, in bytes.
    fn size(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let resources: usize = self.resources.iter().map(String::len).sum();
        texts + resources + self.time.map_or(0, |_| TIME_BYTES)
    }

    pub(super) fn source(&self) -> Result<&str, Refusal> {
        argument(self.source.as_deref(), "Source")
    }

    pub(super) fn parse<'a>(
        &'a self,
        bus: &'a BusArn,
        source: &'a str,
        now: Timestamp,
    ) -> Result<NewEvent<'a>, Refusal> {
        let detail = argument(self.detail.as_deref(), "Detail")?;
        let is_object =
            detail.trim_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(detail).is_ok();
        if !is_object {
            return Err(("MalformedDetail", "Detail is malformed.".into()));
        }
        Ok(NewEvent {
            bus,
            source,
            detail_type: argument(self.detail_type.as_deref(), "DetailType")?,
            time: self.time.map_or(now, timestamp),
            resources: &self.resources,
            detail,
        })
    }
}

fn argument<'a>(given: Option<&'a str>, name: &str) -> Result<&'a str, Refusal> {
    let given = given.filter(|text| !text.is_empty());
    given.ok_or_else(|| {
        let text = format!("Parameter {name} is not valid. Reason: {name} is a required argument.");
        ("InvalidArgument", text)
    })
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what is beyond the range is put at its end"
)]
pub(super) fn timestamp(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1000.0).round() as i64)
}
