//! Where a group begins that has no offsets: looked up and committed, before the first record is read.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::StartingPosition;

/// How long a broker may take for an answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Commits where the group begins in the partitions where it has no offset.
pub(super) fn commit_start<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    start: StartingPosition,
) -> KafkaResult<()> {
    if start == StartingPosition::TrimHorizon {
        // what the client does without an offset
        return Ok(());
    }
    let new = without_offset(consumer, topic, partitions)?;
    if new.is_empty() {
        return Ok(());
    }
    let mut begin = TopicPartitionList::new();
    for (partition, offset) in begin_of(consumer, topic, &new, start)? {
        begin.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    }
    consumer.commit(&begin, CommitMode::Sync)
}

fn without_offset<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
) -> KafkaResult<Vec<i32>> {
    let committed = consumer.committed_offsets(list(topic, partitions, Offset::Invalid)?, ANSWER)?;
    let elements = committed.elements();
    let new = elements
        .iter()
        .filter(|element| element.offset() == Offset::Invalid);
    Ok(new.map(|element| element.partition()).collect())
}

fn begin_of<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    start: StartingPosition,
) -> KafkaResult<Vec<(i32, i64)>> {
    let end = |partition: i32| {
        consumer
            .fetch_watermarks(topic, partition, ANSWER)
            .map(|(_, end)| end)
    };
    let StartingPosition::AtTimestamp(ms) = start else {
        let ends = partitions
            .iter()
            .map(|partition| Ok((*partition, end(*partition)?)));
        return ends.collect();
    };
    let found = consumer.offsets_for_times(list(topic, partitions, Offset::Offset(ms))?, ANSWER)?;
    let elements = found.elements();
    let begins = elements.iter().map(|element| match element.offset() {
        Offset::Offset(offset) => Ok((element.partition(), offset)),
        // nothing is that young
        _ => Ok((element.partition(), end(element.partition())?)),
    });
    begins.collect()
}

pub(super) fn list(topic: &str, partitions: &[i32], offset: Offset) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        list.add_partition_offset(topic, *partition, offset)?;
    }
    Ok(list)
}
