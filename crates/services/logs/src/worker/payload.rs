//! What a function gets: `{"awslogs": {"data": …}}`, the data gzipped JSON in base64.
//!
//! CloudWatch Logs User Guide, "Log group-level subscription filters", "Example 2: Subscription filters
//! with Lambda".

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde_json::json;
use tradewind_model::Timestamp;
use tradewind_observe::StoredEvent;

use crate::pattern::FilterPattern;
use crate::token::event_id;

/// As much of messages goes into one payload, so that even what hardly compresses stays far below what a
/// function takes asynchronously. A longer message goes alone.
const MESSAGE_BYTES: usize = 128 * 1024;

/// Whose events they are, and which of them.
pub(super) struct Subscription {
    pub(super) owner: String,
    pub(super) log_group: String,
    pub(super) filter: String,
    pub(super) pattern: FilterPattern,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    message_type: &'static str,
    owner: &'a str,
    log_group: &'a str,
    log_stream: &'a str,
    subscription_filters: [&'a str; 1],
    log_events: Vec<Event<'a>>,
}

#[derive(Serialize)]
struct Event<'a> {
    id: String,
    timestamp: Timestamp,
    message: &'a str,
}

/// The payloads of the events that match: each of one stream, in the order of appending.
pub(super) fn make(of: &Subscription, events: Vec<StoredEvent>) -> Vec<String> {
    let matching = events
        .into_iter()
        .filter(|event| of.pattern.matches(&event.event.message));
    let mut batches: Vec<Batch> = Vec::new();
    for event in matching {
        let open = batches
            .iter_mut()
            .rev()
            .find(|batch| batch.is_of(&event))
            .filter(|batch| batch.bytes + event.event.message.len() <= MESSAGE_BYTES);
        match open {
            Some(batch) => batch.add(event),
            None => batches.push(Batch::of(event)),
        }
    }
    batches.iter().map(|batch| payload(of, &batch.events)).collect()
}

struct Batch {
    events: Vec<StoredEvent>,
    bytes: usize,
}

impl Batch {
    fn of(event: StoredEvent) -> Self {
        Self {
            bytes: event.event.message.len(),
            events: vec![event],
        }
    }

    fn is_of(&self, event: &StoredEvent) -> bool {
        self.events
            .first()
            .is_some_and(|first| first.event.stream == event.event.stream)
    }

    fn add(&mut self, event: StoredEvent) {
        self.bytes += event.event.message.len();
        self.events.push(event);
    }
}

fn payload(of: &Subscription, events: &[StoredEvent]) -> String {
    let stream = events.first().map_or("", |first| &first.event.stream);
    let log_events = events.iter().map(|event| Event {
        id: event_id(event.key()),
        timestamp: event.event.timestamp,
        message: &event.event.message,
    });
    let data = Data {
        message_type: "DATA_MESSAGE",
        owner: &of.owner,
        log_group: &of.log_group,
        log_stream: stream,
        subscription_filters: [&of.filter],
        log_events: log_events.collect(),
    };
    let data = serde_json::to_vec(&data).expect("invariant: strings and numbers always serialise to memory");
    json!({"awslogs": {"data": STANDARD.encode(gzip(&data))}}).to_string()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(data)
        .and_then(|()| encoder.finish())
        .expect("invariant: a vector takes all that is written to it")
}
