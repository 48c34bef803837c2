//! The notifier with a receiver that stands for the other services.

use s3s::dto::{NotificationConfiguration, PutBucketNotificationConfigurationInput};
use s3s::xml::{Deserialize as _, Deserializer};
use serde_json::Value;

use super::testing::Mailbox;
use super::*;
use crate::objects::Versioning;
use crate::state::{State, for_tests};
use crate::tables::{self, BucketRow};

const TRACE: &str = "Root=1-5e5ffb9e-0123456789abcdef01234567;Parent=53995c3f42cd8ad8";

fn to_all(name: &str) -> NotificationConfiguration {
    let one = |tag: &str, inner: &str, service: &str, suffix: &str| {
        format!(
            "<{tag}><{inner}>arn:aws:{service}{name}</{inner}><Event>s3:ObjectCreated:*</Event><Filter><S3Key>\
             <FilterRule><Name>suffix</Name><Value>{suffix}</Value></FilterRule></S3Key></Filter></{tag}>"
        )
    };
    let text = format!(
        "<NotificationConfiguration>{}{}{}<EventBridgeConfiguration/></NotificationConfiguration>",
        one(
            "CloudFunctionConfiguration",
            "CloudFunction",
            "lambda:us-east-1:000000000000:function:",
            ".f"
        ),
        one("QueueConfiguration", "Queue", "sqs:us-east-1:000000000000:", ".q"),
        one("TopicConfiguration", "Topic", "sns:us-east-1:000000000000:", ".t"),
    );
    NotificationConfiguration::deserialize(&mut Deserializer::new(text.as_bytes())).unwrap()
}

async fn put(state: &State, configuration: NotificationConfiguration) -> S3Result<()> {
    let input = PutBucketNotificationConfigurationInput::builder()
        .bucket("orders".to_owned())
        .notification_configuration(configuration)
        .build()
        .unwrap();
    let audience = Audience::new("000000000000", "us-east-1", "orders", None);
    let put = state
        .notifier
        .put_bucket_notification_configuration(input, &audience);
    put.await.map(drop)
}

async fn state() -> (State, std::sync::Arc<Mailbox>, tempfile::TempDir) {
    let (state, folder) = for_tests().await;
    let mailbox = Mailbox::connect(state.notifier.router());
    let bucket = BucketRow {
        name: "orders".into(),
        account: "000000000000".into(),
        region: "us-east-1".into(),
        created: state.clock.now(),
        versioning: Versioning::Never,
    };
    let made = tables::create_bucket(&state.database, &bucket, &[]).await;
    assert!(made.unwrap());
    (state, mailbox, folder)
}

fn event(key: &str) -> ObjectEvent<'_> {
    ObjectEvent {
        name: EventName::Put,
        key,
        size: Some(1),
        e_tag: None,
        version_id: None,
    }
}

#[tokio::test]
async fn queues_and_topics_get_the_test_event() {
    let (state, mailbox, _folder) = state().await;
    put(&state, to_all("x")).await.unwrap();
    let told = mailbox.take();
    let targets: Vec<&str> = told.iter().map(|(target, _)| target.as_str()).collect();
    assert_eq!(
        targets,
        [
            "arn:aws:sns:us-east-1:000000000000:x",
            "arn:aws:sqs:us-east-1:000000000000:x"
        ]
    );
    let body: Value = serde_json::from_slice(&told[0].1.body).unwrap();
    assert_eq!(
        (&body["Event"], &body["Bucket"]),
        (&"s3:TestEvent".into(), &"orders".into())
    );
}

#[tokio::test]
async fn what_is_not_there_cannot_be_chosen() {
    let (state, _mailbox, _folder) = state().await;
    let error = put(&state, to_all("gone")).await.unwrap_err();
    assert_eq!(
        error.message(),
        Some("Unable to validate the following destination configurations")
    );
    let error = put(&state, to_all("x.fifo")).await.unwrap_err();
    assert!(error.message().unwrap().starts_with("FIFO"), "{error}");
}

#[tokio::test]
async fn a_change_is_refused_while_a_destination_has_no_room_for_its_event() {
    let (state, mailbox, _folder) = state().await;
    let audience = Audience::new("000000000000", "us-east-1", "orders", Some(&to_all("full")));
    let trace = Trace::new(state.clock.now());
    let add = |key| state.notifier.add(Batch::new(), &audience, &event(key), &trace);
    let error = add("a.f").unwrap_err();
    assert_eq!(
        (error.code(), error.status_code()),
        (
            &S3ErrorCode::SlowDown,
            Some(http::StatusCode::SERVICE_UNAVAILABLE)
        )
    );
    mailbox.take();
    add("a").unwrap();
    assert_eq!(mailbox.take().len(), 1, "only the bus wants it");
}

#[tokio::test]
async fn each_destination_gets_what_it_wants_and_the_bus_gets_all() {
    let (state, mailbox, _folder) = state().await;
    put(&state, to_all("x")).await.unwrap();
    mailbox.take();
    let audience = state.configurations.of_write("orders").await.unwrap().audience;
    let trace = Trace::from_header(Some(TRACE), state.clock.now());
    for (key, service) in [
        ("a.f", Some("lambda")),
        ("a.q", Some("sqs")),
        ("a.t", Some("sns")),
        ("a", None),
    ] {
        let added = state.notifier.add(Batch::new(), &audience, &event(key), &trace);
        drop(added.unwrap());
        let told = mailbox.take();
        let (bus, filtered) = told.split_last().unwrap();
        assert_eq!(bus.0, "arn:aws:events:us-east-1:000000000000:event-bus/default");
        let services: Vec<_> = filtered
            .iter()
            .map(|(target, _)| target.split(':').nth(2).unwrap())
            .collect();
        assert_eq!(services, service.into_iter().collect::<Vec<_>>(), "{key}");
        for (_, message) in &told {
            assert_eq!(message.trace.to_string(), TRACE);
            assert_eq!(message.source, "arn:aws:s3:::orders");
        }
        if let [(_, message)] = filtered {
            let subject = (service == Some("sns")).then(|| "Amazon S3 Notification".to_owned());
            assert_eq!(message.subject, subject);
        }
    }
}
