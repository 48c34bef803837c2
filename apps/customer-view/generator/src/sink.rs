//! Records sealed, and written to Kafka or to a file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use customer_view_steps::seal::Key;
use customer_view_steps::{Bucket, Pepper};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::{ClientConfig, ClientContext};
use serde_json::{Value, json};

use crate::poison::Poison;
use crate::retailer::Record;

/// How long the platform or the cluster may be away.
const PATIENCE: Duration = Duration::from_mins(4);
const PAUSE: Duration = Duration::from_millis(200);

/// The topics of the app; `view.changes` is compacted.
const TOPICS: [&str; 9] = [
    "source.shop",
    "source.orders",
    "source.delivery",
    "source.marketing",
    "source.calls",
    "view.valid",
    "view.normal",
    "view.resolved",
    "view.changes",
];

/// Makes the topics that are missing.
///
/// # Errors
/// When the cluster does not answer, or refuses one.
pub async fn make_topics(servers: &str, partitions: i32) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", servers).create()?;
    let topic = |name: &'static str| {
        let policy = if name == "view.changes" {
            "compact"
        } else {
            "delete"
        };
        NewTopic::new(name, partitions, TopicReplication::Fixed(-1)).set("cleanup.policy", policy)
    };
    let topics = TOPICS.map(topic);
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)));
    for made in admin.create_topics(&topics, &options).await? {
        match made {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, error)) => bail!("`{topic}`: {error}"),
        }
    }
    Ok(())
}

/// What goes to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// The record's key.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Seals as the source systems do: they make the keys.
#[derive(Debug)]
pub struct Sealer {
    keys: Bucket,
    pepper: Pepper,
    known: HashMap<String, Key>,
}

impl Sealer {
    /// With the bucket of keys.
    #[must_use]
    pub fn new(keys: Bucket, pepper: Pepper) -> Self {
        Self {
            keys,
            pepper,
            known: HashMap::new(),
        }
    }

    /// A record as its system writes it, broken if it is to be.
    ///
    /// # Errors
    /// When a key can be neither read nor made.
    pub async fn message(&mut self, mut record: Record, poison: Option<Poison>) -> Result<Message> {
        let token = self.pepper.token(record.source, &record.account).to_string();
        let name = format!("{}/{token}", record.source);
        if !self.known.contains_key(&name) {
            let key = patient_key(&self.keys, &name).await?;
            self.known.insert(name.clone(), key);
        }
        let topic = format!("source.{}", record.source);
        if let Some(poison) = poison {
            poison.before_sealing(&mut record);
        }
        let bound_to = format!("{}|{}|{}", record.source, record.account, record.event);
        let text = Value::Object(record.part).to_string();
        let sealed = self.known[&name]
            .seal(&token, &bound_to, text.as_bytes())
            .context("sealing")?;
        let value = json!({
            "schema": record.schema, "event": record.event, "source": record.source, "account": record.account,
            "at": record.at, "sealed": sealed,
        });
        Ok(Message {
            topic,
            key: record.account,
            value: poison.map_or_else(|| value.to_string(), |poison| poison.after_sealing(value.clone())),
        })
    }
}

/// A system waits for its keys while the platform is away.
async fn patient_key(keys: &Bucket, name: &str) -> Result<Key> {
    let until = Instant::now() + PATIENCE;
    loop {
        let result = key(keys, name).await;
        if result.is_ok() || Instant::now() >= until {
            return result;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn key(keys: &Bucket, name: &str) -> Result<Key> {
    let new = Key::random().context("no randomness")?;
    if keys.create(name, new.to_vec()).await? {
        return Key::new(&new).context("a key has 32 bytes");
    }
    let known = keys.bytes(name).await?.context("a key went while it was read")?;
    Key::new(&known).with_context(|| format!("`{name}` is no key"))
}

/// Counts what the cluster did not take in the end.
#[derive(Debug, Default)]
pub struct Deliveries {
    failed: AtomicU64,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Where messages go.
pub enum Sink {
    /// Topics.
    Kafka(Box<ThreadedProducer<Deliveries>>),
    /// JSON lines.
    File(BufWriter<File>),
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Kafka(_) => "Kafka",
            Self::File(_) => "File",
        })
    }
}

impl Sink {
    /// The topics of a cluster.
    ///
    /// # Errors
    /// When there is no such producer.
    pub fn kafka(servers: &str) -> Result<Self> {
        let producer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("enable.idempotence", "true")
            .set("linger.ms", "5")
            .create_with_context(Deliveries::default())?;
        Ok(Self::Kafka(Box::new(producer)))
    }

    /// A file.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn file(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| path.display().to_string())?;
        Ok(Self::File(BufWriter::new(file)))
    }

    /// Writes a message; waits while the producer is full.
    ///
    /// # Errors
    /// When it is not taken.
    pub async fn write(&mut self, message: &Message) -> Result<()> {
        match self {
            Self::File(file) => {
                let line = json!({"topic": message.topic, "key": message.key, "value": message.value});
                Ok(writeln!(file, "{line}")?)
            }
            Self::Kafka(producer) => loop {
                let record = BaseRecord::to(&message.topic)
                    .key(&message.key)
                    .payload(&message.value);
                match producer.send(record) {
                    Ok(()) => return Ok(()),
                    Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    Err((error, _)) => bail!("`{}`: {error}", message.topic),
                }
            },
        }
    }

    /// Waits until everything is where it belongs.
    ///
    /// # Errors
    /// When it is not within some minutes, or the cluster did not take something in the end.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::File(mut file) => Ok(file.flush()?),
            Self::Kafka(producer) => {
                producer.flush(PATIENCE)?;
                let failed = producer.context().failed.load(Ordering::Relaxed);
                ensure!(failed == 0, "{failed} records were not taken");
                Ok(())
            }
        }
    }
}
