//! A record as it came.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Headers as _, Timestamp};

/// A record of a topic, borrowed from the client.
#[derive(Debug)]
pub struct Record<'a>(&'a BorrowedMessage<'a>);

/// What a record's timestamp is the time of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// Its producer made it then.
    CreateTime,
    /// A broker took it then.
    LogAppendTime,
    /// It has none.
    NoTimestamp,
}

impl<'a> Record<'a> {
    pub(super) fn new(message: &'a BorrowedMessage<'a>) -> Self {
        Self(message)
    }

    /// Its topic.
    #[must_use]
    pub fn topic(&self) -> &str {
        self.0.topic()
    }

    /// Its partition.
    #[must_use]
    pub fn partition(&self) -> i32 {
        self.0.partition()
    }

    /// Its place in the partition.
    #[must_use]
    pub fn offset(&self) -> i64 {
        self.0.offset()
    }

    /// Milliseconds since 1970, and of what; -1 if it has none.
    #[must_use]
    pub fn timestamp(&self) -> (i64, TimestampType) {
        match self.0.timestamp() {
            Timestamp::CreateTime(ms) => (ms, TimestampType::CreateTime),
            Timestamp::LogAppendTime(ms) => (ms, TimestampType::LogAppendTime),
            Timestamp::NotAvailable => (-1, TimestampType::NoTimestamp),
        }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.0.key()
    }

    /// Its value; none is a tombstone.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        self.0.payload()
    }

    /// Its headers, in order; those whose names are not UTF-8, which Kafka asks for, are left out.
    #[must_use]
    pub fn headers(&self) -> Vec<(&str, Option<&[u8]>)> {
        let Some(headers) = self.0.headers() else {
            return Vec::new();
        };
        // the client panics at such a name
        let header = |index| catch_unwind(AssertUnwindSafe(|| headers.get(index))).ok();
        let found = (0..headers.count()).filter_map(header);
        found.map(|header| (header.key, header.value)).collect()
    }

    /// What it takes in memory, about.
    pub(super) fn bytes(&self) -> usize {
        self.0.key_len() + self.0.payload_len()
    }
}
