//! The event that a batch of a topic is, byte for byte Lambda's ("Using Lambda with self-managed Apache Kafka",
//! "Using Lambda with Amazon MSK"), and what filters see of a record.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tradewind_connect::consumer::{Prepared, Record, TimestampType};
use tradewind_model::limits::SYNC_PAYLOAD_BYTES;

use super::super::filter::Filters;
use super::{KafkaCluster, KafkaSource};

/// A record as a batch has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KafkaRecord {
    pub(super) partition: i32,
    pub(super) offset: i64,
    /// The offset to go on from once it is settled.
    pub(super) next: i64,
    /// Milliseconds since 1970.
    pub(super) timestamp: i64,
    /// Of the record, for those that follow it to another topic.
    pub(super) key: Option<Bytes>,
    /// As a member of the event.
    pub(super) text: String,
}

/// What a mapping makes of a record, if one of its filters wants it.
pub(super) fn prepare(filters: &Filters, record: &Record<'_>) -> Prepared<KafkaRecord> {
    if !filters.is_empty() && !filters.match_seen(&seen(record)) {
        return None;
    }
    let text = text(record);
    let bytes = text.len() + 1;
    let prepared = KafkaRecord {
        partition: record.partition(),
        offset: record.offset(),
        next: record.offset() + 1,
        timestamp: record.timestamp().0,
        key: record.key().map(Bytes::copy_from_slice),
        text,
    };
    Some((prepared, bytes))
}

/// The record with key and value decoded: a JSON object or array as such, anything else as text.
fn seen(record: &Record<'_>) -> Value {
    let (timestamp, kind) = record.timestamp();
    let mut seen = json!({
        "topic": record.topic(),
        "partition": record.partition(),
        "offset": record.offset(),
        "timestamp": timestamp,
        "timestampType": timestamp_type(kind),
    });
    for (name, bytes) in [("key", record.key()), ("value", record.value())] {
        if let Some(bytes) = bytes {
            seen[name] = decoded(bytes);
        }
    }
    seen
}

fn decoded(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(json @ (Value::Object(_) | Value::Array(_))) => json,
        Ok(_) | Err(_) => String::from_utf8_lossy(bytes).into(),
    }
}

fn timestamp_type(kind: TimestampType) -> &'static str {
    match kind {
        TimestampType::CreateTime => "CREATE_TIME",
        TimestampType::LogAppendTime => "LOG_APPEND_TIME",
        TimestampType::NoTimestamp => "NO_TIMESTAMP_TYPE",
    }
}

/// The member, written into one buffer of its size: it is made for each record of a topic, on one thread.
fn text(record: &Record<'_>) -> String {
    let (timestamp, kind) = record.timestamp();
    let (key, value, headers) = (record.key(), record.value(), record.headers());
    let encoded = |bytes: Option<&[u8]>| bytes.map_or(0, |bytes| bytes.len().div_ceil(3) * 4);
    let around = record.topic().len() + AROUND;
    let bytes = around + encoded(key) + encoded(value) + headers_bytes(&headers);
    let mut text = String::with_capacity(bytes);
    text.push_str("{\"topic\":");
    push_quoted(&mut text, record.topic());
    let (partition, offset, kind) = (record.partition(), record.offset(), timestamp_type(kind));
    let written = write!(
        text,
        r#","partition":{partition},"offset":{offset},"timestamp":{timestamp},"timestampType":"{kind}""#
    );
    written.expect(GROWS);
    for (name, bytes) in [(",\"key\":\"", key), (",\"value\":\"", value)] {
        if let Some(bytes) = bytes {
            text.push_str(name);
            STANDARD.encode_string(bytes, &mut text);
            text.push('"');
        }
    }
    push_headers(&mut text, &headers);
    text.push('}');
    text
}

/// The names of a record's members and its numbers, at most.
const AROUND: usize = 170;
/// Why writing to a text does not fail.
const GROWS: &str = "a string takes whatever is written to it";

type Headers<'a> = [(&'a str, Option<&'a [u8]>)];

/// What headers take at most, unless their names have much to escape.
fn headers_bytes(headers: &Headers<'_>) -> usize {
    let each = headers.iter();
    each.map(|(name, value)| name.len() + value.map_or(0, <[u8]>::len) * 5 + 8)
        .sum()
}

/// Headers, whose values are arrays of bytes as Java has them, with a sign: that is what Lambda gives
/// (aws-lambda-rust-runtime issue 688, powertools-lambda-python issue 6862).
fn push_headers(text: &mut String, headers: &Headers<'_>) {
    text.push_str(",\"headers\":[");
    for (position, (name, value)) in headers.iter().enumerate() {
        text.push_str(if position > 0 { ",{" } else { "{" });
        push_quoted(text, name);
        text.push_str(":[");
        for (position, byte) in value.unwrap_or_default().iter().enumerate() {
            if position > 0 {
                text.push(',');
            }
            write!(text, "{}", byte.cast_signed()).expect(GROWS);
        }
        text.push_str("]}");
    }
    text.push(']');
}

/// As a string of JSON; the usual name has nothing to escape.
fn push_quoted(text: &mut String, name: &str) {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if name.bytes().all(is_plain) {
        text.push('"');
        text.push_str(name);
        text.push('"');
    } else {
        text.push_str(&json!(name).to_string());
    }
}

/// What stands around the records.
#[derive(Clone, Debug)]
pub(super) struct Envelope {
    opening: String,
    topic: String,
    /// `eventSourceArn`, if there is one.
    pub(super) arn: Option<String>,
    /// `bootstrapServers`.
    pub(super) servers: String,
}

impl Envelope {
    /// That of `source`, whose cluster's servers are these.
    pub(super) fn new(source: &KafkaSource, servers: String) -> Self {
        let (name, arn) = match &source.cluster {
            KafkaCluster::Named(arn) => ("aws:kafka", Some(arn.to_string())),
            KafkaCluster::SelfManaged { .. } => ("SelfManagedKafka", None),
        };
        let mut opening = format!(r#"{{"eventSource":"{name}""#);
        if let Some(arn) = &arn {
            opening.push_str(&format!(r#","eventSourceArn":{}"#, json!(arn)));
        }
        opening.push_str(&format!(r#","bootstrapServers":{},"records":{{"#, json!(servers)));
        Self {
            opening,
            topic: source.topic.clone(),
            arn,
            servers,
        }
    }

    /// What records of so many partitions may take in an event, with a comma each.
    pub(super) fn room(&self, partitions: usize) -> usize {
        // `"TOPIC-NUMBER":[],`
        let each = self.topic.len() + 17;
        SYNC_PAYLOAD_BYTES.saturating_sub(self.opening.len() + 2 + partitions * each)
    }

    /// The event: records of one partition stand together.
    pub(super) fn event(&self, records: &[KafkaRecord]) -> Bytes {
        let bytes: usize = records.iter().map(|record| record.text.len() + 1).sum();
        let mut event = String::with_capacity(self.opening.len() + bytes + 64);
        event.push_str(&self.opening);
        for (position, of_one) in records
            .chunk_by(|one, next| one.partition == next.partition)
            .enumerate()
        {
            if position > 0 {
                event.push(',');
            }
            let partition = of_one.first().map_or(0, |first| first.partition);
            event.push_str(&format!("\"{}\":[", self.name(partition)));
            for (position, record) in of_one.iter().enumerate() {
                if position > 0 {
                    event.push(',');
                }
                event.push_str(&record.text);
            }
            event.push(']');
        }
        event.push_str("}}");
        event.into()
    }

    /// A partition as events name it.
    pub(super) fn name(&self, partition: i32) -> String {
        format!("{}-{partition}", self.topic)
    }
}
