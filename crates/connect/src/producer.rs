//! Writes records to a cluster: idempotent, acknowledged by all replicas, and awaited.

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::future_producer::DeliveryFuture;
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::client::{Health, config};
use crate::cluster::Cluster;
use crate::problem::Problem;

/// How long the client itself tries, across elections and restarts of brokers. Longer than a broker's restart,
/// shorter than what waits for an attempt.
const GIVES_UP_AFTER: Duration = Duration::from_secs(30);
/// How long to wait for room in the client's queue.
const UNTIL_ROOM: Duration = Duration::from_millis(5);

/// A record to write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Records of one key go to one partition, in order; those without any go anywhere.
    pub key: Option<Bytes>,
    /// None is a tombstone.
    pub value: Option<Bytes>,
    /// In order; a name may come more than once.
    pub headers: Vec<(String, Bytes)>,
}

/// Why a record was not written, or why nobody knows whether it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ProduceError {
    /// What is wrong.
    pub problem: Problem,
    /// Whether to write the same record again may help.
    pub is_retriable: bool,
    /// A short word for it.
    pub code: ProduceCode,
}

/// What is wrong, as a program tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProduceCode {
    /// There is no such topic.
    NoTopic,
    /// Wrong password, certificate or permissions.
    NotAllowed,
    /// No broker answers, or not in time.
    Unreachable,
    /// The brokers refuse this very record, for example for its size.
    Refused,
}

impl ProduceError {
    fn of(error: &KafkaError, health: &Health) -> Self {
        let code = error.rdkafka_error_code();
        let refused = matches!(
            code,
            Some(
                Code::MessageSizeTooLarge
                    | Code::InvalidMessage
                    | Code::InvalidMessageSize
                    | Code::InvalidTopic
                    | Code::InvalidRecord
                    | Code::PolicyViolation
            )
        );
        if refused {
            return Self {
                problem: Problem::Other(error.to_string()),
                is_retriable: false,
                code: ProduceCode::Refused,
            };
        }
        // that it took too long says less than what the client complained of meanwhile
        let problem = match Problem::of(error, "") {
            Problem::Connection => health.problem().unwrap_or(Problem::Connection),
            other => other,
        };
        Self::from(problem)
    }

    fn unreachable() -> Self {
        Self::from(Problem::Connection)
    }
}

impl From<Problem> for ProduceError {
    fn from(problem: Problem) -> Self {
        let code = match problem {
            Problem::TopicNotFound => ProduceCode::NoTopic,
            Problem::Login
            | Problem::Authorization
            | Problem::ClientRejected
            | Problem::ServerUntrusted
            | Problem::Certificate
            | Problem::Secret(_)
            | Problem::TlsMissing(_) => ProduceCode::NotAllowed,
            Problem::Connection | Problem::Other(_) => ProduceCode::Unreachable,
        };
        Self {
            problem,
            is_retriable: true,
            code,
        }
    }
}

/// The producer of a cluster. Clones are handles to the same one; the last that goes ends it, and what it has not
/// written by then fails.
#[derive(Clone)]
pub struct Producer {
    client: Arc<Client>,
    health: Health,
}

/// Ends on a thread that may block.
struct Client(Mutex<Option<FutureProducer<Health>>>);

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer")
            .field("health", &self.health)
            .finish_non_exhaustive()
    }
}

impl Producer {
    /// A producer; it connects when it has something to write.
    ///
    /// # Errors
    /// When the cluster cannot be used as it is configured.
    pub async fn open(cluster: &Cluster) -> Result<Self, Problem> {
        Self::open_for(cluster, GIVES_UP_AFTER).await
    }

    async fn open_for(cluster: &Cluster, gives_up_after: Duration) -> Result<Self, Problem> {
        let mut config = config(cluster)?;
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "1")
            .set("message.timeout.ms", gives_up_after.as_millis().to_string())
            // the broker says what is too large
            .set("message.max.bytes", "16777216")
            .set("queue.buffering.max.messages", "10000")
            .set("queue.buffering.max.kbytes", "65536")
            // where Kafka's own client puts a key, so that both agree
            .set("partitioner", "murmur2_random")
            .set("topic.metadata.propagation.max.ms", "5000");
        let health = Health::default();
        let context = health.clone();
        // it reads certificates and starts threads
        let client = tokio::task::spawn_blocking(move || config.create_with_context(context)).await;
        let client = client.map_err(|failure| Problem::Other(failure.to_string()))?;
        let client = client.map_err(|error| Problem::of(&error, ""))?;
        Ok(Self {
            client: Arc::new(Client(Mutex::new(Some(client)))),
            health,
        })
    }

    /// Writes a record; it returns when all replicas have it.
    ///
    /// # Errors
    /// Why it is not known to be written.
    ///
    /// # Cancel safety
    /// A record that was taken up is written even if this future is dropped.
    pub async fn send(&self, topic: &str, record: &Record) -> Result<(), ProduceError> {
        let mut results = self.send_all(topic, std::slice::from_ref(record)).await;
        results.pop().unwrap_or_else(|| Err(ProduceError::unreachable()))
    }

    /// Writes records in their order, together; what became of each, when all of it is known.
    ///
    /// # Cancel safety
    /// As [`Producer::send`], but for those that were not taken up yet.
    pub async fn send_all(&self, topic: &str, records: &[Record]) -> Vec<Result<(), ProduceError>> {
        let mut halves = Halves::of(records.len());
        while let Some(group) = halves.groups.pop() {
            let part: Vec<&Record> = group.iter().map(|at| &records[*at]).collect();
            let results = self.send_together(topic, &part).await;
            halves.sent(group, results);
        }
        let results = halves.results;
        if results.last().is_some_and(Result::is_ok) {
            self.health.clear();
        }
        results
    }

    async fn send_together(&self, topic: &str, records: &[&Record]) -> Vec<Result<(), ProduceError>> {
        let mut taken = Vec::with_capacity(records.len());
        for record in records {
            taken.push(self.take_up(topic, record).await);
        }
        let mut results = Vec::with_capacity(records.len());
        for report in taken {
            results.push(self.wait_for(report).await);
        }
        results
    }

    /// Waits while the client's queue is full.
    async fn take_up(&self, topic: &str, record: &Record) -> Result<DeliveryFuture, ProduceError> {
        loop {
            match self.try_take_up(topic, record) {
                Err(KafkaError::MessageProduction(Code::QueueFull)) => {
                    tokio::time::sleep(UNTIL_ROOM).await;
                }
                other => return other.map_err(|error| ProduceError::of(&error, &self.health)),
            }
        }
    }

    fn try_take_up(&self, topic: &str, record: &Record) -> Result<DeliveryFuture, KafkaError> {
        let mut new: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(topic);
        new.key = record.key.as_deref();
        new.payload = record.value.as_deref();
        new.headers = headers(record);
        let client = self.client.0.lock().unwrap_or_else(PoisonError::into_inner);
        let client = client.as_ref().ok_or(KafkaError::Canceled)?;
        client.send_result(new).map_err(|(error, _)| error)
    }

    async fn wait_for(&self, report: Result<DeliveryFuture, ProduceError>) -> Result<(), ProduceError> {
        match report?.await {
            Ok(Ok(_written)) => Ok(()),
            Ok(Err((error, _))) => Err(ProduceError::of(&error, &self.health)),
            Err(_ended) => Err(ProduceError::unreachable()),
        }
    }
}

/// What is sent all together, and what of it was refused again by halves, in its order: a broker refuses for one
/// record what the client sent together with it. One such record among 500 costs some 18 requests.
struct Halves {
    results: Vec<Result<(), ProduceError>>,
    /// What is to be sent, the next last.
    groups: Vec<Vec<usize>>,
}

impl Halves {
    fn of(count: usize) -> Self {
        Self {
            results: vec![Err(ProduceError::unreachable()); count],
            groups: vec![(0..count).collect()],
        }
    }

    /// Notes what became of a group.
    fn sent(&mut self, mut group: Vec<usize>, results: Vec<Result<(), ProduceError>>) {
        for (at, result) in group.iter().zip(results) {
            self.results[*at] = result;
        }
        if group.len() < 2 {
            return;
        }
        let results = &self.results;
        group.retain(|at| matches!(&results[*at], Err(error) if error.code == ProduceCode::Refused));
        let later = group.split_off(group.len().div_ceil(2));
        let both = [later, group].into_iter();
        self.groups.extend(both.filter(|group| !group.is_empty()));
    }
}

fn headers(record: &Record) -> Option<OwnedHeaders> {
    if record.headers.is_empty() {
        return None;
    }
    let all = OwnedHeaders::new_with_capacity(record.headers.len());
    let add = |all: OwnedHeaders, (key, value): &(String, Bytes)| {
        let value = Some(&**value);
        all.insert(Header { key, value })
    };
    Some(record.headers.iter().fold(all, add))
}

impl Drop for Client {
    fn drop(&mut self) {
        let client = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // it waits for its threads
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(client))),
            Err(_no_runtime) => drop(client),
        }
    }
}
