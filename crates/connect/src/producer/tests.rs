//! Against librdkafka's own mock of a cluster, which fails when it is told to.

use std::time::Duration;

use bytes::Bytes;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::cluster::Security;

type Mock = MockCluster<'static, DefaultProducerContext>;

fn mock(partitions: i32) -> (Mock, Cluster) {
    let mock = MockCluster::new(1).unwrap();
    mock.create_topic("t", partitions, 1).unwrap();
    let cluster = Cluster {
        servers: mock.bootstrap_servers().parse().unwrap(),
        security: Security::default(),
    };
    (mock, cluster)
}

fn records(keys: u32, count: u32) -> Vec<Record> {
    let record = |number: u32| Record {
        key: Some(Bytes::from(format!("key {}", number % keys))),
        value: Some(Bytes::from(number.to_string())),
        headers: vec![("h".to_owned(), Bytes::from_static(b"\x00\xff"))],
    };
    (0..count).map(record).collect()
}

/// Partition, key, value of all that is there.
fn written(cluster: &Cluster, count: usize) -> Vec<(i32, String, u32)> {
    let mut settings = config(cluster).unwrap();
    settings.set("group.id", "g").set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = settings.create().unwrap();
    consumer.subscribe(&["t"]).unwrap();
    let mut found = Vec::new();
    let mut quiet = 0;
    // what comes after the last that is expected would be a duplicate
    while quiet < 3 || (found.len() < count && quiet < 300) {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else {
            quiet += 1;
            continue;
        };
        let message = message.unwrap();
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
        let number = text(message.payload()).parse().unwrap();
        found.push((message.partition(), text(message.key()), number));
        quiet = 0;
    }
    found
}

#[tokio::test]
async fn records_of_a_key_are_in_order_and_in_one_partition_also_across_failures() {
    let (mock, cluster) = mock(4);
    let failures = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION; 3];
    mock.request_errors(RDKafkaApiKey::Produce, &failures);
    let producer = Producer::open(&cluster).await.unwrap();
    let results = producer.send_all("t", &records(7, 100)).await;
    assert_eq!(results, vec![Ok(()); 100]);
    let found = tokio::task::spawn_blocking(move || written(&cluster, 100));
    let found = found.await.unwrap();
    assert_eq!(found.len(), 100);
    for key in 0..7 {
        let of_key = found.iter().filter(|(_, name, _)| *name == format!("key {key}"));
        let of_key: Vec<_> = of_key.collect();
        assert!(of_key.windows(2).all(|pair| pair[0].0 == pair[1].0));
        assert!(of_key.windows(2).all(|pair| pair[0].2 < pair[1].2));
    }
}

#[tokio::test]
async fn what_a_broker_refuses_is_not_tried_again() {
    let (mock, cluster) = mock(1);
    let producer = Producer::open(&cluster).await.unwrap();
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_RECORD;
    mock.request_errors(RDKafkaApiKey::Produce, &[refusal]);
    let error = producer.send("t", &records(1, 1)[0]).await.unwrap_err();
    assert_eq!((error.code, error.is_retriable), (ProduceCode::Refused, false));
    producer.send("t", &records(1, 1)[0]).await.unwrap();
    let huge = Record {
        value: Some(Bytes::from(vec![0; 17 * 1024 * 1024])),
        ..Record::default()
    };
    let error = producer.send("t", &huge).await.unwrap_err();
    assert_eq!((error.code, error.is_retriable), (ProduceCode::Refused, false));
}

#[tokio::test]
async fn without_a_broker_it_may_be_tried_again() {
    let cluster = Cluster {
        servers: "127.0.0.1:1".parse().unwrap(),
        security: Security::default(),
    };
    let producer = Producer::open_for(&cluster, Duration::from_millis(300))
        .await
        .unwrap();
    let error = producer.send("t", &records(1, 1)[0]).await.unwrap_err();
    assert_eq!((error.code, error.is_retriable), (ProduceCode::Unreachable, true));
}

#[tokio::test]
async fn what_was_refused_together_is_sent_by_halves() {
    let (mock, cluster) = mock(1);
    let producer = Producer::open(&cluster).await.unwrap();
    producer.send("t", &records(1, 1)[0]).await.unwrap();
    let refusal = RDKafkaRespErr::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
    mock.request_errors(RDKafkaApiKey::Produce, &[refusal; 3]);
    let results = producer.send_all("t", &records(1, 3)).await;
    // all three, the first two, the first
    let refused: Vec<bool> = results.iter().map(Result::is_err).collect();
    assert_eq!(refused, [true, false, false], "{results:?}");
}

#[test]
fn one_that_is_too_large_among_many_costs_few_requests() {
    let refused = ProduceError {
        problem: Problem::Other("too large".into()),
        is_retriable: false,
        code: ProduceCode::Refused,
    };
    let (mut requests, mut written) = (0, Vec::new());
    let mut halves = Halves::of(500);
    while let Some(group) = halves.groups.pop() {
        requests += 1;
        let result = match group.contains(&137) {
            true => Err(refused.clone()),
            false => {
                written.extend_from_slice(&group);
                Ok(())
            }
        };
        let results = vec![result; group.len()];
        halves.sent(group, results);
    }
    let failed: Vec<usize> = (0..500).filter(|at| halves.results[*at].is_err()).collect();
    assert_eq!(failed, [137]);
    let expected: Vec<usize> = (0..500).filter(|number| *number != 137).collect();
    assert_eq!(written, expected, "all others, in their order");
    assert!(requests <= 20, "{requests}");
}
