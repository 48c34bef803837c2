//! Records as they are gathered, and the batches that are made of them.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tradewind_events::{BatchItem, Trace};
use tradewind_model::limits::SYNC_PAYLOAD_BYTES;
use tradewind_store::queue::Receipt;

const OPENING: &str = r#"{"Records":["#;
const CLOSING: &str = "]}";

/// A message of the source that the function is to get.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// What `itemIdentifier` names it by: the message id.
    pub(crate) id: String,
    pub(crate) receipt: Receipt,
    /// When its lease ends.
    pub(crate) leased_until: Instant,
    /// The message group, if the source is ordered.
    pub(crate) group: Option<String>,
    /// How often it was received.
    pub(crate) receives: u32,
    /// The trace it came with.
    pub(crate) trace: Option<Trace>,
    /// As a member of the event.
    pub(crate) text: String,
}

impl Record {
    /// As answers name it.
    pub(crate) fn named(&self) -> BatchItem<'_> {
        BatchItem {
            id: &self.id,
            group: self.group.as_deref(),
        }
    }
}

/// When a batch is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Records.
    pub(crate) size: usize,
    /// How long to wait for more after the first.
    pub(crate) window: Duration,
}

/// What was received and is not yet in a batch.
#[derive(Debug, Default)]
pub(crate) struct Hand {
    records: VecDeque<Record>,
    bytes: usize,
    /// When the first of them came.
    since: Option<Instant>,
}

impl Hand {
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// What it takes in memory, about.
    pub(crate) fn kib(&self) -> u32 {
        u32::try_from(self.bytes / 1024).unwrap_or(u32::MAX)
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(crate) fn add(&mut self, records: impl IntoIterator<Item = Record>, now: Instant) {
        for record in records {
            self.bytes += record.text.len() + 1;
            self.records.push_back(record);
        }
        if !self.records.is_empty() {
            self.since.get_or_insert(now);
        }
    }

    /// How long more may be waited for before [`Hand::take`]; none when nothing is in hand.
    pub(crate) fn patience(&self, bounds: Bounds, now: Instant) -> Option<Duration> {
        let full = self.records.len() >= bounds.size || self.bytes >= room_for_records();
        let since = self.since?;
        Some(if full {
            Duration::ZERO
        } else {
            (since + bounds.window).saturating_duration_since(now)
        })
    }

    /// When the first lease of what is in hand ends; none when nothing is.
    pub(crate) fn leased_until(&self) -> Option<Instant> {
        self.records.iter().map(|record| record.leased_until).min()
    }

    /// A batch: as many of the first as fit; none if nothing is in hand. It has at least one, however large.
    pub(crate) fn take(&mut self, bounds: Bounds) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        while let Some(record) = self.records.front() {
            let with_it = bytes + record.text.len() + 1;
            let fits = batch.records.len() < bounds.size && with_it <= room_for_records();
            if !fits && !batch.records.is_empty() {
                break;
            }
            bytes = with_it;
            batch.records.extend(self.records.pop_front());
        }
        self.bytes -= bytes;
        if self.records.is_empty() {
            self.since = None;
        }
        (!batch.records.is_empty()).then_some(batch)
    }

    /// All that is in hand.
    pub(crate) fn drain(&mut self) -> Vec<Record> {
        let records = std::mem::take(self).records;
        records.into()
    }
}

/// What records may take in an event, with a comma each.
fn room_for_records() -> usize {
    SYNC_PAYLOAD_BYTES - OPENING.len() - CLOSING.len()
}

/// Records that one invocation gets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) records: Vec<Record>,
}

impl Batch {
    /// The event: `{"Records":[…]}`.
    pub(crate) fn event(&self) -> Bytes {
        let mut text = String::with_capacity(self.bytes());
        text.push_str(OPENING);
        for (position, record) in self.records.iter().enumerate() {
            if position > 0 {
                text.push(',');
            }
            text.push_str(&record.text);
        }
        text.push_str(CLOSING);
        text.into()
    }

    /// When the first of its leases ends.
    pub(crate) fn leased_until(&self) -> Option<Instant> {
        self.records.iter().map(|record| record.leased_until).min()
    }

    /// The size of the event, at most.
    pub(crate) fn bytes(&self) -> usize {
        let records: usize = self.records.iter().map(|record| record.text.len() + 1).sum();
        records + OPENING.len() + CLOSING.len()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn record(id: &str, group: Option<&str>) -> Record {
        Record {
            id: id.to_owned(),
            receipt: Receipt::from_bytes(&[0; 12]).unwrap(),
            leased_until: Instant::now() + Duration::from_secs(30),
            group: group.map(str::to_owned),
            receives: 1,
            trace: None,
            text: format!("\"{id}\""),
        }
    }

    fn large(id: &str, bytes: usize) -> Record {
        Record {
            text: format!("\"{}\"", "x".repeat(bytes - 2)),
            ..record(id, None)
        }
    }

    fn bounds(size: usize, window_s: u64) -> Bounds {
        Bounds {
            size,
            window: Duration::from_secs(window_s),
        }
    }

    #[test]
    fn an_event_has_its_records_in_order() {
        let mut hand = Hand::default();
        hand.add(["a", "b", "c"].map(|id| record(id, None)), Instant::now());
        assert_eq!(
            hand.take(bounds(2, 0)).unwrap().event(),
            r#"{"Records":["a","b"]}"#
        );
        assert_eq!(hand.take(bounds(2, 0)).unwrap().event(), r#"{"Records":["c"]}"#);
        assert!(hand.take(bounds(2, 0)).is_none() && hand.is_empty());
    }

    #[test]
    fn an_event_is_never_larger_than_a_payload() {
        let mut hand = Hand::default();
        let sizes = [1_000_000, 2_000_000, 3_000_000, 3_000_000, 7_000_000, 10];
        hand.add(sizes.iter().map(|size| large("x", *size)), Instant::now());
        let batches: Vec<usize> = std::iter::from_fn(|| hand.take(bounds(10_000, 1)))
            .map(|batch| batch.records.len())
            .collect();
        // 1 + 2 + 3 MB and what is around them just fit; what is too large alone is not held back for ever
        assert_eq!(batches, [3, 1, 1, 1]);
        assert_eq!(hand.bytes, 0);
    }

    #[test]
    fn six_megabytes_are_the_most() {
        let exact = room_for_records() - 1;
        let mut hand = Hand::default();
        hand.add([large("x", exact), record("y", None)], Instant::now());
        let batch = hand.take(bounds(10, 0)).unwrap();
        assert_eq!(batch.records.len(), 1);
        assert_eq!(batch.event().len(), SYNC_PAYLOAD_BYTES - 1);
        assert_eq!(hand.len(), 1);
    }

    #[test]
    fn a_window_begins_with_the_first_record() {
        let (mut hand, wait, start) = (Hand::default(), bounds(3, 10), Instant::now());
        let later = start + Duration::from_secs(4);
        assert_eq!(hand.patience(wait, start), None);
        hand.add([record("a", None)], start);
        hand.add([record("b", None)], later);
        assert_eq!(hand.patience(wait, later), Some(Duration::from_secs(6)));
        hand.add([record("c", None)], later);
        assert_eq!(hand.patience(wait, later), Some(Duration::ZERO));
        hand.take(wait);
        assert_eq!(hand.patience(wait, later), None);
    }

    #[test]
    fn without_a_window_nothing_waits() {
        let mut hand = Hand::default();
        hand.add([record("a", None)], Instant::now());
        assert_eq!(hand.patience(bounds(10, 0), Instant::now()), Some(Duration::ZERO));
    }
}
