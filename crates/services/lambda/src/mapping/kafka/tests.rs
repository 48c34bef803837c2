//! Mappings of topics with a real engine, over librdkafka's own mock of a cluster.

use std::path::PathBuf;
use std::time::Duration;

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, DefaultProducerContext, Producer as _};
use rdkafka::types::RDKafkaRespErr;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::event::{Envelope, KafkaRecord};
use super::response::{Verdict, verdict};
use super::run::Piece;
use super::*;
use crate::testing::{Mailbox, World};

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
const TOPIC: &str = "orders";
/// Nothing here takes so long but a defect.
const PATIENCE: Duration = Duration::from_secs(60);
const DEAD: &str = "arn:aws:sqs:us-east-1:000000000000:dead";

/// A world whose mappings are worked on; a cluster with one topic; a function `f`, whose `note` writes a line to a
/// file.
struct Running {
    world: World,
    mock: MockCluster<'static, DefaultProducerContext>,
    producer: BaseProducer,
    stop: CancellationToken,
    tasks: TaskTracker,
    folder: tempfile::TempDir,
}

impl Running {
    async fn new(partitions: i32, handler: &str) -> Self {
        let mock = MockCluster::new(1).unwrap();
        mock.create_topic(TOPIC, partitions, 1).unwrap();
        let mut config = rdkafka::ClientConfig::new();
        config.set("bootstrap.servers", mock.bootstrap_servers());
        let producer = config.create().unwrap();
        let (world, folder) = (World::new().await, tempfile::tempdir().unwrap());
        let running = Self {
            world,
            mock,
            producer,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            folder,
        };
        running.world.create("f", &running.source(handler)).await;
        let (service, stop) = (running.world.service.clone(), running.stop.clone());
        running
            .tasks
            .spawn(async move { service.run_mappings(stop).await });
        running
    }

    fn noted_in(&self) -> PathBuf {
        self.folder.path().join("noted")
    }

    fn source(&self, handler: &str) -> String {
        format!(
            "const note = (line) => require('fs').appendFileSync({}, line + '\\n');
             const values = (event) => Object.values(event.records).flat()
                 .map((record) => Buffer.from(record.value, 'base64').toString());
             exports.handler = {handler};",
            json!(self.noted_in())
        )
    }

    fn write(&self, partition: i32, values: impl IntoIterator<Item = impl Into<String>>) {
        for value in values {
            let value = value.into();
            let record = BaseRecord::<(), _>::to(TOPIC)
                .partition(partition)
                .payload(&value);
            self.producer.send(record).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }

    fn body(&self, more: &Value) -> Value {
        let servers: Vec<String> = self
            .mock
            .bootstrap_servers()
            .split(',')
            .map(str::to_owned)
            .collect();
        let mut body = json!({
            "FunctionName": "f", "Topics": [TOPIC], "StartingPosition": "TRIM_HORIZON",
            "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}},
            "MaximumBatchingWindowInSeconds": 0,
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    }

    async fn map(&self, more: &Value) -> String {
        let made = self.world.call("POST", MAPPINGS, &self.body(more)).await;
        assert_eq!(made.status, 202, "{made:?}");
        format!("{MAPPINGS}/{}", made.json()["UUID"].as_str().unwrap())
    }

    async fn get(&self, mapping: &str) -> Value {
        self.world.call("GET", mapping, &Value::Null).await.json()
    }

    fn noted(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.noted_in()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    async fn until(&self, what: &str, mut reached: impl AsyncFnMut() -> bool) {
        let reached = async {
            while !reached().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("{what} is not reached; noted: {:?}", self.noted());
        }
    }

    async fn until_noted(&self, lines: usize) -> Vec<String> {
        self.until("what is noted", async || self.noted().len() >= lines)
            .await;
        self.noted()
    }

    async fn until_result(&self, mapping: &str, wanted: &str) {
        self.until(wanted, async || {
            self.get(mapping).await["LastProcessingResult"] == wanted
        })
        .await;
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn numbered(prefix: &str, numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("{prefix}{number}")).collect()
}

#[tokio::test]
async fn the_event_is_lambdas_to_the_byte() {
    let running = Running::new(1, "async (event) => note(JSON.stringify(event))").await;
    let headers = OwnedHeaders::new()
        .insert(Header {
            key: "h",
            value: Some("ab"),
        })
        .insert(Header {
            key: "h",
            value: Some(&[200_u8][..]),
        });
    let record = BaseRecord::to(TOPIC)
        .key("k")
        .payload("{\"a\":1}")
        .headers(headers);
    running
        .producer
        .send(record.timestamp(1_545_084_650_987).partition(0))
        .unwrap();
    // a tombstone without a key's value
    let tombstone = BaseRecord::<str, str>::to(TOPIC)
        .key("k")
        .timestamp(1)
        .partition(0);
    running.producer.send(tombstone).unwrap();
    running.producer.flush(PATIENCE).unwrap();
    running.map(&json!({"MaximumBatchingWindowInSeconds": 1})).await;
    let servers = running.mock.bootstrap_servers();
    let expected = format!(
        "{{\"eventSource\":\"SelfManagedKafka\",\"bootstrapServers\":\"{servers}\",\"records\":{{\"orders-0\":[\
         {{\"topic\":\"orders\",\"partition\":0,\"offset\":0,\"timestamp\":1545084650987,\"timestampType\":\
         \"CREATE_TIME\",\"key\":\"aw==\",\"value\":\"eyJhIjoxfQ==\",\"headers\":[{{\"h\":[97,98]}},{{\"h\":[-56]}}]}},\
         {{\"topic\":\"orders\",\"partition\":0,\"offset\":1,\"timestamp\":1,\"timestampType\":\"CREATE_TIME\",\
         \"key\":\"aw==\",\"headers\":[]}}]}}}}"
    );
    assert_eq!(running.until_noted(1).await, [expected]);
    running.stop().await;
}

#[tokio::test]
async fn batches_are_bounded_in_order_and_of_several_partitions() {
    let handler = "async (event) => note(values(event).join(','))";
    let running = Running::new(2, handler).await;
    running.write(0, numbered("a", 0..4));
    running.write(1, numbered("b", 0..2));
    let mapping = running
        .map(&json!({"BatchSize": 3, "MaximumBatchingWindowInSeconds": 1}))
        .await;
    let noted = running.until_noted(2).await;
    assert!(noted.iter().all(|line| line.split(',').count() == 3), "{noted:?}");
    let of = |prefix: &str| -> Vec<String> {
        let all = noted.iter().flat_map(|line| line.split(','));
        all.filter(|value| value.starts_with(prefix))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!((of("a"), of("b")), (numbered("a", 0..4), numbered("b", 0..2)));
    running.until_result(&mapping, "OK").await;
    running.stop().await;
}

#[tokio::test]
async fn filters_see_decoded_values_and_what_they_drop_is_done() {
    let running = Running::new(1, "async (event) => note(values(event).join(','))").await;
    running.write(
        0,
        [
            r#"{"kind":"a"}"#,
            r#"{"kind":"b"}"#,
            "no json",
            r#"{"kind":"a","n":2}"#,
        ],
    );
    let pattern = json!({"value": {"kind": ["a"]}}).to_string();
    let filters = json!({"FilterCriteria": {"Filters": [{"Pattern": pattern}]}, "BatchSize": 2,
        "MaximumBatchingWindowInSeconds": 1});
    running.map(&filters).await;
    assert_eq!(
        running.until_noted(1).await,
        [r#"{"kind":"a"},{"kind":"a","n":2}"#]
    );
    running.stop().await;
}

#[tokio::test]
async fn a_poisoned_record_is_found_by_halves_and_reaches_the_destination() {
    let handler = "async (event) => {
        const all = values(event);
        if (all.includes('a3')) throw new Error('poisoned');
        all.forEach(note);
    }";
    let running = Running::new(1, handler).await;
    let mailbox = Mailbox::connect(&running.world.config.router);
    running.write(0, numbered("a", 0..8));
    let more = json!({
        "BisectBatchOnFunctionError": true, "MaximumRetryAttempts": 1, "MaximumBatchingWindowInSeconds": 1,
        "DestinationConfig": {"OnFailure": {"Destination": DEAD}},
    });
    let mapping = running.map(&more).await;
    let expected: Vec<String> = numbered("a", 0..8)
        .into_iter()
        .filter(|value| value != "a3")
        .collect();
    assert_eq!(running.until_noted(7).await, expected);
    assert_eq!(mailbox.len(), 1);
    let (target, message) = mailbox.last();
    let record: Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(target, DEAD);
    assert_eq!(record["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["KafkaBatchInfo"]["batchSize"], 1);
    let info = &record["KafkaBatchInfo"]["recordsInfo"]["orders-0"];
    assert_eq!(
        (&info["firstRecordOffset"], &info["lastRecordOffset"]),
        (&json!("3"), &json!("3"))
    );
    assert_eq!(record.get("payload"), None);
    running.until_result(&mapping, "OK").await;
    running.stop().await;
}

#[tokio::test]
async fn what_is_reported_comes_again_and_what_was_before_it_does_not() {
    let handler = "async (event) => {
        note(values(event).join(','));
        const failed = Object.values(event.records).flat()
            .find((record) => Buffer.from(record.value, 'base64').toString() === 'a2');
        if (!failed || global.again) return;
        global.again = true;
        return {batchItemFailures: [{itemIdentifier: {partition: 'orders-0', offset: failed.offset}}]};
    }";
    let running = Running::new(1, handler).await;
    running.write(0, numbered("a", 0..4));
    let more =
        json!({"FunctionResponseTypes": ["ReportBatchItemFailures"], "MaximumBatchingWindowInSeconds": 1});
    running.map(&more).await;
    assert_eq!(running.until_noted(2).await, ["a0,a1,a2,a3", "a2,a3"]);
    running.stop().await;
}

#[tokio::test]
async fn a_restart_goes_on_after_what_was_done() {
    let handler = "async (event) => {
        if (values(event).includes('fail')) throw new Error('later');
        values(event).forEach(note);
    }";
    let running = Running::new(1, handler).await;
    running.write(0, numbered("a", 0..3));
    let mapping = running.map(&json!({"BatchSize": 1})).await;
    running.until_noted(3).await;
    running.write(0, ["fail"]);
    running
        .until_result(&mapping, "PROBLEM: Function call failed")
        .await;
    let off = json!({"Enabled": false});
    assert_eq!(running.world.call("PUT", &mapping, &off).await.status, 202);
    running
        .until("it is off", async || {
            running.get(&mapping).await["State"] == "Disabled"
        })
        .await;
    let healed = json!({"ZipFile": crate::testing::zip_base64(&running.source("async (event) => values(event).forEach(note)"))});
    let code = "/2015-03-31/functions/f/code";
    assert_eq!(running.world.call("PUT", code, &healed).await.status, 200);
    running
        .world
        .call("PUT", &mapping, &json!({"Enabled": true}))
        .await;
    assert_eq!(running.until_noted(4).await, ["a0", "a1", "a2", "fail"]);
    running.stop().await;
}

#[tokio::test]
async fn a_new_limit_frees_a_partition_that_is_stuck() {
    let handler = "async (event) => {
        if (values(event).includes('poison')) throw new Error('no');
        values(event).forEach(note);
    }";
    let running = Running::new(1, handler).await;
    running.write(0, ["a", "poison", "b"]);
    let mapping = running.map(&json!({"BatchSize": 1})).await;
    running
        .until_result(&mapping, "PROBLEM: Function call failed")
        .await;
    assert_eq!(running.noted(), ["a"]);
    let limit = json!({"MaximumRetryAttempts": 0});
    assert_eq!(running.world.call("PUT", &mapping, &limit).await.status, 202);
    assert_eq!(running.until_noted(2).await, ["a", "b"]);
    running.stop().await;
}

#[tokio::test]
async fn the_bucket_gets_the_whole_batch() {
    let running = Running::new(1, "async () => { throw new Error('no'); }").await;
    let bucket = std::sync::Arc::clone(&running.world.bucket);
    running.write(0, numbered("a", 0..2));
    let more = json!({
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::failures"}}, "MaximumRetryAttempts": 0,
        "MaximumBatchingWindowInSeconds": 1,
    });
    let mapping = running.map(&more).await;
    running
        .until("an object", async || !bucket.0.lock().unwrap().is_empty())
        .await;
    let (key, body) = bucket.0.lock().unwrap()[0].clone();
    let id = mapping.rsplit('/').next().unwrap();
    assert!(key.starts_with(&format!("failures/aws/lambda/{id}/20")), "{key}");
    let record: Value = serde_json::from_slice(&body).unwrap();
    let payload: Value = serde_json::from_str(record["payload"].as_str().unwrap()).unwrap();
    assert_eq!(payload["records"]["orders-0"].as_array().unwrap().len(), 2);
    running.stop().await;
}

#[tokio::test]
async fn problems_have_names_and_go_away() {
    let running = Running::new(1, "async (event) => values(event).forEach(note)").await;
    running.mock.broker_down(1).unwrap();
    let mapping = running.map(&json!({})).await;
    let down = "PROBLEM: Connection error. Please check your event source connection configuration.";
    running.until_result(&mapping, down).await;
    running.mock.broker_up(1).unwrap();
    let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    running.mock.topic_error("nothing", missing).unwrap();
    let other = running.map(&json!({"Topics": ["nothing"]})).await;
    running
        .until_result(&other, "PROBLEM: The topic does not exist")
        .await;
    running.write(0, ["a"]);
    assert_eq!(running.until_noted(1).await, ["a"]);
    running.until_result(&mapping, "OK").await;
    let access =
        json!([{"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:us-east-1:000000000000:secret:s"}]);
    let locked = json!({"SourceAccessConfigurations": access});
    running.world.call("PUT", &other, &locked).await;
    let secret = "PROBLEM: Secret is not usable: there is no such secret";
    running.until_result(&other, secret).await;
    running.stop().await;
}

fn record(partition: i32, offset: i64) -> KafkaRecord {
    KafkaRecord {
        partition,
        offset,
        next: offset + 1,
        timestamp: 0,
        key: None,
        text: "{}".into(),
    }
}

fn piece(records: &[(i32, i64)]) -> Piece {
    Piece::new(
        records
            .iter()
            .map(|(partition, offset)| record(*partition, *offset))
            .collect(),
    )
}

fn offsets(piece: &Piece) -> Vec<(i32, i64)> {
    piece
        .records
        .iter()
        .map(|record| (record.partition, record.offset))
        .collect()
}

#[test]
fn pieces_keep_their_order() {
    let whole = piece(&[(0, 5), (0, 6), (1, 2), (1, 3), (1, 4)]);
    let [first, second] = whole.clone().halves();
    assert_eq!(offsets(&first), [(0, 5), (0, 6), (1, 2)]);
    assert_eq!((first.ends[&1], offsets(&second)), (3, vec![(1, 3), (1, 4)]));
    let [heads, tails] = whole.clone().heads();
    assert_eq!(
        (offsets(&heads), offsets(&tails)),
        (vec![(0, 5), (1, 2)], vec![(0, 6), (1, 3), (1, 4)])
    );
    let (rest, settled) = whole.clone().rest(&[(1, 3)].into());
    assert_eq!(
        (offsets(&rest), settled),
        (vec![(1, 3), (1, 4)], vec![(0, 7), (1, 3)])
    );
    let (rest, settled) = whole.rest(&[(0, 5), (1, 4)].into());
    assert_eq!(
        (offsets(&rest), settled),
        (vec![(0, 5), (0, 6), (1, 4)], vec![(1, 4)])
    );
}

#[test]
fn answers_name_records_or_fail_the_batch() {
    let source = KafkaSource {
        cluster: KafkaCluster::self_managed(["a:1"]).unwrap(),
        topic: TOPIC.to_owned(),
        group: String::new(),
        start: StartingPosition::Latest,
    };
    let envelope = Envelope::new(&source, "a:1".to_owned());
    let records = [record(0, 5), record(0, 6), record(3, 2)];
    let of = |answer: &Value| verdict(answer.to_string().as_bytes(), &envelope, &records);
    let item = |partition: &str, offset: Value| json!({"itemIdentifier": {"partition": partition, "offset": offset}});
    let failures = |items: Value| of(&json!({"batchItemFailures": items}));
    for done in [
        json!(null),
        json!({}),
        json!({"batchItemFailures": null}),
        json!({"batchItemFailures": []}),
    ] {
        assert_eq!(of(&done), Verdict::Done, "{done}");
    }
    let two = json!([
        item("orders-0", json!(6)),
        item("orders-3", json!(2)),
        item("orders-0", json!(5))
    ]);
    assert_eq!(failures(two), Verdict::From([(0, 5), (3, 2)].into()));
    for failed in [
        json!([item("orders-0", json!(7))]),
        json!([item("orders-1", json!(5))]),
        json!([item("orders-0", json!("5"))]),
        json!([{"itemIdentifier": "5"}]),
        json!([{"itemIdentifier": ""}]),
        json!([null]),
        json!("all"),
    ] {
        assert_eq!(failures(failed.clone()), Verdict::Failed, "{failed}");
    }
    assert_eq!(of(&json!("text")), Verdict::Failed);
}

#[test]
fn an_event_is_never_larger_than_a_payload() {
    let source = KafkaSource {
        cluster: KafkaCluster::self_managed(["a:1"]).unwrap(),
        topic: TOPIC.to_owned(),
        group: String::new(),
        start: StartingPosition::Latest,
    };
    let envelope = Envelope::new(&source, "a:1".to_owned());
    let mut records: Vec<KafkaRecord> = (0..3).map(|partition| record(partition, 0)).collect();
    let each = envelope.room(3) / 3 - 1;
    for record in &mut records {
        record.text = "x".repeat(each);
    }
    let event = envelope.event(&records);
    let most = tradewind_model::limits::SYNC_PAYLOAD_BYTES;
    assert!(event.len() <= most && event.len() > most - 100, "{}", event.len());
}
