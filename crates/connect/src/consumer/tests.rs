//! Against librdkafka's own mock of a cluster, in this process.

use std::sync::atomic::{AtomicUsize, Ordering};

use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::cluster::Security;

const TOPIC: &str = "orders";
/// The value of a record over which the consumer's thread panics.
const PANICS: &str = "panics";
/// Nothing here takes so long but a defect.
const LONG: Duration = Duration::from_secs(30);
const ALL: Bounds = Bounds {
    records: 1_000,
    bytes: usize::MAX,
};

struct Broker {
    mock: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
}

impl Broker {
    fn start(partitions: i32) -> Self {
        let mock = MockCluster::new(1).unwrap();
        if partitions > 0 {
            mock.create_topic(TOPIC, partitions, 1).unwrap();
        }
        let mut config = rdkafka::ClientConfig::new();
        config.set("bootstrap.servers", mock.bootstrap_servers());
        let producer = config.create().unwrap();
        Self { mock, producer }
    }

    fn write(&self, partition: i32, values: impl IntoIterator<Item = String>) {
        for value in values {
            let record = BaseRecord::<(), _>::to(TOPIC)
                .partition(partition)
                .payload(&value);
            self.producer.send(record).unwrap();
        }
        self.producer.flush(LONG).unwrap();
    }

    fn consumer(&self, start: StartingPosition) -> Consumer<String> {
        let cluster = self.cluster();
        self.consumer_of(start, Box::new(move || Ok(cluster.clone())))
    }

    fn cluster(&self) -> Cluster {
        Cluster {
            servers: self.mock.bootstrap_servers().parse().unwrap(),
            security: Security::default(),
        }
    }

    fn consumer_of(&self, start: StartingPosition, cluster: Box<FindCluster>) -> Consumer<String> {
        let subscription = Subscription {
            topic: TOPIC.to_owned(),
            group: "group".to_owned(),
            instance: None,
            start,
        };
        let prepare = |record: &Record<'_>| {
            let value = String::from_utf8(record.value()?.to_vec()).ok()?;
            assert_ne!(value, PANICS);
            (!value.starts_with("unwanted")).then_some((value, 1))
        };
        Consumer::start(subscription, cluster, Arc::new(prepare)).unwrap()
    }
}

fn numbered(prefix: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{prefix}{number}")).collect()
}

/// Waits until `found` finds something.
async fn until<T>(consumer: &Consumer<String>, mut found: impl FnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = found() {
                return found;
            }
            drop(tokio::time::timeout(Duration::from_millis(20), consumer.changed()).await);
        }
    };
    tokio::time::timeout(LONG, wait).await.expect("in time")
}

/// Takes and settles until there were so many records.
async fn read(consumer: &Consumer<String>, records: usize) -> Vec<String> {
    let mut read = Vec::new();
    while read.len() < records {
        let parts = until(consumer, || {
            Some(consumer.take(ALL, 1)).filter(|parts| !parts.is_empty())
        })
        .await;
        for mut part in parts {
            part.claim.settle(part.items.last().unwrap().next);
            read.extend(part.items.into_iter().map(|item| item.value));
        }
    }
    read
}

#[tokio::test]
async fn a_restart_goes_on_where_the_group_is() {
    let broker = Broker::start(1);
    broker.write(0, numbered("a", 0..10));
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    assert_eq!(read(&consumer, 10).await, numbered("a", 0..10));
    broker.write(0, numbered("b", 0..5));
    let taken = until(&consumer, || {
        Some(consumer.take(ALL, 1)).filter(|parts| !parts.is_empty())
    })
    .await;
    drop(taken);
    consumer.close().await;
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    assert_eq!(
        read(&consumer, 5).await,
        numbered("b", 0..5),
        "what was not settled comes again"
    );
    consumer.close().await;
}

#[tokio::test]
async fn latest_means_from_when_it_was_made_also_after_a_restart() {
    let broker = Broker::start(2);
    broker.write(0, numbered("old", 0..3));
    let consumer = broker.consumer(StartingPosition::Latest);
    until(&consumer, || (consumer.assigned() == 2).then_some(())).await;
    consumer.close().await;
    broker.write(0, numbered("new", 0..3));
    broker.write(1, numbered("new", 3..4));
    let consumer = broker.consumer(StartingPosition::Latest);
    let mut read = read(&consumer, 4).await;
    read.sort();
    assert_eq!(read, numbered("new", 0..4));
    consumer.close().await;
}

#[tokio::test]
async fn what_is_not_wanted_is_committed_too() {
    let broker = Broker::start(1);
    broker.write(0, numbered("unwanted", 0..4));
    broker.write(0, ["a".to_owned(), "unwanted".to_owned()]);
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    assert_eq!(read(&consumer, 1).await, ["a"]);
    broker.write(0, ["b".to_owned()]);
    consumer.close().await;
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    assert_eq!(read(&consumer, 1).await, ["b"]);
    consumer.close().await;
}

#[tokio::test]
async fn a_batch_that_is_given_up_comes_again() {
    let broker = Broker::start(1);
    broker.write(0, numbered("a", 0..10));
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    let mut parts = until(&consumer, || {
        Some(consumer.waiting()).filter(|waiting| waiting.records == 10)?;
        Some(consumer.take(ALL, 1))
    })
    .await;
    parts[0].claim.settle(4);
    drop(parts);
    assert_eq!(read(&consumer, 6).await, numbered("a", 4..10));
    consumer.close().await;
}

/// More than may wait: the client is paused and resumed on the way, and nothing is lost or doubled by it.
#[tokio::test]
async fn a_slow_reader_gets_everything_in_order() {
    const RECORDS: usize = 5_000;
    let broker = Broker::start(2);
    broker.write(0, numbered("a", 0..RECORDS));
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    let held = until(&consumer, || {
        Some(consumer.waiting()).filter(|waiting| waiting.full)?;
        Some(consumer.take(Bounds { records: 1, ..ALL }, 1))
    })
    .await;
    // the partition's reader is busy; the other partition goes on
    broker.write(1, numbered("b", 0..3));
    assert_eq!(read(&consumer, 3).await, numbered("b", 0..3));
    drop(held);
    assert_eq!(read(&consumer, RECORDS).await, numbered("a", 0..RECORDS));
    consumer.close().await;
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_told_and_waited_for() {
    let broker = Broker::start(1);
    broker.mock.broker_down(1).unwrap();
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    let problem = until(&consumer, || consumer.problem()).await;
    assert_eq!(problem, Problem::Connection);
    broker.mock.broker_up(1).unwrap();
    broker.write(0, numbered("a", 0..1));
    assert_eq!(read(&consumer, 1).await, numbered("a", 0..1));
    until(&consumer, || consumer.problem().is_none().then_some(())).await;
    consumer.close().await;
}

#[tokio::test]
async fn a_topic_that_is_missing_is_told() {
    let broker = Broker::start(0);
    let error = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    broker.mock.topic_error(TOPIC, error).unwrap();
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    let problem = until(&consumer, || consumer.problem()).await;
    assert_eq!(problem, Problem::TopicNotFound);
    consumer.close().await;
}

#[tokio::test]
async fn a_commit_that_fails_is_tried_again() {
    let broker = Broker::start(1);
    broker.write(0, numbered("a", 0..2));
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    let failing = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART; 3];
    broker.mock.request_errors(RDKafkaApiKey::OffsetCommit, &failing);
    assert_eq!(read(&consumer, 2).await, numbered("a", 0..2));
    broker.write(0, numbered("b", 0..1));
    assert_eq!(read(&consumer, 1).await, numbered("b", 0..1));
    consumer.close().await;
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    broker.write(0, numbered("c", 0..1));
    assert_eq!(read(&consumer, 1).await, numbered("c", 0..1));
    consumer.close().await;
}

#[tokio::test]
async fn a_login_that_fails_later_is_tried_with_the_credentials_of_then() {
    let broker = Broker::start(1);
    let (cluster, asked) = (broker.cluster(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    let find = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(cluster.clone())
    };
    let consumer = broker.consumer_of(StartingPosition::TrimHorizon, Box::new(find));
    broker.write(0, numbered("a", 0..1));
    assert_eq!(read(&consumer, 1).await, numbered("a", 0..1));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    let failing = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED; 1];
    broker.mock.request_errors(RDKafkaApiKey::Fetch, &failing);
    broker.write(0, numbered("b", 0..1));
    until(&consumer, || (asked.load(Ordering::Relaxed) == 2).then_some(())).await;
    assert_eq!(read(&consumer, 1).await, numbered("b", 0..1));
    consumer.close().await;
}

#[tokio::test]
async fn a_thread_that_is_gone_is_noticed() {
    let broker = Broker::start(1);
    let consumer = broker.consumer(StartingPosition::TrimHorizon);
    broker.write(0, numbered("a", 0..1));
    assert_eq!(read(&consumer, 1).await, numbered("a", 0..1));
    assert!(!consumer.has_ended());
    broker.write(0, [PANICS.to_owned()]);
    let ended = async {
        while !consumer.has_ended() {
            consumer.changed().await;
        }
    };
    tokio::time::timeout(LONG, ended)
        .await
        .expect("it wakes who waits");
    consumer.close().await;
}
