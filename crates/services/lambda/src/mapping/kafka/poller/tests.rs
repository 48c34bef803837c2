//! What a poller of a topic does at moments that are hard to meet from outside.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::json;

use super::*;
use crate::testing::World;

const TOPIC: &str = "orders";
/// Nothing here takes so long but a defect.
const LONG: Duration = Duration::from_secs(60);

/// A poller that nobody runs, of a topic of one partition with one record, and of a function that notes that it ran.
struct Still {
    world: World,
    mock: MockCluster<'static, DefaultProducerContext>,
    poller: KafkaPoller,
    mapping: Arc<Mapping>,
    source: KafkaSource,
    folder: tempfile::TempDir,
}

impl Still {
    async fn new() -> Self {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic(TOPIC, 1, 1).unwrap();
        let mut config = rdkafka::ClientConfig::new();
        config.set("bootstrap.servers", mock.bootstrap_servers());
        let producer: BaseProducer = config.create().unwrap();
        let record = BaseRecord::<(), _>::to(TOPIC).partition(0).payload("a");
        producer.send(record).unwrap();
        producer.flush(LONG).unwrap();
        let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
        let (noted, hold) = (
            json!(folder.path().join("noted")),
            json!(folder.path().join("hold")),
        );
        let source = format!(
            "const fs = require('fs');
             exports.handler = async () => {{
                 fs.appendFileSync({noted}, 'ran');
                 while (fs.existsSync({hold})) await new Promise((resolve) => setTimeout(resolve, 10));
                 fs.appendFileSync({noted}, ' to its end');
             }};"
        );
        world.create("f", &source).await;
        let body = json!({
            "FunctionName": "f", "Topics": [TOPIC], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": [mock.bootstrap_servers()]}},
        });
        let made = world
            .call("POST", "/2015-03-31/event-source-mappings", &body)
            .await;
        assert_eq!(made.status, 202, "{made:?}");
        let assignment = world.service.mappings().unattended().remove(0);
        let poller = KafkaPoller::new(world.service.clone(), assignment, CancellationToken::new());
        let mapping = poller.desired.borrow().clone().unwrap();
        let Source::Kafka(source) = mapping.source.clone() else {
            panic!("it is of a topic")
        };
        Self {
            world,
            mock,
            poller,
            mapping,
            source,
            folder,
        }
    }

    fn plan(&self) -> Arc<KafkaPlan> {
        Arc::new(KafkaPlan {
            mapping: Arc::clone(&self.mapping),
            function: invocable(&self.world.service, &self.mapping.function).unwrap(),
            envelope: Envelope::new(&self.source, self.mock.bootstrap_servers()),
            producer: Arc::default(),
            cap: 1,
        })
    }

    /// Opens the consumer and takes the record.
    async fn parts(&mut self) -> Vec<Part<KafkaRecord>> {
        self.poller.open(&self.mapping, &self.source).await.unwrap();
        let consumer = &self.poller.reading.as_ref().unwrap().consumer;
        let all = Bounds {
            records: 10,
            bytes: usize::MAX,
        };
        let taken = async {
            loop {
                let parts = consumer.take(all, 1);
                if !parts.is_empty() {
                    return parts;
                }
                drop(tokio::time::timeout(Duration::from_millis(20), consumer.changed()).await);
            }
        };
        tokio::time::timeout(LONG, taken).await.expect("in time")
    }

    fn has_run(&self) -> bool {
        self.folder.path().join("noted").exists()
    }

    /// The function runs until what this gives is removed.
    fn hold(&self) -> std::path::PathBuf {
        let hold = self.folder.path().join("hold");
        std::fs::write(&hold, "").unwrap();
        hold
    }

    /// What the mapping's group has committed.
    fn committed(&self) -> Offset {
        let mut config = rdkafka::ClientConfig::new();
        config.set("bootstrap.servers", self.mock.bootstrap_servers());
        config.set("group.id", &self.source.group);
        let looks: BaseConsumer = config.create().unwrap();
        let mut asked = TopicPartitionList::new();
        asked.add_partition(TOPIC, 0);
        let found = looks.committed_offsets(asked, LONG).unwrap();
        found.elements()[0].offset()
    }
}

#[tokio::test]
async fn a_batch_whose_partitions_were_taken_away_does_not_run() {
    let mut still = Still::new().await;
    let (parts, plan) = (still.parts().await, still.plan());
    let place = Place::take(&still.poller.shared, None);
    let (run, piece) = KafkaRun::new(&still.poller.shared, plan, parts, place);
    let reading = still.poller.reading.take().unwrap();
    reading.consumer.close().await;
    tokio::time::timeout(LONG, run.run(piece)).await.expect("it ends");
    assert!(!still.has_run());
}

#[tokio::test]
async fn a_batch_whose_partitions_are_here_runs() {
    let mut still = Still::new().await;
    let (parts, plan) = (still.parts().await, still.plan());
    let place = Place::take(&still.poller.shared, None);
    let (run, piece) = KafkaRun::new(&still.poller.shared, plan, parts, place);
    tokio::time::timeout(LONG, run.run(piece)).await.expect("it ends");
    assert!(still.has_run());
}

/// What runs when the group takes its partition away runs on, and comes again: nothing of it is committed.
#[tokio::test]
async fn a_batch_that_loses_its_partition_while_it_runs_commits_nothing() {
    let mut still = Still::new().await;
    let (parts, plan, hold) = (still.parts().await, still.plan(), still.hold());
    let place = Place::take(&still.poller.shared, None);
    let (run, piece) = KafkaRun::new(&still.poller.shared, plan, parts, place);
    let reading = still.poller.reading.take().unwrap();
    let loses = async {
        while !still.has_run() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        reading.consumer.close().await;
        std::fs::remove_file(hold).unwrap();
    };
    let both = async { tokio::join!(run.run(piece), loses) };
    tokio::time::timeout(LONG, both).await.expect("it ends");
    let noted = std::fs::read_to_string(still.folder.path().join("noted")).unwrap();
    assert_eq!(noted, "ran to its end");
    assert_eq!(still.committed(), Offset::Invalid);
    // whoever has the partition next gets the record, and commits it
    let (parts, plan) = (still.parts().await, still.plan());
    assert_eq!(parts[0].items[0].offset, 0);
    let place = Place::take(&still.poller.shared, None);
    let (run, piece) = KafkaRun::new(&still.poller.shared, plan, parts, place);
    tokio::time::timeout(LONG, run.run(piece)).await.expect("it ends");
    still.poller.let_go().await;
    assert_eq!(still.committed(), Offset::Offset(1));
}

#[tokio::test]
async fn batches_that_fail_hold_up_neither_queues_nor_other_topics() {
    let mut still = Still::new().await;
    let (shared, mappings) = (Arc::clone(&still.poller.shared), still.world.service.mappings());
    let queues = mappings.memory.available_permits();
    let all = u32::try_from(mappings.kafka_memory.available_permits()).unwrap();
    let others = share(&mappings.kafka_memory, all + 1).expect("what is left");
    assert_eq!(mappings.memory.available_permits(), queues);
    assert!(!shared.holds_its_share(), "it may have one batch");
    let running = Place::take(&shared, share(&shared.memory, 1));
    assert!(shared.holds_its_share(), "and no more");
    drop(running);
    drop(still.parts().await);
    let plan = still.plan();
    while !still.has_run() {
        still.poller.start_batches(&plan);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(others);
}

#[tokio::test]
async fn a_new_minimum_of_pollers_holds_at_once() {
    let still = Still::new().await;
    let (world, shared) = (still.world, Arc::clone(&still.poller.shared));
    let (stop, tasks) = (still.poller.stop.clone(), TaskTracker::new());
    tasks.spawn(still.poller.run());
    let mapping = format!("/2015-03-31/event-source-mappings/{}", still.mapping.id);
    let more = json!({"ProvisionedPollerConfig": {"MinimumPollers": 7}});
    assert_eq!(world.call("PUT", &mapping, &more).await.status, 202);
    let reached = async {
        while shared.scale(|scale| scale.room(MOST)) < 6 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONG, reached).await.expect("in time");
    stop.cancel();
    tasks.close();
    tasks.wait().await;
}

#[tokio::test]
async fn a_mapping_has_one_producer_until_it_is_closed() {
    let still = Still::new().await;
    let (producer, service) = (MappingProducer::default(), &still.world.service);
    producer.open(service, &still.mapping).await.unwrap();
    let mut unusable = Mapping::clone(&still.mapping);
    unusable.settings.kafka.access = vec![Access {
        kind: super::super::AccessKind::BasicAuth,
        uri: "nothing".to_owned(),
    }];
    let again = producer.open(service, &unusable).await;
    again.expect("it is open, whatever the secret is by now");
    producer.close().await;
    assert!(producer.open(service, &unusable).await.is_err());
}
