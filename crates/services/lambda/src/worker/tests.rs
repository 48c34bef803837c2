//! The worker with a real engine, in the time of a manual clock.

use serde_json::{Value, json};
use tradewind_events::Message;

use super::*;
use crate::testing::{Mailbox, START, World};

const EVENT: &[(&str, &str)] = &[("x-amz-invocation-type", "Event")];

async fn accept(world: &World, name: &str) {
    let answer = world.invoke(name, EVENT, b"{\"order\":1}").await;
    assert_eq!((answer.status, answer.bytes.len()), (202, 0));
}

/// Runs what is due now, to its end.
async fn run_due(service: &LambdaService) {
    let mut running = JoinSet::new();
    assert!(service.start_due(&mut running).await);
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

async fn rows(world: &World) -> i64 {
    let counted = world
        .config
        .database
        .read("SELECT COUNT(*) FROM lambda_async_invocations", vec![])
        .await;
    counted.unwrap()[0].integer(0).unwrap()
}

#[tokio::test]
async fn an_event_runs_once() {
    let world = World::new().await;
    world
        .create(
            "f",
            "exports.handler = async (event) => { if (event.order !== 1) throw new Error('no'); };",
        )
        .await;
    accept(&world, "f").await;
    assert_eq!(rows(&world).await, 1);
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn the_events_of_a_function_keep_to_its_reserved_concurrency() {
    let world = World::new().await;
    world.create("f", "exports.handler = async () => {};").await;
    let reserve = serde_json::json!({"ReservedConcurrentExecutions": 1});
    let path = "/2017-10-31/functions/f/concurrency";
    assert_eq!(world.call("PUT", path, &reserve).await.status, 200);
    for _ in 0..6 {
        accept(&world, "f").await;
    }
    // the clock stands still: an event that was throttled would wait for ever
    for left in (0..6).rev() {
        run_due(&world.service).await;
        assert_eq!(rows(&world).await, left);
    }
}

#[tokio::test]
async fn a_failing_function_runs_three_times() {
    let world = World::new().await;
    world
        .create(
            "f",
            "exports.handler = async () => { throw new Error('always'); };",
        )
        .await;
    accept(&world, "f").await;
    run_due(&world.service).await;
    assert_eq!(
        world.service.queue().next_due(usize::MAX),
        Some(START.plus_millis(60_000))
    );
    world.clock.advance_millis(60_000);
    run_due(&world.service).await;
    assert_eq!(
        world.service.queue().next_due(usize::MAX),
        Some(START.plus_millis(180_000))
    );
    world.clock.advance_millis(120_000);
    run_due(&world.service).await;
    assert_eq!(
        (world.service.queue().next_due(usize::MAX), rows(&world).await),
        (None, 0)
    );
}

#[tokio::test]
async fn an_accepted_event_survives_a_restart() {
    let mut world = World::new().await;
    world.create("f", "exports.handler = async () => {};").await;
    accept(&world, "f").await;
    world.service = world.reopened().await;
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn what_runs_when_the_worker_stops_is_finished() {
    let world = World::new().await;
    world.create("f", "exports.handler = async () => {};").await;
    accept(&world, "f").await;
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    world.service.run(cancelled).await;
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn events_of_deleted_functions_are_gone() {
    let world = World::new().await;
    world.create("f", "exports.handler = async () => {};").await;
    accept(&world, "f").await;
    world
        .call("DELETE", "/2015-03-31/functions/f", &Value::Null)
        .await;
    assert_eq!(
        (rows(&world).await, world.service.queue().next_due(usize::MAX)),
        (0, None)
    );
}

#[tokio::test]
async fn a_function_that_is_switched_off_drops_its_events() {
    let world = World::new().await;
    let kind = world.resource_type("AWS::Lambda::Function");
    let mut given = crate::testing::function_properties("exports.handler = async () => {};");
    given.insert("ReservedConcurrentExecutions".into(), json!(0));
    let made = kind
        .create(&crate::testing::context("Off"), &given)
        .await
        .unwrap();
    accept(&world, &made.physical_id).await;
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0);
}

const TOLD: &str = "arn:aws:lambda:us-east-1:000000000000:function:told";

/// `f` with `source` and an event configuration, and `told`, its destination.
async fn configured(source: &str, config: Value) -> World {
    let world = World::new().await;
    world.create("f", source).await;
    world.create("told", "exports.handler = async () => {};").await;
    let path = "/2019-09-25/functions/f/event-invoke-config";
    let put = world.call("PUT", path, &config).await;
    assert_eq!(put.status, 200, "{put:?}");
    world
}

/// The event that waits for `told`.
async fn record(world: &World) -> Value {
    let sql = "SELECT payload FROM lambda_async_invocations WHERE name = 'told'";
    let rows = world.config.database.read(sql, vec![]).await.unwrap();
    serde_json::from_slice(rows[0].blob(0).unwrap()).unwrap()
}

#[tokio::test]
async fn fewer_retries_are_honoured_and_the_destination_hears_of_the_failure() {
    let config =
        json!({"MaximumRetryAttempts": 1, "DestinationConfig": {"OnFailure": {"Destination": TOLD}}});
    let world = configured(
        "exports.handler = async () => { throw new Error('no'); };",
        config,
    )
    .await;
    accept(&world, "f").await;
    run_due(&world.service).await;
    world.clock.advance_millis(60_000);
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 1, "the event is gone, its record is there");
    let told = record(&world).await;
    let id = told["requestContext"]["requestId"].as_str().unwrap();
    assert_eq!(id.len(), 36);
    assert_eq!(
        (&told["version"], &told["timestamp"]),
        (&json!("1.0"), &json!("2023-11-14T22:14:20.000Z"))
    );
    let context = json!({
        "requestId": id, "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
        "condition": "RetriesExhausted", "approximateInvokeCount": 2,
    });
    assert_eq!(told["requestContext"], context);
    assert_eq!(told["requestPayload"], json!({"order": 1}));
    let response = json!({"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"});
    assert_eq!(told["responseContext"], response);
    assert_eq!(told["responsePayload"]["errorMessage"], "no");
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0, "the destination ran");
}

#[tokio::test]
async fn the_destination_hears_of_a_success_by_alias() {
    let world = World::new().await;
    world
        .create("f", "exports.handler = async (event) => ({got: event.order});")
        .await;
    world.create("told", "exports.handler = async () => {};").await;
    world
        .call("POST", "/2015-03-31/functions/f/versions", &Value::Null)
        .await;
    let alias = json!({"Name": "live", "FunctionVersion": "1"});
    world
        .call("POST", "/2015-03-31/functions/f/aliases", &alias)
        .await;
    let config = json!({"DestinationConfig": {"OnSuccess": {"Destination": TOLD}}});
    let path = "/2019-09-25/functions/f/event-invoke-config?Qualifier=live";
    world.call("PUT", path, &config).await;
    accept(&world, "f").await;
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0, "the function itself tells nobody");
    accept(&world, "f:live").await;
    run_due(&world.service).await;
    let told = record(&world).await;
    assert_eq!(told["requestContext"]["condition"], "Success");
    assert_eq!(told["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(
        told["requestContext"]["functionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:f:live"
    );
    assert_eq!(
        told["responseContext"],
        json!({"statusCode": 200, "executedVersion": "1"})
    );
    assert_eq!(told["responsePayload"], json!({"got": 1}));
}

#[tokio::test]
async fn an_event_that_waited_too_long_is_not_run() {
    let config =
        json!({"MaximumEventAgeInSeconds": 60, "DestinationConfig": {"OnFailure": {"Destination": TOLD}}});
    let world = configured("exports.handler = async () => {};", config).await;
    accept(&world, "f").await;
    world.clock.advance_millis(60_001);
    run_due(&world.service).await;
    let told = record(&world).await;
    assert_eq!(told["requestContext"]["condition"], "EventAgeExceeded");
    assert_eq!(told["requestContext"]["approximateInvokeCount"], 0);
    assert_eq!(told.get("responseContext"), None);
}

#[tokio::test]
async fn a_destination_that_is_gone_stands_in_nobodys_way() {
    let config = json!({"DestinationConfig": {"OnSuccess": {"Destination": TOLD}}});
    let world = configured("exports.handler = async () => {};", config).await;
    accept(&world, "f").await;
    world
        .call("DELETE", "/2015-03-31/functions/told", &Value::Null)
        .await;
    run_due(&world.service).await;
    assert_eq!(rows(&world).await, 0);
}

/// `f` with an event configuration, run once; what was sent.
async fn told(source: &str, kind: &str, destination: &str) -> (String, Message) {
    let world = World::new().await;
    let mailbox = Mailbox::connect(&world.config.router);
    world.create("f", source).await;
    let config =
        json!({"MaximumRetryAttempts": 0, "DestinationConfig": {kind: {"Destination": destination}}});
    let path = "/2019-09-25/functions/f/event-invoke-config";
    let put = world.call("PUT", path, &config).await;
    assert_eq!(put.status, 200, "{put:?}");
    accept(&world, "f").await;
    run_due(&world.service).await;
    assert_eq!((mailbox.len(), rows(&world).await), (1, 0));
    mailbox.last()
}

#[tokio::test]
async fn queues_and_topics_hear_the_record() {
    for (kind, source, condition) in [
        ("OnSuccess", "exports.handler = async () => 7;", "Success"),
        (
            "OnFailure",
            "exports.handler = async () => { throw new Error('no'); };",
            "RetriesExhausted",
        ),
    ] {
        for target in [
            "arn:aws:sqs:us-east-1:000000000000:q",
            "arn:aws:sns:us-east-1:000000000000:t",
        ] {
            let (to, message) = told(source, kind, target).await;
            let record: Value = serde_json::from_slice(&message.body).unwrap();
            assert_eq!(
                (to.as_str(), record["requestContext"]["condition"].as_str()),
                (target, Some(condition))
            );
            assert_eq!(record["requestPayload"], json!({"order": 1}));
        }
    }
}

#[tokio::test]
async fn a_bus_gets_the_record_as_the_detail_of_an_event() {
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/default";
    let (to, message) = told("exports.handler = async () => 7;", "OnSuccess", bus).await;
    let mut event: Value = serde_json::from_slice(&message.body).unwrap();
    let detail = event["detail"].take();
    assert_eq!((detail["responsePayload"].as_i64(), to.as_str()), (Some(7), bus));
    event["id"].take();
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST";
    let envelope = json!({
        "version": "0", "id": null, "detail-type": "Lambda Function Invocation Result - Success",
        "source": "lambda", "account": "000000000000", "time": "2023-11-14T22:13:20Z", "region": "us-east-1",
        "resources": [function, bus], "detail": null,
    });
    assert_eq!(event, envelope);
}

#[tokio::test]
async fn destinations_that_cannot_be_sent_to_are_refused() {
    let world = World::new().await;
    Mailbox::connect(&world.config.router);
    world.create("f", "exports.handler = async () => {};").await;
    for destination in [
        "arn:aws:sqs:us-east-1:000000000000:gone",
        "arn:aws:sqs:us-east-1:000000000000:ordered.fifo",
        "arn:aws:events:us-east-1:000000000000:event-bus/gone",
        "arn:aws:lambda:us-east-1:000000000000:function:gone",
    ] {
        let config = json!({"DestinationConfig": {"OnSuccess": {"Destination": destination}}});
        let path = "/2019-09-25/functions/f/event-invoke-config";
        let (status, code, text) = world.call("PUT", path, &config).await.error();
        assert_eq!((status, code.as_str()), (400, "InvalidParameterValueException"));
        assert_eq!(text, format!("The destination ARN {destination} is invalid."));
    }
}

const LETTERS: &str = "arn:aws:sqs:us-east-1:000000000000:letters";

fn attributes(message: &Message) -> Vec<(&str, &str)> {
    let text = |attribute: &'_ tradewind_events::MessageAttribute| match &attribute.value {
        tradewind_events::AttributeValue::Text(text) => text.clone(),
        tradewind_events::AttributeValue::Binary(_) => panic!("{attribute:?}"),
    };
    let pairs = message.attributes.iter();
    pairs
        .map(|attribute| (&*attribute.name, &*text(attribute).leak()))
        .collect()
}

#[tokio::test]
async fn an_event_that_was_given_up_is_a_dead_letter() {
    let world = World::new().await;
    let mailbox = Mailbox::connect(&world.config.router);
    world
        .create(
            "f",
            "exports.handler = async () => { throw new Error('broke'); };",
        )
        .await;
    let config = json!({"DeadLetterConfig": {"TargetArn": LETTERS}});
    let updated = world
        .call("PUT", "/2015-03-31/functions/f/configuration", &config)
        .await;
    assert_eq!(
        updated.json()["DeadLetterConfig"],
        config["DeadLetterConfig"],
        "{updated:?}"
    );
    accept(&world, "f").await;
    for wait in [60_000, 120_000, 0] {
        assert_eq!(mailbox.len(), 0);
        run_due(&world.service).await;
        world.clock.advance_millis(wait);
    }
    let (to, letter) = mailbox.last();
    assert_eq!((to.as_str(), &letter.body[..]), (LETTERS, &b"{\"order\":1}"[..]));
    let attributes = attributes(&letter);
    assert_eq!(attributes[0].0, "RequestID");
    assert_eq!(attributes[1..], [("ErrorCode", "200"), ("ErrorMessage", "broke")]);
    assert_eq!(rows(&world).await, 0);
}

#[tokio::test]
async fn dead_letters_that_cannot_be_delivered_are_refused() {
    let world = World::new().await;
    Mailbox::connect(&world.config.router);
    world.create("f", "exports.handler = async () => {};").await;
    for (target, reason) in [
        (
            "arn:aws:sqs:us-east-1:000000000000:gone",
            "arn:aws:sqs:us-east-1:000000000000:gone does not exist",
        ),
        (
            "arn:aws:sqs:us-east-1:000000000000:q.fifo",
            "FIFO queues and topics take no dead letters",
        ),
        (
            "arn:aws:events:us-east-1:000000000000:event-bus/b",
            "it is neither an SQS queue nor an SNS topic",
        ),
    ] {
        let config = json!({"DeadLetterConfig": {"TargetArn": target}});
        let answer = world
            .call("PUT", "/2015-03-31/functions/f/configuration", &config)
            .await;
        let text = format!("The dead letter target {target} is invalid: {reason}");
        assert_eq!(
            answer.error(),
            (400, "InvalidParameterValueException".to_owned(), text)
        );
    }
    let config = json!({"DeadLetterConfig": {"TargetArn": "letters"}});
    let answer = world
        .call("PUT", "/2015-03-31/functions/f/configuration", &config)
        .await;
    assert!(
        answer
            .error()
            .2
            .starts_with("1 validation error detected: Value 'letters' at 'deadLetterConfig.targetArn'")
    );
}

/// An event that has been through `f` so often.
fn lineage(times: u32) -> String {
    let mut digest = <sha2::Sha256 as sha2::Digest>::digest(TOLD.replace(":told", ":f"));
    let digest: String = digest.iter_mut().take(4).map(|b| format!("{b:02x}")).collect();
    format!("Root=1-5e5ffb9e-0123456789abcdef01234567;Lineage={digest}:{times}")
}

#[tokio::test]
async fn an_event_that_goes_round_is_stopped_unless_that_is_allowed() {
    let world = World::new().await;
    let mailbox = Mailbox::connect(&world.config.router);
    world
        .create("f", "exports.handler = async () => process.env._X_AMZN_TRACE_ID;")
        .await;
    let config = json!({"DestinationConfig": {
        "OnFailure": {"Destination": LETTERS}, "OnSuccess": {"Destination": LETTERS},
    }});
    let path = "/2019-09-25/functions/f/event-invoke-config";
    assert_eq!(world.call("PUT", path, &config).await.status, 200);
    let ended = async |times: u32| {
        let trace = lineage(times);
        let headers = [EVENT[0], ("x-amzn-trace-id", trace.as_str())];
        assert_eq!(world.invoke("f", &headers, b"{}").await.status, 202);
        run_due(&world.service).await;
        let record: Value = serde_json::from_slice(&mailbox.last().1.body).unwrap();
        let condition = record["requestContext"]["condition"].as_str().unwrap().to_owned();
        (condition, record["responsePayload"].clone())
    };
    let (condition, seen) = ended(15).await;
    assert_eq!(condition, "Success");
    assert!(seen.as_str().unwrap().ends_with(":16"), "{seen}");
    assert_eq!(ended(16).await.0, "RecursiveInvocationDetected");
    let trace = lineage(16);
    let (status, code, _) = world
        .invoke("f", &[("x-amzn-trace-id", &trace)], b"{}")
        .await
        .error();
    assert_eq!((status, code.as_str()), (400, "RecursiveInvocationException"));
    let path = "/2024-08-31/functions/f/recursion-config";
    let allow = json!({"RecursiveLoop": "Allow"});
    assert_eq!(world.call("PUT", path, &allow).await.json(), allow);
    assert_eq!(ended(16).await.0, "Success");
    let reopened = world.reopened().await;
    let kept = reopened
        .find(&TOLD.replace(":told", ":f").parse().unwrap())
        .unwrap();
    assert_eq!(kept.recursive_loop.as_str(), "Allow");
    let wrong = world.call("PUT", path, &json!({"RecursiveLoop": "Maybe"})).await;
    assert!(
        wrong
            .error()
            .2
            .contains("Member must satisfy enum value set: [Allow, Terminate]")
    );
}

/// Notes each event, and waits for a file where the event names one.
const NOTING: &str = "const fs = require('fs');
    exports.handler = async (event) => {
        fs.appendFileSync(event.notes, event.name);
        while (event.until && !fs.existsSync(event.until)) await new Promise((done) => setTimeout(done, 5));
    };";

/// A caller takes the only instance there may be: events are throttled, back off, and none is lost or doubled.
#[tokio::test]
async fn events_that_are_throttled_back_off_and_each_runs_once() {
    let world = World::new().await;
    world.create("f", NOTING).await;
    let reserve = json!({"ReservedConcurrentExecutions": 1});
    world
        .call("PUT", "/2017-10-31/functions/f/concurrency", &reserve)
        .await;
    let folder = tempfile::tempdir().unwrap();
    let (notes, until) = (folder.path().join("notes"), folder.path().join("until"));
    let noted = || std::fs::read_to_string(&notes).unwrap_or_default();
    let holding = json!({"name": "h", "notes": notes, "until": until})
        .to_string()
        .leak();
    let held = world.invoke("f", &[], holding.as_bytes());
    let events = async {
        while noted() != "h" {
            tokio::task::yield_now().await;
        }
        for name in ["a", "b", "c", "d", "e", "f"] {
            let event = json!({"name": name, "notes": notes}).to_string().leak();
            assert_eq!(world.invoke("f", EVENT, event.as_bytes()).await.status, 202);
        }
        run_due(&world.service).await;
        std::fs::write(&until, "").unwrap();
    };
    let (answer, ()) = tokio::join!(held, events);
    assert_eq!((answer.status, noted().as_str()), (200, "h"));
    assert_eq!(rows(&world).await, 6);
    for left in (1..6).rev() {
        run_due(&world.service).await;
        assert_eq!(rows(&world).await, left, "the five others need not wait");
    }
    assert_eq!(
        world.service.queue().next_due(usize::MAX),
        Some(START.plus_millis(1_000))
    );
    world.clock.advance_millis(1_000);
    run_due(&world.service).await;
    let mut names: Vec<char> = noted().chars().collect();
    names.sort_unstable();
    assert_eq!((rows(&world).await, names), (0, "abcdefh".chars().collect()));
}

#[tokio::test]
async fn attempts_are_steps_of_the_events_journey() {
    use tradewind_events::journey::{Journal, tree};
    use tradewind_observe::LogStore;

    let config =
        json!({"MaximumRetryAttempts": 1, "DestinationConfig": {"OnFailure": {"Destination": LETTERS}}});
    let world = World::new().await;
    Mailbox::connect(&world.config.router);
    let folder = tempfile::tempdir().unwrap();
    let store = LogStore::open(folder.path().to_owned(), world.clock.clone(), Journal::options());
    let journal = Journal::new(store.unwrap(), world.clock.clone());
    world.config.router.record(journal.clone());
    world
        .create("f", "exports.handler = async () => { throw new Error('no'); };")
        .await;
    let path = "/2019-09-25/functions/f/event-invoke-config";
    assert_eq!(world.call("PUT", path, &config).await.status, 200);
    let answer = world.invoke("f", EVENT, b"{}").await;
    let root = answer
        .header("x-amzn-trace-id")
        .unwrap()
        .strip_prefix("Root=")
        .unwrap();
    run_due(&world.service).await;
    world.clock.advance_millis(60_000);
    run_due(&world.service).await;
    let branches = tree(journal.steps(root).await.unwrap());
    let seen: Vec<_> = branches
        .iter()
        .map(|branch| (branch.step.attempt, &*branch.step.outcome, branch.after.len()))
        .collect();
    assert_eq!(
        seen,
        [
            (1, "Error; again at 2023-11-14T22:14:20.000Z", 0),
            (2, "Error; given up: RetriesExhausted", 1)
        ]
    );
    assert_eq!(&*branches[1].after[0].step.to, LETTERS);
    let request = branches[0].step.request.clone().unwrap();
    assert_eq!(journal.find(&request).await.unwrap().as_deref(), Some(root));
}
