//! Pollers with a real engine over queues in memory.

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tradewind_events::Trace;
use tradewind_store::queue::{DeadLetter, Depth, NewMessage, QueueId, QueueSettings, Queues};

use crate::recursion::enter;
use crate::testing::{START, World};

const MAPPINGS: &str = "/2015-03-31/event-source-mappings";
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A world whose mappings are worked on; a function `f`, queues `in` and `out`.
struct Running {
    world: World,
    stop: CancellationToken,
    tasks: TaskTracker,
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

fn id(name: &str) -> QueueId {
    QueueId::new(&arn(name))
}

impl Running {
    async fn new(handler: &str) -> Self {
        let world = World::new().await;
        world.create("f", &format!("exports.handler = {handler};")).await;
        let running = Self {
            world,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let settings = QueueSettings {
            dead_letter: Some(DeadLetter {
                queue: id("dead"),
                max_receives: 2,
            }),
            ..QueueSettings::standard()
        };
        running
            .queues()
            .create(&id("dead"), &QueueSettings::standard())
            .await
            .unwrap();
        running.queues().create(&id("in"), &settings).await.unwrap();
        running
            .queues()
            .create(&id("in.fifo"), &QueueSettings::fifo())
            .await
            .unwrap();
        let (service, stop) = (running.world.service.clone(), running.stop.clone());
        running
            .tasks
            .spawn(async move { service.run_mappings(stop).await });
        running
    }

    fn queues(&self) -> &Queues {
        &self.world.config.queues
    }

    async fn send(&self, bodies: impl IntoIterator<Item = &str>) {
        let messages = bodies.into_iter().map(|body| NewMessage {
            body: body.as_bytes().to_vec(),
            ..NewMessage::default()
        });
        self.queues().send(&id("in"), messages.collect()).await.unwrap();
    }

    async fn map(&self, queue: &str, more: &Value) -> String {
        let mut body = json!({"FunctionName": "f", "EventSourceArn": arn(queue)});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let made = self.world.call("POST", MAPPINGS, &body).await;
        assert_eq!(made.status, 202, "{made:?}");
        format!("{MAPPINGS}/{}", made.json()["UUID"].as_str().unwrap())
    }

    async fn depth(&self, queue: &str) -> Depth {
        self.queues().depth(&id(queue)).await.unwrap()
    }

    /// Waits until the queue is as `wanted`.
    async fn until(&self, queue: &str, wanted: impl Fn(Depth) -> bool) {
        let reached = async {
            while !wanted(self.depth(queue).await) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("{queue} stays {:?}", self.depth(queue).await);
        }
    }

    async fn until_result(&self, mapping: &str, wanted: &str) {
        let reached = async {
            while self.get(mapping).await["LastProcessingResult"] != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, reached).await.is_err() {
            panic!("{:?}", self.get(mapping).await);
        }
    }

    async fn get(&self, mapping: &str) -> Value {
        self.world.call("GET", mapping, &Value::Null).await.json()
    }

    /// Lets messages become visible that were received.
    fn pass(&self, seconds: i64) {
        self.world.clock.advance_millis(seconds * 1000);
        self.queues().clock_moved();
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

fn is_empty(depth: Depth) -> bool {
    depth.ready + depth.leased + depth.delayed == 0
}

#[tokio::test]
async fn messages_reach_the_function_and_leave_the_queue() {
    let running =
        Running::new("async (event) => { if (event.Records.length > 10) throw new Error('many'); }").await;
    let bodies: Vec<String> = (0..95).map(|i| i.to_string()).collect();
    running.send(bodies.iter().map(String::as_str)).await;
    let mapping = running.map("in", &json!({})).await;
    running.until("in", is_empty).await;
    assert!(is_empty(running.depth("dead").await));
    running.send(["later"]).await;
    running.until("in", is_empty).await;
    assert_eq!(running.get(&mapping).await["LastProcessingResult"], "OK");
    running.stop().await;
}

#[tokio::test]
async fn what_fails_too_often_reaches_the_dead_letter_queue() {
    let running = Running::new("async (event) => { throw new Error('no') }").await;
    let mapping = running.map("in", &json!({})).await;
    running.send(["poison"]).await;
    for _ in 0..2 {
        running.until("in", |depth| depth.leased == 1).await;
        running
            .until_result(&mapping, "PROBLEM: Function call failed")
            .await;
        assert!(is_empty(running.depth("dead").await));
        running.pass(31);
    }
    running.until("in", is_empty).await;
    assert_eq!(running.depth("dead").await.ready, 1);
    running.stop().await;
}

#[tokio::test]
async fn reported_failures_stay_and_the_others_go() {
    let handler = "async (event) => ({batchItemFailures: event.Records.filter(r => r.body === 'bad' && \
                   r.attributes.ApproximateReceiveCount === '1').map(r => ({itemIdentifier: r.messageId}))})";
    let running = Running::new(handler).await;
    running.send(["good", "bad", "good", "bad"]).await;
    running
        .map(
            "in",
            &json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]}),
        )
        .await;
    running
        .until("in", |depth| depth.leased == 2 && depth.ready == 0)
        .await;
    running.pass(31);
    running.until("in", is_empty).await;
    assert!(is_empty(running.depth("dead").await));
    running.stop().await;
}

#[tokio::test]
async fn a_disabled_mapping_leaves_messages_where_they_are() {
    let running = Running::new("async () => {}").await;
    let mapping = running.map("in", &json!({"Enabled": false})).await;
    running.send(["a", "b"]).await;
    assert_eq!(running.get(&mapping).await["State"], "Disabled");
    assert_eq!(running.depth("in").await.ready, 2);
    running
        .world
        .call("PUT", &mapping, &json!({"Enabled": true}))
        .await;
    running.until("in", is_empty).await;
    running
        .world
        .call("PUT", &mapping, &json!({"Enabled": false}))
        .await;
    running.send(["c"]).await;
    running.world.call("DELETE", &mapping, &Value::Null).await;
    assert_eq!(running.depth("in").await.ready, 1);
    running.stop().await;
}

#[tokio::test]
async fn messages_wait_for_a_function_that_is_switched_off_or_gone() {
    let running = Running::new("async () => {}").await;
    let mapping = running.map("in", &json!({})).await;
    let concurrency = "/2017-10-31/functions/f/concurrency";
    let off = json!({"ReservedConcurrentExecutions": 0});
    assert_eq!(running.world.call("PUT", concurrency, &off).await.status, 200);
    running
        .until_result(
            &mapping,
            "PROBLEM: Function is throttled: its reserved concurrency is 0",
        )
        .await;
    running.send(["a"]).await;
    assert_eq!(
        running
            .world
            .call("DELETE", concurrency, &Value::Null)
            .await
            .status,
        204
    );
    running.until("in", is_empty).await;
    assert_eq!(
        running
            .world
            .call("DELETE", "/2015-03-31/functions/f", &Value::Null)
            .await
            .status,
        204
    );
    running
        .until_result(&mapping, "PROBLEM: Function not found")
        .await;
    running.send(["b"]).await;
    assert_eq!(running.depth("in").await.ready, 1);
    running
        .world
        .create("f", "exports.handler = async () => {};")
        .await;
    running.until("in", is_empty).await;
    assert!(is_empty(running.depth("dead").await));
    running.stop().await;
}

#[tokio::test]
async fn a_throttled_function_gets_every_message_and_none_is_received_twice() {
    let handler = "async (event) => { if (event.Records.some(r => r.attributes.ApproximateReceiveCount !== '1')) \
                   throw new Error('twice'); await new Promise(r => setTimeout(r, 20)); }";
    let running = Running::new(handler).await;
    let concurrency = "/2017-10-31/functions/f/concurrency";
    let one = json!({"ReservedConcurrentExecutions": 1});
    running.world.call("PUT", concurrency, &one).await;
    // two mappings of one function that may run once: they throttle one another
    running
        .queues()
        .create(&id("in2"), &QueueSettings::standard())
        .await
        .unwrap();
    for queue in ["in", "in2"] {
        let messages = (0..15).map(|i: i32| NewMessage {
            body: i.to_string().into(),
            ..NewMessage::default()
        });
        running
            .queues()
            .send(&id(queue), messages.collect())
            .await
            .unwrap();
        running.map(queue, &json!({"BatchSize": 1})).await;
    }
    running.until("in", is_empty).await;
    running.until("in2", is_empty).await;
    assert!(is_empty(running.depth("dead").await));
    running.stop().await;
}

#[tokio::test]
async fn a_group_of_a_fifo_queue_is_handled_in_order() {
    // each instance would see its own order only: one at a time shows that of all
    let handler = "(() => { const seen = {}; return async (event) => { for (const r of event.Records) { \
                   const [group, n] = r.body.split(' '); if ((seen[group] ?? -1) >= +n) return; \
                   if (+n !== (seen[group] ?? -1) + 1) throw new Error('order'); seen[group] = +n; } } })()";
    let running = Running::new(handler).await;
    let one = json!({"ReservedConcurrentExecutions": 1});
    running
        .world
        .call("PUT", "/2017-10-31/functions/f/concurrency", &one)
        .await;
    let messages = (0..60).map(|i| NewMessage {
        body: format!("{} {}", i % 3, i / 3).into(),
        group: Some((i % 3).to_string()),
        deduplication_id: Some(i.to_string()),
        ..NewMessage::default()
    });
    running
        .queues()
        .send(&id("in.fifo"), messages.collect())
        .await
        .unwrap();
    running.map("in.fifo", &json!({"BatchSize": 4})).await;
    running.until("in.fifo", is_empty).await;
    running.stop().await;
}

fn in_group(group: &str, body: String) -> NewMessage {
    NewMessage {
        body: body.into(),
        group: Some(group.to_owned()),
        deduplication_id: Some(group.to_owned()),
        ..NewMessage::default()
    }
}

#[tokio::test]
async fn what_does_not_fit_into_a_batch_of_a_fifo_queue_is_not_received_for_nothing() {
    let handler = "async (event) => { if (event.Records.some(r => r.attributes.ApproximateReceiveCount !== '1')) \
                   throw new Error('twice'); }";
    let running = Running::new(handler).await;
    let messages = ["a", "b", "c"].map(|group| in_group(group, "x".repeat(2_500_000)));
    let queues = running.queues();
    queues.send(&id("in.fifo"), messages.into()).await.unwrap();
    running.map("in.fifo", &json!({})).await;
    running.until("in.fifo", is_empty).await;
    running.stop().await;
}

#[tokio::test]
async fn a_message_that_is_left_in_a_fifo_queue_holds_its_group_up() {
    let running = Running::new("async () => {}").await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        .parse()
        .unwrap();
    let function = running.world.service.find(&arn).unwrap();
    let mut trace = Trace::new(START);
    for _ in 0..16 {
        trace = enter(&function, trace).unwrap();
    }
    let goes_round = NewMessage {
        attributes: trace.header().unwrap().into(),
        deduplication_id: Some("first".to_owned()),
        ..in_group("a", "1".to_owned())
    };
    let messages = vec![
        goes_round,
        in_group("a", "2".to_owned()),
        in_group("b", "1".to_owned()),
    ];
    running.queues().send(&id("in.fifo"), messages).await.unwrap();
    running.map("in.fifo", &json!({})).await;
    running
        .until("in.fifo", |depth| depth.leased == 1 && depth.ready == 1)
        .await;
    running.stop().await;
}

#[tokio::test]
async fn a_window_gathers_what_comes_meanwhile() {
    let handler = "async (event) => { if (event.Records.length < 40) throw new Error('few'); }";
    let running = Running::new(handler).await;
    running
        .map(
            "in",
            &json!({"BatchSize": 40, "MaximumBatchingWindowInSeconds": 300}),
        )
        .await;
    let bodies: Vec<String> = (0..40).map(|i| i.to_string()).collect();
    for part in bodies.chunks(13) {
        running.send(part.iter().map(String::as_str)).await;
    }
    running.until("in", is_empty).await;
    running.stop().await;
}

#[tokio::test]
async fn stopping_gives_back_what_no_function_has() {
    let running = Running::new("async () => {}").await;
    running
        .map(
            "in",
            &json!({"BatchSize": 40, "MaximumBatchingWindowInSeconds": 300}),
        )
        .await;
    running.send(["a", "b"]).await;
    running.until("in", |depth| depth.leased == 2).await;
    running.stop.cancel();
    running.until("in", |depth| depth.ready == 2).await;
    let lease = Duration::from_secs(30);
    let again = running
        .queues()
        .receive(&id("in"), 2, lease, Duration::ZERO)
        .await
        .unwrap();
    assert!(
        again.iter().all(|message| message.receives == 1),
        "no function saw them"
    );
    running.stop().await;
}

#[tokio::test]
async fn one_mapping_without_its_queue_does_not_stop_the_others() {
    let running = Running::new("async () => {}").await;
    running
        .queues()
        .create(&id("gone"), &QueueSettings::standard())
        .await
        .unwrap();
    let lost = running.map("gone", &json!({})).await;
    running.queues().delete(&id("gone")).await.unwrap();
    running.map("in", &json!({})).await;
    running.send(["a"]).await;
    running.until("in", is_empty).await;
    assert_eq!(running.get(&lost).await["State"], "Enabled");
    running.stop().await;
}

#[tokio::test]
async fn what_no_filter_matches_is_deleted() {
    let handler =
        "async (event) => { if (event.Records.some(r => !JSON.parse(r.body).paid)) throw new Error('no'); }";
    let running = Running::new(handler).await;
    let pattern = json!({"body": {"paid": [true]}}).to_string();
    let filters = json!({"FilterCriteria": {"Filters": [{"Pattern": pattern}]}});
    let mapping = running.map("in", &filters).await;
    assert_eq!(
        running.get(&mapping).await["FilterCriteria"],
        filters["FilterCriteria"]
    );
    let bodies = [
        r#"{"paid":true}"#,
        r#"{"paid":false}"#,
        "text",
        r#"{"paid":true,"cents":1}"#,
    ];
    let meter = tradewind_observe::usage::Meter::default();
    running.world.service.router().count_in(meter.clone());
    running.send(bodies).await;
    running.until("in", is_empty).await;
    assert!(is_empty(running.depth("dead").await));
    running.stop().await;
    // however many batches they came in: a receive and a deletion each, of one queue
    let counted = meter.take();
    assert_eq!((counted.len(), counted[0].quantity % 2), (1, 0), "{counted:?}");
    assert_eq!(
        (counted[0].item.as_str(), &*counted[0].resource),
        ("sqs.requests", id("in").as_str())
    );
}

#[tokio::test]
async fn an_event_that_goes_round_is_stopped_and_keeps_its_journey_until_then() {
    let handler = "async (event) => { if (!process.env._X_AMZN_TRACE_ID.startsWith(event.Records[0].body)) \
                   throw new Error(process.env._X_AMZN_TRACE_ID); }";
    let running = Running::new(handler).await;
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
        .parse()
        .unwrap();
    let function = running.world.service.find(&arn).unwrap();
    let mut trace = Trace::new(START);
    let root = format!("Root={}", trace.root());
    for _ in 0..15 {
        trace = enter(&function, trace).unwrap();
    }
    let send = async |trace: &Trace| {
        let message = NewMessage {
            body: root.clone().into(),
            attributes: trace.header().unwrap().into(),
            ..NewMessage::default()
        };
        running.queues().send(&id("in"), vec![message]).await.unwrap();
    };
    let mapping = running.map("in", &json!({})).await;
    send(&trace).await;
    running.until("in", is_empty).await;
    trace = enter(&function, trace).unwrap();
    send(&trace).await;
    for _ in 0..2 {
        running.until("in", |depth| depth.leased == 1).await;
        running.pass(31);
    }
    running.until("dead", |depth| depth.ready == 1).await;
    assert_eq!(
        running.get(&mapping).await["LastProcessingResult"],
        "OK",
        "it was not run"
    );
    running.stop().await;
}
