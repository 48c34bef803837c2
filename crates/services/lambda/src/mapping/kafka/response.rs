//! What a function says of a batch of a topic: `batchItemFailures` with an `itemIdentifier` of `partition`
//! (`TOPIC-NUMBER`) and `offset` each ("Configuring error handling controls for Kafka event sources").

use std::collections::BTreeMap;

use serde_json::Value;
use tradewind_events::batch_item_failures;

use super::event::{Envelope, KafkaRecord};

/// What becomes of the records of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All are done.
    Done,
    /// None is: the answer says so, or cannot be understood.
    Failed,
    /// From these offsets on those of these partitions are not; all others are.
    From(BTreeMap<i32, i64>),
}

/// Reads an answer.
///
/// As with streams the first failed record of a partition counts: what comes after it comes again, too.
pub(super) fn verdict(answer: &[u8], envelope: &Envelope, records: &[KafkaRecord]) -> Verdict {
    let Some(failures) = batch_item_failures(answer) else {
        return Verdict::Failed;
    };
    let partitions: BTreeMap<String, i32> = records
        .chunk_by(|one, next| one.partition == next.partition)
        .filter_map(|of_one| of_one.first())
        .map(|record| (envelope.name(record.partition), record.partition))
        .collect();
    let mut from = BTreeMap::new();
    for failure in &failures {
        let Some((partition, offset)) = identifier(failure, &partitions) else {
            return Verdict::Failed;
        };
        let is_there = |record: &KafkaRecord| record.partition == partition && record.offset == offset;
        if !records.iter().any(is_there) {
            return Verdict::Failed;
        }
        let first = from.entry(partition).or_insert(offset);
        *first = offset.min(*first);
    }
    if from.is_empty() {
        Verdict::Done
    } else {
        Verdict::From(from)
    }
}

fn identifier(failure: &Value, partitions: &BTreeMap<String, i32>) -> Option<(i32, i64)> {
    let item = failure.get("itemIdentifier")?;
    let partition = partitions.get(item.get("partition")?.as_str()?)?;
    Some((*partition, item.get("offset")?.as_i64()?))
}
