//! A service over a database in memory, and requests to it.

use std::sync::{Arc, LazyLock, Mutex};

use http::Request;
use tradewind_events::delivery::{Deliveries, DeliveriesConfig, Jitter};
use tradewind_events::mail::MailRelay;
use tradewind_events::{Message, Receiver, Router, Routing, Undeliverable};
use tradewind_model::{AccountId, Arn, Clock, Region, Timestamp};
use tradewind_store::queue::Queues;
use tradewind_store::{Batch, Database};
use tradewind_wire::{Body, Caller, read_body};

use crate::attributes::{Given, TopicAttributes};
use crate::model::Topic;
use crate::signing::Identity;
use crate::{SnsConfig, SnsService, tables};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A topic that nobody stored; one whose name begins with `content` deduplicates by content.
pub(crate) fn topic(name: &str) -> Topic {
    let is_fifo = name.ends_with(".fifo");
    let mut given = Given::new();
    if is_fifo {
        given.insert("FifoTopic".into(), "true".into());
        given.insert(
            "ContentBasedDeduplication".into(),
            name.starts_with("content").to_string(),
        );
    }
    Topic {
        arn: topic_arn(name).parse().unwrap(),
        attributes: TopicAttributes::new(is_fifo, &given).unwrap(),
        tags: Given::new(),
        owner: None,
        policy_owner: None,
    }
}

pub(crate) fn topic_arn(name: &str) -> String {
    format!("arn:aws:sns:us-east-1:000000000000:{name}")
}

pub(crate) fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

/// What was delivered, by target; whether `busy` has time. A target whose name begins with `missing` is not there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Targets(Arc<Mutex<Vec<(String, Message)>>>, Arc<Mutex<bool>>);

impl Receiver for Targets {
    fn find(&self, _target: &Arn) -> Result<(), Undeliverable> {
        Ok(())
    }
    fn accept(&self, routing: &mut Routing, target: &Arn, message: Message) -> Result<(), Undeliverable> {
        let name = target.resource.rsplit(':').next().unwrap().to_owned();
        if name == "busy" && !*self.1.lock().unwrap() {
            return Err(Undeliverable::Full {
                target: target.to_string(),
            });
        }
        if name.starts_with("missing") {
            return Err(Undeliverable::NotFound {
                target: target.to_string(),
            });
        }
        let (all, delivered) = (Arc::clone(&self.0), (name, message));
        routing.add(|batch| batch.after_commit(move || all.lock().unwrap().push(delivered.clone())));
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) service: SnsService,
    pub(crate) deliveries: Deliveries,
    pub(crate) clock: Clock,
    pub(crate) queues: Queues,
    database: Database,
    targets: Targets,
}

/// An answer: status, body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Answer {
    /// The text of the first element of that name.
    pub(crate) fn element(&self, name: &str) -> Option<String> {
        let (_, rest) = self.text.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        let plain = text
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">");
        Some(plain.replace("&#10;", "\n").replace("&amp;", "&"))
    }
}

fn encode(text: &str) -> String {
    let byte = |b: u8| match b.is_ascii_alphanumeric() {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = Clock::manual(START);
        let database =
            Database::in_memory_for_tests(&[tradewind_store::queue::MIGRATIONS, crate::MIGRATIONS]);
        let queues = Queues::new(database.clone(), clock.clone());
        store_identity(&database).await;
        let targets = Targets::default();
        let (service, deliveries) = open(&database, &queues, &clock, &targets).await;
        Self {
            service,
            deliveries,
            clock,
            queues,
            database,
            targets,
        }
    }

    /// As a restart of the node.
    pub(crate) async fn restart(&mut self) {
        (self.service, self.deliveries) =
            open(&self.database, &self.queues, &self.clock, &self.targets).await;
    }

    pub(crate) async fn call(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        self.call_as(Some("test".into()), action, params).await
    }

    pub(crate) async fn call_as(
        &self,
        access_key: Option<Box<str>>,
        action: &str,
        params: &[(&str, &str)],
    ) -> Answer {
        let form: String = params
            .iter()
            .map(|(name, value)| format!("&{}={}", encode(name), encode(value)))
            .collect();
        let request = Request::post("/")
            .body(Body::full(format!("Action={action}&Version=2010-03-31{form}")))
            .unwrap();
        let caller = Caller {
            account: AccountId::default_account(),
            region: Region::default_region(),
            access_key,
            service: None,
        };
        let response = self.service.handle(request, caller).await;
        let status = response.status().as_u16();
        let body = read_body(response.into_body(), 4 * 1024 * 1024).await.unwrap();
        Answer {
            status,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn ok(&self, action: &str, params: &[(&str, &str)]) -> Answer {
        let answer = self.call(action, params).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.text);
        answer
    }

    /// The code and text of a refusal.
    pub(crate) async fn refused(&self, action: &str, params: &[(&str, &str)]) -> (String, String) {
        let answer = self.call(action, params).await;
        assert!(answer.status >= 400, "{action}: {}", answer.text);
        (
            answer.element("Code").unwrap(),
            answer.element("Message").unwrap(),
        )
    }

    /// A new topic; its ARN.
    pub(crate) async fn topic(&self, name: &str) -> String {
        let mut params = vec![("Name", name)];
        if name.ends_with(".fifo") {
            params.extend([
                ("Attributes.entry.1.key", "FifoTopic"),
                ("Attributes.entry.1.value", "true"),
            ]);
        }
        self.ok("CreateTopic", &params).await.element("TopicArn").unwrap()
    }

    /// Subscribes a queue, with attributes; the subscription's ARN.
    pub(crate) async fn subscribe(&self, topic: &str, queue: &str, attributes: &[(&str, &str)]) -> String {
        let endpoint = queue_arn(queue);
        self.subscribe_to(topic, ("sqs", &endpoint), attributes).await
    }

    pub(crate) async fn subscribe_to(
        &self,
        topic: &str,
        (protocol, endpoint): (&str, &str),
        attributes: &[(&str, &str)],
    ) -> String {
        let mut params = vec![
            ("TopicArn".to_owned(), topic.to_owned()),
            ("Protocol".to_owned(), protocol.to_owned()),
            ("Endpoint".to_owned(), endpoint.to_owned()),
            ("ReturnSubscriptionArn".to_owned(), "true".to_owned()),
        ];
        for (index, (name, value)) in attributes.iter().enumerate() {
            params.push((format!("Attributes.entry.{}.key", index + 1), (*name).to_owned()));
            params.push((
                format!("Attributes.entry.{}.value", index + 1),
                (*value).to_owned(),
            ));
        }
        let params: Vec<_> = params
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let answer = self.ok("Subscribe", &params).await;
        answer.element("SubscriptionArn").unwrap()
    }

    /// From now on the target `busy` takes messages.
    pub(crate) fn is_busy_no_more(&self) {
        *self.targets.1.lock().unwrap() = true;
    }

    /// What was delivered since it was asked last.
    pub(crate) fn delivered(&self) -> Vec<(String, Message)> {
        std::mem::take(&mut *self.targets.0.lock().unwrap())
    }

    /// The bodies that were delivered, with their targets.
    pub(crate) fn bodies(&self) -> Vec<(String, String)> {
        let text = |message: &Message| String::from_utf8(message.body.to_vec()).unwrap();
        let delivered = self.delivered();
        let mut bodies: Vec<_> = delivered
            .iter()
            .map(|(name, message)| (name.clone(), text(message)))
            .collect();
        bodies.sort();
        bodies
    }
}

/// A key for all tests: to make one takes long.
async fn store_identity(database: &Database) {
    static IDENTITY: LazyLock<Identity> = LazyLock::new(|| Identity::generate(START).unwrap());
    let batch = tables::put_identity(Batch::new(), &IDENTITY);
    database.write(batch).await.unwrap();
}

/// A relay that nobody reaches: what it is owed waits.
fn mail_relay() -> Option<MailRelay> {
    Some(MailRelay::new("smtp://127.0.0.1:9", "shop@example.com").unwrap())
}

async fn open(
    database: &Database,
    queues: &Queues,
    clock: &Clock,
    targets: &Targets,
) -> (SnsService, Deliveries) {
    let router = Router::new();
    router.connect("sqs", Arc::new(targets.clone()));
    router.connect("lambda", Arc::new(targets.clone()));
    let deliveries = Deliveries::new(DeliveriesConfig {
        database: database.clone(),
        queues: queues.clone(),
        router: router.clone(),
        clock: clock.clone(),
        jitter: Jitter::fixed(0.0),
    });
    let service = SnsService::open(SnsConfig {
        database: database.clone(),
        router: router.clone(),
        deliveries: deliveries.clone(),
        clock: clock.clone(),
        mail: mail_relay(),
        base_url: "http://127.0.0.1:4566".into(),
    });
    let service = service.await.unwrap();
    router.connect("sns", Arc::new(service.clone()));
    (service, deliveries)
}
